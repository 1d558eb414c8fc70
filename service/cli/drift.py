"""The command ``drift``: whether posts are still like those that the model was trained on, and what is new in them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from classifiers.drift import Drift, DriftInput, DriftOptions, PhraseOptions, Training, drift
from classifiers.errors import ModelNotFoundError
from classifiers.trends.timelines import Period
from service.cli import analysing, console
from service.cli.models import model_option
from service.tables import drift_tables


@click.command("drift")
@analysing.tags_table_option
@model_option
@console.labels_option
@analysing.period_option
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The first day of the posts in which phrases rise; by default 30 days before the last post.",
)
@click.option(
    "--least-posts", type=click.IntRange(2), default=5, show_default=True, help="With a phrase, since then."
)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Of phrases.")
@analysing.seed_option
@analysing.folder_option
@console.json_option
def drift_command(
    table: Path | None,
    model: Path | None,
    labels: Path | None,
    period: Period,
    since: datetime | None,
    least_posts: int,
    limit: int,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Compare posts with those that the model was trained on: scores, words, rising phrases, agreement."""
    settings = console.settings()
    phrases = PhraseOptions(since=since.date() if since else None, least_posts=least_posts, limit=limit)
    with console.ledger(settings) as ledger:
        given = analysing.tagged(settings, ledger, table, model)
        if given.bundle is None:
            raise ModelNotFoundError(
                f"model {given.corpus.model_version}, which gave the tags, is not in the workspace",
                where=str(table),
                hint="Name its bundle with --model: what it was trained on is in there.",
            )
        codebook = given.scorer.codebook if given.scorer else console.codebook(settings)
        with console.progress("Comparing") as progress:
            found = drift(
                DriftInput(
                    ledger=ledger,
                    corpus=given.corpus,
                    training=Training.of(given.bundle),
                    scorer=given.scorer,
                    annotations=analysing.labels_if_any(settings, ledger, labels, codebook),
                ),
                DriftOptions(period=period, phrases=phrases, seed=seed),
                progress,
            )
    analysing.say_left_out(given.corpus)
    if out is not None:
        analysing.write_tables(out, drift_tables(found))
    if as_json:
        console.print_json(analysing.as_json(found))
    else:
        print_drift(found)


def print_drift(found: Drift) -> None:
    """Print the drift for a person."""
    click.echo(
        f"{found.n_posts:,} posts tagged by model {found.model_version}, {found.n_training:,} of them trained on"
    )
    for note in found.notes:
        click.echo(f"Note: {note}")
    _print_scores(found)
    _print_words(found)
    analysing.section(f"Phrases that rise since {found.since} and that no tag explains")
    if found.phrases:
        analysing.table(
            ["phrase", "posts", "share", "before", "z", "p", "unexplained", "for example"],
            [
                [
                    each.phrase,
                    f"{each.n_late:,}",
                    analysing.percent(each.late_share, 1),
                    analysing.percent(each.early_share, 1),
                    console.figure(each.z, 1),
                    analysing.chance(each.p),
                    analysing.percent(each.unexplained),
                    each.post_ids[0],
                ]
                for each in found.phrases
            ],
        )
    else:
        click.echo("None for sure.")
    if found.agreement:
        analysing.section("Agreement, by the dates of annotations")
        console.print_table(
            ["period", "posts", "alpha", "95 % interval", "alpha over whole posts"],
            [
                [
                    each.period,
                    f"{each.n_posts:,}",
                    console.figure(each.alpha),
                    f"{console.figure(each.alpha_low)} to {console.figure(each.alpha_high)}",
                    console.figure(each.masi_alpha),
                ]
                for each in found.agreement
            ],
        )


def _print_scores(found: Drift) -> None:
    analysing.section("Scores")
    drifted = [shift for shift in found.scores if shift.drifted]
    if not found.scores:
        click.echo("Nothing to compare: no post has a date that was not trained on.")
    elif not drifted:
        click.echo("No tag's scores differ from training, or from earlier periods, by more than noise.")
    else:
        analysing.table(
            ["tag", "period", "beside", "posts", "mean", "there", "PSI", "noise", "p"],
            [
                [
                    each.tag,
                    each.period,
                    each.reference,
                    f"{each.n_posts:,}",
                    console.figure(each.mean),
                    console.figure(each.mean_reference),
                    console.figure(each.psi),
                    console.figure(each.psi_noise),
                    analysing.chance(each.p),
                ]
                for each in sorted(drifted, key=lambda each: -each.psi)
            ],
        )


def _print_words(found: Drift) -> None:
    if not found.vocabulary:
        return
    analysing.section("Words")
    console.print_table(
        ["period", "posts", "unknown words", "expected", "divergence (bits)", "noise", "p"],
        [
            [
                each.period,
                f"{each.n_posts:,}",
                analysing.percent(each.unknown, 1),
                analysing.percent(each.unknown_expected, 1),
                console.figure(each.divergence, 3),
                console.figure(each.divergence_noise, 3),
                analysing.chance(each.p),
            ]
            for each in found.vocabulary
        ],
    )


COMMANDS: tuple[click.Command, ...] = (drift_command,)
