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
import pyarrow.compute as pc

from annotations.errors import FileError
from annotations.ledger.posts import StoredPost, chosen_posts, current_posts
from annotations.ledger.store import Ledger
from classifiers.predictions import DECISIONS, Decision
from classifiers.scorer import Scorer
from classifiers.tags_table import ABSTAIN, TagsFile
from classifiers.wording import Wording

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
YES = DECISIONS.index(Decision.YES)
UNDATED = -(2**40)
"""The day of a post without a date."""

BATCH = 2_000


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
        self._file = TagsFile(path)
        self._wording = Wording(())
        self.tag_ids = self._file.tag_ids
        if "model_version" not in self._file.names:
            raise FileError(
                "has no column 'model_version'",
                where=str(path),
                hint="Make the table with `talkingpoints tag POSTS TAGS.parquet`.",
            )
        first = next(filter(len, self._file.batches(["model_version"], 1)), None)
        if first is None:
            raise FileError("has no row", where=str(path), hint="Tag some posts first.")
        self.model_version = str(first["model_version"][0])
        self.n_repeated = self.n_unknown = 0

    def batches(self) -> Iterator[TaggedBatch]:
        """Yield all posts with their tags, in the order of the table."""
        met: set[str] = set()
        seen: set[int] = set()
        self.n_repeated = self.n_unknown = 0
        for part in self._file.batches(["model_version", "lang"], self._size):
            batch = self._joined(part, seen, met)
            if batch is not None:
                yield batch

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
        languages: list[str | None] = [
            stored.post.lang or said[row] for stored, row in zip(posts, rows, strict=True)
        ]
        untold = [number for number, language in enumerate(languages) if not language]
        told = self._wording.identified([posts[number].post.text for number in untold])
        for number, language in zip(untold, told, strict=True):
            languages[number] = language
        scores, decisions = self._file.scores(part), self._file.decisions(part)
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
