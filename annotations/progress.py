"""How long work tells what it has done: a callback, so that no module below the command line prints."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called with (done so far, total or None where it is not known)."""


def silent(_done: int, _total: int | None) -> None:
    """Tell nobody."""
