"""CSV for spreadsheets: wide (a column a tag) and long (a row a decision or a passage of evidence).

Cells that a spreadsheet would run as a formula get a ``'`` before them; ``restored_cell`` takes it off again.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from annotations.exporting.entries import Entry, Reading
from annotations.exporting.layout import Layout, quoted
from annotations.readers.cells import protected_cell

_KEYS = ("post_id", "revision")
_POST = ("channel", "date", "lang", "forwarded_from", "duplicate_of", "text")
_ANNOTATOR = ("flags", "comment", "codebook", "lead_time")
_GOLD = ("n_annotators", "provenance", "flags", "codebook")
_YES_NO = {True: "yes", False: "no", None: ""}


def wide_columns(layout: Layout) -> tuple[str, ...]:
    """Return the columns of the wide table.

    A tag's column is named by its id; where a column of ours has that name already, by ``<id>_tag``.
    """
    who = () if layout.gold else ("annotator",)
    rest = ("evidence", *(("votes", *_GOLD) if layout.gold else ("origin", *_ANNOTATOR)))
    fixed = {*_KEYS, *who, "status", *_POST, *rest}
    tags = [f"{tag}_tag" if tag in fixed else tag for tag in layout.tag_ids]
    return (*_KEYS, *who, "status", *_POST, *tags, *rest)


def long_columns(layout: Layout) -> tuple[str, ...]:
    """Return the columns of the long table."""
    who, about = ((), ("n_yes", "provenance")) if layout.gold else (("annotator",), ("origin",))
    whole = ("n_annotators", "flags", "codebook") if layout.gold else _ANNOTATOR
    return (*_KEYS, *who, "kind", "status", "tag", "value", *about, "start", "end", "quote", *_POST, *whole)


class WideCsv:
    """A row an annotator and post (or a post), a column a tag: ``yes``, ``no``, or empty where nothing is said."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._layout = layout
        self._table = _Table(path, wide_columns(layout))

    def write(self, entry: Entry, readings: Sequence[Reading]) -> int:
        """Write the rows of a post."""
        for reading in readings:
            self._table.add(self._row(entry, reading))
        return len(readings)

    def close(self) -> None:
        """Finish the file."""
        self._table.close()

    def _row(self, entry: Entry, reading: Reading) -> list[Any]:
        layout = self._layout
        who = [] if layout.gold else [reading.annotator]
        tags = [_YES_NO[reading.value(tag, layout.retired)] for tag in layout.tag_ids]
        evidence = {tag: quoted(spans, entry.text) for tag, spans in reading.tags.items() if spans}
        rest: list[Any]
        if layout.gold:
            votes = {tag: vote.n_yes for tag, vote in reading.votes.items()}
            rest = [votes, reading.n_annotators, reading.provenance, list(reading.flags), reading.codebook]
        else:
            rest = [dict(reading.origin), *_of_annotator(reading)]
        return [*entry.key, *who, reading.status, *_of_post(entry, reading), *tags, evidence, *rest]


class LongCsv:
    """Rows of three kinds: ``reading`` (with the text), ``tag`` (yes or no) and ``evidence`` (one passage).

    A post that is skipped, not analysable or unseen has a ``reading`` and, as nothing is said of tags, no more.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self._layout = layout
        self._columns = long_columns(layout)
        self._table = _Table(path, self._columns)

    def write(self, entry: Entry, readings: Sequence[Reading]) -> int:
        """Write the rows of a post."""
        number = 0
        for reading in readings:
            for row in self._rows(entry, reading):
                self._table.add([row.get(name) for name in self._columns])
                number += 1
        return number

    def close(self) -> None:
        """Finish the file."""
        self._table.close()

    def _rows(self, entry: Entry, reading: Reading) -> Iterator[dict[str, Any]]:
        gold = self._layout.gold
        ids = dict(zip(_KEYS, entry.key, strict=True)) | {"annotator": reading.annotator}
        ids["status"] = reading.status
        whole = {"provenance": reading.provenance, "n_annotators": reading.n_annotators} if gold else {}
        post = dict(zip(_POST, _of_post(entry, reading), strict=True))
        post |= dict(zip(_ANNOTATOR, _of_annotator(reading), strict=True))
        yield ids | {"kind": "reading"} | post | whole
        for tag in self._layout.tag_ids:
            value = reading.value(tag, self._layout.retired)
            vote = reading.votes.get(tag)
            if value is None and vote is None:
                continue
            row: dict[str, Any] = {"kind": "tag", "tag": tag, "value": _YES_NO[value]}
            row["origin"] = reading.origin.get(tag)
            if gold:
                row["n_yes"] = vote.n_yes if vote else 0
                row["provenance"] = reading.provenance_of(tag)
            yield ids | row
            for span in quoted(reading.tags.get(tag, ()), entry.text):
                place = {"start": span["start"], "end": span["end"], "quote": span["text"]}
                yield ids | {"kind": "evidence", "tag": tag} | place


class _Table:
    """A CSV file (UTF-8, CRLF between rows as in RFC 4180, so that line ends inside a cell are always quoted)."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._stream = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._stream, lineterminator="\r\n")
        self._writer.writerow(columns)

    def add(self, cells: Sequence[Any]) -> None:
        self._writer.writerow([_cell(cell) for cell in cells])

    def close(self) -> None:
        self._stream.close()


def _of_post(entry: Entry, reading: Reading) -> list[Any]:
    date = entry.date_of(reading)
    moment = date.astimezone(UTC).isoformat() if date else None
    return [entry.channel, moment, entry.lang, entry.forwarded_from, entry.duplicate_of, entry.text]


def _of_annotator(reading: Reading) -> list[Any]:
    return [list(reading.flags), reading.comment, reading.codebook, reading.lead_time]


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return protected_cell(value)
