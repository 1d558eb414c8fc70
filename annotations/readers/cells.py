"""The values of cells: ids, counts, lists, hashtags, and cells that no spreadsheet runs."""

from __future__ import annotations

import json
import re
from typing import Any

from annotations.cleaning import storable
from annotations.files import FORMULA_STARTS, neutral_cell

LONGEST_ID = 200
LARGEST_COUNT = 2**31 - 1

_HASHTAG = re.compile(r"(?<![\w/&#])#\w*[^\W\d]\w*")
_WHOLE = re.compile(r"(\d+)(?:\.0*)?|(\d{1,3}(?:,\d{3})+)")
_SHORT = re.compile(r"(\d+)(?:[.,](\d{1,6}))?\s*([KMB])", re.IGNORECASE)
_ZEROS = {"K": 3, "M": 6, "B": 9}
_LOOKS_PROTECTED = re.compile(f"'+[{re.escape(FORMULA_STARTS)}]")


class CellError(Exception):
    """A cell without which the row cannot be kept."""


def find_hashtags(text: str) -> tuple[str, ...]:
    """Return the hashtags of a text, each once, in order, with their ``#``."""
    return tuple(dict.fromkeys(_HASHTAG.findall(text))) if "#" in text else ()


def protected_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet runs as a formula, and that :func:`restored_cell` undoes."""
    if isinstance(value, str) and _LOOKS_PROTECTED.match(value):
        return "'" + value
    return neutral_cell(value)


def restored_cell(value: str) -> str:
    """Undo :func:`protected_cell`."""
    return value[1:] if value[:1] == "'" and _LOOKS_PROTECTED.match(value) else value


def is_missing(value: Any) -> bool:
    """Tell whether a cell is empty: None, no text, or not-a-number."""
    return value is None or value == "" or (isinstance(value, float) and value != value)  # noqa: PLR0124


def word(value: Any) -> str | None:
    """Return a short text; None for an empty cell and for lists and objects."""
    if is_missing(value) or isinstance(value, dict | list | bytes):
        return None
    return storable(str(value)).strip() or None


def identifier(name: str, value: Any) -> str | None:
    """Return an id as text; ``27748.0`` is what tables with gaps make of 27748.

    Raises
    ------
    CellError
        It is no id, and posts would be mixed up without it.
    """
    if is_missing(value):
        return None
    found = word(value)
    if isinstance(value, bool | dict | list | bytes) or found is None:
        raise CellError(f"field '{name}' is {type(value).__name__}, not an id")
    if len(found) > LONGEST_ID or any(map(str.isspace, found)):
        raise CellError(f"field '{name}' is no id: {found[:30]!r}")
    whole, dot, zeros = found.partition(".")
    return whole if dot and whole.isdecimal() and zeros.strip("0") == "" else found


def words(value: Any) -> tuple[str, ...]:
    """Return a list cell: a list, its JSON, or words joined by ``|``."""
    if is_missing(value):
        return ()
    if isinstance(value, str):
        value = _json(value) if value.startswith("[") else value.split("|")
    if not isinstance(value, list | tuple):
        return ()
    found = (storable(entry).strip() for entry in value if isinstance(entry, str))
    return tuple(dict.fromkeys(filter(None, found)))


def count(value: Any) -> int | None:
    """Return a count such as ``1310``, ``1310.0``, ``1,310`` or ``1.31K``; None for what is no count."""
    text = "" if isinstance(value, bool) else str(value).strip()
    if found := _WHOLE.fullmatch(text):
        digits = found[1] or found[2].replace(",", "")
    elif found := _SHORT.fullmatch(text):
        zeros = _ZEROS[found[3].upper()]
        digits = found[1] + (found[2] or "")[:zeros].ljust(zeros, "0")
    else:
        return None
    return int(digits) if len(digits) <= len(str(LARGEST_COUNT)) and int(digits) <= LARGEST_COUNT else None


def counts_by_name(value: Any) -> dict[str, int]:
    """Return a cell of counts by name: an object, its JSON, or pairs (as Parquet has maps)."""
    if isinstance(value, str):
        value = _json(value)
    if isinstance(value, list | tuple):
        value = {str(pair[0]): pair[1] for pair in value if isinstance(pair, list | tuple) and len(pair) == 2}
    if not isinstance(value, dict):
        return {}
    return {
        storable(name): number
        for name, number in value.items()
        if isinstance(name, str) and isinstance(number, int) and not isinstance(number, bool)
    }


def _json(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
