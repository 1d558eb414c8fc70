"""Cross-validation beside a time-ordered hold-out and random folds, with baselines and robustness checks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from annotations.records import Annotation
from classifiers.dataset import Dataset
from classifiers.errors import DatasetError
from classifiers.splits import earlier_and_later, folds, random_folds
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.validation import CrossValidation, Plan, cross_validate

CODEBOOK = invented_codebook()
BEGIN = datetime(2030, 1, 1, tzinfo=UTC)


def dated(n_posts: int = 60) -> list[Annotation]:
    """Return one annotator's invented posts, one a day."""
    found = invented_annotations(n_posts, annotators=("A",))
    return [replace(each, date=BEGIN + timedelta(days=number)) for number, each in enumerate(found)]


@pytest.fixture(scope="module")
def validated() -> CrossValidation:
    """Return everything that a cross-validation can say of the invented posts."""
    data = Dataset.from_annotations(dated(), CODEBOOK)
    return cross_validate(data, CODEBOOK, quick_options(), plan=Plan(splits=True, robustness=True))


def test_baselines_are_judged_on_the_same_posts(validated: CrossValidation) -> None:
    """The same tags, the same posts, and the model beats what says the same to every post."""
    assert set(validated.baselines) == {"always", "never", "cues", "tfidf"}
    for each in (validated.baseline, *validated.baselines.values()):
        assert (each.n_posts, list(each.tags)) == (60, list(validated.model.tags))
    assert validated.model.mean_average_precision > validated.baselines["always"].mean_average_precision


def test_other_ways_to_part_the_posts_stand_beside_with_the_gap(validated: CrossValidation) -> None:
    """The time-ordered hold-out is the later 30 %; random folds are all posts, and gaps have intervals."""
    time, random = validated.splits["time"], validated.splits["random"]
    assert time.model is not None
    assert random.model is not None
    assert (time.n_learnt, random.model.n_posts) == (42, 60)
    assert 0 < time.model.n_posts <= 18
    assert random.gaps["micro_f1"].value == pytest.approx(random.model.micro_f1 - validated.model.micro_f1)
    gap = time.gaps["mean_average_precision"]
    assert gap.low is not None
    assert gap.high is not None
    assert gap.low <= gap.value <= gap.high


def test_every_check_says_what_it_changed_and_what_that_costs(validated: CrossValidation) -> None:
    """The invented posts have no emoji, hashtags or quotes: taking them out changes nothing."""
    assert set(validated.checks) == {
        "no_boilerplate", "lower_case", "upper_case", "no_emoji", "no_hashtags", "no_quoted_words"
    }  # fmt: skip
    nothing = validated.checks["no_emoji"]
    assert (nothing.n_changed, nothing.n_lost, nothing.n_gained) == (0, 0, 0)
    assert nothing.drops["micro_f1"].drop == 0
    assert validated.checks["lower_case"].n_changed == 60


def test_the_figures_are_json_with_the_published_keys(validated: CrossValidation) -> None:
    """No NaN, no tuple; the text-only baseline and the number of folds where they always were."""
    figures = validated.to_dict()
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert {"n_folds", "text_only", "baselines", "splits", "robustness", "tags", "micro_f1"} <= set(figures)


def test_the_figures_are_the_same_on_two_processes() -> None:
    """Work is shared out, not changed."""
    data = Dataset.from_annotations(dated(40), CODEBOOK)
    one, two = (
        cross_validate(data, CODEBOOK, quick_options(), plan=Plan(robustness=True, n_jobs=n)) for n in (1, 2)
    )
    assert one.to_dict() == two.to_dict()
    assert (one.outcomes.y_true == data.gold).all()


def test_progress_ends_at_the_number_of_steps() -> None:
    """Five folds: a model, the text-only one and the baselines each."""
    told: list[tuple[int, int | None]] = []
    data = Dataset.from_annotations(dated(40), CODEBOOK)
    cross_validate(data, CODEBOOK, quick_options(), lambda done, total: told.append((done, total)))
    assert told == [(number, 15) for number in range(16)]


def test_without_dates_there_is_no_hold_out_and_it_says_why() -> None:
    """Nothing like a date is made up."""
    data = Dataset.from_annotations(invented_annotations(40, annotators=("A",)), CODEBOOK)
    found = cross_validate(data, CODEBOOK, quick_options(), plan=Plan(splits=True))
    assert found.splits["time"].model is None
    assert "date" in found.to_dict()["splits"]["time"]["reason"]


def test_posts_without_any_tag_cannot_be_judged() -> None:
    """There is nothing to find."""
    data = Dataset.from_annotations([replace(each, tags={}) for each in dated(20)], CODEBOOK)
    with pytest.raises(DatasetError, match="no tag occurs"):
        cross_validate(data, CODEBOOK, quick_options())


def test_a_time_split_never_tests_on_a_copy_of_what_it_learnt() -> None:
    """A later copy of an earlier post is left out; posts of one moment stay together; no date, no part."""
    annotations = dated(40)
    copy = replace(annotations[0], post_id="copy/1", date=BEGIN + timedelta(days=100))
    timeless = replace(
        annotations[1], post_id="none/1", text=f"{annotations[2].text} Other words here.", date=None
    )
    same = [replace(each, date=BEGIN + timedelta(days=27)) for each in annotations[27:30]]
    data = Dataset.from_annotations([*annotations[:27], *same, *annotations[30:], copy, timeless], CODEBOOK)
    learnt, later = earlier_and_later(data)
    assert max(data.dates[row] for row in learnt) < min(data.dates[row] for row in later)  # type: ignore[type-var]
    assert not set(data.groups[learnt]) & set(data.groups[later])
    names = [data.post_ids[row] for row in (*learnt, *later)]
    assert "copy/1" not in names
    assert "none/1" not in names


def test_random_folds_part_copies_and_folds_by_group_do_not() -> None:
    """Which is what they are there to show."""
    copies = [replace(each, post_id=f"{copy}/{n}") for n, each in enumerate(dated(30)) for copy in "ab"]
    data = Dataset.from_annotations(copies, CODEBOOK)
    at_random, by_group = random_folds(len(data), 5, 0), folds(data, 5, 0)
    assert np.bincount(at_random).tolist() == [12] * 5
    parted = [len(set(at_random[data.groups == group])) > 1 for group in np.unique(data.groups)]
    assert any(parted)
    assert all(len(set(by_group[data.groups == group])) == 1 for group in np.unique(data.groups))
