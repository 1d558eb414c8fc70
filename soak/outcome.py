"""What a part of the soak found, and the table at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

_SHOWN = 5


@dataclass(slots=True)
class Outcome:
    """One row of the table: what was tried, how often, what failed."""

    part: str
    tries: int = 0
    failures: list[str] = field(default_factory=list)
    note: str = ""
    skipped: str = ""
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """Whether it went well, in a word."""
        return "skipped" if self.skipped else "FAILED" if self.failures else "ok"


@contextmanager
def measured(outcome: Outcome) -> Iterator[Outcome]:
    """Take the time of a part; an error in it is a failure of the part, and the next one is still tried."""
    start = time.monotonic()
    try:
        yield outcome
    except Exception as error:
        outcome.failures.append(f"{type(error).__name__}: {error}")
    outcome.seconds = time.monotonic() - start


def print_table(outcomes: Sequence[Outcome]) -> None:
    """Print a line a part, then what failed."""
    width = max(len(outcome.part) for outcome in outcomes)
    print(f"\n{'part':{width}}  {'tries':>10}  {'failures':>8}  {'minutes':>7}  verdict  remarks")
    for each in outcomes:
        print(
            f"{each.part:{width}}  {each.tries:10,}  {len(each.failures):8,}  {each.seconds / 60:7.1f}  "
            f"{each.verdict:7}  {each.skipped or each.note}"
        )
    for each in outcomes:
        for failure in each.failures[:_SHOWN]:
            print(f"\n{each.part}: {failure}")
        if len(each.failures) > _SHOWN:
            print(f"\n{each.part}: and {len(each.failures) - _SHOWN:,} more")
