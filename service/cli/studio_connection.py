"""Commands under ``studio`` about suggestions and the connection to our service."""

from __future__ import annotations

from dataclasses import asdict, replace

import click

from annotations.errors import TalkingPointsError
from annotations.ledger.store import Ledger
from annotations.ledger.suggestions import switch
from annotations.studio.switching import turn
from service.cli import console
from service.settings import Settings
from service.studio_access import Studio, studio

share_option = click.option(
    "--blind-share",
    type=click.FloatRange(0, 1),
    help="Share of the posts that never get a suggestion, chosen at random for good (0.2 by default).",
)


@click.command("suggestions")
@click.argument("state", required=False, type=click.Choice(["on", "off"]))
@share_option
@click.option("--seed", type=int, help="Of the choice of blind posts; 0 by default.")
@console.json_option
def suggestions(state: str | None, blind_share: float | None, seed: int | None, as_json: bool) -> None:
    """Show annotators suggestions (on), hide them (off), or say how it is.

    Before there is a model, suggestions are the tags whose cue phrases stand in the post. A new share holds for
    posts that are pushed from now on: those that are blind stay so.
    """
    settings = console.settings()
    with console.ledger(settings) as ledger, studio(settings) as connected:
        project = connected.project(ledger)
        now = switch(ledger, project.key)
        wanted = replace(
            now,
            shown=now.shown if state is None else state == "on",
            blind_share=now.blind_share if blind_share is None else blind_share,
            seed=now.seed if seed is None else seed,
        )
        if wanted != now:
            now = turn(ledger, connected.client, project, wanted)
    if as_json:
        console.print_json(asdict(now))
    else:
        click.echo(
            f"Suggestions are {'on' if now.shown else 'off'}; {now.blind_share:.0%} of the posts are blind"
        )


@click.command("connect")
def connect_command() -> None:
    """Make the service the ML backend of the project, so that Label Studio asks it and tells it of changes."""
    settings = console.settings()
    with console.ledger(settings) as ledger, studio(settings) as connected:
        click.echo(connect(settings, ledger, connected))


def connect(settings: Settings, ledger: Ledger, connected: Studio) -> str:
    """Connect the service and return what was done, in a sentence."""
    from service.cli.serving import answering  # noqa: PLC0415 - only this needs the HTTP service
    from service.studio_connecting import connect_service  # noqa: PLC0415

    row = connect_service(settings, ledger, connected, answering)
    return f"Label Studio asks the service at {row.url} (start it: talkingpoints serve)"


def try_to_connect(settings: Settings, ledger: Ledger, connected: Studio) -> str:
    """Connect the service; where that fails, say why: everything else works without it."""
    try:
        return connect(settings, ledger, connected)
    except TalkingPointsError as error:
        return f"The service is not connected to Label Studio: {error}"


COMMANDS: tuple[click.Command, ...] = (suggestions, connect_command)
