"""The colours of tags on the pages: for every tag what can be read on it, beside it and through it.

A tag's colour is its author's choice, so nothing is known of it.  From it are computed, for light and for dark
pages: the colour of text on it (contrast 4.5 at least), a tint behind the text of a post (7 at least) and a
line, for underlines and bars (3 at least).  Contrast is that of WCAG 2.2 (1.4.3, 1.4.6, 1.4.11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_TAG_ID = re.compile(r"[a-z][a-z0-9-]*")
_STEPS = 40
_TINT = 0.34  # as a rule
_SEEN = 1.2  # the contrast to the paper from which a tint is seen
_DARK_INK, _LIGHT_INK = "#000000", "#ffffff"


@dataclass(frozen=True, slots=True)
class Scheme:
    """The colours of ``page.css`` on which those of tags lie; ``track`` is behind bars, ``edge`` leads away from it."""

    paper: str
    ink: str
    track: str
    edge: str


LIGHT = Scheme(paper="#ffffff", ink="#1c2126", track="#e6e8eb", edge="#000000")
DARK = Scheme(paper="#1b1f24", ink="#e8ebee", track="#333a42", edge="#ffffff")


def tag_colors_css(colors: Mapping[str, str]) -> str:
    """Return the style sheet of the tags: ``--tag``, ``--on-tag``, ``--tint`` and ``--line`` of ``.tag-<id>``.

    It also holds, for each tag, the rules that leave its passages alone in sight while it is chosen or pointed
    at.  An id or a colour that is none is left out.
    """
    safe = {
        tag_id: color.lower()
        for tag_id, color in colors.items()
        if _TAG_ID.fullmatch(tag_id) and _COLOR.fullmatch(color)
    }
    if not safe:
        return ""
    light = [
        f".tag-{tag_id} {{ --tag: {color}; --on-tag: {text_color(color)}; {_in(LIGHT, color)} }}"
        for tag_id, color in safe.items()
    ]
    dark = [f".tag-{tag_id} {{ {_in(DARK, color)} }}" for tag_id, color in safe.items()]
    alone = [rule.replace("TAG", tag_id) for tag_id in safe for rule in _ALONE]
    return "\n".join([*light, "@media (prefers-color-scheme: dark) {", *dark, "}", *alone, ""])


# With ":has()" nothing needs a script; a browser without it goes on showing all passages.
_ALONE = (
    ".result:has(#show-TAG:checked):not(:has(.finding:hover)) mark:not(.tag-TAG),"
    " .result:has(.finding.tag-TAG:hover) mark:not(.tag-TAG)"
    " { background: none; border-style: none; }",
    ".result:has(#show-TAG:checked):not(:has(.finding:hover)) mark:not(.tag-TAG) > sup,"
    " .result:has(.finding.tag-TAG:hover) mark:not(.tag-TAG) > sup { visibility: hidden; }",
    ".result:not(:has(#show-TAG:checked, .finding.tag-TAG:hover)) mark.maybe.tag-TAG"
    " { background: none; border-style: none; }",
    ".result:not(:has(#show-TAG:checked, .finding.tag-TAG:hover)) mark.maybe.tag-TAG > sup"
    " { display: none; }",
)


def text_color(background: str) -> str:
    """Return the colour of text on ``background``: dark or white, whichever is easier to read."""
    return max(_DARK_INK, _LIGHT_INK, key=lambda ink: contrast(ink, background))


def tint(color: str, scheme: Scheme) -> str:
    """Return some of ``color`` over the paper: more of a pale one, and only what leaves text a contrast of 7."""
    best = scheme.paper
    for step in range(1, _STEPS + 1):
        share = step / _STEPS
        found = mixed(scheme.paper, color, share)
        if contrast(found, scheme.ink) < 7:
            return best
        best = found
        if share >= _TINT and contrast(found, scheme.paper) >= _SEEN:
            return best
    return best


def line(color: str, scheme: Scheme) -> str:
    """Return the colour nearest to ``color`` with a contrast of 3 to paper and track."""
    for step in range(_STEPS + 1):
        found = mixed(color, scheme.edge, step / _STEPS)
        if min(contrast(found, scheme.paper), contrast(found, scheme.track)) >= 3:
            return found
    return scheme.edge


def mixed(color: str, other: str, share: float) -> str:
    """Return ``color`` with ``share`` (0 to 1) of ``other`` in it, in sRGB."""
    parts = zip(_channels(color), _channels(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in parts)


def contrast(one: str, two: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(two)))
    return (lighter + 0.05) / (darker + 0.05)


def _in(scheme: Scheme, color: str) -> str:
    return f"--tint: {tint(color, scheme)}; --line: {line(color, scheme)};"


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in _channels(color))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
