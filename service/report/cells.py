"""The cells of a page's tables: what of a row is shown, and how people read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.report.words import percent

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and what its cell says of a row; numbers stand to the right."""

    heading: str
    cell: Callable[[Row], str]
    right: bool = True


def text(heading: str, name: str) -> Column:
    """Return a column of words."""
    return Column(heading, lambda row: str(row[name]), False)


def count(heading: str, name: str) -> Column:
    """Return a column of whole numbers."""
    return Column(heading, lambda row: "–" if row[name] is None else f"{row[name]:,}")


def share(heading: str, name: str) -> Column:
    """Return a column of shares, in percent."""
    return Column(heading, lambda row: percent(row[name]))


def figure(heading: str, name: str, digits: int = 2) -> Column:
    """Return a column of figures with a fixed number of digits."""
    return Column(heading, lambda row: fixed(row[name], digits))


def between(heading: str, low: str, high: str, shown: Callable[[float | None], str]) -> Column:
    """Return a column of intervals."""

    def cell(row: Row) -> str:
        return "–" if row[low] is None or row[high] is None else f"{shown(row[low])} to {shown(row[high])}"

    return Column(heading, cell)


def chance() -> Column:
    """Return a column of p-values."""
    return Column("p", lambda row: "< 0.001" if row["p"] < 0.001 else f"{row['p']:.3f}")


def two(value: float | None) -> str:
    """Return a figure with two digits, a dash where there is none."""
    return fixed(value, 2)


def fixed(value: float | None, digits: int) -> str:
    """Return a figure with a fixed number of digits, a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def cut(text: str, most: int = 140) -> str:
    """Return a text in one line, cut off where it is long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[: most - 1].rstrip()}…"


def sure(row: Row) -> str:
    """Say how far a share can be relied on."""
    if row["is_valid"]:
        return "valid interval"
    if row["is_borrowed"]:
        return "borrowed labels: assumes that the model errs here as elsewhere"
    return row["note"] or "indicative"
