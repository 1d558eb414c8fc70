"""Two folders that change places in one step, and folders that are on the disk for sure."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(one: Path, other: Path) -> None:
    """Let two folders beside each other change places, in one step where the system can (Linux).

    Elsewhere it takes three renames; what is there of ``other`` is never deleted.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        rename = None
    if rename is not None:
        names = os.fsencode(one), os.fsencode(other)
        if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
            _sync_folder(other.parent)
            return
        code = ctypes.get_errno()
        if code not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
            raise OSError(code, os.strerror(code), str(other))
    between = one.with_name(f"{one.name}.new")
    one.rename(between)
    other.rename(one)
    try:
        between.rename(other)
    except OSError:
        one.rename(other)
        raise
    _sync_folder(other.parent)


def fsync_tree(folder: Path) -> None:
    """Make sure that everything in a folder is on the disk."""
    for root, _folders, names in os.walk(folder):
        for name in names:
            with (Path(root) / name).open("rb") as stream:
                os.fsync(stream.fileno())
        _sync_folder(Path(root))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
