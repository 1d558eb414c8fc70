"""What a model, or a baseline, said of labelled posts, beside what their annotators said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from annotations.progress import Progress, silent
from annotations.records import Span
from classifiers import metrics
from classifiers.dataset import Dataset, Evidence
from classifiers.predictions import Decision
from classifiers.scorer import Scorer

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Passages = Mapping[str, Span | None]
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What was said of posts; all arrays are (n_posts, n_tags) unless said.

    Attributes
    ----------
    score
        The calibrated probability; the training base rate for a refused tag.
    hit
        Whether the first passage overlaps an annotator's span, for the gold pairs; NaN where nobody marked one.
    token_f1
        The F1 of its words against theirs, likewise.
    threshold
        Shape (n_tags,), NaN for a refused tag.
    groups
        Shape (n_posts,), the dataset's groups of near-duplicates.
    passages
        For every post, the first passage of each tag that an annotator marked evidence of; None for a tag
        without one.  Empty for what shows no evidence.
    """

    tag_ids: tuple[str, ...]
    y_true: Bools
    score: Floats
    yes: Bools
    abstained: Bools
    hit: Floats
    token_f1: Floats
    threshold: Floats
    groups: Ints
    passages: tuple[Passages, ...]

    def __len__(self) -> int:
        return len(self.y_true)

    def take(self, rows: Ints) -> Outcomes:
        """Return the outcomes of some posts, in the order of ``rows``."""
        per_post = ("y_true", "score", "yes", "abstained", "hit", "token_f1", "groups")
        chosen = {name: getattr(self, name)[rows] for name in per_post}
        return replace(self, **chosen, passages=tuple(self.passages[row] for row in rows))

    def against(self, y_true: Bools, evidence: Sequence[Evidence], texts: Sequence[str]) -> Outcomes:
        """Return the same answers beside other labels: ``evidence`` and ``texts`` are of the same posts."""
        hit, token_f1 = _judged_evidence((y_true, evidence, texts), self.tag_ids, self.passages)
        return replace(self, y_true=y_true, hit=hit, token_f1=token_f1)


def outcomes(scorer: Scorer, dataset: Dataset, progress: Progress = silent) -> Outcomes:
    """Let a model tag the posts of a dataset and set its answers beside the gold."""
    n = len(dataset)
    rules = list(scorer.rules.values())
    score = np.zeros(dataset.shares.shape)
    yes, abstained = np.zeros(score.shape, dtype=bool), np.zeros(score.shape, dtype=bool)
    passages: list[Passages] = []
    for first in range(0, n, _BATCH):
        rows = range(first, min(first + _BATCH, n))
        for row, prediction in zip(rows, scorer.predict([dataset.texts[row] for row in rows]), strict=True):
            for k, tag in enumerate(prediction.tags):
                score[row, k] = rules[k].prevalence if tag.score is None else tag.score
                yes[row, k] = tag.decision is Decision.YES
                abstained[row, k] = tag.decision is Decision.ABSTAIN
            passages.append(_first_passages(scorer, dataset.texts[row], dataset.evidence[row]))
        progress(rows.stop, n)
    threshold = np.array([np.nan if rule.threshold is None else rule.threshold for rule in rules])
    return assembled(dataset, (score, yes, abstained), threshold, passages)


def assembled(
    dataset: Dataset,
    said: tuple[Floats, Bools, Bools],
    threshold: Floats,
    passages: Sequence[Passages] | None = None,
) -> Outcomes:
    """Set answers (score, yes, abstained) beside the gold of a dataset; without ``passages`` no evidence is judged."""
    shown = tuple({} for _ in dataset.texts) if passages is None else tuple(passages)
    hit, token_f1 = _judged_evidence((dataset.gold, dataset.evidence, dataset.texts), dataset.tag_ids, shown)
    score, yes, abstained = said
    return Outcomes(
        dataset.tag_ids, dataset.gold, score, yes, abstained, hit, token_f1, threshold, dataset.groups, shown
    )


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """Put the outcomes of several models on different posts together; a threshold is the mean of theirs."""
    thresholds = np.stack([part.threshold for part in parts])
    n_known = (~np.isnan(thresholds)).sum(axis=0)
    mean = np.where(n_known > 0, np.nansum(thresholds, axis=0) / np.maximum(n_known, 1), np.nan)
    per_post = ("y_true", "score", "yes", "abstained", "hit", "token_f1", "groups")
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in per_post}
    passages = tuple(each for part in parts for each in part.passages)
    return replace(parts[0], **whole, threshold=mean, passages=passages)


def _first_passages(scorer: Scorer, text: str, marked: Evidence) -> Passages:
    found = scorer.passages(text, list(marked)) if marked else {}
    spans = {tag: [Span(each.start, each.end) for each in shown[:1]] for tag, shown in found.items()}
    return {tag: next(iter(spans.get(tag, ())), None) for tag in marked}


def _judged_evidence(
    labels: tuple[Bools, Sequence[Evidence], Sequence[str]],
    tag_ids: Sequence[str],
    passages: Sequence[Passages],
) -> tuple[Floats, Floats]:
    """Return hits and token F1; a tag that a post bears, that was marked, and that shows no passage gets 0."""
    truth, evidence, texts = labels
    hit, token_f1 = np.full(truth.shape, np.nan), np.full(truth.shape, np.nan)
    column = {tag: k for k, tag in enumerate(tag_ids)}
    for row, (marked, shown) in enumerate(zip(evidence, passages, strict=True)):
        wanted = [tag for tag in marked if truth[row, column[tag]] and tag in shown]
        words = metrics.word_starts(texts[row]) if wanted else ()
        for tag in wanted:
            span = shown[tag]
            first = [span] if span else []
            hit[row, column[tag]] = metrics.evidence_hit(first, marked[tag])
            token_f1[row, column[tag]] = metrics.evidence_token_f1(words, first, marked[tag])
    return hit, token_f1
