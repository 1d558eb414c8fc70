"""annotations.anchoring: assisted against blind annotations."""

from __future__ import annotations

import random

import pytest

from annotations.anchoring import Reading, anchoring


def _simulated(
    n_posts: int, staying: float, seed: int = 0
) -> tuple[list[Reading], dict[str, frozenset[str]]]:
    """Return readings by two annotators who know the truth, but keep a wrong suggestion with some probability."""
    chance = random.Random(seed)
    readings, gold = [], {}
    for number in range(n_posts):
        post, withheld = f"mfa/{number}", number % 3 == 0
        truth = frozenset(tag for tag in "abcd" if chance.random() < 0.3)
        suggested = frozenset(tag for tag in "abcd" if chance.random() < (0.6 if tag in truth else 0.3))
        gold[post] = truth
        for annotator in ("anna", "ben"):
            wrong = {tag for tag in suggested - truth if chance.random() < staying}
            tags = truth if withheld else truth | wrong
            seconds = 30.0 if withheld else 20.0
            readings.append(
                Reading(
                    post=post,
                    annotator=annotator,
                    tags=tags,
                    suggested=suggested,
                    withheld=withheld,
                    seconds=seconds,
                )
            )
    return readings, gold


def test_the_share_of_wrong_suggestions_that_stay_is_found() -> None:
    """With gold, and from the random blind share alone; both intervals hold the truth and exclude none."""
    readings, gold = _simulated(900, staying=0.4)
    report = anchoring(readings, gold)
    direct, implied = report.measures["wrong_kept"], report.measures["implied"]
    for figure in (direct.assisted, implied.assisted):
        assert figure.low is not None
        assert figure.high is not None
        assert 0.2 < figure.low < 0.4 < figure.high < 0.6
    assert direct.blind.value == 0
    assert report.measures["right_removed"].assisted.value == 0
    assert report.measures["seconds"].difference.value == pytest.approx(-10)
    assert report.conclusion.startswith("Annotators who see a tag suggested give it more often")


def test_without_anchoring_none_is_claimed() -> None:
    """The interval of the difference holds 0."""
    report = anchoring(_simulated(600, staying=0.0)[0])
    kept = report.measures["kept"].difference
    assert kept.low is not None
    assert kept.high is not None
    assert kept.low < 0 < kept.high
    assert report.conclusion.startswith("No anchoring is shown")


@pytest.mark.parametrize("n_posts", [0, 1, 6])
def test_too_few_is_said(n_posts: int) -> None:
    """Every measure says that it rests on too little, and the conclusion too; nothing crashes."""
    report = anchoring(_simulated(n_posts, staying=1.0)[0])
    assert all("too few" in measure.note for measure in report.measures.values())
    assert "Nothing can be said yet" in report.conclusion


def test_counts_by_hand() -> None:
    """One post, two annotators: the other one is the measure; an even split says nothing."""

    def reading(annotator: str, *tags: str) -> Reading:
        return Reading(
            post="p", annotator=annotator, tags=frozenset(tags), suggested=frozenset("ab"), withheld=False
        )

    found = anchoring([reading("anna", "a", "c"), reading("ben", "b")]).measures
    # Anna keeps a (Ben says no: wrong) and drops b (Ben says yes: right); Ben the other way round.
    assert (found["kept"].assisted.value, found["kept"].assisted.n_cases) == (0.5, 4)
    assert found["wrong_kept"].assisted.value == 1.0
    assert found["right_removed"].assisted.value == 1.0
    assert found["added"].assisted.value == 0.5
    assert found["missed"].assisted.value == 1.0
    assert found["seconds"].assisted.value is None
