"""One batch of posts into the ledger, with a handful of statements: new, edited, unchanged, duplicate.

A batch is prepared first (``preparing.py``), which needs no database and may happen in another process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, Text, bindparam, cast, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from annotations.cleaning import CLEANER_VERSION
from annotations.ledger.near_duplicates import leave_clusters
from annotations.ledger.preparing import PreparedPost, prepare
from annotations.ledger.store import among, now
from annotations.ledger.tables import erasures, post_signatures, posts, revisions
from annotations.records import Post

NEW, EDITED, UNCHANGED, DUPLICATE = "new", "edited", "unchanged", "duplicate"
ERASED = "erased"
"""The outcome of a post that was erased on request: it is not recorded again."""

_JSON_DETAILS = ("hashtags", "links", "media", "reactions")
_DETAILS = ("date", "lang", "forwarded_from", "reply_to", *_JSON_DETAILS, "views", "forwards")
_NOTHING = (None, "[]", "{}")
_POSTS = ("post_id", "channel", "message_id", "revision", *_DETAILS, "duplicate_of", "first_import")
_REVISIONS = ("post_id", "revision", "text", "raw", "edited_at", "cleaner", "import_id", "seen_at")
_SIGNATURES = ("post_id", "revision", "signature")
_LOCK = 0x7461_6C6B


@dataclass(slots=True)
class _Known:
    """A post as the ledger has it, or will have it after this batch."""

    revision: str
    details: list[Any]
    edited_at: str | None
    cleaner: int
    duplicate_of: str | None = None
    first: PreparedPost | None = None  # where it is new
    is_changed: bool = False
    revisions: set[str] = field(default_factory=set)


def record_posts(
    connection: Connection, import_id: int, batch: Sequence[Post], *, cleaner: int = CLEANER_VERSION
) -> list[str]:
    """Record posts in one transaction; return the outcome of each: new, edited, unchanged or duplicate.

    A post whose text differs from the current one becomes a revision.  It becomes current if its
    ``edited_at`` is later than the stored one; where neither has one, if its text was never seen before.
    So an older file read after a newer one does not turn the clock back: its revision is kept, the outcome
    is ``unchanged``.  What is known of a post besides its text (views, links) is brought up to date.
    A post that was erased on request is left out, with the outcome ``erased``.
    """
    return record_prepared(connection, import_id, prepare(batch), cleaner=cleaner)


def record_prepared(
    connection: Connection, import_id: int, batch: Sequence[PreparedPost], *, cleaner: int = CLEANER_VERSION
) -> list[str]:
    """Record prepared posts, as :func:`record_posts` says."""
    one_at_a_time(connection)
    return _Batch(connection, import_id, cleaner).record(batch)


class _Batch:
    def __init__(self, connection: Connection, import_id: int, cleaner: int) -> None:
        self._connection = connection
        self._import_id = import_id
        self._cleaner = cleaner
        self._seen_at = now()
        self._known: dict[str, _Known] = {}
        self._erased: set[str] = set()
        self._owners: dict[str, str] = {}  # revision -> the first post that has it
        self._same_raw: dict[str, Any] = {}
        self._new: list[tuple[Any, ...]] = []
        self._new_revisions: list[tuple[Any, ...]] = []
        self._new_signatures: dict[str, tuple[str, str, bytes]] = {}
        self._edit_times: dict[tuple[str, str], str] = {}
        self._edited: set[str] = set()
        self._old_texts: set[str] = set()

    def record(self, batch: Sequence[PreparedPost]) -> list[str]:
        self._load([post.post_id for post in batch])
        self._load_owners({post.revision for post in batch})
        self._load_raw(batch)
        outcomes = [self._one(post) for post in batch]
        self._write()
        return outcomes

    def _one(self, post: PreparedPost) -> str:
        if post.post_id in self._erased:
            return ERASED
        known = self._known.get(post.post_id)
        if known is None:
            return self._first(post)
        if post.revision == known.revision or self._only_cleaner_differs(known, post):
            self._update_details(known, post)
            if post.edited_at is not None and (known.edited_at is None or post.edited_at > known.edited_at):
                known.edited_at = post.edited_at
                self._edit_times[post.post_id, known.revision] = post.edited_at
            return UNCHANGED
        return self._other_text(known, post)

    def _first(self, post: PreparedPost) -> str:
        post_id, revision = post.post_id, post.revision
        owner = self._owners.setdefault(revision, post_id)
        known = _Known(revision, list(post.details), post.edited_at, self._cleaner)
        known.duplicate_of = None if owner == post_id else owner
        known.first = post
        known.revisions.add(revision)
        self._known[post_id] = known
        self._add_revision(post)
        return NEW if owner == post_id else DUPLICATE

    def _other_text(self, known: _Known, post: PreparedPost) -> str:
        is_seen, edited_at = post.revision in known.revisions, post.edited_at
        if edited_at is None:
            is_newer = known.edited_at is None and not is_seen
        else:
            is_newer = known.edited_at is None or edited_at > known.edited_at
        if not is_seen:
            known.revisions.add(post.revision)
            self._add_revision(post)
        elif is_newer and edited_at is not None:
            self._edit_times[post.post_id, post.revision] = edited_at
        if not is_newer:
            return UNCHANGED
        old = known.revision
        if self._owners.get(old) == post.post_id:
            del self._owners[old]
        self._old_texts.update((old, post.revision))
        self._edited.add(post.post_id)
        known.revision, known.edited_at, known.cleaner = post.revision, edited_at, self._cleaner
        known.is_changed = True
        self._new_signatures[post.post_id] = (post.post_id, post.revision, post.signature)
        self._update_details(known, post)
        return EDITED

    def _update_details(self, known: _Known, post: PreparedPost) -> None:
        for place, value in enumerate(post.details):
            if value not in _NOTHING and known.details[place] != value:
                known.details[place] = value
                known.is_changed = True

    def _only_cleaner_differs(self, known: _Known, post: PreparedPost) -> bool:
        if known.cleaner == self._cleaner:
            return False
        return self._same_raw.get(post.post_id) == (json.loads(post.raw) if post.raw else post.text)

    def _add_revision(self, post: PreparedPost) -> None:
        self._new_revisions.append(
            (
                post.post_id,
                post.revision,
                post.text,
                post.raw,
                post.edited_at,
                self._cleaner,
                self._import_id,
                self._seen_at,
            )
        )

    def _load(self, post_ids: Iterable[str]) -> None:
        wanted = set(post_ids)
        details = [cast(posts.c[name], Text) if name in _JSON_DETAILS else posts.c[name] for name in _DETAILS]
        query = select(posts.c.post_id, posts.c.revision, *details).where(
            among(self._connection, posts.c.post_id, wanted)
        )
        for post_id, revision, *values in self._connection.execute(query):
            self._known[post_id] = _Known(revision, values, None, self._cleaner)
        gone = select(erasures.c.post_id).where(among(self._connection, erasures.c.post_id, wanted))
        self._erased.update(self._connection.scalars(gone))
        if not self._known:
            return
        table = revisions.c
        seen = select(table.post_id, table.revision, table.edited_at, table.cleaner)
        for post_id, revision, edited_at, cleaner in self._connection.execute(
            seen.where(among(self._connection, table.post_id, list(self._known)))
        ):
            known = self._known[post_id]
            known.revisions.add(revision)
            if revision == known.revision:
                known.edited_at, known.cleaner = edited_at, cleaner

    def _load_owners(self, wanted: set[str]) -> None:
        query = select(posts.c.revision, posts.c.post_id).where(
            among(self._connection, posts.c.revision, wanted), posts.c.duplicate_of.is_(None)
        )
        for revision, post_id in self._connection.execute(query):
            self._owners[revision] = min(post_id, self._owners.get(revision, post_id))

    def _load_raw(self, batch: Sequence[PreparedPost]) -> None:
        """Load the texts as received of posts that another version of the cleaner read."""
        old = {
            post.post_id
            for post in batch
            if (known := self._known.get(post.post_id))
            and known.cleaner != self._cleaner
            and known.revision != post.revision
        }
        if old:
            query = select(revisions).where(among(self._connection, revisions.c.post_id, old))
            for row in self._connection.execute(query):
                if row.revision == self._known[row.post_id].revision:
                    self._same_raw[row.post_id] = row.raw or row.text

    def _write(self) -> None:
        new, changed = [], []
        for post_id, known in self._known.items():
            if known.first is not None:
                post, where_from = known.first, (known.duplicate_of, self._import_id)
                new.append(
                    (post_id, post.channel, post.message_id, known.revision, *known.details, *where_from)
                )
                if post_id not in self._edited:
                    self._new_signatures[post_id] = (post_id, known.revision, post.signature)
            elif known.is_changed:
                changed.append((known.revision, *known.details, post_id))
        _insert(self._connection, posts, _POSTS, new)
        _insert(self._connection, revisions, _REVISIONS, self._new_revisions)
        if self._edited:
            leave_clusters(self._connection, sorted(self._edited))
        _insert(self._connection, post_signatures, _SIGNATURES, list(self._new_signatures.values()))
        if changed:
            mark = _mark(self._connection)
            columns = ", ".join(f"{name} = {mark}" for name in ("revision", *_DETAILS))
            self._connection.exec_driver_sql(
                f"UPDATE posts SET {columns} WHERE post_id = {mark}",  # noqa: S608 - names of our own columns
                changed,
            )
        if self._edit_times:
            here = (revisions.c.post_id == bindparam("key"), revisions.c.revision == bindparam("which"))
            times = [{"key": k, "which": r, "new": t} for (k, r), t in self._edit_times.items()]
            self._connection.execute(update(revisions).where(*here).values(edited_at=bindparam("new")), times)
        if self._edited:
            self._name_owners()

    def _name_owners(self) -> None:
        """Say anew which post is the first with a text, for the texts that edits took or gave."""
        table = posts.c
        query = select(table.revision, table.post_id, table.duplicate_of, table.first_import)
        groups: dict[str, list[tuple[bool, bool, int, str, str | None]]] = {}
        for revision, post_id, duplicate_of, first in self._connection.execute(
            query.where(among(self._connection, table.revision, self._old_texts))
        ):
            member = (post_id in self._edited, duplicate_of is not None, first, post_id, duplicate_of)
            groups.setdefault(revision, []).append(member)
        changes = []
        for members in groups.values():
            head = min(members, key=lambda member: member[:4])[3]
            for _, _, _, post_id, duplicate_of in members:
                owner = None if post_id == head else head
                if owner != duplicate_of:
                    changes.append({"key": post_id, "owner": owner})
        if changes:
            here = posts.c.post_id == bindparam("key")
            self._connection.execute(
                update(posts).where(here).values(duplicate_of=bindparam("owner")), changes
            )


def _insert(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows that are in the driver's own types already: half of an import's time is spent here."""
    if rows:
        marks = ", ".join([_mark(connection)] * len(columns))
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608 - our own names
            list(rows),
        )


def _mark(connection: Connection) -> str:
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"


def insert_once(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, leaving those that are there already as they are."""
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), list(rows))


def one_at_a_time(connection: Connection) -> None:
    """Let no two imports decide on the same posts at once; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
