"""For tests of what reads a tagged corpus: ledgers and tables of tags made of a few values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from annotations.importing import import_file
from annotations.ledger.store import Ledger, open_ledger

VERSION = "0123456789ab"


def ledger_of(folder: Path, posts: Iterable[tuple[str, datetime | None, str]]) -> Ledger:
    """Return a ledger in ``folder`` with posts (post id, date, text); the caller closes it."""
    file = folder / "posts.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        for post_id, date, text in posts:
            channel, _, number = post_id.partition("/")
            row = {"channel": channel, "message_id": number, "text": text, "date": date and date.isoformat()}
            stream.write(json.dumps(row) + "\n")
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    import_file(ledger, file)
    return ledger


def tags_of(
    path: Path,
    tags: Mapping[str, Sequence[float]],
    tag_ids: Sequence[str],
    version: str = VERSION,
    threshold: float = 0.5,
) -> Path:
    """Write a table of tags as bulk tagging does: post id -> a probability for every tag."""
    columns: dict[str, list[str] | list[float]] = {
        "post_id": list(tags),
        "model_version": [version] * len(tags),
    }
    for column, tag in enumerate(tag_ids):
        scores = [row[column] for row in tags.values()]
        columns[tag] = ["yes" if score >= threshold else "no" for score in scores]
        columns[f"{tag}_score"] = scores
    pq.write_table(pa.table(columns), path)
    return path
