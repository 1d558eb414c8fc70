"""Readers: files of posts, told apart by their content.

``FORMATS`` is the one place where a format is added: write a module with a
:class:`~annotations.readers.base.Format`, and put it in the list.
"""

from __future__ import annotations

from pathlib import Path

from annotations.errors import FileError
from annotations.readers.base import (
    ChannelNames,
    EmptyItem,
    Format,
    Item,
    PostItem,
    Reading,
    ReadOptions,
    RefusedItem,
    ServiceItem,
    channel_slug,
    plain_channel,
)
from annotations.readers.columns import parse_column_map
from annotations.readers.detect import guessed_encoding, known_encoding, sample
from annotations.readers.dump import DUMP
from annotations.readers.table import CSV, JSONL, PARQUET
from annotations.readers.telegram_api import TELEGRAM_LINES, TELEGRAM_LIST
from annotations.readers.telegram_desktop import TELEGRAM_DESKTOP
from annotations.readers.telegram_html import TELEGRAM_HTML
from annotations.readers.telegram_web import TELEGRAM_WEB

__all__ = [
    "FORMATS",
    "ChannelNames",
    "EmptyItem",
    "Format",
    "Item",
    "PostItem",
    "ReadOptions",
    "Reading",
    "RefusedItem",
    "ServiceItem",
    "channel_slug",
    "known_encoding",
    "parse_column_map",
    "plain_channel",
    "read_posts",
]

FORMATS: tuple[Format, ...] = (
    PARQUET,
    TELEGRAM_DESKTOP,
    TELEGRAM_HTML,
    TELEGRAM_WEB,
    TELEGRAM_LIST,
    TELEGRAM_LINES,
    JSONL,
    CSV,
    DUMP,
)
"""The formats, asked in this order: those that leave no doubt come first."""


def read_posts(path: Path, options: ReadOptions | None = None) -> Reading:
    """Open a file of posts of any supported format.

    Raises
    ------
    FileError
        The file is missing, empty, of no known format, or lacks what its format must have.
    """
    options = options or ReadOptions()
    found = sample(path, options.encoding)
    for kind in FORMATS:
        if kind.recognise(found, options):
            guess = None if options.encoding else guessed_encoding(found)
            notes = (f"read as {guess.replace('_', '-')}, an encoding that was guessed",) if guess else ()
            return Reading(kind.name, kind.read(found, options), notes, found.meter)
    understood = "".join(f"\n    - {kind.description}" for kind in FORMATS)
    raise FileError(
        "is of no known format" if found.encoding else "is a binary file of no known format",
        where=str(path),
        hint=f"Understood, whatever the file is called:{understood}",
    )
