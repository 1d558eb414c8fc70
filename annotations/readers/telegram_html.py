"""Telegram Desktop's HTML export, ``messages.html`` and its continuations, of the old and the new style.

The time of a message stands in the title of its date, in the new style with its zone (``UTC+03:00``). The old style
has no zone: the date is then left out, unless the options name one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from annotations.cleaning import clean, storable
from annotations.readers.base import (
    ChannelNames,
    EmptyItem,
    Format,
    Item,
    PostItem,
    ReadOptions,
    RefusedItem,
    Sample,
    ServiceItem,
)
from annotations.readers.cells import count, find_hashtags
from annotations.readers.html_text import (
    Element,
    classes,
    cut_off,
    elements,
    find,
    find_all,
    links_of,
    place_of,
    text_of,
)
from annotations.readers.telegram_message import NO_ZONE_NOTE
from annotations.records import Post

_TIME = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4}) (\d\d?):(\d\d):(\d\d)(?: UTC([+-])(\d\d):(\d\d))?")
_MEDIA = re.compile(r"media_(?!wrap)(\w+)|(photo|video_file|animated|sticker|video_message)_wrap")
_NUMBER = re.compile(r"message(-?\d+)$")
_REPLY = re.compile(r"go_to_message(\d+)")


def _recognise(sample: Sample, _options: ReadOptions) -> bool:
    head = sample.text[:20_000]
    return "<html" in head.lower() and ("page_body chat_page" in sample.text or "Exported Data" in head)


@dataclass(slots=True)
class _Page:
    """What a joined message takes from the one before it."""

    channel: str
    zone: tzinfo | None
    forwarded_from: str | None = None


def _read(sample: Sample, options: ReadOptions) -> Iterator[Item]:
    page, places = None, set[str]()
    for number, element in enumerate(elements(sample, ("message", "page_header"))):
        if "page_header" in classes(element):
            title = find(element, "text")
            names = ChannelNames(
                text_of(title) if title is not None else None, None, sample.path.parent.name or "chat"
            )
            page = _Page(options.channel_of(names), options.timezone)
            continue
        if page is None:
            page = _Page(options.channel_of(ChannelNames(None, None, sample.path.stem)), options.timezone)
        yield _item(place_of(element.get("id"), number, places), element, page)
    yield from cut_off(sample)


def _item(position: str, element: Element, page: _Page) -> Item:
    number = _NUMBER.search(element.get("id") or "")
    body = find(element, "body")
    if "service" in classes(element):
        is_separator = number is not None and number[1].startswith("-")
        shown = text_of(body) if body is not None else ""
        return ServiceItem(position, "date separator" if is_separator else _kind_of_service(shown))
    if number is None or body is None:
        return RefusedItem(
            position, "the message has no number" if number is None else "the message has no body"
        )
    return _message(position, number[1], body, page)


def _kind_of_service(shown: str) -> str:
    return storable(shown)[:60] or "service message"


def _message(position: str, number: str, body: Element, page: _Page) -> Item:
    forwarded = find(body, "forwarded")
    page.forwarded_from = _source(forwarded, page.forwarded_from)
    holder = body if forwarded is None else forwarded
    text_element = next((child for child in holder if "text" in classes(child)), None)
    raw = "" if text_element is None else text_of(text_element)
    text = clean(raw)
    media = _media(body)
    if not text:
        return EmptyItem(position, ", ".join(media) or "no text")
    date, notes = _date(body, page.zone)
    reply = find(body, "reply_to")
    return PostItem(
        position,
        Post(
            channel=page.channel,
            message_id=number,
            text=text,
            raw=None if raw == text else raw,
            date=date,
            forwarded_from=page.forwarded_from,
            reply_to=None if reply is None else _reply(reply),
            hashtags=find_hashtags(text),
            links=() if text_element is None else links_of(text_element),
            media=media,
            reactions=_reactions(body),
        ),
        notes,
    )


def _source(forwarded: Element | None, before: str | None) -> str | None:
    """Return where a message was forwarded from; a joined one leaves out the name of the one before."""
    if forwarded is None:
        return None
    name = next((child for child in forwarded if "from_name" in classes(child)), None)
    if name is None:
        return before
    return storable((name.text or "").strip()) or before


def _date(body: Element, zone: tzinfo | None) -> tuple[datetime | None, tuple[str, ...]]:
    element = next((child for child in body if {"date", "details"} <= classes(child)), None)
    found = _TIME.search((element.get("title") or "") if element is not None else "")
    if not found:
        return None, ()
    day, month, year, hour, minute, second = (int(part) for part in found.groups()[:6])
    try:
        if found[7]:
            offset = timedelta(hours=int(found[8]), minutes=int(found[9]))
            zone = timezone(offset if found[7] == "+" else -offset)
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        return (moment.astimezone(UTC), ()) if zone else (None, (NO_ZONE_NOTE,))
    except (ValueError, OverflowError):
        return None, ()


def _media(body: Element) -> tuple[str, ...]:
    kinds: dict[str, None] = {}
    for child in body.iterdescendants("div", "a"):
        for name in sorted(classes(child)):
            if found := _MEDIA.fullmatch(name):
                kinds[found[1] or found[2]] = None
    return tuple(kinds)


def _reply(reply: Element) -> str | None:
    found = next((_REPLY.search(child.get("href") or "") for child in reply.iterdescendants("a")), None)
    return found[1] if found else None


def _reactions(body: Element) -> dict[str, int]:
    counts: dict[str, int] = {}
    for reaction in find_all(body, "reaction"):
        emoji, number = find(reaction, "emoji"), find(reaction, "count")
        if emoji is not None and (name := storable(text_of(emoji))):
            people = sum(1 for _ in find_all(reaction, "userpic"))
            counts[name] = (count(text_of(number)) if number is not None else None) or max(people, 1)
    return counts


TELEGRAM_HTML = Format(
    "telegram-desktop-html",
    "Telegram Desktop's messages.html (each messagesN.html is a file of its own)",
    _recognise,
    _read,
)
