"""Commands for posts and the codebook: import, posts, codebook."""

from __future__ import annotations

import sys
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from annotations.codebook import describe, load_codebook, problems
from annotations.errors import CodebookError, TalkingPointsError
from annotations.importing import OUTCOMES, import_file
from annotations.ledger.posts import current_posts
from annotations.posts_table import table_format, write_posts
from annotations.readers import ReadOptions, known_encoding, parse_column_map
from service.cli import boilerplate, console

existing_file = click.Path(path_type=Path)


def column_map(
    _context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    """Turn ``text=body,date=created`` into a mapping of our column names to theirs."""
    try:
        return parse_column_map(",".join(value))
    except TalkingPointsError as error:
        raise click.BadParameter(f"{error.problem}\n{error.hint}") from error


channel_option = click.option("--channel", help="The channel's name here, whatever the file calls it.")


def zone(_context: click.Context, _parameter: click.Parameter, value: str | None) -> ZoneInfo | None:
    """Turn the name of a time zone into the zone."""
    if value is None:
        return None
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(f"'{value}' is no time zone, such as Europe/Madrid or UTC") from error


timezone_option = click.option(
    "--timezone", callback=zone, help="The zone of dates that come without one, such as Europe/Madrid."
)


def encoding(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Check the name of an encoding."""
    try:
        return None if value is None else known_encoding(value)
    except TalkingPointsError as error:
        raise click.BadParameter(f"{error.problem}\n{error.hint}") from error


encoding_option = click.option(
    "--encoding", callback=encoding, help="The encoding of the files, such as cp1251; found out without it."
)
map_option = click.option(
    "--map",
    "columns",
    multiple=True,
    callback=column_map,
    metavar="OURS=THEIRS,...",
    help="Columns of a table with other names, as in text=body,date=created.",
)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=existing_file)
@channel_option
@map_option
@timezone_option
@encoding_option
@console.json_option
def import_posts(
    files: tuple[Path, ...],
    channel: str | None,
    columns: dict[str, str],
    timezone: ZoneInfo | None,
    encoding: str | None,
    as_json: bool,
) -> None:
    """Import posts from FILES of any supported format, found out by content.

    Every message ends as new, edited, unchanged, duplicate, empty, service or refused. A file that cannot be read
    does not keep the others from being imported; the exit code is then 1.
    """
    settings = console.settings()
    reports, failures = [], []
    with console.ledger(settings) as ledger:
        for file in files:
            try:
                with console.progress(file.name, "B") as progress:
                    options = ReadOptions(channel, columns, timezone, encoding)
                    reports.append(import_file(ledger, file, options, progress))
            except TalkingPointsError as error:
                failures.append(error)
            else:
                if not as_json:
                    click.echo(str(reports[-1]))
    if as_json:
        totals = {outcome: sum(report.counts[outcome] for report in reports) for outcome in OUTCOMES}
        errors = [str(error) for error in failures]
        console.print_json(
            {"files": [report.to_dict() for report in reports], "counts": totals, "errors": errors}
        )
    for failure in failures:
        console.say(f"Error: {failure}")
    if failures:
        sys.exit(1)


@click.command("posts")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A .jsonl, .csv or .parquet file; JSONL to standard output.",
)
@click.option("--channel", "channels", multiple=True, help="Only this channel (may be repeated).")
@click.option("--no-duplicates", is_flag=True, help="Leave out posts with the text of an earlier one.")
@click.option(
    "--one-per-cluster", is_flag=True, help="Of near-duplicates (forwards, small edits) only the first."
)
@click.option(
    "--boilerplate", "show", is_flag=True, help="Show the recurring footers and banners that were recognised."
)
@click.option("--without-boilerplate", "cut", is_flag=True, help="Leave recognised footers and banners out.")
@click.option("--json", "as_json", is_flag=True, help="With --boilerplate: JSON for a script.")
def posts(
    out: Path | None,
    channels: tuple[str, ...],
    no_duplicates: bool,
    one_per_cluster: bool,
    show: bool,
    cut: bool,
    as_json: bool,
) -> None:
    """Write the posts of the ledger as a table that can be imported again.

    With --boilerplate show instead which lines of a channel are taken for footers and banners.  They are in the
    table all the same, unless --without-boilerplate is given; such a table has other texts than the ledger.
    """
    if as_json and not show:
        raise click.UsageError("--json goes with --boilerplate; the table itself is JSON lines.")
    if show and (out or cut or no_duplicates or one_per_cluster):
        raise click.UsageError("--boilerplate shows lines and goes with --channel and --json only.")
    if out is not None:
        table_format(out)
    settings = console.settings()
    with console.ledger(settings) as ledger:
        if show:
            recognised = boilerplate.found_in(ledger, settings.workspace, channels or None)
            boilerplate.show(recognised, settings.workspace, as_json=as_json)
            return
        found = current_posts(
            ledger,
            channels=channels or None,
            include_duplicates=not no_duplicates,
            one_per_cluster=one_per_cluster,
        )
        if cut:
            recognised = boilerplate.found_in(ledger, settings.workspace, channels or None)
            found = boilerplate.left_out(found, recognised)
        if out is None:
            write_posts(sys.stdout, found)
        else:
            console.say(f"{write_posts(out, found):,} posts written to {out}")


@click.group("codebook")
def codebook() -> None:
    """Check or show a codebook."""


@codebook.command("check")
@click.argument("file", required=False, type=existing_file)
def check(file: Path | None) -> None:
    """Check FILE (the codebook in use by default) and name every problem: file, line, tag and field."""
    path = file or console.settings().codebook_path
    found = problems(path)
    if found:
        raise CodebookError("\n".join(found), hint=f"{len(found)} problem(s); nothing was changed.")
    loaded = load_codebook(path)
    click.echo(
        f"{path}: version {loaded.version}, {len(loaded.tags)} tags, digest {loaded.digest}: no problems"
    )


@codebook.command("show")
@click.argument("file", required=False, type=existing_file)
@console.json_option
def show(file: Path | None, as_json: bool) -> None:
    """Show FILE (the codebook in use by default) as annotators read it."""
    loaded = load_codebook(file or console.settings().codebook_path)
    if as_json:
        console.print_json(loaded.to_dict())
    else:
        click.echo(describe(loaded))


COMMANDS: tuple[click.Command, ...] = (import_posts, posts)
