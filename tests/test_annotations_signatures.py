"""MinHash signatures: alike for texts that are alike, in any script."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.signatures import PLACES, SHINGLE, signatures


def _alike(*texts: str) -> float:
    first, second = signatures(texts)
    return float((first == second).mean())


def _runs(text: str) -> set[str]:
    letters = "".join(text.casefold().split())
    return {letters[i : i + SHINGLE] for i in range(max(1, len(letters) - SHINGLE + 1))}


def _words(seed: int, number: int = 120) -> list[str]:
    source = random.Random(seed)
    return [
        "".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=source.randint(2, 9))) for _ in range(number)
    ]


@pytest.mark.parametrize("changed", [0, 1, 3, 10, 30, 120])
def test_the_estimate_is_near_the_similarity_of_the_sets(changed: int) -> None:
    """The share of equal places estimates the Jaccard similarity; five standard errors are allowed."""
    for seed in range(20):
        words, other = _words(seed), _words(seed + 1000)
        edited = [*other[:changed], *words[changed:]]
        first, second = " ".join(words), " ".join(edited)
        union, shared = _runs(first) | _runs(second), _runs(first) & _runs(second)
        expected = len(shared) / len(union)
        error = (expected * (1 - expected) / PLACES) ** 0.5
        assert _alike(first, second) == pytest.approx(expected, abs=5 * error + 1e-9)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Good  morning,\n\tCalverra!", "good morning, calverra!"),
        ("Доброе утро, Калверра", "ДОБРОЕ\u00a0УТРО,  КАЛВЕРРА"),
        ("卡尔维拉外交部发表声明", "卡尔维拉 外交部\u3000发表声明"),
    ],
)
def test_case_and_space_do_not_count(text: str, same: str) -> None:
    """Texts that differ in case and white space alone have one signature, also without spaces at all."""
    assert _alike(text, same) == 1


def test_short_texts_are_told_apart() -> None:
    """Texts shorter than a run are alike only if they are the same."""
    texts = ["", "a", "b", "ab", "ba", "abcdefg", "abcdefgh", "👍", "👍👍"]
    found = signatures(texts)
    for i, row in enumerate(found):
        assert (found == row).all(axis=1).nonzero()[0].tolist() == [i]


@given(st.lists(st.text(max_size=40), max_size=12))
def test_a_signature_depends_on_its_text_alone(texts: list[str]) -> None:
    """The texts before and after in a batch do not matter."""
    together = signatures(texts)
    assert together.shape == (len(texts), PLACES)
    for text, row in zip(texts, together, strict=True):
        assert np.array_equal(signatures([text])[0], row)
