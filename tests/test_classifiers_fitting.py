"""Fitting: views on some of the posts, and what scores while it trains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from annotations.codebook import Codebook
from classifiers.combining import evidence_scale
from classifiers.dataset import Dataset
from classifiers.fitting import FitOptions, Material
from classifiers.linear import Combination, LinearModel
from classifiers.scored import VIEWS, ViewName
from classifiers.testing import invented_annotations, invented_codebook

CODEBOOK = invented_codebook()
DATA = Dataset.from_annotations(invented_annotations(50), CODEBOOK)
BLAME = DATA.tag_ids.index("blame")
TAGS = range(len(DATA.tag_ids))
ALL = np.ones(len(DATA), dtype=bool)
KEPT = np.arange(len(DATA)) % 3 > 0


def with_cues(**cues: tuple[str, ...]) -> Codebook:
    """Return the invented codebook with cues for some tags."""
    tags = tuple(replace(tag, cues=cues.get(tag.id.replace("-", "_"), ())) for tag in CODEBOOK.tags)
    return replace(CODEBOOK, tags=tags)


@pytest.fixture(scope="module")
def material() -> Material:
    """Return the counts of the invented posts."""
    return Material(DATA, CODEBOOK, TAGS, FitOptions())


def test_posts_held_out_teach_nothing_not_even_by_their_quotes(material: Material) -> None:
    """A fit without some posts is the same whatever those say."""
    rows = dict(zip(DATA.post_ids, KEPT, strict=True))
    changed = [
        each if rows[each.post_id] else replace(each, text="Shame. " + each.text[::-1], tags={"rare": ()})
        for each in invented_annotations(50)
    ]
    again = Material(Dataset.from_annotations(changed, CODEBOOK), CODEBOOK, TAGS, FitOptions())
    before, after = material.fit(KEPT), again.fit(KEPT)
    for block, same in zip(before.blocks, after.blocks, strict=True):
        assert dict(zip(block.terms, block.idf, strict=True)) == dict(zip(same.terms, same.idf, strict=True))
    for view, same_view in zip(before.views, after.views, strict=True):
        assert view.bias == pytest.approx(same_view.bias, abs=1e-2)


def test_terms_that_only_held_out_posts_bring_in_are_unknown(material: Material) -> None:
    """A term must occur in two of the posts that are learnt from."""
    few, many = material.fit(np.arange(len(DATA)) < 10), material.fit(ALL)
    for block, larger in zip(few.blocks, many.blocks, strict=True):
        assert set(block.terms) < set(larger.terms)


@pytest.mark.parametrize("views", [VIEWS, ("documents",), ("sentences", "centroids")])
def test_the_scores_of_training_are_those_of_the_model(views: tuple[ViewName, ...]) -> None:
    """One scoring function: thresholds chosen in training hold for what is served."""
    material = Material(DATA, with_cues(blame=("swindlers", "lies*")), TAGS, FitOptions(views=views))
    fitted = material.fit(KEPT)
    held_out = material.score(fitted, ~KEPT)
    n_views, _, n_tags = held_out.posts.shape
    scale, shift = evidence_scale(held_out.sentences, views)
    texts = [text for text, kept in zip(DATA.texts, KEPT, strict=True) if not kept]
    for number in range(n_views):
        mix = np.zeros((n_views, n_tags, n_tags), dtype=np.float32)
        mix[number] = np.eye(n_tags)
        how = Combination(mix, np.zeros(n_tags, np.float32), scale, shift)
        model = LinearModel(fitted.blocks, fitted.views, how, DATA.tag_ids, material.languages)
        assert model.scores(texts) == pytest.approx(held_out.posts[number], abs=1e-4)


def test_without_evidence_quotes_teach_nothing() -> None:
    """The baseline learns from texts and tags."""
    options = FitOptions(views=("documents",), evidence=False, cues=False)
    bare = [
        replace(each, tags=dict.fromkeys(each.tags, ()), revision=each.revision)
        for each in invented_annotations(50)
    ]
    marked = Material(DATA, CODEBOOK, TAGS, options).fit(ALL).views[0]
    unmarked = Material(Dataset.from_annotations(bare, CODEBOOK), CODEBOOK, TAGS, options).fit(ALL).views[0]
    assert np.array_equal(marked.weights, unmarked.weights)


def test_a_cue_teaches_words_that_no_post_is_tagged_for() -> None:
    """Definitions in the codebook help where examples are few."""
    untaught = Material(DATA, CODEBOOK, TAGS, FitOptions()).fit(ALL)
    taught = Material(DATA, with_cues(blame=("transport",)), TAGS, FitOptions()).fit(ALL)
    term = untaught.blocks[0].terms.index("transport")
    for view, other in zip(taught.views, untaught.views, strict=True):
        assert view.weights[term, BLAME] > other.weights[term, BLAME]


def test_without_cues_and_quotes_a_tag_has_no_centroid() -> None:
    """With one of both it has that one."""
    rare = DATA.tag_ids.index("rare")
    bare = Dataset.from_annotations(
        [replace(each, tags=dict.fromkeys(each.tags, ())) for each in invented_annotations(50)], CODEBOOK
    )
    codebook = with_cues(blame=("swindlers",))
    *_, centroids = Material(bare, codebook, TAGS, FitOptions()).fit(ALL).views
    assert not centroids.weights[:, rare].any()
    assert centroids.weights[:, BLAME].any()
    *_, quoted = Material(DATA, CODEBOOK, TAGS, FitOptions()).fit(ALL).views
    assert quoted.weights[:, BLAME].any()


def test_texts_are_scored_in_batches_of_bounded_length(material: Material) -> None:
    """Long texts do not pile up in memory; the scores do not depend on the batches."""
    fitted = material.fit(ALL)
    n_tags = len(DATA.tag_ids)
    mix = np.tile(np.eye(n_tags, dtype=np.float32), (3, 1, 1))
    zeros = np.zeros(n_tags, np.float32)
    how = Combination(mix, zeros, np.zeros((3, n_tags), np.float32), zeros)
    model = LinearModel(fitted.blocks, fitted.views, how, DATA.tag_ids, ("en",))
    texts = [*DATA.texts, "The river. " * 20_000, "", "The river. " * 9_000, *DATA.texts * 6]
    batches = [part.texts for part in model.scored(texts)]
    assert [text for batch in batches for text in batch] == texts
    assert all(len(batch) <= 256 for batch in batches)
    assert all(sum(map(len, batch)) <= 200_000 or len(batch) == 1 for batch in batches)
    alone = np.concatenate([model.scores([text]) for text in texts[: len(DATA) + 3]])
    assert np.array_equal(model.scores(texts)[: len(DATA) + 3], alone)
    assert model.scores([]).shape == (0, n_tags)
