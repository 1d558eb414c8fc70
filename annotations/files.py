"""Files written whole or not at all, and readable whatever the platform."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from annotations.errors import FileError

MEDIUM_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG}
"""What the operating system says where a disk is full, failing or read-only."""


FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"
"""What a cell begins with that a spreadsheet might run; the wide forms are taken for the others by some."""


@contextmanager
def atomic_path(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends without an error.

    ``mode`` is the permission bits of the finished file; by default those of any new file (the umask's).

    Raises
    ------
    FileError
        The folder cannot be made or written, or the disk is full; ``path`` is then as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
    except OSError as error:
        raise FileError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            hint="Choose a folder you can write to.",
        ) from error
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o666 & ~_umask() if mode is None else mode)
        temporary.replace(path)
    except OSError as error:
        if error.errno not in MEDIUM_ERRORS and error.filename not in (name, path, str(path)):
            raise
        raise FileError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            hint="Free some space or choose another place; the file there before is unchanged.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_text(path: Path) -> Iterator[IO[str]]:
    """Yield a UTF-8 text stream (newline ``\\n``) whose content becomes ``path`` when the block succeeds."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


def write_private(path: Path, text: str) -> None:
    """Write a secret: readable and writable by its owner alone (mode 0600), whole or not at all."""
    with atomic_path(path, mode=0o600) as temporary:
        temporary.write_text(text, encoding="utf-8")


def neutral_cell(value: Any) -> Any:
    """Return ``value`` so that no spreadsheet runs it as a formula (a leading ``'`` before what begins one).

    Numbers pass as they are.  Source: OWASP, "CSV Injection".
    """
    if isinstance(value, str) and value and value[0] in FORMULA_STARTS:
        return "'" + value
    return value


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
