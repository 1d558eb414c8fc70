"""The choice of posts: quotas, uncertain and diverse picks, near-copies once, the same for the same input."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.sampling import (
    Candidates,
    Known,
    Quota,
    choose,
    draw,
    length_weight,
    mixed,
    nearest,
    text_vectors,
)

CHOSEN = (Quota.UNCERTAIN, Quota.DIVERSE)


def _candidates(texts: list[str], odds: list[list[float]] | None = None) -> tuple[Candidates, Known]:
    vectors, known = text_vectors(texts, ["an annotated post about fish"])
    values = np.array(odds) if odds else np.full((len(texts), 2), np.nan)
    lengths = np.array([100.0] * len(texts))
    candidates = Candidates(vectors, lengths, values, 1 / (1 + np.exp(-values)))
    return candidates, Known(known, np.array([30.0]), np.array([1.0]), np.array([3.0] * values.shape[1]))


def test_the_post_nearest_the_threshold_comes_first() -> None:
    """Where posts differ in nothing else, the uncertain quota takes the toss-up."""
    texts = [f"post number{i} of word{i}" for i in range(6)]
    odds = [[-4.0], [-3.0], [0.1], [5.0], [-6.0], [2.0]]
    candidates, known = _candidates(texts, odds)
    assert choose(candidates, known, [Quota.UNCERTAIN])[0] == 2


def test_a_rare_tag_gets_more_turns_than_a_frequent_one() -> None:
    """Two tags, doubtful in different posts: the one with few positive posts is asked about more often."""
    texts = [f"word{i} item{i}" for i in range(40)]
    odds = [[0.0, -8.0] if i < 20 else [-8.0, 0.0] for i in range(40)]
    candidates, known = _candidates(texts, odds)
    candidates = Candidates(candidates.vectors, candidates.lengths, candidates.odds, np.zeros((40, 2)))
    found = choose(candidates, replace(known, n_positive=np.array([99.0, 0.0])), [Quota.UNCERTAIN] * 12)
    assert sum(row >= 20 for row in found) > sum(row < 20 for row in found)


def test_near_copies_are_taken_once_while_there_is_anything_else() -> None:
    """Ten copies of the most doubtful post fill one place, not ten."""
    texts = ["the river belongs to all villages"] * 10 + [f"subject{i} matter{i}" for i in range(5)]
    odds = [[0.0]] * 10 + [[-5.0]] * 5
    candidates, known = _candidates(texts, odds)
    found = choose(candidates, known, [Quota.UNCERTAIN] * 6)
    assert sum(row < 10 for row in found) == 1


def test_a_copy_of_an_annotated_post_waits() -> None:
    """What is annotated already is not asked again under another number."""
    texts = ["an annotated post about fish", "ships in the harbour", "grain from the north"]
    candidates, known = _candidates(texts, [[0.0], [-3.0], [-3.0]])
    assert choose(candidates, known, [Quota.UNCERTAIN] * 3)[2] == 0


def test_the_long_post_comes_before_the_short_one() -> None:
    """Where long posts have borne more tags; where they have not, length counts for nothing."""
    candidates, known = _candidates([f"word{i}" for i in range(5)])
    lengths = np.array([10.0, 20.0, 4000.0, 10.0, 30.0])
    candidates = Candidates(candidates.vectors, lengths, candidates.odds, candidates.probabilities)
    assert choose(candidates, known, [Quota.DIVERSE])[0] == 2
    posts = np.arange(1.0, 101.0)
    assert length_weight(replace(known, lengths=posts, n_borne=np.log(posts))) == 1
    assert length_weight(replace(known, lengths=posts, n_borne=-posts)) == 0
    assert 0 < length_weight(known) < 1


@pytest.mark.parametrize("texts", [["", "", ""], ["!!!"], ["one word"], ["a", "a", "a"]])
def test_texts_without_words_or_alike_can_be_chosen(texts: list[str]) -> None:
    """Degenerate pools give every post once and raise nothing."""
    candidates, known = _candidates(texts)
    found = choose(candidates, known, [Quota.DIVERSE, Quota.UNCERTAIN] * 3)
    assert sorted(found) == list(range(len(texts)))


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.sampled_from(CHOSEN)), min_size=1, max_size=12), st.integers(0, 9)
)
def test_every_turn_gets_a_post_of_its_own(posts: list[tuple[float, Quota]], more: int) -> None:
    """No post twice, none left over, and the same choice for the same input."""
    texts = [f"word{i} thing{i % 3}" for i in range(len(posts))]
    candidates, known = _candidates(texts, [[odds] for odds, _ in posts])
    turns = [quota for _, quota in posts] + [Quota.DIVERSE] * more
    found = choose(candidates, known, turns)
    assert sorted(found) == list(range(len(posts)))
    assert found == choose(candidates, known, turns)


@given(st.dictionaries(st.sampled_from(list(Quota)), st.integers(0, 40)))
def test_quotas_are_mixed_evenly(sizes: dict[Quota, int]) -> None:
    """After any number of turns every quota has had its share, to within one post."""
    order = mixed(sizes)
    assert Counter(order) == {quota: size for quota, size in sizes.items() if size}
    for n in range(len(order) + 1):
        had = Counter(order[:n])
        for quota, size in sizes.items():
            assert abs(had[quota] - n * size / max(len(order), 1)) <= 2


def test_a_draw_is_a_simple_random_sample() -> None:
    """Every post, and every pair of posts, comes as often as the inclusion probability says."""
    rng = np.random.default_rng(0)
    n_pool, size, n_draws = 8, 3, 6000
    hits = np.zeros((n_pool, n_pool))
    for _ in range(n_draws):
        rows, probability = draw(n_pool, size, rng)
        assert probability == size / n_pool
        hits[np.ix_(rows, rows)] += 1
    singles, pairs = np.diag(hits) / n_draws, hits[np.triu_indices(n_pool, 1)] / n_draws
    assert singles == pytest.approx(size / n_pool, abs=0.03)
    assert pairs == pytest.approx(size * (size - 1) / (n_pool * (n_pool - 1)), abs=0.03)


def test_a_draw_of_more_than_there_is_takes_all() -> None:
    """A small pool is taken whole, with certainty."""
    rows, probability = draw(3, 10, np.random.default_rng(0))
    assert (sorted(rows.tolist()), probability) == ([0, 1, 2], 1.0)
    assert draw(0, 5, np.random.default_rng(0))[1] == 0.0


def test_vectors_of_texts_and_of_known_ones_can_be_compared() -> None:
    """The same words are the same place in both, and every row with a word has unit length."""
    vectors, known = text_vectors(["grain from the north", "ships", ""], ["Grain from the North"])
    assert nearest(vectors, known) == pytest.approx([1, 0, 0], abs=1e-6)
    assert nearest(vectors, known[:0]).tolist() == [0, 0, 0]
