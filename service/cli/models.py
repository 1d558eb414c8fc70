"""Commands over the models of the workspace: models, activate; and which model a command uses."""

from __future__ import annotations

from pathlib import Path

import click

from classifiers.bundle_reading import read_manifest
from classifiers.errors import ModelNotFoundError
from classifiers.manifest import Manifest
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


@click.command("models")
@console.json_option
def models_command(as_json: bool) -> None:
    """List the models of the workspace; * marks the active one."""
    registry = Registry(console.settings().workspace.models_path)
    try:
        active = registry.active()
    except ModelNotFoundError:
        active = ""
    versions = registry.versions()
    if as_json:
        console.print_json({"active": active or None, "versions": versions})
    elif not versions:
        click.echo("No models yet: talkingpoints train")
    for version in () if as_json else versions:
        click.echo(f"{'*' if version == active else ' '} {version}")


@click.command("activate")
@click.argument("version")
def activate_command(version: str) -> None:
    """Make VERSION the active model."""
    Registry(console.settings().workspace.models_path).activate(version)
    click.echo(f"Model {version} is active")


COMMANDS: tuple[click.Command, ...] = (models_command, activate_command)
