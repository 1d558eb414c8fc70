"""Saved pages of a channel's web preview, ``t.me/s/CHANNEL``, and single messages of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

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
from annotations.records import Post

_MESSAGE = "tgme_widget_message"
_POST = re.compile(r"([^/\s]+)/(\d+)")
_MEDIA = {
    "tgme_widget_message_photo_wrap": "photo",
    "tgme_widget_message_video_player": "video_file",
    "tgme_widget_message_roundvideo_player": "video_message",
    "tgme_widget_message_voice_player": "voice_message",
    "tgme_widget_message_voice": "voice_message",
    "tgme_widget_message_sticker_wrap": "sticker",
    "tgme_widget_message_document_wrap": "file",
    "tgme_widget_message_poll": "poll",
    "tgme_widget_message_location_wrap": "location",
    "tgme_widget_message_contact_wrap": "contact",
    "tgme_widget_message_invoice": "invoice",
    "message_media_not_supported_wrap": "media that the preview does not show",
}


def _recognise(sample: Sample, _options: ReadOptions) -> bool:
    return _MESSAGE in sample.text and "<" in sample.text


def _read(sample: Sample, options: ReadOptions) -> Iterator[Item]:
    channels: dict[str, str] = {}
    places: set[str] = set()
    for number, element in enumerate(elements(sample, (_MESSAGE,))):
        found = _POST.fullmatch((element.get("data-post") or "").strip())
        position = place_of(element.get("data-post"), number, places)
        if not found:
            yield RefusedItem(position, 'the message has no data-post="CHANNEL/NUMBER"')
            continue
        if found[1] not in channels:
            channels[found[1]] = options.channel_of(ChannelNames(found[1], None, sample.path.stem))
        yield _item(position, element, channels[found[1]], found[2])
    yield from cut_off(sample)


def _item(position: str, element: Element, channel: str, number: str) -> Item:
    if "service_message" in classes(element):
        return ServiceItem(position, "service message")
    bodies = list(_texts(element))
    raw = "\n\n".join(text for text in map(text_of, bodies) if text)
    text = clean(raw)
    media = _media(element)
    if not text:
        return EmptyItem(position, ", ".join(media) or "no text")
    meta = find(element, "tgme_widget_message_meta")
    views = find(element, "tgme_widget_message_views")
    source = find(element, "tgme_widget_message_forwarded_from_name")
    reply = find(element, "tgme_widget_message_reply")
    return PostItem(
        position,
        Post(
            channel=channel,
            message_id=number,
            text=text,
            raw=None if raw == text else raw,
            date=_date(element),
            forwarded_from=None if source is None else storable(text_of(source)) or None,
            reply_to=None if reply is None else _reply(reply, channel),
            hashtags=find_hashtags(text),
            links=tuple(dict.fromkeys(link for body in bodies for link in links_of(body))),
            media=media,
            views=None if views is None else count(text_of(views)),
            reactions=_reactions(element),
        ),
        ("an edited message: the preview does not say when",)
        if meta is not None and "edited" in text_of(meta)
        else (),
    )


def _texts(element: Element) -> Iterator[Element]:
    """Yield the blocks of the message's own text, once each: they stand in one another, and beside a reply's."""
    inside: set[Element] = set()
    for block in find_all(element, "tgme_widget_message_text"):
        if "js-message_reply_text" in classes(block) or any(
            above in inside for above in block.iterancestors()
        ):
            continue
        inside.add(block)
        yield block


def _date(element: Element) -> datetime | None:
    holder = find(element, "tgme_widget_message_date")
    for time in () if holder is None else holder.iterdescendants("time"):
        try:
            moment = datetime.fromisoformat(time.get("datetime") or "")
        except ValueError:
            continue
        return moment.astimezone(UTC) if moment.tzinfo else None
    return None


def _media(element: Element) -> tuple[str, ...]:
    names = (
        _MEDIA.get(name)
        for child in element.iterdescendants()
        if isinstance(child.tag, str)
        for name in classes(child)
    )
    return tuple(dict.fromkeys(name for name in names if name))


def _reply(reply: Element, channel: str) -> str | None:
    found = _POST.search((reply.get("href") or "").partition("t.me/")[2])
    return None if found is None else found[2] if found[1] == channel else f"{found[1]}/{found[2]}"


def _reactions(element: Element) -> dict[str, int]:
    counts: dict[str, int] = {}
    for reaction in find_all(element, "tgme_reaction"):
        shown = text_of(reaction)
        found = re.fullmatch(r"(\D*?)\s*(\d[\d.,]*[KMB]?)", shown)
        number = count(found[2]) if found else None
        if found and number is not None:
            counts[storable(found[1]) or "paid"] = number
    return counts


TELEGRAM_WEB = Format(
    "telegram-web", "a saved page of a channel's web preview (t.me/s/CHANNEL)", _recognise, _read
)
