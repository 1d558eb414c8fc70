"""One batch of posts into the ledger, with a handful of statements: new, edited, unchanged, duplicate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from annotations.cleaning import CLEANER_VERSION
from annotations.ledger.store import now, timestamp
from annotations.ledger.tables import posts, revisions
from annotations.records import Post

NEW, EDITED, UNCHANGED, DUPLICATE = "new", "edited", "unchanged", "duplicate"

_DETAILS = (
    "date",
    "lang",
    "forwarded_from",
    "reply_to",
    "hashtags",
    "links",
    "media",
    "views",
    "forwards",
    "reactions",
)
_LOCK = 0x7461_6C6B


@dataclass(slots=True)
class _Known:
    """A post as the ledger has it, or will have it after this batch."""

    row: dict[str, Any]
    edited_at: str | None
    cleaner: int
    is_new: bool = False
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
    """
    _one_at_a_time(connection)
    return _Batch(connection, import_id, cleaner).record(batch)


class _Batch:
    def __init__(self, connection: Connection, import_id: int, cleaner: int) -> None:
        self._connection = connection
        self._import_id = import_id
        self._cleaner = cleaner
        self._seen_at = now()
        self._known: dict[str, _Known] = {}
        self._owners: dict[str, str] = {}  # revision -> the first post that has it
        self._same_raw: dict[str, Any] = {}
        self._revisions: list[dict[str, Any]] = []
        self._edit_times: dict[tuple[str, str], str] = {}
        self._edited: set[str] = set()
        self._old_texts: set[str] = set()

    def record(self, batch: Sequence[Post]) -> list[str]:
        named = []
        for post in batch:
            revision = post.revision
            named.append((f"{post.channel}/{post.message_id or revision}", revision, post))
        self._load([post_id for post_id, _, _ in named])
        self._load_owners({revision for _, revision, _ in named})
        self._load_raw(named)
        outcomes = [self._one(*entry) for entry in named]
        self._write()
        return outcomes

    def _one(self, post_id: str, revision: str, post: Post) -> str:
        edited_at = None if post.edited_at is None else timestamp(post.edited_at)
        known = self._known.get(post_id)
        if known is None:
            return self._new(post_id, revision, post, edited_at)
        if revision == known.row["revision"] or self._only_cleaner_differs(post_id, known, post):
            self._update_details(known, post)
            if edited_at is not None and (known.edited_at is None or edited_at > known.edited_at):
                known.edited_at = edited_at
                self._edit_times[post_id, known.row["revision"]] = edited_at
            return UNCHANGED
        return self._other_text(known, revision, post, edited_at)

    def _new(self, post_id: str, revision: str, post: Post, edited_at: str | None) -> str:
        owner = self._owners.setdefault(revision, post_id)
        row = {
            "post_id": post_id,
            "channel": post.channel,
            "message_id": post.message_id,
            "revision": revision,
            "duplicate_of": None if owner == post_id else owner,
            "first_import": self._import_id,
            **_details(post),
        }
        self._known[post_id] = _Known(row, edited_at, self._cleaner, is_new=True, revisions={revision})
        self._add_revision(post_id, revision, post, edited_at)
        return NEW if owner == post_id else DUPLICATE

    def _other_text(self, known: _Known, revision: str, post: Post, edited_at: str | None) -> str:
        post_id, is_seen = known.row["post_id"], revision in known.revisions
        if edited_at is None:
            is_newer = known.edited_at is None and not is_seen
        else:
            is_newer = known.edited_at is None or edited_at > known.edited_at
        if not is_seen:
            known.revisions.add(revision)
            self._add_revision(post_id, revision, post, edited_at)
        elif is_newer and edited_at is not None:
            self._edit_times[post_id, revision] = edited_at
        if not is_newer:
            return UNCHANGED
        old = known.row["revision"]
        if self._owners.get(old) == post_id:
            del self._owners[old]
        self._old_texts.add(old)
        self._edited.add(post_id)
        known.row["revision"], known.edited_at, known.cleaner = revision, edited_at, self._cleaner
        known.is_changed = True
        self._update_details(known, post)
        return EDITED

    def _update_details(self, known: _Known, post: Post) -> None:
        for name, value in _details(post).items():
            if value not in (None, [], {}) and known.row[name] != value:
                known.row[name] = value
                known.is_changed = True

    def _only_cleaner_differs(self, post_id: str, known: _Known, post: Post) -> bool:
        return known.cleaner != self._cleaner and self._same_raw.get(post_id) == (post.raw or post.text)

    def _add_revision(self, post_id: str, revision: str, post: Post, edited_at: str | None) -> None:
        self._revisions.append(
            {
                "post_id": post_id,
                "revision": revision,
                "text": post.text,
                "raw": None if post.raw == post.text else post.raw,
                "edited_at": edited_at,
                "cleaner": self._cleaner,
                "import_id": self._import_id,
                "seen_at": self._seen_at,
            }
        )

    def _load(self, post_ids: Iterable[str]) -> None:
        wanted = set(post_ids)
        for row in self._connection.execute(select(posts).where(posts.c.post_id.in_(wanted))).mappings():
            self._known[row["post_id"]] = _Known(dict(row), None, self._cleaner)
        if not self._known:
            return
        table = revisions.c
        query = select(table.post_id, table.revision, table.edited_at, table.cleaner)
        for post_id, revision, edited_at, cleaner in self._connection.execute(
            query.where(table.post_id.in_(list(self._known)))
        ):
            known = self._known[post_id]
            known.revisions.add(revision)
            if revision == known.row["revision"]:
                known.edited_at, known.cleaner = edited_at, cleaner

    def _load_owners(self, wanted: set[str]) -> None:
        query = select(posts.c.revision, func.min(posts.c.post_id).label("owner")).where(
            posts.c.revision.in_(wanted), posts.c.duplicate_of.is_(None)
        )
        rows = self._connection.execute(query.group_by(posts.c.revision))
        self._owners = {row.revision: row.owner for row in rows}

    def _load_raw(self, named: Sequence[tuple[str, str, Post]]) -> None:
        """Load the texts as received of posts that another version of the cleaner read."""
        old = {
            post_id
            for post_id, revision, _ in named
            if (known := self._known.get(post_id))
            and known.cleaner != self._cleaner
            and known.row["revision"] != revision
        }
        if old:
            query = select(revisions).where(revisions.c.post_id.in_(old))
            for row in self._connection.execute(query):
                if row.revision == self._known[row.post_id].row["revision"]:
                    self._same_raw[row.post_id] = row.raw or row.text

    def _write(self) -> None:
        new = [known.row for known in self._known.values() if known.is_new]
        changed = [known.row for known in self._known.values() if known.is_changed and not known.is_new]
        if new:
            self._connection.execute(insert(posts), new)
        if self._revisions:
            self._connection.execute(insert(revisions), self._revisions)
        if changed:
            values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("revision", *_DETAILS)}
            rows = [
                {"key": row["post_id"], **{f"new_{name}": row[name] for name in values}} for row in changed
            ]
            self._connection.execute(
                update(posts).where(posts.c.post_id == bindparam("key")).values(values), rows
            )
        if self._edit_times:
            here = (revisions.c.post_id == bindparam("key"), revisions.c.revision == bindparam("which"))
            times = [{"key": k, "which": r, "new": t} for (k, r), t in self._edit_times.items()]
            self._connection.execute(update(revisions).where(*here).values(edited_at=bindparam("new")), times)
        if self._edited:
            self._recluster()

    def _recluster(self) -> None:
        """Say anew which post is the first with a text, for the texts that edits took or gave."""
        texts = self._old_texts | {self._known[post_id].row["revision"] for post_id in self._edited}
        table = posts.c
        query = select(table.revision, table.post_id, table.duplicate_of, table.first_import)
        groups: dict[str, list[tuple[bool, bool, int, str, str | None]]] = {}
        for revision, post_id, duplicate_of, first in self._connection.execute(
            query.where(table.revision.in_(texts))
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


def _details(post: Post) -> dict[str, Any]:
    return {
        "date": None if post.date is None else timestamp(post.date),
        "lang": post.lang,
        "forwarded_from": post.forwarded_from,
        "reply_to": post.reply_to,
        "hashtags": list(post.hashtags),
        "links": list(post.links),
        "media": list(post.media),
        "views": post.views,
        "forwards": post.forwards,
        "reactions": dict(post.reactions),
    }


def insert_once(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, leaving those that are there already as they are."""
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), list(rows))


def _one_at_a_time(connection: Connection) -> None:
    """Let no two imports decide on the same posts at once; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
