"""The command ``agreement``: how far annotators agree, from labels.jsonl, the ledger or a Label Studio export."""

from __future__ import annotations

from pathlib import Path

import click

from annotations.agreement import AgreementReport, Bootstrap, Estimate, GroupAgreement, measure, readings_of
from annotations.exported_labels import is_export, read_export
from service.cli import console
from service.cli.learning import labels_in_use


@click.command("agreement")
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="A labels.jsonl file or a JSON export of Label Studio; without it the annotations pulled into the ledger.",
)
@click.option(
    "--min-uses", type=click.IntRange(0), default=0, help="Leave out tags that fewer annotations bear."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the resampling.")
@console.json_option
def agreement_command(labels: Path | None, min_uses: int, seed: int, as_json: bool) -> None:
    """Measure how far annotators agree, with 95 % intervals over posts.

    A tag, over whole posts, on evidence, a pair of annotators and an annotator; posts for which somebody was shown
    a suggestion apart from the others. In an export the tags are what it holds: choices and full taxonomy paths.
    """
    settings = console.settings()
    bootstrap = Bootstrap(seed=seed)
    if labels is not None and is_export(labels):
        with console.progress("Reading", "tasks") as progress:
            export = read_export(labels, progress)
        for problem in export.problems:
            console.say(f"{labels}: {problem}")
        report = measure(export.readings, min_uses=min_uses, bootstrap=bootstrap)
    else:
        codebook = console.codebook(settings)
        readings = readings_of(labels_in_use(settings, labels, codebook))
        report = measure(readings, codebook.tag_ids, min_uses=min_uses, bootstrap=bootstrap)
    if as_json:
        console.print_json(report.to_dict())
    else:
        print_agreement(report)


def print_agreement(report: AgreementReport) -> None:
    """Print agreement as tables."""
    for problem in report.problems:
        click.echo(f"{problem[:1].upper()}{problem[1:]}.")
    if report.overall.n_posts == 0:
        return
    _print_tags(report.everything)
    for title, part in (("assisted", report.assisted), ("blind", report.blind)):
        if part is not None:
            alpha = _shown(part.overall.alpha)
            click.echo(
                f"{title}: {part.overall.n_posts} posts, mean alpha {alpha}, MASI {_shown(part.masi_alpha)}"
            )
    if report.evidence:
        click.echo("")
        console.print_table(
            ["words marked", "spans", "posts", "F1", "95 % interval", "alpha", "95 % interval"],
            [
                [label, str(of.n_spans), str(of.n_posts), *_cells(of.f1), *_cells(of.alpha)]
                for label, of in report.evidence.items()
            ],
        )
        click.echo(f"same labels for the words that both marked: alpha {_shown(report.cu_alpha)}")
    _print_people(report)


def _print_tags(group: GroupAgreement) -> None:
    rows = [
        [
            tag,
            str(of.n_positive),
            "-" if of.percent.value is None else f"{of.percent.value:.0%}",
            *_cells(of.alpha),
            *(console.figure(each.value) for each in (of.ac1, of.kappa, of.positive, of.negative)),
        ]
        for tag, of in [*group.tags.items(), ("mean over tags", group.overall)]
    ]
    header = ["tag", "ticked", "percent", "alpha", "95 % interval", "AC1", "kappa", "positive", "negative"]
    console.print_table(header, rows)
    notes: dict[str, list[str]] = {}
    for tag, of in group.tags.items():
        notes.setdefault(of.note, []).append(tag)
    for note, tags in notes.items():
        if note:
            click.echo(f"{', '.join(tags)}: {note}")
    click.echo(
        f"whole posts: alpha with MASI distance {_shown(group.masi_alpha)}; "
        f"{group.overall.n_posts} posts read by two or more"
    )


def _print_people(report: AgreementReport) -> None:
    click.echo("")
    console.print_table(
        [
            "annotator",
            "posts",
            "skipped",
            "shared",
            "tags a post",
            "seconds",
            "hours",
            "with the rest",
            "95 % interval",
        ],
        [
            [
                name,
                str(of.n_posts),
                str(of.n_skipped),
                str(of.n_shared),
                *(console.figure(value, 1) for value in (of.tags_per_post, of.median_seconds, of.hours)),
                *_cells(of.agreement),
            ]
            for name, of in report.annotators.items()
        ],
    )
    for pair in report.pairs if len(report.pairs) > 1 else ():
        names = " and ".join(pair.annotators)
        click.echo(f"{names}: mean kappa {_shown(pair.kappa)} over {pair.n_posts} posts")


def _cells(estimate: Estimate) -> tuple[str, str]:
    return (
        console.figure(estimate.value),
        f"{console.figure(estimate.low)} to {console.figure(estimate.high)}",
    )


def _shown(estimate: Estimate) -> str:
    value, interval = _cells(estimate)
    return f"{value} ({interval})"


COMMANDS: tuple[click.Command, ...] = (agreement_command,)
