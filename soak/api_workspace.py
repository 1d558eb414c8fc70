"""A workspace for the service under test: invented posts with annotations, several models, a codebook, a ledger."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from annotations.codebook import dump_codebook
from annotations.ledger.store import open_ledger
from annotations.ledger.studio_tasks import ProjectRow, save_project
from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.registry import Registry
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.training import train
from service.testing import store_annotations

_STEP = 0.25  # of the log-odds: enough to tell the models apart by their scores


def make_workspace(home: Path, n_models: int = 3, studio_url: str | None = None) -> list[str]:
    """Fill a folder and return the versions of its models, the first of them active; their scores differ.

    With ``studio_url`` the ledger knows a project there, so that queued posts are sent to it.
    """
    home.mkdir(parents=True, exist_ok=True)
    codebook = invented_codebook()
    (home / "codebook.yaml").write_text(dump_codebook(codebook), encoding="utf-8")
    annotations = [replace(each, codebook=codebook.digest) for each in invented_annotations(60)]
    with closing(open_ledger(f"sqlite:///{home / 'ledger.db'}")) as ledger:
        store_annotations(ledger, annotations)
        if studio_url:
            save_project(
                ledger, ProjectRow(f"{studio_url}#1", "Soak", codebook.digest, "2026-01-01", None, 0, 0)
            )
    model = train(Dataset.from_annotations(annotations, codebook), codebook, quick_options()).model
    registry = Registry(home / "models")
    versions = []
    for number in range(n_models):
        combination = model.linear.combination
        model.linear.combination = replace(combination, offset=combination.offset + _STEP)
        write_bundle(model, home / "bundle")
        versions.append(registry.add(home / "bundle"))
        if not number:
            registry.activate(versions[0])
    return versions
