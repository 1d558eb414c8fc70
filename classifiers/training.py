"""Training: one logistic regression a tag and view, on shared features, calibrated out of fold.

The same data, seed and options give the same weights on any number of jobs: every fit is single-threaded and
independent of the others, and weights are rounded to float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from annotations.codebook import Codebook
from annotations.progress import Progress, silent
from classifiers.dataset import Dataset
from classifiers.documents import Targets, passage_targets, post_targets, quotes, sentence_targets
from classifiers.errors import DatasetError
from classifiers.features import Block, BlockSpec, Corpus, Encoder, Matrix, fit_blocks
from classifiers.linear import LinearModel, Scope, View, pool
from classifiers.metrics import ranking_metrics
from classifiers.model import Model
from classifiers.splits import Ints, folds
from classifiers.thresholds import ThresholdOptions, fit_rules, refusal

Floats = npt.NDArray[np.float64]
DEFAULT_BLOCKS = (BlockSpec("words", "words", 1, 2), BlockSpec("chars", "chars", 3, 5))


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train; nothing in it depends on the data.

    ``evidence`` adds the annotators' quotes as training texts, ``sentence_view`` adds the view over sentences
    (which needs evidence). ``inverse_penalty`` is scikit-learn's ``C``. ``n_jobs`` as in joblib.
    """

    seed: int = 0
    n_jobs: int = 1
    evidence: bool = True
    sentence_view: bool = True
    inverse_penalty: float = 10.0
    sharpness: float = 1.0
    n_folds: int = 5
    blocks: tuple[BlockSpec, ...] = DEFAULT_BLOCKS
    thresholds: ThresholdOptions = field(default_factory=ThresholdOptions)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model with the out-of-fold scores (n_posts, n_tags; NaN for refused tags) that its rules were fitted on."""

    model: Model
    out_of_fold: Floats


@dataclass(frozen=True, slots=True)
class _ViewData:
    """A view's training rows, and the posts (or their sentences) it is to score out of fold."""

    name: str
    scope: Scope
    rows: Matrix
    targets: Targets
    held_out: Matrix


def train(
    dataset: Dataset,
    codebook: Codebook,
    options: TrainingOptions | None = None,
    progress: Progress = silent,
) -> TrainedModel:
    """Train on ``dataset``.

    Parameters
    ----------
    progress
        Called with (tags fitted, tags to fit).

    Raises
    ------
    DatasetError
        No tag has enough examples, or the posts cannot be split.
    """
    options = options or TrainingOptions()
    kept = [k for k in range(len(dataset.tag_ids)) if not refusal(dataset.shares[:, k], options.thresholds)]
    if not kept:
        raise DatasetError(
            "no tag has enough examples to learn from",
            hint=f"Annotate more posts: a tag needs {options.thresholds.min_support:g} positive ones.",
        )
    corpus = Corpus.of(dataset.texts)
    blocks = fit_blocks(corpus, options.blocks)
    views = _view_data(dataset, corpus, blocks, options)
    fold = folds(dataset, options.n_folds, options.seed)
    fitted = _fit_all(views, kept, _Setting(corpus, fold, options), progress)
    scores = np.full(dataset.shares.shape, np.nan)
    for k, (_, out_of_fold) in zip(kept, fitted, strict=True):
        scores[:, k] = out_of_fold
    linear = LinearModel(
        blocks,
        [_stacked(view, [weights[number] for weights, _ in fitted]) for number, view in enumerate(views)],
        [dataset.tag_ids[k] for k in kept],
        options.sharpness,
    )
    rules = fit_rules(dataset.tag_ids, scores, dataset.shares, options.thresholds)
    calibrated = np.column_stack(
        [rule.calibrated(scores[:, k]) if rule.predicted else scores[:, k] for k, rule in enumerate(rules)]
    )
    model = Model(
        codebook,
        linear,
        rules,
        dataset.digest,
        options=_recorded(options),
        metrics={"out_of_fold": ranking_metrics(dataset.gold, calibrated)},
        training=_summary(dataset),
    )
    return TrainedModel(model, scores)


@dataclass(frozen=True, slots=True)
class _Setting:
    corpus: Corpus
    fold: Ints
    options: TrainingOptions


_Weights = list[tuple[npt.NDArray[np.float32], np.float32]]


def _view_data(
    dataset: Dataset, corpus: Corpus, blocks: Sequence[Block], options: TrainingOptions
) -> list[_ViewData]:
    """Make every view's rows from one vectorisation of the posts' sentences and of the quotes."""
    encoder = Encoder(blocks)
    counts = encoder.counts(corpus)
    posts, targets = encoder.tfidf(corpus.sums @ counts), post_targets(dataset)
    texts, spans, post_of = quotes(dataset)
    if not options.evidence or not texts:
        return [_ViewData("post", "post", _narrow(posts), targets, _narrow(posts))]
    quote_corpus = Corpus.of(texts)
    quoted = encoder.tfidf(quote_corpus.sums @ encoder.counts(quote_corpus))
    quote_targets = passage_targets(dataset, spans, post_of)
    rows = _narrow(sparse.vstack([posts, quoted], format="csr"))
    views = [_ViewData("post", "post", rows, targets.joined(quote_targets), _narrow(posts))]
    if options.sentence_view:
        sentences = encoder.tfidf(counts)
        rows = _narrow(sparse.vstack([sentences, quoted], format="csr"))
        joined = sentence_targets(dataset, corpus).joined(quote_targets)
        views.append(_ViewData("sentence", "sentence", rows, joined, _narrow(sentences)))
    return views


def _narrow(matrix: Matrix) -> Matrix:
    """Return the matrix with the 32-bit indices that scikit-learn's solvers insist on."""
    narrow = sparse.csr_array(matrix)
    narrow.indices, narrow.indptr = narrow.indices.astype(np.int32), narrow.indptr.astype(np.int32)
    return narrow


def _fit_all(
    views: Sequence[_ViewData], kept: Sequence[int], setting: _Setting, progress: Progress
) -> list[tuple[_Weights, Floats]]:
    jobs = Parallel(n_jobs=setting.options.n_jobs, return_as="generator")(
        delayed(_fit_tag)(views, k, setting) for k in kept
    )
    fitted: list[tuple[_Weights, Floats]] = []
    progress(0, len(kept))
    for done in jobs:
        fitted.append(done)
        progress(len(fitted), len(kept))
    return fitted


def _fit_tag(views: Sequence[_ViewData], tag: int, setting: _Setting) -> tuple[_Weights, Floats]:
    """Fit one tag's views on all posts, and score every post by views fitted without its fold."""
    n_posts = len(setting.fold)
    out_of_fold = np.zeros(n_posts)
    with threadpool_limits(limits=1):
        for number in np.unique(setting.fold):
            held = setting.fold == number
            for view in views:
                weights, bias = _fit(view, tag, ~held[view.targets.post_of], setting.options)
                scores = np.asarray(view.held_out @ weights, dtype=np.float64)
                if view.scope == "sentence":
                    scores = pool(scores[:, None], setting.corpus, setting.options.sharpness)[:, 0]
                out_of_fold[held] += (scores + bias)[held] / len(views)
        final = [
            _fit(view, tag, np.ones(len(view.targets.post_of), dtype=bool), setting.options) for view in views
        ]
    return final, out_of_fold


def _fit(
    view: _ViewData, tag: int, usable: npt.NDArray[np.bool_], options: TrainingOptions
) -> tuple[npt.NDArray[np.float32], np.float32]:
    """Fit one logistic regression in which both classes weigh the same; soft labels enter as weights of both."""
    yes, no = view.targets.yes[:, tag] * usable, view.targets.no[:, tag] * usable
    rows_yes, rows_no = np.flatnonzero(yes), np.flatnonzero(no)
    if not len(rows_yes) or not len(rows_no):
        return np.zeros(view.rows.shape[1], dtype=np.float32), np.float32(0)
    total = yes.sum() + no.sum()
    weight = np.concatenate([yes[rows_yes] * total / 2 / yes.sum(), no[rows_no] * total / 2 / no.sum()])
    rows = np.concatenate([rows_yes, rows_no])
    label = np.repeat([1, 0], [len(rows_yes), len(rows_no)])
    # Both solvers are deterministic here; lbfgs does not penalise the intercept.
    estimator = LogisticRegression(C=options.inverse_penalty, solver="lbfgs", tol=1e-3, max_iter=1000)
    estimator.fit(view.rows[rows], label, sample_weight=weight)
    return estimator.coef_[0].astype(np.float32), np.float32(estimator.intercept_[0])


def _stacked(view: _ViewData, fitted: Sequence[tuple[npt.NDArray[np.float32], np.float32]]) -> View:
    weights = np.ascontiguousarray(np.stack([weights for weights, _ in fitted], axis=1))
    return View(view.name, view.scope, weights, np.array([bias for _, bias in fitted], dtype=np.float32))


def _recorded(options: TrainingOptions) -> dict[str, Any]:
    """Return the options as JSON-able values, without ``n_jobs``, which changes nothing in the result."""
    values = asdict(options)
    del values["n_jobs"]
    values["blocks"] = [asdict(spec) for spec in options.blocks]
    return values


def _summary(dataset: Dataset) -> dict[str, Any]:
    return {
        "n_posts": len(dataset),
        "n_annotations": int(dataset.n_annotators.sum()),
        "n_groups": len(np.unique(dataset.groups)),
        "codebooks": list(dataset.codebooks),
    }
