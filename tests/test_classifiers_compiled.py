"""The compiled scorer gives what the plain one gives, whatever the text, and can be shared between threads."""

from __future__ import annotations

import random
import sys
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from annotations.readers import PostItem, ReadOptions, read_posts
from classifiers.compiled import memo as memo_module
from classifiers.compiled.engine import CompiledModel
from classifiers.compiled.word_vectors import Vocabulary
from classifiers.features import Corpus
from classifiers.languages import identify, stemming_language
from classifiers.scorer import Scorer
from classifiers.testing import invented_scorer

TOLERANCE = 1e-5
ODD = [
    "",
    " \n ",
    "The coast council lies again!",
    "ﬁg. Not the end. ﬆ. A. B. U.N. и т.д. т.п. Конец… начало. Ё. Да",
    "#RiverPact2026 #UN_Charter80 #РекаМира @Mid_RF #世界 ＃river #_ #①a #㈠b #ـ\u0301x #a\u0301B #1\u0301a",
    "https://Example.org/a?b=c http://x httpſ://ſ.org/ Http:// https://a/b#c https:///x xhttp://y",
    "🇫🇷🇫 👨‍👩‍👧‍👦 👍🏽 ❤️‍🔥 🕊\ufe0e ①② \u200d🕊 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ☭★ ㊗㊙",
    "Russia's don'T об’єкт п'ять l'eau we'll they’re I'ſ x'' so-called a‐b a- -b so\u00ad\u200dft a\u00ad",
    "世界 多极化。多\u0301极！「是」。 ｡ 。」」 日本・語 カ\u3099 한국어 각 각",
    "क्षत्रिय। नमस्ते॥ مُحَمَّد؟ ـــ ۔ ک شلون",
    "a\u0301\u0302 e\u0301. \u0301x \ud800 \x00 \u200b \udfff\ud83d",
    "THE COAST COUNCIL LIES AGAIN. THE RIVER BELONGS TO EVERY VILLAGE, ALL OF IT.",
    "Café naïve Ça va. Où est-ce? L’été. ÀÉÎ ǅ ŉ ß ẞ İi ıI Å Ω K",
    "• one\n• two ▪ three …\r\n\u2028four\x85five\x0b\x0c 1. 2) 3.14 50% 12 000 2026 ２０２６ ४२ ½",
    ".!?… ?! !? ...) .» “.” a.b c.d. E.g. this. Vs. that. St. Mr. x. г. Москва. ул. Мира",
    "word" * 200 + " " + "界" * 300 + " " + "界" + "\u0301" * 300 + "界 " + "a" + "\u0301" * 600,
    "#" + "aB1" * 200 + " " + "@" * 50 + "#" * 50,
    "heroes of the league " * 700,
]
ALPHABET = "aBя.!?…。 \n•\u0301\u00ad\u200d\ufe0f#@_'’-世界カ🇫🇷🕊👍🏽1２①㈠ـ/:https\ud800ﬁſİ"


@pytest.fixture(scope="module")
def scorers() -> tuple[Scorer, Scorer]:
    """Return a compiled scorer and a plain one of the same model."""
    compiled = invented_scorer()
    return compiled, Scorer(compiled._model, compiled.version, compiled=False)


def assert_same(scorers: tuple[Scorer, Scorer], texts: Sequence[str]) -> None:
    """Compare probabilities, decisions, languages and evidence."""
    compiled, plain = (scorer.judge(texts) for scorer in scorers)
    assert compiled.languages == plain.languages
    assert np.array_equal(np.isnan(compiled.scores), np.isnan(plain.scores))
    assert np.nanmax(np.abs(compiled.scores - plain.scores), initial=0) <= TOLERANCE
    near = np.column_stack(
        [
            np.abs(plain.scores[:, number] - (rule.threshold or 0)) <= TOLERANCE
            for number, rule in enumerate(scorers[0].rules.values())
        ]
    )
    assert ((compiled.decisions == plain.decisions) | near).all()


def assert_same_sentences(scorers: tuple[Scorer, Scorer], texts: Sequence[str]) -> None:
    """Compare tokens, sentences and strengths, text by text."""
    for text in texts:
        (compiled,), (plain,) = (list(scorer._engine.scored([text])) for scorer in scorers)
        ours, theirs = compiled.sentences(), plain.sentences()
        for name in ("spans", "is_word", "firsts", "text_firsts"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name)), (name, text)
        assert np.allclose(ours.strengths, theirs.strengths, rtol=0, atol=1e-4), text


def test_odd_texts_are_cut_and_scored_as_in_the_plain_way(scorers: tuple[Scorer, Scorer]) -> None:
    """Scripts, emoji, hashtags, abbreviations, addresses, marks, lone surrogates; alone and in one batch."""
    assert_same_sentences(scorers, ODD)
    assert_same(scorers, ODD)
    for text in ODD:
        assert_same(scorers, [text])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=60) | st.text(ALPHABET, max_size=60), min_size=1, max_size=4))
@example(["ﬁg. a"])
@example(["世\u0301界"])
def test_any_text_is_cut_and_scored_as_in_the_plain_way(
    scorers: tuple[Scorer, Scorer], texts: list[str]
) -> None:
    """No string makes the two ways differ."""
    assert_same_sentences(scorers, texts)
    assert_same(scorers, texts)


def test_every_character_is_cut_as_in_the_plain_way(scorers: tuple[Scorer, Scorer]) -> None:
    """Each code point that is not private or unassigned: alone, in a word, in a hashtag, before a full stop."""
    engine = scorers[0]._engine
    assert isinstance(engine, CompiledModel)
    chars = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) not in ("Cn", "Co")
        and not (0x3500 < code < 0x9F00 or 0xAC80 < code < 0xD700 or 0x20100 < code < 0x31300)
    ]
    for first in range(0, len(chars), 2_000):
        texts = [
            f"a{char}b {char} #{char}c{char} {char}. {char}{char}\nD{char}'s"
            for char in chars[first : first + 2_000]
        ]
        corpus = Corpus.of(texts, [""] * len(texts))
        theirs = {number: [] for number in range(len(texts))}
        for text, tokens in zip(corpus.text_of.tolist(), corpus.tokens, strict=True):
            theirs[text].append([(token.start, token.end) for token in tokens])
        number = 0
        for scored in engine.scored(texts):
            found = scored.sentences()
            for row in range(len(scored.texts)):
                begin, end = found.text_firsts[row : row + 2].tolist()
                ours = [
                    [tuple(span) for span in found.spans[found.firsts[n] : found.firsts[n + 1]].tolist()]
                    for n in range(begin, end)
                ]
                assert ours == theirs[number], (texts[number], number)
                number += 1


def test_languages_are_told_as_in_the_plain_way(scorers: tuple[Scorer, Scorer]) -> None:
    """Texts of many languages, cut short at random."""
    texts = [
        "Всё хорошо, что хорошо кончается, говорит министр иностранных дел.",
        "Усі люди народжуються вільними і рівними у своїй гідності та правах.",
        "All human beings are born free and equal in dignity and rights.",
        "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
        "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
        "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.",
        "人人生而自由，在尊严和权利上一律平等。",
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता है।",
        "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.",
        "Сви људи рађају се слободни и једнаки у достојанству и правима.",
    ]
    chosen = random.Random(1)
    cuts = [text[: chosen.randint(1, len(text))] for text in texts for _ in range(12)]
    cuts += [text.upper() for text in texts] + [unicodedata.normalize("NFD", text) for text in texts]
    assert scorers[0].judge(cuts).languages == [identify(text) for text in cuts]
    assert stemming_language(texts[0], "ru", ("en",)) == "ru"


def test_threads_share_a_scorer(scorers: tuple[Scorer, Scorer]) -> None:
    """Words that are met in several threads at once are learnt once, and no answer is mixed up."""
    fresh = Scorer(scorers[0]._model, "0", compiled=True)
    texts = [f"word{n % 400} the river belongs to every village{n % 7} #Tag{n % 50}" for n in range(4_000)]
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda first: fresh.judge(texts[first : first + 100]).scores, range(0, 4_000, 100))
        )
    assert np.nanmax(np.abs(np.concatenate(found) - scorers[1].judge(texts).scores)) <= TOLERANCE


def test_a_full_memo_is_begun_anew(scorers: tuple[Scorer, Scorer], monkeypatch: pytest.MonkeyPatch) -> None:
    """More words than are remembered, and a text with more than can be: the answers stay the same."""
    monkeypatch.setattr(memo_module, "N_TOKENS", 256)
    monkeypatch.setattr("classifiers.compiled.memo._N_CODES", 4_000)
    fresh = Scorer(scorers[0]._model, "0", compiled=True), scorers[1]
    texts = [" ".join(f"w{n * 50 + k} the river" for k in range(50)) for n in range(40)]
    for text in texts:
        assert_same(fresh, [text])
    assert_same(fresh, ["the river " + " ".join(f"z{k}" for k in range(1_000))])
    assert_same(fresh, ODD[:5])


def test_real_posts_are_scored_as_in_the_plain_way(scorers: tuple[Scorer, Scorer], shared_data: Path) -> None:
    """Telegram posts of several channels and languages."""
    texts: list[str] = []
    for path in sorted((shared_data / "telegram").rglob("*")):
        if path.is_file() and path.suffix in (".json", ".html", ".jsonl", ".csv"):
            items = read_posts(path, ReadOptions()).items
            texts += [item.post.text for item in items if isinstance(item, PostItem)]
    assert len(texts) > 1_000
    assert_same(scorers, texts)
    assert_same_sentences(scorers, texts[:300])


def test_without_the_compiler_posts_are_scored_in_the_plain_way(
    scorers: tuple[Scorer, Scorer], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where numba cannot be loaded the answers are the same, and a log line says that it takes longer."""
    for name in [name for name in sys.modules if name.startswith("classifiers.compiled")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    without = Scorer(scorers[0]._model, "0")
    assert "numba" in caplog.text
    assert_same((without, scorers[0]), ODD)
    with pytest.raises(ImportError):
        Scorer(scorers[0]._model, "0", compiled=True)


def test_words_that_could_not_be_learnt_are_learnt_the_next_time(
    scorers: tuple[Scorer, Scorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure on the way leaves no word behind that would count for nothing."""
    fresh = Scorer(scorers[0]._model, "0", compiled=True)
    with monkeypatch.context() as broken:
        broken.setattr(Vocabulary, "add", Mock(side_effect=MemoryError))
        with pytest.raises(MemoryError):
            fresh.judge(["the coast council lies again"])
    assert_same((fresh, scorers[1]), ["the coast council lies again", "the river"])


def test_one_word_over_and_over_leaves_the_memo_as_it_is(
    scorers: tuple[Scorer, Scorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room is needed for different words, not for all."""
    monkeypatch.setattr(memo_module, "N_TOKENS", 256)
    fresh = Scorer(scorers[0]._model, "0", compiled=True)
    assert isinstance(fresh._engine, CompiledModel)
    fresh.judge(["the river"])
    memo = fresh._engine._known._memo
    assert_same((fresh, scorers[1]), ["again " * 2_000])
    assert fresh._engine._known._memo is memo
