"""The logins of a local Label Studio, made by us and kept in one file that only its owner can read."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from annotations.errors import StudioError
from annotations.files import write_private

DOMAIN = "talkingpoints.example"
"""The domain of the addresses we make up; ``.example`` is reserved (RFC 2606), nobody gets mail there."""

_FILE = "credentials.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One login. ``name`` stands for the person in files; ``token`` is empty until the account exists."""

    email: str
    name: str
    password: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """All logins of one local Label Studio; ``instance`` tells its data from that of any other."""

    instance: str
    admin: Account
    annotators: tuple[Account, ...] = ()

    def names(self) -> dict[str, str]:
        """Return the names in files by account."""
        return {account.email: account.name for account in self.annotators}

    def with_annotator(self, account: Account) -> Credentials:
        """Return the same with ``account`` added, or put in the place of the one with its address."""
        others = [each for each in self.annotators if each.email != account.email]
        position = next((i for i, each in enumerate(self.annotators) if each.email == account.email), None)
        others.insert(len(others) if position is None else position, account)
        return replace(self, annotators=tuple(others))


def new_credentials() -> Credentials:
    """Return an administrator's login for a Label Studio that does not exist yet."""
    admin = Account(
        email=f"admin@{DOMAIN}", name="admin", password=new_password(), token=secrets.token_hex(20)
    )
    return Credentials(instance=secrets.token_hex(4), admin=admin)


def new_password() -> str:
    """Return a random password of 20 characters."""
    return secrets.token_urlsafe(15)


def read_credentials(studio_path: Path) -> Credentials | None:
    """Read the logins of the Label Studio in a folder; None where there are none yet.

    Raises
    ------
    StudioError
        The file is there and cannot be read.
    """
    path = studio_path / _FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(
            instance=str(document["instance"]),
            admin=Account(**document["admin"]),
            annotators=tuple(Account(**each) for each in document["annotators"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudioError(
            f"the logins of Label Studio cannot be read ({type(error).__name__})",
            where=str(path),
            hint="Restore the file from a backup; the passwords are nowhere else.",
        ) from None


def write_credentials(studio_path: Path, credentials: Credentials) -> None:
    """Write the logins, readable by their owner alone (mode 0600)."""
    write_private(studio_path / _FILE, json.dumps(asdict(credentials), indent=1) + "\n")
