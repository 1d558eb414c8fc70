"""The command that lists what administrators did: audit."""

from __future__ import annotations

from dataclasses import asdict

import click

from annotations.ledger.audit import read_audit
from service.cli import console


@click.command("audit")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="How many, the latest ones."
)
@console.json_option
def audit_command(limit: int, as_json: bool) -> None:
    """List administrators' acts, the latest first: models made active, keys, erasures, restored backups."""
    settings = console.settings()
    with console.ledger(settings) as ledger:
        entries = read_audit(ledger, limit)
    if as_json:
        console.print_json([asdict(entry) for entry in entries])
        return
    rows = [
        (f"{entry.at[:19]}Z", entry.actor, entry.act, entry.subject or "-", entry.outcome)
        for entry in entries
    ]
    if rows:
        console.print_table(["time", "actor", "act", "subject", "outcome"], rows)
    else:
        click.echo("Nothing yet.")


COMMANDS: tuple[click.Command, ...] = (audit_command,)
