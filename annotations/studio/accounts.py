"""Annotators' accounts in a local Label Studio, with passwords and tokens that we make and keep."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from annotations.errors import StudioError
from annotations.studio.client import StudioClient
from annotations.studio.credentials import (
    DOMAIN,
    Account,
    Credentials,
    new_password,
    read_credentials,
    write_credentials,
)
from annotations.studio.server import RunningStudio
from annotations.studio.session import log_in, own_token, sign_up

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def create_accounts(studio: RunningStudio, studio_path: Path, names: Sequence[str]) -> Credentials:
    """Make sure that everybody named has an account, and return all logins.

    Parameters
    ----------
    studio
        The running local Label Studio.
    studio_path
        Where its logins are kept.
    names
        Names (``anna``: the account is ``anna@talkingpoints.example``) or addresses (the name in files is
        the part before the ``@``).

    Raises
    ------
    StudioError
        A name is unusable, or its account exists with a password that is not ours.
    """
    credentials = read_credentials(studio_path) or studio.credentials
    wanted = [_account(name, credentials) for name in dict.fromkeys(names)]
    taken: dict[str, str] = {}
    for account in wanted:
        if taken.setdefault(account.name, account.email) != account.email:
            raise StudioError(f"two accounts would be called '{account.name}'", hint="Choose other names.")
    missing = [account for account in wanted if not account.token]
    for account in missing:
        # Written before the account is made: a killed run must not leave one that nobody can log in to.
        credentials = credentials.with_annotator(account)
        write_credentials(studio_path, credentials)
        credentials = credentials.with_annotator(_made(studio, account))
        write_credentials(studio_path, credentials)
    if missing:
        with studio.client() as client:
            client.reset_invitation()  # the link was in a request's address, and so in the server's log
    return credentials


def annotator_client(studio: RunningStudio, studio_path: Path, name: str) -> StudioClient:
    """Return a client that acts as one of the annotators (what it submits is theirs).

    Raises
    ------
    StudioError
        There is no account of that name.
    """
    credentials = read_credentials(studio_path) or studio.credentials
    account = next((each for each in credentials.annotators if name in (each.name, each.email)), None)
    if account is None or not account.token:
        raise StudioError(f"there is no account for '{name}'", hint="Create it first.")
    return StudioClient(studio.url, account.token, name=studio.name)


def _account(name: str, credentials: Credentials) -> Account:
    email = name if "@" in name else f"{name}@{DOMAIN}"
    if not _ADDRESS.fullmatch(email) or not email.isascii():
        raise StudioError(
            f"'{name}' cannot be an account", hint="Use a name of letters and digits, or an address."
        )
    email = email.lower()
    known = next((each for each in credentials.annotators if each.email == email), None)
    return known or Account(email=email, name=name.partition("@")[0], password=new_password())


def _made(studio: RunningStudio, account: Account) -> Account:
    with studio.client() as client:
        invitation = client.invitation()
    login = account.email, account.password
    with closing(sign_up(studio.url, invitation, login) or log_in(studio.url, login)) as session:
        return replace(account, token=own_token(session, studio.url))
