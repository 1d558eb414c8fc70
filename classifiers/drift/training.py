"""What a model was trained on, as far as its bundle says: the reference that later posts are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from annotations.records import text_digest
from classifiers.bundle_documents import OutOfFold, read_out_of_fold
from classifiers.bundle_reading import read_bundle
from classifiers.trends.corpus import TaggedBatch
from classifiers.wording import Keys, term_key


@dataclass(frozen=True, slots=True)
class Training:
    """A model's training posts.

    Attributes
    ----------
    version
        The model.
    languages
        The languages whose words it knows.
    known
        The numbers of the stems it knows, ascending.
    out_of_fold
        The digests of the training posts with their scores by models that had not seen them; None where the bundle
        does not say.
    """

    version: str
    languages: tuple[str, ...]
    known: Keys
    out_of_fold: OutOfFold | None

    @classmethod
    def of(cls, bundle: Path) -> Training:
        """Read what a bundle says of its training.

        Raises
        ------
        BundleError
            The bundle is damaged.
        """
        loaded = read_bundle(bundle)
        linear = loaded.model.linear
        stems = next(block for block in linear.blocks if block.kind == "stems")
        known = np.unique(np.array([term_key(term) for term in stems.terms], dtype=np.uint64))
        return cls(loaded.manifest.version, linear.languages, known, read_out_of_fold(bundle))

    def has(self, batch: TaggedBatch) -> npt.NDArray[np.bool_]:
        """Tell which posts of a batch the model was trained on, by their texts; shape (n,)."""
        if self.out_of_fold is None:
            return np.zeros(len(batch), dtype=bool)
        rows = self.out_of_fold.row_of
        return np.array([_digest(stored.post.text) in rows for stored in batch.posts], dtype=bool)

    def knows(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Tell which stems the model knows."""
        if not len(self.known):
            return np.zeros(len(keys), dtype=bool)
        places = np.minimum(np.searchsorted(self.known, keys), len(self.known) - 1)
        return np.asarray(self.known[places] == keys)


def _digest(text: str) -> str:
    try:
        return text_digest(text)
    except UnicodeEncodeError:  # a lone surrogate: no such text can be trained on
        return ""
