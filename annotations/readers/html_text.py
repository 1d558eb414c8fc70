"""Messages out of saved HTML pages: elements one after the other in bounded memory, and the text that a reader saw."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree

from annotations.readers.base import Sample
from annotations.readers.detect import open_bytes

Element = Any  # lxml's element, which has no type hints

_BROKEN_LINE = re.compile(r"[ \t]*[\n\r][ \t\n\r]*")
_SKIPPED_TAGS = frozenset({"script", "style", "svg", "time", "video", "audio"})
_BLOCKS = frozenset({"div", "p", "blockquote", "pre", "li"})


def classes(element: Element) -> frozenset[str]:
    """Return the classes of an element."""
    return frozenset((element.get("class") or "").split())


def elements(sample: Sample, wanted: Sequence[str]) -> Iterator[Element]:
    """Yield the outermost ``div`` elements that have one of the classes ``wanted``, and forget them afterwards.

    Broken HTML is read as a browser would read it.
    """
    names = frozenset(wanted)
    open_wanted: list[Element] = []
    with open_bytes(sample) as stream:
        encoding = sample.encoding if sample.encoding != "utf-8-sig" else "utf-8"
        events = etree.iterparse(
            stream, events=("start", "end"), html=True, tag="div", encoding=encoding, huge_tree=True
        )
        for event, element in events:
            if event == "start":
                if names & classes(element):
                    open_wanted.append(element)
            elif open_wanted and element is open_wanted[-1]:
                open_wanted.pop()
                if not open_wanted:
                    yield element
                    _forget(element)


def find(element: Element, name: str) -> Element | None:
    """Return the first descendant with a class, or None."""
    return next(find_all(element, name), None)


def find_all(element: Element, name: str) -> Iterator[Element]:
    """Yield the descendants with a class, in the order of the page."""
    return (
        child for child in element.iterdescendants() if isinstance(child.tag, str) and name in classes(child)
    )


def text_of(element: Element) -> str:
    """Return the text of an element as it was written: a line break for ``<br>``, none for the page's own.

    A break in the source of the page is a blank to a browser, except in ``<pre>``; other white space was the author's.
    """
    parts: list[str] = []
    _collect(element, parts, preformatted=False)
    return re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(parts)).strip()


def links_of(element: Element) -> tuple[str, ...]:
    """Return the addresses that the element links to, each once, in order."""
    found = (child.get("href") for child in element.iterdescendants("a"))
    return tuple(
        dict.fromkeys(href.strip() for href in found if href and re.match(r"\s*(https?|tg|mailto):", href))
    )


def _collect(element: Element, parts: list[str], *, preformatted: bool) -> None:
    preformatted = preformatted or element.tag == "pre"
    _add(element.text, parts, preformatted)
    for child in element:
        if isinstance(child.tag, str) and child.tag not in _SKIPPED_TAGS:
            if child.tag == "br":
                parts.append("\n")
            elif child.tag in _BLOCKS and parts and not parts[-1].endswith("\n"):
                parts.append("\n")
                _collect(child, parts, preformatted=preformatted)
                parts.append("\n")
            else:
                _collect(child, parts, preformatted=preformatted)
        _add(child.tail, parts, preformatted)


def _add(text: str | None, parts: list[str], preformatted: bool) -> None:
    if not text:
        return
    if preformatted:
        parts.append(text)
        return
    at_line_start = not parts or parts[-1].endswith("\n")
    text = _BROKEN_LINE.sub(" ", text)
    parts.append(text.lstrip(" ") if at_line_start and text.startswith(" ") else text)


def _forget(element: Element) -> None:
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while (before := element.getprevious()) is not None:
            parent.remove(before)
