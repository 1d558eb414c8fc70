"""Messages as Telegram's API gives them: JSON lists as Telethon scripts write them, and 4CAT's NDJSON.

Read by their fields, since every script names its own: ``message`` or ``text``, ``id`` or ``message_id``, ``peer_id``,
``_chat`` or ``channel``, dates as ISO 8601 or Unix time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from annotations.cleaning import storable
from annotations.readers.base import Format, Item, ReadOptions, RefusedItem, Sample, ServiceItem
from annotations.readers.columns import RowReader
from annotations.readers.detect import open_text
from annotations.readers.json_stream import BrokenJsonError, JsonStream

Message = dict[str, Any]

_TEXTS = ("message", "text", "raw_text")
_IDS = ("id", "message_id")
_LONGEST_LINE = 64 * 1024 * 1024
_NOT_UTF8 = "holds bytes that are not UTF-8"


def _is_message(value: object) -> bool:
    return (
        isinstance(value, dict) and any(key in value for key in _TEXTS) and any(key in value for key in _IDS)
    )


def _is_raw(value: object) -> bool:
    """Tell whether an object is the API's own, and not a row of a table."""
    return (
        _is_message(value)
        and isinstance(value, dict)
        and bool({"_chat", "peer_id", "fwd_from", "_"} & value.keys())
    )


def _recognise_list(sample: Sample, _options: ReadOptions) -> bool:
    if not sample.text.lstrip().startswith("["):
        return False
    with open_text(sample) as opened:
        stream = JsonStream(opened)
        try:
            return any(_is_message(stream.value()) for _ in stream.elements())
        except BrokenJsonError:
            return False


def _recognise_lines(sample: Sample, _options: ReadOptions) -> bool:
    if not sample.text.lstrip().startswith("{"):
        return False
    with open_text(sample) as opened:
        try:
            return _is_raw(json.loads(opened.readline(_LONGEST_LINE)))
        except (ValueError, RecursionError):
            return False


def _read_list(sample: Sample, options: ReadOptions) -> Iterator[Item]:
    reader = RowReader(options, sample.path.stem)
    with open_text(sample) as opened:
        stream = JsonStream(opened)
        try:
            for index in stream.elements():
                value = stream.value()
                yield (
                    RefusedItem(f"[{index}]", _NOT_UTF8)
                    if stream.damaged
                    else _item(f"[{index}]", value, reader)
                )
            if stream.peek():
                raise BrokenJsonError("something follows the end of the list", stream.line)
        except BrokenJsonError as error:
            yield RefusedItem(
                f"line {error.line}", f"the file breaks off here: {error.problem}; the rest is not read"
            )


def _read_lines(sample: Sample, options: ReadOptions) -> Iterator[Item]:
    reader = RowReader(options, sample.path.stem)
    with open_text(sample, newline="\n") as opened:
        for number, line in enumerate(opened, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield RefusedItem(f"line {number}", f"is no JSON: {error}")
            else:
                yield _item(f"line {number}", value, reader)


def _item(position: str, value: object, reader: RowReader) -> Item:
    if not isinstance(value, dict):
        return RefusedItem(position, f"is {type(value).__name__}, not a message")
    action = value.get("action")
    if isinstance(action, dict) or _kind(value) == "MessageService":
        return ServiceItem(
            position, _short(_kind(action) if isinstance(action, dict) else "", "MessageAction")
        )
    if not _is_message(value):
        return RefusedItem(position, "has no text or no id: not a message")
    return reader.item(position, _row(value))


def _row(message: Message) -> dict[str, Any]:
    """Return a message as a row with our columns."""
    text = next((message[key] for key in _TEXTS if message.get(key) is not None), "")
    row: dict[str, Any] = {
        "text": text,
        "message_id": next((message[key] for key in _IDS if message.get(key) is not None), None),
        "date": message.get("date"),
        "edited_at": message.get("edit_date", message.get("edited_at")),
        "channel": _title(message),
        "channel_number": _number(message),
        "forwarded_from": _source(message),
        "reply_to": _reply(message),
        "views": message.get("views"),
        "forwards": message.get("forwards"),
        "reactions": _reactions(message.get("reactions")),
        "links": _links(message, text if isinstance(text, str) else ""),
        "media": _media(message.get("media")),
    }
    return {name: _plain(name, value) for name, value in row.items()}


def _plain(name: str, value: object) -> object:
    """Return Unix time with a fraction, as 4CAT writes it, in whole seconds."""
    if name in ("date", "edited_at") and isinstance(value, float) and math.isfinite(value):
        return int(value)
    return value


def _title(message: Message) -> str | None:
    for key in ("_chat", "chat", "channel", "peer"):
        value = message.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, dict):
            for part in ("username", "title"):
                if isinstance(name := value.get(part), str) and name:
                    return name
    return None


def _number(message: Message) -> str | None:
    peer = message.get("peer_id", message.get("to_id"))
    for holder in (peer, message):
        if isinstance(holder, dict) and isinstance(found := holder.get("channel_id"), int):
            return f"channel{found}"
    for value in (peer, message.get("chat_id"), message.get("sender_id")):
        if isinstance(value, int) and not isinstance(value, bool) and str(value).startswith("-100"):
            return f"channel{str(value)[4:]}"
    return None


def _source(message: Message) -> str | None:
    forward = message.get("fwd_from", message.get("forwarded_from"))
    if isinstance(forward, str):
        return forward or None
    if not isinstance(forward, dict):
        return None
    origin = forward.get("from_id")
    if isinstance(name := forward.get("from_name"), str) and name:
        return name
    if isinstance(origin, dict):
        chats = origin.get("chats")
        for chat in chats if isinstance(chats, list) else ():
            if isinstance(chat, dict) and chat.get("id") == origin.get("channel_id") and chat.get("username"):
                return str(chat["username"])
        for kind in ("channel", "user", "chat"):
            if isinstance(found := origin.get(f"{kind}_id"), int):
                return f"{kind}{found}"
    return None


def _reply(message: Message) -> object:
    reply = message.get("reply_to")
    return reply.get("reply_to_msg_id") if isinstance(reply, dict) else message.get("reply_to_msg_id", reply)


def _reactions(value: object) -> dict[str, int]:
    results = value.get("results") if isinstance(value, dict) else value
    if isinstance(value, dict) and not isinstance(results, list):
        return {storable(str(name)): n for name, n in value.items() if isinstance(n, int)}
    counts: dict[str, int] = {}
    for each in results if isinstance(results, list) else ():
        if not isinstance(each, dict) or not isinstance(number := each.get("count"), int):
            continue
        reaction = each.get("reaction")
        if isinstance(reaction, Mapping):
            reaction = reaction.get("emoticon") or f"custom:{reaction.get('document_id')}"
        if isinstance(reaction, str) and reaction:
            counts[storable(reaction)] = counts.get(storable(reaction), 0) + number
    return counts


def _links(message: Message, text: str) -> list[str]:
    """Return the addresses of the entities; their offsets count UTF-16 units."""
    found: dict[str, None] = {}
    units = text.encode("utf-16-le", "surrogatepass")
    entities = message.get("entities")
    for entity in entities if isinstance(entities, list) else ():
        if not isinstance(entity, dict):
            continue
        if isinstance(url := entity.get("url"), str):
            found[url] = None
        elif _kind(entity) == "MessageEntityUrl":
            start, length = entity.get("offset"), entity.get("length")
            if isinstance(start, int) and isinstance(length, int):
                found[units[2 * start : 2 * (start + length)].decode("utf-16-le", "replace")] = None
    return list(found)


def _media(media: object) -> list[str]:
    if isinstance(media, str):
        return [media] if media else []
    kind = _kind(media) if isinstance(media, dict) else ""
    if kind in ("", "MessageMediaWebPage", "MessageMediaEmpty"):
        return []
    document = media.get("document") if isinstance(media, dict) else None
    mime = document.get("mime_type") if isinstance(document, dict) else None
    return [mime.partition("/")[0] if isinstance(mime, str) else _short(kind, "MessageMedia")]


def _kind(value: Message) -> str:
    kind = value.get("_", value.get("_type"))
    return kind if isinstance(kind, str) else ""


def _short(kind: str, prefix: str) -> str:
    return storable(kind.removeprefix(prefix)).lower() or "service message"


TELEGRAM_LIST = Format(
    "telegram-api-list", "a JSON list of messages, as Telethon scripts write it", _recognise_list, _read_list
)
TELEGRAM_LINES = Format(
    "telegram-api-lines",
    "messages of Telegram's API, one JSON object a line (4CAT's NDJSON)",
    _recognise_lines,
    _read_lines,
)
