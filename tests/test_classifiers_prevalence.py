"""Shares corrected for the model's errors: textbook identities, hand-computed values, intervals that hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.ledger.samples import SampledPost, StoredSample
from classifiers.prevalence.design import Weight, sample_weights, simple_weights
from classifiers.prevalence.estimating import LEAST_LABELS, Request, Verdicts, estimate
from classifiers.prevalence.estimators import (
    Labelled,
    Scored,
    adjusted_count,
    assisted,
    borrowed,
    classify_and_count,
    difference,
    human_labels,
    prior_shift,
    probabilistic_count,
)
from classifiers.prevalence.figures import Estimator, Share
from classifiers.prevalence.intervals import planned_n, wilson
from classifiers.prevalence.tagged import TaggedPosts


def _population(n: int = 2_000, share: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return (truth, scores): a decent model that finds too many, as models of short training do."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < share).astype(float)
    return truth, np.clip(0.15 + 0.5 * truth + 0.2 * rng.standard_normal(n), 0, 1)


def test_wilson_agrees_with_the_textbook() -> None:
    """10 of 100: 5.5 to 17.4 %; nothing of 30 still leaves 11 %; a known share has no width."""
    low, high = wilson(np.array([0.1, 0.0, 0.3]), np.array([100.0, 30.0, np.inf]))
    assert low == pytest.approx([0.0552, 0.0, 0.3], abs=1e-4)
    assert high == pytest.approx([0.1744, 0.1135, 0.3], abs=1e-4)


def test_counts_of_decisions_and_scores() -> None:
    """Plain arithmetic."""
    assert classify_and_count(30, 120) == 0.25
    assert probabilistic_count(np.array([0.1, 0.2, 0.6])) == pytest.approx(0.3)


def test_adjusted_count_undoes_known_errors() -> None:
    """Of 4 positive posts 3 are found, of 6 others 1 is taken for one: 30 % counted is 23 %."""
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0.0])
    said = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0.0])
    of = Labelled.drawn(truth, said, 1_000)
    hits, alarms = 3 / 4, 1 / 6
    found = adjusted_count(0.3, said, of)
    assert found.value == pytest.approx((0.3 - alarms) / (hits - alarms))
    assert found.low < found.value < found.high
    assert np.isnan(adjusted_count(0.3, 1 - said, of).value)


def test_prior_shift_finds_the_new_share() -> None:
    """Scores calibrated at 50 % on posts of which 10 % bear the tag."""
    rng = np.random.default_rng(1)
    truth = rng.random(20_000) < 0.1
    evidence = rng.normal(np.where(truth, 1.0, -1.0))
    scores = 1 / (1 + np.exp(-2 * evidence))
    assert scores.mean() > 0.17
    assert prior_shift(scores, 0.5) == pytest.approx(truth.mean(), abs=0.01)


def test_the_difference_estimator_is_mean_score_plus_mean_error() -> None:
    """By hand: 0.3 + mean(1 - 0.8, 0 - 0.4, 0 - 0.2, 1 - 0.4)."""
    of = Labelled.drawn(np.array([1, 0, 0, 1.0]), np.array([0.8, 0.4, 0.2, 0.4]), 100)
    found = difference(of, Scored(100, 0.3, 0.05))
    assert found.value == pytest.approx(0.3 + (0.2 - 0.4 - 0.2 + 0.6) / 4)
    assert found.tuning == 1


def test_scores_that_say_nothing_leave_human_labels_alone() -> None:
    """A constant score: the same share, no saving, no use of the scores."""
    truth, _ = _population()
    of = Labelled.drawn(truth[:100], np.full(100, 0.4), 2_000)
    found, alone = assisted(of, Scored(2_000, 0.4, 0.0)), human_labels(of)
    assert found.value == pytest.approx(truth[:100].mean())
    assert (float(found.ratio), float(found.tuning)) == pytest.approx((1, 0))
    assert float(found.n_effective) == pytest.approx(100 * 1_999 / 1_900)
    assert float(alone.n_effective) == pytest.approx(100 * 1_999 / 1_900)
    assert found.high - found.low == pytest.approx(alone.high - alone.low, rel=0.02)


def test_a_perfect_model_leaves_next_to_no_doubt() -> None:
    """The estimate is nearly the true share, from labels that by themselves are far off."""
    truth, _ = _population(share=0.3)
    rows = np.concatenate([np.flatnonzero(truth)[:40], np.flatnonzero(truth == 0)[:160]])
    of, everything = Labelled.drawn(truth[rows], truth[rows], 2_000), Scored.of(truth)
    found, alone = assisted(of, everything), human_labels(of)
    assert alone.value == pytest.approx(0.2)
    assert found.value == pytest.approx(truth.mean(), abs=0.005)
    assert found.high - found.low < 0.3 * (alone.high - alone.low)
    assert difference(of, everything).value == pytest.approx(truth.mean())


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_when_all_posts_are_labelled_nothing_is_left_to_chance(n: int, seed: int) -> None:
    """n = N: every designed estimator is the true share, without width."""
    rng = np.random.default_rng(seed)
    truth, score = (rng.random(n) < 0.3).astype(float), rng.random(n)
    of, everything = Labelled.drawn(truth, score, n), Scored.of(score)
    for found in (human_labels(of), difference(of, everything), assisted(of, everything)):
        assert (found.value, found.low, found.high) == pytest.approx((truth.mean(),) * 3)


@given(st.integers(2, 80), st.integers(1, 500), st.integers(0, 2**32 - 1))
def test_estimates_lie_within_their_intervals_and_intervals_within_0_and_1(
    n: int, more: int, seed: int
) -> None:
    """Whatever the labels and scores are, one-sided ones included."""
    rng = np.random.default_rng(seed)
    score = rng.random(n + more) ** rng.integers(1, 9)
    truth = (rng.random(n + more) < rng.choice([0, 0.02, 0.5, 1])).astype(float)
    of, everything = Labelled.drawn(truth[:n], score[:n], n + more), Scored.of(score)
    for found in (human_labels(of), difference(of, everything), assisted(of, everything)):
        assert 0 <= found.low <= found.value + 1e-12
        assert found.value <= found.high + 1e-12 <= 1 + 2e-12


@pytest.mark.parametrize("n_posts", [300, 5_000])
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_intervals_hold_in_repeated_samples(n_posts: int, share: float) -> None:
    """1,000 samples of 60 posts: about 95 % of the intervals hold the true share, which counting misses by far."""
    truth, score = _population(n_posts, share)
    rng = np.random.default_rng(5)
    rows = np.array([rng.choice(n_posts, 60, replace=False) for _ in range(1_000)])
    of, everything = Labelled.drawn(truth[rows], score[rows], n_posts), Scored.of(score)
    alone = human_labels(of)
    for found in (alone, difference(of, everything), assisted(of, everything)):
        held = (found.low <= truth.mean()) & (truth.mean() <= found.high)
        assert 0.92 <= held.mean() <= 0.99
        assert found.value.mean() == pytest.approx(truth.mean(), abs=0.01)
    helped = assisted(of, everything)
    assert (helped.high - helped.low).mean() < 0.95 * (alone.high - alone.low).mean()
    assert abs(probabilistic_count(score) - truth.mean()) > 0.02


def test_borrowed_estimates_move_with_the_scores() -> None:
    """A part whose posts score higher gets a higher share, by as much as the scores are used."""
    truth, score = _population()
    of, everything = Labelled.drawn(truth[:200], score[:200], 2_000), Scored.of(score)
    there = Scored(50, everything.mean + 0.1, everything.variance)
    gained = borrowed(of, everything, there).value - borrowed(of, everything, everything).value
    assert gained == pytest.approx(0.1 * assisted(of, everything).tuning)


def test_unequal_weights_widen_the_interval() -> None:
    """Kish: the more unequal the weights, the fewer labels they are worth."""
    truth = np.tile([1.0, 0, 0, 0], 25)
    weight = np.tile([1.0, 1, 1, 5], 25)
    even = human_labels(Labelled(truth, truth, np.ones(100), np.ones(100)))
    uneven = human_labels(Labelled(truth, truth, weight, weight**2))
    assert even.n_effective == pytest.approx(100)
    assert uneven.n_effective == pytest.approx(200**2 / 700)
    assert uneven.value == pytest.approx(1 / 8)


def test_a_sample_cannot_be_larger_than_what_it_is_drawn_from() -> None:
    """Nor empty."""
    for n, n_posts in ((5, 4), (0, 4)):
        with pytest.raises(ValueError, match="cannot be drawn"):
            Labelled.drawn(np.zeros(n), np.zeros(n), n_posts)


def test_planned_numbers_give_the_width_that_is_wanted() -> None:
    """About 1 / width² x 3.84 p (1-p) x 4; fewer with a model, never more than there are."""
    assert planned_n(0.1, 10**9) == pytest.approx(4 * 1.96**2 * 0.25 / 0.01, abs=6)
    assert planned_n(0.1, 10**9, ratio=0.5) == pytest.approx(planned_n(0.1, 10**9) / 2, abs=1)
    assert planned_n(0.1, 200) < 200
    assert planned_n(0.0001, 200) == 200
    assert planned_n(0.1, 0) == 0
    with pytest.raises(ValueError, match="between 0 and 1"):
        planned_n(1.0, 100)


_START = datetime(2026, 1, 1, tzinfo=UTC)


def _sample(number: int, n_pool: int, quotas: dict[str, str]) -> StoredSample:
    posts = tuple(
        SampledPost(post_id, "r", quota, place, None, 1, 1)
        for place, (post_id, quota) in enumerate(quotas.items(), 1)
    )
    return StoredSample(number, _START + timedelta(days=number), n_pool, posts)


def test_weights_of_one_sample() -> None:
    """Drawn posts stand for the pool, chosen ones for nothing, those annotated before for themselves."""
    sample = _sample(1, 90, {"a": "random", "b": "random", "c": "uncertain", "d": "random"})
    annotated = {"before": _START, "after": _START + timedelta(days=9)}
    found = sample_weights([sample], ["a", "b", "c", "before", "after", "never"], annotated)
    assert found.keys() == {"a", "b", "before"}
    assert found["a"] == Weight(45.0, 45.0**2 * 88 / 89, is_drawn=True)
    assert found["before"] == Weight(1.0, 0.0, is_drawn=False)


def test_weights_of_several_samples_add_up_to_the_posts() -> None:
    """Each sample speaks for all, with the posts that had left its pool as themselves."""
    first = _sample(1, 100, {"a": "random", "b": "random", "c": "uncertain"})
    second = _sample(2, 97, {"d": "random", "e": "random", "f": "diverse"})
    labelled = ["a", "b", "c", "d", "e", "f"]
    found = sample_weights([first, second], labelled, {})
    assert sum(each.weight for each in found.values()) == pytest.approx(100)
    assert found["c"] == Weight(0.5, 0.0, is_drawn=False)
    assert found["a"].weight == pytest.approx(0.5 * 50 + 0.5)
    assert "f" not in found
    alone = sample_weights([first, second], labelled, {}, only=2)
    assert alone["d"].weight == 97 / 2
    assert alone["a"] == Weight(1.0, 0.0, is_drawn=False)


def _tagged(n: int = 600, seed: int = 3) -> tuple[TaggedPosts, np.ndarray]:
    truth, score = _population(n, 0.3, seed)
    ids = tuple(f"c/{row}" for row in range(n))
    months = ["2026-01" if row < n - 10 else "2026-02" for row in range(n)]
    scores = np.column_stack([score, np.full(n, np.nan)]).astype(np.float32)
    tagged = TaggedPosts(ids, ("claim", "rare"), scores, scores >= 0.5, parts={"month": months}, clusters=ids)
    return tagged, truth


def _verdicts(tagged: TaggedPosts, truth: np.ndarray, rows: np.ndarray, *, random: bool = True) -> Verdicts:
    ids = tuple(tagged.post_ids[row] for row in rows)
    gold = np.column_stack([truth[rows] == 1, np.zeros(len(rows), dtype=bool)])
    return Verdicts(ids, ("claim", "rare"), gold, simple_weights(ids, len(tagged)) if random else {})


def test_a_report_has_own_borrowed_and_human_rows() -> None:
    """A month with enough labels has its own estimate, one without borrows, a tag without scores has labels alone."""
    tagged, truth = _tagged()
    report = estimate(
        tagged, _verdicts(tagged, truth, np.arange(0, 600, 4)), Request(by="month", want_width=0.05)
    )
    rows = {(row.part, row.tag): row for row in report.shares}
    overall, early, late = (rows[part, "claim"] for part in ("all", "2026-01", "2026-02"))
    assert overall.is_valid
    assert early.is_valid
    assert overall.low is not None
    assert overall.high is not None
    assert overall.low <= truth.mean() <= overall.high
    assert (overall.n_posts, overall.n_labels, report.n_random) == (600, 150, 150)
    assert (late.is_valid, late.is_borrowed, late.n_labels) == (False, True, 2)
    assert "assumes" in late.note
    assert rows["all", "rare"].estimator is Estimator.HUMAN
    assert rows["all", "rare"].is_valid
    assert rows["2026-02", "rare"].share is None
    (first, _) = report.planned
    assert 0 < first.n_random <= 600
    assert report.to_rows()[0]["estimator"] == "assisted"
    assert report.to_dict()["planned"][0]["tag"] == "claim"
    assert not report.warnings


def test_without_random_labels_everything_is_indicative_and_says_so() -> None:
    """Chosen posts give no interval, whatever is asked for."""
    tagged, truth = _tagged()
    chosen = _verdicts(tagged, truth, np.flatnonzero(truth)[:30], random=False)
    report = estimate(tagged, chosen, Request(chosen=tuple(Estimator), want_width=0.1))
    assert not any(row.is_valid or row.low is not None for row in report.shares)
    assert "talkingpoints sample" in report.warnings[0]
    assert all(each.n_random > 100 for each in report.planned)


def test_few_labels_are_used_alone() -> None:
    """Below the least number the model is not trusted to help."""
    tagged, truth = _tagged()
    report = estimate(tagged, _verdicts(tagged, truth, np.arange(LEAST_LABELS - 1)))
    assert report.shares[0].estimator is Estimator.HUMAN
    assert "fewer than" in report.shares[0].note


def test_every_estimator_can_be_asked_for() -> None:
    """Only those by design have intervals; all are near the truth where labels correct them."""
    tagged, truth = _tagged(2_000)
    report = estimate(
        tagged, _verdicts(tagged, truth, np.arange(500)), Request(chosen=tuple(Estimator), tags=("claim",))
    )
    found: dict[Estimator, Share] = {row.estimator: row for row in report.shares}
    assert found.keys() == set(Estimator)
    for how in (Estimator.ASSISTED, Estimator.DIFFERENCE, Estimator.HUMAN, Estimator.ADJUSTED):
        assert found[how].share == pytest.approx(truth.mean(), abs=0.05)
    assert {how for how, row in found.items() if row.low is not None} == {
        Estimator.ASSISTED,
        Estimator.DIFFERENCE,
        Estimator.HUMAN,
    }
    assert found[Estimator.COUNT].share == found[Estimator.COUNT].counted


def test_near_duplicates_count_as_posts() -> None:
    """One labelled post of a cluster of five stands for five posts, also in the months where only copies are."""
    scores = np.full((8, 1), 0.5, dtype=np.float32)
    ids = tuple(f"c/{row}" for row in range(8))
    clusters = ("c/0",) * 5 + ids[5:]
    months = ["2026-01"] * 4 + ["2026-02"] * 4
    tagged = TaggedPosts(ids, ("claim",), scores, scores > 0.5, parts={"month": months}, clusters=clusters)
    picked = ("c/0", "c/5", "c/6", "c/7")
    gold = np.array([[True], [False], [False], [False]])
    report = estimate(
        tagged, Verdicts(picked, ("claim",), gold, simple_weights(picked, 4)), Request(by="month")
    )
    assert [row.share for row in report.shares] == pytest.approx([5 / 8, 1, 1 / 4])
    assert [row.high for row in report.shares] == pytest.approx([5 / 8, 1, 1 / 4])


def test_ties_and_posts_that_are_not_there_are_said() -> None:
    """A tie counts as no; a label without a post does not count."""
    tagged, truth = _tagged()
    known = _verdicts(tagged, truth, np.arange(100))
    verdicts = Verdicts(
        (*known.post_ids, "gone/1"),
        known.tag_ids,
        np.vstack([known.truth, [[True, True]]]),
        known.weights,
        n_ties=3,
    )
    warnings = " ".join(estimate(tagged, verdicts).warnings)
    assert "1 labelled posts are not among" in warnings
    assert "3 pairs" in warnings
