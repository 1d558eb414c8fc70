"""How functions are compiled: to machine code that is cached on the disk and does not hold the interpreter's lock.

They get all their arrays from outside and make none, so that the compiler need not count references to them; that
alone halves the time of tokenising.

The compiler's cache looks at the file of a function alone, not at constants and functions of others that went into its
code.  So a digest of all files of this package is a part of the name under which it is cached.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


_FILES = sorted(Path(__file__).parent.glob("*.py"))
_DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()[:12]


def compiled(function: Function) -> Function:
    """Compile ``function`` at its first call; without a place for the cache, anew in every process."""
    function.__qualname__ += f"_{_DIGEST}"
    try:
        return _compiled(function, cache=True)
    except RuntimeError:  # "no locator available": neither this folder nor the user's cache can be written
        return _compiled(function)


def inlined(function: Function) -> Function:
    """Compile a small function as a part of those that call it."""
    return _compiled(function)


def _compiled(function: Function, **options: bool) -> Function:
    build: Callable[..., Any] = njit
    try:
        made = build(nogil=True, _nrt=False, **options)(function)
    except KeyError:  # a numba that does not know this option of its own
        made = build(nogil=True, **options)(function)
    return cast("Function", made)
