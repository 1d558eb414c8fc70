"""The workspace's ledger for the service's own calls: opened when it is first wanted, and again if it was replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable

from annotations.backup.selecting import ledger_file
from annotations.ledger.store import Ledger, open_ledger
from service.settings import Settings


class LedgerAccess:
    """Opens the ledger once for all threads; ``open_url`` is how."""

    def __init__(self, settings: Settings, open_url: Callable[[str], Ledger] = open_ledger) -> None:
        self._settings = settings
        self._open_url = open_url
        self._guard = threading.Lock()
        self._ledger: Ledger | None = None
        self._inode = 0

    def opened(self) -> Ledger:
        """Return the ledger, made where there is none yet.

        Raises
        ------
        LedgerError
            It cannot be opened.
        """
        with self._guard:
            inode = self._present_inode()
            if self._ledger is not None and inode != self._inode:  # a backup was put in its place
                self._ledger.close()
                self._ledger = None
            if self._ledger is None:
                self._ledger = self._open_url(self._settings.workspace.ledger_url)
                self._inode = self._present_inode()
            return self._ledger

    def existing(self) -> Ledger | None:
        """Return the ledger, None where there is none: nothing is made by looking."""
        return self.opened() if self._settings.workspace.has_ledger else None

    def close(self) -> None:
        """Close the ledger; it is opened again when it is wanted."""
        with self._guard:
            if self._ledger is not None:
                self._ledger.close()
            self._ledger = None

    def _present_inode(self) -> int:
        file = ledger_file(self._settings.workspace.ledger_url)
        try:
            return file.stat().st_ino if file else 0
        except OSError:
            return 0
