"""Tests of annotations.ledger.browsing, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from annotations.ledger.browsing import Search, channel_names, newest_posts, one_post
from annotations.ledger.recording import record_posts
from annotations.ledger.store import Ledger, connect_ledger, now, open_ledger
from annotations.ledger.tables import imports
from annotations.records import Post

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def _posts() -> list[Post]:
    dated = [
        Post(
            channel="north", message_id=str(n), text=f"Day {n} in Calverra.", date=_FIRST + timedelta(days=n)
        )
        for n in range(5)
    ]
    return [
        *dated,
        Post(channel="south", message_id="1", text="Многополярный мир, 100% наш."),
        Post(channel="south", message_id="2", text="A 100_percent MULTIPOLAR world."),
    ]


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """Return a ledger with five posts of one channel, and two without a date of another."""
    with closing(open_ledger(ledger_url)) as ledger:
        with ledger.begin() as connection:
            connection.execute(insert(imports).values(file="f", format="x", started_at=now(), counts={}))
            record_posts(connection, 1, _posts())
        yield ledger


def _ids(ledger: Ledger, size: int = 10, **search: object) -> list[str]:
    found = newest_posts(ledger, Search(**search), size)  # type: ignore[arg-type]
    return [post.post_id for post in found.posts]


def test_the_newest_come_first_and_those_without_a_date_last(ledger: Ledger) -> None:
    """Pages follow each other without a gap, and the last one says that it is."""
    pages = [newest_posts(ledger, Search(page=page), 3) for page in (1, 2, 3)]
    assert [[post.post_id for post in page.posts] for page in pages] == [
        ["north/4", "north/3", "north/2"],
        ["north/1", "north/0", "south/2"],
        ["south/1"],
    ]
    assert [page.has_more for page in pages] == [True, True, False]
    assert newest_posts(ledger, Search(page=4), 3).posts == ()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("multipolar", ["south/2"]),
        ("МНОГОПОЛЯРНЫЙ", ["south/1"]),
        ("многополярный мир", ["south/1"]),
        ("100%", ["south/1"]),
        ("100_p", ["south/2"]),
        ("day 3", ["north/3"]),
        ("multipolar наш", []),
    ],
)
def test_words_are_found_in_any_case(ledger: Ledger, words: str, expected: list[str]) -> None:
    """All words must be there; what SQL takes for a wildcard is a character like any other."""
    assert _ids(ledger, words=words) == expected


def test_channels(ledger: Ledger) -> None:
    """The channels are named in order, and one of them can be asked for."""
    assert channel_names(ledger) == ("north", "south")
    assert _ids(ledger, channel="south", words="world") == ["south/2"]
    assert _ids(ledger, channel="west") == []


def test_one_post(ledger: Ledger) -> None:
    """A post is had whole by its id; one that is not there is None."""
    found = one_post(ledger, "south/1")
    assert found is not None
    assert (found.channel, found.date, found.text) == ("south", None, "Многополярный мир, 100% наш.")
    assert one_post(ledger, "south/3") is None


def test_reading_goes_on_while_another_writes(ledger: Ledger) -> None:
    """A page neither waits for a long import nor sees half of it."""
    assert ledger.url is not None
    seen: list[list[str]] = []

    def look(url: str) -> None:
        with closing(connect_ledger(url)) as other:
            seen.append(_ids(other, channel="east"))

    with ledger.begin() as connection:
        record_posts(connection, 1, [Post(channel="east", message_id="1", text="Not yet.")])
        reader = threading.Thread(target=look, args=(ledger.url,))
        reader.start()
        reader.join(timeout=20)
        assert seen == [[]]
    assert _ids(ledger, channel="east") == ["east/1"]
