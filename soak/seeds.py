"""Small files of every format, well formed and odd, that the fuzzer starts from."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow
from pyarrow import parquet

TEXTS = (
    "The river Tavel belongs to every village #valley https://calverra.example/news",
    "Вода принадлежит всем деревням\n\nЧитайте полностью 🕊️",
    '=cmd "quoted", semi;colon\tand tab',
    "",
    " \u2028\u0085 ",
    "\ud83d lone",
    "VIEW IN TELEGRAM",
)
_COUNTS = pyarrow.map_(pyarrow.string(), pyarrow.int64())
DEEP = 3_000  # levels: deeper than any parser follows


def seeds(format_name: str) -> list[bytes]:
    """Return the seeds of a format."""
    return _SEEDS[format_name]


def _dump(value: Any, **options: Any) -> bytes:
    return json.dumps(value, **options).encode()


def _desktop_message(number: float, text: Any, **fields: Any) -> dict[str, Any]:
    return {"id": number, "type": "message", "date": "2026-01-02T03:04:05", "text": text} | fields


_DESKTOP_MESSAGES = [
    *(_desktop_message(i, text, date_unixtime="1767323045") for i, text in enumerate(TEXTS, 1)),
    {"id": 20, "type": "service", "action": "pin_message", "actor": "Calverra"},
    _desktop_message(21, "", photo="photos/1.jpg", media_type="sticker"),
    _desktop_message(
        22,
        [
            "A ",
            {"type": "bold", "text": "bold"},
            {"type": "text_link", "text": "x", "href": "https://a.example"},
        ],
        text_entities=[{"type": "hashtag", "text": "#valley"}],
        edited_unixtime="1767323999",
        forwarded_from="Herald",
        reply_to_message_id=3,
        reply_to_peer_id="channel7",
        reactions=[{"type": "emoji", "count": 3, "emoji": "🔥"}, {"type": "paid", "count": 2}],
    ),
    _desktop_message(23, 5),
    _desktop_message(1e400, "x", date_unixtime="99999999999999999999"),
    7,
]
_CHAT = {"name": "Ministry", "type": "public_channel", "id": 5, "messages": _DESKTOP_MESSAGES}
_PERSONAL = {"name": None, "type": "personal_chat", "id": "6", "messages": _DESKTOP_MESSAGES[:3]}
_SAVED = {"type": "saved_messages", "id": 7, "messages": []}
_ACCOUNT = {
    "about": "x",
    "chats": {"about": "x", "list": [_CHAT, _PERSONAL, _SAVED, 4]},
    "left_chats": {"list": [_PERSONAL]},
}

_API_MESSAGES = [
    *(
        {
            "_": "Message",
            "id": i,
            "peer_id": {"_": "PeerChannel", "channel_id": 77},
            "message": text,
            "date": 1767323045.0,
        }
        for i, text in enumerate(TEXTS, 1)
    ),
    {"_": "MessageService", "id": 30, "action": {"_": "MessageActionPinMessage"}},
    {
        "_": "Message",
        "id": 31,
        "_chat": {"username": "calverra", "title": "Ministry"},
        "message": "a https://a.example 🕊️",
        "date": "2026-01-02T03:04:05+00:00",
        "edit_date": "2026-01-02 03:04",
        "entities": [
            {"_": "MessageEntityUrl", "offset": 2, "length": 17},
            {"_": "MessageEntityTextUrl", "url": "https://b.example", "offset": -1, "length": 10**20},
        ],
        "fwd_from": {
            "from_id": {"channel_id": 5, "chats": [{"id": 5, "username": "herald"}]},
            "from_name": None,
        },
        "reply_to": {"reply_to_msg_id": 4},
        "views": 1310,
        "forwards": "1.3K",
        "reactions": {"results": [{"reaction": {"emoticon": "🔥"}, "count": 3}]},
        "media": {"_": "MessageMediaDocument", "document": {"mime_type": "video/mp4"}},
    },
    {"id": 32, "text": "plain", "chat": "calverra", "date": None},
    "no message",
]
_ROWS = [
    {
        "channel": "mfa",
        "message_id": i,
        "text": text,
        "date": "2026-01-02T03:04:05Z",
        "views": 5,
        "hashtags": ["#a"],
    }
    for i, text in enumerate(TEXTS, 1)
] + [
    {
        "post_id": "mfa/9",
        "text": "x",
        "reactions": {"🔥": 3},
        "media": "photo|video",
        "date": 1767323045,
        "edited_at": "01/02/2026",
    },
    {"text": 5},
    {"message_id": "a b", "text": "x"},
]


def _csv(delimiter: str, gap: str) -> bytes:
    rows = [("post_id", "channel", "message_id", "date", "text", "views", "reactions")]
    rows += [
        (
            f"mfa/{i}",
            "mfa",
            str(i),
            "2026-01-02",
            text.encode("utf-8", "replace").decode(),
            "1.3K",
            '{"🔥": 3}',
        )
        for i, text in enumerate(TEXTS, 1)
    ]
    lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    return gap.join(lines).encode()


def _parquet(**columns: Any) -> bytes:
    target = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), target, row_group_size=2)
    return target.getvalue()


def _html(time: str, *, is_whole: bool = True) -> bytes:
    page = f"""<!DOCTYPE html>
<html><head><meta charset="utf-8"/><title>Exported Data</title></head><body><div class="page_wrap">
<div class="page_header"><div class="content"><div class="text bold">Ministry</div></div></div>
<div class="page_body chat_page"><div class="history">
<div class="message service" id="message-1"><div class="body details">2 January 2026</div></div>
<div class="message default clearfix" id="message5"><div class="body">
<div class="pull_right date details" title="{time}">03:04</div><div class="from_name">Ministry</div>
<div class="reply_to details">In reply to <a href="#go_to_message3">this message</a></div>
<div class="text">One<br/>two <a href="https://a.example">link</a> #valley</div>
<div class="reactions"><span class="reaction"><span class="emoji">🔥</span><span class="count">12</span></span></div>
</div></div>
<div class="message default clearfix joined" id="message6"><div class="body">
<div class="pull_right date details" title="{time}">03:05</div>
<div class="forwarded body"><div class="from_name">Herald<span class="date"> 01.01.2026</span></div><div class="text">Forwarded</div></div>
<div class="media_wrap clearfix"><div class="media media_photo"></div></div>
</div></div></div></div></div></body></html>
"""
    return page[: None if is_whole else -150].encode()


_WEB = """<!DOCTYPE html>
<html><body><div class="tgme_widget_message_wrap"><div class="tgme_widget_message text_not_supported_wrap" data-post="mfa/5">
<div class="tgme_widget_message_forwarded_from">from <a class="tgme_widget_message_forwarded_from_name" href="https://t.me/h">Herald</a></div>
<a class="tgme_widget_message_reply" href="https://t.me/mfa/3"><span class="tgme_widget_message_text">old</span></a>
<div class="tgme_widget_message_text js-message_text">One<br/>two <a href="https://a.example">link</a></div>
<div class="tgme_widget_message_reactions"><span class="tgme_reaction"><i>🔥</i>1.3K</span></div>
<span class="tgme_widget_message_views">24.5K</span><span class="tgme_widget_message_meta">edited
<a class="tgme_widget_message_date" href="x"><time datetime="2026-01-02T03:04:05+00:00">03:04</time></a></span></div></div>
<div class="tgme_widget_message_wrap"><div class="tgme_widget_message service_message" data-post="mfa/6"></div></div>
<div class="tgme_widget_message_wrap"><div class="tgme_widget_message" data-post="mfa"><div class="tgme_widget_message_photo_wrap"></div></div></div>
</body></html>
""".encode()

_FORWARDS = """Forwarded from Ministry of Calverra
The river Tavel belongs to every village.
Second line
The river Tavel belongs to every village.
Second line
Переслано из Вестник: долины
VIEW IN TELEGRAM
Вода
""".encode()

_SEEDS: dict[str, list[bytes]] = {
    "telegram-desktop": [
        _dump(_CHAT),
        _dump(_CHAT, indent=1),
        _dump({"messages": _DESKTOP_MESSAGES[:2], "name": "last"}),
        _dump(_ACCOUNT),
        _dump(_CHAT)[:-200],
        b'{"messages": [' + b"[" * DEEP + b"]" * DEEP + b"]}",
        b'{"messages": [{"id": ' + b"9" * 5000 + b', "text": "x"}, {"id": 2, "text": "y"}]}',
    ],
    "telegram-api-list": [_dump(_API_MESSAGES), _dump(_API_MESSAGES, indent=1), _dump(_API_MESSAGES)[:-90]],
    "telegram-api-lines": [
        b"\n".join(map(_dump, _API_MESSAGES)),
        b"\r\n\r\n".join(map(_dump, _API_MESSAGES[7:])),
        b'{"_": 1, "id": 1, "text": ' + b"[" * DEEP + b"\n" + _dump(_API_MESSAGES[0]),
    ],
    "jsonl": [
        b"\n".join(map(_dump, _ROWS)),
        b"\r\n\n".join(map(_dump, _ROWS)),
        b'{"text": "x"}\n{"text": ' + b"[" * DEEP + b"\nnull\n[]",
        b'{"body": "x", "id": 1}\n{"text": "y"}',
    ],
    "csv": [
        _csv(",", "\n"),
        _csv(";", "\r\n"),
        _csv("\t", "\r"),
        "message_id,text\n1,Москва\n2,мир\n".encode("cp1251"),
        "id,thread_id,body,timestamp,chat\n1,1,x,2026-01-02,mfa\n".encode("utf-16"),
        b'text,message_id\n"open,1\nnext,2\n',
        b" \ntext,message_id\na,1\n",
    ],
    "parquet": [
        _parquet(text=["a", None, "c"], message_id=[1, 2, 3], views=[1.0, None, 3.5]),
        _parquet(text=["a"], reactions=pyarrow.array([[("🔥", 3)]], _COUNTS), hashtags=[["#a"]]),
    ],
    "telegram-desktop-html": [
        _html("02.01.2026 03:04:05 UTC+03:00"),
        _html("02.01.2026 03:04:05"),
        _html("99.99.9999 99:99:99 UTC+99:99", is_whole=False),
    ],
    "telegram-web": [_WEB, _WEB[:-300]],
    "text-dump": [
        _FORWARDS,
        b"Please open Telegram to view this post\nText\n",
        _FORWARDS.replace(b"\n", b"\r\n"),
    ],
}
