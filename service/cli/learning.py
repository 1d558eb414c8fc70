"""The command from labels to a model: train."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack, get_args

import click

from annotations.codebook import Codebook
from annotations.errors import LabelsError
from annotations.labels import read_labels
from annotations.ledger.studio import stored_annotations
from annotations.records import Annotation
from classifiers.dataset import Dataset
from classifiers.learning_curve import CurveOptions, learning_curve
from classifiers.registry import Registry
from classifiers.thresholds import Policy, ThresholdOptions
from classifiers.training import TrainingOptions, train
from service.activation import Activate, NewModel, Stored, store
from service.audit import note
from service.cli import console
from service.settings import Settings

labels_option = console.labels_option
scheduler_option = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Train on the workers of a Dask scheduler, such as tcp://127.0.0.1:8786.",
)


def workers_of(scheduler: str | None) -> AbstractContextManager[None]:
    """Have what is done in parallel done by the workers of a scheduler, if one is named."""
    if scheduler is None:
        return nullcontext()
    from classifiers.dask_cluster import on_cluster  # noqa: PLC0415 - slow to import, and rarely wanted

    return on_cluster(scheduler)


def labels_in_use(settings: Settings, file: Path | None, codebook: Codebook) -> list[Annotation]:
    """Read the labels of a file, or those of the ledger that were made on the posts' present texts.

    Raises
    ------
    LabelsError
        The file has errors, or nothing has been pulled yet.
    """
    known = [tag.id for tag in codebook.tags]
    if file is not None:
        try:
            return read_labels(file, known)
        except LabelsError as error:
            raise console.naming_codebook(error, settings) from error
    with console.ledger(settings) as ledger:
        found = stored_annotations(ledger)
    if not found:
        raise LabelsError(
            "there are no annotations in the ledger",
            hint="Fetch them with `talkingpoints pull`, or name a file with --labels.",
        )
    return found


def train_and_activate(settings: Settings, annotations: list[Annotation], options: TrainingOptions) -> str:
    """Train on all annotations, store the bundle in the workspace, make it the active model, return its version."""
    registry = Registry(settings.workspace.models_path)
    return store(registry, fit(settings, annotations, options), "yes").version


def fit(
    settings: Settings, annotations: list[Annotation], options: TrainingOptions, *, with_curve: bool = False
) -> NewModel:
    """Train on all annotations; ``with_curve`` measures a learning curve too, which costs 25 trainings more."""
    codebook = console.codebook(settings)
    dataset = Dataset.from_annotations(annotations, codebook)
    console.say(f"Training on {len(dataset):,} posts, {len(dataset.tag_ids)} tags ...")
    with console.progress("Fitting", "models") as progress:
        trained = train(dataset, codebook, options, progress)
    if not with_curve:
        return NewModel(trained, dataset)
    curve_options = CurveOptions(training=replace(options, n_folds=3), n_repeats=1)
    with console.progress("Learning curve", "models") as progress:
        return NewModel(trained, dataset, learning_curve(dataset, codebook, curve_options, progress))


class _Thresholds(TypedDict):
    """The options of the policy of decisions, see ThresholdOptions."""

    policy: Policy
    floor: float
    false_yes_cost: float
    abstain_margin: float
    min_support: float


@click.command("train")
@labels_option
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the bundle there instead of activating it."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes; the result is the same.")
@scheduler_option
@click.option(
    "--policy",
    type=click.Choice(get_args(Policy)),
    default="best-f1",
    show_default=True,
    help="How thresholds are chosen: best F1, a floor of precision or recall, or the cost of errors.",
)
@click.option(
    "--floor",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.8,
    show_default=True,
    help="The least precision or recall.",
)
@click.option(
    "--false-yes-cost",
    type=click.FloatRange(0, 1e6, min_open=True),
    default=1.0,
    show_default=True,
    help="What a false yes costs beside a false no.",
)
@click.option(
    "--abstain-margin",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Abstain where the score is nearer than this to the threshold.",
)
@click.option(
    "--min-support",
    type=click.FloatRange(1),
    default=5.0,
    show_default=True,
    help="A tag with fewer positive posts is not predicted.",
)
@click.option(
    "--activate",
    type=click.Choice(get_args(Activate)),
    default="auto",
    show_default=True,
    help="auto: unless it is worse than the active model on these labels, out of fold.",
)
@click.option(
    "--learning-curve", "with_curve", is_flag=True, help="Measure one for the card: 25 trainings more."
)
@console.json_option
def train_command(
    labels: Path | None,
    out: Path | None,
    seed: int,
    jobs: int,
    scheduler: str | None,
    activate: Activate,
    with_curve: bool,
    as_json: bool,
    **thresholds: Unpack[_Thresholds],
) -> None:
    """Train a model on all labels, with its cards; it becomes the active one, or is written to --out.

    A first model becomes active. Later ones do unless they are worse than the active one: see --activate.
    """
    settings = console.settings()
    annotations = labels_in_use(settings, labels, console.codebook(settings))
    options = TrainingOptions(seed=seed, n_jobs=jobs, thresholds=ThresholdOptions(**thresholds))
    with workers_of(scheduler):
        made = fit(settings, annotations, options, with_curve=with_curve)
    if out is not None:
        version = made.write(out)
        if as_json:
            console.print_json({"version": version, "active": False, "path": str(out)})
        else:
            click.echo(f"Model {version} written to {out}")
        return
    with console.progress("Comparing", "samples") as progress:
        stored = store(Registry(settings.workspace.models_path), made, activate, progress)
    if stored.active:
        note(settings, "activate", stored.version)
    if as_json:
        console.print_json(stored.to_dict())
    else:
        _print_stored(stored)


def _print_stored(stored: Stored) -> None:
    if stored.active:
        click.echo(f"Model {stored.version} is active")
        if stored.contest:
            click.echo(stored.reason)
    else:
        click.echo(f"Model {stored.version} is stored, not active. {stored.reason}")
        click.echo(f"To use it all the same: talkingpoints activate {stored.version}")


COMMANDS: tuple[click.Command, ...] = (train_command,)
