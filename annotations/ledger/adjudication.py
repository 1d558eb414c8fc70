"""What the ledger knows of the project for adjudication in a Label Studio: announced first, then confirmed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select

from annotations.ledger.store import Ledger
from annotations.ledger.tables import ledger_info

_KEY = "adjudication_project:"


@dataclass(frozen=True, slots=True)
class AdjudicationProject:
    """The project of a server; without a number it is announced, not known to be made."""

    mark: str
    project_id: int | None = None
    created_at: str = ""


def adjudication_project(ledger: Ledger, server: str) -> AdjudicationProject | None:
    """Return the project of a server, None where none was ever announced."""
    query = select(ledger_info.c.value).where(ledger_info.c.key == _KEY + server)
    with ledger.begin() as connection:
        value = connection.scalar(query)
    return None if value is None else AdjudicationProject(**json.loads(value))


def remember_adjudication_project(ledger: Ledger, server: str, project: AdjudicationProject) -> None:
    """Remember the project of a server in the place of an earlier one."""
    with ledger.begin() as connection:
        connection.execute(delete(ledger_info).where(ledger_info.c.key == _KEY + server))
        connection.execute(insert(ledger_info).values(key=_KEY + server, value=json.dumps(asdict(project))))
