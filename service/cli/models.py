"""Which model a command uses; commands over one model: its card, its estimator."""

from __future__ import annotations

from pathlib import Path

import click

from annotations.files import atomic_path
from classifiers.bundle_reading import MANIFEST, read_document, read_manifest
from classifiers.errors import BundleError
from classifiers.manifest import CARD, DATASET_CARD, PLOTS, Manifest
from classifiers.registry import Registry
from classifiers.scorer import Scorer
from service.cli import console
from service.settings import Settings

model_option = click.option(
    "--model", type=click.Path(path_type=Path), help="A bundle; the active model by default."
)


def chosen_scorer(settings: Settings, bundle: Path | None) -> Scorer:
    """Load the bundle named, or the workspace's active model."""
    if bundle is not None:
        return Scorer.load(bundle)
    registry = Registry(settings.workspace.models_path)
    return Scorer.load(registry.path(registry.active()))


def active_manifest(settings: Settings) -> Manifest:
    """Return what the active model says of itself."""
    registry = Registry(settings.workspace.models_path)
    return read_manifest(registry.path(registry.active()))


@click.command("card")
@click.argument("version", required=False)
@click.option("--dataset", "of_dataset", is_flag=True, help="The card of the labelled posts instead.")
@click.option("--out", type=click.Path(path_type=Path), help="Write both cards and the plots to this folder.")
def card_command(version: str | None, of_dataset: bool, out: Path | None) -> None:
    """Show the card of a model: the active one, a VERSION, or a bundle's folder."""
    registry = workspace_registry()
    bundle = registry.path(registry.active()) if version is None else named_bundle(version)
    if out is not None:
        names = [name for name in (CARD, DATASET_CARD, *PLOTS) if _copied(bundle, name, out)]
        click.echo(f"{', '.join(names)} written to {out}")
        return
    name = DATASET_CARD if of_dataset else CARD
    data = read_document(bundle, name)
    if data is None:
        raise BundleError(f"the bundle has no {name}", where=str(bundle), hint="Train the model again.")
    click.echo(data.decode("utf-8", "replace"), nl=False)


@click.command("export-sklearn")
@click.argument("out", type=click.Path(path_type=Path))
@model_option
def export_sklearn_command(out: Path, model: Path | None) -> None:
    """Write the model as a scikit-learn estimator to OUT, with joblib. Loading such a file runs code."""
    from classifiers.sklearn_export import WARNING, export_sklearn  # noqa: PLC0415 - only this command needs it

    registry = workspace_registry()
    made = export_sklearn(model or registry.path(registry.active()), out)
    click.echo(f"Model {made.model_version_} with {len(made.classes_)} tags written to {out}")
    console.say(f"Warning: {WARNING}")


def workspace_registry() -> Registry:
    """Return the registry of the workspace."""
    return Registry(console.settings().workspace.models_path)


def named_bundle(name: str) -> Path:
    """Return the bundle of a version, or the folder named if it is one."""
    folder = Path(name)
    return folder if (folder / MANIFEST).is_file() else workspace_registry().path(name)


def _copied(bundle: Path, name: str, out: Path) -> bool:
    data = read_document(bundle, name)
    if data is None:
        return False
    with atomic_path(out / name) as temporary:
        temporary.write_bytes(data)
    return True


COMMANDS: tuple[click.Command, ...] = (card_command, export_sklearn_command)
