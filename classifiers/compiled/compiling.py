"""How functions are compiled: to machine code that is cached on the disk and does not hold the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile ``function`` at its first call; without a place for the cache, anew in every process."""
    try:
        return cast("Function", njit(cache=True, nogil=True)(function))
    except (
        RuntimeError
    ):  # numba's "no locator available": neither this folder nor the user's cache can be written
        return cast("Function", njit(nogil=True)(function))


def inlined(function: Function) -> Function:
    """Compile a small function as a part of those that call it."""
    return cast("Function", njit(nogil=True)(function))
