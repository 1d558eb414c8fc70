"""Commands around Label Studio: studio up, down and logins, push, pull."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from annotations.labels import write_labels
from annotations.ledger.studio import stored_annotations
from annotations.ledger.suggestions import BLIND_SHARE
from annotations.studio.accounts import create_accounts
from annotations.studio.credentials import Credentials, read_credentials
from annotations.studio.leftovers import remove_leftover_exports
from annotations.studio.predictions import push_predictions
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.pull import PullOptions, PullReport, pull
from annotations.studio.push import PushOptions, PushReport, push
from annotations.studio.server import RunningStudio
from classifiers.errors import ModelNotFoundError
from service.cli import console, studio_connection
from service.cli.models import chosen_scorer
from service.cli.studio_connection import share_option, try_to_connect
from service.erasing import carry_out
from service.settings import Settings
from service.studio_access import local_studio, studio
from service.suggesting import model_answers, suggester

_SHOWN_PROBLEMS = 20


def start(settings: Settings, annotators: Sequence[str]) -> tuple[RunningStudio, Credentials]:
    """Start the local Label Studio and make the annotators' accounts; say what takes long."""
    local = local_studio(settings)
    if local.running() is None:
        console.say("Starting Label Studio (the first start prepares its database: half a minute) ...")
    with console.progress("Starting", "s") as progress:
        running = local.up(progress)
    return running, create_accounts(running, settings.workspace.studio_path, annotators)


def print_logins(credentials: Credentials) -> None:
    """Print who can log in, with passwords."""
    rows = [[each.name, each.email, each.password] for each in (credentials.admin, *credentials.annotators)]
    console.print_table(["who", "login", "password"], rows)


@click.group("studio")
def studio_group() -> None:
    """The local Label Studio: start it, stop it, show its logins."""


@studio_group.command("up")
@click.option(
    "--annotator", "annotators", multiple=True, help="Make an account of this name (may be repeated)."
)
@click.option("--title", help="The project's title; the codebook's by default.")
@click.option(
    "--overlap", type=click.IntRange(min=1), default=1, show_default=True, help="Annotators a post."
)
@click.option(
    "--show-predictions", is_flag=True, help="Show annotators suggestions, ticked (they lead them)."
)
@share_option
@click.option("--new-project", is_flag=True, help="Make another project even if there is one.")
@click.option("--no-connect", is_flag=True, help="Leave the service unconnected.")
def up(
    annotators: tuple[str, ...],
    title: str | None,
    overlap: int,
    show_predictions: bool,
    blind_share: float | None,
    new_project: bool,
    no_connect: bool,
) -> None:
    """Start Label Studio with a project made from the codebook.

    With TALKINGPOINTS_STUDIO_URL set, nothing is started: the project is made there.
    """
    settings = console.settings()
    codebook = console.codebook(settings)
    options = ProjectOptions(
        title=title,
        overlap=overlap,
        show_predictions=show_predictions,
        blind_share=BLIND_SHARE if blind_share is None else blind_share,
        new_project=new_project,
    )
    if settings.studio_url is None:
        start(settings, annotators)
    elif annotators:
        raise click.UsageError(
            "Accounts can only be made in the local Label Studio; invite people there instead."
        )
    with console.ledger(settings) as ledger, studio(settings) as connected:
        project = ensure_project(ledger, connected.client, codebook, options)
        click.echo(f"Label Studio: {connected.client.url}/projects/{project.project_id}/data?labeling=1")
        if not no_connect:
            console.say(try_to_connect(settings, ledger, connected))
    if settings.studio_url is None:
        click.echo("Logins: talkingpoints studio logins; stop it: talkingpoints studio down")


@studio_group.command("down")
def down() -> None:
    """Stop the local Label Studio."""
    stopped = local_studio(console.settings()).down()
    click.echo("Label Studio is stopped" if stopped else "The local Label Studio was not running")


@studio_group.command("logins")
def logins() -> None:
    """Show the logins of the local Label Studio, with passwords."""
    credentials = read_credentials(console.settings().workspace.studio_path)
    if credentials is None:
        click.echo("There is no local Label Studio yet: talkingpoints studio up")
    else:
        print_logins(credentials)


@click.command("push")
@click.option("--limit", type=click.IntRange(min=1), help="Push at most this many posts.")
@click.option("--dry-run", is_flag=True, help="Only say what would be pushed.")
@click.option("--with-duplicates", is_flag=True, help="Push posts with the text of an earlier one too.")
@click.option("--resurrect", is_flag=True, help="Push posts again whose tasks were deleted in Label Studio.")
@click.option("--all", "everything", is_flag=True, help="Push the posts that are in no sample too, last.")
@click.option(
    "--requeue", is_flag=True, help="Make the tasks that nobody has worked on again, in the queue's order."
)
@click.option("--no-predictions", is_flag=True, help="Leave suggestions out.")
@console.json_option
def push_command(
    limit: int | None,
    dry_run: bool,
    with_duplicates: bool,
    resurrect: bool,
    everything: bool,
    requeue: bool,
    no_predictions: bool,
    as_json: bool,
) -> None:
    """Send the posts that are not in Label Studio yet, and suggestions for them. May be repeated.

    Where `sample` has chosen posts, those are sent, in its order, in which Label Studio then serves them.
    """
    settings = console.settings()
    options = PushOptions(
        limit=limit,
        dry_run=dry_run,
        include_duplicates=with_duplicates,
        resurrect=resurrect,
        everything=everything,
        requeue=requeue,
    )
    with console.ledger(settings) as ledger, studio(settings) as connected:
        project = connected.project(ledger)
        carry_out(settings, ledger, connected.client)
        with console.progress("Pushing") as progress:
            report = push(ledger, connected.client, project, options, progress)
    n_predictions = 0 if dry_run or no_predictions else push_suggestions(settings)
    if as_json:
        console.print_json({**asdict(report), "predictions": n_predictions})
    else:
        print_push(report)
        if not dry_run and not no_predictions:
            click.echo(f"{n_predictions:,} suggestions pushed")


def push_suggestions(settings: Settings) -> int:
    """Push suggestions for posts that have a task, the active model's or those of the cues; return how many."""
    codebook = console.codebook(settings)
    try:
        scorer = chosen_scorer(settings, None)
    except ModelNotFoundError:
        scorer = None
    with console.ledger(settings) as ledger, studio(settings) as connected:
        project = connected.project(ledger)
        with console.progress("Suggestions") as progress:
            answers = model_answers(ledger, suggester(scorer, codebook))
            return push_predictions(ledger, connected.client, project, answers, progress)


def print_push(report: PushReport) -> None:
    """Print what a push did, or would do."""
    did = "would be pushed" if report.dry_run else "pushed"
    parts = [f"{report.pushed:,} posts {did}", f"{report.already_there:,} already there"]
    others = {
        "duplicates left out": report.duplicates,
        "deleted in Label Studio and left so": report.deleted_there,
        "found again after an interrupted run": report.recovered,
        "unread tasks deleted to be made again in order": report.cleared,
        "tasks with an old text replaced": report.replaced,
        "tasks with an old text kept, since they are annotated": report.kept_old,
    }
    click.echo(", ".join(parts + [f"{count:,} {what}" for what, count in others.items() if count]))


@click.command("pull")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Also write the labels to this labels.jsonl file."
)
@click.option("--pseudonyms", is_flag=True, help="Name annotators annotator-1, annotator-2, ... in --out.")
@click.option("--full", is_flag=True, help="Compare everything, not only what has changed.")
@click.option(
    "--accept-deletions", is_flag=True, help="Accept that many annotations are gone from Label Studio."
)
@console.json_option
def pull_command(
    out: Path | None, pseudonyms: bool, full: bool, accept_deletions: bool, as_json: bool
) -> None:
    """Fetch annotations from Label Studio: what is new, changed or deleted since the last time."""
    settings = console.settings()
    codebook = console.codebook(settings)
    with console.ledger(settings) as ledger, studio(settings) as connected:
        options = PullOptions(
            codebook=codebook, full=full, accept_deletions=accept_deletions, names=connected.names
        )
        carry_out(settings, ledger, connected.client)
        with console.progress("Pulling", "annotations") as progress:
            report = pull(ledger, connected.client, connected.project(ledger), options, progress)
        if settings.studio_url is None:
            remove_leftover_exports(settings.workspace.studio_path)
        n_written = (
            None if out is None else write_labels(out, stored_annotations(ledger, pseudonyms=pseudonyms))
        )
    if as_json:
        console.print_json({**asdict(report), "written": n_written})
    else:
        print_pull(report)
        if out is not None:
            click.echo(f"{n_written:,} annotations written to {out}")


def print_pull(report: PullReport) -> None:
    """Print what a pull did."""
    click.echo(
        f"{report.new:,} new, {report.updated:,} updated, {report.unchanged:,} unchanged, "
        f"{report.deleted:,} deleted annotations"
        + (f"; {report.tasks_deleted:,} tasks deleted" if report.tasks_deleted else "")
        + (f"; {report.foreign_tasks:,} tasks that are not ours" if report.foreign_tasks else "")
    )
    for problem in report.problems[:_SHOWN_PROBLEMS]:
        click.echo(f"  {problem}", file=sys.stderr)
    if len(report.problems) > _SHOWN_PROBLEMS:
        click.echo(f"  and {len(report.problems) - _SHOWN_PROBLEMS:,} more", file=sys.stderr)


for _command in studio_connection.COMMANDS:
    studio_group.add_command(_command)

COMMANDS: tuple[click.Command, ...] = (studio_group, push_command, pull_command)
