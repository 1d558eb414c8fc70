"""``manifest.json``, the last member of a backup: what is in it, with a digest of every member."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT: Final = 1
"""The version of the archive's format; raised by any change that an older reader would misread."""

MANIFEST: Final = "manifest.json"
LEDGER: Final = "ledger/"
"""Under it ``ledger.db``, or a file of JSON Lines for each table."""
WORKSPACE: Final = "workspace/"
"""Under it the files of the workspace, at their places."""
DATABASE: Final = LEDGER + "ledger.db"

_Count = Annotated[int, Field(ge=0)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MemberEntry(_Record):
    """A file in the archive: its size in bytes and its SHA-256."""

    size: _Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class LedgerEntry(_Record):
    """The ledger in the archive.

    Attributes
    ----------
    kind
        ``sqlite``: a database file; ``tables``: JSON Lines, one file a table.
    schema_version
        The last of our steps that its tables have taken.
    rows
        How many rows each table has.
    numbers
        The last number that a table has given to a row, where numbers are never used again.
    """

    kind: Literal["sqlite", "tables"]
    schema_version: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    rows: dict[str, _Count]
    numbers: dict[str, _Count]


class Manifest(_Record):
    """What a backup holds; ``studio`` says whether the local Label Studio is in it."""

    format: Literal[1]
    made_by: str
    made_at: str
    ledger: LedgerEntry
    studio: bool
    members: dict[str, MemberEntry]
    notes: list[str]
