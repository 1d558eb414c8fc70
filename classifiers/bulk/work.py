"""What a worker does with a chunk: read what is still to be read, score, write the piece of the output.

The answer is one block of bytes, which the driver keeps as a file: a line of JSON (what was left out), then the
numbers that stand for the post ids, then the piece.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from annotations.records import text_digest
from classifiers.bulk.chunks import ReadPosts, Refused, TableRows, numbers_of, table_of
from classifiers.bulk.formats import encoded, output_schema, output_table
from classifiers.bulk.table_rows import Read, read_posts, read_rows
from classifiers.errors import BundleError
from classifiers.scorer import Scorer

_FORM = 1
"""Of the answers; goes up when they change, so that none of an older form is taken for one of this."""


@dataclass(frozen=True, slots=True)
class Work:
    """How all chunks of a run are done: the bundle and its version, the format and extra columns of the output."""

    bundle: Path
    version: str
    format: str
    columns: tuple[str, ...] = ()

    def key(self, posts: TableRows | ReadPosts) -> str:
        """Return the name of a chunk's answer: nothing that it depends on can change without another name."""
        settings = [_FORM, self.version, self.format, *self.columns, posts.digest()]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker found.

    Attributes
    ----------
    piece
        The rows of the output, as :func:`classifiers.bulk.formats.encoded` makes them.
    ids
        A number for every post id, the same for the same id.
    n_known
        How many of the rows were taken from an earlier run.
    """

    piece: pa.Buffer
    ids: npt.NDArray[np.uint64]
    refused: Sequence[Refused]
    n_skipped: int
    n_known: int

    def to_bytes(self) -> bytes:
        """Return it as one block."""
        head = {
            "rows": len(self.ids),
            "skipped": self.n_skipped,
            "known": self.n_known,
            "bytes": self.piece.size,
            "refused": [asdict(refused) for refused in self.refused],
        }
        return b"".join((json.dumps(head).encode(), b"\n", self.ids.tobytes(), self.piece))

    @classmethod
    def from_bytes(cls, data: bytes) -> Answer:
        """Read what :meth:`to_bytes` wrote.

        Raises
        ------
        ValueError
            The block is not whole.
        """
        line, _, _ = data[: data.find(b"\n") + 1].partition(b"\n")
        head = json.loads(line)
        start = len(line) + 1
        middle = start + 8 * head["rows"]
        if len(data) != middle + head["bytes"]:
            raise ValueError("the answer is cut off")
        return cls(
            piece=pa.py_buffer(data).slice(middle),
            ids=np.frombuffer(data, np.uint64, head["rows"], start),
            refused=[Refused(**refused) for refused in head["refused"]],
            n_skipped=head["skipped"],
            n_known=head["known"],
        )


def tag_chunk(work: Work, posts: TableRows | ReadPosts) -> bytes:
    """Tag a chunk by the bundle of ``work``, which a process loads once."""
    return tag_with(loaded(work.bundle, work.version), work, posts)


def tag_with(scorer: Scorer, work: Work, posts: TableRows | ReadPosts) -> bytes:
    """Tag a chunk and return the answer as a block."""
    known: pa.Table | None = None
    if isinstance(posts, TableRows):
        read = read_rows(posts)
    else:
        read = read_posts(posts)
        known = None if posts.known is None else table_of(posts.known)
    table = _tagged(scorer, work, read) if known is None else _merged(scorer, work, read, known)
    ids = numbers_of(table["post_id"].to_pylist())
    n_known = 0 if known is None else len(known)
    return Answer(encoded(table, work.format), ids, read.refused, read.n_skipped, n_known).to_bytes()


@lru_cache(maxsize=1)
def loaded(bundle: Path, version: str) -> Scorer:
    """Load a bundle, once in a process.

    Raises
    ------
    BundleError
        It is damaged, or by now another.
    """
    scorer = Scorer.load(bundle)
    if scorer.version != version:
        raise BundleError(
            f"the bundle is now of version {scorer.version}, not {version}",
            where=str(bundle),
            hint="Run the command again.",
        )
    return scorer


def _tagged(scorer: Scorer, work: Work, read: Read) -> pa.Table:
    judged = scorer.judge(read.texts)
    size = len(read.texts)
    plain: Mapping[str, Any] = {
        "post_id": lambda: read.ids,
        "model_version": lambda: pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(size, dtype=np.int32)), pa.array([scorer.version])
        ),
        "channel": lambda: read.channels,
        "date": lambda: read.dates,
        "lang": lambda: pa.array(judged.languages, pa.string()),
        "revision": lambda: pa.array(map(text_digest, read.texts), pa.string()),
    }
    wanted = {name: plain[name]() for name in ("post_id", "model_version", *work.columns)}
    return output_table(output_schema(work.columns, tuple(scorer.rules)), wanted, judged)


def _merged(scorer: Scorer, work: Work, read: Read, known: pa.Table) -> pa.Table:
    """Tag the posts that have a text, and put the rows that are known in the places of the others."""
    is_known = np.array([text is None for text in read.texts], dtype=bool)
    new = np.flatnonzero(~is_known)
    fresh = Read(
        read.ids.take(new), [read.texts[at] for at in new], read.channels.take(new), read.dates.take(new)
    )
    tagged = _tagged(scorer, work, fresh)
    both = pa.concat_tables([tagged, known.cast(tagged.schema)])
    order = np.empty(len(is_known), dtype=np.int64)
    order[new] = np.arange(len(new))
    order[np.flatnonzero(is_known)] = len(new) + np.arange(len(known))
    return both.take(order).unify_dictionaries()
