"""What a bundle says of itself: cards, plots, and the figures behind them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from classifiers.bundle import write_bundle
from classifiers.bundle_reading import read_bundle
from classifiers.curves import Unseen, confusions, judged, precision_recall, reliability, sweep
from classifiers.dataset import Dataset
from classifiers.describing import described
from classifiers.learning_curve import CurveOptions, summary
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.thresholds import TagRule
from classifiers.training import TrainedModel, train

CODEBOOK = invented_codebook()
MITCHELL = [
    "Model Details", "Intended Use", "Factors", "Metrics", "Evaluation Data", "Training Data",
    "Quantitative Analyses", "Ethical Considerations", "Caveats and Recommendations",
]  # fmt: skip
GEBRU = [
    "Motivation", "Composition", "Collection Process", "Preprocessing/cleaning/labeling", "Uses",
    "Distribution", "Maintenance",
]  # fmt: skip


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Return a small dataset."""
    return Dataset.from_annotations(invented_annotations(80), CODEBOOK)


@pytest.fixture(scope="module")
def trained(dataset: Dataset) -> TrainedModel:
    """Return a model trained on it."""
    return train(dataset, CODEBOOK, quick_options())


@pytest.fixture(scope="module")
def documents(trained: TrainedModel, dataset: Dataset) -> dict[str, str]:
    """Return all documents, a learning curve's plot too."""
    sizes, curves = np.array([20, 40, 64]), np.array([[0.4, 0.5, 0.6], [0.3, 0.5, 0.55]])
    curve = summary(sizes, curves, len(dataset), CurveOptions(n_resamples=20))
    return described(trained, dataset, curve)


def _sections(card: str) -> list[str]:
    return [line[3:] for line in card.splitlines() if line.startswith("## ")]


def test_the_cards_have_the_sections_of_their_papers(documents: dict[str, str]) -> None:
    """In their order, none empty."""
    assert _sections(documents["card.md"]) == MITCHELL
    assert _sections(documents["dataset.md"]) == GEBRU
    for name in ("card.md", "dataset.md"):
        parts = documents[name].split("\n## ")[1:]
        assert all(part.split("\n", 1)[1].strip() for part in parts)


def test_the_card_shows_every_plot_and_the_figures_of_every_tag(
    documents: dict[str, str], trained: TrainedModel, dataset: Dataset
) -> None:
    """The figures are those of the out-of-fold scores; a tag that is not predicted has none."""
    card = documents["card.md"]
    plots = [name for name in documents if name.endswith(".svg")]
    assert len(plots) == 5
    assert all(f"]({name})" in card for name in plots)
    unseen = Unseen.of(trained, dataset)
    for k, rule in enumerate(unseen.rules):
        of = judged(unseen, k)
        row = next(line for line in card.splitlines() if line.startswith(f"| `{rule.tag_id}`"))
        assert f"| {of.average_precision:.3f} | {of.precision:.3f} | {of.recall:.3f} | {of.f1:.3f} |" in row
    assert "| not predicted | - |" in card


def test_the_dataset_card_counts_and_names_nobody(documents: dict[str, str], dataset: Dataset) -> None:
    """Numbers of posts and tags; no text, no post id, no annotator."""
    card = documents["dataset.md"]
    assert f"{len(dataset)} posts" in card
    assert "Languages as identified: en 80." in card
    for k, tag in enumerate(dataset.tag_ids):
        assert (
            f"| `{tag}` | {int(dataset.gold[:, k].sum())} | {int((dataset.shares[:, k] > 0).sum())} |" in card
        )
    assert not any(text in card for text in dataset.texts)
    assert "ministry/" not in card


def test_plots_are_small_inert_pictures_with_the_tags_in_them(documents: dict[str, str]) -> None:
    """Well-formed SVG without scripts, links or dates."""
    for name, text in documents.items():
        if name.endswith(".svg"):
            root = ET.fromstring(text)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            tags = {element.tag.rpartition("}")[2] for element in root.iter()}
            assert not tags & {"script", "foreignObject", "image", "a", "date"}
            assert ("shared-water" in text) == (name != "plot.learning-curve.svg")


def test_the_same_training_is_described_by_the_same_bytes_whatever_the_users_settings(
    documents: dict[str, str], trained: TrainedModel, dataset: Dataset
) -> None:
    """Neither a date nor a style of one's own enters a plot."""
    import matplotlib as mpl  # noqa: PLC0415

    with mpl.rc_context({"lines.linewidth": 9, "svg.hashsalt": "x", "axes.grid": True}):
        again = described(trained, dataset)
    assert all(documents[name] == text for name, text in again.items() if name != "card.md")


def test_documents_are_checked_and_no_part_of_the_version(
    documents: dict[str, str], trained: TrainedModel, tmp_path: Path
) -> None:
    """A bundle with and without them is the same model."""
    assert write_bundle(trained, tmp_path / "a", documents=documents) == write_bundle(trained, tmp_path / "b")
    manifest = read_bundle(tmp_path / "a").manifest
    assert set(manifest.documents) == set(documents)
    assert not set(manifest.files) & set(documents)


def _unseen(truth: np.ndarray, score: np.ndarray, threshold: float = 0.5) -> Unseen:
    rules = tuple(TagRule(f"t{k}", 0.5, 5, threshold) for k in range(truth.shape[1]))
    return Unseen(rules, truth, score, score >= threshold)


def test_confusions_are_false_yeses_beside_a_tag_and_misses_of_it() -> None:
    """Two posts with t0: t1 is wrongly given to one of them; t1's only post is missed."""
    truth = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], dtype=bool)
    score = np.array([[0.9, 0.8], [0.9, 0.1], [0.7, 0.2], [0.1, 0.9]])
    assert confusions(_unseen(truth, score)).tolist() == [[0.0, 0.5], [1.0, 1.0]]


def test_a_sweep_gives_what_deciding_at_each_threshold_gives() -> None:
    """By tag and pooled; precision without a yes is undefined."""
    rng = np.random.default_rng(0)
    truth, score = rng.random((50, 3)) < 0.4, rng.random((50, 3))
    found = sweep(_unseen(truth, score))
    for number, threshold in enumerate(found.thresholds):
        yes = score >= threshold
        wanted = precision_recall_fscore_support(truth, yes, zero_division=0.0)
        assert np.nan_to_num(found.precision[number]) == pytest.approx(wanted[0])
        assert found.recall[number] == pytest.approx(wanted[1])
        assert found.f1[number] == pytest.approx(wanted[2])
        pooled = precision_recall_fscore_support(truth, yes, average="micro", zero_division=0.0)[:3]
        assert np.nan_to_num(found.pooled[number]) == pytest.approx(pooled)


def test_reliability_bins_hold_every_entry_once_and_their_interval_the_share() -> None:
    """Also at 0 and 1."""
    score = np.array([0.0, 0.05, 0.95, 1.0, 1.0])
    found = reliability(np.array([0, 0, 1, 1, 0], dtype=bool), score)
    assert found.n.tolist() == [2, 3]
    assert found.observed == pytest.approx([0, 2 / 3])
    assert found.predicted == pytest.approx([0.025, 2.95 / 3])
    assert (found.low <= found.observed + 1e-12).all()
    assert (found.observed <= found.high + 1e-12).all()


def test_a_long_precision_recall_curve_is_thinned_from_recall_nothing_on() -> None:
    """Some hundred points are enough for a picture."""
    rng = np.random.default_rng(0)
    recall, precision = precision_recall(rng.random(5000) < 0.3, rng.random(5000))
    assert len(recall) == len(precision) <= 200
    assert recall[0] == 0
    assert (np.diff(recall) >= 0).all()
