"""Telegram Desktop's result.json: no message is lost, whatever is in it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotations.cleaning import clean
from annotations.errors import FileError
from annotations.readers import EmptyItem, Item, PostItem, ReadOptions, RefusedItem, ServiceItem, read_posts
from annotations.records import Post

_ANY_TEXT = st.text(st.characters(exclude_categories=()))
_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
_FIELDS = [
    "id", "type", "date", "date_unixtime", "edited", "edited_unixtime", "text", "text_entities", "reactions",
    "forwarded_from", "reply_to_message_id", "reply_to_peer_id", "media_type", "photo", "poll", "action",
]  # fmt: skip


def _message(**fields: Any) -> dict[str, Any]:
    return {"id": 1, "type": "message", "date_unixtime": "1769936400", "text": "A", **fields}


def _chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"name": "My Channel", "type": "public_channel", "id": 77, **fields, "messages": list(messages)}


def _items(tmp_path: Path, export: Any, options: ReadOptions | None = None) -> list[Item]:
    path = tmp_path / "result.json"
    path.write_text(export if isinstance(export, str) else json.dumps(export), encoding="utf-8")
    reading = read_posts(path, options)
    assert reading.format == "telegram-desktop"
    return list(reading.items)


def _post(tmp_path: Path, **fields: Any) -> Post:
    (item,) = _items(tmp_path, _chat(_message(**fields)))
    assert isinstance(item, PostItem)
    return item.post


@pytest.mark.parametrize(
    ("file", "posts", "empty", "service"),
    [
        ("desktop_json_ru_small/result.json", 1, 5, 0),
        ("desktop_json_synthetic_edge_cases/result.json", 11, 15, 61),
        ("desktop_json_synthetic_edge_cases/result_group.json", 19, 5, 21),
    ],
)
def test_counts_add_up(shared_data: Path, file: str, posts: int, empty: int, service: int) -> None:
    """Every message of a real export is a post, empty or service."""
    path = shared_data / "telegram" / file
    kinds = Counter(type(item) for item in read_posts(path).items)
    assert kinds == Counter({PostItem: posts, EmptyItem: empty, ServiceItem: service})
    assert kinds.total() == len(json.loads(path.read_text(encoding="utf-8"))["messages"])


def test_what_a_message_brings(tmp_path: Path) -> None:
    """Text, dates, source, reply, hashtags, links, media and reactions come over."""
    parts = [
        "See ",
        {"type": "text_link", "text": "here", "href": "https://x.org"},
        {"type": "hashtag", "text": "#UN"},
        {"type": "link", "text": "https://y.org"},
    ]
    post = _post(
        tmp_path,
        text=parts,
        edited_unixtime="1769936580",
        forwarded_from="News",
        reply_to_message_id=5,
        photo="(File not included.)",
        reactions=[
            {"type": "emoji", "emoji": "🔥", "count": 2},
            {"type": "custom_emoji", "document_id": "9", "count": 1},
            {"type": "paid", "count": 3},
        ],
    )
    assert post == Post(
        channel="My-Channel",
        message_id="1",
        text="See here#UNhttps://y.org",
        date=datetime(2026, 2, 1, 9, tzinfo=UTC),
        edited_at=datetime(2026, 2, 1, 9, 3, tzinfo=UTC),
        forwarded_from="News",
        reply_to="5",
        hashtags=("#UN",),
        links=("https://x.org", "https://y.org"),
        media=("photo",),
        reactions={"🔥": 2, "custom:9": 1, "paid": 3},
    )


@pytest.mark.parametrize(
    ("fields", "kind", "reason"),
    [
        ({"text": "", "photo": "p.jpg"}, EmptyItem, "photo"),
        ({"text": [], "file": "f", "media_type": "sticker"}, EmptyItem, "sticker"),
        ({"text": None, "poll": {"question": "?"}}, EmptyItem, "poll"),
        ({"text": " \n"}, EmptyItem, "no text"),
        ({"type": "service", "action": "pin_message"}, ServiceItem, "pin_message"),
        ({"type": "unsupported"}, EmptyItem, "of a kind that Telegram Desktop does not export"),
        ({"type": "poem"}, RefusedItem, "field 'type' is 'poem', not message or service"),
        ({"text": 5}, RefusedItem, "field 'text' is a number, not text"),
        ({"text": ["a", None]}, RefusedItem, "field 'text[1]' is null without text"),
        ({"id": None}, RefusedItem, "field 'id' is null, not a message's number"),
        ({"date_unixtime": "soon"}, RefusedItem, "field 'date_unixtime' is 'soon', not seconds since 1970"),
    ],
)
def test_messages_that_are_no_posts(tmp_path: Path, fields: Any, kind: type[Item], reason: str) -> None:
    """What is no post says what it is, or which field is wrong."""
    (item,) = _items(tmp_path, _chat(_message(**fields)))
    assert isinstance(item, kind)
    assert not isinstance(item, PostItem)
    assert (item.position, item.reason) == ("messages[0]", reason)


def test_string_ids_and_text_in_entities_alone(tmp_path: Path) -> None:
    """An id may be text, and the text may stand in text_entities alone."""
    post = _post(tmp_path, id="12", text="", text_entities=[{"type": "bold", "text": "B"}])
    assert (post.post_id, post.text) == ("My-Channel/12", "B")


def test_local_dates_without_a_zone_are_left_out(tmp_path: Path) -> None:
    """An old export has local times only: no date, with a note, unless the options name the zone."""
    old = _chat(
        {
            "id": 1,
            "type": "message",
            "date": "2019-05-01T12:00:00",
            "edited": "1970-01-01T03:00:00",
            "text": "A",
        }
    )
    (without,) = _items(tmp_path, old)
    (with_zone,) = _items(tmp_path, old, ReadOptions(timezone=timezone(timedelta(hours=3))))
    assert isinstance(without, PostItem)
    assert isinstance(with_zone, PostItem)
    assert (without.post.date, len(without.notes)) == (None, 1)
    assert with_zone.post.date == datetime(2019, 5, 1, 9, tzinfo=UTC)
    assert with_zone.post.edited_at is None


def test_a_whole_account(tmp_path: Path) -> None:
    """Each chat of an account keeps its own channel; chats that were left are read too."""
    export = {
        "about": "x",
        "contacts": {"list": [{"first_name": "A"}]},
        "chats": {
            "about": "y",
            "list": [_chat(_message()), _chat(_message(id=2), name=None, type="saved_messages")],
        },
        "left_chats": {"list": [_chat(_message(id=3), name="Old/ chat"), 5, {"name": "no messages"}]},
    }
    items = _items(tmp_path, export)
    posts = [item.post.post_id for item in items if isinstance(item, PostItem)]
    assert posts == ["My-Channel/1", "user77/2", "Old-chat/3"]
    assert [item.position for item in items if isinstance(item, RefusedItem)] == [
        "left_chats.list[1].messages[0]"
    ]
    with pytest.raises(FileError, match="whole account"):
        _items(tmp_path, export, ReadOptions(channel="X"))


def test_one_chat_of_an_account_can_be_named(tmp_path: Path) -> None:
    """--channel is taken where an account's export holds one chat only."""
    export = {"chats": {"list": [_chat(_message()), _chat(name="empty")]}}
    (item,) = _items(tmp_path, export, ReadOptions(channel="X"))
    assert isinstance(item, PostItem)
    assert item.post.post_id == "X/1"


def test_keys_in_another_order(tmp_path: Path) -> None:
    """The chat's name is found also where it comes after its messages."""
    (item,) = _items(tmp_path, json.dumps(_chat(_message()), sort_keys=True))
    assert isinstance(item, PostItem)
    assert item.post.channel == "My-Channel"


@pytest.mark.parametrize("cut", [0.3, 0.5, 0.9, 0.999])
def test_a_truncated_file_keeps_what_is_whole(tmp_path: Path, cut: float) -> None:
    """The messages before the break are kept, and the break is refused with its line."""
    whole = json.dumps(_chat(*(_message(id=number, text="text " * 9) for number in range(5000))), indent=1)
    text = whole[: int(len(whole) * cut)]
    items = _items(tmp_path, text)
    complete = text.count("\n  }")
    assert [item.post.message_id for item in items[:-1] if isinstance(item, PostItem)] == [
        str(number) for number in range(complete)
    ]
    assert isinstance(items[-1], RefusedItem)
    assert items[-1].position == f"line {text.count(chr(10)) + 1}"
    assert "breaks off" in items[-1].reason


def test_what_follows_the_export_is_reported(tmp_path: Path) -> None:
    """A tail that is not JSON is refused; the messages before it are kept."""
    items = _items(tmp_path, json.dumps(_chat(_message())) + "\nKilled")
    assert [type(item) for item in items] == [PostItem, RefusedItem]
    assert items[1].position == "line 2"


def test_a_syntax_error_in_the_middle(tmp_path: Path) -> None:
    """The break is found at its line, without reading the rest of the file into memory."""
    text = json.dumps(_chat(*(_message(id=number) for number in range(3000))), indent=1)
    broken = text.replace('"id": 1500,', '"id" 1500,')
    items = _items(tmp_path, broken)
    assert [type(item) for item in items] == [PostItem] * 1500 + [RefusedItem]
    assert (
        items[-1].position
        == f"line {broken[: broken.index(chr(34) + 'id' + chr(34) + ' 1500')].count(chr(10)) + 1}"
    )


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    """The message that holds them is refused, the others are kept."""
    path = tmp_path / "result.json"
    export = json.dumps(
        _chat(_message(text="яяя"), _message(id=2, text="X"), _message(id=3)), ensure_ascii=False
    )
    path.write_bytes(export.encode().replace(b'"X"', b'"\xff"'))
    assert [type(item) for item in read_posts(path).items] == [PostItem, RefusedItem, PostItem]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(_ANY_TEXT, max_size=8), ascii_only=st.booleans())
def test_any_text_arrives(tmp_path: Path, texts: list[str], ascii_only: bool) -> None:
    """Whatever the texts (lone surrogates, NUL, quotes), each arrives clean or is empty; none is lost."""
    if not ascii_only:
        texts = [text.encode("utf-8", "replace").decode() for text in texts]
    export = json.dumps(
        _chat(*(_message(id=i, text=text) for i, text in enumerate(texts))), ensure_ascii=ascii_only
    )
    items = _items(tmp_path, export)
    found = [item.post.text if isinstance(item, PostItem) else "" for item in items]
    assert found == [clean(text) for text in texts]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(_FIELDS), _ANY_JSON) | _ANY_JSON, max_size=6))
def test_wrong_types_never_crash(tmp_path: Path, messages: list[Any]) -> None:
    """Whatever the types of the fields, each message is one item whose post can be stored."""
    items = _items(tmp_path, _chat(*messages))
    assert len(items) == len(messages)
    assert [item.position for item in items] == [f"messages[{index}]" for index in range(len(messages))]
    for item in items:
        if isinstance(item, PostItem):
            post = item.post
            kept = [post.post_id, post.forwarded_from, post.reply_to, post.hashtags, post.links, post.media]
            json.dumps([*kept, post.text, post.reactions], ensure_ascii=False).encode("utf-8")
