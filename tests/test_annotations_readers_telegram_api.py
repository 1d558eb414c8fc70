"""Messages of Telegram's API, as scripts and 4CAT write them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotations.readers import EmptyItem, Item, PostItem, RefusedItem, ServiceItem, read_posts

MOMENT = datetime(2026, 4, 7, 8, 2, 3, tzinfo=UTC)
NATIVE: dict[str, Any] = {
    "_": "Message",
    "id": 7,
    "peer_id": {"_": "PeerChannel", "channel_id": 77},
    "date": "2026-04-07T08:02:03+00:00",
    "message": "🕊🕊 Peace https://calverra.example/x and law",
    "entities": [
        {"_": "MessageEntityUrl", "offset": 11, "length": 26},
        {"_": "MessageEntityTextUrl", "offset": 0, "length": 2, "url": "https://calverra.example/y"},
    ],
    "media": {"_": "MessageMediaPhoto"},
    "views": 1310,
    "forwards": 3,
    "edit_date": "2026-04-07T09:00:00+00:00",
    "fwd_from": {"_": "MessageFwdHeader", "from_id": {"_": "PeerChannel", "channel_id": 5}},
    "reply_to": {"_": "MessageReplyHeader", "reply_to_msg_id": 6},
    "reactions": {"results": [{"reaction": {"_": "ReactionEmoji", "emoticon": "🔥"}, "count": 12}]},
}


def read(tmp_path: Path, content: str, name: str) -> list[Item]:
    """Write a file and read it."""
    path = tmp_path / "messages.dat"
    path.write_text(content, encoding="utf-8")
    reading = read_posts(path)
    assert reading.format == name
    return list(reading.items)


def test_a_message_of_the_api_keeps_its_fields(tmp_path: Path) -> None:
    """Entities count UTF-16 units; the links come out right behind emoji."""
    (item,) = read(tmp_path, json.dumps([NATIVE]), "telegram-api-list")
    assert isinstance(item, PostItem)
    post = item.post
    assert (post.post_id, post.date, post.views, post.forwards) == ("channel77/7", MOMENT, 1310, 3)
    assert post.links == ("https://calverra.example/x", "https://calverra.example/y")
    assert (post.media, post.forwarded_from, post.reply_to) == (("photo",), "channel5", "6")
    assert (post.reactions, post.edited_at) == ({"🔥": 12}, datetime(2026, 4, 7, 9, tzinfo=UTC))


def test_lists_of_scripts_with_names_of_their_own(tmp_path: Path) -> None:
    """A script's message_id, text and channel are understood."""
    row = {"message_id": 1, "text": "Words", "date": "2026-04-07T08:02:03+00:00", "channel": "News of Tavel"}
    (item,) = read(tmp_path, json.dumps([row]), "telegram-api-list")
    assert isinstance(item, PostItem)
    assert (item.post.post_id, item.post.date) == ("News-of-Tavel/1", MOMENT)


def test_every_element_of_a_list_ends_as_an_item(tmp_path: Path) -> None:
    """Service messages, empty ones and what is no message are told apart."""
    joined = {"_": "MessageService", "id": 2, "date": 0, "action": {"_": "MessageActionChatAddUser"}}
    photo = {"id": 3, "message": "", "media": {"_": "MessageMediaPhoto"}}
    items = read(tmp_path, json.dumps([NATIVE, joined, photo, "text", {"id": 4}]), "telegram-api-list")
    assert [type(item) for item in items] == [PostItem, ServiceItem, EmptyItem, RefusedItem, RefusedItem]
    assert (items[1].reason, items[2].reason) == ("chatadduser", "photo")


def test_a_list_that_breaks_off_keeps_what_was_before(tmp_path: Path) -> None:
    """The break is refused with its line."""
    items = read(tmp_path, json.dumps([NATIVE, NATIVE | {"id": 8}])[:-30], "telegram-api-list")
    assert [type(item) for item in items] == [PostItem, RefusedItem]
    assert "breaks off" in items[1].reason


def test_ndjson_of_4cat(tmp_path: Path) -> None:
    """4CAT's lines carry the chat's user name and Unix times with a fraction."""
    line = NATIVE | {
        "_chat": {"id": 77, "username": "calverra", "title": "Ministry"},
        "date": MOMENT.timestamp() + 0.5,
    }
    items = read(tmp_path, json.dumps(line) + "\n\nnot json\n", "telegram-api-lines")
    assert [type(item) for item in items] == [PostItem, RefusedItem]
    assert isinstance(items[0], PostItem)
    assert (items[0].post.post_id, items[0].post.date) == ("calverra/7", MOMENT)
    assert items[1].position == "line 3"


def test_csv_of_4cat(tmp_path: Path) -> None:
    """4CAT's columns need no map."""
    header = "id,thread_id,chat,author,body,views,timestamp,unix_timestamp,author_forwarded_from_name,attachment_type"
    row = f"calverra-7,calverra,calverra,1,Words,10,2026-04-07 10:02:03,{int(MOMENT.timestamp())},News of Tavel,photo"
    (item,) = read(tmp_path, f"{header}\n{row}\n", "csv")
    assert isinstance(item, PostItem)
    post = item.post
    assert (post.post_id, post.text, post.date) == ("calverra/7", "Words", MOMENT)
    assert (post.forwarded_from, post.media, post.views) == ("News of Tavel", ("photo",), 10)


def test_a_real_list_is_read_whole(shared_data: Path) -> None:
    """All 1,000 messages of a real list are posts with a date."""
    path = shared_data / "telegram" / "telethon_json_ru" / "1001101170442_messages.json"
    items = list(read_posts(path).items)
    assert Counter(type(item) for item in items) == {
        PostItem: len(json.loads(path.read_text(encoding="utf-8")))
    }
    assert all(isinstance(item, PostItem) and item.post.date for item in items)
