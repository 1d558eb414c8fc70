"""A folder to build something in, beside the place where it goes; one that a killed run left is removed.

The run that works in a folder holds a lock on it, so that a folder without a lock is nobody's.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotations.errors import FileError

_SUFFIX = ".part"


@contextmanager
def staging_folder(place: Path, purpose: str) -> Iterator[Path]:
    """Yield a new private folder beside ``place`` and remove it at the end, with whatever is still in it.

    ``purpose`` is a word of its name; abandoned ones with the same purpose go first.

    Raises
    ------
    FileError
        The folder above ``place`` cannot be made or written.
    """
    prefix = f".talkingpoints-{purpose}-"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _locked(place.parent):  # nobody takes a folder for abandoned between its making and its locking
            _remove_abandoned(place.parent, prefix)
            folder = Path(tempfile.mkdtemp(dir=place.parent, prefix=prefix, suffix=_SUFFIX))
            lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise FileError(
            f"cannot be written: {error.strerror or error}",
            where=str(place.parent),
            hint="Choose a folder you can write to.",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def is_staging(name: str) -> bool:
    """Tell whether a name is that of something unfinished: such is never part of a workspace."""
    return name.startswith(".") and name.endswith((_SUFFIX, ".old"))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    for entry in folder.iterdir():
        if not (entry.name.startswith(prefix) and entry.name.endswith(_SUFFIX)) or entry.is_symlink():
            continue
        try:
            lock = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(entry, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
