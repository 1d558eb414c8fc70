"""The options of a run of bulk tagging, and what it tells at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from classifiers.bulk.chunks import Refused


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """How to tag.

    Attributes
    ----------
    columns
        More columns of the output, of :data:`classifiers.bulk.formats.EXTRA_COLUMNS`.
    jobs
        Processes; as many as there are cores where it is None.
    scheduler
        The address of a Dask scheduler, to use its workers instead.
    changed
        Use the rows of an existing output for posts that have not changed; ``revision`` is then a column.
    chunk_posts
        Posts a chunk, which is a row group of the output, and what is lost at most where a worker is.
    """

    columns: tuple[str, ...] = ()
    jobs: int | None = None
    scheduler: str | None = None
    changed: bool = False
    chunk_posts: int = 2_048


@dataclass(slots=True)
class BulkReport:
    """What a run did.

    Attributes
    ----------
    n_tagged
        Rows of the output; of these ``n_unchanged`` were taken from an earlier output.
    n_refused
        Rows of the input that could not be read; all of them are in ``rejected``, the first ones in ``refused``.
    n_repeated_ids
        Rows whose post id an earlier row has as well.
    n_resumed, n_stale
        Chunks that an interrupted run had done, and those of them that were of no use: made of another
        input, by another model, or with other options.
    n_repeated_chunks
        Chunks begun again because a worker was lost.
    notes
        Sentences on the run.
    """

    path: Path
    model_version: str
    n_tagged: int = 0
    n_unchanged: int = 0
    n_skipped: int = 0
    n_refused: int = 0
    n_repeated_ids: int = 0
    n_chunks: int = 0
    n_resumed: int = 0
    n_stale: int = 0
    n_repeated_chunks: int = 0
    rejected: Path | None = None
    refused: list[Refused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "path": str(self.path),
            "model_version": self.model_version,
            "posts": {
                "tagged": self.n_tagged,
                "unchanged": self.n_unchanged,
                "skipped": self.n_skipped,
                "refused": self.n_refused,
                "repeated_ids": self.n_repeated_ids,
            },
            "chunks": {
                "done": self.n_chunks,
                "resumed": self.n_resumed,
                "stale": self.n_stale,
                "repeated": self.n_repeated_chunks,
            },
            "rejected": None if self.rejected is None else str(self.rejected),
            "notes": self.notes,
        }
