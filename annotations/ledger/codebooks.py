"""What the ledger knows of codebooks: those of its projects, titles that are no more, labels carried over."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, delete, insert, select, update

from annotations.labels import annotation_from_dict, annotation_to_dict
from annotations.ledger.store import Ledger
from annotations.ledger.tables import ledger_info, studio_annotations
from annotations.records import Annotation

_CODEBOOK = "codebook:"
_TITLES = "former_titles"

Place = tuple[str, int]
"""The project's key and the annotation's number."""


def remember_codebook(ledger: Ledger, digest: str, text: str) -> None:
    """Keep the YAML of a codebook under its digest."""
    with ledger.begin() as connection:
        connection.execute(delete(ledger_info).where(ledger_info.c.key == _CODEBOOK + digest))
        connection.execute(insert(ledger_info).values(key=_CODEBOOK + digest, value=text))


def remembered_codebook(ledger: Ledger, digest: str) -> str | None:
    """Return the YAML of a codebook that a project was made from, None where it is not known."""
    with ledger.begin() as connection:
        return connection.scalar(select(ledger_info.c.value).where(ledger_info.c.key == _CODEBOOK + digest))


def former_titles(ledger: Ledger) -> dict[str, str]:
    """Return the ids of tags by titles that they had before."""
    with ledger.begin() as connection:
        value = connection.scalar(select(ledger_info.c.value).where(ledger_info.c.key == _TITLES))
    return dict(json.loads(value)) if value else {}


def codebooks_of_annotations(ledger: Ledger, project: str, digest: str) -> dict[int, str]:
    """Return, for the annotations not made under the codebook ``digest``, under which they were made."""
    made_under = studio_annotations.c.parsed["codebook"].as_string()
    query = select(studio_annotations.c.annotation_id, made_under).where(
        studio_annotations.c.project == project,
        studio_annotations.c.parsed.is_not(None),
        made_under != digest,
    )
    with ledger.begin() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def stored_lines(ledger: Ledger) -> dict[Place, Annotation]:
    """Return every live annotation that could be read, stale ones and all of one annotator's too."""
    query = select(
        studio_annotations.c.project, studio_annotations.c.annotation_id, studio_annotations.c.parsed
    ).where(studio_annotations.c.deleted_at.is_(None), studio_annotations.c.parsed.is_not(None))
    with ledger.begin() as connection:
        rows = connection.execute(
            query.order_by(studio_annotations.c.project, studio_annotations.c.annotation_id)
        ).all()
    return {(row.project, row.annotation_id): annotation_from_dict(row.parsed) for row in rows}


def write_carried(
    ledger: Ledger, carried: Mapping[Place, Annotation], titles: Mapping[str, str], codebook: tuple[str, str]
) -> None:
    """Write labels that were carried over, the titles that are no more and the new codebook: all or nothing.

    ``codebook`` is the digest and the YAML of the new one.
    """
    known = former_titles(ledger) | dict(titles)
    digest, text = codebook
    rows: Sequence[dict[str, object]] = [
        {
            "at": project,
            "number": number,
            "parsed": annotation_to_dict(annotation),
            "skipped": annotation.skipped,
            "read_by": annotation.codebook,
        }
        for (project, number), annotation in carried.items()
    ]
    statement = (
        update(studio_annotations)
        .where(
            studio_annotations.c.project == bindparam("at"),
            studio_annotations.c.annotation_id == bindparam("number"),
        )
        .values(parsed=bindparam("parsed"), skipped=bindparam("skipped"), codebook=bindparam("read_by"))
    )
    keys = [_TITLES, _CODEBOOK + digest]
    with ledger.begin() as connection:
        if rows:
            connection.execute(statement, rows)
        connection.execute(delete(ledger_info).where(ledger_info.c.key.in_(keys)))
        connection.execute(
            insert(ledger_info),
            [{"key": _TITLES, "value": json.dumps(known)}, {"key": _CODEBOOK + digest, "value": text}],
        )
