"""Model bundles: folders of data from which a model is loaded without running anything in them.

``manifest.json`` names every other file with its SHA-256; ``codebook.yaml``, ``vocabulary.stems.json`` and
``vocabulary.grams.json`` (lists of terms), ``weights.npz`` (float32 arrays), ``thresholds.json``.  Beside them lie
documents for people and for comparisons, ``card.md`` at least: see :mod:`classifiers.bundle_documents`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version as distribution_version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from annotations.codebook import dump_codebook
from classifiers.bundle_reading import MANIFEST, array_names, read_bundle
from classifiers.card import model_card
from classifiers.errors import BundleError
from classifiers.manifest import (
    CARD,
    PROTOCOL,
    BlockEntry,
    FileEntry,
    Manifest,
    ModelEntry,
    RuleEntry,
    Thresholds,
)
from classifiers.model import Model
from classifiers.training import TrainedModel

__all__ = ["read_bundle", "write_bundle"]

_LIBRARIES = ("talking-points", "numpy", "scipy", "pystemmer", "py3langid")


def write_bundle(
    trained: TrainedModel | Model,
    path: Path,
    *,
    created: datetime | None = None,
    documents: Mapping[str, str] | None = None,
) -> str:
    """Write a model to the folder ``path``, whole or not at all, and return its version.

    A bundle (or an empty folder) that is there already is replaced.

    Parameters
    ----------
    documents
        What :func:`classifiers.describing.described` makes, by file name; by default a card alone, without what
        only the training posts can tell.  They do not change the version.

    Raises
    ------
    BundleError
        ``path`` is something else than a bundle, or cannot be written.
    """
    model = trained.model if isinstance(trained, TrainedModel) else trained
    if path.exists() and not _replaceable(path):
        raise BundleError("exists and is no model bundle", where=str(path), hint="Choose another folder.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    except OSError as error:
        raise BundleError(f"cannot be written: {error.strerror or error}", where=str(path)) from error
    try:
        texts = documents or {CARD: model_card(model)}
        version = _write(model, temporary, created or datetime.now(UTC), texts)
        temporary.chmod(0o755)
        _put(temporary, path)
    except OSError as error:
        raise BundleError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            hint="What was there is unchanged.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return version


def _replaceable(path: Path) -> bool:
    return (
        path.is_dir() and not path.is_symlink() and ((path / MANIFEST).is_file() or not any(path.iterdir()))
    )


def _write(model: Model, folder: Path, created: datetime, documents: Mapping[str, str]) -> str:
    for block in model.linear.blocks:
        _write_text(folder / f"vocabulary.{block.kind}.json", json.dumps(block.terms, indent=0) + "\n")
    _write_text(folder / "codebook.yaml", dump_codebook(model.codebook))
    rules = Thresholds(tags=[RuleEntry(**asdict(rule)) for rule in model.rules])
    _write_text(folder / "thresholds.json", rules.model_dump_json(indent=1) + "\n")
    # Without allow_pickle=False, which numpy before 2.1 would take for an array; float32 is never pickled.
    np.savez(folder / "weights.npz", **_arrays(model))  # type: ignore[arg-type]
    for name, text in documents.items():
        _write_text(folder / name, text)
    manifest = _manifest(model, folder, created, sorted(documents))
    _write_text(folder / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
    for file in folder.iterdir():
        _sync(file)
    return manifest.version


def _arrays(model: Model) -> dict[str, npt.NDArray[np.float32]]:
    linear = model.linear
    found = [block.idf for block in linear.blocks]
    for view in linear.views:
        found += [view.weights, view.bias]
    how = linear.combination
    found += [how.mix, how.offset, how.evidence_scale, how.evidence_offset]
    names = array_names([view.name for view in linear.views])
    return {name: np.asarray(array, dtype="<f4") for name, array in zip(names, found, strict=True)}


def _manifest(model: Model, folder: Path, created: datetime, documents: Sequence[str]) -> Manifest:
    linear = model.linear
    entries = {file.name: _entry(file) for file in sorted(folder.iterdir())}
    manifest = Manifest(
        protocol=PROTOCOL,
        created=created.astimezone(UTC).isoformat(timespec="seconds"),
        digest="0" * 64,
        versions={"python": platform.python_version()}
        | {name: distribution_version(name) for name in _LIBRARIES},
        codebook_version=model.codebook.version,
        codebook_digest=model.codebook.digest,
        dataset_digest=model.dataset_digest,
        training=dict(model.training),
        options=dict(model.options),
        metrics=dict(model.metrics),
        model=ModelEntry(
            blocks=[BlockEntry(kind=block.kind, n_terms=len(block.terms)) for block in linear.blocks],
            views=[view.name for view in linear.views],
            tags=list(linear.tag_ids),
            languages=list(linear.languages),
        ),
        files={name: entry for name, entry in entries.items() if name not in documents},
        documents={name: entries[name] for name in documents},
    )
    return manifest.model_copy(update={"digest": manifest.content_digest()})


def _entry(file: Path) -> FileEntry:
    data = file.read_bytes()
    return FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def _write_text(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def _put(temporary: Path, path: Path) -> None:
    """Put the finished folder in its place; a bundle there before goes only once the new one stands."""
    if not path.exists():
        temporary.rename(path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".old"))
    path.rename(old / path.name)
    try:
        temporary.rename(path)
    except OSError:
        (old / path.name).rename(path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
