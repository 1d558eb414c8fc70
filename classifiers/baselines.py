"""What a model must beat: saying yes to everything, to nothing, the codebook's cues alone, plain text alone.

Each is fitted on the training posts of a fold and judged on the others, like the model itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from annotations.codebook import Codebook
from annotations.cues import cue_pattern
from annotations.records import Span
from classifiers.dataset import Dataset
from classifiers.outcomes import Outcomes, Passages, assembled

Floats = npt.NDArray[np.float64]
Baseline = Callable[[Dataset, Dataset, Codebook], Outcomes]
_HALF = 0.5
_MOST_CUES = 3


def always(_learnt: Dataset, test: Dataset, _codebook: Codebook) -> Outcomes:
    """Say yes to every tag, with certainty."""
    return _constant(test, 1.0)


def never(_learnt: Dataset, test: Dataset, _codebook: Codebook) -> Outcomes:
    """Say no to every tag, with certainty."""
    return _constant(test, 0.0)


def cues_alone(learnt: Dataset, test: Dataset, codebook: Codebook) -> Outcomes:
    """Say yes where a cue of the tag occurs.

    The probability is how often the training posts with as many different cues (0, 1, 2, 3 or more) bear the tag,
    drawn towards the tag's base rate as by one more post.  The evidence is the first cue.
    """
    patterns = {tag.id: cue_pattern(tag.cues) for tag in codebook.tags}
    shape = test.shares.shape
    score, yes = np.zeros(shape), np.zeros(shape, dtype=bool)
    passages: list[dict[str, Span | None]] = [{} for _ in test.texts]
    for k, tag in enumerate(test.tag_ids):
        pattern = patterns[tag]
        taught = _counted(pattern.findall, learnt)
        found = _counted(pattern.findall, test)
        base = learnt.shares[:, k].mean()
        for n in range(_MOST_CUES + 1):
            here = taught == n
            score[found == n, k] = (learnt.shares[here, k].sum() + base) / (here.sum() + 1)
        yes[:, k] = found > 0
        for row, marked in enumerate(test.evidence):
            if tag in marked:
                match = pattern.search(test.texts[row])
                passages[row][tag] = match and Span(match.start(), match.end())
    shown: list[Passages] = list(passages)
    return assembled(test, (score, yes, np.zeros(shape, dtype=bool)), np.full(shape[1], np.nan), shown)


def tfidf(learnt: Dataset, test: Dataset, _codebook: Codebook) -> Outcomes:
    """Return what everybody would try first: TF-IDF of words and characters, a logistic regression a tag.

    A probability of 0.5 is a yes.  Posts without any word to learn from leave the base rates.
    """
    gold = learnt.gold
    score = np.tile(gold.mean(axis=0), (len(test), 1))
    if (vectors := _vectors(learnt.texts, test.texts)) is not None:
        for k in np.flatnonzero(gold.any(axis=0) & ~gold.all(axis=0)):
            model = LogisticRegression(C=10, solver="liblinear", max_iter=200, random_state=0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                score[:, k] = model.fit(vectors[0], gold[:, k]).predict_proba(vectors[1])[:, 1]
    yes = score >= _HALF
    return assembled(test, (score, yes, np.zeros_like(yes)), np.full(len(test.tag_ids), _HALF))


BASELINES: dict[str, Baseline] = {"always": always, "never": never, "cues": cues_alone, "tfidf": tfidf}


def _constant(test: Dataset, value: float) -> Outcomes:
    score = np.full(test.shares.shape, value)
    yes = score > _HALF
    return assembled(test, (score, yes, np.zeros_like(yes)), np.full(len(test.tag_ids), _HALF))


def _counted(find: Callable[[str], list[str]], dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return how many different cues each text has, at most three."""
    return np.array([min(len({cue.casefold() for cue in find(text)}), _MOST_CUES) for text in dataset.texts])


def _vectors(seen: Sequence[str], unseen: Sequence[str]) -> tuple[Any, Any] | None:
    """Return both as TF-IDF vectors by the words and characters of the first; None where there are none."""
    kinds = (
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True),
    )
    try:
        learnt = sparse.hstack([kind.fit_transform(seen) for kind in kinds], format="csr")
    except ValueError:  # scikit-learn's "empty vocabulary"
        return None
    return learnt, sparse.hstack([kind.transform(unseen) for kind in kinds], format="csr")
