"""The folder beside an output that is being made: ``OUT.partial``, with the answers to all chunks that are done.

An answer is a file under the name of all that it depends on (:meth:`classifiers.bulk.work.Work.key`), and
there whole or not at all.  A run that was ended finds its answers by these names; what was made of another input,
by another model or with other options has other names and is never used.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from annotations.errors import FileError
from annotations.files import MEDIUM_ERRORS
from classifiers.bulk.chunks import Refused
from classifiers.bulk.work import Answer

_MARK = "talkingpoints-tag"
_OUTPUT = "output"
_REFUSED = "rejected"
_SUFFIX = ".chunk"
_DISK_ERRORS = MEDIUM_ERRORS - {errno.EIO}  # that one may come from reading as well


def rejected_path(out_path: Path) -> Path:
    """Return the file of the rows that could not be read."""
    return out_path.with_name(f"{out_path.name}.rejected.jsonl")


def partial_path(out_path: Path) -> Path:
    """Return the folder of an output that is not finished."""
    return out_path.with_name(f"{out_path.name}.partial")


class Side:
    """An open folder of answers; ``n_found`` is how many there were, ``n_used`` how many of them were of use."""

    def __init__(self, out_path: Path) -> None:
        self._out_path = out_path
        self._folder = partial_path(out_path)
        self.output_path = self._folder / _OUTPUT
        self._refused = (self._folder / _REFUSED).open("w", encoding="utf-8", newline="\n")
        self._found = {path.stem for path in self._folder.glob(f"*{_SUFFIX}")}
        self.n_found = len(self._found)
        self.n_used = 0

    def find(self, key: str) -> bytes | None:
        """Return the answer of an earlier run, None where there is none or it is not whole."""
        if key not in self._found:
            return None
        try:
            data = self._path(key).read_bytes()
            Answer.from_bytes(data)
        except (OSError, ValueError, LookupError, TypeError):
            return None
        self.n_used += 1
        return data

    def keep(self, key: str, answer: bytes) -> None:
        """Keep an answer."""
        temporary = self._folder / "new"
        with temporary.open("wb") as stream:
            stream.write(answer)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self._path(key))

    def refuse(self, refused: Iterable[Refused]) -> None:
        """Write down what could not be read."""
        for each in refused:
            self._refused.write(json.dumps(asdict(each), ensure_ascii=True) + "\n")

    def finish(self) -> Path | None:
        """Put the output in its place and remove the folder; return the file of refused rows, if there is one."""
        self._refused.close()
        refused, rejected = self._folder / _REFUSED, rejected_path(self._out_path)
        if any_refused := refused.stat().st_size > 0:
            refused.replace(rejected)
        else:
            rejected.unlink(missing_ok=True)
        with self.output_path.open("rb") as stream:
            os.fsync(stream.fileno())
        self.output_path.replace(self._out_path)
        shutil.rmtree(self._folder)
        return rejected if any_refused else None

    def close(self) -> None:
        """Let the files go; the answers stay, if there are any."""
        self._refused.close()
        if self._folder.exists() and not any(self._folder.glob(f"*{_SUFFIX}")):
            shutil.rmtree(self._folder)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"


@contextmanager
def writing(out_path: Path) -> Iterator[None]:
    """Say of a disk that is full or read-only which output it is that cannot be written.

    Raises
    ------
    FileError
        Instead of the system's error.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise FileError(
            f"cannot be written: {os.strerror(error.errno)}",
            where=str(out_path),
            hint="Free some space or choose another place; what was done is kept, the file there before unchanged.",
        ) from error


@contextmanager
def open_side(out_path: Path) -> Iterator[Side]:
    """Make or open the folder beside an output, for this process alone.

    Raises
    ------
    FileError
        Another run is at it, it is another's folder, or it cannot be made.
    """
    folder = partial_path(out_path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / _MARK).exists() and any(folder.iterdir()):
            raise FileError(
                "is no folder of an unfinished `tag`", where=str(folder), hint="Choose another name for OUT."
            )
        lock = (folder / _MARK).open("w")
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise
        raise FileError(
            f"cannot be written: {error.strerror or error}",
            where=str(folder),
            hint="Choose a folder you can write to.",
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FileError(
                "another run is writing this file", where=str(out_path), hint="Wait until it has ended."
            ) from None
        side = Side(out_path)
        try:
            yield side
        finally:
            side.close()
