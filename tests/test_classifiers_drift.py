"""Drift: what changed is found, noise is left alone, and a rising phrase is one that no tag explains."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.codebook import Codebook
from annotations.ledger.store import Ledger
from annotations.records import text_digest
from classifiers.bundle_documents import OutOfFold
from classifiers.drift import Drift, DriftInput, DriftOptions, PhraseOptions, Training, drift
from classifiers.drift.agreeing import agreement_by_period
from classifiers.drift.candidates import candidates
from classifiers.drift.phrases import RisingPhrases, passage, rise
from classifiers.drift.scores import ScoreDrift
from classifiers.drift.sketch import Sketch
from classifiers.drift.vocabulary import compared
from classifiers.drift.words import phrases_of
from classifiers.predictions import DECISIONS
from classifiers.testing import invented_annotations, invented_codebook
from classifiers.trends import TagsTable
from classifiers.trends.corpus import TaggedBatch
from classifiers.trends.testing import ledger_of, tags_of
from classifiers.wording import Wording, stem_key, term_key

WORDING = Wording(("en",))
START = datetime(2025, 11, 1, 9, tzinfo=UTC)
TAGS = ("old-glory", "blame")
_WORDS = (
    "bridge",
    "river",
    "minister",
    "delegation",
    "harvest",
    "briefing",
    "embassy",
    "ferry",
    "school",
    "road",
)
_VERBS = ("opens", "visits", "repairs", "receives", "thanks", "leaves", "plans", "counts")


@given(st.lists(st.integers(0, 2**64 - 1), max_size=200), st.integers(1, 5))
def test_a_sketch_never_counts_too_low_and_tells_what_has_become_frequent(
    keys: list[int], least: int
) -> None:
    """Also where places are shared by many keys; each key is told once it is frequent, at the latest."""
    sketch, told = Sketch(4), set()
    for first in range(0, len(keys), 50):
        told |= set(sketch.add(np.array(keys[first : first + 50], dtype=np.uint64), least).tolist())
    true = Counter(keys)
    counted = sketch.counts(np.array(list(true), dtype=np.uint64))
    assert all(count >= true[key] for key, count in zip(true, counted.tolist(), strict=True))
    wide, known = Sketch(), Counter[int]()
    for first in range(0, len(keys), 50):
        part = np.array(keys[first : first + 50], dtype=np.uint64)
        known.update(part.tolist())
        wide.add(part, least)
    assert (wide.counts(np.array(list(known), dtype=np.uint64)) >= list(known.values())).all()


def test_words_are_stems_with_their_places() -> None:
    """Word forms share a number; addresses and mentions are none; a phrase does not run over a comma."""
    text = "The ministers met, at https://a.example/x with @envoy: minister meets #OldLeague 2026"
    words = WORDING.words([text, ""], ["en", None])
    quotes = [text[a:b] for a, b in zip(words.starts, words.ends, strict=True)]
    assert quotes == ["The", "ministers", "met", "at", "with", "minister", "meets", "Old", "League", "2026"]
    assert words.keys[1] == words.keys[5] == stem_key("minister", "en")
    assert words.keys[9] == term_key("0000")
    assert words.n_posts == 2
    phrases = phrases_of(words, 2)[1].tolist()
    assert [quotes[first] for first in phrases] == ["The", "ministers", "minister", "Old", "League"]
    assert len(set(phrases_of(WORDING.words(["a b c", "c b a"], ["en", "en"]), 3)[0].tolist())) == 2


def test_a_phrase_with_the_same_share_does_not_rise() -> None:
    """The log-odds ratio is 0 where shares are equal, and grows with the evidence."""
    z = rise(np.array([10, 20, 40]), 100, np.array([100, 100, 100]), 1000)
    assert z[0] == pytest.approx(0, abs=1e-9)
    assert 0 < z[1] < z[2]


def test_phrases_that_overlap_are_one_passage() -> None:
    """Grown to the left and to the right, and no further than words are shared."""
    forms = [
        "grain corridor of Sarn",
        "spoke of the grain",
        "the grain corridor of",
        "of Sarn again",
        "old mill",
    ]
    assert passage(forms) == "spoke of the grain corridor of Sarn again"
    assert passage(["a b", "b a"]) != ""


def _batch(scores: np.ndarray, day: int) -> TaggedBatch:
    n = len(scores)
    return TaggedBatch(
        posts=[],
        days=np.full(n, day),
        languages=[None] * n,
        scores=scores,
        decisions=np.zeros(scores.shape, dtype=np.int8),
        is_first=np.ones(n, dtype=bool),
    )


def _score_drift(months: list[np.ndarray], training: np.ndarray) -> list:
    counted = ScoreDrift(["t"])
    for number, log_odds in enumerate(months):
        scores = 1 / (1 + np.exp(-log_odds[:, None]))
        for part in np.array_split(scores, 3):
            counted.add(_batch(part, 20_400 + 31 * number), np.zeros(len(part), dtype=bool))
    return counted.shifts(OutOfFold(("t",), {}, training[:, None]))


def test_shifted_scores_are_found_in_their_month() -> None:
    """The third month has higher scores than training and than the months before; nothing else has drifted."""
    rng = np.random.default_rng(0)
    months = [rng.normal(-2, 1, 150) + (1.0 if month == 2 else 0) for month in range(4)]
    shifts = _score_drift(months, rng.normal(-2, 1, 200))
    drifted = {(shift.period, shift.reference) for shift in shifts if shift.drifted}
    assert drifted >= {("2026-01", "training"), ("2026-01", "earlier")}
    assert not {shift for shift in drifted if shift[0] in ("2025-11", "2025-12")}
    january = next(shift for shift in shifts if shift.period == "2026-01")
    assert january.distance == pytest.approx(1.0, abs=0.25)
    assert january.mean > january.mean_reference
    assert january.psi > january.psi_noise
    assert len({shift.period for shift in shifts if shift.reference == "earlier"}) == 3


def test_noise_in_scores_is_noise() -> None:
    """Of 100 months like training, about five have a p-value below 0.05."""
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(100):
        (shift,) = _score_drift([rng.normal(-1, 1, 60)], rng.normal(-1, 1, 90))
        alarms += shift.p < 0.05
    assert alarms <= 12


def _sentences(rng: random.Random, n: int) -> list[str]:
    return [
        f"The {rng.choice(_WORDS)} {rng.choice(_VERBS)} a {rng.choice(_WORDS)} in hall {rng.randint(2, 99)}."
        for _ in range(n)
    ]


def test_other_words_are_found_and_the_same_words_are_not() -> None:
    """Half of the posts with words of another subject: more than noise. Two halves of one sample: noise."""
    rng, np_rng = random.Random(3), np.random.default_rng(3)
    posts = [WORDING.words([" ".join(_sentences(rng, 3))], ["en"]).keys for _ in range(90)]
    other = WORDING.words(["The tariff on grain doubles the price of bread for bakers"], ["en"]).keys
    seen, noise, p = compared([*posts[:20], *[other] * 10], posts[30:], np_rng)
    assert seen > noise
    assert p < 0.01
    p_values = [compared(posts[first : first + 20], posts[60:], np_rng)[2] for first in (0, 20, 40)]
    assert min(p_values) > 0.01


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[tuple[Ledger, TagsTable, Training, dict[str, str]]]:
    """Return 400 posts over four months, with three phrases planted in the last: explained, a cue, and neither."""
    rng = random.Random(9)
    posts, tags = [], {}
    for number in range(400):
        sentences = _sentences(rng, 2)
        score = 0.1
        if number >= 300:
            if number % 4 == 0:
                sentences.append("They spoke of the grain corridor of Sarn again.")
            if number % 4 == 1:
                sentences.append("Remember the glorious winter league of old.")
                score = 0.9
            if number % 4 == 2:
                sentences.append("It is the double measure of the coast.")
        post_id = f"daily/{number}"
        posts.append((post_id, START + timedelta(hours=7 * number), " ".join(sentences)))
        tags[post_id] = [score, 0.1]
    ledger = ledger_of(tmp_path, posts)
    table = TagsTable(ledger, tags_of(tmp_path / "tags.parquet", tags, TAGS), size=64)
    texts = {post_id: text for post_id, _, text in posts}
    trained = [text_digest(texts[f"daily/{number}"]) for number in range(0, 300, 3)]
    known = [
        key for number in range(0, 300, 3) for key in WORDING.words([texts[f"daily/{number}"]], ["en"]).keys
    ]
    scores = np.full((100, 2), np.log(1 / 9))
    training = Training(
        version="0123456789ab",
        languages=("en",),
        known=np.unique(np.array(known, dtype=np.uint64)),
        out_of_fold=OutOfFold(TAGS, {digest: row for row, digest in enumerate(trained)}, scores),
    )
    yield ledger, table, training, texts
    ledger.close()


def _with_cue(codebook: Codebook) -> Codebook:
    first, *rest = codebook.tags
    return replace(codebook, tags=(replace(first, cues=("double measure*",)), *rest))


def _drift(corpus: tuple[Ledger, TagsTable, Training, dict[str, str]], **options: object) -> Drift:
    ledger, table, training, _ = corpus
    phrases = PhraseOptions(since=date(2026, 1, 27), **options)
    return drift(DriftInput(ledger=ledger, corpus=table, training=training), DriftOptions(phrases=phrases))


def test_a_planted_phrase_rises(corpus: tuple[Ledger, TagsTable, Training, dict[str, str]]) -> None:
    """Once, at its longest, with posts that have it; what a tag explains is not shown, nor a common word."""
    found = _drift(corpus)
    texts = corpus[3]
    planted = next(each for each in found.phrases if "grain" in each.phrase)
    assert "grain corridor of Sarn" in planted.phrase
    assert planted.n_late >= 20
    assert planted.n_early == 0
    assert planted.unexplained == 1
    assert all("grain corridor of Sarn" in texts[post_id] for post_id in planted.post_ids)
    assert sum("corridor" in each.phrase for each in found.phrases) == 1
    assert not any("winter league" in each.phrase for each in found.phrases)
    assert not any(each.phrase.casefold().startswith("the ") for each in found.phrases)


def test_a_phrase_of_the_codebook_is_no_candidate(
    corpus: tuple[Ledger, TagsTable, Training, dict[str, str]],
) -> None:
    """A cue explains what it is found in."""
    assert any("double measure" in each.phrase for each in _drift(corpus).phrases)
    ledger, table, training, _ = corpus
    options = PhraseOptions(since=date(2026, 1, 27))
    counted = RisingPhrases(candidates(ledger, date(2026, 1, 27), WORDING, options), options)
    for batch in table.batches():
        texts = [stored.post.text for stored in batch.posts]
        counted.add(batch, Wording(training.languages).words(texts, batch.languages), None)
    found = counted.found(_with_cue(invented_codebook()))
    assert any("grain corridor" in each.phrase for each in found)
    assert not any("double measure" in each.phrase for each in found)


def test_training_posts_are_known_by_their_texts_and_left_out(
    corpus: tuple[Ledger, TagsTable, Training, dict[str, str]],
) -> None:
    """100 of the 400 posts were trained on; the months hold the others, and the last has other words."""
    found = _drift(corpus)
    assert (found.n_posts, found.n_training) == (400, 100)
    assert sum(shift.n_posts for shift in found.vocabulary) == 300
    last = found.vocabulary[-1]
    assert last.divergence is not None
    assert last.divergence_noise is not None
    assert last.divergence > last.divergence_noise
    assert last.p is not None
    assert last.p < 0.05
    assert (last.unknown or 0) > 0.05 > (found.vocabulary[0].unknown or 0)
    assert {shift.tag for shift in found.scores if shift.drifted} <= {"old-glory"}
    assert found.notes == (
        "the model is not at hand: a phrase counts as explained where its post bears any tag",
    )


def test_noise_makes_no_phrases_rise(tmp_path: Path) -> None:
    """Five corpora of sentences put together at random, with nothing new in the last month: hardly a phrase."""
    found = 0
    for seed in range(5):
        rng = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        posts = [(f"c/{n}", START + timedelta(hours=8 * n), " ".join(_sentences(rng, 3))) for n in range(250)]
        ledger = ledger_of(folder, posts)
        table = TagsTable(
            ledger, tags_of(folder / "t.parquet", {each[0]: [0.1, 0.1] for each in posts}, TAGS)
        )
        training = Training("0123456789ab", ("en",), np.zeros(0, dtype=np.uint64), None)
        result = drift(DriftInput(ledger=ledger, corpus=table, training=training))
        found += bool(result.phrases)
        assert len(result.notes) == 2
        ledger.close()
    assert found <= 1


def test_agreement_by_month() -> None:
    """Annotators who agree in one month and not in the next; readings without a date come first."""
    codebook = invented_codebook()
    pairs = invented_annotations(60)
    made = []
    for number, each in enumerate(pairs):
        month = datetime(2026, 1 + number // 60, 5, tzinfo=UTC)
        tags = each.tags if each.annotator == "A" or number < 60 else {}
        made.append(replace(each, date=month, tags=tags))
    made.append(replace(pairs[0], post_id="x/1", date=None))
    points = agreement_by_period(made, codebook.tag_ids)
    assert [point.period for point in points] == ["2026-01", "2026-02"]
    assert [point.n_posts for point in points] == [30, 30]
    assert (points[0].alpha or 0) > 0.7 > (points[1].alpha or 0)
    assert agreement_by_period([], codebook.tag_ids) == []


def test_decisions_are_numbered_as_the_scorer_numbers_them() -> None:
    """0 is no, 1 is yes: batches made here by hand depend on it."""
    assert [decision.value for decision in DECISIONS] == ["no", "yes", "abstain"]
