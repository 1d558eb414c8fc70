"""The words and the languages of many texts: compiled where numba can be loaded, the same in the plain way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from classifiers.features import shape_of
from classifiers.languages import identify, stem, stemming_language
from classifiers.linear import batches
from classifiers.tokens import is_word, tokenise

if TYPE_CHECKING:
    from classifiers.compiled.wording import CompiledWording

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


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


class Wording:
    """Finds words; not to be shared between threads.

    Parameters
    ----------
    languages
        The languages of the model: a text of none of them is stemmed as one of them where possible.
    compiled
        By compiled code (by default where numba can be loaded) or in the plain way; the words are the same.
    """

    def __init__(self, languages: Sequence[str], *, compiled: bool | None = None) -> None:
        self._languages = languages
        self._compiled = None if compiled is False else _compiled()

    def identified(self, texts: Iterable[str]) -> list[str | None]:
        """Return the language of every text, None where it cannot be told."""
        if self._compiled is None:
            return [identify(text) for text in texts]
        return [found for batch in batches(list(texts)) for found in self._compiled.languages(batch)]

    def words(self, texts: Sequence[str], identified: Sequence[str | None]) -> Worded:
        """Cut texts into words; ``identified`` is the language of every text, None where it is not known."""
        by = [
            stemming_language(text, language, self._languages)
            for text, language in zip(texts, identified, strict=True)
        ]
        parts = [_no_tokens()]
        first = 0
        for batch in batches(texts):
            found = self._tokens(batch, by[first : first + len(batch)])
            parts.append((found[0], found[1] + first, found[2]))
            first += len(batch)
        spans, text_of, known = (np.concatenate(each) for each in zip(*parts, strict=True))
        kept = known[:, 0] == 1
        # What is no word begins another run, and so does another text.
        runs = (np.cumsum(~kept) + text_of)[kept]
        return Worded(known[kept, 1], text_of[kept], spans[kept, 0], spans[kept, 1], runs, len(texts))

    def _tokens(self, texts: Sequence[str], languages: Sequence[str]) -> tuple[Any, Any, Any]:
        """Return spans (n_tokens, 2), texts (n_tokens,), and kinds with stems (n_tokens, 2) of tokens."""
        found = None if self._compiled is None else self._compiled.tokens(texts, languages)
        return found or _plain_tokens(texts, languages)


def known_of(form: str, language: str) -> tuple[int, int]:
    """Tell of a token whether it is a word (1) or parts words (0), and the number of its stem."""
    # The words of a hashtag follow it, and are a run of their own.
    if not is_word(form) or form[0] in "#@" or form.startswith("https://"):
        return 0, 0
    return 1, stem_key(form, language)


@lru_cache(maxsize=1 << 17)
def stem_key(form: str, language: str) -> int:
    """Return the number (64 bits) of a word's stem; numbers differ by their length alone, as for the model."""
    return term_key(stem(shape_of(form), language))


def term_key(term: str) -> int:
    """Return the number (64 bits) of a stem."""
    return int.from_bytes(
        hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
    )


def _plain_tokens(texts: Sequence[str], languages: Sequence[str]) -> tuple[Any, Any, Any]:
    spans: list[tuple[int, int]] = []
    text_of: list[int] = []
    known: list[tuple[int, int]] = []
    for number, (text, language) in enumerate(zip(texts, languages, strict=True)):
        for token in tokenise(text):
            spans.append((token.start, token.end))
            text_of.append(number)
            known.append(known_of(token.form, language))
    return (
        np.array(spans, dtype=np.int64).reshape(-1, 2),
        np.array(text_of, dtype=np.int64),
        np.array(known, dtype=np.uint64).reshape(-1, 2),
    )


def _no_tokens() -> tuple[Any, Any, Any]:
    return _plain_tokens((), ())


def _compiled() -> CompiledWording | None:
    try:
        from classifiers.compiled.wording import CompiledWording  # noqa: PLC0415 - half a second, and not everywhere
    except ImportError:
        return None
    return CompiledWording(known_of)
