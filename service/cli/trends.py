"""The command ``trends``: how often, since when, together with what, who first, and in which words."""

from __future__ import annotations

from pathlib import Path

import click

from classifiers.trends import TrendOptions, Trends, trends
from classifiers.trends.change_points import ChangeOptions, Unit
from classifiers.trends.timelines import NO_PERIOD, Period, Point
from service.cli import analysing, console
from service.cli.models import model_option
from service.tables import trend_tables

_PERIODS = 6


@click.command("trends")
@analysing.tags_table_option
@model_option
@analysing.period_option
@click.option(
    "--unit",
    type=click.Choice(["auto", "day", "week"]),
    default="auto",
    show_default=True,
    help="What is moved as a whole in the test for changes; auto: weeks where there are 20 or more.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="How often noise may be taken for a change, over all tags.",
)
@click.option("--examples", type=click.IntRange(1), default=3, show_default=True, help="A tag and period.")
@click.option(
    "--sources",
    type=click.IntRange(0),
    default=0,
    help="Chains of at least so many channels; 2 by default, 1 where there is one channel.",
)
@click.option(
    "--no-evidence", is_flag=True, help="Leave out similar sentences and examples, which take longest."
)
@analysing.seed_option
@analysing.folder_option
@console.json_option
def trends_command(
    table: Path | None,
    model: Path | None,
    period: Period,
    unit: Unit,
    alpha: float,
    examples: int,
    sources: int,
    no_evidence: bool,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Show how tags develop: lines, changes, tags that come together, chains of copies, examples.

    Shares are of what the classifier decided. Its errors are in them: they show the course, not the level.
    """
    settings = console.settings()
    options = TrendOptions(
        period=period,
        changes=ChangeOptions(alpha=alpha, unit=unit, seed=seed),
        n_examples=examples,
        least_sources=sources,
    )
    with console.ledger(settings) as ledger:
        given = analysing.tagged(settings, ledger, table, model)
        if given.scorer is None and not no_evidence:
            console.say(
                f"Model {given.corpus.model_version} is not at hand: no similar sentences, no examples"
            )
        with console.progress("Counting") as progress:
            found = trends(given.corpus, None if no_evidence else given.scorer, options, progress)
    analysing.say_left_out(given.corpus)
    if out is not None:
        analysing.write_tables(out, trend_tables(found))
    if as_json:
        console.print_json(analysing.as_json(found))
    else:
        print_trends(found)


def print_trends(found: Trends) -> None:
    """Print the trends for a person."""
    undated = f", {found.n_undated:,} of them without a date" if found.n_undated else ""
    click.echo(f"{found.n_posts:,} posts tagged by model {found.model_version}{undated}")
    _print_lines(found)
    analysing.section("Changes")
    if found.changes:
        analysing.table(
            ["tag", "from", "before", "95 % interval", "after", "95 % interval", "p"],
            [
                [
                    each.tag,
                    each.date,
                    analysing.percent(each.before),
                    analysing.between(each.before_low, each.before_high),
                    analysing.percent(each.after),
                    analysing.between(each.after_low, each.after_high),
                    analysing.chance(each.p),
                ]
                for each in found.changes
            ],
        )
    else:
        click.echo("None that noise would not make as well.")
    _print_pairs(found)
    _print_chains(found)
    _print_examples(found)


def _print_lines(found: Trends) -> None:
    everything = [point for point in found.timelines if point.by == "all"]
    periods = sorted({point.period for point in everything} - {NO_PERIOD})[-_PERIODS:] or [NO_PERIOD]
    at: dict[tuple[str, str], Point] = {(point.tag, point.period): point for point in everything}
    analysing.section("Share of posts decided yes (95 % interval in brackets)")
    n_posts = [f"{at[found.tag_ids[0], period].n_posts:,} posts" for period in periods]
    console.print_table(
        ["tag", *periods],
        [["", *n_posts]] + [[tag, *(_share(at[tag, period]) for period in periods)] for tag in found.tag_ids],
    )
    click.echo("Counts of decisions, with the classifier's errors in them: see docs/trends.md.")


def _share(point: Point) -> str:
    if point.share is None:
        return "-"
    return f"{analysing.percent(point.share)} ({analysing.between(point.low, point.high)})"


def _print_pairs(found: Trends) -> None:
    analysing.section("Tags that come together more or less often than by chance")
    sure = [pair for pair in found.pairs if pair.p < 0.05]
    if not sure:
        click.echo("None for sure.")
        return
    analysing.table(
        ["tags", "posts with both", "times as often as by chance", "95 % interval", "phi", "p"],
        [
            [
                f"{pair.first}, {pair.second}",
                f"{pair.n_both:,}",
                console.figure(pair.lift, 1),
                f"{pair.lift_low:.1f} to {pair.lift_high:.1f}",
                console.figure(pair.phi),
                analysing.chance(pair.p),
            ]
            for pair in sure
        ],
        10,
    )


def _print_chains(found: Trends, most: int = 8) -> None:
    analysing.section("Who said it first")
    for chain in found.chains[:most]:
        sources = f"{chain.n_sources} channel{'s' if chain.n_sources > 1 else ''}"
        click.echo(f"{', '.join(chain.tags)}: {chain.n_posts} posts in {sources} ({chain.kind})")
        click.echo(f"  “{analysing.shortened(chain.quote)}”")
        for step in chain.steps[:4]:
            origin = f", forwarded from {step.forwarded_from}" if step.forwarded_from else ""
            when = step.date[:16].replace("T", " ") if not step.hours else f"{_duration(step.hours)} later"
            click.echo(f"  {when}: {step.post_id}{origin}")
    if not found.chains:
        click.echo("No post with a tag came again elsewhere.")
    elif len(found.chains) > most:
        click.echo(f"... and {len(found.chains) - most:,} more (--out or --json has them all)")


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def _print_examples(found: Trends) -> None:
    if not found.exemplars:
        return
    last = max((each.period for each in found.exemplars if each.period != NO_PERIOD), default=NO_PERIOD)
    analysing.section(f"Sentences that stand for a tag, {last}")
    for each in found.exemplars:
        if each.period == last and each.rank == 1:
            click.echo(f"{each.tag}: “{analysing.shortened(each.quote, 160)}” ({each.post_id})")


COMMANDS: tuple[click.Command, ...] = (trends_command,)
