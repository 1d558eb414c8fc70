"""The labelling page of Label Studio and the annotators' guideline, made from a codebook.

The page is one screen at 1366x768: the post on the left, with the labels that mark its evidence, and every
tag on the right; only the post's own box scrolls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from xml.etree import ElementTree as ET  # writes only; nothing is parsed

from annotations.codebook import Codebook, Tag
from annotations.codebook_contradictions import (
    NONE_OF_THESE,
    NOT_ANALYSABLE,
    RESERVED_HOTKEYS,
    UNCLEAR,
)

__all__ = [
    "NONE_OF_THESE",
    "NOT_ANALYSABLE",
    "UNCLEAR",
    "guideline_html",
    "labeling_config",
    "tag_by_title",
    "tag_colors",
    "tag_hint",
    "tag_hotkeys",
    "title_of",
]

PALETTE = (
    # 24 colours with a contrast of 7 or more to dark text, chosen to lie as far apart as they can in CIELAB.
    "#4bb4e1", "#f0870f", "#3cc34b", "#ff69e1", "#ffb4b4", "#e1e13c", "#b4e1b4", "#9696ff",
    "#ffd287", "#00f0f0", "#e1d2ff", "#ff7869", "#00f0b4", "#e187c3", "#96b44b", "#d2a51e",
    "#2da5ff", "#3cb496", "#f0965a", "#96f096", "#a5a569", "#ff7896", "#d287ff", "#a5e14b",
)  # fmt: skip
HOTKEYS = "1234567890qwetasdfgzxcvbyiopjklmrh"
"""Keys for tags without one, in Label Studio's own order and without those of the fixed choices."""

_HINT_LENGTH = 160
_EVIDENCE_NOTE = "Evidence: choose a tag (Shift and its key), then select the words. Tick the tag as well."
# 136 pixels are Label Studio's own bars. Its class names may change between releases; where they are used, a
# page without the rule is only less compact. No ">" in selectors: it would reach the browser escaped.
_STYLE = """
.tp .cols{display:flex;gap:16px;height:calc(100vh - 136px);min-height:480px}
.tp .left{flex:1 1 0;min-width:0;display:flex;flex-direction:column;gap:6px}
.tp .right{flex:0 0 400px;overflow:auto}
.tp .post{flex:1 1 0;min-height:0;overflow:auto;line-height:1.55;
 border:1px solid rgba(128,128,128,.4);border-radius:6px;padding:6px 4px}
.tp .sides{max-height:30vh;overflow:auto;font-size:13px;line-height:1.4;
 border-bottom:1px solid rgba(128,128,128,.4)}
.tp .note *{margin:0!important;font-size:12px;font-weight:400;opacity:.75}
.tp [class*=label__hotkey]{display:none}
.tp .left [class*=label_margins]{font-size:13px;padding:0 7px;margin:0 4px 4px 0}
.tp [class*=label_selected],.tp [class*=label_selected] *{color:#111!important}
.tp .fam{columns:2;column-gap:12px;padding-bottom:6px;margin-bottom:6px;
 border-bottom:1px solid rgba(128,128,128,.25)}
.tp .fam h4{column-span:all;margin:0 0 4px!important}
.tp .fam div{break-inside:avoid;margin:0!important;padding:0!important}
.tp .fam label{font-size:14px;line-height:27px}
"""


def labeling_config(codebook: Codebook, *, sides: bool = False) -> str:
    """Return the Label Studio config (XML): a tag's ``value`` is its title.

    With ``sides`` the page also shows what others said of the post (the task's ``sides_html``).
    """
    root = ET.Element("View", className="tp")
    ET.SubElement(root, "Style").text = _STYLE
    columns = ET.SubElement(root, "View", className="cols")
    left = ET.SubElement(columns, "View", className="left")
    if sides:
        box = ET.SubElement(left, "View", className="sides")
        ET.SubElement(box, "HyperText", name="sides", value="$sides_html", selectionEnabled="false")
    _add_post(left, codebook)
    _add_answers(ET.SubElement(columns, "View", className="right"), codebook)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def tag_colors(codebook: Codebook) -> dict[str, str]:
    """Return the colour of each active tag: its own, or the next of the palette that nobody has."""
    taken = {tag.color.lower() for tag in codebook.active_tags if tag.color}
    free = [color for color in PALETTE if color not in taken] or list(PALETTE)
    colors: dict[str, str] = {}
    n_assigned = 0
    for tag in codebook.active_tags:
        if tag.color is None:
            colors[tag.id] = free[n_assigned % len(free)]
            n_assigned += 1
        else:
            colors[tag.id] = tag.color.lower()
    return colors


def tag_hotkeys(codebook: Codebook) -> dict[str, str]:
    """Return the hotkey of each active tag: its own, or the next free one while there are any."""
    taken = {tag.hotkey for tag in codebook.active_tags} | set(RESERVED_HOTKEYS)
    free = iter([key for key in HOTKEYS if key not in taken])
    keys = {tag.id: tag.hotkey or next(free, "") for tag in codebook.active_tags}
    return {tag_id: key for tag_id, key in keys.items() if key}


def tag_by_title(codebook: Codebook) -> Mapping[str, Tag]:
    """Return every tag, replaced ones too, by the title that Label Studio's results bear."""
    return {tag.title: tag for tag in codebook.tags}


def title_of(codebook: Codebook, tag_id: str) -> str:
    """Return the title of a tag.

    Raises
    ------
    CodebookError
        The codebook has no such tag.
    """
    return codebook.tag(tag_id).title


def tag_hint(tag: Tag) -> str:
    """Return a tag's definition in one short line: its first sentence, cut at a word where it is long."""
    text = " ".join(tag.definition.split())
    sentence = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    if len(sentence) <= _HINT_LENGTH:
        return sentence
    return sentence[:_HINT_LENGTH].rsplit(" ", 1)[0].rstrip(",;:(") + " …"


def _add_post(parent: ET.Element, codebook: Codebook) -> None:
    ET.SubElement(
        parent, "HyperText", name="meta", value="$meta_html", inline="true", selectionEnabled="false"
    )
    note = ET.SubElement(parent, "View", className="note")
    ET.SubElement(note, "Header", value=_EVIDENCE_NOTE, size="6")
    labels = ET.SubElement(parent, "Labels", name="evidence", toName="text", showInline="true")
    colors, hotkeys = tag_colors(codebook), tag_hotkeys(codebook)
    for tag in codebook.active_tags:
        label = ET.SubElement(labels, "Label", value=tag.title, background=colors[tag.id])
        # Shift and n is the key of "None of these"; no tag has n.
        if tag.id in hotkeys:
            label.set("hotkey", f"shift+{hotkeys[tag.id]}")
    box = ET.SubElement(parent, "View", className="post")
    ET.SubElement(box, "Text", name="text", value="$text", granularity="word")


def _add_answers(parent: ET.Element, codebook: Codebook) -> None:
    choices = ET.SubElement(parent, "Choices", name="tags", toName="text", choice="multiple", required="true")
    choices.set("requiredMessage", f"Tick the tags that apply, or {NONE_OF_THESE}.")
    hotkeys = tag_hotkeys(codebook)
    for family in codebook.families:
        if members := codebook.members(family.id):
            group = ET.SubElement(choices, "View", className="fam")
            ET.SubElement(group, "Header", value=family.title, size="5")
            for tag in members:
                choice = ET.SubElement(group, "Choice", value=tag.title, hint=tag_hint(tag))
                if tag.id in hotkeys:
                    choice.set("hotkey", hotkeys[tag.id])
    none = ET.SubElement(choices, "View", className="fam")
    ET.SubElement(
        none, "Choice", value=NONE_OF_THESE, hotkey="shift+n", hint="The post was read and no tag applies."
    )
    flags = ET.SubElement(
        parent, "Choices", name="flags", toName="text", choice="multiple", showInline="true"
    )
    ET.SubElement(
        flags, "Choice", value=UNCLEAR, hotkey="u", hint="A second person should look at this post."
    )
    ET.SubElement(
        flags, "Choice", value=NOT_ANALYSABLE, hotkey="n", hint="There is no text that could be judged."
    )
    comment = ET.SubElement(parent, "TextArea", name="comment", toName="text", rows="1", maxSubmissions="1")
    comment.set("editable", "true")
    comment.set("placeholder", "Comment (optional)")


def guideline_html(codebook: Codebook) -> str:
    """Return the annotators' guideline as an HTML fragment: the general rules, then each active tag's rule.

    Label Studio strips styles and shows lists without marks, hence the bullets and the line breaks.
    """
    parts = [f"<h2>{escape(codebook.title)}</h2>"]
    if codebook.rules:
        parts += ["<br><h3>How to decide</h3>", f"<p>{_listed(codebook.rules)}</p>"]
    for family in codebook.families:
        if members := codebook.members(family.id):
            parts.append(f"<br><h3>{escape(family.title)}</h3>")
            parts += [f"<p>{escape(family.description)}</p>"] if family.description else []
            parts += [_tag_guideline(tag, codebook) for tag in members]
    return "\n".join(parts)


def _tag_guideline(tag: Tag, codebook: Codebook) -> str:
    part = f" It is a kind of “{codebook.tag(tag.parent).title}”." if tag.parent else ""
    lines = [f"<br><h4>{escape(tag.title)}</h4>", f"<p>{escape(tag.definition + part)}</p>"]
    sections = (
        ("Counts:", tag.include),
        ("Does not count:", tag.exclude),
        ("Posts with the tag:", tuple(f"“{text}”" for text in tag.positive)),
        ("Posts without it:", tuple(f"“{text}”" for text in tag.negative)),
    )
    lines += [f"<p><i>{heading}</i><br>{_listed(texts)}</p>" for heading, texts in sections if texts]
    return "\n".join(lines)


def _listed(texts: tuple[str, ...]) -> str:
    return "<br>".join(f"• {escape(text)}" for text in texts)
