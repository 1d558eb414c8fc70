"""The ledger's rows of suggestions: who may see any, what was suggested on which task, and to whose eyes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, Row, Table, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from annotations.ledger.store import Ledger, now
from annotations.ledger.studio_tasks import chunks
from annotations.ledger.tables import studio_arms, studio_shown, studio_suggestions, studio_switches
from annotations.records import Span

BLIND_SHARE = 0.2
"""The share of posts that never get a suggestion, where nobody chose another."""

Tags = Mapping[str, tuple[Span, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Whether annotators see suggestions, and which posts are kept blind; ``changed_at`` is empty by default."""

    shown: bool = False
    blind_share: float = BLIND_SHARE
    seed: int = 0
    changed_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSuggestion:
    """A suggestion on a task; ``withheld`` says that it is kept from annotators, as the post is blind."""

    task_id: int
    model_version: str
    post_id: str
    revision: str
    codebook: str
    tags: Tags
    confidence: float
    withheld: bool
    given_at: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """The suggestion behind an annotation: the version on its task, seen or withheld."""

    annotation_id: int
    task_id: int
    model_version: str
    withheld: bool


def falls_blind(post_id: str, share: float, seed: int) -> bool:
    """Tell whether a post belongs to the blind share: the same answer every time, independent of other posts."""
    digest = hashlib.sha256(f"{seed}:{post_id}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def switches(ledger: Ledger, project: str) -> list[Switch]:
    """Return every state of a project's switch, the oldest first."""
    columns = [studio_switches.c[name] for name in Switch.__dataclass_fields__]
    query = (
        select(*columns).where(studio_switches.c.project == project).order_by(studio_switches.c.changed_at)
    )
    with ledger.begin() as connection:
        return [Switch(**row) for row in connection.execute(query).mappings()]


def switch(ledger: Ledger, project: str) -> Switch:
    """Return the switch as it is now; that of a project which has none is off."""
    return (switches(ledger, project) or [Switch()])[-1]


def set_switch(ledger: Ledger, project: str, state: Switch) -> None:
    """Note that the switch has been turned, or the share changed."""
    values = asdict(state) | {"changed_at": now()}
    with ledger.begin() as connection:
        connection.execute(insert(studio_switches).values(project=project, **values))


def blind_posts(ledger: Ledger, project: str, post_ids: Collection[str]) -> set[str]:
    """Return which of the posts are blind; for those met for the first time it is decided now, for good."""
    state = switch(ledger, project)
    found: dict[str, bool] = {}
    with ledger.begin() as connection:
        for chunk in chunks(sorted(set(post_ids))):
            found |= _arms(connection, project, chunk)
            fresh = [post_id for post_id in chunk if post_id not in found]
            if fresh:
                _decide(connection, project, fresh, state)
                found |= _arms(connection, project, fresh)
    return {post_id for post_id, is_blind in found.items() if is_blind}


def record_suggestions(
    connection: Connection, project: str, given: Sequence[GivenSuggestion], *, replace: bool = False
) -> None:
    """Note what is about to be suggested; what is known already stays, unless ``replace``."""
    if not given:
        return
    if replace:
        for version in {each.model_version for each in given}:
            mine = [each.task_id for each in given if each.model_version == version]
            forget_suggestions(connection, (project, version), mine)
    moment = now()
    rows = [
        asdict(each) | {"project": project, "given_at": moment, "tags": _spans_out(each.tags)}
        for each in given
    ]
    _insert_new(connection, studio_suggestions, rows)


def forget_suggestions(connection: Connection, target: tuple[str, str], task_ids: Collection[int]) -> None:
    """Remove what was noted and never came to be; ``target`` is the key of the project and the version."""
    for chunk in chunks(sorted(task_ids)):
        connection.execute(
            delete(studio_suggestions).where(
                studio_suggestions.c.project == target[0],
                studio_suggestions.c.model_version == target[1],
                studio_suggestions.c.task_id.in_(chunk),
            )
        )


def suggestions_on(ledger: Ledger, project: str, task_ids: Iterable[int]) -> dict[int, list[GivenSuggestion]]:
    """Return the suggestions on some tasks, the oldest first."""
    columns = [studio_suggestions.c[name] for name in GivenSuggestion.__dataclass_fields__]
    found: dict[int, list[GivenSuggestion]] = {}
    with ledger.begin() as connection:
        for chunk in chunks(sorted(set(task_ids))):
            query = (
                select(*columns)
                .where(studio_suggestions.c.project == project, studio_suggestions.c.task_id.in_(chunk))
                .order_by(studio_suggestions.c.given_at)
            )
            for row in connection.execute(query):
                found.setdefault(row.task_id, []).append(_given(row))
    return found


def write_shown(connection: Connection, project: str, shown: Mapping[int, Shown | None]) -> None:
    """Note, by the number of an annotation, which suggestion its author had; None: none."""
    for chunk in chunks(sorted(shown)):
        connection.execute(
            delete(studio_shown).where(
                studio_shown.c.project == project, studio_shown.c.annotation_id.in_(chunk)
            )
        )
    rows = [{"project": project, **asdict(each)} for each in shown.values() if each is not None]
    if rows:
        connection.execute(insert(studio_shown), rows)


def shown_suggestions(ledger: Ledger, project: str) -> dict[int, Shown]:
    """Return the suggestion behind each annotation of a project that had one, by its number."""
    columns = [studio_shown.c[name] for name in Shown.__dataclass_fields__]
    with ledger.begin() as connection:
        rows = connection.execute(select(*columns).where(studio_shown.c.project == project)).all()
    return {row.annotation_id: Shown(*row) for row in rows}


def _arms(connection: Connection, project: str, post_ids: Sequence[str]) -> dict[str, bool]:
    query = select(studio_arms.c.post_id, studio_arms.c.is_blind).where(
        studio_arms.c.project == project, studio_arms.c.post_id.in_(post_ids)
    )
    return {row.post_id: row.is_blind for row in connection.execute(query)}


def _decide(connection: Connection, project: str, post_ids: Sequence[str], state: Switch) -> None:
    moment = now()
    rows = [
        {
            "project": project,
            "post_id": post_id,
            "is_blind": falls_blind(post_id, state.blind_share, state.seed),
            "blind_share": state.blind_share,
            "decided_at": moment,
        }
        for post_id in post_ids
    ]
    _insert_new(connection, studio_arms, rows)


def _insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows whose keys are not there yet; another process may be doing the same."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), [dict(row) for row in rows])


def _spans_out(tags: Tags) -> dict[str, list[list[int]]]:
    return {tag_id: [[span.start, span.end] for span in spans] for tag_id, spans in tags.items()}


def _given(row: Row[tuple[object, ...]]) -> GivenSuggestion:
    values = dict(row._mapping)
    tags = {tag_id: tuple(Span(*pair) for pair in pairs) for tag_id, pairs in values.pop("tags").items()}
    return GivenSuggestion(**values, tags=tags)
