"""The values of cells: dates, counts, ids, lists, and cells that no spreadsheet runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.readers.cells import count, find_hashtags, identifier, protected_cell, restored_cell, words
from annotations.readers.dates import DateError, NoZoneError, read_date


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-12-19T15:06:58+03:00", datetime(2025, 12, 19, 12, 6, 58, tzinfo=UTC)),
        ("2025-12-19T15:06:58Z", datetime(2025, 12, 19, 15, 6, 58, tzinfo=UTC)),
        (1766156818, datetime(2025, 12, 19, 15, 6, 58, tzinfo=UTC)),
        ("1766156818.0", datetime(2025, 12, 19, 15, 6, 58, tzinfo=UTC)),
        ("1766156818000", datetime(2025, 12, 19, 15, 6, 58, tzinfo=UTC)),
    ],
)
def test_dates_that_are_read(value: Any, expected: datetime) -> None:
    """ISO 8601 with a zone and Unix time need no assumption."""
    assert read_date(value, None) == expected


@pytest.mark.parametrize(
    "value", ["yesterday", "12.05.2025", "0001-01-01T00:00:00+05:00", True, 12, [], "1" * 30]
)
def test_dates_that_are_refused(value: Any) -> None:
    """What is no date, or could be two, is refused."""
    with pytest.raises(DateError):
        read_date(value, None)


def test_a_date_without_a_zone() -> None:
    """A local time is in the zone that the options name; without one the caller decides."""
    assert read_date("2025-01-01", timezone(timedelta(hours=-5))) == datetime(2025, 1, 1, 5, tzinfo=UTC)
    with pytest.raises(NoZoneError):
        read_date("2025-01-01", None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1.31K", 1310), ("2M", 2_000_000), ("1,5k", 1500), ("1,310", 1310), (7.0, 7), ("1.310", None),
     ("-1", None), ("many", None), (True, None), (10**12, None)],
)  # fmt: skip
def test_counts(value: Any, expected: int | None) -> None:
    """Views come as numbers or shortened; what is no count is none."""
    assert count(value) == expected


def test_small_cells() -> None:
    """Ids, lists and hashtags as tables write them."""
    assert [identifier("id", value) for value in ("7", 7.0, "", None, "a-b")] == ["7", "7", None, None, "a-b"]
    lists = ["a|b|a", '["a|b"]', "[broken", ["a", 1], 5]
    assert [words(value) for value in lists] == [("a", "b"), ("a|b",), (), ("a",), ()]
    assert find_hashtags("#UN and https://x.org/#top &#39; #2025 #Мир_2 #UN") == ("#UN", "#Мир_2")


@given(st.text() | st.builds("".join, st.lists(st.sampled_from(["'", "=", "+", "-", "@", "\t", "\r", "a"]))))
def test_protected_cells_come_back(value: str) -> None:
    """A protected cell is never run by a spreadsheet, and reading gives back what was written."""
    assert restored_cell(protected_cell(value)) == value
    assert protected_cell(value)[:1] not in ("=", "+", "-", "@", "\t", "\r")
