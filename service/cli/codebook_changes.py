"""The commands ``codebook diff`` and ``codebook migrate``: what a new codebook changes, and labels carried over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from annotations.codebook import Codebook, dump_codebook, load_codebook, parse_codebook
from annotations.codebook_changes import (
    Carried,
    Change,
    Kind,
    carry_over,
    differences,
    former_titles_of,
)
from annotations.errors import CodebookError
from annotations.labels import read_labels, write_labels
from annotations.ledger.codebooks import Place, remembered_codebook, stored_lines, write_carried
from annotations.records import Annotation
from annotations.relabelling import relabel_questions
from annotations.studio.adjudicating import push_questions
from annotations.studio.project import ensure_project
from annotations.studio.pull import PullOptions, pull
from service.cli import console
from service.cli.data import codebook, existing_file
from service.settings import Settings
from service.studio_access import studio

_DIGEST = re.compile(r"[0-9a-f]{16}")
_labels = click.option(
    "--labels", type=click.Path(path_type=Path), help="A labels.jsonl file; without it the ledger's labels."
)


@codebook.command("diff")
@click.argument("old")
@click.argument("new", type=existing_file)
@_labels
@console.json_option
def diff_command(old: str, new: Path, labels: Path | None, as_json: bool) -> None:
    """Show what changes from OLD (a file, or the digest of a codebook that a project was made from) to NEW.

    With every change: how many labels and posts bear the tag.
    """
    settings = console.settings()
    before, after = _old_codebook(settings, old), load_codebook(new)
    changes = differences(before, after, _labels_of(settings, labels))
    if as_json:
        shown = [asdict(change) for change in changes]
        console.print_json({"old": before.digest, "new": after.digest, "changes": shown})
    else:
        _print_changes(before, after, changes)


@codebook.command("migrate")
@click.argument("old")
@click.argument("new", type=existing_file)
@_labels
@click.option(
    "--out", type=click.Path(path_type=Path), help="With --labels: where the labels carried over go."
)
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.option("--no-studio", is_flag=True, help="Leave Label Studio alone.")
@console.json_option
def migrate_command(
    old: str, new: Path, labels: Path | None, out: Path | None, dry_run: bool, no_studio: bool, as_json: bool
) -> None:
    """Carry labels made under OLD (a file or a digest) over to NEW.

    Renamed, merged and retired tags move by themselves. Annotations that bear a split tag are set aside, and their
    posts go to the adjudication project. In the ledger, what is new in Label Studio is pulled first; then the project's
    page follows. No annotation in Label Studio is changed.
    """
    if (labels is None) is not (out is None):
        raise click.UsageError("--labels and --out go together.")
    settings = console.settings()
    before, after = _old_codebook(settings, old), load_codebook(new)
    if labels is None and not no_studio and not dry_run:
        _pull_first(settings, before)
    stored = {} if labels is not None else _stored(settings)
    found = list(stored.values()) if labels is None else read_labels(labels)
    carried = carry_over(found, before, after)
    changes = differences(before, after, found)
    n_carried = sum(each.codebook in (None, before.digest) for each in found) - len(carried.split)
    if not dry_run:
        if out is not None:
            write_labels(out, carried.annotations)
        else:
            kept = {
                place: each
                for place, each in zip(stored, carried.annotations, strict=True)
                if each.codebook == after.digest
            }
            titles = former_titles_of(before, after)
            with console.ledger(settings) as ledger:
                write_carried(ledger, kept, titles, (after.digest, dump_codebook(after)))
            if not no_studio:
                _bring_studio_along(settings, after, found, carried)
    if as_json:
        shown = [asdict(change) for change in changes]
        console.print_json({"changes": shown, "carried": n_carried, "set_aside": len(carried.split)})
    else:
        _print_changes(before, after, changes)
        did = "would be carried over" if dry_run else "carried over"
        click.echo(f"{n_carried:,} annotations {did}, {len(carried.split):,} to be made again")
        if load_codebook(settings.codebook_path).digest != after.digest:
            click.echo(f"Now use the new codebook: copy it to {settings.workspace.codebook_path}")


def _old_codebook(settings: Settings, old: str) -> Codebook:
    if not _DIGEST.fullmatch(old) or Path(old).exists():
        return load_codebook(Path(old))
    with console.ledger(settings) as ledger:
        text = remembered_codebook(ledger, old)
    if text is None:
        raise CodebookError(
            f"the ledger knows no codebook {old}", hint="Name its file; only codebooks of projects are kept."
        )
    return parse_codebook(text, where=f"codebook {old}")


def _labels_of(settings: Settings, labels: Path | None) -> list[Annotation]:
    return list(_stored(settings).values()) if labels is None else read_labels(labels)


def _stored(settings: Settings) -> dict[Place, Annotation]:
    with console.ledger(settings) as ledger:
        return stored_lines(ledger)


def _pull_first(settings: Settings, before: Codebook) -> None:
    """Fetch what annotators did on the old page, while its titles still say what they meant."""
    with console.ledger(settings) as ledger, studio(settings) as connected:
        options = PullOptions(codebook=before, names=connected.names)
        report = pull(ledger, connected.client, connected.project(ledger), options)
    console.say(f"Pulled: {report.new:,} new, {report.updated:,} updated annotations")


def _bring_studio_along(
    settings: Settings, after: Codebook, found: Sequence[Annotation], carried: Carried
) -> None:
    with console.ledger(settings) as ledger, studio(settings) as connected:
        ensure_project(ledger, connected.client, after)
        questions = relabel_questions(found, carried.split, after)
        if questions:
            report = push_questions(ledger, connected.client, after, questions)
            console.say(f"{report.pushed:,} posts sent to be annotated again: project {report.project_id}")


def _print_changes(before: Codebook, after: Codebook, changes: Sequence[Change]) -> None:
    if not changes:
        click.echo("No tag changes." if before.digest != after.digest else "The codebooks say the same.")
        return
    rows = [
        [
            change.tag,
            change.kind,
            ", ".join(change.becomes) or "-",
            str(change.n_annotations),
            str(change.n_posts),
        ]
        for change in changes
    ]
    console.print_table(["tag", "change", "becomes", "labels", "posts"], rows)
    for change in changes:
        if change.kind in (Kind.SPLIT, Kind.REMOVED, Kind.REDEFINED):
            click.echo(f"{change.tag}: {change.detail}")


COMMANDS: tuple[click.Command, ...] = (codebook,)
