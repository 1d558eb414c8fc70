"""Near-duplicates in the ledger, on SQLite and PostgreSQL: in clusters that grow, and the same in any order."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import delete, insert, select

from annotations.ledger import near_duplicates as module
from annotations.ledger.near_duplicates import find_near_duplicates, leave_clusters, renew_signatures
from annotations.ledger.posts import current_posts, post_counts
from annotations.ledger.recording import record_posts
from annotations.ledger.store import Ledger, now, open_ledger
from annotations.ledger.tables import imports, ledger_info, near_duplicates, post_signatures
from annotations.records import Post

_WORDS = [
    "the",
    "ministry",
    "of",
    "foreign",
    "affairs",
    "calverra",
    "welcomes",
    "statement",
    "council",
    "partners",
    "dialogue",
    "treaty",
    "harbour",
    "minister",
    "delegation",
    "visit",
    "regional",
    "security",
    "trade",
    "summit",
    "sovereignty",
    "equal",
    "nations",
    "charter",
    "talks",
]


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """Return an empty ledger, on each of the two databases."""
    opened = open_ledger(ledger_url)
    with opened.begin() as connection:
        connection.execute(insert(imports).values(file="f", format="x", started_at=now(), counts={}))
    renew_signatures(opened)
    yield opened
    opened.close()


def _text(seed: object, edits: int = 0, size: int = 60) -> str:
    """Return random words, and with ``edits`` the same with some of them changed."""
    source = random.Random(str(seed))
    words = source.choices(_WORDS, k=size)
    for edit in range(edits):
        words[(edit * 17 + 5) % size] = f"changed{edit}"
    return " ".join(words)


def _record(ledger: Ledger, posts: Sequence[Post]) -> None:
    with ledger.begin() as connection:
        record_posts(connection, 1, posts)
    find_near_duplicates(ledger)


def _clusters(ledger: Ledger) -> dict[str, list[str]]:
    found = defaultdict(list)
    with ledger.begin() as connection:
        for row in connection.execute(select(near_duplicates).order_by(near_duplicates.c.post_id)):
            found[row.cluster].append(row.post_id)
    return dict(found)


def _post(post_id: str, text: str) -> Post:
    channel, _, message = post_id.partition("/")
    return Post(channel=channel, message_id=message, text=text)


def test_copies_and_small_edits_are_found(ledger: Ledger) -> None:
    """A forward, a copy in other case and a text with a word changed belong together; others stay alone."""
    _record(
        ledger,
        [
            _post("B/1", _text("a")),
            _post("A/7", _text("a")),
            _post("C/1", _text("a").upper()),
            _post("C/2", _text("a", edits=2)),
            _post("C/3", _text("b")),
            _post("C/4", _text("c")),
        ],
    )
    assert _clusters(ledger) == {"A/7": ["A/7", "B/1", "C/1", "C/2"]}


@pytest.mark.parametrize("seed", range(5))
def test_the_order_does_not_matter(ledger: Ledger, seed: int) -> None:
    """Posts in any order and in batches of any size give the clusters that one batch gives."""
    families = {f"F{family}": [(f"F{family}/{k}", k % 4) for k in range(family)] for family in range(1, 9)}
    posts = [_post(name, _text(f, edits)) for f, members in families.items() for name, edits in members]
    random.Random(seed).shuffle(posts)
    size = (1, 3, 7, 20, len(posts))[seed]
    for first in range(0, len(posts), size):
        _record(ledger, posts[first : first + size])
    expected = {
        f"{f}/0": sorted(name for name, _ in members) for f, members in families.items() if len(members) > 1
    }
    assert _clusters(ledger) == expected


def test_a_post_between_joins_two_clusters(ledger: Ledger) -> None:
    """A text that is like two that are not alike brings them together, under the first name."""
    words = _text("a", size=80).split()
    one, other = words[:62], words[18:]
    _record(ledger, [_post("B/1", " ".join(one)), _post("B/2", " ".join(one))])
    _record(ledger, [_post("A/1", " ".join(other)), _post("A/2", " ".join(other))])
    assert _clusters(ledger) == {"A/1": ["A/1", "A/2"], "B/1": ["B/1", "B/2"]}
    _record(ledger, [_post("C/1", " ".join(words))])
    assert _clusters(ledger) == {"A/1": ["A/1", "A/2", "B/1", "B/2", "C/1"]}


def test_an_edited_post_leaves_its_cluster(ledger: Ledger) -> None:
    """The cluster of the new text counts; who is left takes the name, and one alone is no cluster."""
    _record(ledger, [_post("A/1", _text("a")), _post("A/2", _text("a")), _post("A/3", _text("a", 1))])
    _record(ledger, [_post("A/1", _text("b"))])
    assert _clusters(ledger) == {"A/2": ["A/2", "A/3"]}
    _record(ledger, [_post("A/2", _text("b", edits=1))])
    assert _clusters(ledger) == {"A/1": ["A/1", "A/2"]}
    with ledger.begin() as connection:
        leave_clusters(connection, ["A/1"])
        assert set(connection.scalars(select(post_signatures.c.post_id))) == {"A/2", "A/3"}
    assert _clusters(ledger) == {}


def test_an_interrupted_search_is_made_up_for(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Posts that were recorded, and not yet compared when the run ended, are compared by the next."""
    with ledger.begin() as connection:
        record_posts(connection, 1, [_post("A/1", _text("a")), _post("A/2", _text("a"))])

    def power_cut(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "_join", power_cut)
        with pytest.raises(KeyboardInterrupt):
            find_near_duplicates(ledger)
    assert _clusters(ledger) == {}
    assert find_near_duplicates(ledger) == 2
    assert _clusters(ledger) == {"A/1": ["A/1", "A/2"]}


def test_an_older_ledger_gets_its_signatures(ledger: Ledger) -> None:
    """Where signatures are missing or of another algorithm they are made from the texts, and clusters with them."""
    _record(ledger, [_post(f"A/{number}", _text(number % 3)) for number in range(9)])
    expected = _clusters(ledger)
    assert len(expected) == 3
    with ledger.begin() as connection:
        before = connection.execute(select(post_signatures.c.post_id, post_signatures.c.signature)).all()
        connection.execute(delete(post_signatures))
        connection.execute(delete(near_duplicates))
        connection.execute(delete(ledger_info))
    renew_signatures(ledger)
    assert find_near_duplicates(ledger) == 9
    assert _clusters(ledger) == expected
    with ledger.begin() as connection:
        after = connection.execute(select(post_signatures.c.post_id, post_signatures.c.signature)).all()
    assert sorted(after) == sorted(before)


def test_a_thousand_posts_of_one_pattern(ledger: Ledger) -> None:
    """Many copies of two texts that share half their words are two clusters, not one and not a thousand."""
    shared = _text("common", size=40)
    posts = [
        _post(f"A/{number:04}", f"{shared} {_text(number % 2, size=40)} number {number}")
        for number in range(1000)
    ]
    _record(ledger, posts)
    assert {name: len(members) for name, members in _clusters(ledger).items()} == {
        "A/0000": 500,
        "A/0001": 500,
    }


def test_one_post_of_each_cluster(ledger: Ledger) -> None:
    """Posts come with the name of their cluster, and on request one of each."""
    _record(ledger, [_post("A/1", _text("a")), _post("A/2", _text("a", edits=1)), _post("A/3", _text("b"))])
    assert {stored.post.post_id: stored.cluster for stored in current_posts(ledger)} == {
        "A/1": "A/1",
        "A/2": "A/1",
        "A/3": None,
    }
    assert [stored.post.post_id for stored in current_posts(ledger, one_per_cluster=True)] == ["A/1", "A/3"]
    counts = post_counts(ledger)
    assert (counts["near_duplicates"], counts["clusters"]) == (2, 1)
