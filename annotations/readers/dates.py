"""Dates as tables have them. What could mean two days is refused: a date is never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from typing import Any

_SECONDS = (9, 10)
_MILLISECONDS = (12, 13)
_HINT = "write ISO 8601, such as 2025-12-19T15:06:58+00:00"


class DateError(Exception):
    """A value that is no date, or more than one."""


class NoZoneError(Exception):
    """A local time without its zone; ``as_utc`` is what it is in UTC."""

    def __init__(self, as_utc: datetime) -> None:
        self.as_utc = as_utc
        super().__init__(as_utc)


def read_date(value: Any, zone: tzinfo | None) -> datetime:
    """Return a date in UTC.

    Read are ISO 8601 with ``T`` or a space, a day alone (its first moment), Unix time in seconds (9 or 10
    digits) or milliseconds (12 or 13 digits), and the date types of Parquet.  A time without a zone is in
    ``zone``.

    Raises
    ------
    DateError
        Anything else.
    NoZoneError
        The time has no zone and ``zone`` is None.
    """
    moment = _moment(value)
    try:
        if moment.tzinfo is None and zone is None:
            raise NoZoneError(moment.replace(tzinfo=UTC))
        return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)
    except OverflowError as error:
        raise DateError(f"{moment} is outside the calendar") from error


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())  # a plain datetime, also from a subclass
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DateError(f"{type(value).__name__} is no date")
    text = str(value).strip()
    whole = text.removesuffix(".0")
    if whole.isdecimal() and whole.isascii() and len(whole) != 8:
        return _unix(whole)
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise DateError(f"{text[:40]!r} is no date; {_HINT}") from error


def _unix(digits: str) -> datetime:
    if len(digits) in _SECONDS:
        return datetime.fromtimestamp(int(digits), UTC)
    if len(digits) in _MILLISECONDS:
        return datetime.fromtimestamp(int(digits) / 1000, UTC)
    raise DateError(f"{digits[:40]!r} is no date; {_HINT}")
