"""One message of Telegram Desktop's export as an item."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

from annotations.cleaning import clean, storable
from annotations.readers.base import EmptyItem, Item, PostItem, RefusedItem, ServiceItem
from annotations.readers.cells import LONGEST_ID, find_hashtags
from annotations.records import Post

NO_ZONE_NOTE = "a date in local time without its zone was left out (name the zone to keep it)"

_MEDIA_KEYS = {
    "photo": "photo",
    "poll": "poll",
    "contact_information": "contact",
    "location_information": "location",
    "place_name": "location",
    "game_title": "game",
    "invoice_information": "invoice",
    "todo_list": "todo_list",
    "giveaway_information": "giveaway",
    "giveaway_results": "giveaway_results",
    "paid_stars_amount": "paid_media",
}

_Message = dict[str, Any]


class _FieldError(Exception):
    """A field without which the message cannot be kept."""


def message_item(position: str, message: object, channel: str, zone: tzinfo | None) -> Item:
    """Return the item for a message as the JSON has it, whatever its types."""
    if not isinstance(message, dict):
        return RefusedItem(position, f"is {_type(message)}, not a message")
    kind = message.get("type", "message")
    if kind == "service":
        action = message.get("action")
        return ServiceItem(
            position, storable(action) if isinstance(action, str) and action else "service message"
        )
    if kind == "unsupported":
        return EmptyItem(position, "of a kind that Telegram Desktop does not export")
    if kind != "message":
        return RefusedItem(position, f"field 'type' is {_shown(kind)}, not message or service")
    try:
        return _message_item(position, message, channel, zone)
    except _FieldError as error:
        return RefusedItem(position, str(error))


def _message_item(position: str, message: _Message, channel: str, zone: tzinfo | None) -> Item:
    message_id = _id(message.get("id"))
    if message_id is None:
        raise _FieldError(f"field 'id' is {_shown(message.get('id'))}, not a message's number")
    raw = _text(message)
    text = clean(raw)
    media = _media(message)
    if not text:
        return EmptyItem(position, ", ".join(media) or "no text")
    date, notes = _date(message, zone)
    hashtags, links = _hashtags_and_links(message.get("text_entities") or message["text"])
    return PostItem(
        position,
        Post(
            channel=channel,
            message_id=message_id,
            text=text,
            raw=None if raw == text else raw,
            date=date,
            edited_at=_edited(message, zone),
            forwarded_from=_name(message, "forwarded_from", "forwarded_from_id"),
            reply_to=_reply(message),
            hashtags=find_hashtags(text) if hashtags is None else hashtags,
            links=links,
            media=media,
            reactions=_reactions(message.get("reactions")),
        ),
        notes,
    )


def _id(value: object) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID and not any(map(str.isspace, value)):
        return storable(value)
    return None


def _text(message: _Message) -> str:
    text = _joined("text", message.get("text"))
    return text or _joined("text_entities", message.get("text_entities"))


def _joined(field: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if not isinstance(value, list):
        raise _FieldError(f"field '{field}' is {_type(value)}, not text")
    parts = []
    for index, part in enumerate(value):
        piece = part.get("text") if isinstance(part, dict) else part
        if not isinstance(piece, str):
            raise _FieldError(f"field '{field}[{index}]' is {_type(part)} without text")
        parts.append(piece)
    return "".join(parts)


def _hashtags_and_links(parts: object) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Return what Telegram marked as hashtags and as links; None for hashtags where it marked nothing at all."""
    hashtags: dict[str, None] = {}
    links: dict[str, None] = {}
    is_marked = False
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, dict):
            continue
        kind, content = part.get("type"), part.get("text")
        if not isinstance(kind, str) or not isinstance(content, str):
            continue
        is_marked = True
        if kind == "hashtag":
            hashtags[storable(content).strip()] = None
        elif kind == "link":
            links[storable(content).strip()] = None
        elif kind == "text_link" and isinstance(part.get("href"), str):
            links[storable(part["href"])] = None
    links.pop("", None)
    return tuple(hashtags) if is_marked else None, tuple(links)


def _media(message: _Message) -> tuple[str, ...]:
    kinds = []
    if not _MEDIA_KEYS.keys().isdisjoint(message):
        kinds = [name for key, name in _MEDIA_KEYS.items() if message.get(key) is not None]
    if isinstance(message.get("media_type"), str):
        kinds.append(storable(message["media_type"]))
    elif message.get("file") is not None:
        kinds.append("file")
    return tuple(dict.fromkeys(kinds))


def _date(message: _Message, zone: tzinfo | None) -> tuple[datetime | None, tuple[str, ...]]:
    seconds = message.get("date_unixtime")
    if seconds is not None:
        moment = _moment(seconds)
        if moment is None:
            raise _FieldError(f"field 'date_unixtime' is {_shown(seconds)}, not seconds since 1970")
        return moment, ()
    local = message.get("date")
    if local is None:
        return None, ()
    moment = _local(local, zone)
    return moment, () if moment else (NO_ZONE_NOTE,)


def _edited(message: _Message, zone: tzinfo | None) -> datetime | None:
    """Return the time of the last edit; old exports write 1970 for a message that was never edited."""
    seconds = message.get("edited_unixtime")
    moment = _moment(seconds) if seconds is not None else _local(message.get("edited"), zone)
    return moment if moment and moment.year > 1970 else None


def _moment(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, str | int | float):
        return None
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _local(value: object, zone: tzinfo | None) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None and zone is not None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _name(message: _Message, *keys: str) -> str | None:
    return next(
        (storable(message[key]) for key in keys if isinstance(message.get(key), str) and message[key]), None
    )


def _reply(message: _Message) -> str | None:
    """Return the message replied to, as ``<id>`` in the same chat or ``<peer>/<id>`` in another."""
    number, peer = _id(message.get("reply_to_message_id")), message.get("reply_to_peer_id")
    return f"{storable(peer)}/{number}" if number and isinstance(peer, str) and peer else number


def _reactions(value: object) -> dict[str, int]:
    """Return how often each reaction came, custom emoji as ``custom:<document>``, stars as ``paid``."""
    counts: dict[str, int] = {}
    for reaction in value if isinstance(value, list) else ():
        if not isinstance(reaction, dict):
            continue
        kind, count = reaction.get("type"), reaction.get("count")
        if isinstance(count, bool) or not isinstance(count, int):
            continue
        names = {"emoji": reaction.get("emoji"), "custom_emoji": f"custom:{reaction.get('document_id')}"}
        name = names.get(kind, kind) if isinstance(kind, str) else reaction.get("emoji")
        if isinstance(name, str) and name:
            counts[storable(name)] = counts.get(storable(name), 0) + count
    return counts


def _type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _shown(value: object) -> str:
    return repr(value)[:40] if isinstance(value, str | int | float) else _type(value)
