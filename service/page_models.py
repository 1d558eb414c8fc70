"""A model version on its page: what its bundle says of itself, checked against its digests."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from annotations.errors import TalkingPointsError
from classifiers.bundle_reading import read_document, read_manifest, read_thresholds
from classifiers.errors import BundleError, ModelNotFoundError
from classifiers.manifest import CARD, DATASET_CARD, PLOTS, Manifest, RuleEntry
from classifiers.registry import Registry
from service.page_markdown import card_html
from service.settings import Settings
from service.tagger import Tagger

_LOG = logging.getLogger("talkingpoints.page")
_MOST_VERSIONS = 50

# Bundles can come from elsewhere: a drawing is shown as a picture, and opened by itself it can do nothing.
PLOT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"

_NAMES = {
    "n_posts": "Posts",
    "n_tags": "Tags",
    "n_annotations": "Annotations",
    "n_groups": "Groups of near-duplicates",
    "mean_average_precision": "Mean average precision",
    "macro_f1": "Macro F1",
    "micro_f1": "Micro F1",
    "brier": "Brier score",
    "brier_skill": "Brier skill",
    "expected_calibration_error": "Calibration error",
    "coverage": "Share decided",
    "evidence_hit_rate": "Evidence found",
}


@dataclass(frozen=True, slots=True)
class Version:
    """A line of the list of versions; ``created`` (ISO 8601) is empty where the bundle is damaged."""

    version: str
    is_active: bool
    created: str = ""
    n_posts: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing of the bundle: its file name and what it shows."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ModelPage:
    """What is known of one version; ``problem`` says so where its bundle cannot be read."""

    version: str
    is_active: bool
    problem: str = ""
    created: str = ""
    codebook_version: str = ""
    training: tuple[tuple[str, str], ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    libraries: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    rules: tuple[RuleEntry, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    plots: tuple[Plot, ...] = ()
    card: Markup | None = None
    dataset_card: Markup | None = None


def versions_of(settings: Settings, tagger: Tagger | None) -> list[Version]:
    """Return the newest versions of the workspace, the newest first; that in use always is among them."""
    registry = Registry(settings.workspace.models_path)
    active = tagger.version if tagger else None
    names = registry.versions()[::-1][:_MOST_VERSIONS]
    if active is not None and active not in names:
        names.insert(0, active)
    return [_version(registry, name, name == active) for name in names]


def model_page(settings: Settings, version: str, tagger: Tagger | None) -> ModelPage:
    """Return what is known of a version.

    Raises
    ------
    ModelNotFoundError
        There is none of that name.
    """
    is_active = tagger is not None and tagger.version == version
    try:
        folder = Registry(settings.workspace.models_path).path(version)
    except ModelNotFoundError:
        if tagger is None or not is_active:
            raise
        # It was given to the service from outside, so there is no bundle to look into.
        codebook = tagger.codebook
        return ModelPage(
            version, True, figures=tuple(_flat(tagger.metrics)), codebook_version=codebook.version
        )
    try:
        return _described(folder, version, is_active, tagger)
    except BundleError as error:
        # Where it lies is the server's own affair.
        _LOG.warning("a bundle cannot be shown", extra={"fields": {"reason": str(error)}})
        return ModelPage(version, is_active, problem=error.problem)


def plot_of(settings: Settings, version: str, name: str) -> bytes | None:
    """Return a drawing (SVG) of a version; None where it has none of that name.

    Raises
    ------
    ModelNotFoundError, BundleError
        There is no such version, or it is damaged.
    """
    if name not in PLOTS:
        return None
    return read_document(Registry(settings.workspace.models_path).path(version), name)


def plot_address(version: str, name: str) -> str:
    """Return where a drawing is served."""
    return f"/model/{version}/{name}"


def _version(registry: Registry, name: str, is_active: bool) -> Version:
    try:
        manifest = read_manifest(registry.path(name))
    except TalkingPointsError:
        return Version(name, is_active)
    return Version(name, is_active, manifest.created, _shown(manifest.training.get("n_posts", "")))


def _described(folder: Path, version: str, is_active: bool, tagger: Tagger | None) -> ModelPage:
    from classifiers.plots import alternative_texts  # noqa: PLC0415 - what draws takes a second to import

    manifest = read_manifest(folder)
    said = alternative_texts()
    plots = tuple(Plot(name, said[name]) for name in PLOTS if name in manifest.documents)
    codebook = tagger.codebook if tagger else None
    return ModelPage(
        version=version,
        is_active=is_active,
        created=manifest.created,
        codebook_version=f"{manifest.codebook_version} ({manifest.codebook_digest})",
        training=tuple(_flat(manifest.training)),
        figures=tuple(_flat(manifest.metrics.get("out_of_fold", manifest.metrics))),
        libraries=manifest.versions,
        languages=tuple(manifest.model.languages),
        rules=tuple(read_thresholds(folder).tags),
        titles={tag.id: tag.title for tag in codebook.tags} if codebook else {},
        plots=plots,
        card=_card(folder, manifest, CARD, "Model card", plots),
        dataset_card=_card(folder, manifest, DATASET_CARD, "Dataset card", ()),
    )


def _card(folder: Path, manifest: Manifest, name: str, title: str, plots: Sequence[Plot]) -> Markup | None:
    data = read_document(folder, name) if name in manifest.documents else None
    if data is None:
        return None
    return card_html(data.decode("utf-8", "replace"), title, {plot.name: f"#{plot.name}" for plot in plots})


def _flat(values: Any) -> list[tuple[str, str]]:
    """Return the numbers of a mapping with their names; what is nested or no number is left out."""
    if not isinstance(values, Mapping):
        return []
    return [
        (_NAMES.get(name, name.replace("_", " ").capitalize()), _shown(value))
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _shown(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
