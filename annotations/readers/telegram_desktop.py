"""Telegram Desktop's ``result.json``: one chat, or a whole account (``chats.list`` and ``left_chats.list``).

Dates come from ``date_unixtime``.  Exports older than 2021 have only ``date``, the local time of the
exporting machine without its zone: the date is then left out, unless the options name the zone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from annotations.errors import FileError
from annotations.readers.base import ChannelNames, Format, Item, ReadOptions, RefusedItem, Sample
from annotations.readers.detect import open_text
from annotations.readers.json_stream import BrokenJsonError, JsonStream
from annotations.readers.telegram_message import message_item

_ACCOUNT_KEYS = ("chats", "left_chats")
_PEERS = {"personal_chat": "user", "bot_chat": "user", "saved_messages": "user", "private_group": "group"}

_Fields = dict[str, Any]
_Found = tuple[str, _Fields, Any, bool]
"""Position, the fields of the chat so far, the message, and whether it is damaged."""


def _kind(sample: Sample) -> str | None:
    """Return ``chat``, ``account``, or None for JSON that is no export of Telegram Desktop."""
    if not sample.text.lstrip().startswith("{"):
        return None
    with open_text(sample) as opened:
        stream = JsonStream(opened)
        try:
            for key in stream.members():
                if key in _ACCOUNT_KEYS and stream.peek() == "{":
                    return "account"
                if key == "messages" and stream.peek() == "[":
                    return "chat"
                stream.value()
        except BrokenJsonError:
            return None
    return None


def _recognise(sample: Sample, _options: ReadOptions) -> bool:
    return _kind(sample) is not None


def _read(sample: Sample, options: ReadOptions) -> Iterator[Item]:
    if options.channel is not None and _kind(sample) == "account" and len(_chats(sample)) > 1:
        raise FileError(
            "is the export of a whole account, and --channel names one channel",
            where=str(sample.path),
            hint="Leave --channel out (each chat keeps its own name), or export the one chat.",
        )
    return _items(sample, options)


def _items(sample: Sample, options: ReadOptions) -> Iterator[Item]:
    channel, chat, complete = "", None, None
    with open_text(sample) as opened:
        stream = JsonStream(opened)
        try:
            for position, fields, message, damaged in _walk(stream):
                if damaged:
                    yield RefusedItem(position, "holds bytes that are not UTF-8")
                    continue
                if fields is not chat:
                    chat, known = fields, fields
                    if "name" not in fields:  # keys in another order: the name comes after the messages
                        complete = _chats(sample) if complete is None else complete
                        known = complete.get(_chat_of(position), fields)
                    channel = options.channel_of(_names(known, sample.path.stem))
                yield message_item(position, message, channel, options.timezone)
            if stream.peek():
                raise BrokenJsonError("something follows the end of the export", stream.line)
        except BrokenJsonError as error:
            yield RefusedItem(
                f"line {error.line}",
                f"the file breaks off here: {error.problem}; "
                "the messages before are kept, what follows is not read",
            )


def _chats(sample: Sample) -> dict[str, _Fields]:
    """Return the fields of every chat that has messages, by the beginning of their positions."""
    found: dict[str, _Fields] = {}
    with open_text(sample) as opened:
        try:
            for position, fields, _, _ in _walk(JsonStream(opened)):
                found.setdefault(_chat_of(position), fields)
        except BrokenJsonError:
            pass  # said where the items are read
    return found


def _chat_of(position: str) -> str:
    return position.rpartition("messages[")[0]


def _walk(stream: JsonStream) -> Iterator[_Found]:
    fields: _Fields = {}
    taken: Counter[str] = Counter()
    for key in stream.members():
        if key in _ACCOUNT_KEYS and stream.peek() == "{":
            yield from _walk_chats(stream, key, taken)
        elif key == "messages" and stream.peek() == "[":
            yield from _walk_messages(stream, "", fields, taken)
        else:
            _keep(fields, key, stream.value())


def _walk_chats(stream: JsonStream, key: str, taken: Counter[str]) -> Iterator[_Found]:
    for inner in stream.members():
        if inner != "list" or stream.peek() != "[":
            stream.value()
            continue
        for index in _numbers(stream, f"{key}.list", taken):
            where, fields = f"{key}.list[{index}].", _Fields()
            if stream.peek() != "{":
                yield f"{where}messages[0]", fields, stream.value(), False
                continue
            for name in stream.members():
                if name == "messages" and stream.peek() == "[":
                    yield from _walk_messages(stream, where, fields, taken)
                else:
                    _keep(fields, name, stream.value())


def _walk_messages(stream: JsonStream, where: str, fields: _Fields, taken: Counter[str]) -> Iterator[_Found]:
    for index in _numbers(stream, f"{where}messages", taken):
        message = stream.value()
        yield f"{where}messages[{index}]", fields, message, stream.damaged


def _numbers(stream: JsonStream, name: str, taken: Counter[str]) -> Iterator[int]:
    """Go through an array; one whose name has come before is counted on, so that no place is named twice."""
    first = taken[name]
    for index in stream.elements():
        taken[name] += 1
        yield first + index


def _keep(fields: _Fields, key: str, value: object) -> None:
    if not isinstance(value, dict | list):  # contacts and the like can be large
        fields[key] = value


def _names(fields: _Fields, stem: str) -> ChannelNames:
    kind, number = fields.get("type"), fields.get("id")
    name = fields.get("name")
    title = name.strip() if isinstance(name, str) else ""
    if isinstance(number, str) and number.lstrip("-").isdecimal():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int):
        number = None
    peer = _PEERS.get(kind, "channel") if isinstance(kind, str) else "channel"
    fallback = kind if kind == "saved_messages" else stem
    return ChannelNames(title or None, None if number is None else f"{peer}{number}", fallback)


TELEGRAM_DESKTOP = Format(
    "telegram-desktop",
    "Telegram Desktop's result.json, of one chat or of a whole account",
    _recognise,
    _read,
)
