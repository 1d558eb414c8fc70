"""Texts cut into tokens and sentences at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifiers.compiled.characters import characters
from classifiers.compiled.cutting import cut_tokens
from classifiers.compiled.identifying import code_points
from classifiers.compiled.parting import part_sentences


@dataclass(frozen=True, slots=True)
class Cut:
    """Texts cut up.

    Attributes
    ----------
    text, codes
        All texts as one, and its code points.
    bounds
        Where each text begins, and at last the end, (n_texts + 1,).
    tokens
        Start, end, and end of the key of every token, in ``text``, (n_tokens, 3); see
        :func:`~classifiers.compiled.cutting.cut_tokens`.
    token_firsts
        The first token of every text, and at last their number.
    firsts, text_firsts
        The first token of every sentence, and the first sentence of every text, each with their number at last.
    odd
        Which texts are to be cut by :mod:`classifiers.tokens` instead.
    """

    text: str
    codes: Any
    bounds: Any
    tokens: Any
    token_firsts: Any
    firsts: Any
    text_firsts: Any
    odd: Any


def cut_up(texts: Sequence[str]) -> Cut:
    """Cut at least one text."""
    text = "".join(texts)
    codes = code_points(text)
    bounds = np.cumsum([0, *map(len, texts)])
    known = characters()
    tokens = np.empty((2 * len(codes), 3), dtype=np.int32)
    token_firsts = np.empty(len(texts) + 1, dtype=np.int64)
    odd = np.zeros(len(texts), dtype=np.bool_)
    n_tokens = cut_tokens(codes, bounds, known.table, tokens, token_firsts, odd)
    firsts = np.empty(n_tokens + 1, dtype=np.int64)
    text_firsts = np.empty(len(texts) + 1, dtype=np.int64)
    ends = np.empty(max(map(len, texts)) + 1, dtype=np.int64)
    n_sentences = part_sentences(codes, bounds, known, tokens, token_firsts, (firsts, text_firsts, odd, ends))
    return Cut(
        text, codes, bounds, tokens[:n_tokens], token_firsts, firsts[: n_sentences + 1], text_firsts, odd
    )
