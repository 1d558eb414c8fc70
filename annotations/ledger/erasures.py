"""The records of erased posts: that they were erased, when, why, and what is still to be done about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, inspect, select, update

from annotations.ledger.recording import one_at_a_time
from annotations.ledger.store import Ledger
from annotations.ledger.studio_tasks import chunks
from annotations.ledger.tables import erasures, ledger_info


@dataclass(frozen=True, slots=True)
class Erasure:
    """The record of an erased post."""

    post_id: str
    erased_at: str
    reason: str
    removed: Mapping[str, Any]

    @property
    def pending(self) -> tuple[str, ...]:
        """Projects of Label Studio in which the post may still be."""
        return tuple(self.removed.get("pending", ()))

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing is left to be done about it: no task pending, and every database compacted."""
        compacted = self.removed.get("compacted", False) and self.removed.get("studio_compacted", True)
        return bool(compacted) and not self.pending


def read_erasures(ledger: Ledger) -> list[Erasure]:
    """Return the records of all erased posts, the oldest first."""
    with ledger.begin() as connection:
        return erasures_of(connection, None)


def erased_posts(ledger: Ledger) -> set[str]:
    """Return the ids of all erased posts."""
    with ledger.begin() as connection:
        return set(connection.scalars(select(erasures.c.post_id)))


def settle(ledger: Ledger, post_ids: Collection[str], changes: Mapping[str, Any]) -> None:
    """Bring records up to date with what has been done since.

    ``changes`` may hold ``project`` (no longer pending), ``studio_tasks`` (how many went, by post), and any
    other field of ``removed``, which is put in its place.
    """
    with ledger.begin() as connection:
        one_at_a_time(connection)
        rows = []
        for each in erasures_of(connection, post_ids):
            removed = dict(each.removed)
            for name, value in changes.items():
                if name == "project":
                    removed["pending"] = [project for project in each.pending if project != value]
                elif name == "studio_tasks":
                    removed[name] = removed.get(name, 0) + value.get(each.post_id, 0)
                else:
                    removed[name] = value
            rows.append({"key": each.post_id, "new": removed})
        if rows:
            here = erasures.c.post_id == bindparam("key")
            connection.execute(update(erasures).where(here).values(removed=bindparam("new")), rows)


def erased_since(connection: Connection) -> list[Erasure]:
    """Return the records of a ledger that may be of an earlier release, which had none."""
    return erasures_of(connection, None) if inspect(connection).has_table(erasures.name) else []


def backups_made(ledger: Ledger, key: str) -> dict[str, str]:
    """Return the places of backups by the time they were taken; ``key`` begins their keys."""
    query = select(ledger_info.c.key, ledger_info.c.value).where(ledger_info.c.key.startswith(key))
    with ledger.begin() as connection:
        return {row.key.removeprefix(key): row.value for row in connection.execute(query)}


def erasures_of(connection: Connection, post_ids: Collection[str] | None) -> list[Erasure]:
    """Return the records of some posts, or of all (None), the oldest first."""
    query = select(erasures).order_by(erasures.c.erased_at, erasures.c.post_id)
    if post_ids is None:
        return [Erasure(**row) for row in connection.execute(query).mappings()]
    return [
        Erasure(**row)
        for chunk in chunks(sorted(post_ids))
        for row in connection.execute(query.where(erasures.c.post_id.in_(chunk))).mappings()
    ]
