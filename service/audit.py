"""The record of what administrators did, by the service and by commands: in the ledger, and as a line of the log."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from annotations.errors import TalkingPointsError
from annotations.ledger.audit import Act, record_act
from service.ledger_access import LedgerAccess
from service.settings import Settings

_LOG = logging.getLogger("talkingpoints.audit")


class Auditor:
    """Records acts. Where the ledger cannot be written, the log alone has the act, and says so.

    An act is not refused for want of its record: going back to the model before must work in trouble too.
    """

    def __init__(self, ledgers: LedgerAccess) -> None:
        self._ledgers = ledgers

    def record(self, act: Act) -> None:
        """Record an act, as of now."""
        fields = {"actor": act.actor, "act": act.act, "subject": act.subject, "outcome": act.outcome}
        try:
            record_act(self._ledgers.opened(), act)
            _LOG.info("administrator's act", extra={"fields": fields})
        except TalkingPointsError as error:
            fields |= {"reason": error.problem}
            _LOG.error("administrator's act, which the ledger could not record", extra={"fields": fields})


@dataclass(slots=True)
class Noted:
    """What a command is doing; it may say more of the subject, or how it ended, as it goes on."""

    subject: str
    outcome: str = "done"


@contextmanager
def audited(settings: Settings, act: str, subject: str = "") -> Iterator[Noted]:
    """Record what a command does, by the name of the system's user, with how it ended."""
    noted = Noted(subject)
    try:
        yield noted
    except BaseException as error:
        noted.outcome = f"failed: {type(error).__name__}"
        raise
    finally:
        note(settings, act, noted.subject, noted.outcome)


def note(settings: Settings, act: str, subject: str, outcome: str = "done") -> None:
    """Record what a command has done, by the name of the system's user.

    What failed makes no ledger where there is none.
    """
    if outcome != "done" and not settings.workspace.has_ledger:
        return
    with closing(LedgerAccess(settings)) as ledgers:
        Auditor(ledgers).record(Act(f"user:{_user()}", act, subject, outcome))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in a container
        return "unknown"
