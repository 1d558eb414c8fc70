"""The command ``prevalence``: which share of posts bears each tag, corrected for the model's errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack, get_args

import click

from annotations.files import atomic_text
from annotations.ledger.samples import StoredSample, first_annotated, stored_samples
from classifiers.errors import DatasetError
from classifiers.prevalence.estimating import ALL, By, Request, Verdicts, estimate
from classifiers.prevalence.figures import Estimator, PrevalenceReport, Share
from classifiers.prevalence.tagged import TaggedPosts, ledger_posts, read_tags_table, with_ledger
from service.cli import analysing, console
from service.cli.models import chosen_scorer, model_option
from service.settings import Settings
from service.shares import Labelling, bundle_of, corrected
from service.tables import Table

_SHOWN = 5


class _Ways(TypedDict):
    """What is estimated, and how."""

    by: By | None
    chosen: tuple[str, ...]
    tags: tuple[str, ...]
    want_width: float | None


class _Sources(TypedDict):
    """From what."""

    tags_table: Path | None
    labels: Path | None
    sample: int | None
    drawn: bool
    model: Path | None


@click.command("prevalence")
@click.option("--by", type=click.Choice(get_args(By)), help="Also for every month, channel or language.")
@click.option("--tag", "tags", multiple=True, help="Only this tag (may be repeated).")
@click.option(
    "--tags-table",
    type=click.Path(path_type=Path),
    help="The tags of all posts, as `tag` writes them; without it the active model tags the ledger's posts.",
)
@console.labels_option
@click.option("--sample", type=click.IntRange(1), help="Use the random posts of this sample alone.")
@click.option(
    "--labels-are-random",
    "drawn",
    is_flag=True,
    help="The labelled posts are a simple random sample of all posts: no sample of the ledger is asked.",
)
@click.option(
    "--estimator",
    "chosen",
    type=click.Choice([*(each.value for each in Estimator), "all"]),
    multiple=True,
    default=(Estimator.ASSISTED.value,),
    show_default=True,
    help="How to estimate (may be repeated).",
)
@click.option(
    "--want-width",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Say how many random posts would make intervals so wide, e.g. 0.05.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write all rows to this CSV file.")
@model_option
@console.json_option
def prevalence_command(
    by: By | None,
    chosen: tuple[str, ...],
    tags: tuple[str, ...],
    want_width: float | None,
    out: Path | None,
    as_json: bool,
    **sources: Unpack[_Sources],
) -> None:
    """Estimate which share of all posts bears each tag, with intervals.

    The model's scores of all posts are corrected by the labels of posts drawn at random, so that its errors do
    not bias the share. docs/prevalence.md says how, and why counting decisions is wrong.
    """
    settings = console.settings()
    tagged, verdicts, warnings = _material(settings, sources)
    if unknown := sorted(set(tags) - set(tagged.tag_ids)):
        raise click.UsageError(f"no tag '{unknown[0]}'; there are {', '.join(tagged.tag_ids)}")
    request = Request(by=by, chosen=_estimators(chosen), tags=tags, want_width=want_width)
    report = estimate(tagged, verdicts, request)
    report = replace(report, warnings=(*report.warnings, *warnings))
    if out is not None:
        with atomic_text(out) as stream:
            Table(tuple(Share.__dataclass_fields__), report.to_rows()).dump(stream)
    if as_json:
        console.print_json(report.to_dict())
    else:
        print_prevalence(report)


def _estimators(chosen: tuple[str, ...]) -> tuple[Estimator, ...]:
    if "all" in chosen:
        return tuple(Estimator)
    return tuple(dict.fromkeys(Estimator(name) for name in chosen))


def _material(settings: Settings, sources: _Sources) -> tuple[TaggedPosts, Verdicts, list[str]]:
    """Return the posts with scores of models that had not seen them, the verdicts, and warnings."""
    codebook = console.codebook(settings)
    with console.ledger(settings) as ledger, console.progress("Tagging") as progress:
        if sources["tags_table"] is not None:
            tagged = with_ledger(read_tags_table(sources["tags_table"]), ledger)
        else:
            tagged = ledger_posts(ledger, chosen_scorer(settings, sources["model"]), progress)
        samples, annotated = stored_samples(ledger), first_annotated(ledger)
        # None where nothing has been pulled, which still leaves the model's counts.
        annotations = analysing.labels_if_any(settings, ledger, sources["labels"], codebook)
    if not len(tagged):
        raise DatasetError("there are no posts", hint="Import some: talkingpoints import FILE.")
    _check_sample(samples, sources["sample"])
    known = Labelling(
        annotations=annotations,
        codebook=codebook,
        samples=samples,
        first_annotated=annotated,
        sample=sources["sample"],
        drawn=sources["drawn"],
    )
    bundle = bundle_of(settings, tagged.model_version, sources["model"])
    return corrected(tagged, known, bundle)


def _check_sample(samples: list[StoredSample], number: int | None) -> None:
    if number is not None and number not in {each.number for each in samples}:
        known = ", ".join(str(each.number) for each in samples) or "none"
        raise DatasetError(f"there is no sample {number}", hint=f"Samples of the ledger: {known}.")


def print_prevalence(report: PrevalenceReport) -> None:
    """Print the shares as a table, then what one must know of them."""
    header = [
        "tag",
        "posts",
        "labels",
        "tagged",
        "share",
        f"{report.level:.0%} interval",
        "decided yes",
        "estimator",
    ]
    parts = dict.fromkeys(each.part for each in report.shares)
    for part in parts:
        if len(parts) > 1:
            click.echo(f"\n{part}" if part != ALL else part)
        console.print_table(header, [_cells(each) for each in report.shares if each.part == part])
    notes: dict[str, dict[str, None]] = {}
    for each in report.shares:
        if each.note:
            where = each.tag if each.part == ALL else f"{each.tag} in {each.part}"
            notes.setdefault(each.note, {})[where] = None
    click.echo("")
    if any(not each.is_valid for each in report.shares):
        click.echo("* indicative: no interval that holds by the design of a sample")
    for note, named in notes.items():
        places = list(named)
        shown = ", ".join(places[:_SHOWN]) + (
            f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        )
        click.echo(f"{shown}: {note}")
    if report.planned:
        click.echo("")
        rows = [[each.tag, analysing.percent(each.share, 1), f"{each.n_random:,}"] for each in report.planned]
        console.print_table(
            ["tag", "expected share", f"random posts for a width of {report.planned[0].width:g}"], rows
        )
    for warning in report.warnings:
        console.say(f"Warning: {warning}")


def _cells(of: Share) -> list[str]:
    interval = "-" if of.low is None or of.high is None else f"{100 * of.low:.1f} to {100 * of.high:.1f} %"
    return [
        of.tag,
        f"{of.n_posts:,}",
        f"{of.n_labels:,}",
        f"{of.n_positive:,}",
        analysing.percent(of.share, 1),
        interval,
        analysing.percent(of.counted, 1),
        str(of.estimator) + ("" if of.is_valid else " *"),
    ]


COMMANDS: tuple[click.Command, ...] = (prevalence_command,)
