"""How functions are compiled: to machine code that is cached on the disk and does not hold the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile ``function`` at its first call; without a place for the cache, anew in every process."""
    try:
        result: Function = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba's "no locator available": neither this folder nor the user's cache can be written
        result = njit(nogil=True)(function)
    return result


def inlined(function: Function) -> Function:
    """Compile a small function into those that call it."""
    result: Function = njit(nogil=True, inline="never")(function)
    return result
