"""What Prometheus is told: requests, decisions by tag, and the drift of scores; never a text.

Labels are bounded: the templates of routes (not addresses), methods that exist, statuses, tags of codebooks.  With
several workers each writes its numbers into a folder, and whichever is asked answers with the sums; without such a
folder (``PROMETHEUS_MULTIPROC_DIR``) a process answers for itself.
"""

from __future__ import annotations

import threading
import time
from collections import Counter as Count
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from annotations.errors import TalkingPointsError
from classifiers.bundle_documents import OutOfFold, read_out_of_fold
from classifiers.predictions import DECISIONS, Prediction
from classifiers.registry import Registry
from classifiers.scorer import Judged, Scorer
from service.drift import RecentScores, drifts
from service.tagger import ModelSource, Tagger

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_FLUSH_SECONDS = 5.0
_NAN = float("nan")
_DECISIONS = np.arange(len(DECISIONS), dtype=np.int8)[:, None, None]


class Metrics:
    """The numbers of one process. Its methods may be called from several threads at once.

    Parameters
    ----------
    models_path
        Where bundles lie, whose out-of-fold scores are the reference of the drift.
    shared
        The folder that several workers share; None for a process on its own.
    """

    def __init__(self, models_path: Path, shared: Path | None = None) -> None:
        self._registry = CollectorRegistry()
        self._shared = shared
        self._models = Registry(models_path)
        self._guard = threading.Lock()
        self._decisions: Count[tuple[str, str]] = Count()
        self._judged: tuple[tuple[str, ...], npt.NDArray[Any]] | None = None
        self._n_posts = 0
        self._flushed_at = time.monotonic()
        self._recent: RecentScores | None = None
        self._reference: tuple[str, OutOfFold | None] = ("", None)
        self._children: dict[tuple[str, str, int], tuple[Any, Any]] = {}
        make = {"registry": self._registry, "namespace": "talkingpoints"}
        self._requests = Counter(
            "requests",
            "Requests answered.",
            ("method", "route", "status"),
            **make,  # type: ignore[arg-type]
        )
        self._seconds = Histogram(
            "request_seconds",
            "How long answering took.",
            ("route",),
            buckets=_SECONDS,
            **make,  # type: ignore[arg-type]
        )
        self._tagged = Counter("posts_tagged", "Posts tagged.", **make)  # type: ignore[arg-type]
        self._decided = Counter(
            "decisions",
            "Decisions by tag.",
            ("tag", "decision"),
            **make,  # type: ignore[arg-type]
        )
        gauge = {**make, "multiprocess_mode": "livemostrecent"}
        self._index = Gauge(
            "score_stability_index",
            "Population stability index of recent scores against those of the training posts.",
            ("tag",),
            **gauge,  # type: ignore[arg-type]
        )
        self._shift = Gauge(
            "score_shift",
            "Mean log-odds of recent scores less that of the training posts, in standard deviations.",
            ("tag",),
            **gauge,  # type: ignore[arg-type]
        )
        self._window = Gauge("drift_posts", "Posts that the drift is told from.", **gauge)  # type: ignore[arg-type]
        self._drifting: set[str] = set()

    def note_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; ``route`` is a template."""
        key = (method if method in METHODS else "other", route, status)
        children = self._children.get(key)
        if children is None:
            children = (self._requests.labels(key[0], route, str(status)), self._seconds.labels(route))
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)

    def note_predictions(self, predictions: Sequence[Prediction], *, is_whole: bool) -> None:
        """Count decisions, and keep the scores where all tags were asked for (``is_whole``)."""
        with self._guard:
            for prediction in predictions:
                self._decisions.update([(tag.tag_id, tag.decision.value) for tag in prediction.tags])
                if is_whole:
                    self._keep(prediction)
            self._note_posts(len(predictions))

    def note_judged(self, judged: Judged, version: str, tag_ids: Sequence[str]) -> None:
        """Count the decisions on all tags, and keep the scores, of posts that a model judged by arrays."""
        if not len(judged.scores):
            return
        with self._guard:
            counts = (judged.decisions == _DECISIONS).sum(axis=1)
            if self._judged is None or self._judged[0] != tuple(tag_ids):
                self._flush_judged()
                self._judged = (tuple(tag_ids), np.zeros_like(counts))
            self._judged[1][:] += counts
            recent = self._recent_of(version, tag_ids)
            for row in judged.scores:
                recent.add(row)
            self._note_posts(len(judged.scores))

    def page(self, tagger: Tagger | None) -> bytes:
        """Return the page for Prometheus, with the drift of the model in use."""
        reference = (
            None if tagger is None else self._reference_of(tagger.version)
        )  # a file: not under the guard
        with self._guard:
            self._flush()
            self._tell_drift(tagger, reference)
        registry = self._registry
        if self._shared is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def end(self, process: int) -> None:
        """Take what a process says of the present out of the folder that workers share."""
        if self._shared is not None:
            mark_process_dead(process, str(self._shared))  # type: ignore[no-untyped-call]

    def _keep(self, prediction: Prediction) -> None:
        recent = self._recent_of(prediction.model_version, [tag.tag_id for tag in prediction.tags])
        recent.add([_NAN if tag.score is None else tag.score for tag in prediction.tags])

    def _recent_of(self, version: str, tag_ids: Sequence[str]) -> RecentScores:
        recent = self._recent
        if recent is None or recent.version != version:
            recent = self._recent = RecentScores(version, tag_ids)
        return recent

    def _note_posts(self, number: int) -> None:
        self._n_posts += number
        if time.monotonic() - self._flushed_at > _FLUSH_SECONDS:
            self._flush()

    def _flush_judged(self) -> None:
        if self._judged is not None:
            for name, row in zip(DECISIONS, self._judged[1].tolist(), strict=True):
                for tag, count in zip(self._judged[0], row, strict=True):
                    if count:
                        self._decisions[tag, name.value] += count
            self._judged = None

    def _flush(self) -> None:
        self._flush_judged()
        for (tag_id, decision), count in self._decisions.items():
            self._decided.labels(tag_id, decision).inc(count)
        self._tagged.inc(self._n_posts)
        self._decisions.clear()
        self._n_posts = 0
        self._flushed_at = time.monotonic()

    def _tell_drift(self, tagger: Tagger | None, reference: OutOfFold | None) -> None:
        recent = self._recent
        is_current = tagger is not None and recent is not None and recent.version == tagger.version
        found = drifts(recent, reference) if is_current and recent and reference else {}
        for tag_id in self._drifting | set(found):
            drift = found.get(tag_id)
            self._index.labels(tag_id).set(drift.stability_index if drift else _NAN)
            self._shift.labels(tag_id).set(drift.shift if drift else _NAN)
        self._drifting |= set(found)
        self._window.set(len(recent.scores) if is_current and recent else 0)

    def _reference_of(self, version: str) -> OutOfFold | None:
        known = self._reference
        if known[0] != version:
            try:
                found = read_out_of_fold(self._models.path(version))
            except TalkingPointsError:  # a model from elsewhere, or one that has been deleted
                found = None
            self._reference = known = (version, found)
        return known[1]


class _CountingTagger:
    """A tagger whose predictions are counted; everything else is the tagger's own."""

    def __init__(self, tagger: Tagger, metrics: Metrics) -> None:
        self._tagger = tagger
        self._metrics = metrics
        self._tag_ids = tuple(getattr(tagger, "rules", ()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tagger, name)

    def predict(
        self, texts: Sequence[str], *, explain: bool = False, tags: Collection[str] | None = None
    ) -> list[Prediction]:
        """Return one prediction a text."""
        predictions = self._tagger.predict(texts, explain=explain, tags=tags)
        self._metrics.note_predictions(predictions, is_whole=tags is None)
        return predictions

    def judge(self, texts: Sequence[str]) -> Judged:
        """Judge texts by arrays, where the tagger can."""
        tagger = cast("Scorer", self._tagger)
        judged = tagger.judge(texts)
        self._metrics.note_judged(judged, tagger.version, self._tag_ids)
        return judged


class _CountingModels:
    def __init__(self, models: ModelSource, metrics: Metrics) -> None:
        self._models = models
        self._metrics = metrics
        self._counting: tuple[Tagger, Tagger] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._models, name)

    def current(self) -> Tagger:
        """Return the model in use."""
        tagger = self._models.current()
        counting = self._counting
        if counting is None or counting[0] is not tagger:
            counting = (tagger, cast("Tagger", _CountingTagger(tagger, self._metrics)))
            self._counting = counting
        return counting[1]


def counted(models: ModelSource, metrics: Metrics) -> ModelSource:
    """Return a source whose models' predictions are counted."""
    return cast("ModelSource", _CountingModels(models, metrics))
