"""Features: those of scikit-learn's TfidfVectorizer over the project's own tokens."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from classifiers.features import BlockSpec, Corpus, Encoder, fit_blocks
from classifiers.testing import SMALL_BLOCKS, invented_annotations

TEXTS = [each.text for each in invented_annotations(40, annotators=("A",))]


def _terms(text: str, spec: BlockSpec) -> list[str]:
    """Return the terms of a text as a vectoriser's analyser would."""
    sentences = [[token.form for token in tokens] for tokens in Corpus.of([text]).tokens]
    lengths = range(spec.n_min, spec.n_max + 1)
    if spec.kind == "words":
        return [" ".join(s[i : i + n]) for s in sentences for n in lengths for i in range(len(s) - n + 1)]
    padded = [f" {form} " for forms in sentences for form in forms]
    return [word[i : i + n] for word in padded for n in lengths for i in range(len(word) - n + 1)]


def _theirs(spec: BlockSpec) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=lambda text: _terms(text, spec), min_df=spec.min_df, sublinear_tf=True)


@pytest.mark.parametrize("spec", SMALL_BLOCKS, ids=lambda spec: spec.name)
def test_a_fitted_block_and_its_features_are_those_of_scikit_learn(spec: BlockSpec) -> None:
    """The same terms, the same inverse document frequencies, the same rows."""
    corpus = Corpus.of(TEXTS)
    (block,) = fit_blocks(corpus, [spec])
    theirs = _theirs(spec)
    expected = theirs.fit_transform(TEXTS).toarray()
    assert block.terms == tuple(theirs.get_feature_names_out())
    assert block.idf == pytest.approx(theirs.idf_, rel=1e-6)
    encoder = Encoder([block])
    assert encoder.tfidf(corpus.sums @ encoder.counts(corpus)).toarray() == pytest.approx(expected, abs=1e-6)


def test_each_block_has_a_length_of_its_own() -> None:
    """A post's words and its character grams count alike, however many there are."""
    corpus = Corpus.of(TEXTS)
    blocks = fit_blocks(corpus, SMALL_BLOCKS)
    encoder = Encoder(blocks)
    rows = encoder.tfidf(corpus.sums @ encoder.counts(corpus)).toarray()
    n_words = len(blocks[0].terms)
    assert np.linalg.norm(rows[:, :n_words], axis=1) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(rows[:, n_words:], axis=1) == pytest.approx(1, abs=1e-5)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text("the river lies.\n 🕊é'世") | st.text(max_size=60) | st.sampled_from(TEXTS), max_size=4)
)
def test_the_parts_of_tokens_add_up_to_the_counts_of_their_sentence(texts: list[str]) -> None:
    """Nothing of a sentence is lost or counted twice, whatever the text."""
    encoder = Encoder(fit_blocks(Corpus.of(TEXTS), SMALL_BLOCKS))
    corpus = Corpus.of(texts)
    counts, parts = encoder.counts(corpus).toarray(), encoder.token_terms(corpus.tokens).toarray()
    first = np.cumsum([0, *map(len, corpus.tokens)])
    for number, (start, end) in enumerate(pairwise(first)):
        assert parts[start:end].sum(axis=0) == pytest.approx(counts[number])


def test_pairs_of_words_never_cross_a_sentence() -> None:
    """What one sentence ends with and the next begins with is no phrase."""
    corpus = Corpus.of(["Red river. Blue bridge", "Red river. Blue bridge"])
    (block,) = fit_blocks(corpus, [BlockSpec("words", "words", 1, 2)])
    assert block.terms == ("blue", "blue bridge", "bridge", "red", "red river", "river")


def test_beyond_the_most_terms_the_rarest_are_dropped() -> None:
    """Of equally frequent ones the first in order stay, so that the choice is repeatable."""
    corpus = Corpus.of(["a b c", "a b d", "a"])
    (block,) = fit_blocks(corpus, [BlockSpec("words", "words", 1, 1, min_df=1, max_terms=3)])
    assert block.terms == ("a", "b", "c")


@pytest.mark.parametrize(("kind", "n_min", "n_max"), [("words", 1, 3), ("chars", 0, 3), ("chars", 4, 3)])
def test_n_grams_that_cannot_be_counted_are_refused(kind: str, n_min: int, n_max: int) -> None:
    """Better an error than a model that silently lacks what was asked for."""
    with pytest.raises(ValueError, match="no n-grams"):
        BlockSpec("x", kind, n_min, n_max)  # type: ignore[arg-type]


def test_forgetting_words_changes_nothing() -> None:
    """The memory of words is bounded, and only saves time."""
    corpus = Corpus.of(TEXTS)
    blocks = fit_blocks(corpus, SMALL_BLOCKS)
    encoder, other = Encoder(blocks, remembered=3), Encoder(blocks)
    for text in TEXTS:
        encoder.counts(Corpus.of([text]))
    assert (encoder.counts(corpus) != other.counts(corpus)).nnz == 0
