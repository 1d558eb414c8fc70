"""Messages out of saved HTML pages: elements one after the other in bounded memory, and the text that a reader saw."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree

from annotations.cleaning import storable
from annotations.readers.base import RefusedItem, Sample
from annotations.readers.detect import open_bytes

Element = Any  # lxml's element, which has no type hints

_BROKEN_LINE = re.compile(r"[ \t]*[\n\r][ \t\n\r]*")
_TAIL_BYTES = 400
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
    with open_bytes(sample) as opened:
        stream: Any = opened
        if sample.encoding not in ("utf-8", "utf-8-sig"):  # libxml2 knows fewer encodings, by other names
            stream = codecs.EncodedFile(opened, "utf-8", sample.encoding, "replace")
        events = etree.iterparse(
            stream, events=("start", "end"), html=True, tag="div", encoding="utf-8", huge_tree=True
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


def cut_off(sample: Sample) -> Iterator[RefusedItem]:
    """Yield what is to be said of a page that begins as a whole one and has no end."""
    with sample.path.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, io.SEEK_END) - _TAIL_BYTES))
        tail = stream.read().replace(b"\0", b"")  # UTF-16 has a zero beside each letter
    if "<html" in sample.text.lower() and b"</html>" not in tail.lower():
        reason = "the file breaks off: </html> is missing, the last message may be incomplete"
        yield RefusedItem("the end", reason)


def place_of(name: str | None, number: int, taken: set[str]) -> str:
    """Return where a message is: by its own name, and by its number in the page where that is not enough."""
    place = storable(name) if name else f"message {number}"
    while place in taken:
        place += f", element {number}"
    taken.add(place)
    return place


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
