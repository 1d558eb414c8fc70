"""Tests of service.page_models and of the pages for models: real bundles, sound, damaged and hostile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.registry import Registry
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.training import train
from service.app import create_app
from service.settings import load_settings
from service.testing import FakeTagger, InProcessClient, in_process

PLOT = "plot.reliability.svg"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><script>alert(1)</script>'
    '<rect width="10" height="10"/></svg>'
)
CARD = f"# Model card: <b>\n\n<script>alert(2)</script>\n\n![Reliability]({PLOT})\n\n![x](https://elsewhere.example/y)\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with two versions: one in use, with a hostile card, and an older one."""
    home = tmp_path_factory.mktemp("workspace")
    codebook = invented_codebook()
    registry = Registry(home / "models")
    documents = {"card.md": CARD, "dataset.md": "# Dataset card\n", PLOT: SVG}
    for n_posts, given in ((70, None), (80, documents)):
        dataset = Dataset.from_annotations(invented_annotations(n_posts), codebook)
        write_bundle(train(dataset, codebook, quick_options()), home / "bundle", documents=given)
        version = registry.add(home / "bundle")
    registry.activate(version)
    return home


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[InProcessClient]:
    """Yield a client of a service that serves the workspace's active model."""
    with in_process(create_app(load_settings(home=home))) as client:
        yield client


def test_the_model_in_use_is_shown(client: InProcessClient, home: Path) -> None:
    """With its thresholds, figures, plots and both cards; other versions are linked."""
    active = Registry(home / "models").active()
    html = client.get("/model").text
    assert f"<h1>Model {active}</h1>" in html
    assert "In use" in html
    for tag in invented_codebook().active_tags:
        assert f'href="/codebook#{tag.id}"' in html
    assert f'src="/model/{active}/{PLOT}"' in html
    for version in Registry(home / "models").versions():
        assert f'href="/model/{version}"' in html
    assert client.get(f"/model/{active}").text == html


def test_a_card_can_do_nothing(client: InProcessClient) -> None:
    """Its HTML is text, its plots are those of the bundle, nothing is fetched from elsewhere."""
    html = client.get("/model").text
    assert "Model card: &lt;b&gt;" in html
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in html
    assert f'<a href="#{PLOT}">Reliability</a>' in html
    assert "elsewhere.example" not in html
    assert "<script" not in html


def test_an_older_version_is_shown(client: InProcessClient, home: Path) -> None:
    """It says that it is not in use."""
    registry = Registry(home / "models")
    (older,) = (version for version in registry.versions() if version != registry.active())
    html = client.get(f"/model/{older}").text
    assert ("Not in use" in html, "Thresholds" in html, "Plots" in html) == (True, True, False)


def test_a_drawing_can_only_be_looked_at(client: InProcessClient, home: Path) -> None:
    """It is served as it is in the bundle, as a picture, in a sandbox without scripts."""
    active = Registry(home / "models").active()
    answer = client.get(f"/model/{active}/{PLOT}")
    assert (answer.status_code, answer.text) == (200, SVG)
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy


@pytest.mark.parametrize(
    "path",
    [
        "/model/0123456789ab",
        "/model/%2e%2e%2factive",
        "/model/<b>",
        "/model/0123456789ab/plot.reliability.svg",
        "/model/ACTIVE/manifest.json",
        "/model/ACTIVE/weights.npz",
        "/model/ACTIVE/plot.thresholds.svg",
        "/model/ACTIVE/%2e%2e%2fx.svg",
    ],
)
def test_nothing_else_of_the_disk_is_served(client: InProcessClient, home: Path, path: str) -> None:
    """A version or file that is none is not found, and no path of the server is told."""
    answer = client.get(path.replace("ACTIVE", Registry(home / "models").active()))
    assert answer.status_code == 404
    assert str(home) not in answer.text
    assert "<b>" not in answer.text


def test_a_damaged_bundle_says_so_and_hides_no_other(home: Path, tmp_path: Path) -> None:
    """Its page names the damage without a path; the list still has every version."""
    shutil.copytree(home / "models", tmp_path / "models")
    registry = Registry(tmp_path / "models")
    active = registry.active()
    (older,) = (version for version in registry.versions() if version != active)
    (tmp_path / "models" / older / "card.md").write_text("# Another", encoding="utf-8")
    (tmp_path / "models" / active / PLOT).write_text("<svg/>", encoding="utf-8")
    with in_process(create_app(load_settings(home=tmp_path), FakeTagger())) as client:
        html = client.get(f"/model/{older}").text
        assert "cannot be read: the file is not the one in the manifest." in html
        assert str(tmp_path) not in html
        assert f'href="/model/{active}"' in html
        assert client.get(f"/model/{active}/{PLOT}").status_code == 503
        (tmp_path / "models" / older / "manifest.json").write_text("{}", encoding="utf-8")
        answer = client.get("/model")
        assert (answer.status_code, "cannot be read" in answer.text) == (200, True)


def test_a_model_given_from_outside_has_a_page(tmp_path: Path) -> None:
    """What it says of itself is shown, without a bundle to look into."""
    with in_process(create_app(load_settings(home=tmp_path), FakeTagger())) as client:
        html = client.get("/model").text
    assert "<h1>Model fake-1</h1>" in html
    assert "<dt>Macro F1</dt><dd>0.500</dd>" in html
