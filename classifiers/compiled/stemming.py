"""By which language the words of many texts are stemmed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from classifiers.compiled.cut import Cut
from classifiers.compiled.identifying import automaton, scripts
from classifiers.languages import SCRIPTS, stemming_by_script


class Stemming:
    """The language by which a text is stemmed, as a number in ``names``, from the number of its label in ``labels``."""

    def __init__(self, languages: Sequence[str]) -> None:
        _, self.labels = automaton()
        by_script = [
            [stemming_by_script(script, label, languages) for script in SCRIPTS]
            for label in (None, *self.labels)
        ]
        self.names = sorted({name for row in by_script for name in row})
        numbers = {name: number for number, name in enumerate(self.names)}
        self._table = np.array([[numbers[name] for name in row] for row in by_script], dtype=np.int32)

    def numbers(self, labels: Any, cut: Cut) -> npt.NDArray[np.int32]:
        """Return the number of every text's language; ``labels`` are those that were identified, or -1."""
        return np.asarray(self._table[labels + 1, scripts(cut.codes, cut.bounds)])
