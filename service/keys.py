"""API keys: how one is made, and the keys as a worker knows them.

A key is ``tp_ID_SECRET``: the id may be shown, the secret is 256 random bits.  The ledger holds the SHA-256 of the
whole.  A slow hash such as Argon2 protects what people choose and attackers can guess; 256 random bits cannot be
guessed at any speed, and a fast hash lets every request be checked.  Digests are compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from annotations.errors import TalkingPointsError
from annotations.ledger.api_keys import KeyRow, read_keys, revoke_keys
from annotations.ledger.store import now, open_ledger, open_to_read, timestamp
from service.errors import SettingsError
from service.ledger_access import LedgerAccess
from service.settings import Settings, is_loopback

SCOPES = ("predict", "admin", "studio")
"""What a key can be for: tagging and reading; changing models and queues, metrics; Label Studio's calls."""

_TOKEN = re.compile(r"tp_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NOBODY = "0" * 64
_FRESH_SECONDS = 1.0
_STALE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: the name of a key, or ``local`` for a program of this machine that needs none."""

    name: str
    scopes: frozenset[str]
    key_id: str = ""

    @property
    def actor(self) -> str:
        """The name under which acts are recorded."""
        return f"key:{self.name}" if self.key_id else self.name


LOCAL = Caller("local", frozenset(SCOPES))


def new_key(name: str, scopes: Collection[str], days: float | None = None) -> tuple[str, KeyRow]:
    """Make a key and return it with the row that the ledger keeps; it is valid for ``days``, or until revoked.

    Raises
    ------
    SettingsError
        The name is not plain, there is no such scope, or the time is not positive.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError("the name is not 1 to 64 letters, digits and . _ -", where="keys")
    if not scopes or set(scopes) - set(SCOPES):
        raise SettingsError(f"the scopes are some of {', '.join(SCOPES)}", where="keys")
    if days is not None and not 0 < days <= 36_500:
        raise SettingsError("a key expires after more than 0 and at most 36,500 days", where="keys")
    key_id, made = secrets.token_hex(4), datetime.now(UTC)
    token = f"tp_{key_id}_{secrets.token_urlsafe(32)}"
    ordered = tuple(scope for scope in SCOPES if scope in scopes)
    expires = None if days is None else timestamp(made + timedelta(days=days))
    return token, KeyRow(key_id, name, _digest(token), ordered, timestamp(made), expires, None)


class KeyRing:
    """The keys in the ledger, read again when they are a second old.

    A key that was revoked is therefore refused by every worker within two seconds.  Keys that are older than that,
    because the ledger cannot be read, open nothing.
    """

    def __init__(self, settings: Settings) -> None:
        self._ledgers = LedgerAccess(settings, open_to_read)
        self._guard = threading.Lock()
        self._keys: Mapping[str, KeyRow] = {}
        self._read_at = float("-inf")

    @property
    def is_fresh(self) -> bool:
        """Tell whether the keys may be used without looking at the ledger."""
        return time.monotonic() - self._read_at < _FRESH_SECONDS

    def refresh(self) -> None:
        """Read the keys again where they are not fresh; while another thread does so, younger ones than 2 s will do.

        Raises
        ------
        LedgerError
            The ledger cannot be read, and the keys are older.
        """
        if not self._guard.acquire(blocking=time.monotonic() - self._read_at > _STALE_SECONDS):
            return
        try:
            if not self.is_fresh:
                self._read()
        except TalkingPointsError:
            if time.monotonic() - self._read_at > _STALE_SECONDS:
                raise
        finally:
            self._guard.release()

    def has_keys(self) -> bool:
        """Tell whether there is a valid key."""
        moment = now()
        return any(row.is_valid(moment) for row in self._keys.values())

    def caller(self, token: str) -> Caller | None:
        """Return whose key ``token`` is; None where it is no key, revoked, or past its time."""
        found = _TOKEN.fullmatch(token)
        row = self._keys.get(found[1]) if found else None
        is_right = hmac.compare_digest(_digest(token), row.digest if row else _NOBODY)
        if row is None or not is_right or not row.is_valid(now()):
            return None
        return Caller(row.name, frozenset(row.scopes), row.key_id)

    def close(self) -> None:
        """Close the ledger."""
        self._ledgers.close()

    def _read(self) -> None:
        started = time.monotonic()
        ledger = self._ledgers.existing()
        self._keys = {} if ledger is None else {row.key_id: row for row in read_keys(ledger)}
        self._read_at = started


def revoked_keys(settings: Settings) -> list[str]:
    """Return the ids of keys that were revoked; none where there is no ledger that could be read."""
    try:
        ledger = open_to_read(settings.workspace.ledger_url) if settings.workspace.has_ledger else None
    except TalkingPointsError:
        return []
    if ledger is None:
        return []
    try:
        return [row.key_id for row in read_keys(ledger) if row.revoked_at is not None]
    finally:
        ledger.close()


def revoke_again(settings: Settings, key_ids: Collection[str]) -> list[str]:
    """Revoke keys that a restored backup holds as valid ones, and return their names."""
    if not key_ids:
        return []
    ledger = open_ledger(settings.workspace.ledger_url)
    try:
        valid = [row for row in read_keys(ledger) if row.key_id in key_ids and row.revoked_at is None]
        for row in valid:
            revoke_keys(ledger, row.key_id)
    finally:
        ledger.close()
    return [row.name for row in valid]


def check_safe_to_serve(settings: Settings) -> None:
    """Refuse to serve on an address that others can reach, unless they need a key.

    Raises
    ------
    SettingsError
        The host is not a loopback address, and there is no valid key.
    LedgerError
        The ledger, which holds the keys, cannot be read.
    """
    if is_loopback(settings.host):
        return
    ring = KeyRing(settings)
    try:
        ring.refresh()
        if ring.has_keys():
            return
    finally:
        ring.close()
    raise SettingsError(
        f"a start on '{settings.host}' is refused: others can reach it, and there is no API key",
        where="TALKINGPOINTS_HOST",
        hint="Make a key first (talkingpoints keys create NAME --scope predict), or leave it at 127.0.0.1.",
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
