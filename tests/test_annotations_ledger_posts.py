"""Posts in the ledger, on SQLite and on PostgreSQL: recorded once, revised when edited, read in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from annotations.importing import import_file
from annotations.ledger.channels import remembered_channel
from annotations.ledger.posts import current_posts, post_counts
from annotations.ledger.recording import record_posts
from annotations.ledger.store import Ledger, now, open_ledger
from annotations.ledger.tables import imports, revisions
from annotations.readers import ChannelNames
from annotations.records import Post

_DAY = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """Return an empty ledger, on each of the two databases."""
    opened = open_ledger(ledger_url)
    with opened.begin() as connection:
        connection.execute(insert(imports).values(file="f", format="x", started_at=now(), counts={}))
    yield opened
    opened.close()


def _record(ledger: Ledger, *batch: Post, cleaner: int = 1) -> list[str]:
    with ledger.begin() as connection:
        return record_posts(connection, 1, batch, cleaner=cleaner)


def _post(number: int, words: str, **fields: Any) -> Post:
    return Post(channel="C", message_id=str(number), text=words, **fields)


def _texts(ledger: Ledger) -> dict[str, str]:
    return {stored.post.post_id: stored.post.text for stored in current_posts(ledger)}


def _duplicates(ledger: Ledger) -> dict[str, str | None]:
    return {stored.post.post_id: stored.duplicate_of for stored in current_posts(ledger)}


def test_a_post_comes_back_as_it_was(ledger: Ledger) -> None:
    """Every field of a post is kept, and recording it again changes nothing."""
    post = Post(
        channel="Канал",
        message_id="7",
        text="Текст 👍",
        raw="Текст \ud83d\x00👍\r\n",
        date=_DAY,
        edited_at=_DAY + timedelta(hours=1),
        lang="ru",
        forwarded_from="X",
        reply_to="6",
        hashtags=("#a",),
        links=("https://x.org",),
        media=("photo",),
        views=5,
        forwards=2,
        reactions={"🔥": 2},
    )
    without = Post(channel="C", text="no id, no date")
    assert _record(ledger, post, without) == ["new", "new"]
    assert _record(ledger, post, without) == ["unchanged", "unchanged"]
    assert [stored.post for stored in current_posts(ledger)] == [post, without]


def test_an_edit_makes_a_revision(ledger: Ledger) -> None:
    """Another text of the same post is current from then on; the old one is kept."""
    assert _record(ledger, _post(1, "old")) == ["new"]
    assert _record(ledger, _post(1, "new")) == ["edited"]
    assert _texts(ledger) == {"C/1": "new"}
    with ledger.begin() as connection:
        assert set(connection.scalars(select(revisions.c.text))) == {"old", "new"}


def test_an_older_file_does_not_turn_the_clock_back(ledger: Ledger) -> None:
    """A text seen before, or edited earlier than the current one, does not become current again."""
    first, second = _post(1, "v1"), _post(1, "v2", edited_at=_DAY)
    third = _post(1, "v3", edited_at=_DAY + timedelta(1))
    assert _record(ledger, third) == ["new"]
    assert _record(ledger, first, second) == ["unchanged", "unchanged"]
    assert _texts(ledger) == {"C/1": "v3"}
    assert post_counts(ledger)["revisions"] == 3
    assert _record(ledger, _post(2, "a")) + _record(ledger, _post(2, "b")) == ["new", "edited"]
    assert _record(ledger, _post(2, "a")) == ["unchanged"]
    assert _texts(ledger)["C/2"] == "b"


def test_a_text_that_was_restored_later_is_current(ledger: Ledger) -> None:
    """A later edit back to an older text counts."""
    _record(ledger, _post(1, "a"), _post(1, "b", edited_at=_DAY))
    assert _record(ledger, _post(1, "a", edited_at=_DAY + timedelta(1))) == ["edited"]
    assert _texts(ledger) == {"C/1": "a"}
    assert _record(ledger, _post(1, "b", edited_at=_DAY)) == ["unchanged"]
    assert post_counts(ledger)["revisions"] == 2


def test_the_same_message_twice_in_a_batch(ledger: Ledger) -> None:
    """Twice the same is new and unchanged; with another text it is edited."""
    assert _record(ledger, _post(1, "a"), _post(1, "a"), _post(1, "b")) == ["new", "unchanged", "edited"]
    assert _texts(ledger) == {"C/1": "b"}


def test_views_and_reactions_are_brought_up_to_date(ledger: Ledger) -> None:
    """An unchanged text takes new counts, and keeps what the newer file does not tell."""
    _record(ledger, _post(1, "a", views=1, links=("https://x.org",), date=_DAY))
    assert _record(ledger, _post(1, "a", views=9, reactions={"🔥": 1})) == ["unchanged"]
    (stored,) = current_posts(ledger)
    expected = _post(1, "a", views=9, links=("https://x.org",), date=_DAY, reactions={"🔥": 1})
    assert stored.post == expected


def test_duplicates_are_stored_and_point_to_the_first(ledger: Ledger) -> None:
    """The same text under another id is a duplicate, in the same batch and in a later one."""
    assert _record(ledger, _post(5, "same"), _post(6, "same")) == ["new", "duplicate"]
    assert _record(ledger, _post(1, "same"), _post(5, "same")) == ["duplicate", "unchanged"]
    assert _duplicates(ledger) == {"C/1": "C/5", "C/5": None, "C/6": "C/5"}
    assert [s.post.post_id for s in current_posts(ledger, include_duplicates=False)] == ["C/5"]


def test_an_edit_leaves_and_joins_duplicates(ledger: Ledger) -> None:
    """When the first of some duplicates is edited, the others keep together and get another first."""
    _record(ledger, _post(1, "same"), _post(2, "same"), _post(3, "same"), _post(4, "other"))
    assert _record(ledger, _post(1, "other")) == ["edited"]
    assert _duplicates(ledger) == {"C/1": "C/4", "C/2": None, "C/3": "C/2", "C/4": None}


def test_a_newer_cleaner_makes_no_revision(ledger: Ledger) -> None:
    """A text that differs only because it was cleaned otherwise is the same text."""
    _record(ledger, _post(1, "a  b", raw="a  b "))
    assert _record(ledger, _post(1, "a b", raw="a  b "), cleaner=2) == ["unchanged"]
    assert _record(ledger, _post(1, "a c", raw="a  c "), cleaner=2) == ["edited"]
    assert _texts(ledger) == {"C/1": "a c"}


def test_posts_come_by_date_then_id(ledger: Ledger) -> None:
    """The order is by date, those without one last, over pages and with filters."""
    dated = [_post(number, str(number), date=_DAY + timedelta(seconds=number % 7)) for number in range(2100)]
    undated = [Post(channel="D", message_id=str(number), text=f"d{number}") for number in range(1001)]
    _record(ledger, *reversed(undated))
    _record(ledger, *dated)
    everything = [stored.post for stored in current_posts(ledger)]
    assert len(everything) == len({post.post_id for post in everything}) == 3101
    assert [post.date for post in everything[:2100]] == sorted(post.date for post in dated if post.date)
    assert {post.channel for post in everything[2100:]} == {"D"}
    assert [stored.post for stored in current_posts(ledger, limit=2101)] == everything[:2101]
    assert [stored.post for stored in current_posts(ledger, channels=["D"])] == everything[2100:]


def test_reading_leaves_the_ledger_free_for_writing(ledger: Ledger) -> None:
    """Posts can be recorded while others are read."""
    _record(ledger, *(_post(number, str(number)) for number in range(3)))
    for stored in current_posts(ledger, limit=3):
        assert _record(ledger, replace(stored.post, views=1)) == ["unchanged"]


def test_counts_for_the_status(ledger: Ledger) -> None:
    """The counts say how much of what the ledger holds."""
    _record(ledger, _post(1, "a"), _post(2, "a"), _post(1, "b"))
    none = dict.fromkeys(("duplicates", "near_duplicates", "clusters", "erased", "refused"), 0)
    assert post_counts(ledger) == {"posts": 2, "revisions": 3, "channels": 1, "imports": 1, **none}


def test_channels_are_remembered(ledger: Ledger) -> None:
    """A channel that was named once is found again by its number and by its title."""
    chat = ChannelNames("Russian MFA 🇷🇺", "channel77", "result")
    assert remembered_channel(ledger, chat, "MFARussia") == "MFARussia"
    assert remembered_channel(ledger, chat, None) == "MFARussia"
    assert remembered_channel(ledger, ChannelNames("New title", "channel77", "result"), None) == "MFARussia"
    assert remembered_channel(ledger, ChannelNames("Russian MFA 🇷🇺", None, "x"), None) == "MFARussia"
    assert remembered_channel(ledger, ChannelNames(None, None, "x y"), None) == "x-y"


def test_two_chats_of_one_title_stay_apart(ledger: Ledger) -> None:
    """Chats are told apart by number; the second of a title has its number behind it."""
    first, second = ChannelNames("Anna", "user1", "r"), ChannelNames("Anna", "user2", "r")
    for _ in range(2):
        assert remembered_channel(ledger, first, None) == "Anna"
        assert remembered_channel(ledger, second, None) == "Anna-user2"


def test_a_file_is_imported(ledger: Ledger, tmp_path: Path) -> None:
    """An import with refusals is recorded on each database, and again without a change."""
    path = tmp_path / "posts.csv"
    path.write_text(
        'id,text,date\n1,a,2025-01-01T00:00:00Z\n2,b,soon\n3,"open\n4,"x\0y",\n', encoding="utf-8"
    )
    for outcome in ("new", "unchanged"):
        counts = import_file(ledger, path).counts
        assert (counts[outcome], counts["refused"]) == (2, 2)
    assert post_counts(ledger)["refused"] == 4
