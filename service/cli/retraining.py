"""The command that trains again and takes the model only if it is not worse."""

from __future__ import annotations

import sys

import click

from annotations.errors import StudioError
from classifiers.training import TrainingOptions
from service.audit import note
from service.cli import console
from service.cli.studio import push_suggestions
from service.retraining import ACTIVATED, FAILED, retrain


@click.command("retrain")
@click.option("--push", is_flag=True, help="Push the new model's suggestions to Label Studio.")
@click.option("--seed", type=int, default=0, show_default=True)
@console.json_option
def retrain_command(push: bool, seed: int, as_json: bool) -> None:
    """Train on the annotations pulled; activate the model unless it is worse than the active one.

    Both are compared on posts first annotated after the active model was trained. The service runs this by itself
    (TALKINGPOINTS_STUDIO_TRAIN_AFTER).
    """
    settings = console.settings()
    with console.ledger(settings) as ledger, console.progress("Fitting", "tags") as progress:
        found = retrain(settings, ledger, TrainingOptions(seed=seed), progress)
    if found.version is not None:
        note(settings, "activate", found.version)
    n_pushed = None
    if push and found.outcome == ACTIVATED:
        try:
            n_pushed = push_suggestions(settings)
        except StudioError as error:
            console.say(f"The suggestions were not pushed: {error}")
    if as_json:
        console.print_json(found.to_dict() | {"pushed": n_pushed})
    else:
        click.echo(f"{found.outcome}: {found.reason}")
        if found.comparison is not None:
            of = found.comparison
            click.echo(
                f"mean average precision {of.candidate:.3f} against {of.reference:.3f} on {of.n_posts} posts, "
                f"difference {of.difference:+.3f} ({console.figure(of.low, 3)} to {console.figure(of.high, 3)})"
            )
        if found.version is not None:
            click.echo(f"Model {found.version} is active")
    if found.outcome == FAILED:
        sys.exit(1)


COMMANDS: tuple[click.Command, ...] = (retrain_command,)
