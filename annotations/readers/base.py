"""What a reader takes and gives: options, items, and the names by which a file knows its channel."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import IO

from annotations.cleaning import storable
from annotations.records import Post

_LONGEST_CHANNEL = 128
_NOT_IN_CHANNEL = re.compile(r"[\s/\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class PostItem:
    """A message with text. ``notes`` are sentences on what was left out or read by convention."""

    position: str
    post: Post
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceItem:
    """A message written by the app ("joined the group")."""

    position: str
    reason: str


@dataclass(frozen=True, slots=True)
class EmptyItem:
    """A message without text; the reason names what it has instead (photo, sticker, poll)."""

    position: str
    reason: str


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """What could not be read, with the reason."""

    position: str
    reason: str


Item = PostItem | ServiceItem | EmptyItem | RefusedItem
"""One message of a file. ``position`` is unique in its file and says where to look."""


@dataclass(frozen=True, slots=True)
class ChannelNames:
    """How a file names a channel.

    ``number`` is Telegram's id with its kind before it (``channel2447843635``), ``fallback`` a name to use
    where the file has none.
    """

    title: str | None
    number: str | None
    fallback: str


def plain_channel(names: ChannelNames, wanted: str | None) -> str:
    """Return the channel by the names alone, without a memory of other files."""
    return channel_slug(wanted or names.title or names.number or names.fallback)


def channel_slug(name: str) -> str:
    """Return a readable name of a channel that has no whitespace, slash or control character."""
    slug = _NOT_IN_CHANNEL.sub("-", storable(unicodedata.normalize("NFC", name)).strip()).strip("-")
    return slug[:_LONGEST_CHANNEL] or "unnamed"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a file.

    ``channel`` wins over the names in the file.  ``column_map`` maps our column name to theirs
    (``{"text": "body"}``).  ``timezone`` is the zone of local times that come without one, ``encoding`` that of
    the file's text, found out where it is None.
    ``name_channel`` decides the channel, once for each that a file names.
    """

    channel: str | None = None
    column_map: Mapping[str, str] = field(default_factory=dict)
    timezone: tzinfo | None = None
    encoding: str | None = None
    name_channel: Callable[[ChannelNames, str | None], str] = plain_channel

    def channel_of(self, names: ChannelNames) -> str:
        """Return the channel to use for what the file calls ``names``."""
        return self.name_channel(names, self.channel)


@dataclass(slots=True)
class Meter:
    """How far a file of ``size`` bytes has been read: ``stream`` is what was opened last."""

    size: int = 0
    stream: IO[bytes] | None = None

    def bytes_read(self) -> int:
        """Return how many bytes were taken from the file."""
        if self.stream is None:
            return 0
        return self.size if self.stream.closed else self.stream.tell()


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a file, by which its format is found.

    ``encoding`` is None for what is not text; ``text`` is then empty.
    """

    path: Path
    head: bytes
    encoding: str | None
    text: str
    meter: Meter = field(default_factory=Meter)


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file that can be read.

    ``recognise`` says by content whether a file is of this kind; ``read`` checks what can be checked at once
    (raising FileError) and returns the items, which are read as they are asked for.
    """

    name: str
    description: str
    recognise: Callable[[Sample, ReadOptions], bool]
    read: Callable[[Sample, ReadOptions], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class Reading:
    """A file being read: the name of its format, and its messages in the order of the file.

    ``notes`` are sentences on how the whole file was read, ``meter`` tells how far it is.
    """

    format: str
    items: Iterator[Item]
    notes: tuple[str, ...] = ()
    meter: Meter = field(default_factory=Meter)
