"""Results of an analysis as tables: records become rows, the same in every command and in the report."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import IO, Any

from annotations.files import neutral_cell
from classifiers.diagnostics import Diagnostics, Unused
from classifiers.diagnostics_learning import Prospect
from classifiers.diagnostics_pairs import Confusion, Exclusion, Implication
from classifiers.drift import Drift
from classifiers.drift.agreeing import AgreementPoint
from classifiers.drift.phrases import RisingPhrase
from classifiers.drift.scores import ScoreShift
from classifiers.drift.vocabulary import WordShift
from classifiers.trends import Trends
from classifiers.trends.chains import Chain, Step
from classifiers.trends.change_points import Change
from classifiers.trends.cooccurrence import Pair
from classifiers.trends.exemplars import Exemplar
from classifiers.trends.timelines import Point
from service.page_texts import writable

_DIGITS = 6
_NESTED = {"steps"}


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a table, and its rows."""

    columns: tuple[str, ...]
    rows: Sequence[dict[str, Any]]

    @classmethod
    def of(cls, kind: type, records: Iterable[Any]) -> Table:
        """Make a table of records (dataclasses): figures of six digits, lists joined, ``steps`` left out."""
        columns = tuple(each.name for each in fields(kind) if each.name not in _NESTED)
        return cls(columns, [{name: _cell(getattr(record, name)) for name in columns} for record in records])

    def numbered(self, name: str, numbers: Iterable[int]) -> Table:
        """Return the table with a column of numbers before the others."""
        rows = [{name: number} | row for number, row in zip(numbers, self.rows, strict=True)]
        return Table((name, *self.columns), rows)

    def dump(self, stream: IO[str]) -> None:
        """Write the table as CSV: what is not known is empty, nothing is taken for a formula."""
        writer = csv.DictWriter(stream, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _plain(value) for key, value in row.items()} for row in self.rows)


def trend_tables(found: Trends) -> dict[str, Table]:
    """Return the trends as tables by name."""
    of, numbers = Table.of, range(1, len(found.chains) + 1)
    steps = [
        (number, step) for number, chain in zip(numbers, found.chains, strict=True) for step in chain.steps
    ]
    return {
        "timelines": of(Point, found.timelines),
        "changes": of(Change, found.changes),
        "pairs": of(Pair, found.pairs),
        "chains": of(Chain, found.chains).numbered("chain", numbers),
        "chain_steps": of(Step, [step for _, step in steps]).numbered(
            "chain", [number for number, _ in steps]
        ),
        "examples": of(Exemplar, found.exemplars),
    }


def drift_tables(found: Drift) -> dict[str, Table]:
    """Return the drift as tables by name."""
    return {
        "score_drift": Table.of(ScoreShift, found.scores),
        "vocabulary_drift": Table.of(WordShift, found.vocabulary),
        "rising_phrases": Table.of(RisingPhrase, found.phrases),
        "agreement_by_period": Table.of(AgreementPoint, found.agreement),
    }


def diagnostic_tables(found: Diagnostics) -> dict[str, Table]:
    """Return the findings as tables by name."""
    return {
        "confusions": Table.of(Confusion, found.confusions),
        "implications": Table.of(Implication, found.implications),
        "exclusions": Table.of(Exclusion, found.exclusions),
        "unused": Table.of(Unused, found.unused),
        "prospects": Table.of(Prospect, found.prospects),
    }


def rounded(value: Any) -> Any:
    """Return a value with its figures, also those nested in it, rounded to six digits."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return value


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return "; ".join(map(str, value))
    return rounded(value)


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    return neutral_cell(writable(value) if isinstance(value, str) else value)
