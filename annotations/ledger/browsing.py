"""Looking through the posts of a ledger: the newest first, a page at a time, by channel and words."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select

from annotations.ledger.store import Ledger
from annotations.ledger.tables import posts, revisions

_MOST_CHANNELS = 500
_BEGINNING = 400  # characters
_MOST_WORDS = 8


@dataclass(frozen=True, slots=True)
class Search:
    """Which posts are looked for; empty fields leave nothing out. ``page`` counts from 1."""

    words: str = ""
    channel: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Listed:
    """A post in a list: ``beginning`` is that of its text; ``date`` is ISO 8601, in UTC."""

    post_id: str
    channel: str
    date: str | None
    lang: str | None
    beginning: str


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search, and whether there are more posts after it."""

    posts: tuple[Listed, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One post with its current text."""

    post_id: str
    channel: str
    date: str | None
    text: str


def newest_posts(ledger: Ledger, search: Search, size: int) -> Found:
    """Return a page of ``size`` posts, the newest first, those without a date last.

    All words must be there, each as it is written, in small letters, in capitals or with one capital.

    Raises
    ------
    LedgerError
        The ledger cannot be read.
    """
    beginning = func.substr(revisions.c.text, 1, _BEGINNING).label("beginning")
    query = (
        select(posts.c.post_id, posts.c.channel, posts.c.date, posts.c.lang, beginning)
        .join(revisions, _current())
        .where(*_wanted(search))
        .order_by(posts.c.date.desc().nulls_last(), posts.c.post_id.desc())
        .offset((search.page - 1) * size)
        .limit(size + 1)
    )
    with ledger.reading() as connection:
        rows = connection.execute(query).all()
    return Found(tuple(Listed(*row) for row in rows[:size]), has_more=len(rows) > size)


def one_post(ledger: Ledger, post_id: str) -> Shown | None:
    """Return a post with its current text; None where the ledger has none of that id.

    Raises
    ------
    LedgerError
        The ledger cannot be read.
    """
    query = select(posts.c.post_id, posts.c.channel, posts.c.date, revisions.c.text)
    with ledger.reading() as connection:
        row = connection.execute(query.join(revisions, _current()).where(posts.c.post_id == post_id)).first()
    return None if row is None else Shown(*row)


def channel_names(ledger: Ledger) -> tuple[str, ...]:
    """Return the channels there are, in order, at most 500.

    Raises
    ------
    LedgerError
        The ledger cannot be read.
    """
    query = select(posts.c.channel).distinct().order_by(posts.c.channel).limit(_MOST_CHANNELS)
    with ledger.reading() as connection:
        return tuple(connection.scalars(query))


def _current() -> ColumnElement[bool]:
    return and_(revisions.c.post_id == posts.c.post_id, revisions.c.revision == posts.c.revision)


def _wanted(search: Search) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [posts.c.channel == search.channel] if search.channel else []
    for word in search.words.split()[:_MOST_WORDS]:
        # SQLite knows capitals of ASCII letters alone.
        forms = dict.fromkeys([word, word.lower(), word.upper(), word.capitalize()])
        wanted.append(or_(*(revisions.c.text.contains(form, autoescape=True) for form in forms)))
    return wanted
