"""Groups of posts that must not be parted by a split: copies, near-copies, and revisions of one post."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import HashingVectorizer

from classifiers.tokens import tokenise

SIMILARITY = 0.6
_SHINGLE = 3
_COMMON = 1000
_BLOCK = 2000


def near_duplicate_groups(
    texts: Sequence[str], keys: Sequence[str], *, similarity: float = SIMILARITY
) -> npt.NDArray[np.int64]:
    """Number the groups of texts that belong together.

    Two texts belong together if they bear the same key (a post id), or if the Jaccard similarity of their
    sets of three-word shingles is at least ``similarity``; and so do texts linked through others.  Shingles
    that more than 1,000 different texts share are footers and count for nothing, which bounds the work.

    Parameters
    ----------
    texts, keys
        The texts and the post ids, of length n.

    Returns
    -------
    ndarray of shape (n,)
        The group of every text, numbered by first appearance from 0.
    """
    words = [tuple(token.form for token in tokenise(text)) for text in texts]
    unique: dict[object, int] = {}
    of_text = np.array(
        [unique.setdefault(forms or text, len(unique)) for forms, text in zip(words, texts, strict=True)]
    )
    n_texts, n_unique = len(texts), len(unique)
    if not n_texts:
        return np.zeros(0, dtype=np.int64)
    left, right = _similar_pairs([forms if isinstance(forms, tuple) else () for forms in unique], similarity)
    # The graph's nodes are the different texts, then the keys; every text is an edge between its two.
    of_key = n_unique + _numbers(keys)
    ends = np.concatenate([of_text, left]), np.concatenate([of_key, right])
    graph = sparse.coo_array((np.ones(len(ends[0])), ends), shape=(n_unique + n_texts, n_unique + n_texts))
    _, component = connected_components(graph, directed=False)
    return _numbers([int(number) for number in component[of_text]])


def _similar_pairs(words: Sequence[tuple[str, ...]], similarity: float) -> tuple[npt.NDArray[np.int64], ...]:
    """Return the pairs of different texts whose shingle sets are similar enough, as two index arrays."""
    hasher = HashingVectorizer(
        analyzer=_shingles, n_features=2**22, binary=True, norm=None, alternate_sign=False
    )
    sets = sparse.csr_array(hasher.transform(words))
    sets = sets[:, np.flatnonzero(np.bincount(sets.indices, minlength=sets.shape[1]) <= _COMMON)].tocsr()
    sizes = np.diff(sets.indptr)
    other = sets.T.tocsr()
    found: list[npt.NDArray[np.int64]] = [np.zeros((2, 0), dtype=np.int64)]
    for first in range(0, len(words), _BLOCK):
        shared = (sets[first : first + _BLOCK] @ other).tocoo()
        left, right = shared.row + first, shared.col
        alike = shared.data >= similarity * (sizes[left] + sizes[right] - shared.data)
        alike &= left < right
        found.append(np.stack([left[alike], right[alike]]).astype(np.int64))
    pairs = np.concatenate(found, axis=1)
    return pairs[0], pairs[1]


def _shingles(words: tuple[str, ...]) -> set[str]:
    return (
        {" ".join(words[i : i + _SHINGLE]) for i in range(max(1, len(words) - _SHINGLE + 1))}
        if words
        else set()
    )


def _numbers(values: Sequence[object]) -> npt.NDArray[np.int64]:
    known: dict[object, int] = {}
    return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.int64)
