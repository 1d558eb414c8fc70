"""``Idempotency-Key``: a write that is sent twice is carried out once, and answered the same.

Source of the header and its statuses: IETF draft-ietf-httpapi-idempotency-key-header-07.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel
from sqlalchemy import Connection
from starlette.responses import Response

from annotations.errors import LedgerError
from annotations.ledger.idempotency import (
    Answered,
    Different,
    InProgress,
    Reservation,
    finish,
    release,
    reserve,
)
from service.errors import ConflictError, FieldFault, InvalidRequestError, RequestInProgressError
from service.guard import CALLER
from service.keys import Caller
from service.ledger_access import LedgerAccess

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY_PATTERN = "^[A-Za-z0-9._:-]{1,128}$"

_KEY = re.compile(KEY_PATTERN)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a write is answered with."""

    status: int
    body: BaseModel


Keep = Callable[[Connection, Reply], None]
"""Keeps the answer of a write; called in the transaction that carries it out, if there is one."""


@dataclass(frozen=True, slots=True)
class Once:
    """A write that may bear a key; without one it is carried out each time."""

    ledgers: LedgerAccess
    key: str | None
    digest: str

    def answer(self, work: Callable[[Keep], Reply]) -> Response:
        """Carry out ``work``, or answer what it was answered before.

        A write that fails is not kept: the same request is then carried out again.

        Raises
        ------
        ConflictError
            The key was used for another request.
        RequestInProgressError
            The same request is being carried out at this moment.
        """
        if self.key is None:
            reply = work(_nothing_kept)
            return _response(reply.status, reply.body.model_dump_json())
        ledger = self.ledgers.opened()
        found = reserve(ledger, self.key, self.digest)
        if isinstance(found, Different):
            raise ConflictError(
                "this Idempotency-Key was used for another request",
                [_fault("It was used for another request", "idempotency_key_reused")],
            )
        if isinstance(found, InProgress):
            raise RequestInProgressError(
                "a request with this Idempotency-Key is being carried out", hint="Try again."
            )
        if isinstance(found, Answered):
            return _response(found.status, found.answer, {REPLAYED: "true"})
        keeper = _Keeper(found)
        try:
            reply = work(keeper)
            if not keeper.is_kept:
                with ledger.begin() as connection:
                    keeper(connection, reply)
        except Exception:
            with contextlib.suppress(LedgerError):
                release(ledger, found)
            raise
        return _response(reply.status, reply.body.model_dump_json())


@dataclass(slots=True)
class _Keeper:
    reservation: Reservation
    is_kept: bool = False

    def __call__(self, connection: Connection, reply: Reply) -> None:
        finish(connection, self.reservation, Answered(reply.status, reply.body.model_dump_json()))
        self.is_kept = True


async def once(request: Request) -> Once:
    """Return the write that a request is; its key is checked."""
    keys = request.headers.getlist(HEADER)
    if len(keys) > 1 or not all(_KEY.fullmatch(key) for key in keys):
        detail = "This should be 1 to 128 letters, digits and . _ : -, once"
        raise InvalidRequestError("1 value is not valid", [_fault(detail, "idempotency_key_invalid")])
    body = await request.body()
    digest = hashlib.sha256(b"\0".join((request.method.encode(), request.url.path.encode(), body)))
    return Once(request.app.state.ledgers, _of_caller(request, keys[0]) if keys else None, digest.hexdigest())


def _of_caller(request: Request, key: str) -> str:
    """Return a key as it is stored: each caller's keys are its own."""
    caller: Caller | None = request.scope.get(CALLER)
    owner = "" if caller is None else caller.key_id or caller.name
    return hashlib.sha256(f"{owner}\0{key}".encode()).hexdigest()


OnceGiven = Annotated[Once, Depends(once)]


def _fault(detail: str, code: str) -> FieldFault:
    return FieldFault("header", f"/{HEADER}", detail, code)


def _nothing_kept(_connection: Connection, _reply: Reply) -> None:
    return None


def _response(status: int, body: str, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, "application/json")
