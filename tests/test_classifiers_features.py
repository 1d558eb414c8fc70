"""Features: stems and grams of words, counted by the project's own tokens, and sums over words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.features import (
    KINDS,
    Corpus,
    Kind,
    Words,
    damped,
    present,
    scales,
    term_matrices,
    word_terms,
)
from classifiers.testing import invented_annotations

TEXTS = [each.text for each in invented_annotations(40, annotators=("A",))]


@pytest.mark.parametrize(
    ("key", "stems", "grams"),
    [
        (("en", "rivers"), ["river"], [" ri", "riv", "ive", "ver", "ers", "rs "]),
        (("ru", "реки"), ["рек"], [" ре", "рек", "еки", "ки "]),
        (("uk", "україною"), ["украї"], []),
        (("en", "a"), ["a"], [" a "]),
        (("en", "2026"), ["0000"], []),
        (("en", "1000000"), ["0000"], []),
        (("zh", "世界"), ["世界"], ["世", "界", "世界"]),
        (("zh", "世"), ["世"], ["世"]),
        (("en", "!"), ["!"], [" ! "]),
        (("en", "🕊"), ["🕊"], [" 🕊 "]),
    ],
)
def test_terms_of_words(key: tuple[str, str], stems: list[str], grams: list[str]) -> None:
    """A stem by the text's language, grams of three to five characters, pairs where no spaces are put."""
    found = word_terms(key)
    assert found["stems"] == stems
    if grams:
        assert found["grams"][: len(grams)] == grams
        assert all(len(gram) > 3 for gram in found["grams"][len(grams) :])


def _counted(texts: list[str]) -> tuple[Corpus, Words, object, object]:
    corpus, words = Corpus.of(texts, ["en"] * len(texts)), Words()
    of_texts = words.count_texts(corpus)
    return corpus, words, of_texts, words.count_sentences(corpus)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text("the river lies.\n 🕊é'世") | st.text(max_size=60) | st.sampled_from(TEXTS), max_size=4)
)
def test_the_counts_of_sentences_add_up_to_those_of_their_text(texts: list[str]) -> None:
    """Nothing of a text is lost or counted twice."""
    corpus, words, of_texts, of_sentences = _counted(texts)
    assert of_texts.shape == (len(texts), len(words.numbers))
    for row in range(len(texts)):
        sentences = of_sentences[np.flatnonzero(corpus.text_of == row)].toarray()
        assert sentences.sum(axis=0) == pytest.approx(of_texts[[row]].toarray()[0])


def test_a_row_is_the_same_in_every_company() -> None:
    """Entries stand in the order of first mention, so that sums over them do not depend on other texts."""
    _, words, together, _ = _counted([*TEXTS[:5], "river bridge river"])
    _, alone_words, alone, _ = _counted(["river bridge river"])
    last = together[[together.shape[0] - 1]]
    names, alone_names = list(words.numbers), list(alone_words.numbers)
    assert [names[i] for i in last.indices] == [alone_names[i] for i in alone.indices]
    assert last.data.tolist() == alone.data.tolist() == [2, 1]


def test_a_word_has_the_same_form_but_another_stem_in_another_language() -> None:
    """Words of two languages are different words, also where they are spelt alike."""
    corpus, words = Corpus.of(["nations", "nations"], ["en", "fr"]), Words()
    words.count_texts(corpus)
    assert list(words.numbers) == [("en", "nations"), ("fr", "nations")]


def test_terms_that_are_not_known_are_left_out() -> None:
    """A new word is known by the grams it shares with known ones."""
    index: dict[Kind, dict[str, int]] = {kind: {} for kind in KINDS}
    term_matrices([("en", "river")], index, grow=True)
    found = term_matrices([("en", "rivers"), ("en", "zzz")], index)
    assert found["stems"].toarray().sum(axis=1).tolist() == [1, 0]
    assert found["grams"].toarray().sum(axis=1).tolist() == [9, 0]


def test_the_square_of_a_scale_adds_up_over_words() -> None:
    """An empty row has a scale that divides nothing."""
    _, words, counts, _ = _counted(["river bridge river", ""])
    mass = np.linspace(1, 2, len(words.numbers), dtype=np.float32)
    assert scales(present(counts), mass) == pytest.approx([np.sqrt(mass.sum()), 1])
    factor = (1 + np.log(2)) ** 2
    assert scales(damped(counts), mass)[0] == pytest.approx(np.sqrt(factor * mass[0] + mass[1]))
