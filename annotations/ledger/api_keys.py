"""The ledger's rows of API keys: their digests, what they may do, until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from annotations.errors import LedgerError
from annotations.ledger.store import Ledger, now
from annotations.ledger.tables import api_keys


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key; ``digest`` is the SHA-256 of its secret part, in hexadecimal. Times are ISO 8601 UTC."""

    key_id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None
    revoked_at: str | None

    def is_valid(self, moment: str) -> bool:
        """Tell whether it is neither revoked nor past its time at a moment (as the ledger writes times)."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


def add_key(ledger: Ledger, row: KeyRow) -> None:
    """Store a key.

    Raises
    ------
    LedgerError
        A key that is still valid has the same name.
    """
    with ledger.begin() as connection:
        named = connection.execute(select(api_keys).where(api_keys.c.name == row.name)).mappings()
        if any(KeyRow(**each).is_valid(row.created_at) for each in named):
            raise LedgerError(
                f"there is a valid key of the name '{row.name}'",
                where="keys",
                hint="Choose another name, or revoke that one first: talkingpoints keys revoke NAME",
            )
        values = {name: getattr(row, name) for name in KeyRow.__slots__}
        connection.execute(insert(api_keys).values(values | {"scopes": list(row.scopes)}))


def read_keys(ledger: Ledger) -> Sequence[KeyRow]:
    """Return every key that there was, the oldest first."""
    with ledger.reading() as connection:
        rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at)).mappings().all()
    return [KeyRow(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]


def revoke_keys(ledger: Ledger, name: str) -> list[str]:
    """Revoke the keys of a name, or the key of an id, and return the ids; those revoked before stay as they are.

    Raises
    ------
    LedgerError
        There is no such key.
    """
    is_it = (api_keys.c.name == name) | (api_keys.c.key_id == name)
    with ledger.begin() as connection:
        if not connection.execute(select(api_keys.c.key_id).where(is_it)).all():
            raise LedgerError(
                f"there is no key '{name}'", where="keys", hint="List them: talkingpoints keys list"
            )
        is_live = is_it & api_keys.c.revoked_at.is_(None)
        found = connection.scalars(select(api_keys.c.key_id).where(is_live)).all()
        connection.execute(update(api_keys).where(is_live).values(revoked_at=now()))
    return list(found)
