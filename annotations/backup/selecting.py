"""Which files of a workspace a backup holds."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import make_url

from annotations.backup.manifest import WORKSPACE
from annotations.backup.staging import is_staging
from annotations.sqlite_files import is_database, side_files
from annotations.workspace import Workspace

SUFFIX = ".backup.tar.zst"
"""How backups end by themselves; such are not put into another one."""

_PASSING = (
    "label-studio.pid",
    "label-studio.lock",
    "label-studio.log",
    "label-studio.log.1",
    "data.unfinished",
)
"""What a running Label Studio has in its folder that means nothing elsewhere."""


@dataclass(slots=True)
class Selection:
    """The files of a workspace: all but the ledger, half made things, logs, links, and the backup ``out``.

    ``notes`` says, once the files have been listed, what was left out and may be missed.
    """

    workspace: Workspace
    out: Path
    studio: bool
    notes: list[str] = field(default_factory=list)

    def files(self) -> Iterator[tuple[str, tuple[Path, int]]]:
        """Yield every file: its name in the archive, its place and its size."""
        home = self.workspace.home
        ledger = ledger_file(self.workspace.ledger_url)
        left_out = {self.out, self.workspace.models_path / "active"}
        if ledger is not None:
            left_out |= {ledger} | side_files(ledger)
        for root, folders, names in os.walk(home):
            here = Path(root)
            folders[:] = sorted(name for name in folders if self._is_wanted(here / name))
            paths = [here / name for name in names if self._is_wanted(here / name)]
            journals = {journal for path in paths if is_database(path) for journal in side_files(path)}
            for path in paths:
                size = _size(path)
                if size is not None and path not in left_out | journals:
                    yield f"{WORKSPACE}{path.relative_to(home).as_posix()}", (path, size)

    def _is_wanted(self, path: Path) -> bool:
        studio = self.workspace.studio_path
        if is_staging(path.name) or path.name.endswith(SUFFIX) or (path == studio and not self.studio):
            return False
        if path.parent == studio and path.name in _PASSING:
            return False
        if path.is_symlink():
            self.notes.append(f"left out, as it is a link: {path}")
            return False
        return True


def ledger_file(url: str) -> Path | None:
    """Return the file of an SQLite ledger; None for one in memory, and on a server."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database)).absolute()


def _size(path: Path) -> int | None:
    """Return the size of a plain file; None for anything else, and where it is gone."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
