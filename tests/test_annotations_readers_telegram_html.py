"""Telegram Desktop's HTML export: every message ends as an item, with the text that its author wrote."""

from __future__ import annotations

import html
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from annotations.cleaning import clean
from annotations.readers import EmptyItem, Item, PostItem, ReadOptions, RefusedItem, ServiceItem, read_posts
from annotations.records import Post

HEAD = """<!DOCTYPE html><html><head><meta charset="utf-8"/><title>Exported Data</title></head><body>
<div class="page_wrap"><div class="page_header"><div class="content"><div class="text bold">
Ministry of Calverra
</div></div></div><div class="page_body chat_page"><div class="history">
"""
TAIL = "</div></div></div></body></html>"


def message(
    number: int, text: str, *, time: str = "07.04.2026 10:02:03", more: str = "", joined: bool = False
) -> str:
    """Return a message as the export writes it."""
    name = "" if joined else '<div class="from_name">\nMinistry of Calverra \n</div>'
    body = f'<div class="text">\n{text}\n       </div>' if text else ""
    return (
        f'<div class="message default clearfix{" joined" if joined else ""}" id="message{number}">\n'
        '<div class="body">\n'
        f'<div class="pull_right date details" title="{time}">\n10:02\n</div>{name}{more}{body}\n</div></div>'
    )


def service(number: int, text: str) -> str:
    """Return a message of the app."""
    return (
        f'<div class="message service" id="message{number}"><div class="body details">\n{text}\n</div></div>'
    )


def read(tmp_path: Path, *messages: str, tail: str = TAIL, options: ReadOptions | None = None) -> list[Item]:
    """Write an export and read it."""
    path = tmp_path / "messages.html"
    path.write_text(HEAD + "\n".join(messages) + tail, encoding="utf-8")
    reading = read_posts(path, options)
    assert reading.format == "telegram-desktop-html"
    return list(reading.items)


def only_post(items: list[Item]) -> Post:
    """Return the one post of some items."""
    (item,) = items
    assert isinstance(item, PostItem)
    return item.post


def test_a_message_has_text_id_channel_and_links(tmp_path: Path) -> None:
    """Line breaks are the author's, entities are characters, the page's own white space is nobody's."""
    text = 'A &lt;fair&gt; order  &amp; law<br><br><a href="https://calverra.example/x">Read</a> <strong>#UN</strong>'
    post = only_post(read(tmp_path, message(7, text, time="07.04.2026 10:02:03 UTC+02:00")))
    assert post.text == "A <fair> order  & law\n\nRead #UN"
    assert post.post_id == "Ministry-of-Calverra/7"
    assert post.date == datetime(2026, 4, 7, 8, 2, 3, tzinfo=UTC)
    assert post.links == ("https://calverra.example/x",)
    assert post.hashtags == ("#UN",)


def test_the_old_style_has_no_zone_and_so_no_date(tmp_path: Path) -> None:
    """A local time is not a date; with the zone named it is."""
    (item,) = read(tmp_path, message(7, "Text"))
    assert isinstance(item, PostItem)
    assert item.post.date is None
    assert "zone" in item.notes[0]
    zoned = ReadOptions(timezone=ZoneInfo("Europe/Madrid"))
    assert only_post(read(tmp_path, message(7, "Text"), options=zoned)).date == datetime(
        2026, 4, 7, 8, 2, 3, tzinfo=UTC
    )


def test_joined_messages_separators_and_service_messages_are_told_apart(tmp_path: Path) -> None:
    """A message without a name of its own is still a message; a date line is none."""
    items = read(
        tmp_path,
        service(-1, "7 April 2026"),
        message(1, "One"),
        message(2, "Two", joined=True),
        service(3, "Ministry pinned a message"),
    )
    assert [type(item) for item in items] == [ServiceItem, PostItem, PostItem, ServiceItem]
    assert items[0].reason == "date separator"
    assert "pinned" in items[3].reason


def test_forwards_replies_media_and_reactions_are_kept(tmp_path: Path) -> None:
    """What stands around the text comes with it; a joined forward has the source of the one before."""
    forwarded = (
        '<div class="forwarded body"><div class="from_name">\nNews of Tavel <span class="date details" '
        'title="06.04.2026 09:00:00"> 06.04.2026</span></div><div class="text">Forwarded words</div></div>'
    )
    joined = '<div class="forwarded body"><div class="text">More words</div></div>'
    around = (
        '<div class="reply_to details">'
        'In reply to <a href="messages2.html#go_to_message42">this message</a></div>'
        '<div class="media_wrap clearfix"><a class="photo_wrap clearfix pull_left" href="photos/1.jpg"></a></div>'
    )
    reactions = (
        '<span class="reactions"><span class="reaction"><span class="emoji">🔥</span>'
        '<span class="count">12</span></span></span>'
    )
    first, second, third = read(
        tmp_path,
        message(1, "", more=forwarded),
        message(2, "", more=joined, joined=True),
        message(3, "Own words", more=around + reactions),
    )
    assert isinstance(first, PostItem)
    assert (first.post.text, first.post.forwarded_from) == ("Forwarded words", "News of Tavel")
    assert isinstance(second, PostItem)
    assert (second.post.text, second.post.forwarded_from) == ("More words", "News of Tavel")
    assert isinstance(third, PostItem)
    assert third.post.forwarded_from is None
    assert (third.post.reply_to, third.post.media, third.post.reactions) == ("42", ("photo",), {"🔥": 12})


def test_a_message_with_media_alone_is_empty_and_says_which(tmp_path: Path) -> None:
    """A photo without words is no post."""
    media = '<div class="media_wrap clearfix"><div class="media clearfix pull_left media_voice_message"></div></div>'
    assert read(tmp_path, message(1, "", more=media)) == [EmptyItem("message1", "voice_message")]


def test_a_file_that_breaks_off_says_so(tmp_path: Path) -> None:
    """The messages before the break are kept, and the break is reported."""
    items = read(tmp_path, message(1, "One"), message(2, "Two"), tail="")
    assert [type(item) for item in items] == [PostItem, PostItem, RefusedItem]
    assert "breaks off" in items[2].reason


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80))
def test_any_text_arrives_as_it_was_written(tmp_path_factory, text: str) -> None:  # type: ignore[no-untyped-def]
    """Whatever an author typed in one line is what is tagged."""
    items = read(tmp_path_factory.mktemp("html"), message(1, html.escape(text)))
    if wanted := clean(text):  # a line of the app is nobody's text
        assert only_post(items).text == wanted
    else:
        assert [type(item) for item in items] == [EmptyItem]


def test_a_real_export_is_read_whole(shared_data: Path) -> None:
    """All 1,000 messages and 61 date lines of a real export are accounted for."""
    path = shared_data / "telegram" / "desktop_html_en" / "messages2.html"
    source = path.read_text(encoding="utf-8")
    items = list(read_posts(path).items)
    counts = Counter(type(item) for item in items)
    assert counts[PostItem] + counts[EmptyItem] == source.count('class="message default')
    assert counts[ServiceItem] == source.count('class="message service"')
    assert counts[RefusedItem] == 0
    joined = [item.post for item in items if isinstance(item, PostItem)]
    assert len({post.message_id for post in joined}) == 1000
