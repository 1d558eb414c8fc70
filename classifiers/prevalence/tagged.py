"""All posts with what the model says of them, as arrays: from a table of tags, or from the ledger by a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import expit

from annotations.errors import FileError
from annotations.ledger.posts import current_posts
from annotations.ledger.samples import pool_posts
from annotations.ledger.store import Ledger
from annotations.progress import Progress, silent
from classifiers.bundle_documents import OutOfFold
from classifiers.predictions import DECISIONS, Decision
from classifiers.scorer import Scorer
from classifiers.tags_table import TagsFile
from classifiers.thresholds import TagRule

Scores = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Parts = Mapping[str, Sequence[str]]
UNKNOWN = "unknown"
_BATCH = 512
_ROWS_AT_ONCE = 50_000
_YES = DECISIONS.index(Decision.YES)
_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class TaggedPosts:
    """All posts that a share is of.

    Attributes
    ----------
    scores
        Shape (n_posts, n_tags); NaN where the tag is not predicted.
    yes
        Shape (n_posts, n_tags): decided ``yes``; an abstention is none.
    parts
        ``month``, ``channel`` and ``language`` -> the part of every post, ``unknown`` where it has none.
    clusters
        The name of each post's cluster of near-duplicates, of which one is labelled for all.
    revisions
        The digest of each text; empty where texts are not known.
    """

    post_ids: tuple[str, ...]
    tag_ids: tuple[str, ...]
    scores: Scores
    yes: Bools
    parts: Parts = field(default_factory=dict)
    clusters: tuple[str, ...] = ()
    revisions: tuple[str, ...] = ()
    model_version: str | None = None

    def __len__(self) -> int:
        return len(self.post_ids)

    def unseen(
        self, known: OutOfFold | None, rules: Mapping[str, TagRule], revisions: Sequence[str]
    ) -> TaggedPosts:
        """Return the posts with scores of models that had not learnt from them.

        ``revisions`` are the digests of the texts, an empty one where that is not known.
        """
        if known is None:
            return self
        rows = [(row, known.row_of[name]) for row, name in enumerate(revisions) if name in known.row_of]
        if not rows:
            return self
        here, there = np.array(rows).T
        scores, yes = self.scores.copy(), self.yes.copy()
        for column, tag in enumerate(self.tag_ids):
            rule = rules.get(tag)
            if tag in known.tag_ids and rule is not None and rule.threshold is not None:
                found = expit(known.log_odds[there, known.tag_ids.index(tag)])
                scores[here, column] = found
                yes[here, column] = (found >= rule.threshold) & (
                    np.abs(found - rule.threshold) >= rule.abstain_margin
                )
        return replace(self, scores=scores, yes=yes)


def read_tags_table(path: Path) -> TaggedPosts:
    """Read a table of bulk tagging, see :class:`~classifiers.tags_table.TagsFile`.

    Columns ``date``, ``channel`` and ``lang`` give the parts where the table has them; the channel is otherwise
    the beginning of the post id.

    Raises
    ------
    FileError
        It cannot be read, has no such columns, or names a post twice.
    """
    file = TagsFile(path)
    ids: list[str] = []
    versions: set[str] = set()
    parts: dict[str, list[str]] = {"month": [], "channel": [], "language": []}
    scores, yes = [], []
    for part in file.batches(["model_version", "date", "channel", "lang"], _ROWS_AT_ONCE):
        here = list(map(str, part["post_id"].to_pylist()))
        ids += here
        for name, values in _table_parts(part, here).items():
            parts[name] += values
        if "model_version" in part.schema.names:
            versions.update(map(str, pc.unique(part["model_version"]).to_pylist()))
        scores.append(file.scores(part).astype(np.float32))
        yes.append(file.decisions(part) == _YES)
    if len(set(ids)) < len(ids):
        raise FileError("names a post more than once", where=str(path), hint="Keep one row a post.")
    post_ids = tuple(ids)
    return TaggedPosts(
        post_ids,
        file.tag_ids,
        _stacked(scores, len(file.tag_ids), np.float32),
        _stacked(yes, len(file.tag_ids), np.bool_),
        parts=parts,
        clusters=post_ids,
        model_version=versions.pop() if len(versions) == 1 else None,
    )


def ledger_posts(ledger: Ledger, scorer: Scorer, progress: Progress = silent) -> TaggedPosts:
    """Tag the current posts of the ledger with a model."""
    ids: list[str] = []
    revisions: list[str] = []
    parts: dict[str, list[str]] = {"month": [], "channel": [], "language": []}
    scores, yes = [], []
    stored = current_posts(ledger)
    while found := list(islice(stored, _BATCH)):
        posts = [each.post for each in found]
        judged = scorer.judge([post.text for post in posts])
        ids += [post.post_id for post in posts]
        revisions += [post.revision for post in posts]
        parts["month"] += [_month(post.date) for post in posts]
        parts["channel"] += [post.channel for post in posts]
        known = zip(posts, judged.languages, strict=True)
        parts["language"] += [post.lang or language or UNKNOWN for post, language in known]
        scores.append(judged.scores.astype(np.float32))
        yes.append(judged.decisions == _YES)
        progress(len(ids), None)
    n_tags = len(scorer.rules)
    tagged = TaggedPosts(
        tuple(ids),
        tuple(scorer.rules),
        _stacked(scores, n_tags, np.float32),
        _stacked(yes, n_tags, np.bool_),
        parts=parts,
        revisions=tuple(revisions),
        model_version=scorer.version,
    )
    return replace(tagged, clusters=_clusters(ledger, tagged.post_ids))


def with_ledger(tagged: TaggedPosts, ledger: Ledger) -> TaggedPosts:
    """Add what the ledger knows of the posts of a table: revisions, clusters, dates, channels, languages."""
    row_of = {post_id: row for row, post_id in enumerate(tagged.post_ids)}
    revisions = [""] * len(tagged)
    parts = {name: list(values) for name, values in tagged.parts.items()}
    for stored in current_posts(ledger):
        row = row_of.get(stored.post.post_id)
        if row is None:
            continue
        revisions[row] = stored.post.revision
        parts["channel"][row] = stored.post.channel
        if parts["month"][row] == UNKNOWN:
            parts["month"][row] = _month(stored.post.date)
        if parts["language"][row] == UNKNOWN:
            parts["language"][row] = stored.post.lang or UNKNOWN
    clusters = _clusters(ledger, tagged.post_ids)
    return replace(tagged, revisions=tuple(revisions), parts=parts, clusters=clusters)


def _clusters(ledger: Ledger, post_ids: Sequence[str]) -> tuple[str, ...]:
    known = {post.post_id: post.cluster for post in pool_posts(ledger)}
    return tuple(known.get(post_id, post_id) for post_id in post_ids)


def _stacked(batches: Sequence[npt.NDArray[_Kind]], n_tags: int, kind: type[_Kind]) -> npt.NDArray[_Kind]:
    return np.concatenate([np.zeros((0, n_tags), dtype=kind), *batches])


def _table_parts(table: pa.RecordBatch, post_ids: Sequence[str]) -> dict[str, list[str]]:
    columns = {
        name: table[name].to_pylist() for name in ("date", "channel", "lang") if name in table.schema.names
    }
    unknown = [UNKNOWN] * len(post_ids)
    months = [_month(value) for value in columns["date"]] if "date" in columns else list(unknown)
    channels = columns.get("channel") or [post_id.rpartition("/")[0] for post_id in post_ids]
    return {
        "month": months,
        "channel": list(_named(channels)),
        "language": list(_named(columns.get("lang", unknown))),
    }


def _named(values: Iterable[object]) -> Iterator[str]:
    return (str(value) if value else UNKNOWN for value in values)


def _month(value: object) -> str:
    """Return the month in UTC of a moment, a date or its ISO 8601 text."""
    if isinstance(value, str) and value:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return UNKNOWN
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    return f"{value:%Y-%m}" if hasattr(value, "strftime") else UNKNOWN
