"""What is known of a model without scoring by it: its figures, its thresholds, how it was trained."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from annotations.codebook import Codebook
from classifiers.bundle_reading import MANIFEST, read_bundle
from classifiers.thresholds import TagRule

_MOST = 64


class _Described(Protocol):
    @property
    def version(self) -> str: ...

    @property
    def codebook(self) -> Codebook: ...

    @property
    def metrics(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """What a bundle says of its model; a model that was not read from one knows little of it."""

    version: str
    codebook_version: str
    codebook_digest: str
    titles: Mapping[str, str]
    metrics: Mapping[str, Any]
    created: str | None = None
    dataset_digest: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[TagRule, ...] = ()
    documents: tuple[str, ...] = ()

    @classmethod
    def of_tagger(cls, tagger: _Described) -> ModelSummary:
        """Return what a loaded model says of itself."""
        book = tagger.codebook
        titles = {tag.id: tag.title for tag in book.tags}
        return cls(tagger.version, book.version, book.digest, titles, tagger.metrics)

    @classmethod
    def read(cls, path: Path) -> ModelSummary:
        """Read it from a bundle, which is checked whole.

        Raises
        ------
        BundleError
            The bundle is damaged.
        """
        bundle = read_bundle(path)
        manifest, model = bundle.manifest, bundle.model
        return cls(
            version=manifest.version,
            codebook_version=manifest.codebook_version,
            codebook_digest=manifest.codebook_digest,
            titles={tag.id: tag.title for tag in model.codebook.tags},
            metrics=manifest.metrics,
            created=manifest.created,
            dataset_digest=manifest.dataset_digest,
            training=manifest.training,
            options=manifest.options,
            rules=model.rules,
            documents=tuple(sorted(manifest.documents)),
        )


class SummaryShelf:
    """Keeps the summaries that were asked for last: a bundle does not change under its name."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._kept: OrderedDict[tuple[Path, int, int], ModelSummary] = OrderedDict()

    def get(self, path: Path) -> ModelSummary:
        """Return the summary of a bundle, read where it is not known or has been replaced."""
        status = (path / MANIFEST).stat()
        key = (path, status.st_ino, status.st_mtime_ns)
        with self._guard:
            found = self._kept.get(key)
        found = found or ModelSummary.read(path)
        with self._guard:
            self._kept[key] = found
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return found
