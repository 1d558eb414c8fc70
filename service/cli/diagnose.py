"""The command ``diagnose``: what is wrong with a codebook, as far as annotations and the model can tell."""

from __future__ import annotations

from pathlib import Path

import click

from classifiers.bundle_documents import OutOfFold, read_out_of_fold
from classifiers.diagnostics import DiagnosticOptions, Diagnostics, diagnose
from classifiers.errors import ModelNotFoundError
from classifiers.registry import Registry
from classifiers.thresholds import ThresholdOptions
from service.cli import analysing, console
from service.cli.learning import labels_in_use
from service.cli.models import model_option
from service.settings import Settings
from service.tables import diagnostic_tables


@click.command("diagnose")
@console.labels_option
@model_option
@click.option(
    "--precision",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.8,
    show_default=True,
    help="The average precision wanted of every tag.",
)
@click.option(
    "--min-support",
    type=click.FloatRange(0),
    default=ThresholdOptions().min_support,
    show_default=True,
    help="A tag with fewer positive posts is not predicted.",
)
@analysing.seed_option
@analysing.folder_option
@console.json_option
def diagnose_command(
    labels: Path | None,
    model: Path | None,
    precision: float,
    min_support: float,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Look for tags that people confuse, that imply or exclude one another, that are unused or not learnt yet."""
    settings = console.settings()
    codebook = console.codebook(settings)
    annotations = labels_in_use(settings, labels, codebook)
    options = DiagnosticOptions(wanted_precision=precision, least_positives=min_support, seed=seed)
    found = diagnose(annotations, codebook, _out_of_fold(settings, model), options)
    if out is not None:
        analysing.write_tables(out, diagnostic_tables(found))
    if as_json:
        console.print_json(analysing.as_json(found))
    else:
        print_diagnostics(found)


def print_diagnostics(found: Diagnostics) -> None:
    """Print the findings for a person."""
    click.echo(f"{found.n_posts:,} labelled posts, {found.n_double:,} of them read by two or more")
    _print_confusions(found)
    _print_pairs(found)
    analysing.section("Tags that nobody gave")
    for unused in found.unused:
        click.echo(
            f"{unused.tag}: at most {analysing.percent(unused.share_high, 1)} of such posts may bear it"
        )
    if not found.unused:
        click.echo("None.")
    analysing.section("What tags need to be learnt")
    open_ones = [each for each in found.prospects if each.state != "learnt"]
    if open_ones:
        analysing.table(
            ["tag", "state", "positive posts", "AP", "more of them", "posts to annotate", "95 % interval"],
            [
                [
                    each.tag,
                    each.state,
                    f"{each.positives:g}",
                    console.figure(each.average_precision),
                    "-" if each.more_positives is None else f"{each.more_positives:,}",
                    "-" if each.more_posts is None else f"{each.more_posts:,}",
                    _interval(each.more_posts_low, each.more_posts_high),
                ]
                for each in open_ones
            ],
            len(open_ones),
        )
        for assumption in dict.fromkeys(each.assumption for each in open_ones):
            tags = [each.tag for each in open_ones if each.assumption == assumption]
            click.echo(f"{', '.join(tags)}: {assumption}")
        click.echo("Posts to annotate: if they are drawn at random; a queue finds rare tags with fewer.")
    else:
        click.echo("Every tag reaches the wanted precision.")


def _print_confusions(found: Diagnostics) -> None:
    analysing.section("Tags that people confuse")
    if not found.n_double:
        click.echo("No post has been read by two: there is nothing to tell them by.")
    elif not found.confusions:
        click.echo("None: nobody gave one tag where another gave another, twice or more.")
    else:
        analysing.table(
            ["tags", "swapped", "same words", "expected", "of those disputed", "95 % interval", "p"],
            [
                [
                    f"{each.first}, {each.second}",
                    f"{each.n_swapped:,}",
                    f"{each.n_same_words:,}",
                    console.figure(each.expected, 1),
                    analysing.percent(each.share),
                    analysing.between(each.low, each.high),
                    analysing.chance(each.p),
                ]
                for each in found.confusions
            ],
        )


def _print_pairs(found: Diagnostics) -> None:
    analysing.section("Tags that imply another")
    for each in found.implications:
        declared = ", as the codebook says" if each.declared else ""
        click.echo(
            f"{each.tag} => {each.implied}: {each.support} of {each.n_tag} posts "
            f"({analysing.between(each.low, each.high)} %){declared}"
        )
    if not found.implications:
        click.echo("None for sure.")
    analysing.section("Tags that exclude each other")
    for pair in found.exclusions:
        click.echo(
            f"{pair.first}, {pair.second}: together in {pair.n_both} posts, "
            f"{pair.expected:.1f} to be expected (p {analysing.chance(pair.p)})"
        )
    if not found.exclusions:
        click.echo("None for sure.")


def _interval(low: int | None, high: int | None) -> str:
    return "-" if low is None and high is None else f"{low:,} to {'?' if high is None else f'{high:,}'}"


def _out_of_fold(settings: Settings, model: Path | None) -> OutOfFold | None:
    registry = Registry(settings.workspace.models_path)
    try:
        return read_out_of_fold(model or registry.path(registry.active()))
    except ModelNotFoundError:
        return None


COMMANDS: tuple[click.Command, ...] = (diagnose_command,)
