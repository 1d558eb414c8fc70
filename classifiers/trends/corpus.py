"""A tagged corpus: the posts of a ledger with their tags, a batch at a time, whatever the number of posts.

The tags come from a table of bulk tagging (Parquet, CSV or JSON lines, or a folder of Parquet files), or the
posts are scored while they are read.  Nothing but a batch, the names of the clusters met, and a number for every
post of a table is held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from annotations.errors import FileError
from annotations.ledger.posts import StoredPost, chosen_posts, current_posts
from annotations.ledger.store import Ledger
from classifiers.languages import identify
from classifiers.predictions import DECISIONS, Decision
from classifiers.scorer import Scorer

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
YES, NO, ABSTAIN = (DECISIONS.index(kind) for kind in (Decision.YES, Decision.NO, Decision.ABSTAIN))
UNDATED = -(2**40)
"""The day of a post without a date."""

BATCH = 2_000
_SCORE = "_score"
_FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json"}
_NUMBER_OF = {decision.value: number for number, decision in enumerate(DECISIONS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedBatch:
    """Some posts with their tags.

    Attributes
    ----------
    posts
        The posts as the ledger has them, of length n.
    days
        Shape (n,): days since 1970-01-01 in UTC, :data:`UNDATED` for posts without a date.
    languages
        ISO 639-1 codes; None where nothing says which language it is.
    scores, decisions
        Shapes (n, n_tags): probabilities (NaN where the tag is not predicted), and numbers of
        :data:`classifiers.predictions.DECISIONS`.
    is_first
        Shape (n,): false for a post of which a near-duplicate came before.
    """

    posts: Sequence[StoredPost]
    days: Ints
    languages: Sequence[str | None]
    scores: Floats
    decisions: npt.NDArray[np.int8]
    is_first: Bools

    def __len__(self) -> int:
        return len(self.posts)

    @property
    def yes(self) -> Bools:
        """Shape (n, n_tags): decided yes."""
        return np.asarray(self.decisions == YES)

    @property
    def decided(self) -> Bools:
        """Shape (n, n_tags): decided yes or no."""
        return np.asarray(self.decisions != ABSTAIN)


class TaggedCorpus(Protocol):
    """What can be gone through in batches, more than once.

    ``tag_ids`` names the columns of tags; ``model_version`` is the model that gave them.
    """

    tag_ids: tuple[str, ...]
    model_version: str

    def batches(self) -> Iterator[TaggedBatch]:
        """Yield all posts with their tags."""
        ...


class ScoredPosts:
    """The posts of a ledger, tagged by a model while they are read; by date, those without one last."""

    def __init__(self, ledger: Ledger, scorer: Scorer, size: int = BATCH) -> None:
        self._ledger, self._scorer, self._size = ledger, scorer, size
        self.tag_ids = tuple(scorer.rules)
        self.model_version = scorer.version

    def batches(self) -> Iterator[TaggedBatch]:
        """Yield all posts with their tags."""
        met: set[str] = set()
        posts = current_posts(self._ledger)
        while batch := list(islice(posts, self._size)):
            judged = self._scorer.judge([stored.post.text for stored in batch])
            languages = [
                stored.post.lang or language for stored, language in zip(batch, judged.languages, strict=True)
            ]
            yield _batch(batch, languages, (judged.scores, judged.decisions), met)


class TagsTable:
    """The posts of a ledger with the tags of a table: ``post_id``, ``model_version``, ``<tag>``, ``<tag>_score``.

    A post that stands in the table twice counts once, one that is not in the ledger does not; ``n_repeated`` and
    ``n_unknown`` say how many there were, after the posts have been gone through.

    Raises
    ------
    FileError
        The table cannot be read, lacks a column, or holds the tags of two models.
    """

    def __init__(self, ledger: Ledger, path: Path, size: int = BATCH) -> None:
        self._ledger, self._path, self._size = ledger, path, size
        self._data = _dataset(path)
        names = self._data.schema.names
        self.tag_ids = tuple(name for name in names if f"{name}{_SCORE}" in names)
        missing = [name for name in ("post_id", "model_version") if name not in names]
        if missing or not self.tag_ids:
            raise FileError(
                f"has no column '{(missing or ['<tag>_score'])[0]}'",
                where=str(path),
                hint="Make the table with `talkingpoints tag POSTS TAGS.parquet`.",
            )
        first = self._data.head(1, columns=["model_version"])["model_version"]
        if not len(first):
            raise FileError("has no row", where=str(path), hint="Tag some posts first.")
        self.model_version = str(first[0])
        self.n_repeated = self.n_unknown = 0

    def batches(self) -> Iterator[TaggedBatch]:
        """Yield all posts with their tags, in the order of the table."""
        met: set[str] = set()
        seen: set[int] = set()
        self.n_repeated = self.n_unknown = 0
        names = [
            "post_id",
            "model_version",
            *(each for tag in self.tag_ids for each in (tag, f"{tag}{_SCORE}")),
            *(["lang"] if "lang" in self._data.schema.names else []),
        ]
        try:
            for part in self._data.to_batches(columns=names, batch_size=self._size, batch_readahead=2):
                for first in range(0, len(part), self._size):
                    batch = self._joined(part.slice(first, self._size), seen, met)
                    if batch is not None:
                        yield batch
        except (pa.ArrowException, OSError) as error:
            raise FileError(f"cannot be read: {error}", where=str(self._path)) from error

    def _joined(self, part: Any, seen: set[int], met: set[str]) -> TaggedBatch | None:
        versions = set(pc.unique(part["model_version"]).to_pylist()) - {self.model_version}
        if versions:
            found = f"{self.model_version} and {versions.pop()}"
            raise FileError(
                f"holds the tags of two models, {found}",
                where=str(self._path),
                hint="Scores of two models cannot be compared: tag all posts with one.",
            )
        row_of: dict[str, int] = {}
        for row, post_id in enumerate(map(str, part["post_id"].to_pylist())):
            number = hash(
                post_id
            )  # 8 bytes in place of the name: two of a million share one by a chance of 3e-8
            if number in seen:
                self.n_repeated += 1
            else:
                seen.add(number)
                row_of[post_id] = row
        posts = list(chosen_posts(self._ledger, list(row_of)))
        self.n_unknown += len(row_of) - len(posts)
        if not posts:
            return None
        rows = np.array([row_of[stored.post.post_id] for stored in posts], dtype=np.int64)
        said = part["lang"].to_pylist() if "lang" in part.schema.names else [None] * len(part)
        languages = [
            stored.post.lang or said[row] or identify(stored.post.text)
            for stored, row in zip(posts, rows, strict=True)
        ]
        scores, decisions = _scores(part, self.tag_ids), _decisions(part, self.tag_ids)
        return _batch(posts, languages, (scores[rows], decisions[rows]), met)


def day_of(moment: datetime | None) -> int:
    """Return the day of a moment, in days since 1970-01-01 in UTC."""
    return UNDATED if moment is None else moment.astimezone(UTC).toordinal() - _EPOCH


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


def _batch(
    posts: Sequence[StoredPost],
    languages: Sequence[str | None],
    tags: tuple[Floats, npt.NDArray[np.int8]],
    met: set[str],
) -> TaggedBatch:
    is_first = np.ones(len(posts), dtype=bool)
    for row, stored in enumerate(posts):
        if stored.cluster is not None:
            is_first[row] = stored.cluster not in met
            met.add(stored.cluster)
    days = np.array([day_of(stored.post.date) for stored in posts], dtype=np.int64)
    return TaggedBatch(
        posts=posts, days=days, languages=languages, scores=tags[0], decisions=tags[1], is_first=is_first
    )


def _dataset(path: Path) -> Any:
    kind = "parquet" if path.is_dir() else _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise FileError(
            f"the suffix {path.suffix!r} means no known format",
            where=str(path),
            hint=f"Use one of {', '.join(sorted(_FORMATS))}, or a folder of Parquet files.",
        )
    try:
        return pads.dataset(path, format=kind)
    except (pa.ArrowException, OSError) as error:
        raise FileError(
            f"cannot be read as {kind}: {error}", where=str(path), hint="Name a table of tags."
        ) from error


def _scores(part: Any, tag_ids: Sequence[str]) -> Floats:
    columns = [
        pc.cast(part[f"{tag}{_SCORE}"], pa.float64()).to_numpy(zero_copy_only=False) for tag in tag_ids
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def _decisions(part: Any, tag_ids: Sequence[str]) -> npt.NDArray[np.int8]:
    found = np.full((len(part), len(tag_ids)), ABSTAIN, dtype=np.int8)
    for column, tag in enumerate(tag_ids):
        values = pc.cast(part[tag], pa.string()).dictionary_encode()
        numbers = [_NUMBER_OF.get(str(value), ABSTAIN) for value in values.dictionary.to_pylist()]
        codes = values.indices.fill_null(len(numbers)).to_numpy(zero_copy_only=False)
        found[:, column] = np.array([*numbers, ABSTAIN], dtype=np.int8)[codes]
    return found
