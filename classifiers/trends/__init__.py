"""Trends of a tagged corpus: how often, since when, together with what, who first, and in which words.

``corpus.py`` is what all of them read, in batches; ``timelines.py``, ``change_points.py``, ``cooccurrence.py``,
``chains.py`` and ``exemplars.py`` each answer one question, ``analysing.py`` asks them all in one pass.
"""

from __future__ import annotations

from classifiers.trends.analysing import TrendOptions, Trends, trends
from classifiers.trends.corpus import ScoredPosts, TaggedBatch, TaggedCorpus, TagsTable

__all__ = ["ScoredPosts", "TaggedBatch", "TaggedCorpus", "TagsTable", "TrendOptions", "Trends", "trends"]
