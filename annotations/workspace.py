"""Where things are: the one folder that holds a project's ledger, models, reports and Label Studio data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Workspace:
    """The paths of a workspace; nothing is created by naming them.

    ``database_url`` is any SQLAlchemy URL; None means ``ledger.db`` (SQLite) in the folder.
    """

    home: Path
    database_url: str | None = None

    @property
    def ledger_url(self) -> str:
        """The SQLAlchemy URL of the ledger."""
        return self.database_url or f"sqlite:///{self.home / 'ledger.db'}"

    @property
    def has_ledger(self) -> bool:
        """Tell whether there is a ledger already; of a database elsewhere it is taken for granted."""
        return self.database_url is not None or (self.home / "ledger.db").is_file()

    @property
    def codebook_path(self) -> Path:
        """The project's own codebook, used before the packaged default where it exists."""
        return self.home / "codebook.yaml"

    @property
    def boilerplate_path(self) -> Path:
        """A person's rulings on boilerplate, where there are any."""
        return self.home / "boilerplate.yaml"

    @property
    def models_path(self) -> Path:
        """Model bundles, one folder a version, and the file ``active`` that names the one in use."""
        return self.home / "models"

    @property
    def reports_path(self) -> Path:
        """Reports and figures."""
        return self.home / "reports"

    @property
    def pseudonyms_path(self) -> Path:
        """The key of the pseudonyms in exports (mode 0600), made by the first export that needs it."""
        return self.home / "pseudonyms.key"

    @property
    def studio_path(self) -> Path:
        """The data, credentials (mode 0600) and log of the local Label Studio."""
        return self.home / "studio"
