"""Tests of service.metrics and service.drift: what Prometheus is told."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from classifiers.bundle_documents import OutOfFold
from service.app import create_app
from service.drift import FEWEST_POSTS, RecentScores, drifts
from service.settings import load_settings
from service.testing import FakeTagger, InProcessClient, in_process

SECRET = "qwertz-the-ministers-words"


def _numbers(client: InProcessClient) -> dict[tuple[str, ...], float]:
    """Return the samples of the page, by name and the values of their labels."""
    page = client.get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_requests_and_decisions_are_counted() -> None:
    """Requests by method, route and status; decisions by tag, those of batches and the page too."""
    words = {"multipolarity": "multipolar", "un-role": "Charter"}
    with in_process(create_app(load_settings(), FakeTagger(words=words))) as client:
        client.post("/v1/predict", json={"text": "multipolar"})
        client.post("/v1/predict/batch", json={"posts": [{"text": "multipolar Charter"}, {"text": "a"}]})
        client.post("/v1/predict", json={"text": "a", "tags": ["un-role"]})
        client.post("/", data={"text": "Charter"})
        client.post("/v1/predict", json={})
        found = _numbers(client)
    assert found["talkingpoints_requests_total", "POST", "/v1/predict", "200"] == 2
    assert found["talkingpoints_requests_total", "POST", "/v1/predict", "422"] == 1
    assert found["talkingpoints_request_seconds_count", "/v1/predict"] == 3
    decisions = {key[1:]: value for key, value in found.items() if key[0] == "talkingpoints_decisions_total"}
    assert decisions == {
        ("yes", "multipolarity"): 2,
        ("no", "multipolarity"): 2,
        ("yes", "un-role"): 2,
        ("no", "un-role"): 3,
        ("abstain", "name-calling"): 4,
    }
    assert found["talkingpoints_posts_tagged_total",] == 5


def test_labels_are_bounded_and_hold_nothing_that_was_sent() -> None:
    """No address, method, id or text that a client makes up becomes a label."""
    with in_process(create_app(load_settings(), FakeTagger())) as client:
        for number in range(30):
            client.get(f"/{SECRET}/{number}?q={SECRET}")
            client.request(f"BREW{number}", "/")
            client.post("/v1/predict", json={"text": SECRET, "id": f"{SECRET}{number}"})
            client.post("/v1/predict", json={"text": SECRET, "tags": [f"{SECRET}{number}"]})
        page = client.get("/metrics").text
    assert SECRET not in page
    assert "BREW" not in page
    series = {line.split("{")[0].split(" ")[0] for line in page.splitlines() if not line.startswith("#")}
    assert all(name.startswith("talkingpoints_") for name in series)
    assert len(re.findall(r"^talkingpoints_requests_total", page, re.MULTILINE)) <= 6


def _reference(rng: np.random.Generator, n_posts: int = 400) -> OutOfFold:
    odds = rng.normal(size=(n_posts, 2))
    return OutOfFold(("a", "b"), {}, odds)


def _recent(odds: np.ndarray) -> RecentScores:
    recent = RecentScores("v", ["b", "new", "a"])
    for a, b in odds:
        recent.add([1 / (1 + math.exp(-b)), 0.5, 1 / (1 + math.exp(-a))])
    return recent


def test_drift_tells_another_population_from_the_same() -> None:
    """Scores like those of training have a small index; moved by one standard deviation, a large one."""
    rng = np.random.default_rng(0)
    reference = _reference(rng)
    odds = rng.normal(size=(2000, 2)) + np.array([0.0, 1.0])
    found = drifts(_recent(odds), reference)
    assert set(found) == {"a", "b"}
    assert found["a"].stability_index < 0.1
    assert abs(found["a"].shift) < 0.15
    assert found["b"].stability_index > 0.25
    assert found["b"].shift == pytest.approx(1.0, abs=0.15)


def test_the_index_is_the_sum_of_its_definition() -> None:
    """Compared with the definition, computed class by class."""
    rng = np.random.default_rng(1)
    reference, odds = _reference(rng), rng.normal(0.3, 1.2, size=(500, 2))
    column = np.sort(reference.log_odds[:, 0])
    edges = [-np.inf, *np.quantile(1 / (1 + np.exp(-column)), np.arange(1, 10) / 10), np.inf]
    expected = 0.0
    now = (1 / (1 + np.exp(-odds[:, 0]))).astype(np.float32).astype(float)
    then = 1 / (1 + np.exp(-column))
    for low, high in pairwise(edges):
        p = (((now >= low) & (now < high)).sum() + 0.5) / (len(now) + 5)
        q = (((then >= low) & (then < high)).sum() + 0.5) / (len(then) + 5)
        expected += (p - q) * math.log(p / q)
    assert drifts(_recent(odds), reference)["a"].stability_index == pytest.approx(expected, rel=1e-6)


def test_nothing_is_said_of_too_few_posts_or_of_refused_tags() -> None:
    """A handful of posts is no population, and a tag without scores none either."""
    rng = np.random.default_rng(0)
    odds = rng.normal(size=(FEWEST_POSTS - 1, 2))
    assert drifts(_recent(odds), _reference(rng)) == {}
    recent = RecentScores("v", ["a"])
    for _ in range(FEWEST_POSTS):
        recent.add([math.nan])
    assert drifts(recent, _reference(rng)) == {}


def test_the_memory_of_scores_is_bounded() -> None:
    """Of any number of posts, the last 5,000 are kept."""
    recent = RecentScores("v", ["a"])
    for number in range(12_000):
        recent.add([number])
    assert sorted(recent.scores[:, 0]) == list(range(7_000, 12_000))


def test_a_model_without_a_reference_has_no_drift(tmp_path: Path) -> None:
    """A model that is not in the registry is counted, and no drift of it is told."""
    with in_process(create_app(load_settings(home=tmp_path), FakeTagger())) as client:
        client.post("/v1/predict/batch", json={"posts": [{"text": "multipolar"}] * 200})
        found = _numbers(client)
    assert found["talkingpoints_drift_posts",] == 200
    assert not [key for key in found if key[0] == "talkingpoints_score_stability_index"]
