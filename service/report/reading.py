"""Reports that are there: the newest of a folder, and its files, none but those that it names itself."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MANIFEST: Final = "report.json"
"""Says what a folder of a report holds."""
LABELS: Final = "data/labels.jsonl"
AGREEMENT: Final = "data/agreement.json"
NAMING: Final = (LABELS, AGREEMENT)
"""Files that name annotators: whoever has the folder has them, of the service only administrators get them."""

_NAME = re.compile(r"(data/|figures/)?[a-z0-9][a-z0-9_.-]*")
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report in its folder; ``made_at`` is ISO 8601 in UTC, ``files`` are the names in it."""

    folder: Path
    made_at: str
    files: frozenset[str]

    def path(self, name: str) -> Path | None:
        """Return where a file lies; None for a name that the report does not have, or that leads out of it."""
        if name not in self.files or not _NAME.fullmatch(name):
            return None
        path = self.folder / name
        inside = path.resolve().is_relative_to(self.folder.resolve())
        return path if inside and path.is_file() else None


def is_report(folder: Path) -> bool:
    """Tell whether a folder holds a report."""
    return _read(folder) is not None


def newest(folder: Path) -> StoredReport | None:
    """Return the newest report among the folders in ``folder``."""
    if not folder.is_dir():
        return None
    found = [report for path in folder.iterdir() if not path.name.startswith(".") and (report := _read(path))]
    return max(found, key=lambda report: (report.made_at, report.folder.name), default=None)


def _read(folder: Path) -> StoredReport | None:
    try:
        path = folder / MANIFEST
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return None
        said: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(said, dict) or said.get("format") != "talking-points-report":
        return None
    made_at, files = said.get("made_at"), said.get("files")
    if not isinstance(made_at, str) or not isinstance(files, list):
        return None
    return StoredReport(folder, made_at, frozenset(name for name in files if isinstance(name, str)))
