"""Drift: whether posts are still like those that a model was trained on, and what is new in them.

``training.py`` is the reference, ``words.py`` and ``sketch.py`` are how words and phrases are counted; ``scores.py``,
``vocabulary.py``, ``phrases.py`` (with ``candidates.py``) and ``agreeing.py`` each answer one question; all are asked
in ``analysing.py``.
"""

from __future__ import annotations

from classifiers.drift.analysing import Drift, DriftInput, DriftOptions, drift
from classifiers.drift.candidates import PhraseOptions
from classifiers.drift.training import Training

__all__ = ["Drift", "DriftInput", "DriftOptions", "PhraseOptions", "Training", "drift"]
