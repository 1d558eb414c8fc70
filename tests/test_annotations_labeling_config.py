"""annotations.labeling_config: the labelling page and the guideline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.codebook import Codebook, Family, Tag, default_codebook_path, load_codebook
from annotations.errors import CodebookError
from annotations.labeling_config import (
    HOTKEYS,
    NONE_OF_THESE,
    NOT_ANALYSABLE,
    PALETTE,
    UNCLEAR,
    guideline_html,
    labeling_config,
    tag_by_title,
    tag_colors,
    tag_hint,
    tag_hotkeys,
    title_of,
)


def book(*tags: Tag) -> Codebook:
    """Return a codebook of one family with these tags."""
    return Codebook(version="1", title="T", families=(Family(id="f", title="F"),), tags=tags)


def tag(name: str, **fields: str | None) -> Tag:
    """Return a tag with a title and a definition made from its id."""
    content: dict[str, str | None] = {"title": name.title(), "definition": f"About {name}.", **fields}
    return Tag(id=name, family="f", **content)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def default() -> Codebook:
    """Return the packaged codebook."""
    return load_codebook(default_codebook_path())


def elements(config: str, name: str) -> Iterator[ET.Element]:
    """Yield the elements of a config with a name."""
    return ET.fromstring(config).iter(name)


def test_label_studio_accepts_the_page(default: Codebook) -> None:
    """The SDK validates the page of the default codebook and finds the six controls and objects."""
    interface = pytest.importorskip("label_studio_sdk.label_interface", reason="needs the extra 'studio'")
    page = interface.LabelInterface(labeling_config(default))
    page.validate()
    assert {control.name for control in page.controls} == {"evidence", "tags", "flags", "comment"}
    assert {found.name for found in page.objects} == {"meta", "text"}
    titles = [t.title for t in default.active_tags]
    assert list(page.get_control("evidence").labels) == titles
    assert list(page.get_control("tags").labels) == [*titles, NONE_OF_THESE]
    assert list(page.get_control("flags").labels) == [UNCLEAR, NOT_ANALYSABLE]


def test_tags_are_grouped_by_family(default: Codebook) -> None:
    """Each family is a group with its title; the last group holds the choice of no tag."""
    (choices,) = [e for e in elements(labeling_config(default), "Choices") if e.get("name") == "tags"]
    groups = [
        ([h.get("value") for h in group.iter("Header")], len(list(group.iter("Choice")))) for group in choices
    ]
    assert groups == [(["Claims"], 12), (["Rhetoric"], 11), ([], 1)]
    assert choices.get("required") == "true"


def test_every_choice_has_its_key_and_hint(default: Codebook) -> None:
    """Each key of the page is used once; a tag's evidence has its key with Shift."""
    config = labeling_config(default)
    choices, labels = list(elements(config, "Choice")), list(elements(config, "Label"))
    keys = [e.get("hotkey") for e in (*choices, *labels)]
    assert None not in keys
    assert len(set(keys)) == len(keys) == 23 * 2 + 3
    by_title = {e.get("value"): e for e in choices}
    for label in labels:
        assert label.get("hotkey") == f"shift+{by_title[label.get('value')].get('hotkey')}"
    assert [by_title[t].get("hotkey") for t in (NONE_OF_THESE, UNCLEAR, NOT_ANALYSABLE)] == [
        "shift+n",
        "u",
        "n",
    ]
    assert all(e.get("hint") for e in choices)


def test_labels_have_the_tags_colors(default: Codebook) -> None:
    """The evidence label of a tag has the colour that the codebook gives it."""
    found = {e.get("value"): e.get("background") for e in elements(labeling_config(default), "Label")}
    assert found == {t.title: t.color for t in default.tags}


def test_style_survives_as_it_is(default: Codebook) -> None:
    """The style sheet holds nothing that XML would escape, as Label Studio does not unescape it."""
    (style,) = elements(labeling_config(default), "Style")
    assert not set(style.text or "") & set("<>&")


def test_missing_colors_and_keys_are_filled_in_order() -> None:
    """Tags without a colour or key get the first that no tag has, the same ones every time."""
    made = book(tag("a"), tag("b", color=PALETTE[0].upper(), hotkey="1"), tag("c"))
    assert tag_colors(made) == {"a": PALETTE[1], "b": PALETTE[0], "c": PALETTE[2]}
    assert tag_hotkeys(made) == {"a": "2", "b": "1", "c": "3"}
    assert made.tag("a").color is None


def test_many_tags_still_make_a_page() -> None:
    """Beyond the last key tags go without one, and colours are used again."""
    made = book(*[tag(f"tag-{n}") for n in range(60)])
    assert list(tag_hotkeys(made).values()) == list(HOTKEYS)
    assert len(tag_colors(made)) == 60
    assert len(list(elements(labeling_config(made), "Label"))) == 60


def test_keys_of_fixed_choices_are_never_given() -> None:
    """No tag gets n or u."""
    assert not set(HOTKEYS) & {"n", "u"}
    assert len(set(HOTKEYS)) == len(HOTKEYS)


def test_replaced_tags_are_not_on_the_page() -> None:
    """A replaced tag is offered nowhere, but its title is still understood."""
    made = book(tag("old", replaced_by="new"), tag("new"))
    config = labeling_config(made)
    assert [e.get("value") for e in elements(config, "Label")] == ["New"]
    assert "Old" not in config
    assert "Old" not in guideline_html(made)
    assert tag_by_title(made)["Old"].id == "old"


def test_an_empty_family_is_not_shown() -> None:
    """A family whose tags have all been replaced has no heading."""
    made = replace(book(tag("a")), families=(Family(id="f", title="F"), Family(id="g", title="Gone")))
    assert "Gone" not in labeling_config(made) + guideline_html(made)


def test_titles_lead_to_tags_and_back(default: Codebook) -> None:
    """Title and id are each other's inverse."""
    assert {title_of(default, t.id): t for t in default.tags} == tag_by_title(default)
    with pytest.raises(CodebookError, match="no tag 'x'"):
        title_of(default, "x")


titles = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Z")), min_size=1, max_size=20)


@given(titles, titles)
def test_special_characters_survive(title: str, definition: str) -> None:
    """Whatever a title or a definition holds arrives in the page and in the guideline."""
    made = book(tag("a", title=f"<{title}\"'&", definition=f"&{definition}<"))
    config = labeling_config(made)
    assert [e.get("value") for e in elements(config, "Label")] == [f"<{title}\"'&"]
    guideline = guideline_html(made)
    assert f'<{title}"' not in guideline
    assert f"<{title}\"'&" in unescape(guideline)


def test_hint_is_the_first_sentence() -> None:
    """The hint is the first sentence of the definition, on one line, cut at a word where it is long."""
    assert tag_hint(tag("a", definition="First\n  one. Second one.")) == "First one."
    long = tag_hint(tag("a", definition="word " * 100))
    assert len(long) <= 162
    assert long.endswith("word …")


def test_guideline_has_every_rule(default: Codebook) -> None:
    """The guideline shows the general rules and, for each tag, its definition, cases and examples."""
    shown = unescape(guideline_html(default))
    for found in default.tags:
        for part in (
            found.title,
            found.definition,
            *found.include,
            *found.exclude,
            *found.positive,
            *found.negative,
        ):
            assert part in shown
    assert all(rule in shown for rule in default.rules)
    assert set(re.findall(r"<(\w+)", guideline_html(default))) == {"h2", "h3", "h4", "p", "br", "i"}


def test_guideline_names_the_broader_tag() -> None:
    """A tag with a parent says what it is a kind of."""
    assert "a kind of “A”" in guideline_html(book(tag("a"), tag("b", parent="a")))
