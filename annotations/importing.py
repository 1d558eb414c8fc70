"""From a file to the ledger, in batches: every message ends as one outcome, and none is dropped silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from annotations.ledger.channels import remembered_channel
from annotations.ledger.near_duplicates import find_near_duplicates, renew_signatures
from annotations.ledger.preparing import PreparedPost, prepare
from annotations.ledger.recording import (
    DUPLICATE,
    EDITED,
    ERASED,
    NEW,
    UNCHANGED,
    insert_once,
    record_prepared,
)
from annotations.ledger.store import Ledger, now, open_ledger
from annotations.ledger.tables import imports, refusals
from annotations.progress import Progress, silent
from annotations.readers import (
    EmptyItem,
    PostItem,
    ReadOptions,
    RefusedItem,
    ServiceItem,
    plain_channel,
    read_posts,
)
from annotations.reading_ahead import read_ahead

EMPTY, SERVICE, REFUSED = "empty", "service", "refused"
OUTCOMES = (NEW, EDITED, UNCHANGED, DUPLICATE, EMPTY, SERVICE, REFUSED)

_BATCH = 2_000
_LARGE = 16 << 20  # bytes; to start a second process takes about as long as to read these
_ERASED_REASON = "was erased on request, and is not imported again"
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
    ledger holds all.  ``near_duplicates`` is how many posts of the whole ledger are now in clusters.
    """

    file: str
    format: str
    import_id: int
    counts: dict[str, int]
    reasons: dict[str, dict[str, int]]
    notes: dict[str, int]
    refusals: tuple[Refusal, ...]
    near_duplicates: int = 0

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
            "near_duplicates": self.near_duplicates,
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
        if self.near_duplicates:
            lines.append(f"  near-duplicates: {self.near_duplicates:,} posts of the ledger are like another")
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
    """Import a file of posts, and find the near-duplicates among all posts.

    Each batch is a transaction: whatever ends the run, what was recorded stays, and the next run goes on with
    what is missing (the rest is ``unchanged``).  A large file is read in a process of its own.
    ``progress`` is told bytes.

    Raises
    ------
    FileError
        The file is missing, unreadable or of no known format.
    LedgerError
        The ledger cannot be written.
    """
    options = options or ReadOptions()
    renew_signatures(ledger)
    run: _Run | None = None
    with closing(_prepared_batches(ledger, path, options)) as batches:
        for batch in batches:
            run = run or _Run(ledger, str(path), batch.format)
            run.record(batch)
            progress(*batch.progress)
    assert run is not None  # noqa: S101 - there is a last batch, be it empty
    return run.finish(find_near_duplicates(ledger))


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Some messages of a file, brought into the form in which they are recorded; the last may be none."""

    format: str
    posts: list[PreparedPost]
    refused: list[Refusal]
    reasons: dict[str, Counter[str]]
    notes: Counter[str]
    progress: tuple[int, int]


def _prepared_batches(ledger: Ledger, path: Path, options: ReadOptions) -> Generator[_Prepared]:
    if not (ledger.url and _is_large(path)):
        yield from _prepare(ledger, path, options)
    else:
        yield from read_ahead(_prepare_elsewhere, ledger.url, path, options)


def _is_large(path: Path) -> bool:
    try:
        return path.stat().st_size >= _LARGE
    except OSError:
        return False  # what is wrong with it is said where it is opened


def _prepare_elsewhere(url: str, path: Path, options: ReadOptions) -> Iterator[_Prepared]:
    with closing(open_ledger(url)) as ledger:
        yield from _prepare(ledger, path, options)


def _prepare(ledger: Ledger, path: Path, options: ReadOptions) -> Iterator[_Prepared]:
    if options.name_channel is plain_channel:
        options = replace(options, name_channel=partial(remembered_channel, ledger))
    reading = read_posts(path, options)
    notes = Counter(reading.notes)
    while True:
        batch = list(islice(reading.items, _BATCH))
        is_last = len(batch) < _BATCH
        posts = [item for item in batch if isinstance(item, PostItem)]
        for item in posts:
            notes.update(item.notes)
        yield _Prepared(
            format=reading.format,
            posts=prepare([item.post for item in posts]),
            refused=[Refusal(item.position, item.reason) for item in batch if isinstance(item, RefusedItem)],
            reasons={
                EMPTY: Counter(item.reason for item in batch if isinstance(item, EmptyItem)),
                SERVICE: Counter(item.reason for item in batch if isinstance(item, ServiceItem)),
            },
            notes=notes,
            progress=(reading.meter.size if is_last else reading.meter.bytes_read(), reading.meter.size),
        )
        if is_last:
            return
        notes = Counter()


class _Run:
    """One run over a file, and its row in the table of imports."""

    def __init__(self, ledger: Ledger, file: str, kind: str) -> None:
        self._ledger = ledger
        self._file = file
        self._format = kind
        self._counts: Counter[str] = Counter()
        self._reasons: dict[str, Counter[str]] = {EMPTY: Counter(), SERVICE: Counter()}
        self._notes: Counter[str] = Counter()
        self._refusals: list[Refusal] = []
        row = {"file": file, "format": kind, "started_at": now(), "counts": {}}
        with ledger.begin() as connection:
            self._id = connection.execute(
                insert(imports).values(row).returning(imports.c.import_id)
            ).scalar_one()

    def record(self, batch: _Prepared) -> None:
        counts = Counter({outcome: reasons.total() for outcome, reasons in batch.reasons.items()})
        refused = batch.refused
        with self._ledger.begin() as connection:
            outcomes = record_prepared(connection, self._id, batch.posts) if batch.posts else []
            erased = [
                Refusal(f"post {post.post_id}", _ERASED_REASON)
                for post, outcome in zip(batch.posts, outcomes, strict=True)
                if outcome == ERASED
            ]
            refused = refused + erased
            counts += self._counts + Counter(outcomes) + Counter({REFUSED: len(refused)})
            del counts[ERASED]
            rows = [
                {"import_id": self._id, "position": item.position, "reason": item.reason} for item in refused
            ]
            insert_once(connection, refusals, rows)
            connection.execute(
                update(imports).where(imports.c.import_id == self._id).values(counts=dict(counts))
            )
        self._counts = counts
        self._notes.update(batch.notes)
        for outcome, reasons in batch.reasons.items():
            self._reasons[outcome].update(reasons)
        self._refusals += refused[: _MOST_REFUSALS - len(self._refusals)]

    def finish(self, alike: int) -> ImportReport:
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
            near_duplicates=alike,
        )


def _listed(reasons: dict[str, int]) -> str:
    shown = list(reasons.items())[:_SHOWN_REASONS]
    others = sum(reasons.values()) - sum(number for _, number in shown)
    return ", ".join(f"{reason} {number:,}" for reason, number in shown) + (
        f", others {others:,}" if others else ""
    )
