"""The commands over API keys: create, list, revoke."""

from __future__ import annotations

import click

from annotations.ledger.api_keys import KeyRow, add_key, read_keys, revoke_keys
from annotations.ledger.store import now
from service.audit import audited
from service.cli import console
from service.keys import SCOPES, new_key


@click.group("keys")
def keys_command() -> None:
    """Make, list and revoke the keys by which callers from elsewhere are known."""


@keys_command.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="What it is for; repeatable.",
)
@click.option("--expires", type=float, metavar="DAYS", help="Days after which it opens nothing any more.")
@console.json_option
def create_command(name: str, scopes: tuple[str, ...], expires: float | None, as_json: bool) -> None:
    """Make a key named NAME and show it, this once: only its digest is kept."""
    settings = console.settings()
    token, row = new_key(name, scopes, expires)
    subject = f"{row.name} ({row.key_id}): {', '.join(row.scopes)}"
    with audited(settings, "keys create", subject), console.ledger(settings) as ledger:
        add_key(ledger, row)
    if as_json:
        console.print_json(_shown(row) | {"key": token})
        return
    click.echo(token)
    until = f" until {row.expires_at[:10]}" if row.expires_at else ""
    console.say(f"Key '{row.name}' for {', '.join(row.scopes)}{until}. It is not shown again: keep it safe.")


@keys_command.command("list")
@console.json_option
def list_command(as_json: bool) -> None:
    """List the keys: name, id, scopes, state. The keys themselves are not kept."""
    settings = console.settings()
    with console.ledger(settings) as ledger:
        rows = read_keys(ledger)
    if as_json:
        console.print_json([_shown(row) for row in rows])
    elif rows:
        cells = [
            (row.name, row.key_id, " ".join(row.scopes), row.created_at[:10], _state(row)) for row in rows
        ]
        console.print_table(["name", "id", "scopes", "created", "state"], cells)
    else:
        click.echo("No keys yet: talkingpoints keys create NAME --scope predict")


@keys_command.command("revoke")
@click.argument("name")
@console.json_option
def revoke_command(name: str, as_json: bool) -> None:
    """Revoke the key of a NAME or an id; within two seconds no service lets it in any more."""
    settings = console.settings()
    with audited(settings, "keys revoke", name), console.ledger(settings) as ledger:
        revoked = revoke_keys(ledger, name)
    if as_json:
        console.print_json({"revoked": revoked})
    else:
        click.echo(f"Revoked: {', '.join(revoked)}" if revoked else f"'{name}' was revoked before")


def _state(row: KeyRow) -> str:
    if row.revoked_at:
        return f"revoked {row.revoked_at[:10]}"
    if not row.is_valid(now()):
        return f"expired {str(row.expires_at)[:10]}"
    return f"valid until {row.expires_at[:10]}" if row.expires_at else "valid"


def _shown(row: KeyRow) -> dict[str, object]:
    return {
        "name": row.name,
        "id": row.key_id,
        "scopes": row.scopes,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "valid": row.is_valid(now()),
    }


COMMANDS: tuple[click.Command, ...] = (keys_command,)
