"""Bulk tagging and training on a Dask cluster of real processes: the same output, also where a worker is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers.bulk.report import BulkOptions
from classifiers.bulk.running import tag_posts
from classifiers.bulk.sources import FileSource
from classifiers.bulk.testing import LocalDask, local_dask
from classifiers.bundle import write_bundle
from classifiers.errors import WorkersLostError
from classifiers.testing import invented_annotations, invented_codebook, invented_scorer, quick_options
from soak.invented import messages, write_export

# A loop of its own runs in a thread for as long as a client lives; sockets are closed a moment after it.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning"
)


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDask]:
    """Start a scheduler and two workers."""
    with local_dask(tmp_path_factory.mktemp("dask")) as running:
        yield running


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of a model that was trained on the invented corpus."""
    path = tmp_path_factory.mktemp("model") / "bundle"
    write_bundle(invented_scorer()._model, path)
    return path


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export of 1,500 messages."""
    path = tmp_path_factory.mktemp("posts") / "result.json"
    write_export(path, messages(1_500))
    return path


def test_a_lost_worker_changes_nothing_in_the_output(
    dask: LocalDask, bundle: Path, posts: Path, tmp_path: Path
) -> None:
    """The chunk that it was at is done by another; the output is that of one process, byte for byte."""
    alone, together = tmp_path / "alone.parquet", tmp_path / "together.parquet"
    tag_posts(bundle, FileSource(posts), alone, BulkOptions(jobs=1, chunk_posts=50))
    told = []

    def kill_one(done: int, _total: int | None) -> None:
        told.append(done)
        if len(told) == 3:
            os.kill(dask.worker_pids()[0], signal.SIGKILL)

    options = BulkOptions(scheduler=dask.address, chunk_posts=50)
    report = tag_posts(bundle, FileSource(posts), together, options, kill_one)
    assert together.read_bytes() == alone.read_bytes()
    assert report.n_tagged > 1_000
    assert report.n_resumed == 0


def test_training_on_the_cluster_makes_the_same_model(dask: LocalDask) -> None:
    """As any number of processes does."""
    from classifiers.dask_cluster import on_cluster  # noqa: PLC0415 - slow to import
    from classifiers.dataset import Dataset  # noqa: PLC0415
    from classifiers.training import train  # noqa: PLC0415

    codebook = invented_codebook()
    data = Dataset.from_annotations(invented_annotations(40), codebook)
    here = train(data, codebook, quick_options())
    with on_cluster(dask.address):
        there = train(data, codebook, quick_options(n_jobs=-1))
    assert there.model.linear.views[0].weights.tobytes() == here.model.linear.views[0].weights.tobytes()
    assert there.model.rules == here.model.rules


def test_an_address_where_nothing_listens_is_named(bundle: Path, posts: Path, tmp_path: Path) -> None:
    """With the way out; what is there already stays."""
    options = BulkOptions(scheduler="tcp://127.0.0.1:9")
    with pytest.raises(WorkersLostError, match=r"127.0.0.1:9: no Dask scheduler[\s\S]*dask scheduler"):
        tag_posts(bundle, FileSource(posts), tmp_path / "tags.csv", options)


def test_dask_is_not_imported_before_it_is_asked_for() -> None:
    """It takes a second."""
    modules = "service.cli.tagging, service.cli.learning, service.cli.evaluating"
    code = f"import sys, {modules}; print('distributed' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
