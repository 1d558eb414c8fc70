"""From a text as it was received to the text that is tagged: as little as possible, and always the same."""

from __future__ import annotations

import re

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
