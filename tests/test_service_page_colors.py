"""Tests of service.page_colors: whatever colour a tag has, what is on it, beside it and through it can be read."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.codebook import default_codebook_path, load_codebook
from annotations.labeling_config import PALETTE, tag_colors
from service.page_colors import DARK, LIGHT, Scheme, contrast, line, tag_colors_css, text_color, tint

COLORS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [("#000000", "#ffffff", 21.0), ("#ffffff", "#ffffff", 1.0), ("#777777", "#ffffff", 4.48)],
)
def test_contrast_is_that_of_the_standard(one: str, two: str, expected: float) -> None:
    """Black on white is 21; #777777 is the well-known grey that just fails AA on white."""
    assert contrast(one, two) == pytest.approx(expected, abs=0.005)
    assert contrast(two, one) == contrast(one, two)


@given(color=COLORS)
def test_text_on_any_colour_has_a_contrast_of_4_5(color: str) -> None:
    """WCAG 1.4.3 (AA)."""
    assert contrast(text_color(color), color) >= 4.5


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@given(color=COLORS)
def test_a_tint_leaves_text_readable_and_a_line_can_be_seen(scheme: Scheme, color: str) -> None:
    """Text of a post on any tint has 7 (1.4.6), a line or bar 3 against what is around it (1.4.11)."""
    assert contrast(tint(color, scheme), scheme.ink) >= 7
    assert contrast(line(color, scheme), scheme.paper) >= 3
    assert contrast(line(color, scheme), scheme.track) >= 3


def test_every_colour_of_the_palette_and_of_the_default_codebook_can_be_told_from_paper() -> None:
    """A tint is not so weak that the paper cannot be told from it."""
    colors = {*PALETTE, *tag_colors(load_codebook(default_codebook_path())).values()}
    for scheme in (LIGHT, DARK):
        assert all(tint(color, scheme) != scheme.paper for color in colors)


def test_the_schemes_are_those_of_the_style_sheet() -> None:
    """Contrasts are computed against colours that are really on the page."""
    css = resources.files("service").joinpath("static/page.css").read_text("utf-8")
    light, dark = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", css[at:])[::-1]) for at in _roots(css))
    for scheme, found in ((LIGHT, light), (DARK, dark)):
        assert (scheme.paper, scheme.ink, scheme.track) == (found["paper"], found["ink"], found["track"])


def _roots(css: str) -> tuple[int, int]:
    first = css.index(":root")
    return first, css.index(":root", first + 1)


def test_texts_of_the_style_sheet_have_a_contrast_of_4_5() -> None:
    """Ink, quiet words, links and notices on every ground they lie on, light and dark."""
    css = resources.files("service").joinpath("static/page.css").read_text("utf-8")
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", css[at:])[::-1]) for at in _roots(css))
    for scheme in (light, dark):
        for ink in ("ink", "quiet", "accent"):
            for ground in ("page", "paper"):
                assert contrast(scheme[ink], scheme[ground]) >= 4.5, (ink, ground)
        assert contrast(scheme["on-accent"], scheme["accent"]) >= 4.5
        assert contrast(scheme["ink"], scheme["warn-wash"]) >= 4.5
        assert contrast(scheme["quiet"], scheme["track"]) >= 4.5
        assert contrast(scheme["control"], scheme["paper"]) >= 3


def test_only_safe_colours_are_written() -> None:
    """An id or colour that could break out of the style sheet is left out."""
    css = tag_colors_css({"good-one": "#12aBef", "bad{}": "#123456", "worse": "red;} body{display:none"})
    assert ".tag-good-one { --tag: #12abef; --on-tag: #000000;" in css
    assert "bad" not in css
    assert "worse" not in css
    assert tag_colors_css({}) == ""
