"""From a text as it was received to the text that is tagged: as little as possible, and always the same."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass

from annotations.records import Span

CLEANER_VERSION = 1
"""Goes up when :func:`clean` changes; the ledger keeps it beside every text."""

APP_LINES = frozenset(
    {
        "Please open Telegram to view this post",
        "VIEW IN TELEGRAM",
        "This media is not supported in your browser",
        "Media is too big",
    }
)
"""Whole lines that the Telegram page writes in place of what it cannot show; no author wrote them."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def clean(raw: str) -> str:
    """Return the text to tag.

    Line endings become ``\\n``, app lines are dropped, outer whitespace is stripped, and characters that no
    database holds are replaced (see :func:`storable`).  Links, mentions, hashtags, emoji and inner
    whitespace stay.  ``clean(clean(raw)) == clean(raw)``.
    """
    text = storable(raw)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if any(line in text for line in APP_LINES):
        text = "\n".join(line for line in text.split("\n") if not is_app_line(line))
    return text.strip()


@dataclass(frozen=True, slots=True)
class OffsetMap:
    """A text as received (``raw``) beside its clean form (``text``).

    ``starts[i]`` is the offset in ``raw`` of the character ``text[i]``.
    """

    raw: str
    text: str
    starts: array[int]

    def to_raw(self, span: Span) -> Span:
        """Return the smallest range of ``raw`` that holds every character of ``span``, a span of ``text``.

        A line ending covers the whole of ``\\r\\n``.  App lines that were dropped between two characters of
        the span lie inside the range.

        Raises
        ------
        ValueError
            The span is empty or lies outside the clean text.
        """
        if not span.fits(self.text):
            raise ValueError(f"{span} does not lie inside a text of {len(self.text)} characters")
        last = self.starts[span.end - 1]
        width = 2 if self.raw.startswith("\r\n", last) else 1
        return Span(self.starts[span.start], last + width)


def offset_map(raw: str) -> OffsetMap:
    """Return ``clean(raw)`` with the place of each of its characters in ``raw``."""
    places = [at for at, char in enumerate(raw) if char != "\n" or raw[at - 1 : at] != "\r"]
    unified = storable("".join("\n" if raw[at] == "\r" else raw[at] for at in places))
    kept: list[int] = []
    begin = first = 0
    for line in unified.split("\n"):
        end = begin + len(line)
        if is_app_line(line):
            # The next line to be kept brings the line ending before it, unless it is the first.
            first = end + 1 if first == begin else first
        else:
            kept.extend(places[begin if first == begin else begin - 1 : end])
        begin = end + 1
    joined = "".join("\n" if raw[at] == "\r" else raw[at] for at in kept)
    left = len(joined) - len(joined.lstrip())
    text = clean(raw)
    return OffsetMap(raw, text, array("q", kept[left : left + len(text)]))


def is_app_line(line: str) -> bool:
    """Tell whether a whole line is the app's own."""
    return line.strip() in APP_LINES


def storable(text: str) -> str:
    """Return ``text`` with NUL and lone surrogates replaced, one for one, by U+FFFD.

    SQLite, PostgreSQL and UTF-8 cannot hold them; one for one, so that no offset moves.
    """
    if "\x00" not in text and is_encodable(text):
        return text
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def is_encodable(text: str) -> bool:
    """Tell whether ``text`` can be written as UTF-8, that is, holds no lone surrogate."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
