"""From the cells of a table's row to a post: our columns, their meaning and their types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from annotations.cleaning import clean, is_encodable, storable
from annotations.errors import FileError
from annotations.files import neutral_cell
from annotations.readers.base import ChannelNames, EmptyItem, Item, PostItem, ReadOptions, RefusedItem
from annotations.readers.dates import DateError, NoZoneError, read_date
from annotations.records import Post, text_digest

POST_COLUMNS = (
    "post_id",
    "channel",
    "message_id",
    "date",
    "edited_at",
    "text",
    "lang",
    "forwarded_from",
    "reply_to",
    "hashtags",
    "links",
    "media",
    "views",
    "forwards",
    "reactions",
    "duplicate_of",
)
"""The columns of our own table of posts, in order."""

OTHER_NAMES = {"urls": "links", "has_photo": "has_photo"}
"""Columns of scraped tables that are read as well."""

READ_COLUMNS = (*POST_COLUMNS[:-1], "has_photo")
LONGEST_ID = 200
LARGEST_COUNT = 2**31 - 1

UTC_NOTE = "a date without a time zone was read as UTC"
VIEWS_NOTE = "a count of views or forwards that is no number was left out"

_HASHTAG = re.compile(r"(?<![\w/&#])#\w*[^\W\d]\w*")
_COUNT = re.compile(r"(\d+(?:[.,]\d+)?)\s*([KMB]?)", re.IGNORECASE)
_TIMES = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}
_PROTECTED = re.compile(r"'+[=+\-@\t\r]")


def find_hashtags(text: str) -> tuple[str, ...]:
    """Return the hashtags of a text, each once, in order, with their ``#``."""
    return tuple(dict.fromkeys(_HASHTAG.findall(text))) if "#" in text else ()


def protected_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet runs as a formula, such that :func:`restored_cell` gives ``value`` back."""
    if isinstance(value, str) and _PROTECTED.match(value):
        return "'" + value
    return neutral_cell(value)


def restored_cell(value: str) -> str:
    """Undo :func:`protected_cell`."""
    return value[1:] if value[:1] == "'" and _PROTECTED.match(value) else value


def our_columns(theirs: Iterable[str], options: ReadOptions, path: Path) -> dict[str, str]:
    """Return which of the file's columns holds each of ours (ours -> theirs).

    Raises
    ------
    FileError
        A mapped column does not exist, a column that is used occurs twice, or none holds the text.
    """
    names = list(theirs)
    found: dict[str, str] = {}
    for name in names:
        plain = name.strip().casefold()
        ours = OTHER_NAMES.get(plain, plain)
        if ours in READ_COLUMNS and ours not in options.column_map:
            if ours in found and found[ours].strip().casefold() == plain:
                raise FileError(f"column '{name}' occurs twice", where=str(path), hint="Rename or remove one.")
            found.setdefault(ours, name)
    for ours, wanted in options.column_map.items():
        if ours not in READ_COLUMNS:
            raise FileError(f"--map names '{ours}'", where=str(path), hint=f"Ours are: {', '.join(READ_COLUMNS)}.")
        if wanted not in names:
            raise FileError(f"has no column '{wanted}' (--map)", where=str(path), hint=_columns(names))
        found[ours] = wanted
    if "text" not in found:
        example = next((name for name in names if name.casefold() in _LIKELY_TEXT), names[-1] if names else "body")
        raise FileError(
            "has no column 'text'", where=str(path), hint=f"{_columns(names)} Say which: --map text={example}"
        )
    return found


_LIKELY_TEXT = ("body", "content", "message", "post", "full_text", "caption", "description")


def _columns(names: Sequence[str]) -> str:
    return f"It has: {', '.join(names)}."


def parse_column_map(spec: str) -> dict[str, str]:
    """Return the columns that ``text=body,date=created`` names (ours -> theirs).

    Raises
    ------
    FileError
        A part is not ``OURS=THEIRS``, or ours is unknown.
    """
    found = {}
    for part in filter(None, (piece.strip() for piece in spec.split(","))):
        ours, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not equals or not theirs or ours not in READ_COLUMNS:
            raise FileError(
                f"'{part}' is no mapping of a column",
                where="--map",
                hint=f"Write OURS=THEIRS, for example text=body,date=created. Ours: {', '.join(READ_COLUMNS)}.",
            )
        found[ours] = theirs
    return found


class _CellError(Exception):
    """A cell without which the row cannot be kept."""


@dataclass
class RowReader:
    """Turns rows (our column name -> cell) into items; remembers the channels it has met."""

    options: ReadOptions
    stem: str
    _channels: dict[str, str] = field(default_factory=dict)

    def item(self, position: str, row: Mapping[str, Any]) -> Item:
        """Return the item of one row."""
        try:
            return self._item(position, row)
        except _CellError as error:
            return RefusedItem(position, str(error))

    def _item(self, position: str, row: Mapping[str, Any]) -> Item:
        if "text" not in row:
            raise _CellError("has no field 'text'")
        raw = "" if _missing(row["text"]) else row["text"]
        if not isinstance(raw, str):
            raise _CellError(f"field 'text' is {type(raw).__name__}, not text")
        text = clean(raw)
        media = _media(row)
        if not text:
            return EmptyItem(position, ", ".join(media) or "no text")
        notes: list[str] = []
        channel, message_id = self._identity(row, text)
        hashtags = _names(row.get("hashtags"))
        post = Post(
            channel=channel,
            message_id=message_id,
            text=text,
            raw=None if raw == text else raw,
            date=self._date(row, "date", notes),
            edited_at=self._date(row, "edited_at", notes),
            lang=_word(row.get("lang")),
            forwarded_from=_word(row.get("forwarded_from")),
            reply_to=_id(row, "reply_to"),
            hashtags=hashtags or find_hashtags(text),
            links=_names(row.get("links")),
            media=media,
            views=_count(row.get("views"), notes),
            forwards=_count(row.get("forwards"), notes),
            reactions=_reactions(row.get("reactions")),
        )
        return PostItem(position, post, tuple(notes))

    def _identity(self, row: Mapping[str, Any], text: str) -> tuple[str, str | None]:
        """Return the channel and the message id, from their own columns or from ``post_id``."""
        title, message_id = _word(row.get("channel")), _id(row, "message_id")
        post_id = _word(row.get("post_id"))
        if post_id is not None and (title is None or message_id is None):
            prefix, slash, rest = post_id.partition("/") if "/" in post_id else ("", "", post_id)
            title = title or (prefix if slash else None)
            if message_id is None and rest != text_digest(text):
                message_id = _id({"post_id": rest}, "post_id")
        return self._channel(title or ""), message_id

    def _channel(self, title: str) -> str:
        known = self._channels.get(title)
        if known is None:
            if self._channels and self.options.channel is not None:
                raise _CellError("names a second channel, and --channel can stand for one only")
            known = self.options.channel_of(ChannelNames(title or None, None, self.stem))
            self._channels[title] = known
        return known

    def _date(self, row: Mapping[str, Any], name: str, notes: list[str]) -> Any:
        value = row.get(name)
        if _missing(value):
            return None
        try:
            return read_date(value, self.options.timezone)
        except NoZoneError as error:
            notes.append(UTC_NOTE)
            return error.as_utc
        except DateError as error:
            raise _CellError(f"field '{name}': {error}") from error


def _missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and value != value)  # noqa: PLR0124  NaN


def _word(value: Any) -> str | None:
    if _missing(value) or isinstance(value, dict | list | bytes):
        return None
    return storable(str(value)).strip() or None


def _id(row: Mapping[str, Any], name: str) -> str | None:
    """Return an id as text; ``27748.0`` is what tables with gaps make of 27748."""
    value = row.get(name)
    if _missing(value):
        return None
    if isinstance(value, bool | dict | list | bytes):
        raise _CellError(f"field '{name}' is {type(value).__name__}, not an id")
    word = _word(value)
    if word is None:
        return None
    if len(word) > LONGEST_ID or any(map(str.isspace, word)):
        raise _CellError(f"field '{name}' is no id: {word[:30]!r}")
    whole, dot, zeros = word.partition(".")
    return whole if dot and whole.isdecimal() and zeros.strip("0") == "" else word


def _media(row: Mapping[str, Any]) -> tuple[str, ...]:
    kinds = _names(row.get("media"))
    return kinds or (("photo",) if str(row.get("has_photo", "")).casefold() in ("true", "1") else ())


def _names(value: Any) -> tuple[str, ...]:
    """Return a list cell: a list, its JSON, or words joined by ``|``."""
    if _missing(value):
        return ()
    if isinstance(value, str):
        value = _json(value) if value.startswith("[") else value.split("|")
    if not isinstance(value, list | tuple):
        return ()
    words = (storable(word).strip() for word in value if isinstance(word, str))
    return tuple(dict.fromkeys(word for word in words if word))


def _json(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return None


def _count(value: Any, notes: list[str]) -> int | None:
    """Return a count such as ``1310``, ``1310.0`` or ``1.31K``."""
    if _missing(value):
        return None
    found = None if isinstance(value, bool) else _COUNT.fullmatch(str(value).strip())
    try:
        number = Decimal(found[1].replace(",", ".")) * _TIMES[found[2].upper()] if found else None
    except InvalidOperation:
        number = None
    if number is None or number > LARGEST_COUNT:
        notes.append(VIEWS_NOTE)
        return None
    return int(number)


def _reactions(value: Any) -> dict[str, int]:
    if isinstance(value, str):
        value = _json(value)
    if isinstance(value, list | tuple):  # Parquet maps come as pairs
        value = {pair[0]: pair[1] for pair in value if isinstance(pair, list | tuple) and len(pair) == 2}
    if not isinstance(value, dict):
        return {}
    return {
        storable(name): count
        for name, count in value.items()
        if isinstance(name, str) and isinstance(count, int) and not isinstance(count, bool)
    }


def is_damaged(cells: Iterable[str]) -> bool:
    """Tell whether any cell holds bytes that were not in the file's encoding."""
    return not all(map(is_encodable, cells))
