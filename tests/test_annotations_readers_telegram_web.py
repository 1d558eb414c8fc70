"""Saved pages of t.me/s: each message once, with the text that stands on the page."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from annotations.readers import EmptyItem, Item, PostItem, RefusedItem, read_posts

FOOTER = """<div class="tgme_widget_message_footer"><div class="tgme_widget_message_info">
<span class="tgme_widget_message_views">1.31K</span><span class="tgme_widget_message_meta">{edited}<a
class="tgme_widget_message_date" href="https://t.me/calverra/7"><time datetime="2026-04-07T10:02:03+02:00"
class="time">10:02</time></a></span></div></div>"""
EMOJI = '<i class="emoji" style="background-image:url(x.png)"><b>🕊</b></i>'


def message(body: str, number: str = "calverra/7", edited: str = "") -> str:
    """Return a message as the page has it."""
    return (
        f'<div class="tgme_widget_message_wrap"><div class="tgme_widget_message" data-post="{number}">'
        f'<div class="tgme_widget_message_bubble">{body}{FOOTER.format(edited=edited)}</div></div></div>'
    )


def text(content: str) -> str:
    """Return a text block of a message."""
    return f'<div class="tgme_widget_message_text js-message_text" dir="auto">{content}</div>'


def read(tmp_path: Path, *messages: str) -> list[Item]:
    """Write a page and read it."""
    path = tmp_path / "page.html"
    path.write_text(f"<!DOCTYPE html><html><body>{''.join(messages)}</body></html>", encoding="utf-8")
    reading = read_posts(path)
    assert reading.format == "telegram-web"
    return list(reading.items)


def test_a_message_has_text_date_views_and_channel(tmp_path: Path) -> None:
    """Emoji are characters, breaks are lines, the time is the one with a zone."""
    (item,) = read(
        tmp_path, message(text(f'{EMOJI} Peace<br/>and <a href="https://calverra.example/">law</a>'))
    )
    assert isinstance(item, PostItem)
    post = item.post
    assert (post.post_id, post.text, post.views) == ("calverra/7", "🕊 Peace\nand law", 1310)
    assert post.date == datetime(2026, 4, 7, 8, 2, 3, tzinfo=UTC)
    assert post.links == ("https://calverra.example/",)


def test_nested_text_and_the_text_of_a_reply_do_not_count(tmp_path: Path) -> None:
    """The page puts a text block into a text block, and quotes what a message replies to."""
    reply = ('<a class="tgme_widget_message_reply" href="https://t.me/calverra/5"><div class="tgme_widget_message_text '
             'js-message_reply_text">The question</div></a>')  # fmt: skip
    (item,) = read(tmp_path, message(reply + text(text("The answer"))))
    assert isinstance(item, PostItem)
    assert (item.post.text, item.post.reply_to) == ("The answer", "5")


def test_forwards_media_reactions_and_edits_are_kept(tmp_path: Path) -> None:
    """What stands around the text comes with it."""
    around = ('<div class="tgme_widget_message_forwarded_from">Forwarded from <a '
              'class="tgme_widget_message_forwarded_from_name"><span>News of Tavel</span></a></div>'
              '<a class="tgme_widget_message_photo_wrap" style="x"></a>')  # fmt: skip
    reactions = '<span class="tgme_reaction"><i class="emoji"><b>❤</b></i>1.2K</span>'
    (item,) = read(tmp_path, message(around + text("Words") + reactions, edited="edited "))
    assert isinstance(item, PostItem)
    assert (item.post.forwarded_from, item.post.media) == ("News of Tavel", ("photo",))
    assert item.post.reactions == {"❤": 1200}
    assert "edited" in item.notes[0]


def test_messages_without_text_or_number_are_accounted_for(tmp_path: Path) -> None:
    """A sticker is empty; a message that cannot be named is refused."""
    sticker = '<div class="tgme_widget_message_sticker_wrap"></div>'
    items = read(tmp_path, message(sticker), message(text("Words"), number=""))
    assert [type(item) for item in items] == [EmptyItem, RefusedItem]
    assert items[0].reason == "sticker"


def test_real_pages_are_read_whole(shared_data: Path) -> None:
    """Every data-post of every saved page ends as one item, and no text is in there twice."""
    for path in sorted((shared_data / "telegram" / "tme_s_html").glob("*.html")):
        items = list(read_posts(path).items)
        assert len(items) == path.read_text(encoding="utf-8").count("data-post=")
        assert Counter(type(item) for item in items)[RefusedItem] == 0
        for item in items:
            if isinstance(item, PostItem) and len(item.post.text) > 40:
                assert item.post.text.count(item.post.text[:40]) == 1
