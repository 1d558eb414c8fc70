"""The scorer: a loaded model bundle that tags texts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from annotations.codebook import Codebook
from classifiers.bundle_reading import read_bundle
from classifiers.evidence import passages
from classifiers.linear import LinearModel
from classifiers.model import Model
from classifiers.predictions import DECISIONS, Decision, Evidence, Prediction, TagPrediction
from classifiers.scored import Scored, ScoresTexts
from classifiers.thresholds import TagRule, decide

Floats = npt.NDArray[np.float64]
_LOG = logging.getLogger("talkingpoints.scorer")


@dataclass(frozen=True, slots=True)
class Judged:
    """The tags of many texts as arrays, for tables.

    Attributes
    ----------
    scores
        Shape (n_texts, n_tags) in the order of the scorer's ``rules``: probabilities, NaN for refused tags.
    decisions
        Shape (n_texts, n_tags), int8: the number of the decision in ``DECISIONS``.
    languages
        The language of every text (ISO 639-1), None where it cannot be told.
    """

    scores: Floats
    decisions: npt.NDArray[np.int8]
    languages: Sequence[str | None]


class Scorer:
    """Tags texts by one model.  Immutable but for a memo of words, and safe to share between threads.

    Parameters
    ----------
    model
        The model.
    version
        Its version, which every prediction bears.
    compiled
        Whether texts are scored by compiled code (the default where numba can be loaded) or in the plain way.
        The answers are the same.
    """

    def __init__(self, model: Model, version: str, *, compiled: bool | None = None) -> None:
        self._model = model
        self._engine = _engine(model.linear, compiled=compiled)
        self.version = version
        self.codebook: Codebook = model.codebook
        self.rules: Mapping[str, TagRule] = {rule.tag_id: rule for rule in model.rules}
        self.metrics: dict[str, Any] = dict(model.metrics)
        self.training: dict[str, Any] = dict(model.training)
        self._column = {tag: number for number, tag in enumerate(model.linear.tag_ids)}
        self._rules = tuple(model.rules)
        self._predicted = [number for number, rule in enumerate(self._rules) if rule.predicted]
        self._columns = [self._column[self._rules[number].tag_id] for number in self._predicted]
        self._refused = {
            rule.tag_id: TagPrediction(rule.tag_id, None, None, Decision.ABSTAIN, reason=rule.reason)
            for rule in model.rules
            if not rule.predicted
        }

    @property
    def is_quick(self) -> bool:
        """Tell whether a short text is scored in a fraction of a millisecond, without waiting for another thread."""
        return bool(getattr(self._engine, "is_quick", False))

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
        chosen = self._chosen(tags)
        found: list[Prediction] = []
        for scored in self._engine.scored(texts):
            rows = self._judged(scored, chosen)
            if explain:
                rows = self._explained(scored, rows)
            found += [
                Prediction(self.version, self.codebook.digest, row, language)
                for row, language in zip(rows, scored.identified, strict=True)
            ]
        return found

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Return the probabilities, shape (n_texts, n_tags) in the order of ``rules``.

        NaN for refused tags.
        """
        return self.judge(texts).scores

    def judge(self, texts: Sequence[str]) -> Judged:
        """Tag many texts at once, without an object for every tag of every text."""
        log_odds: list[Floats] = [np.zeros((0, len(self._column)))]
        languages: list[str | None] = []
        for part in self._engine.scored(texts):  # what else it holds is not kept
            log_odds.append(part.scores)
            languages += part.identified
        scores = self._of_rules(np.concatenate(log_odds))
        return Judged(scores, decide(self._rules, scores), languages)

    def _of_rules(self, log_odds: Floats) -> Floats:
        """Return the probabilities of all rules, NaN for refused tags, from the log-odds of the predicted ones."""
        scores = np.full((len(log_odds), len(self._rules)), np.nan)
        scores[:, self._predicted] = expit(log_odds[:, self._columns])
        return scores

    def passages(self, text: str, tags: Collection[str]) -> dict[str, tuple[Evidence, ...]]:
        """Return the passages that speak for each of ``tags``, whatever the decision.

        A refused tag has none.
        """
        known = [tag for tag in tags if tag in self._column]
        if not known:
            return {}
        (scored,) = self._engine.scored([text])
        found = passages(self._model.linear, scored)
        return {tag: found.best(0, self._column[tag]) for tag in known}

    def _chosen(self, tags: Collection[str] | None) -> list[int]:
        """Return the numbers of the tags asked for."""
        if tags is None:
            return list(range(len(self._rules)))
        if unknown := sorted(set(tags) - set(self.rules)):
            raise KeyError(unknown[0])
        return [number for number, tag in enumerate(self.rules) if tag in tags]

    def _judged(self, scored: Scored, chosen: Sequence[int]) -> list[tuple[TagPrediction, ...]]:
        """Return what every text gets."""
        scores = self._of_rules(scored.scores)
        decisions = decide(self._rules, scores).tolist()
        known = [
            (number, self._rules[number], self._refused.get(self._rules[number].tag_id)) for number in chosen
        ]
        return [
            tuple(
                refused or TagPrediction(rule.tag_id, row[number], rule.threshold, DECISIONS[decided[number]])
                for number, rule, refused in known
            )
            for row, decided in zip(scores.tolist(), decisions, strict=True)
        ]

    def _explained(
        self, scored: Scored, rows: Sequence[tuple[TagPrediction, ...]]
    ) -> list[tuple[TagPrediction, ...]]:
        """Add evidence to the predicted tags that are not decided ``no``."""
        wanted = [[tag.score is not None and tag.decision is not Decision.NO for tag in row] for row in rows]
        found = passages(self._model.linear, scored)
        return [
            tuple(
                tag._replace(evidence=found.best(number, self._column[tag.tag_id])) if asked else tag
                for tag, asked in zip(row, wanted[number], strict=True)
            )
            for number, row in enumerate(rows)
        ]


def _engine(model: LinearModel, *, compiled: bool | None) -> ScoresTexts:
    if compiled is False:
        return model
    try:
        from classifiers.compiled.engine import CompiledModel  # noqa: PLC0415 - half a second, and not everywhere
    except ImportError:
        if compiled:
            raise
        _LOG.warning("numba cannot be loaded, so posts are scored in the plain way, which takes longer")
        return model
    return CompiledModel(model)
