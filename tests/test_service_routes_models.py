"""Tests of service.routes.models, service.routes.probes, service.tagger and the OpenAPI document."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotations.codebook import parse_codebook
from classifiers.errors import BundleError, ModelNotFoundError
from service.app import build_app, create_app
from service.errors import NotReadyError
from service.settings import load_settings
from service.tagger import ActiveModel, Tagger
from service.testing import FakeTagger, InProcessClient, in_process


class FakeRegistry:
    """A registry whose active version the test sets."""

    def __init__(self, active: str | None = None, broken: tuple[str, ...] = ()) -> None:
        self.chosen = active
        self.broken = broken
        self.loaded: list[str] = []

    def versions(self) -> list[str]:
        """Return two versions."""
        return ["v1", "v2"]

    def active(self) -> str:
        """Return the version that was set."""
        if self.chosen is None:
            raise ModelNotFoundError("no model is active")
        return self.chosen

    def path(self, version: str) -> Path:
        """Return a path that ends in the version."""
        return Path("/private/models") / version

    def load(self, path: Path) -> Tagger:
        """Load a fake model, or refuse a broken one."""
        self.loaded.append(path.name)
        if path.name in self.broken:
            raise BundleError("weights.npz does not match its digest", where=str(path))
        return FakeTagger(version=path.name)


@pytest.fixture(scope="module")
def client() -> Iterator[InProcessClient]:
    """Yield a client of a service with a fake model."""
    with in_process(create_app(load_settings(), FakeTagger())) as client:
        yield client


def test_codebook_has_the_shape_of_its_yaml(client: InProcessClient) -> None:
    """The codebook of the model comes as its YAML has it, with its digest."""
    content = client.get("/v1/codebook").json()
    digest = content.pop("digest")
    codebook = FakeTagger().codebook
    assert content == codebook.to_dict()
    assert digest == codebook.digest


def test_codebook_etag(client: InProcessClient) -> None:
    """A client that has the codebook is told so without it, whatever the form of its If-None-Match."""
    first = client.get("/v1/codebook")
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = client.get("/v1/codebook", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert client.get("/v1/codebook", headers={"If-None-Match": '"other"'}).status_code == 200


def test_health_and_readiness_with_a_model(client: InProcessClient) -> None:
    """Both probes answer 200, readiness with the version that serves."""
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "model_version": "fake-1"}


def test_models_with_a_given_tagger(client: InProcessClient) -> None:
    """A tagger that was given is the one model there is."""
    assert client.get("/v1/models").json() == {
        "active": "fake-1",
        "models": [{"version": "fake-1", "active": True, "metrics": {"macro_f1": 0.5}}],
    }


def test_without_an_active_model() -> None:
    """The process is healthy and not ready; what needs a model answers 503 with the way out."""
    registry = FakeRegistry()
    with in_process(build_app(load_settings(), ActiveModel(registry, registry.load))) as client:
        assert client.get("/healthz").status_code == 200
        for answer in (
            client.get("/readyz"),
            client.get("/v1/codebook"),
            client.post("/v1/predict", json={"text": "a"}),
            client.post("/v1/predict/batch", json={"posts": [{"text": "a"}]}),
        ):
            assert (answer.status_code, answer.json()["title"]) == (503, "No model is ready")
            assert "talkingpoints train" in answer.json()["detail"]
            assert answer.headers["retry-after"] == "5"
        assert client.get("/v1/models").json()["active"] is None
        assert [model["version"] for model in client.get("/v1/models").json()["models"]] == ["v1", "v2"]


def test_a_model_activated_later_is_taken_up() -> None:
    """The source loads a newly active model once, and keeps the old one until then."""
    registry = FakeRegistry()
    models = ActiveModel(registry, registry.load)
    models.refresh()
    with pytest.raises(NotReadyError):
        models.current()
    for version in ("v1", "v1", "v2"):
        registry.chosen = version
        models.refresh()
        assert models.current().version == version
    assert registry.loaded == ["v1", "v2"]


def test_a_broken_model_leaves_the_old_one_serving(caplog: pytest.LogCaptureFixture) -> None:
    """A bundle that cannot be loaded is reported once, with its file, and changes nothing."""
    registry = FakeRegistry("v1", broken=("v2",))
    models = ActiveModel(registry, registry.load)
    models.refresh()
    registry.chosen = "v2"
    with caplog.at_level(logging.INFO):
        models.refresh()
        models.refresh()
    assert models.current().version == "v1"
    (record,) = caplog.records
    assert "does not match its digest" in record.fields["reason"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [PermissionError("active"), UnicodeDecodeError("utf-8", b"", 0, 1, "x")])
def test_an_unreadable_registry_is_reported(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """A registry that the system does not let us read neither ends the service nor goes unsaid."""

    class Unreadable(FakeRegistry):
        def active(self) -> str:
            raise error

    models = ActiveModel(Unreadable(), FakeRegistry().load)
    models.refresh()
    with pytest.raises(NotReadyError):
        models.current()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_the_running_service_looks_for_another_model() -> None:
    """While it runs, the service takes up what has been activated, without a restart."""
    registry = FakeRegistry("v1")
    app = build_app(load_settings(model_check_seconds=0.01), ActiveModel(registry, registry.load))
    with in_process(app) as client:
        assert client.get("/readyz").json()["model_version"] == "v1"
        registry.chosen = "v2"
        versions = (client.get("/readyz").json()["model_version"] for _ in range(10_000))
        assert "v2" in versions


def _document(client: InProcessClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").json()
    return document


def test_every_operation_declares_its_problems(client: InProcessClient) -> None:
    """Each error of each operation is declared as a problem, and FastAPI's own error shape is gone."""
    document = _document(client)
    assert "HTTPValidationError" not in str(document)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            errors = {status for status in operation["responses"] if status >= "400"}
            needed = {"400", "413", "415", "422", "500", "503"} if "requestBody" in operation else {"500"}
            assert needed <= errors, path
            for status in errors:
                assert operation["responses"][status]["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }


def test_the_document_names_limits_and_tags(client: InProcessClient) -> None:
    """Text length, batch size and the model's tags are in the schemas."""
    schemas = _document(client)["components"]["schemas"]
    assert schemas["PredictRequest"]["properties"]["text"]["maxLength"] == 100_000
    assert schemas["BatchRequest"]["properties"]["posts"]["maxItems"] == 1_000
    assert list(FakeTagger().codebook.tag_ids) in [
        choice.get("items", {}).get("enum")
        for choice in schemas["PredictRequest"]["properties"]["tags"]["anyOf"]
    ]


def test_the_document_follows_the_model() -> None:
    """When a model with another codebook is taken up, the document names its tags."""
    tags = "[{id: other, title: Other, definition: Other.}]"
    text = f"version: '1'\ntitle: Other\nfamilies: [{{id: f, title: F, tags: {tags}}}]"
    others = {"v1": FakeTagger(version="v1"), "v2": FakeTagger(version="v2", codebook=parse_codebook(text))}
    registry = FakeRegistry("v1")
    models = ActiveModel(registry, lambda path: others[path.name])
    with in_process(build_app(load_settings(model_check_seconds=0), models)) as client:
        assert "'other'" not in str(_document(client))
        registry.chosen = "v2"
        models.refresh()
        assert "'other'" in str(_document(client))


def test_the_document_can_be_switched_off() -> None:
    """With `api_docs` off there is no document, and the API page says so."""
    with in_process(create_app(load_settings(api_docs=False), FakeTagger())) as client:
        assert client.get("/openapi.json").status_code == 404
        assert "switched off" in client.get("/docs").text
