"""The commands ``adjudicate``: list disagreements, send them to Label Studio, fetch verdicts, write gold."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from annotations.adjudication import (
    Consensus,
    Method,
    Question,
    consensus,
    disagreements,
    with_verdicts,
    write_gold,
)
from annotations.codebook import Codebook
from annotations.errors import StudioError
from annotations.files import atomic_text, neutral_cell
from annotations.labels import read_labels, write_labels
from annotations.records import Annotation
from annotations.studio.adjudicating import pull_verdicts, push_questions
from service.cli import console
from service.cli.learning import labels_in_use, labels_option
from service.settings import Settings
from service.studio_access import studio

_SHOWN = 20


method_option = click.option(
    "--method",
    type=click.Choice([each.value for each in Method]),
    default=Method.MAJORITY.value,
    show_default=True,
    help="How annotators become one; what it leaves open waits for a verdict.",
)


def verdicts_path(settings: Settings) -> Path:
    """Return the workspace's file of verdicts, as `adjudicate pull` writes it."""
    return settings.workspace.home / "verdicts.jsonl"


@click.group("adjudicate")
def adjudicate() -> None:
    """Settle what annotators disagree on: list it, send it to Label Studio, fetch verdicts, write gold."""


@adjudicate.command("list")
@labels_option
@click.option("--out", type=click.Path(path_type=Path), help="Write the whole table to this CSV file.")
@console.json_option
def list_command(labels: Path | None, out: Path | None, as_json: bool) -> None:
    """List the posts on which annotators differ, those that are furthest apart first."""
    settings = console.settings()
    codebook = console.codebook(settings)
    questions = disagreements(labels_in_use(settings, labels, codebook), codebook.tag_ids)
    if out is not None:
        _write_table(out, questions)
        click.echo(f"{len(questions):,} disagreements written to {out}")
    elif as_json:
        console.print_json([_row(question) | {"text": question.post.text} for question in questions])
    else:
        rows = [
            [
                question.key[0],
                console.figure(question.distance),
                "; ".join(f"{tag}: {_who(question, tag)}" for tag in question.disputed),
            ]
            for question in questions[:_SHOWN]
        ]
        console.print_table(["post", "distance", "given by / not by"], rows)
        click.echo(
            f"{len(questions):,} posts with disagreements"
            + (", the furthest apart shown" if len(questions) > _SHOWN else "")
        )


@adjudicate.command("push")
@labels_option
@method_option
@console.json_option
def push_command(labels: Path | None, method: str, as_json: bool) -> None:
    """Send what the method leaves open to a Label Studio project of its own. May be repeated."""
    settings = console.settings()
    codebook = console.codebook(settings)
    found = consensus(labels_in_use(settings, labels, codebook), codebook.tag_ids, Method(method))
    with console.ledger(settings) as ledger, studio(settings) as connected:
        with console.progress("Pushing", "questions") as progress:
            report = push_questions(ledger, connected.client, codebook, found.open, progress)
        address = f"{connected.client.url}/projects/{report.project_id}/data?labeling=1"
    if as_json:
        console.print_json(asdict(report) | {"url": address})
    else:
        click.echo(f"{report.pushed:,} questions pushed, {report.already_there:,} already there: {address}")


@adjudicate.command("pull")
@console.json_option
def pull_command(as_json: bool) -> None:
    """Fetch the verdicts into the workspace's verdicts.jsonl."""
    settings = console.settings()
    codebook = console.codebook(settings)
    with console.ledger(settings) as ledger, studio(settings) as connected:
        verdicts = pull_verdicts(ledger, connected.client, codebook, connected.names)
    path = verdicts_path(settings)
    known = len(read_labels(path)) if path.exists() else 0
    if known and not verdicts.annotations:
        raise StudioError(
            f"Label Studio has none of the {known:,} verdicts that were pulled before",
            where=str(path),
            hint="Restore Label Studio's data; or remove the file if the verdicts are to go.",
        )
    write_labels(path, verdicts.annotations)
    for problem in verdicts.problems[:_SHOWN]:
        console.say(f"  {problem}")
    if as_json:
        console.print_json({"verdicts": len(verdicts.annotations), "waiting": verdicts.n_waiting})
    else:
        click.echo(f"{len(verdicts.annotations):,} verdicts, {verdicts.n_waiting:,} questions wait; {path}")


@adjudicate.command("gold")
@labels_option
@method_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The gold file, a labels.jsonl.")
@console.json_option
def gold_command(labels: Path | None, method: str, out: Path, as_json: bool) -> None:
    """Write one answer a post with where it comes from; verdicts that were pulled come first."""
    settings = console.settings()
    codebook = console.codebook(settings)
    found = gold_in_use(settings, labels_in_use(settings, labels, codebook), codebook, Method(method))
    counts: dict[str, int] = {}
    for each in found.gold:
        counts[each.provenance] = counts.get(each.provenance, 0) + 1
    written = write_gold(out, found.gold)
    if as_json:
        console.print_json({"written": written, "provenance": counts, "open": len(found.open)})
    else:
        kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
        click.echo(f"{written:,} posts written to {out} ({kinds}); {len(found.open):,} stay open")


def gold_in_use(
    settings: Settings, annotations: list[Annotation], codebook: Codebook, method: Method
) -> Consensus:
    """Return the consensus of annotations with the verdicts that were pulled on the same texts."""
    found = consensus(annotations, codebook.tag_ids, method)
    path = verdicts_path(settings)
    if not path.exists():
        return found
    present = {(each.post_id, each.revision) for each in annotations}
    verdicts = read_labels(path, [tag.id for tag in codebook.tags])
    return with_verdicts(found, [each for each in verdicts if (each.post_id, each.revision) in present])


def _who(question: Question, tag: str) -> str:
    given = ", ".join(side.name for side in question.sides if tag in side.tags)
    return f"{given} / {', '.join(side.name for side in question.sides if tag not in side.tags)}"


def _row(question: Question) -> dict[str, Any]:
    return {
        "post_id": question.key[0],
        "revision": question.key[1],
        "distance": round(question.distance, 4),
        "tags": {
            tag: {
                "given_by": {
                    side.name: [span.quote(question.post.text) for span in side.tags[tag]]
                    for side in question.sides
                    if tag in side.tags
                },
                "not_by": [side.name for side in question.sides if tag not in side.tags],
            }
            for tag in question.disputed
        },
    }


def _write_table(path: Path, questions: list[Question]) -> None:
    """Write a line a disputed tag: post, distance, tag, who gave it, who did not, the words marked, the text."""
    with atomic_text(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["post_id", "revision", "distance", "tag", "given_by", "not_by", "words_marked", "text"]
        )
        for question in questions:
            for tag in question.disputed:
                given = [side for side in question.sides if tag in side.tags]
                quotes = " | ".join(
                    span.quote(question.post.text) for side in given for span in side.tags[tag]
                )
                others = ", ".join(side.name for side in question.sides if tag not in side.tags)
                row = [*question.key, f"{question.distance:.3f}", tag, ", ".join(side.name for side in given)]
                writer.writerow([neutral_cell(cell) for cell in (*row, others, quotes, question.post.text)])


COMMANDS: tuple[click.Command, ...] = (adjudicate,)
