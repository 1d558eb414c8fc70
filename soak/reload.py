"""Models changed under load: activations and rollbacks while requests run, on a service with several workers.

No request may fail, every answer must be of one version throughout, with the scores of just that version, and
all workers must answer by a model within five seconds of its activation.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from classifiers.registry import Registry
from classifiers.scorer import Scorer
from service.client import Client, ClientOptions
from service.schemas import PredictResponse
from soak.api_workspace import make_workspace
from soak.outcome import Outcome
from soak.serving import Serving, serving

_TEXTS = (
    "the river belongs to every village",
    "Our fathers built the great bridge. Office 5 of the ministry opens on Friday.",
    "Those swindlers of the coast! The glorious days of the old league.",
    "A briefing will be held on Monday at noon.",
)
_N_THREADS = 8
_TOLERANCE = 1e-9
_ALL_FOLLOW_SECONDS = 5.0
_ROUNDS_IN_A_ROW = 40  # so many connections one after the other: no worker is left behind

Scores = dict[str, dict[str, list[float | None]]]
"""By version and text, the scores of the tags in order."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much there is to do."""

    n_changes: int = 200
    n_requests: int = 20_000
    workers: int = 2
    seed: int = 0


@dataclass(slots=True)
class _Seen:
    """What the requests saw, and how many there were."""

    guard: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)
    failures: list[str] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    n_requests: int = 0

    def add(self, versions: Sequence[str], failures: Sequence[str]) -> None:
        with self.guard:
            self.n_requests += 1
            self.versions.update(versions)
            self.failures += failures


def change_models(outcome: Outcome, folder: Path, load: Load) -> None:
    """Change models under load; ``outcome.tries`` are the requests."""
    versions = make_workspace(folder, n_models=4)
    registry = Registry(folder / "models")
    expected = _expected(registry, versions)
    seen = _Seen()
    with serving(folder, {}, workers=load.workers) as service:
        threads = [
            threading.Thread(target=_request, args=(service.address, expected, seen, load.seed + number))
            for number in range(_N_THREADS)
        ]
        for thread in threads:
            thread.start()
        try:
            slowest = _change(service, registry, versions, load, seen)
        finally:
            seen.stop.set()
            for thread in threads:
                thread.join()
    outcome.tries = seen.n_requests
    outcome.failures += seen.failures
    if len(seen.versions) < len(versions):
        outcome.failures.append(f"only {len(seen.versions)} of {len(versions)} models were seen at work")
    if slowest > _ALL_FOLLOW_SECONDS:
        outcome.failures.append(f"all workers had changed only after {slowest:.1f} s")
    outcome.note = (
        f"{load.n_changes} changes, {load.workers} workers, all of them after at most {slowest:.1f} s"
    )


def _expected(registry: Registry, versions: Sequence[str]) -> Scores:
    return {
        version: {
            prediction_text: [tag.score for tag in prediction.tags]
            for prediction_text, prediction in zip(
                _TEXTS, Scorer.load(registry.path(version)).predict(_TEXTS), strict=True
            )
        }
        for version in versions
    }


def _change(service: Serving, registry: Registry, versions: Sequence[str], load: Load, seen: _Seen) -> float:
    """Change the model again and again; return how long the slowest worker took where that was looked at."""
    chance = random.Random(load.seed)
    slowest = 0.0
    # No retries: a change that fails is a failure.
    with Client(service.address, options=ClientOptions(retries=0, timeout=60)) as client:
        for number in range(load.n_changes):
            before = registry.active()
            if chance.random() < 0.3 and registry.previous() is not None:
                changed = client.rollback().active
            else:
                changed = client.activate(chance.choice([each for each in versions if each != before])).active
            if registry.active() != changed:
                seen.failures.append(
                    f"change {number}: {changed} was answered, {registry.active()} is active"
                )
            if number % 10 == 9:
                slowest = max(slowest, _until_all_follow(service.address, changed))
            # The requests are spread over the changes.
            while seen.n_requests < load.n_requests * (number + 1) // load.n_changes and not seen.failures:
                time.sleep(0.01)
    return slowest


def _until_all_follow(address: str, version: str) -> float:
    """Return the seconds until so many connections in a row were answered by a version."""
    started = last = time.monotonic()
    in_a_row = 0
    while in_a_row < _ROUNDS_IN_A_ROW and last - started < 10 * _ALL_FOLLOW_SECONDS:
        found = httpx.get(f"{address}/readyz", timeout=60).json()["model_version"]
        if found == version:
            in_a_row += 1
        else:
            in_a_row, last = 0, time.monotonic()
    return last - started


def _request(
    address: str, expected: Mapping[str, dict[str, list[float | None]]], seen: _Seen, seed: int
) -> None:
    """Make requests of every kind until it is enough; nothing is tried again."""
    chance = random.Random(seed)
    with Client(address, options=ClientOptions(retries=0, timeout=60)) as client:
        while not seen.stop.is_set():
            texts = [chance.choice(_TEXTS) for _ in range(chance.choice((1, 1, 1, 5, 40)))]
            try:
                found = _answers(client, texts, chance)
                wrong = [
                    wrong
                    for text, one in zip(texts, found, strict=True)
                    if (wrong := _wrong(text, one, expected))
                ]
                versions = {one.model_version for one in found}
                if len(versions) > 1:
                    wrong.append(f"one answer by {len(versions)} models")
                seen.add(list(versions), wrong)
            except Exception as error:
                seen.add([], [f"{type(error).__name__}: {error}"])


def _answers(client: Client, texts: list[str], chance: random.Random) -> list[PredictResponse]:
    if len(texts) == 1:
        return [client.predict(texts[0])]
    if chance.random() < 0.5:
        return client.predict_batch(texts).predictions
    return [item.prediction for item in client.stream(texts) if item.prediction is not None]


def _wrong(text: str, found: PredictResponse, expected: Mapping[str, dict[str, list[float | None]]]) -> str:
    wanted = expected.get(found.model_version, {}).get(text)
    scores = [tag.score for tag in found.tags]
    if wanted is None:
        return f"an unknown model, {found.model_version}"
    if len(scores) != len(wanted) or not all(map(_alike, scores, wanted)):
        return f"not the scores of model {found.model_version}"
    return ""


def _alike(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) < _TOLERANCE
