"""The scorer: a loaded model bundle that tags texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from annotations.codebook import Codebook
from classifiers.bundle_reading import read_bundle
from classifiers.evidence import best_passages
from classifiers.model import Model
from classifiers.predictions import Decision, Evidence, Prediction, TagPrediction
from classifiers.thresholds import TagRule

Floats = npt.NDArray[np.float64]


class Scorer:
    """Tags texts by one model.  Immutable but for a memo of words, and safe to share between threads.

    Parameters
    ----------
    model
        The model.
    version
        Its version, which every prediction bears.
    """

    def __init__(self, model: Model, version: str) -> None:
        self._model = model
        self.version = version
        self.codebook: Codebook = model.codebook
        self.rules: Mapping[str, TagRule] = {rule.tag_id: rule for rule in model.rules}
        self.metrics: dict[str, Any] = dict(model.metrics)
        self.training: dict[str, Any] = dict(model.training)
        self._column = {tag: number for number, tag in enumerate(model.linear.tag_ids)}

    @classmethod
    def load(cls, path: Path) -> Scorer:
        """Load the bundle in the folder ``path``.

        Raises
        ------
        BundleError
            Anything about it is off; see :func:`classifiers.bundle_reading.read_bundle`.
        """
        bundle = read_bundle(path)
        return cls(bundle.model, bundle.manifest.version)

    def predict(
        self, texts: Sequence[str], *, explain: bool = False, tags: Collection[str] | None = None
    ) -> list[Prediction]:
        """Tag ``texts``; any string will do, the empty one and lone surrogates included.

        Parameters
        ----------
        explain
            Add evidence to the tags decided ``yes`` or within the abstain band.
        tags
            Only these tags, in the codebook's order.

        Raises
        ------
        KeyError
            A tag of ``tags`` is not in the codebook.
        """
        rules = self._chosen(tags)
        scores = self._model.linear.scores(texts)
        predictions = []
        for text, row in zip(texts, scores, strict=True):
            found = tuple(self._tag(rule, row) for rule in rules)
            if explain:
                wanted = [
                    each.tag_id for each in found if each.score is not None and each.decision != Decision.NO
                ]
                evidence = self.passages(text, wanted)
                found = tuple(_with_evidence(each, evidence.get(each.tag_id, ())) for each in found)
            predictions.append(Prediction(self.version, self.codebook.digest, found))
        return predictions

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Return the calibrated scores, shape (n_texts, n_tags) in the order of ``rules``.

        NaN for refused tags.
        """
        scores = self._model.linear.scores(texts)
        columns = [
            rule.calibrated(scores[:, self._column[rule.tag_id]])
            if rule.predicted
            else np.full(len(texts), np.nan)
            for rule in self.rules.values()
        ]
        return np.column_stack(columns) if columns else np.zeros((len(texts), 0))

    def passages(self, text: str, tags: Collection[str]) -> dict[str, tuple[Evidence, ...]]:
        """Return the passages that speak for each of ``tags``, whatever the decision.

        A refused tag has none.
        """
        known = [tag for tag in tags if tag in self._column]
        if not known:
            return {}
        split = self._model.linear.contributions(text)
        return {tag: best_passages(text, split.corpus, split.added[:, self._column[tag]]) for tag in known}

    def _chosen(self, tags: Collection[str] | None) -> list[TagRule]:
        if tags is None:
            return list(self.rules.values())
        if unknown := sorted(set(tags) - set(self.rules)):
            raise KeyError(unknown[0])
        return [rule for rule in self.rules.values() if rule.tag_id in tags]

    def _tag(self, rule: TagRule, scores: Floats) -> TagPrediction:
        if not rule.predicted:
            return TagPrediction(rule.tag_id, None, None, Decision.ABSTAIN, reason=rule.reason)
        score = float(rule.calibrated(scores[self._column[rule.tag_id]]))
        return TagPrediction(rule.tag_id, score, rule.threshold, rule.decide(score))


def _with_evidence(tag: TagPrediction, evidence: tuple[Evidence, ...]) -> TagPrediction:
    return TagPrediction(tag.tag_id, tag.score, tag.threshold, tag.decision, evidence, tag.reason)
