"""Commands over the models of the workspace: list, compare, prune, activate, roll back."""

from __future__ import annotations

from pathlib import Path

import click

from classifiers.dataset import Dataset
from classifiers.errors import ModelNotFoundError
from classifiers.paired import Contender, Contest, ContestOptions, Difference, contest
from service.audit import audited
from service.cli import console
from service.cli.learning import labels_in_use
from service.cli.models import named_bundle, workspace_registry


@click.group("models", invoke_without_command=True)
@console.json_option
@click.pass_context
def models_command(context: click.Context, as_json: bool) -> None:
    """List the models of the workspace (* marks the active one), compare two, delete old ones."""
    if context.invoked_subcommand is not None:
        return
    registry = workspace_registry()
    try:
        active = registry.active()
    except ModelNotFoundError:
        active = ""
    versions = registry.versions()
    if as_json:
        found = {"active": active or None, "previous": registry.previous(), "versions": versions}
        console.print_json(found)
    elif not versions:
        click.echo("No models yet: talkingpoints train")
    for version in () if as_json else versions:
        click.echo(f"{'*' if version == active else ' '} {version}")


@models_command.command("compare")
@click.argument("first")
@click.argument("second")
@console.labels_option
@click.option("--unseen", is_flag=True, help="Only on posts that neither was trained on.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap.")
@console.json_option
def compare_command(
    first: str, second: str, labels: Path | None, unseen: bool, seed: int, as_json: bool
) -> None:
    """Compare two models on labels: is SECOND better than FIRST?

    Both are versions, or folders of bundles. A post that a model was trained on is judged by its out-of-fold score,
    so that neither profits from what it knows. Intervals are of a paired bootstrap over groups of near-duplicates.
    """
    settings = console.settings()
    contenders = [Contender.load(named_bundle(each)) for each in (first, second)]
    codebook = contenders[1].scorer.codebook
    annotations = labels_in_use(settings, labels, codebook)
    dataset = Dataset.from_annotations(annotations, codebook, mixed_codebooks=True)
    with console.progress("Comparing", "samples") as progress:
        found = contest(dataset, contenders[0], contenders[1], ContestOptions(seed, unseen), progress)
    if as_json:
        console.print_json(found.to_dict())
    else:
        _print_contest(found)


@models_command.command("prune")
@click.option("--keep", type=click.IntRange(min=0), default=5, show_default=True, help="Keep the newest.")
@click.option("--dry-run", is_flag=True, help="Only say which would go.")
@console.json_option
def prune_command(keep: int, dry_run: bool, as_json: bool) -> None:
    """Delete models but for the newest, the active one, and the one that was active before it."""
    registry = workspace_registry()
    gone = registry.prunable(keep)
    for version in () if dry_run else gone:
        registry.remove(version)
    if as_json:
        console.print_json({"removed": gone, "dry_run": dry_run, "kept": _without(registry.versions(), gone)})
        return
    for version in gone:
        click.echo(f"{'would be deleted' if dry_run else 'deleted'}: {version}")
    if not gone:
        click.echo("Nothing to delete.")


@click.command("activate")
@click.argument("version")
@console.json_option
def activate_command(version: str, as_json: bool) -> None:
    """Make VERSION the active model, better or not."""
    with audited(console.settings(), "activate", version):
        workspace_registry().activate(version)
    if as_json:
        console.print_json({"active": version})
    else:
        click.echo(f"Model {version} is active")


@click.command("rollback")
@console.json_option
def rollback_command(as_json: bool) -> None:
    """Make the model active again that was so before the present one."""
    with audited(console.settings(), "rollback") as noted:
        version = noted.subject = workspace_registry().rollback()
    if as_json:
        console.print_json({"active": version})
    else:
        click.echo(f"Model {version} is active again")


def _without(versions: list[str], gone: list[str]) -> list[str]:
    return [version for version in versions if version not in gone]


def _print_contest(found: Contest) -> None:
    titles = {
        "mean_average_precision": "mean average precision",
        "micro_f1": "micro F1",
        "macro_f1": "macro F1",
    }
    rows = [
        (titles[name], f"{of.first:.3f}", f"{of.second:.3f}", f"{of.difference:+.3f}", _interval(of))
        for name, of in found.figures.items()
    ]
    if rows:
        console.print_table(["", found.first, found.second, "difference", "95 % interval"], rows)
        click.echo(
            f"{found.n_posts} posts, {found.n_tags} tags; {found.known_to_first} were trained on by the first and "
            f"{found.known_to_second} by the second, which are judged on them out of fold"
        )
    if found.n_left_out:
        click.echo(
            f"{found.n_left_out} posts were left out: a model was trained on them or on near-duplicates of them"
        )
    click.echo(f"{found.verdict}: {found.reason}")


def _interval(of: Difference) -> str:
    return f"{of.low:+.3f} to {of.high:+.3f}"


COMMANDS: tuple[click.Command, ...] = (models_command, activate_command, rollback_command)
