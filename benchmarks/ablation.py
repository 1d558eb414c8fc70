"""Nested cross-validation of training, step by step: from a plain text-only pipeline to all parts of the model.

Nothing is fitted on a post that it is judged on: vocabulary, views, second stage and thresholds come from the
other folds alone, near-duplicates are never parted, and the folds of a seed are the same for every step.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from annotations.codebook import Codebook
from annotations.records import Span
from classifiers import metrics
from classifiers.dataset import Dataset
from classifiers.fitting import FitOptions
from classifiers.scorer import Scorer
from classifiers.tokens import is_word, tokenise
from classifiers.training import TrainingOptions, train

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_TEXT = FitOptions(views=("documents",), evidence=False, cues=False)
PLAIN = "plain pipeline (TF-IDF, one against the rest)"
STEPS: dict[str, TrainingOptions | None] = {
    PLAIN: None,
    "text only, words that add up": TrainingOptions(fit=_TEXT, coupling=False),
    "+ evidence documents": TrainingOptions(fit=replace(_TEXT, evidence=True), coupling=False),
    "+ sentence view": TrainingOptions(
        fit=FitOptions(views=("documents", "sentences"), cues=False), coupling=False
    ),
    "+ cues": TrainingOptions(fit=FitOptions(views=("documents", "sentences")), coupling=False),
    "+ centroids": TrainingOptions(coupling=False),
    "+ other tags in the second stage (all)": TrainingOptions(),
    "all, but no cues": TrainingOptions(fit=FitOptions(cues=False)),
}
ALL = "+ other tags in the second stage (all)"


def seeded(step: str, seed: int) -> TrainingOptions | None:
    """Return the options of a step with a seed of the inner folds; None for the plain pipeline."""
    options = STEPS[step]
    return options and replace(options, seed=seed)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of posts by models that had not seen them; arrays are (n_posts, n_tags).

    ``hit`` and ``token_f1`` are of the first passage against the annotators' spans, NaN where there is none.
    """

    gold: Bools
    chance: Floats
    yes: Bools
    base: Floats
    hit: Floats
    token_f1: Floats

    def figures(self) -> dict[str, float]:
        """Return the figures over the tags that occur."""
        some = self.gold.any(axis=0)
        gold, chance, yes = self.gold[:, some], self.chance[:, some], self.yes[:, some]
        tags = range(gold.shape[1])
        reference = float(((self.base[:, some] - gold) ** 2).mean())
        return {
            "mAP": float(np.mean([metrics.average_precision(gold[:, k], chance[:, k]) for k in tags])),
            "micro F1": metrics.precision_recall_f1(gold, yes)[2],
            "macro F1": float(np.mean([metrics.precision_recall_f1(gold[:, k], yes[:, k])[2] for k in tags])),
            "Brier skill": 1 - metrics.brier(gold, chance) / reference,
            "ECE": metrics.expected_calibration_error(gold, chance),
            "hit": _mean(self.hit),
            "token F1": _mean(self.token_f1),
        }


def plain_pipeline(**options: object) -> Pipeline:
    """Return what everybody would try first: TF-IDF of words and characters, a logistic regression a tag."""
    return make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True),
        ),
        OneVsRestClassifier(LogisticRegression(C=10, max_iter=1000, **options)),
    )


def judged(
    dataset: Dataset,
    gold: Bools,
    codebook: Codebook,
    splits: Iterator[tuple[Ints, Ints]],
    options: TrainingOptions | None,
) -> Judged:
    """Train on the first rows of every split and judge on the second; posts in no second part keep zeros.

    ``options`` None means the plain pipeline.
    """
    shape = gold.shape
    found = Judged(
        gold, np.zeros(shape), np.zeros(shape, bool), np.zeros(shape), *(np.full(shape, np.nan) for _ in "ht")
    )
    for number, (learnt, test) in enumerate(splits):
        found.base[test] = gold[learnt].mean(axis=0)
        if options is None:
            _judge_plain(dataset, found, learnt, test)
        else:
            inner = replace(options, seed=10 * options.seed + number)
            scorer = Scorer(train(dataset.subset(learnt), codebook, inner).model, "benchmark")
            _judge(dataset, found, scorer, test)
    return found


def _judge_plain(dataset: Dataset, found: Judged, learnt: Ints, test: Ints) -> None:
    occurring = np.flatnonzero(found.gold[learnt].any(axis=0))
    pipeline = plain_pipeline()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline.fit(
            [dataset.texts[row] for row in learnt], found.gold[np.ix_(learnt, occurring)].astype(int)
        )
    found.chance[np.ix_(test, occurring)] = pipeline.predict_proba([dataset.texts[row] for row in test])
    found.yes[test] = found.chance[test] >= 0.5


def _judge(dataset: Dataset, found: Judged, scorer: Scorer, test: Ints) -> None:
    rules = list(scorer.rules.values())
    chance = scorer.probabilities([dataset.texts[row] for row in test])
    for k, rule in enumerate(rules):
        if rule.threshold is None:
            found.chance[test, k] = found.base[test, k]
        else:
            found.chance[test, k] = chance[:, k]
            found.yes[test, k] = chance[:, k] >= rule.threshold
    for row in test:
        marked = {
            tag: spans
            for k, tag in enumerate(dataset.tag_ids)
            if found.gold[row, k] and (spans := dataset.evidence[row].get(tag))
        }
        passages = scorer.passages(dataset.texts[row], marked) if marked else {}
        for tag, spans in marked.items():
            k = dataset.tag_ids.index(tag)
            first = [Span(each.start, each.end) for each in passages.get(tag, ())[:1]]
            found.hit[row, k] = metrics.evidence_hit(first, spans)
            found.token_f1[row, k] = _token_f1(dataset.texts[row], first, spans)


def _token_f1(text: str, first: Sequence[Span], spans: Sequence[Span]) -> float:
    words = [token.start for token in tokenise(text) if is_word(token.form)]
    ours = {at for at in words if any(span.start <= at < span.end for span in first)}
    theirs = {at for at in words if any(span.start <= at < span.end for span in spans)}
    return 2 * len(ours & theirs) / max(1, len(ours) + len(theirs))


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
