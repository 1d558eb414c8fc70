"""Commands of the queue: sample, learning-curve."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from classifiers.dataset import Dataset
from classifiers.errors import ModelNotFoundError
from classifiers.learning_curve import CurveOptions, LearningCurve, learning_curve
from classifiers.queueing import Sample, SampleRequest, make_sample, record
from classifiers.sampling import DEFAULT_SHARES, Quota
from classifiers.scorer import Scorer
from classifiers.training import TrainingOptions
from service.cli import console
from service.cli.learning import labels_in_use, labels_option
from service.cli.models import chosen_scorer
from service.settings import Settings

_SHARE = click.FloatRange(min=0)


class _Overlap(click.ParamType):  # type: ignore[type-arg]
    """``SHARE:ANNOTATORS``, e.g. ``0.2:2``."""

    name = "share:annotators"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, int]:
        share, _, annotators = str(value).partition(":")
        try:
            found = float(share), int(annotators)
        except ValueError:
            self.fail(f"'{value}' is not SHARE:ANNOTATORS, such as 0.2:2", param, ctx)
        if not (0 < found[0] <= 1 and found[1] >= 2):
            self.fail("the share is above 0 and at most 1, the annotators are 2 or more", param, ctx)
        return found


@click.command("sample")
@click.option("--size", type=click.IntRange(min=1), required=True, help="How many posts.")
@click.option(
    "--uncertain",
    type=_SHARE,
    default=DEFAULT_SHARES[Quota.UNCERTAIN],
    show_default=True,
    help="Share of uncertain posts.",
)
@click.option(
    "--diverse",
    type=_SHARE,
    default=DEFAULT_SHARES[Quota.DIVERSE],
    show_default=True,
    help="Share of diverse posts.",
)
@click.option(
    "--random",
    "drawn",
    type=_SHARE,
    default=DEFAULT_SHARES[Quota.RANDOM],
    show_default=True,
    help="Share of random posts.",
)
@click.option(
    "--overlap",
    "overlaps",
    type=_Overlap(),
    multiple=True,
    help="Which share is read by how many annotators, e.g. 0.2:2 (may be repeated); the rest by one.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--candidates",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    help="Look for uncertain and diverse posts among so many, a random part of the pool.",
)
@click.option("--dry-run", is_flag=True, help="Only show the choice; nothing is recorded.")
@console.json_option
def sample_command(
    size: int,
    uncertain: float,
    diverse: float,
    drawn: float,
    overlaps: tuple[tuple[float, int], ...],
    seed: int,
    candidates: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Choose which posts to annotate next and put them into the queue that `push` follows.

    Posts that were annotated or chosen before, and near-duplicates of them, are left out.
    """
    if uncertain + diverse + drawn <= 0:
        raise click.UsageError("one of --uncertain, --diverse and --random must be above 0")
    if sum(share for share, _ in overlaps) > 1 or len({each for _, each in overlaps}) < len(overlaps):
        raise click.UsageError("the shares of --overlap add up to 1 at most, each for other annotators")
    request = SampleRequest(
        size=size,
        shares={Quota.UNCERTAIN: uncertain, Quota.DIVERSE: diverse, Quota.RANDOM: drawn},
        overlaps={annotators: share for share, annotators in overlaps},
        seed=seed,
        n_candidates=candidates,
    )
    settings = console.settings()
    scorer = _scorer(settings)
    with console.ledger(settings) as ledger:
        with console.progress("Looking") as progress:
            sample = make_sample(ledger, console.codebook(settings), scorer, request, progress)
        if not dry_run and sample.posts:
            sample = record(ledger, sample)
    if as_json:
        console.print_json(_as_dict(sample))
    else:
        _print_sample(sample, size)


def _scorer(settings: Settings) -> Scorer | None:
    try:
        return chosen_scorer(settings, None)
    except ModelNotFoundError:
        return None


def _as_dict(sample: Sample) -> dict[str, Any]:
    return {
        "sample": sample.number,
        **asdict(sample.record),
        "posts": [asdict(each) for each in sample.posts],
    }


def _print_sample(sample: Sample, asked: int) -> None:
    if not sample.posts:
        click.echo(
            "Nothing to choose from: every post was annotated or chosen before, or is nearly the same."
        )
        return
    quotas = Counter(each.quota for each in sample.posts)
    overlaps = Counter(each.overlap for each in sample.posts if each.overlap > 1)
    named = ", ".join(f"{quotas[quota]:,} {quota}" for quota in Quota if quotas[quota])
    title = "Sample (not recorded)" if sample.number is None else f"Sample {sample.number}"
    click.echo(f"{title}: {len(sample.posts):,} posts ({named}) of {sample.record.n_pool:,} different ones")
    if sample.record.model_version is None:
        click.echo("No model is active: uncertain posts are those with a cue of the codebook.")
    for annotators, count in sorted(overlaps.items()):
        click.echo(f"{count:,} posts are to be read by {annotators} annotators")
    if len(sample.posts) < asked:
        click.echo(f"The pool has no more: {asked:,} were asked for.")
    if sample.number is not None:
        click.echo("Send them to Label Studio in this order: talkingpoints push")


@click.command("learning-curve")
@labels_option
@click.option("--more", type=click.IntRange(min=1), default=100, show_default=True, help="Posts to add.")
@click.option(
    "--worthwhile",
    type=click.FloatRange(min=0, max=1),
    default=0.01,
    show_default=True,
    help="The gain in mean average precision for which you would annotate them.",
)
@click.option("--repeats", type=click.IntRange(min=1), default=2, show_default=True, help="Of the folds.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes; the result is the same.")
@console.json_option
def learning_curve_command(
    labels: Path | None, more: int, worthwhile: float, repeats: int, seed: int, jobs: int, as_json: bool
) -> None:
    """Estimate what more annotations would bring, and say whether to go on."""
    settings = console.settings()
    codebook = console.codebook(settings)
    dataset = Dataset.from_annotations(labels_in_use(settings, labels, codebook), codebook)
    options = CurveOptions(
        training=TrainingOptions(seed=seed, n_jobs=jobs, n_folds=3),
        more=more,
        worthwhile=worthwhile,
        n_repeats=repeats,
    )
    with console.progress("Training", "models") as progress:
        curve = learning_curve(dataset, codebook, options, progress)
    if as_json:
        console.print_json(curve.to_dict())
    else:
        _print_curve(curve)


def _print_curve(curve: LearningCurve) -> None:
    rows = [
        [str(size), console.figure(score, 3)] for size, score in zip(curve.sizes, curve.scores, strict=True)
    ]
    console.print_table(["posts in training", "mean average precision"], rows)
    click.echo(
        f"{curve.more} more posts would bring {curve.gain:+.3f} "
        f"(95 % interval {curve.gain_low:+.3f} to {curve.gain_high:+.3f})"
    )
    click.echo(curve.advice)


COMMANDS: tuple[click.Command, ...] = (sample_command, learning_curve_command)
