"""Trends: planted changes, pairs and chains are found where they were planted, and noise is left alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from annotations.errors import FileError
from annotations.ledger.store import Ledger
from classifiers.testing import invented_codebook, invented_scorer
from classifiers.trends import ScoredPosts, TagsTable, TrendOptions, trends
from classifiers.trends.change_points import ChangeOptions, change_points
from classifiers.trends.cooccurrence import CoOccurrence
from classifiers.trends.intervals import false_discovery, wilson
from classifiers.trends.testing import ledger_of, tags_of
from classifiers.trends.timelines import DayCounts, Timelines, period_name, period_starts

TAGS = ("old-glory", "blame")
BY_DAY = ChangeOptions(unit="day")
START = datetime(2025, 11, 3, 9, tzinfo=UTC)
_FIRST_DAY = START.toordinal() - datetime(1970, 1, 1).toordinal()


def _days(rng: np.random.Generator, shares: np.ndarray, a_day: float = 4) -> DayCounts:
    """Return counts of days with posts at random; ``shares`` is (n_days, n_tags)."""
    n = rng.poisson(a_day, len(shares))
    yes = rng.binomial(n[:, None], shares)
    kept = n > 0
    decided = np.repeat(n[:, None], shares.shape[1], axis=1)
    return DayCounts(_FIRST_DAY + np.flatnonzero(kept), yes[kept], decided[kept])


@given(st.integers(0, 300), st.integers(1, 300))
def test_shares_have_wilsons_interval(n_yes: int, n: int) -> None:
    """As scipy has it."""
    n_yes = min(n_yes, n)
    expected = stats.binomtest(n_yes, n).proportion_ci(method="wilson")
    low, high = wilson([n_yes], [n])
    assert low[0] == pytest.approx(expected.low, abs=1e-12)
    assert high[0] == pytest.approx(expected.high, abs=1e-12)


def test_p_values_bear_with_tests_that_are_not_shown() -> None:
    """Adjusting the smallest of many equals adjusting all."""
    p = np.array([0.001, 0.2, 0.03, 0.9, 0.004])
    assert false_discovery(p[[0, 4]], 5)[0] == pytest.approx(false_discovery([0.001, 0.004, 1, 1, 1])[0])
    assert false_discovery([]).tolist() == []


def test_periods_are_months_and_iso_weeks() -> None:
    """The turn of the year lies in the week that ISO 8601 says, and dates before 1970 count too."""
    days = np.array(
        [datetime(*day).toordinal() - 719163 for day in ((2026, 1, 1), (2025, 12, 31), (1969, 12, 31))]
    )
    assert [period_name(day, "week") for day in period_starts(days, "week").tolist()] == [
        "2026-W01",
        "2026-W01",
        "1970-W01",
    ]
    assert [period_name(day, "month") for day in period_starts(days, "month").tolist()] == [
        "2026-01",
        "2025-12",
        "1969-12",
    ]


def test_a_planted_change_is_found_in_its_month() -> None:
    """A tag that rises from 10 to 35 % in the third month: one change, within days; the other tags have none."""
    shares = np.full((150, 5), 0.1)
    shares[75:, 2] = 0.35
    found = change_points([f"t{n}" for n in range(5)], _days(np.random.default_rng(7), shares), BY_DAY)
    assert [change.tag for change in found] == ["t2"]
    planted = START + timedelta(days=75)
    assert abs((datetime.fromisoformat(found[0].date) - planted.replace(tzinfo=None)).days) <= 10
    assert found[0].before_high < found[0].after_low
    assert found[0].p < 0.05


def test_a_passing_wave_has_a_beginning_and_an_end() -> None:
    """Three weeks in the middle at 50 %: two changes, up and down."""
    shares = np.full((150, 1), 0.1)
    shares[60:81] = 0.5
    up, down = change_points(["t"], _days(np.random.default_rng(3), shares), BY_DAY)
    assert up.after > 2 * up.before
    assert down.after < down.before / 2
    assert (datetime.fromisoformat(down.date) - datetime.fromisoformat(up.date)).days == pytest.approx(
        21, abs=6
    )


@pytest.mark.parametrize("a_day", [1.0, 5.0])
def test_noise_is_seldom_taken_for_a_change(a_day: float) -> None:
    """Of 120 corpora without a change, 5 % may raise an alarm on any of four tags: 13 are within reach, 14 are not."""
    rng = np.random.default_rng(11)
    shares = np.tile([0.02, 0.1, 0.3, 0.6], (60, 1))
    alarms = sum(bool(change_points("abcd", _days(rng, shares, a_day))) for _ in range(120))
    assert alarms <= 13  # a binomial of 120 and 0.05 is above in 0.3 % of cases


def test_busy_days_are_no_change() -> None:
    """On every tenth day, at random, a text is forwarded 20 times: posts of one day are no independent witnesses."""
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(60):
        counts = _days(rng, np.full((90, 1), 0.1))
        bursts = rng.random(len(counts.days)) < 0.1
        yes, decided = counts.yes + 20 * bursts[:, None], counts.decided + 20 * bursts[:, None]
        alarms += bool(change_points("a", DayCounts(counts.days, yes, decided)))
    assert alarms <= 9


def test_changes_of_weeks_and_of_next_to_nothing() -> None:
    """Weeks are the units where there are many; a corpus without days, or with a few, has no changes."""
    shares = np.full((200, 1), 0.1)
    shares[100:] = 0.5
    counts = _days(np.random.default_rng(2), shares)
    (change,) = change_points("t", counts, ChangeOptions(unit="week"))
    assert datetime.fromisoformat(change.date).weekday() == 0
    assert change_points("t", counts) == [change]
    none = DayCounts(*(np.zeros(shape, dtype=np.int64) for shape in (0, (0, 1), (0, 1))))
    assert change_points("t", none) == []
    assert change_points("t", DayCounts(counts.days[:4], counts.yes[:4], counts.decided[:4])) == []


def test_tags_that_come_together() -> None:
    """Lift, phi and p of a planted pair are those of its table; an independent pair is not sure."""
    rng = np.random.default_rng(8)
    first = rng.random(600) < 0.2
    second = np.where(first, rng.random(600) < 0.6, rng.random(600) < 0.1)
    third = rng.random(600) < 0.3
    yes = np.stack([first, second, third], axis=1)
    counted = CoOccurrence("abc")
    for part in np.array_split(yes, 7):
        counted.add_answers(part, np.ones_like(part))
    pairs = {(pair.first, pair.second): pair for pair in counted.pairs()}
    planted = pairs["a", "b"]
    both, n_1, n_2 = (first & second).sum(), first.sum(), second.sum()
    assert planted.lift == pytest.approx(both * 600 / n_1 / n_2)
    assert planted.lift_low < planted.lift < planted.lift_high
    assert planted.phi == pytest.approx(np.corrcoef(first, second)[0, 1])
    assert planted.p < 1e-10
    assert pairs["a", "c"].p > 0.05
    table = [[both, n_1 - both], [n_2 - both, 600 - n_1 - n_2 + both]]
    assert planted.p == pytest.approx(3 * 2 * stats.fisher_exact(table, "greater").pvalue, rel=1e-6)


def test_the_interval_of_the_lift_covers() -> None:
    """Of independent tags, 95 % of the intervals hold 1."""
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(300):
        yes = rng.random((400, 2)) < [0.2, 0.3]
        counted = CoOccurrence("ab")
        counted.add_answers(yes, np.ones_like(yes))
        (pair,) = counted.pairs()
        covered += pair.lift_low <= 1 <= pair.lift_high
    assert 0.91 <= covered / 300 <= 0.99


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Return a ledger of three channels: a text copied from one to the next, and 40 other posts."""
    copied = "The old league built the great bridge of Maravent in a single winter, and nobody helped it."
    posts: list[tuple[str, datetime | None, str]] = [
        (f"daily/{n}", START + timedelta(days=n), f"Office {n} opens at {n} o'clock, says note {n * n}.")
        for n in range(40)
    ]
    posts += [
        ("second/1", START + timedelta(hours=30), copied),
        ("third/1", START + timedelta(hours=50), copied + " So be it."),
        ("first/1", START, copied),
        ("second/2", START + timedelta(hours=31), copied),
        ("fourth/1", None, copied),
    ]
    made = ledger_of(tmp_path, posts)
    yield made
    made.close()


def _table(tmp_path: Path, ledger: Ledger, **more: list[float]) -> Path:
    copies = ("first/1", "second/1", "second/2", "third/1", "fourth/1")
    tags = {f"daily/{n}": [0.1, 0.9 if n >= 30 else 0.1] for n in range(40)}
    return tags_of(tmp_path / "tags.parquet", tags | {name: [0.9, 0.2] for name in copies} | more, TAGS)


def test_a_chain_of_copies_is_told_in_the_order_of_time(tmp_path: Path, ledger: Ledger) -> None:
    """The first is the earliest, not the first imported; a channel's second copy is no step; no date, no place."""
    found = trends(TagsTable(ledger, _table(tmp_path, ledger)))
    (chain,) = found.chains
    assert [step.post_id for step in chain.steps] == ["first/1", "second/1", "third/1"]
    assert [step.hours for step in chain.steps] == [0, 30, 50]
    assert (chain.n_posts, chain.n_sources, chain.n_undated) == (5, 4, 1)
    assert chain.steps[1].n_posts == 2
    assert (chain.kind, chain.tags) == ("copies", ("old-glory",))
    assert found.n_undated == 1
    assert not found.with_evidence


def test_lines_count_posts_by_month_channel_and_language(tmp_path: Path, ledger: Ledger) -> None:
    """All posts once in each of the three divisions; near-duplicates count in lines, and once in pairs."""
    found = trends(TagsTable(ledger, _table(tmp_path, ledger)), options=TrendOptions(period="week"))
    for by in ("all", "channel", "language"):
        assert (
            sum(point.n_posts for point in found.timelines if point.by == by and point.tag == "blame") == 45
        )
    blame = {point.period: point for point in found.timelines if point.by == "all" and point.tag == "blame"}
    assert [name for name, point in sorted(blame.items()) if point.n_yes] == ["2025-W49", "2025-W50"]
    assert blame["2025-W49"].share == pytest.approx(5 / 7)
    assert {point.group for point in found.timelines if point.by == "channel"} == {
        "daily", "first", "second", "third", "fourth"
    }  # fmt: skip
    assert {pair.n_posts for pair in found.pairs} == {41}


def test_a_table_is_read_whatever_its_format_and_in_batches_of_one_size(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Parquet, CSV, JSON lines, a folder: the same answers; no batch is larger than asked for."""
    path = _table(tmp_path, ledger)
    rows = pq.read_table(path).to_pylist()
    with (tmp_path / "tags.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "tags.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    (tmp_path / "parts").mkdir()
    for number in range(3):
        pq.write_table(pq.read_table(path).slice(15 * number, 15), tmp_path / "parts" / f"{number}.parquet")
    expected = trends(TagsTable(ledger, path))
    for name in ("tags.csv", "tags.jsonl", "parts"):
        corpus = TagsTable(ledger, tmp_path / name, size=7)
        assert max(map(len, corpus.batches())) <= 7
        assert trends(corpus) == expected


def test_rows_that_do_not_count_are_counted(tmp_path: Path, ledger: Ledger) -> None:
    """A post that is not in the ledger, and one that stands there twice."""
    path = _table(tmp_path, ledger, **{"gone/1": [0.9, 0.9]})
    whole = pq.read_table(path)
    pq.write_table(pa.concat_tables([whole, whole.slice(0, 2)]), path)
    corpus = TagsTable(ledger, path)
    assert trends(corpus).n_posts == 45
    assert (corpus.n_unknown, corpus.n_repeated) == (1, 2)


def test_tables_that_are_none_are_refused_with_a_reason(tmp_path: Path, ledger: Ledger) -> None:
    """No such format, no such file, no tags, and tags of two models."""
    (tmp_path / "posts.csv").write_text("post_id,text\nc/1,x\n", encoding="utf-8")
    for name in ("tags.xlsx", "nowhere.parquet", "posts.csv"):
        with pytest.raises(FileError, match=name):
            TagsTable(ledger, tmp_path / name)
    with pytest.raises(FileError, match="no row"):
        TagsTable(ledger, tags_of(tmp_path / "0.parquet", {}, TAGS))
    one = tags_of(tmp_path / "1.parquet", {"daily/1": [0.1, 0.1]}, TAGS)
    other = tags_of(tmp_path / "2.parquet", {"daily/2": [0.1, 0.1]}, TAGS, version="another")
    both = tmp_path / "both.parquet"
    pq.write_table(pa.concat_tables([pq.read_table(each) for each in (one, other)]), both)
    with pytest.raises(FileError, match="two models"):
        trends(TagsTable(ledger, both))


def test_sentences_and_examples_come_from_a_model(tmp_path: Path) -> None:
    """A claim inside different posts is a chain with offsets; examples are strong, quoted exactly and not alike."""
    claim = "Our fathers built the great bridge in the glorious days of the old league"
    rest = (
        "Read the full text on the website",
        "The talks in the capital lasted 9 hours",
        "Questions of transport",
    )
    posts = [
        (f"c{n}/1", START + timedelta(days=10 * n), f"{rest[n]}, says {n**5}. {claim}{'.' * (n + 1)} More on {n}.")
        for n in (2, 0, 1)
    ]  # fmt: skip
    posts += [
        (f"c0/{n}", START + timedelta(days=n), f"The heroes of the league met in hall {n**7}.")
        for n in range(2, 9)
    ]
    ledger = ledger_of(tmp_path, posts)
    scorer = invented_scorer(120)
    try:
        found = trends(ScoredPosts(ledger, scorer), scorer)
        texts = {post_id: text for post_id, _, text in posts}
    finally:
        ledger.close()
    assert found.tag_ids == invented_codebook().tag_ids
    chain = next(chain for chain in found.chains if chain.kind == "sentences" and "old-glory" in chain.tags)
    assert [step.post_id for step in chain.steps] == ["c0/1", "c1/1", "c2/1"]
    assert claim in texts["c0/1"][chain.steps[0].start : chain.steps[0].end]
    assert all(texts[each.post_id][each.start : each.end] == each.quote for each in found.exemplars)
    november = [each for each in found.exemplars if (each.tag, each.period) == ("old-glory", "2025-11")]
    assert [each.rank for each in november] == list(range(1, len(november) + 1))
    assert [each.weight for each in november] == sorted((each.weight for each in november), reverse=True)
    assert sum("heroes of the league met in hall" in each.quote for each in november) == 1


def test_what_is_held_does_not_grow_with_the_number_of_posts(tmp_path: Path, ledger: Ledger) -> None:
    """The same posts a hundred times over: as many cells as once."""
    corpus = TagsTable(ledger, _table(tmp_path, ledger))
    once, often = Timelines(TAGS), Timelines(TAGS)
    batches = list(corpus.batches())
    for batch in batches:
        once.add(batch)
    for _ in range(100):
        for batch in batches:
            often.add(batch)
    assert often.n_posts == 100 * once.n_posts
    assert len(often.points()) == len(once.points())
    assert np.array_equal(often.by_day().yes, 100 * once.by_day().yes)
