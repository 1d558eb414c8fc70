"""Counting more different things than memory holds: counts that are never too low.

G. Cormode, S. Muthukrishnan, "An improved data stream summary: the count-min sketch and its applications", Journal of
Algorithms 55 (2005).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
_ROWS = 2


class Sketch:
    """Counts keys in two rows of ``2 ** bits`` places; a count is the lesser of the two, so at least the true one."""

    def __init__(self, bits: int = 22) -> None:
        self._mask = np.uint64((1 << bits) - 1)
        self._counts = np.zeros((_ROWS, 1 << bits), dtype=np.int32)

    def add(self, keys: Keys, least: int) -> Keys:
        """Count each key once more; return those whose count has reached ``least`` now. Keys may come repeatedly."""
        different, times = np.unique(keys, return_counts=True)
        before = self.counts(different)
        for row, places in enumerate(self._places(different)):
            np.add.at(self._counts[row], places, times)
        reached: Keys = different[(before < least) & (self.counts(different) >= least)]
        return reached

    def counts(self, keys: Keys) -> npt.NDArray[np.int32]:
        """Return the counts of keys."""
        rows = [self._counts[row][places] for row, places in enumerate(self._places(keys))]
        return np.asarray(np.minimum.reduce(rows))

    def _places(self, keys: Keys) -> list[npt.NDArray[np.int64]]:
        return [((keys >> np.uint64(shift)) & self._mask).astype(np.int64) for shift in (0, 64 // _ROWS)]
