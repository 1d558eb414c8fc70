"""The words of many posts as flat arrays: a number for every stem, and where each word stands."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from classifiers.languages import stem, stemming_language
from classifiers.tokens import is_word, tokenise

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


@dataclass(frozen=True, slots=True)
class Worded:
    """The words of some posts, one after another; addresses, hashtags as a whole and mentions are left out.

    Attributes
    ----------
    keys
        Shape (n_words,): the number of each word's stem, see :func:`stem_key`.
    post_of, starts, ends
        Shape (n_words,): the post, and where the word stands in its text.
    runs
        Shape (n_words,): words with the same number follow one another without punctuation between them.
    n_posts
        How many posts there are, with those of no word.
    """

    keys: Keys
    post_of: Ints
    starts: Ints
    ends: Ints
    runs: Ints
    n_posts: int


def words_of(texts: Sequence[str], identified: Sequence[str | None], languages: Sequence[str]) -> Worded:
    """Cut texts into words.

    Parameters
    ----------
    identified
        The language of every text, None where it is not known.
    languages
        The languages of the model: a text of none of them is stemmed as one of them where possible.
    """
    rows: list[tuple[int, int, int, int, int]] = []
    run = 0
    for number, (text, language) in enumerate(zip(texts, identified, strict=True)):
        run += 1
        by = stemming_language(text, language, languages)
        for start, end, form in tokenise(text):
            if not is_word(form) or form.startswith("https://"):
                run += 1
            elif form[0] in "#@":
                run += 1  # the words of a hashtag follow it, and are a run of their own
            else:
                rows.append((stem_key(form, by), number, start, end, run))
    table = np.array([row[1:] for row in rows], dtype=np.int64).reshape(-1, 4)
    keys = np.array([row[0] for row in rows], dtype=np.uint64)
    return Worded(keys, table[:, 0], table[:, 1], table[:, 2], table[:, 3], len(texts))


@lru_cache(maxsize=1 << 17)
def stem_key(form: str, language: str) -> int:
    """Return the number (64 bits) of a word's stem; numbers differ by their length alone, as for the model."""
    shape = "0" * min(len(form), 4) if form.isdigit() else form
    return term_key(stem(shape, language))


def term_key(term: str) -> int:
    """Return the number (64 bits) of a stem."""
    return int.from_bytes(
        hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
    )


def phrases_of(words: Worded, length: int) -> tuple[Keys, Ints]:
    """Return the phrases of so many words: a number for each, and the place of its first word."""
    n = len(words.keys) - length + 1
    if n <= 0:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    first = np.flatnonzero(words.runs[:n] == words.runs[length - 1 :])
    keys = words.keys[first].copy()
    for step in range(1, length):
        keys ^= keys >> _SHIFT
        keys = keys * _FACTOR + words.keys[first + step]
    return keys, first


def placed_phrases(words: Worded, length: int) -> tuple[Ints, Keys, Ints]:
    """Return the phrases of so many words: the post of each, its number, and the place of its first word."""
    keys, first = phrases_of(words, length)
    return words.post_of[first], keys, first


def once_a_post(posts: Ints, keys: Keys) -> tuple[Ints, Keys]:
    """Return the different keys of every post, with their posts, in order."""
    order = np.lexsort((keys, posts))
    posts, keys = posts[order], keys[order]
    new = np.ones(len(posts), dtype=bool)
    new[1:] = (posts[1:] != posts[:-1]) | (keys[1:] != keys[:-1])
    return posts[new], keys[new]
