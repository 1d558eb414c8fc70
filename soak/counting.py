"""How many messages a file has, counted without the readers, wherever that is defined."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pyarrow
from pyarrow import parquet

_INLINE = frozenset({"a", "span", "br", "strong", "em", "code", "img", "time", "i", "b"})
_FRAME = frozenset({"html", "body", "div"})
_HEAD = frozenset({"head", "title", "meta", "link"})


def n_messages(format_name: str, data: bytes) -> int | None:
    """Return how many items a reader must yield; None where the file is damaged, so that nothing says how many."""
    count = _COUNTS.get(format_name)
    if count is _parquet:
        return _parquet(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if count is None else count(text)


class _Object(list[tuple[str, Any]]):
    """The members of a JSON object, of which two may have the same name."""


def _json(text: str) -> Any:
    try:
        return json.loads(text, strict=False, object_pairs_hook=_Object)
    except (ValueError, RecursionError):
        return None


def _desktop(text: str) -> int | None:
    found = _json(text)
    if not isinstance(found, _Object):
        return None
    return sum(
        _account(value) if key in ("chats", "left_chats") else _chat([(key, value)]) for key, value in found
    )


def _account(value: Any) -> int:
    lists = [inner for key, inner in value if key == "list"] if isinstance(value, _Object) else []
    chats = [chat for each in lists if _is_list(each) for chat in each]
    return sum(_chat(chat) if isinstance(chat, _Object) else 1 for chat in chats)


def _chat(members: Any) -> int:
    return sum(len(value) for key, value in members if key == "messages" and _is_list(value))


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and not isinstance(value, _Object)


def _list(text: str) -> int | None:
    found = _json(text)
    return len(found) if _is_list(found) else None


def _lines(text: str) -> int:
    return sum(bool(line.strip()) for line in text.split("\n"))


def _csv(text: str) -> int | None:
    """Return the number of rows below the header where every delimiter says the same."""
    counts = {_csv_rows(text, delimiter) for delimiter in ",;\t"}
    rows = counts.pop()
    return None if counts or rows is None else rows - 1


def _csv_rows(text: str, delimiter: str) -> int | None:
    cell = rf'(?:"(?:[^"]|"")*"|[^"{delimiter}\r\n]*)'
    row = re.compile(rf"{cell}(?:{delimiter}{cell})*(\r\n|\r|\n|\Z)")
    place = rows = 0
    while place < len(text):
        found = row.match(text, place)
        if not found:
            return None
        content = text[place : found.start(1)]
        rows += content not in ("", '""')
        place = found.end()
    return rows


def _parquet(data: bytes) -> int | None:
    try:
        return int(parquet.read_table(io.BytesIO(data)).num_rows)
    except (pyarrow.ArrowException, OSError, ValueError):
        return None


def _page(wanted: str, heading: str) -> Callable[[str], int | None]:
    """Return a count of the outermost elements of a class, in pages that are well-formed XML."""

    def count(text: str) -> int | None:
        if any(mark in text for mark in ("<![", "<?", "<!--", "<!E", "[")):
            return None
        try:
            root = ElementTree.fromstring(text)
        except (ElementTree.ParseError, ValueError):
            return None
        if root.tag != "html" or not _is_plain(root) or "</html>" not in text[-200:]:
            return None
        return _outermost(root)

    def _outermost(element: ElementTree.Element) -> int:
        names = (element.get("class") or "").split()
        if element.tag == "div" and (wanted in names or heading in names):
            return int(heading not in names)
        return sum(map(_outermost, element))

    return count


def _is_plain(element: ElementTree.Element) -> bool:
    """Tell whether a browser would build the same tree."""
    for child in element:
        if element.tag == "html":
            allowed: frozenset[str] = frozenset({"head", "body"})
        else:
            allowed = (
                _HEAD if element.tag in _HEAD else _INLINE if element.tag in _INLINE else _FRAME | _INLINE
            )
        if child.tag not in allowed or (child.tag in ("html", "body") and element.tag != "html"):
            return False
        if not _is_plain(child):
            return False
    return True


_COUNTS: dict[str, Callable[..., int | None]] = {
    "telegram-desktop": _desktop,
    "telegram-api-list": _list,
    "telegram-api-lines": _lines,
    "jsonl": _lines,
    "csv": _csv,
    "parquet": _parquet,
    "telegram-desktop-html": _page("message", "page_header"),
    "telegram-web": _page("tgme_widget_message", ""),
}
