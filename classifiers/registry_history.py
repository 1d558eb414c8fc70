"""Which models were active before: a small file beside the one that names the active model.

One version a line, the latest last.  It is written whole, and before the active one changes: whatever ends a run
in between leaves an entry that is the active version itself, which readers skip.
"""

from __future__ import annotations

import re
from pathlib import Path

from annotations.files import atomic_text

VERSION = re.compile(r"[0-9a-f]{12}")
_MOST = 100


class History:
    """The versions that were active before, in the file ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def versions(self) -> list[str]:
        """Return them, the latest last; lines that name no version are skipped."""
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return [line.strip() for line in text.splitlines() if VERSION.fullmatch(line.strip())]

    def write(self, versions: list[str]) -> None:
        """Put these in their place; only the last 100 are kept."""
        with atomic_text(self._path) as stream:
            stream.writelines(f"{version}\n" for version in versions[-_MOST:])
