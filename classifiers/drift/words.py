"""Phrases of words, and what each post has of them, as flat arrays."""

from __future__ import annotations

import numpy as np

from classifiers.wording import Ints, Keys, Worded

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


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
