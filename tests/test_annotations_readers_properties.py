"""Every reader gives back what another program wrote: each message one outcome, each text as it was.

The files are written here without the project's own writers. ``make soak`` runs the same with many more examples.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from annotations.cleaning import APP_LINES, clean
from annotations.readers import EmptyItem, Item, PostItem, ServiceItem, read_posts
from annotations.readers.dump import heading_source

# Not the characters that a page cannot hold, nor the surrogates that a file cannot.
SHOWN = st.characters(exclude_categories=("Cs", "Cc", "Cn", "Zl", "Zp"))
LINES = st.lists(st.text(SHOWN, max_size=40), min_size=1, max_size=5)
PLAIN = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=80)
ANY = st.text(st.characters(), max_size=80)  # JSON can hold lone surrogates and NUL
IDS = st.integers(1, 2**53)


@dataclass(frozen=True)
class Message:
    """What was written: a text, or a note of the app."""

    number: int
    text: str
    is_service: bool = False


def _messages(texts: st.SearchStrategy[str], *, services: bool = True) -> st.SearchStrategy[list[Message]]:
    one = st.builds(Message, IDS, texts, st.booleans() if services else st.just(False))
    return st.lists(one, min_size=1, max_size=8, unique_by=lambda message: message.number)


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Path]:
    """Return a function that puts bytes into a file."""
    path = tmp_path_factory.mktemp("readers") / "file"

    def put(data: bytes) -> Path:
        path.write_bytes(data)
        return path

    return put


def _read(path: Path, name: str) -> list[Item]:
    reading = read_posts(path)
    assert reading.format == name
    return list(reading.items)


def _check(items: Sequence[Item], messages: Sequence[Message], raw: Callable[[str], str] = str) -> None:
    """Each message is one item, in its order, with its number and its text."""
    assert len({item.position for item in items}) == len(items) == len(messages)
    for item, message in zip(items, messages, strict=True):
        if message.is_service:
            assert isinstance(item, ServiceItem)
        elif not clean(raw(message.text)):
            assert isinstance(item, EmptyItem)
        else:
            assert isinstance(item, PostItem), item
            assert item.post.message_id == str(message.number)
            assert (item.post.raw or item.post.text) == raw(message.text)
            assert item.post.text == clean(raw(message.text))


# ------------------------------------------------------------------------- Telegram Desktop


def _desktop(message: Message, parts: int) -> dict[str, Any]:
    if message.is_service:
        return {"id": message.number, "type": "service", "action": "pin_message", "text": ""}
    size = max(1, len(message.text) // parts)
    pieces = [message.text[place : place + size] for place in range(0, len(message.text), size)]
    text: Any = message.text
    if parts > 1:
        text = [{"type": "bold", "text": piece} if index % 2 else piece for index, piece in enumerate(pieces)]
    return {"id": message.number, "type": "message", "date_unixtime": "1700000000", "text": text}


@settings(deadline=None)
@given(
    messages=_messages(ANY),
    parts=st.integers(1, 3),
    indent=st.sampled_from([None, 1]),
    is_ascii=st.booleans(),
    name_last=st.booleans(),
)
def test_telegram_desktop(
    write: Any, messages: list[Message], parts: int, indent: int | None, is_ascii: bool, name_last: bool
) -> None:
    """`result.json` of one chat, whatever the order of its keys."""
    head = {"name": "Ministry", "type": "public_channel", "id": 5}
    body = {"messages": [_desktop(message, parts) for message in messages]}
    document = body | head if name_last else head | body
    data = json.dumps(document, ensure_ascii=is_ascii, indent=indent)
    assume(is_ascii or not any("\ud800" <= character <= "\udfff" for character in data))
    _check(_read(write(data.encode()), "telegram-desktop"), messages)


@settings(deadline=None)
@given(chats=st.lists(_messages(ANY), min_size=1, max_size=4), left=st.integers(0, 3))
def test_telegram_desktop_of_an_account(write: Any, chats: list[list[Message]], left: int) -> None:
    """All chats of an account, those that were left too."""
    made = [
        {"name": f"Chat {i}", "type": "public_channel", "id": i, "messages": [_desktop(m, 1) for m in chat]}
        for i, chat in enumerate(chats)
    ]
    document = {"about": "x", "chats": {"list": made[left:]}, "left_chats": {"list": made[:left]}}
    items = _read(write(json.dumps(document).encode()), "telegram-desktop")
    _check(items, [message for chat in chats[left:] + chats[:left] for message in chat])


# ----------------------------------------------------------------------------- Telegram's API


def _api(message: Message) -> dict[str, Any]:
    if message.is_service:
        return {"_": "MessageService", "id": message.number, "action": {"_": "MessageActionPinMessage"}}
    return {
        "_": "Message",
        "id": message.number,
        "peer_id": {"_": "PeerChannel", "channel_id": 77},
        "date": "2026-01-02T03:04:05+00:00",
        "message": message.text,
    }


@settings(deadline=None)
@given(messages=_messages(ANY))
def test_telegram_api_list(write: Any, messages: list[Message]) -> None:
    """A JSON list, as a Telethon script dumps it."""
    assume(any(not message.is_service for message in messages))
    data = json.dumps([_api(message) for message in messages], indent=2).encode()
    _check(_read(write(data), "telegram-api-list"), messages)


@settings(deadline=None)
@given(messages=_messages(ANY), gap=st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_telegram_api_lines(write: Any, messages: list[Message], gap: str) -> None:
    """One JSON object a line."""
    assume(not messages[0].is_service)
    data = gap.join(json.dumps(_api(message)) for message in messages).encode()
    _check(_read(write(data), "telegram-api-lines"), messages)


# -------------------------------------------------------------------------------------- tables


@settings(deadline=None)
@given(messages=_messages(ANY, services=False), gap=st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_json_lines(write: Any, messages: list[Message], gap: str) -> None:
    """One row a line."""
    rows = [{"channel": "mfa", "message_id": each.number, "text": each.text} for each in messages]
    data = gap.join(map(json.dumps, rows)).encode()
    _check(_read(write(data), "jsonl"), messages)


def _quoted(cell: str, delimiter: str) -> str:
    needs = any(mark in cell for mark in (delimiter, '"', "\r", "\n")) or cell != cell.strip()
    doubled = cell.replace('"', '""')
    return f'"{doubled}"' if needs else cell


@settings(deadline=None)
@given(
    messages=_messages(PLAIN, services=False),
    delimiter=st.sampled_from([",", ";", "\t"]),
    gap=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_csv(write: Any, messages: list[Message], delimiter: str, gap: str, encoding: str) -> None:
    """Comma, semicolon and tab; quotes and line breaks within cells."""
    rows = [("message_id", "text", "channel")]
    rows += [(str(each.number), each.text, "mfa") for each in messages]
    lines = [delimiter.join(_quoted(cell, delimiter) for cell in row) for row in rows]
    _check(_read(write((gap.join(lines) + gap).encode(encoding)), "csv"), messages)


@settings(deadline=None)
@given(messages=_messages(PLAIN, services=False), size=st.integers(1, 5))
def test_parquet(write: Any, messages: list[Message], size: int) -> None:
    """Row groups of any size, numbers as numbers."""
    path = write(b"")
    columns = {"message_id": [each.number for each in messages], "text": [each.text for each in messages]}
    parquet.write_table(pyarrow.table(columns), path, row_group_size=size)
    _check(_read(path, "parquet"), messages)


# --------------------------------------------------------------------------------- HTML and text


def _page_text(text: str) -> str:
    """Return what a reader of a page sees: no blanks around a line."""
    return "\n".join(line.strip(" \t") for line in text.split("\n")).strip()


def _markup(text: str) -> str:
    return "<br>".join(html.escape(line) for line in text.split("\n"))


@settings(deadline=None)
@given(messages=_messages(LINES.map("\n".join)), is_old=st.booleans())
def test_telegram_html(write: Any, messages: list[Message], is_old: bool) -> None:
    """`messages.html`, with date separators and joined messages."""
    title = "02.01.2026 03:04:05" + ("" if is_old else " UTC+03:00")
    blocks = [
        f'<div class="message service" id="message{each.number}"><div class="body details">pinned</div></div>'
        if each.is_service
        else f'<div class="message default clearfix{" joined" if each.number % 2 else ""}" id="message{each.number}">\n'
        f'<div class="body">\n<div class="pull_right date details" title="{title}">03:04</div>\n'
        f'<div class="text">\n{_markup(each.text)}\n</div></div></div>'
        for each in messages
    ]
    page = (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8"/><title>Exported Data</title></head>\n'
        '<body><div class="page_wrap"><div class="page_header"><div class="content">\n'
        '<div class="text bold">Ministry</div></div></div>\n<div class="page_body chat_page">'
        f'<div class="history">{chr(10).join(blocks)}</div></div></div></body></html>\n'
    )
    _check(_read(write(page.encode()), "telegram-desktop-html"), messages, _page_text)


@settings(deadline=None)
@given(messages=_messages(LINES.map("\n".join)))
def test_telegram_web(write: Any, messages: list[Message]) -> None:
    """A page of `t.me/s/CHANNEL`."""
    blocks = [
        f'<div class="tgme_widget_message_wrap"><div class="tgme_widget_message '
        f'{"service_message" if each.is_service else "text_not_supported_wrap"}" data-post="mfa/{each.number}">'
        f'<div class="tgme_widget_message_text js-message_text" dir="auto">{_markup(each.text)}</div>'
        '<a class="tgme_widget_message_date" href="#"><time datetime="2026-01-02T03:04:05+00:00">03:04</time></a>'
        "</div></div>"
        for each in messages
    ]
    page = f"<!DOCTYPE html><html><body><main>{''.join(blocks)}</main></body></html>"
    _check(_read(write(page.encode()), "telegram-web"), messages, _page_text)


@settings(deadline=None)
@given(
    posts=st.lists(LINES, min_size=1, max_size=6),
    is_repeated=st.booleans(),
    gap=st.sampled_from(["\n", "\r\n"]),
)
def test_text_dump(write: Any, posts: list[list[str]], is_repeated: bool, gap: str) -> None:
    """Posts under their headings, with and without the repetition that copying leaves."""
    bodies = [
        [f"{number}.{place} {line}" for place, line in enumerate(post)] for number, post in enumerate(posts)
    ]
    assume(not any(heading_source(line) or line.strip() in APP_LINES for body in bodies for line in body))
    lines = [
        line
        for number, body in enumerate(bodies)
        for line in (f"Forwarded from Channel {number}", *body, *(body if is_repeated else ()))
    ]
    items = _read(write((gap.join(lines) + gap).encode()), "text-dump")
    texts = [item.post.text for item in items if isinstance(item, PostItem)]
    assert texts == [clean("\n".join(body)) for body in bodies]
    assert [item.post.forwarded_from for item in items if isinstance(item, PostItem)] == [
        f"Channel {number}" for number in range(len(bodies))
    ]
