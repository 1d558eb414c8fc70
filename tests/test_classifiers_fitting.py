"""Fitting: scikit-learn's logistic regression on weighted rows, and what scores while it trains."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from classifiers.dataset import Dataset
from classifiers.features import Block, Corpus, Encoder, fit_blocks
from classifiers.fitting import FitOptions, Material, fit_tag, score_tag
from classifiers.linear import LinearModel, View
from classifiers.testing import SMALL_BLOCKS, invented_annotations, invented_codebook

OPTIONS = FitOptions(inverse_penalty=10.0, sharpness=1.0, sentence_view=True)
CODEBOOK = invented_codebook()
DATA = Dataset.from_annotations(invented_annotations(50), CODEBOOK)
BLAME = DATA.tag_ids.index("blame")
ALL = np.ones(len(DATA), dtype=bool)


@pytest.fixture(scope="module")
def material() -> tuple[Material, Corpus, tuple[Block, ...]]:
    """Return the counts of the invented posts."""
    corpus = Corpus.of(DATA.texts)
    blocks = fit_blocks(corpus, SMALL_BLOCKS)
    return Material(DATA, corpus, Encoder(blocks), evidence=True), corpus, blocks


def test_a_fit_is_scikit_learns_with_classes_of_equal_weight(
    material: tuple[Material, Corpus, object],
) -> None:
    """A soft label is the same row twice, weighted by its share."""
    for view, (weights, bias) in zip(
        views := material[0].views(None, OPTIONS), fit_tag(views, BLAME, ALL, OPTIONS), strict=True
    ):
        yes, no = view.targets.yes[:, BLAME], view.targets.no[:, BLAME]
        rows = [*np.flatnonzero(yes), *np.flatnonzero(no)]
        label = np.repeat([1, 0], [(yes > 0).sum(), (no > 0).sum()])
        weight = (
            np.concatenate([yes[yes > 0] / yes.sum(), no[no > 0] / no.sum()]) * (yes.sum() + no.sum()) / 2
        )
        alike, exact = (
            LogisticRegression(C=10.0, tol=tol, max_iter=10_000).fit(view.rows[rows], label, weight)
            for tol in (1e-3, 1e-8)
        )
        scores = view.scored @ weights + bias
        assert scores == pytest.approx(alike.decision_function(view.scored), abs=1e-3)
        assert np.corrcoef(scores, exact.decision_function(view.scored))[0, 1] > 0.999
        assert weights.dtype == np.float32


def test_posts_held_out_teach_nothing_not_even_by_their_quotes(
    material: tuple[Material, Corpus, object],
) -> None:
    """A fit without some posts is the same whatever those say."""
    kept = np.arange(len(DATA)) % 3 > 0
    views = material[0].views(material[0].known_terms(kept, np.int64(2)), OPTIONS)
    before = fit_tag(views, BLAME, kept, OPTIONS)
    for view in views:
        held = ~kept[view.targets.post_of]
        view.targets.yes[held], view.targets.no[held] = view.targets.no[held], view.targets.yes[held]
    after = fit_tag(views, BLAME, kept, OPTIONS)
    assert all(np.array_equal(a[0], b[0]) and a[1] == b[1] for a, b in zip(before, after, strict=True))


def test_terms_that_only_held_out_posts_bring_in_are_unknown(
    material: tuple[Material, Corpus, object],
) -> None:
    """What is held out looks as a new post would."""
    one = np.zeros(len(DATA), dtype=bool)
    one[0] = True
    known = material[0].known_terms(one, np.int64(1))
    (posts, *_) = material[0].views(known, OPTIONS)
    assert 0 < known.sum() < len(known)
    assert set(posts.scored.indices) <= set(np.flatnonzero(known))


def test_the_scores_of_training_are_those_of_the_model(
    material: tuple[Material, Corpus, tuple[Block, ...]],
) -> None:
    """One scoring function: thresholds chosen in training hold for what is served."""
    counts, corpus, blocks = material
    views = counts.views(None, OPTIONS)
    fitted = fit_tag(views, BLAME, ALL, OPTIONS)
    model = LinearModel(
        blocks,
        [View(v.name, v.scope, w[:, None], np.array([b])) for v, (w, b) in zip(views, fitted, strict=True)],
        ["blame"],
        OPTIONS.sharpness,
    )
    expected = score_tag(views, fitted, corpus, OPTIONS)
    assert model.scores(DATA.texts)[:, 0] == pytest.approx(expected, abs=1e-4)


def test_a_tag_without_a_row_on_one_side_gets_no_weights(material: tuple[Material, Corpus, object]) -> None:
    """Nothing to tell apart is nothing learnt, and no error."""
    views = material[0].views(None, OPTIONS)
    for weights, bias in fit_tag(views, DATA.tag_ids.index("rare"), np.arange(len(DATA)) > 0, OPTIONS):
        assert (weights.any(), float(bias)) == (False, 0.0)


def test_without_evidence_there_is_one_view_of_posts_alone() -> None:
    """The baseline learns from texts and tags."""
    corpus = Corpus.of(DATA.texts)
    counts = Material(DATA, corpus, Encoder(fit_blocks(corpus, SMALL_BLOCKS)), evidence=False)
    (view,) = counts.views(None, OPTIONS)
    assert (view.scope, view.rows.shape[0]) == ("post", len(DATA))


def test_texts_are_scored_in_batches_of_bounded_length() -> None:
    """Long texts do not pile up in memory; the scores do not depend on the batches."""
    corpus = Corpus.of(DATA.texts)
    blocks = fit_blocks(corpus, SMALL_BLOCKS)
    n_terms = sum(len(block.terms) for block in blocks)
    weights = np.linspace(-1, 1, n_terms, dtype=np.float32)[:, None]
    model = LinearModel(
        blocks, [View("sentence", "sentence", weights, np.zeros(1, dtype=np.float32))], ["x"], 1.0
    )
    texts = [*DATA.texts, "The river. " * 20_000, "", "The river. " * 9_000, *DATA.texts * 6]
    batches = [part.corpus.texts for part in model.scored(texts)]
    assert [text for batch in batches for text in batch] == texts
    assert all(len(batch) <= 256 for batch in batches)
    assert all(sum(map(len, batch)) <= 200_000 or len(batch) == 1 for batch in batches)
    alone = np.concatenate([model.scores([text]) for text in texts[: len(DATA) + 3]])
    assert model.scores(texts)[: len(DATA) + 3] == pytest.approx(alone, abs=1e-5)
    assert model.scores([]).shape == (0, 1)
