"""From the cells of a table's row to a post: our columns, their meaning and their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotations.cleaning import clean, is_encodable
from annotations.errors import FileError
from annotations.readers.base import ChannelNames, EmptyItem, Item, PostItem, ReadOptions, RefusedItem
from annotations.readers.cells import (
    CellError,
    count,
    counts_by_name,
    find_hashtags,
    identifier,
    is_missing,
    word,
    words,
)
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
    "cluster",
)
"""The columns of our own table of posts, in order."""

OTHER_NAMES = {"urls": "links", "has_photo": "has_photo"}
"""Columns of scraped tables that are read as well."""

FOURCAT_NAMES = {
    "id": "message_id",
    "body": "text",
    "chat": "channel",
    "unix_timestamp": "date",
    "unix_timestamp_edited": "edited_at",
    "author_forwarded_from_name": "forwarded_from",
    "attachment_type": "media",
}
"""Columns of 4CAT's CSV of Telegram posts (github.com/digitalmethodsinitiative/4cat, datasources/telegram)."""

READ_COLUMNS = (*POST_COLUMNS[:-2], "has_photo")  # which posts are alike is found anew

UTC_NOTE = "a date without a time zone was read as UTC"
COUNT_NOTE = "a count of views or forwards that is no number was left out"


def our_columns(theirs: Iterable[str], options: ReadOptions, path: Path) -> dict[str, str]:
    """Return which of the file's columns holds each of ours (ours -> theirs).

    Raises
    ------
    FileError
        A mapped column does not exist, a column that is used occurs twice, or none holds the text.
    """
    names = list(theirs)
    found: dict[str, str] = {}
    is_4cat = {"thread_id", "body", "timestamp"} <= set(names)
    for name in names:
        plain = name.strip().casefold()
        ours = (FOURCAT_NAMES if is_4cat else OTHER_NAMES).get(plain, plain)
        if ours in READ_COLUMNS and ours not in options.column_map:
            if ours in found and found[ours].strip().casefold() == plain:
                raise FileError(
                    f"column '{name}' occurs twice", where=str(path), hint="Rename or remove one."
                )
            found.setdefault(ours, name)
    for ours, wanted in options.column_map.items():
        if ours not in READ_COLUMNS:
            raise FileError(
                f"--map names '{ours}'", where=str(path), hint=f"Ours are: {', '.join(READ_COLUMNS)}."
            )
        if wanted not in names:
            raise FileError(f"has no column '{wanted}' (--map)", where=str(path), hint=_columns(names))
        found[ours] = wanted
    if "text" not in found:
        example = next(
            (name for name in names if name.casefold() in _LIKELY_TEXT), names[-1] if names else "body"
        )
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
                hint="Write OURS=THEIRS, for example text=body,date=created. "
                f"Ours are: {', '.join(READ_COLUMNS)}.",
            )
        found[ours] = theirs
    return found


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
        except CellError as error:
            return RefusedItem(position, str(error))

    def _item(self, position: str, row: Mapping[str, Any]) -> Item:
        if "text" not in row:
            raise CellError("has no field 'text'")
        raw = "" if is_missing(row["text"]) else row["text"]
        if not isinstance(raw, str):
            raise CellError(f"field 'text' is {type(raw).__name__}, not text")
        text = clean(raw)
        media = _media(row)
        if not text:
            return EmptyItem(position, ", ".join(media) or "no text")
        notes: list[str] = []
        channel, message_id = self._identity(row, text)
        hashtags = words(row.get("hashtags"))
        post = Post(
            channel=channel,
            message_id=message_id,
            text=text,
            raw=None if raw == text else raw,
            date=self._date(row, "date", notes),
            edited_at=self._date(row, "edited_at", notes),
            lang=word(row.get("lang")),
            forwarded_from=word(row.get("forwarded_from")),
            reply_to=identifier("reply_to", row.get("reply_to")),
            hashtags=hashtags or find_hashtags(text),
            links=words(row.get("links")),
            media=media,
            views=_count(row.get("views"), notes),
            forwards=_count(row.get("forwards"), notes),
            reactions=counts_by_name(row.get("reactions")),
        )
        return PostItem(position, post, tuple(notes))

    def _identity(self, row: Mapping[str, Any], text: str) -> tuple[str, str | None]:
        """Return the channel and the message id, from their own columns or from ``post_id``."""
        title, message_id = word(row.get("channel")), identifier("message_id", row.get("message_id"))
        post_id = word(row.get("post_id"))
        if post_id is not None and (title is None or message_id is None):
            prefix, slash, rest = post_id.partition("/") if "/" in post_id else ("", "", post_id)
            title = title or (prefix if slash else None)
            if message_id is None and rest != text_digest(text):
                message_id = identifier("post_id", rest)
        channel = self._channel(title or "", word(row.get("channel_number")))
        if title and message_id and message_id.startswith(f"{title}-"):  # as 4CAT writes ids
            message_id = message_id.removeprefix(f"{title}-") or None
        return channel, message_id

    def _channel(self, title: str, number: str | None) -> str:
        known = self._channels.get(title or number or "")
        if known is None:
            if self._channels and self.options.channel is not None:
                raise CellError("names a second channel, and --channel can stand for one only")
            known = self.options.channel_of(ChannelNames(title or None, number, self.stem))
            self._channels[title or number or ""] = known
        return known

    def _date(self, row: Mapping[str, Any], name: str, notes: list[str]) -> Any:
        value = row.get(name)
        if is_missing(value):
            return None
        try:
            return read_date(value, self.options.timezone)
        except NoZoneError as error:
            notes.append(UTC_NOTE)
            return error.as_utc
        except DateError as error:
            raise CellError(f"field '{name}': {error}") from error


def _media(row: Mapping[str, Any]) -> tuple[str, ...]:
    kinds = words(row.get("media"))
    return kinds or (("photo",) if str(row.get("has_photo", "")).casefold() in ("true", "1") else ())


def _count(value: Any, notes: list[str]) -> int | None:
    if is_missing(value):
        return None
    number = count(value)
    if number is None:
        notes.append(COUNT_NOTE)
    return number


def is_damaged(cells: Iterable[str]) -> bool:
    """Tell whether any cell holds bytes that were not in the file's encoding."""
    return not all(map(is_encodable, cells))
