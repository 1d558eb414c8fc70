"""Tests of /v1/models/{version}, its activation and the rollback, with real bundles in a real registry."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from classifiers.bundle import write_bundle
from classifiers.registry import Registry
from classifiers.scorer import Scorer
from classifiers.testing import invented_scorer
from service.app import build_app
from service.settings import load_settings
from service.tagger import ActiveModel, FixedModel
from service.testing import FakeTagger, InProcessClient, in_process


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return three bundles whose scores differ."""
    folder = tmp_path_factory.mktemp("bundles")
    model = invented_scorer(40)._model
    found = []
    for number in range(3):
        combination = model.linear.combination
        model.linear.combination = replace(combination, offset=combination.offset + 0.25)
        write_bundle(model, folder / str(number))
        found.append(folder / str(number))
    return found


@pytest.fixture
def registry(bundles: list[Path], tmp_path: Path) -> Registry:
    """Return a registry with the three, the first of them active."""
    found = Registry(tmp_path / "models")
    versions = [found.add(bundle) for bundle in bundles]
    found.activate(versions[0])
    return found


@pytest.fixture
def versions(registry: Registry, bundles: list[Path]) -> list[str]:
    """Return their versions, in the order of the bundles."""
    return [registry.add(bundle) for bundle in bundles]


@pytest.fixture
def client(registry: Registry) -> Iterator[InProcessClient]:
    """Yield a client of a service over the registry, which does not look at it by itself."""
    settings = load_settings(home=registry.models_path.parent, model_check_seconds=0)
    with in_process(build_app(settings, ActiveModel.of_folder(registry.models_path))) as client:
        yield client


def _served(client: InProcessClient) -> str:
    version: str = client.post("/v1/predict", json={"text": "the river belongs to every village"}).json()[
        "model_version"
    ]
    return version


def test_a_model_is_described_by_its_bundle(client: InProcessClient, versions: list[str]) -> None:
    """Figures, training and thresholds, with an ETag by which it need not be sent again."""
    answer = client.get(f"/v1/models/{versions[1]}")
    detail = answer.json()
    assert (detail["version"], detail["active"]) == (versions[1], False)
    assert detail["metrics"]
    assert detail["training"]
    assert detail["options"]["n_folds"] == 3
    rules = {each["tag"]: each for each in detail["thresholds"]}
    assert rules["shared-water"]["threshold"] > 0
    assert (rules["rare"]["threshold"], bool(rules["rare"]["reason"])) == (None, True)
    again = client.get(f"/v1/models/{versions[1]}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    client.post(f"/v1/models/{versions[1]}/activate")
    changed = client.get(f"/v1/models/{versions[1]}", headers={"If-None-Match": answer.headers["etag"]})
    assert changed.json()["active"] is True
    listed = client.get("/v1/models")
    headers = {"If-None-Match": listed.headers["etag"]}
    assert client.get("/v1/models", headers=headers).status_code == 304


@pytest.mark.parametrize("version", ["0" * 12, "x", "..", "%2e%2e%2fmodels", "rollback"])
def test_an_unknown_version_is_not_found(client: InProcessClient, version: str, versions: list[str]) -> None:
    """Nor is anything outside of the registry, and nothing of its place is said."""
    for answer in (client.get(f"/v1/models/{version}"), client.post(f"/v1/models/{version}/activate")):
        assert answer.status_code == 404
        assert "/" not in answer.json()["detail"].replace("/v1/", "").replace("/openapi", "")
    assert _served(client) == versions[0]


def test_activation_and_rollback_are_answered_when_they_are_in_force(
    client: InProcessClient, registry: Registry, versions: list[str]
) -> None:
    """The next request is answered by the new model, and the registry says the same."""
    first, second, third = versions
    steps = [
        (f"/v1/models/{second}/activate", second, first),
        (f"/v1/models/{third}/activate", third, second),
        (f"/v1/models/{third}/activate", third, third),
        ("/v1/models/rollback", second, third),
        ("/v1/models/rollback", first, second),
    ]
    for path, active, previous in steps:
        answer = client.post(path)
        assert (answer.status_code, answer.json()) == (200, {"active": active, "previous": previous})
        assert (_served(client), registry.active()) == (active, active)
    refused = client.post("/v1/models/rollback")
    assert (refused.status_code, refused.json()["type"]) == (409, "/docs#problem-model-refused")
    assert (_served(client), registry.active()) == (first, first)


def _flip(bundle: Path) -> None:
    data = bytearray((bundle / "weights.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / "weights.npz").write_bytes(bytes(data))


def _protocol(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"protocol": 2}))


def _digest(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"dataset_digest": "0" * 16}))


def _missing(bundle: Path) -> None:
    (bundle / "thresholds.json").unlink()


def _strange(bundle: Path) -> None:
    (bundle / "__init__.py").write_text("raise SystemExit")


def _empty(bundle: Path) -> None:
    (bundle / "manifest.json").write_bytes(b"")


def _codebook(bundle: Path) -> None:
    (bundle / "codebook.yaml").write_bytes(b"a: [")


FAULTS: list[tuple[Callable[[Path], None], str]] = [
    (_flip, "weights.npz: the file is not the one in the manifest"),
    (_protocol, "manifest.json: the bundle's protocol is 2, this version reads 3"),
    (_digest, "manifest.json: the manifest is not what its digest says"),
    (_missing, "thresholds.json: the file is missing"),
    (_strange, "__init__.py: the file is not in the manifest"),
    (_empty, "manifest.json: is no manifest"),
    (_codebook, "codebook.yaml: the file is not the one in the manifest"),
]


@pytest.mark.parametrize(("spoil", "reason"), FAULTS)
def test_a_bundle_that_cannot_serve_leaves_the_old_one_and_says_why(
    client: InProcessClient,
    registry: Registry,
    versions: list[str],
    spoil: Callable[[Path], None],
    reason: str,
) -> None:
    """Nothing is activated; after a later rollback and activation everything works as before."""
    spoil(registry.path(versions[1]))
    for answer in (
        client.post(f"/v1/models/{versions[1]}/activate"),
        client.get(f"/v1/models/{versions[1]}"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "/docs#problem-model-refused")
        assert reason in answer.json()["detail"]
        assert str(registry.models_path.parent) not in answer.text
    assert (_served(client), registry.active(), registry.previous()) == (versions[0], versions[0], None)
    assert client.post(f"/v1/models/{versions[2]}/activate").status_code == 200


def test_a_bundle_under_anothers_name_is_refused(
    client: InProcessClient, registry: Registry, versions: list[str]
) -> None:
    """The name of the folder is a claim; the digest decides, also where the registry's file was changed by hand."""
    shutil.copytree(registry.path(versions[1]), registry.models_path / ("a" * 12))
    answer = client.post(f"/v1/models/{'a' * 12}/activate")
    assert (answer.status_code, versions[1] in answer.json()["detail"]) == (409, True)
    registry.active_file.write_text("a" * 12 + "\n")
    models: Any = ActiveModel.of_folder(registry.models_path)
    models.refresh()
    assert models._served is None


def test_a_rollback_to_a_damaged_model_is_refused(
    client: InProcessClient, registry: Registry, versions: list[str]
) -> None:
    """The model in use goes on."""
    client.post(f"/v1/models/{versions[1]}/activate")
    _flip(registry.path(versions[0]))
    assert client.post("/v1/models/rollback").status_code == 409
    assert (_served(client), registry.active()) == (versions[1], versions[1])


def test_the_same_key_activates_once(
    client: InProcessClient, registry: Registry, versions: list[str]
) -> None:
    """Sent again after somebody else went on, it does not turn the clock back."""
    headers = {"Idempotency-Key": "activation-1"}
    first = client.post(f"/v1/models/{versions[1]}/activate", headers=headers)
    client.post(f"/v1/models/{versions[2]}/activate")
    again = client.post(f"/v1/models/{versions[1]}/activate", headers=headers)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert registry.active() == versions[2]


def test_a_look_at_an_unchanged_registry_reads_nothing(
    registry: Registry, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the file that names the active model is looked at; a failed model is not read again at once."""
    models = ActiveModel.of_folder(registry.models_path)
    models.refresh()
    reads: list[str] = []
    monkeypatch.setattr(Registry, "active", lambda _: reads.append("active") or versions[0])
    for _ in range(3):
        models.refresh()
    assert reads == []
    registry.activate(versions[1])
    models.refresh()
    models.refresh()
    assert reads == ["active"]
    monkeypatch.undo()
    _flip(registry.path(versions[2]))
    registry.active_file.write_text(versions[2] + "\n")
    loads: list[Path] = []
    models._load = lambda path: loads.append(path) or Scorer.load(path)  # type: ignore[func-returns-value]
    for _ in range(3):
        models.refresh()
    assert (len(loads), models.current().version) == (1, versions[0])


def test_each_answer_is_of_one_version_while_models_change(
    client: InProcessClient, registry: Registry, versions: list[str]
) -> None:
    """Batches and streams that were begun before a change are finished by the model they were begun with."""
    text = "the river belongs to every village"
    expected = {
        version: Scorer.load(registry.path(version)).predict([text])[0].tags[0].score for version in versions
    }
    assert len(set(expected.values())) == 3
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for version in versions:
                client.post(f"/v1/models/{version}/activate")

    changer = threading.Thread(target=change)
    changer.start()
    seen: set[str] = set()
    begun = 0
    try:
        while begun < 20 or (len(seen) < 2 and begun < 2_000):
            begun += 1
            batch = client.post("/v1/predict/batch", json={"posts": [{"text": text}] * 20}).json()
            version = batch["model_version"]
            assert {each["model_version"] for each in batch["predictions"]} == {version}
            scores = [each["tags"][0]["score"] for each in batch["predictions"]]
            assert scores == pytest.approx([expected[version]] * 20)
            seen.add(version)
    finally:
        stop.set()
        changer.join()
    assert len(seen) > 1


def test_a_given_model_cannot_be_changed() -> None:
    """A service that was given its model has no registry."""
    with in_process(build_app(load_settings(), FixedModel(FakeTagger()))) as client:
        assert client.get("/v1/models/fake-1").json()["metrics"] == {"macro_f1": 0.5}
        assert client.post("/v1/models/fake-1/activate").json() == {"active": "fake-1", "previous": "fake-1"}
        assert client.post("/v1/models/other/activate").status_code == 404
        assert client.post("/v1/models/rollback").status_code == 409
