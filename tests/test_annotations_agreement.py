"""Agreement figures against published worked examples and against what annotators would expect."""

from __future__ import annotations

import numpy as np
import pytest

from annotations.agreement import Bootstrap, agreement, gwet_ac1, krippendorff_alpha, percent_agreement
from annotations.records import Annotation

# Krippendorff (2011), section A: two observers, ten binary values each; alpha = 0.095.
MEG = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
OWEN = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]


def _counts(*raters: list[int]) -> tuple[np.ndarray, np.ndarray]:
    values = np.array(raters, dtype=float)
    return values.sum(axis=0), np.full(values.shape[1], float(len(raters)))


def _reading(post: int, annotator: str, *tags: str, skipped: bool = False) -> Annotation:
    return Annotation(
        post_id=f"c/{post}",
        annotator=annotator,
        text="t",
        revision="r",
        tags=dict.fromkeys(tags, ()),
        skipped=skipped,
    )


def test_alpha_equals_the_published_binary_example() -> None:
    """Krippendorff's own two-observer example gives 0.095."""
    assert krippendorff_alpha(*_counts(MEG, OWEN))[0] == pytest.approx(0.095, abs=5e-4)


def test_percent_agreement_of_the_published_example_is_six_tenths() -> None:
    """Meg and Owen agree on six of ten values."""
    assert percent_agreement(*_counts(MEG, OWEN)) == pytest.approx(0.6)


def test_ac1_resists_the_prevalence_paradox() -> None:
    """With 118 yes/yes, 5 + 2 split and 0 no/no of 125, AC1 is 0.94 (Gwet 2008) while alpha is below 0."""
    first = [1] * 118 + [1] * 5 + [0] * 2
    second = [1] * 118 + [0] * 5 + [1] * 2
    counts = _counts(first, second)
    assert gwet_ac1(*counts) == pytest.approx(0.9405, abs=5e-4)
    assert krippendorff_alpha(*counts)[0] < 0


def test_perfect_agreement_is_one() -> None:
    """Annotators who always agree get alpha 1 with an interval of width 0."""
    readings = [_reading(n, who, *(["un-role"] if n % 2 else [])) for n in range(10) for who in "AB"]
    figures = agreement(readings, ["un-role"], Bootstrap(n_samples=50)).tags["un-role"]
    assert (figures.alpha, figures.alpha_low, figures.alpha_high, figures.percent) == (1.0, 1.0, 1.0, 1.0)
    assert (figures.n_positive, figures.n_posts) == (10, 10)


def test_a_tag_that_nobody_ticked_has_no_alpha() -> None:
    """Alpha is undefined without variation, and says so instead of pretending to be 1."""
    report = agreement([_reading(1, "A"), _reading(1, "B")], ["un-role"])
    assert report.tags["un-role"].alpha is None
    assert report.tags["un-role"].percent == 1.0
    assert report.overall.alpha is None


def test_skipped_annotations_and_single_readings_do_not_count() -> None:
    """A skipped post is a missing value, not a post without tags."""
    readings = [_reading(1, "A", "x"), _reading(1, "B", skipped=True), _reading(2, "A", "x")]
    report = agreement(readings, ["x"])
    assert report.tags == {}
    assert report.overall.n_posts == 0
    assert report.annotators == {"A": 2}


def test_the_last_of_several_annotations_by_one_annotator_counts() -> None:
    """An annotator who submits again replaces the first reading."""
    readings = [_reading(1, "A"), _reading(1, "A", "x"), _reading(1, "B", "x")]
    assert agreement(readings, ["x"]).tags["x"].percent == 1.0


def test_alpha_over_many_annotators_with_missing_values() -> None:
    """Krippendorff (2011), section C in nominal form: four observers, missing values, alpha 0.743.

    The published data has five categories. Nominal alpha over several categories is the mean of the binary
    alphas (a category against the rest), each weighted by its expected disagreement.
    """
    missing = None
    data = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, missing, missing, missing],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, missing, 3],
        [missing, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, missing],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, missing],
    ]
    units = [[row[unit] for row in data if row[unit] is not missing] for unit in range(12)]
    units = [unit for unit in units if len(unit) > 1]
    n_raters = np.array([len(unit) for unit in units], dtype=float)
    observed = expected = 0.0
    for category in range(1, 6):
        n_yes = np.array([unit.count(category) for unit in units], dtype=float)
        total = n_yes.sum()
        chance = 2 * total * (n_raters.sum() - total)
        expected += chance
        observed += (1 - krippendorff_alpha(n_yes, n_raters)[0]) * chance
    assert 1 - observed / expected == pytest.approx(0.743, abs=5e-4)
