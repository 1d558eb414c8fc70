"""Agreement figures against published worked examples, another implementation, and what annotators would expect."""

from __future__ import annotations

from collections.abc import Sequence

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.agreement import Bootstrap, Reading, agreement, measure
from annotations.agreement.coefficients import (
    cohen_kappa,
    gwet_ac1,
    krippendorff_alpha,
    percent_agreement,
    tag_coefficients,
)
from annotations.agreement.resampling import Resamples
from annotations.agreement.sets import masi_distance
from annotations.agreement.spans import segments
from annotations.records import Annotation, Span

# K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011).
MEG = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]  # section A: alpha = 0.095
OWEN = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
BEN, GERRY = "aabbdcccedda", "babbbccceddd"  # section B: alpha = 0.692
FOUR_OBSERVERS = [  # section C, nominal: alpha = 0.743; 0 is a missing value
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]
# R. Artstein, M. Poesio, "Inter-Coder Agreement for Computational Linguistics", Computational Linguistics 34 (2008),
# table 1: two coders, 100 items; both yes 20, first only 20, second only 10, both no 50. Cohen's kappa = 0.348.
ARTSTEIN_POESIO = ([1] * 40 + [0] * 60, [1] * 20 + [0] * 20 + [1] * 10 + [0] * 50)


def _plain(n_posts: int) -> Resamples:
    return Resamples(n_posts, Bootstrap(n_samples=0))


def _counts(*raters: Sequence[int]) -> tuple[np.ndarray, np.ndarray, Resamples]:
    values = np.array(raters, dtype=float)
    n_posts = values.shape[1]
    return values.sum(axis=0)[:, None], np.full(n_posts, float(len(raters))), _plain(n_posts)


def _nominal_alpha(units: Sequence[Sequence[object]]) -> float:
    """Alpha over several categories: the mean of the yes/no alphas, weighted by their expected disagreements."""
    units = [unit for unit in units if len(unit) > 1]
    raters = np.array([len(unit) for unit in units], dtype=float)
    categories = sorted({value for unit in units for value in unit}, key=str)
    yes = np.array([[unit.count(category) for category in categories] for unit in units], dtype=float)
    chance = yes.sum(axis=0) * (raters.sum() - yes.sum(axis=0))
    alphas = krippendorff_alpha(yes, raters, _plain(len(units)))[0]
    return float((alphas * chance).sum() / chance.sum())


def _reading(post: int, annotator: str, *tags: str, skipped: bool = False) -> Annotation:
    return Annotation(
        post_id=f"c/{post}",
        annotator=annotator,
        text="t",
        revision="r",
        tags=dict.fromkeys(tags, ()),
        skipped=skipped,
    )


def _marked(annotator: str, length: int, **spans: list[tuple[int, int]]) -> Reading:
    return Reading(
        post=("p",),
        annotator=annotator,
        text="a" * length,
        tags=frozenset(spans),
        spans={label: tuple(Span(*span) for span in found) for label, found in spans.items()},
    )


def test_alpha_equals_the_published_examples() -> None:
    """Krippendorff (2011), sections A, B and C."""
    assert krippendorff_alpha(*_counts(MEG, OWEN))[0, 0] == pytest.approx(0.095, abs=5e-4)
    assert _nominal_alpha(list(zip(BEN, GERRY, strict=True))) == pytest.approx(0.692, abs=5e-4)
    units = [[value for value in unit if value] for unit in zip(*FOUR_OBSERVERS, strict=True)]
    assert _nominal_alpha(units) == pytest.approx(0.743, abs=5e-4)


@given(st.lists(st.lists(st.booleans(), min_size=2, max_size=5), min_size=2, max_size=30))
def test_alpha_equals_that_of_another_implementation(units: list[list[bool]]) -> None:
    """The package `krippendorff`, with missing values, gives the same alpha."""
    yes = np.array([[sum(unit)] for unit in units], dtype=float)
    raters = np.array([len(unit) for unit in units], dtype=float)
    ours = krippendorff_alpha(yes, raters, _plain(len(units)))[0, 0]
    if len({value for unit in units for value in unit}) < 2:
        assert np.isnan(ours)
        return
    counts = np.hstack([raters[:, None] - yes, yes])
    theirs = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    assert ours == pytest.approx(theirs)


def test_kappa_and_specific_agreement_of_the_published_example() -> None:
    """Artstein and Poesio (2008), table 1: 0.7 observed, kappa 0.348; positive 2a/(2a+b+c), negative 2d/(2d+b+c)."""
    first, second = (np.array(coder, dtype=float)[:, None] for coder in ARTSTEIN_POESIO)
    kappa = cohen_kappa(first, second, _plain(100), list(range(100)))
    assert kappa[0, 0] == pytest.approx(0.348, abs=5e-4)
    found = tag_coefficients(*_counts(*ARTSTEIN_POESIO))
    assert found.percent[0, 0] == pytest.approx(0.7)
    assert found.positive[0, 0] == pytest.approx(40 / 70)
    assert found.negative[0, 0] == pytest.approx(100 / 130)
    assert found.prevalence[0, 0] == pytest.approx(0.35)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_kappa_equals_cohens_formula(answers: list[tuple[bool, bool]]) -> None:
    """Cohen (1960): (p_o - p_c) / (1 - p_c) from the two margins; never a number where both are constant."""
    first, second = (np.array(column, dtype=float)[:, None] for column in zip(*answers, strict=True))
    kappa = cohen_kappa(first, second, _plain(len(answers)), list(range(len(answers))))[0, 0]
    chance = first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean())
    if chance == 1:
        assert np.isnan(kappa)
    else:
        assert kappa == pytest.approx(((first == second).mean() - chance) / (1 - chance))


def test_ac1_resists_the_prevalence_paradox() -> None:
    """With 118 yes/yes, 5 + 2 split and 0 no/no of 125, AC1 is 0.94 (Gwet 2008) while alpha is below 0."""
    first = [1] * 118 + [1] * 5 + [0] * 2
    second = [1] * 118 + [0] * 5 + [1] * 2
    counts = _counts(first, second)
    assert gwet_ac1(*counts)[0, 0] == pytest.approx(0.9405, abs=5e-4)
    assert krippendorff_alpha(*counts)[0, 0] < 0
    assert percent_agreement(*counts)[0, 0] == pytest.approx(118 / 125)


def test_masi_distance_follows_its_definition() -> None:
    """Passonneau (2006): Jaccard times 1, 2/3, 1/3 or 0 for equal, nested, overlapping and disjoint sets."""
    a, ab, abc, bc, d = (frozenset(name) for name in ("a", "ab", "abc", "bc", "d"))
    assert masi_distance(ab, ab) == 0
    assert masi_distance(ab, abc) == pytest.approx(1 - 2 / 3 * 2 / 3)
    assert masi_distance(ab, bc) == pytest.approx(1 - 1 / 3 * 1 / 3)
    assert masi_distance(a, d) == 1
    assert masi_distance(frozenset(), frozenset()) == 0
    assert masi_distance(frozenset(), a) == 1


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=2, max_size=4), min_size=2, max_size=15))
def test_masi_alpha_of_single_tags_is_the_nominal_alpha(units: list[list[str]]) -> None:
    """Sets of one tag are equal or disjoint, so that the distance is the nominal one."""
    readings = [
        Reading(post=(str(post),), annotator=str(who), text="", tags=frozenset(tag))
        for post, unit in enumerate(units)
        for who, tag in enumerate(unit)
    ]
    found = measure(readings, bootstrap=Bootstrap(n_samples=0)).everything.masi_alpha.value
    if len({tag for unit in units for tag in unit}) < 2:
        assert found is None
    else:
        assert found == pytest.approx(_nominal_alpha(units))


def test_unitizing_alpha_worked_by_hand() -> None:
    """Krippendorff et al. (2016), equations 1, 4 and 6, on three annotators of 60 characters.

    180 characters in all, 24 of them in units, 156 in gaps; pairs share 3, 3 and 8 characters, so that l_uu = 14;
    squared units: 9 + (9 + 100) + (9 + 25) = 152.  1 - (24 - 14) (180^2 - 152 - 156) / (180 * 156 * 24).
    """
    readings = [
        _marked("A", 60, x=[(2, 5)]),
        _marked("B", 60, x=[(2, 5), (10, 20)]),
        _marked("C", 60, x=[(2, 5), (15, 20)]),
    ]
    figures = measure(readings).evidence["x"]
    assert figures.alpha.value == pytest.approx(1 - 10 * (180**2 - 308) / (180 * 156 * 24))
    assert (figures.n_spans, figures.n_posts) == (5, 1)


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=4, max_size=20))
def test_unitizing_alpha_of_single_characters_is_the_nominal_alpha(columns: list[list[bool]]) -> None:
    """Where every unit is one character long, unitizing alpha is alpha over the characters (2016, section 5.1)."""
    length = len(columns)
    readings = [
        _marked(str(who), length, x=[(n, n + 1) for n, column in enumerate(columns) if column[who]])
        for who in range(3)
    ]
    if not all(reading.spans["x"] for reading in readings):
        return
    found = measure(readings, bootstrap=Bootstrap(n_samples=0)).evidence["x"].alpha.value
    if all(value for column in columns for value in column):
        assert found is None
    else:
        assert found == pytest.approx(_nominal_alpha(columns))


def test_coding_alpha_worked_by_hand() -> None:
    """Krippendorff et al. (2016), equations 10 and 11: same units, one of two labels differs.

    l_x = 30, l_y = 10, 20 of 40 characters disagree, squared intersections 400: 1 - 20 (40^2 - 400) / (40 * 600) = 0.
    """
    first = _marked("A", 40, x=[(0, 10)], y=[(20, 30)])
    second = _marked("B", 40, x=[(0, 10), (20, 30)])
    assert measure([first, second]).cu_alpha.value == pytest.approx(0)
    assert measure([first, _marked("B", 40, x=[(0, 10)], y=[(22, 30)])]).cu_alpha.value == pytest.approx(1)


def test_overlapping_spans_are_cut_into_parts_with_their_labels() -> None:
    """Characters that bear two labels are a part of their own."""
    parts = segments({"x": (Span(0, 10),), "y": (Span(5, 15),)})
    assert parts == [(0, 5, {"x"}), (5, 10, {"x", "y"}), (10, 15, {"y"})]


def test_token_f1_counts_words_of_annotators_who_both_gave_the_tag() -> None:
    """Half a word marks the word; an annotator without the tag, or without evidence, is no part of it."""
    text = "one two, three four"
    who = {
        "A": {"x": (Span(0, 7),)},  # one two
        "B": {"x": (Span(5, 14),)},  # two , three
        "C": {},
    }
    readings = [
        Reading(post=("p",), annotator=name, text=text, tags=frozenset(spans), spans=spans)
        for name, spans in who.items()
    ]
    assert measure(readings).evidence["x"].f1.value == pytest.approx(2 * 1 / (2 + 3))
    silent = Reading(post=("p",), annotator="D", text=text, tags=frozenset("x"))
    assert measure([*readings, silent]).evidence["x"].f1.value == pytest.approx(2 * 1 / (2 + 3))


def test_perfect_agreement_is_one() -> None:
    """Annotators who always agree get alpha 1 with an interval of width 0."""
    readings = [_reading(n, who, *(["un-role"] if n % 2 else [])) for n in range(10) for who in "AB"]
    report = agreement(readings, ["un-role"], Bootstrap(n_samples=50))
    figures = report.tags["un-role"]
    assert (figures.alpha.value, figures.alpha.low, figures.alpha.high) == (1.0, 1.0, 1.0)
    assert (figures.percent.value, figures.kappa.value, figures.ac1.value) == (1.0, 1.0, 1.0)
    assert (figures.n_positive, figures.n_posts, figures.note) == (10, 10, "")
    assert report.annotators["A"].agreement.value == 1.0


def test_a_constant_tag_says_why_it_has_no_alpha() -> None:
    """Alpha is undefined without variation, and says so instead of pretending to be 1 or NaN."""
    report = agreement([_reading(n, who, "all") for n in range(3) for who in "AB"], ["none", "all"])
    assert report.tags["none"].alpha.value is None
    assert "nobody" in report.tags["none"].note
    assert "everybody" in report.tags["all"].note
    assert report.tags["none"].percent.value == 1.0
    assert report.overall.alpha.value is None


def test_a_pair_that_is_constant_is_named() -> None:
    """Kappa of two annotators who never gave a tag that others gave is not defined, and the pair is named."""
    readings = [_reading(n, who) for n in range(4) for who in "AB"] + [
        _reading(1, "C", "x"),
        _reading(2, "C"),
    ]
    figures = agreement(readings, ["x"]).tags["x"]
    assert "A and B" in figures.note


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([], "no annotations"),
        ([_reading(1, "A", "x"), _reading(2, "A")], "one annotator only (A 2"),
        ([_reading(1, "A", "x"), _reading(2, "B", "x")], "no post has been read by two"),
        ([_reading(1, "A", "x"), _reading(1, "B", "x")], "no intervals"),
    ],
)
def test_what_stands_in_the_way_is_said(readings: list[Annotation], expected: str) -> None:
    """One annotator, no overlap, nothing at all, a single post: a sentence, and no figure that pretends."""
    report = agreement(readings, ["x"])
    assert expected in report.problems[0]
    assert report.overall.alpha.low is None


def test_skipped_annotations_and_single_readings_do_not_count() -> None:
    """A skipped post is a missing value, not a post without tags."""
    readings = [_reading(1, "A", "x"), _reading(1, "B", skipped=True), _reading(2, "A", "x")]
    report = agreement(readings, ["x"])
    assert report.tags == {}
    assert report.overall.n_posts == 0
    assert (report.annotators["A"].n_posts, report.annotators["B"].n_skipped) == (2, 1)


def test_the_last_of_several_annotations_by_one_annotator_counts() -> None:
    """An annotator who submits again replaces the first reading."""
    readings = [_reading(1, "A"), _reading(1, "A", "x"), _reading(1, "B", "x")]
    assert agreement(readings, ["x"]).tags["x"].percent.value == 1.0


def test_assisted_and_blind_posts_are_told_apart() -> None:
    """Annotators agree where a suggestion was taken over, and not where there was none."""

    def reading(post: int, who: str, tags: str, *, assisted: bool) -> Reading:
        return Reading(post=(str(post),), annotator=who, text="", tags=frozenset(tags), assisted=assisted)

    readings = [reading(n, who, "x" if n % 2 else "", assisted=True) for n in range(10) for who in "AB"]
    readings += [reading(n, "A", "x" if n % 2 else "", assisted=False) for n in range(10, 20)]
    readings += [reading(n, "B", "" if n % 2 else "x", assisted=False) for n in range(10, 20)]
    report = measure(readings)
    assert report.assisted is not None
    assert report.blind is not None
    assert report.assisted.tags["x"].alpha.value == 1.0
    assert report.blind.tags["x"].percent.value == 0.0
    assert report.tags["x"].n_posts == 20
    assert measure(readings[:20]).assisted is None


def test_intervals_cover_the_truth_and_are_the_same_again() -> None:
    """95 % intervals over posts hold the true percent agreement about 19 times in 20; a seed repeats them."""
    rng = np.random.default_rng(1)
    covered = 0
    for run in range(40):
        agree = rng.random(120) < 0.8
        readings = [_reading(n, "A", "x") for n in range(120)]
        readings += [_reading(n, "B", *(["x"] if agree[n] else [])) for n in range(120)]
        estimate = agreement(readings, ["x"], Bootstrap(n_samples=200, seed=run)).tags["x"].percent
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 0.8 <= estimate.high
    assert covered >= 34
    assert agreement(readings, ["x"]) == agreement(readings, ["x"])


def test_an_annotator_who_guesses_stands_out() -> None:
    """Agreement with the rest is low for the one, and higher for those who agree with each other."""
    rng = np.random.default_rng(0)
    readings = []
    for n in range(60):
        readings += [_reading(n, who, *(["x"] if n % 3 == 0 else ["y"])) for who in "AB"]
        readings.append(_reading(n, "C", "x" if rng.random() < 0.5 else "y"))
    people = agreement(readings, ["x", "y"]).annotators
    with_the_rest = {name: figures.agreement.value or 0.0 for name, figures in people.items()}
    assert with_the_rest["C"] < 0.3 < with_the_rest["A"]


def test_the_report_is_json_with_the_promised_keys() -> None:
    """A tag has every figure with its interval; overall has the alpha over whole posts."""
    readings = [_reading(n, who, *(["x"] if n % 2 else [])) for n in range(6) for who in "AB"]
    content = agreement(readings, ["x"]).to_dict()
    assert {"alpha", "alpha_low", "alpha_high", "ac1", "n_positive", "n_posts"} <= set(content["tags"]["x"])
    assert {"alpha", "alpha_low", "masi_alpha", "masi_alpha_high"} <= set(content["overall"])
    assert content["pairs"][0]["tags"]["x"]["kappa"] == 1.0
    assert content["annotators"]["B"]["n_shared"] == 6
