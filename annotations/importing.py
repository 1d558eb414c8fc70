"""From a file to the ledger, in batches: every message ends as one outcome, and none is dropped silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from annotations.ledger.channels import remembered_channel
from annotations.ledger.recording import DUPLICATE, EDITED, NEW, UNCHANGED, insert_once, record_posts
from annotations.ledger.store import Ledger, now
from annotations.ledger.tables import imports, refusals
from annotations.progress import Progress, silent
from annotations.readers import (
    EmptyItem,
    Item,
    PostItem,
    Reading,
    ReadOptions,
    RefusedItem,
    ServiceItem,
    plain_channel,
    read_posts,
)

EMPTY, SERVICE, REFUSED = "empty", "service", "refused"
OUTCOMES = (NEW, EDITED, UNCHANGED, DUPLICATE, EMPTY, SERVICE, REFUSED)

_BATCH = 1_000
_MOST_REFUSALS = 1_000
_SHOWN_REFUSALS = 20
_SHOWN_REASONS = 8


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was not imported: where it is in the file, and why."""

    position: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file.

    ``counts`` has every outcome and sums to the messages read.  ``reasons`` counts why messages were empty
    or service, ``notes`` what was read by convention or left out.  ``refusals`` holds the first 1,000; the
    ledger holds all.
    """

    file: str
    format: str
    import_id: int
    counts: dict[str, int]
    reasons: dict[str, dict[str, int]]
    notes: dict[str, int]
    refusals: tuple[Refusal, ...]

    @property
    def messages(self) -> int:
        """How many messages were read."""
        return sum(self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {
            "file": self.file,
            "format": self.format,
            "import_id": self.import_id,
            "messages": self.messages,
            "counts": dict(self.counts),
            "reasons": {outcome: dict(counts) for outcome, counts in self.reasons.items()},
            "notes": dict(self.notes),
            "refusals": [
                {"file": self.file, "position": refusal.position, "reason": refusal.reason}
                for refusal in self.refusals
            ],
        }

    def __str__(self) -> str:
        counts = ", ".join(f"{self.counts[outcome]:,} {outcome}" for outcome in OUTCOMES)
        lines = [f"{self.file} ({self.format}): {self.messages:,} messages: {counts}"]
        lines += [f"  {outcome}: {_listed(reasons)}" for outcome, reasons in self.reasons.items()]
        lines += [f"  note: {note}: {number:,}" for note, number in self.notes.items()]
        shown = self.refusals[:_SHOWN_REFUSALS]
        lines += [f"  refused: {self.file}, {refusal.position}: {refusal.reason}" for refusal in shown]
        if self.counts[REFUSED] > len(shown):
            lines.append(
                f"  and {self.counts[REFUSED] - len(shown):,} more refused (all of them are in the ledger)"
            )
        return "\n".join(lines)


def import_file(
    ledger: Ledger, path: Path, options: ReadOptions | None = None, progress: Progress = silent
) -> ImportReport:
    """Import a file of posts.

    Each batch is a transaction: whatever ends the run, what was recorded stays, and the next run goes on with
    what is missing (the rest is ``unchanged``).

    Raises
    ------
    FileError
        The file is missing, unreadable or of no known format.
    LedgerError
        The ledger cannot be written.
    """
    options = options or ReadOptions()
    if options.name_channel is plain_channel:
        options = replace(options, name_channel=partial(remembered_channel, ledger))
    reading = read_posts(path, options)
    run = _Run(ledger, str(path), reading)
    for batch in _batches(reading.items):
        run.record(batch)
        progress(run.messages, None)
    return run.finish()


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while batch := list(islice(items, _BATCH)):
        yield batch


class _Run:
    """One run over a file, and its row in the table of imports."""

    def __init__(self, ledger: Ledger, file: str, reading: Reading) -> None:
        self._ledger = ledger
        self._file = file
        self._format = reading.format
        self._counts: Counter[str] = Counter()
        self._reasons: dict[str, Counter[str]] = {EMPTY: Counter(), SERVICE: Counter()}
        self._notes: Counter[str] = Counter(reading.notes)
        self._refusals: list[Refusal] = []
        row = {"file": file, "format": reading.format, "started_at": now(), "counts": {}}
        with ledger.begin() as connection:
            self._id = connection.execute(
                insert(imports).values(row).returning(imports.c.import_id)
            ).scalar_one()

    @property
    def messages(self) -> int:
        return self._counts.total()

    def record(self, batch: Sequence[Item]) -> None:
        refused = [item for item in batch if isinstance(item, RefusedItem)]
        found = [item for item in batch if isinstance(item, PostItem)]
        with self._ledger.begin() as connection:
            outcomes = record_posts(connection, self._id, [item.post for item in found]) if found else []
            counts = self._counts + Counter(outcomes) + Counter(map(_other_outcome, batch))
            del counts[""]
            rows = [
                {"import_id": self._id, "position": item.position, "reason": item.reason} for item in refused
            ]
            insert_once(connection, refusals, rows)
            connection.execute(
                update(imports).where(imports.c.import_id == self._id).values(counts=dict(counts))
            )
        self._counts = counts
        self._remember(batch)

    def _remember(self, batch: Sequence[Item]) -> None:
        for item in batch:
            if isinstance(item, PostItem):
                self._notes.update(item.notes)
            elif isinstance(item, RefusedItem):
                if len(self._refusals) < _MOST_REFUSALS:
                    self._refusals.append(Refusal(item.position, item.reason))
            else:
                self._reasons[_other_outcome(item)][item.reason] += 1

    def finish(self) -> ImportReport:
        counts = {outcome: self._counts[outcome] for outcome in OUTCOMES}
        with self._ledger.begin() as connection:
            done = {"counts": counts, "finished_at": now()}
            connection.execute(update(imports).where(imports.c.import_id == self._id).values(done))
        return ImportReport(
            file=self._file,
            format=self._format,
            import_id=self._id,
            counts=counts,
            reasons={name: dict(reasons.most_common()) for name, reasons in self._reasons.items() if reasons},
            notes=dict(self._notes.most_common()),
            refusals=tuple(self._refusals),
        )


def _listed(reasons: dict[str, int]) -> str:
    shown = list(reasons.items())[:_SHOWN_REASONS]
    others = sum(reasons.values()) - sum(number for _, number in shown)
    return ", ".join(f"{reason} {number:,}" for reason, number in shown) + (
        f", others {others:,}" if others else ""
    )


def _other_outcome(item: Item) -> str:
    """Return the outcome that an item has of itself; empty for a post, whose outcome the ledger decides."""
    match item:
        case EmptyItem():
            return EMPTY
        case ServiceItem():
            return SERVICE
        case RefusedItem():
            return REFUSED
        case _:
            return ""
