"""The models of a workspace: one folder a version, and a file that names the active one."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from annotations.files import atomic_text
from classifiers.bundle import read_bundle
from classifiers.bundle_reading import MANIFEST, read_manifest
from classifiers.errors import BundleError, ModelNotFoundError

_VERSION = re.compile(r"[0-9a-f]{12}")


class Registry:
    """The bundles under ``models_path``; nothing is created before the first :meth:`add`."""

    def __init__(self, models_path: Path) -> None:
        self.models_path = models_path

    @property
    def _active_file(self) -> Path:
        return self.models_path / "active"

    def versions(self) -> list[str]:
        """Return the versions, the oldest first; before them any whose manifest cannot be read.

        One damaged bundle does not hide the others; what is wrong with it is said when it is used.
        """
        if not self.models_path.is_dir():
            return []
        found = [entry.name for entry in self.models_path.iterdir() if _is_bundle(entry)]
        return sorted(found, key=lambda version: (self._created(version), version))

    def path(self, version: str) -> Path:
        """Return the folder of a version.

        Raises
        ------
        ModelNotFoundError
            There is no such version.
        """
        folder = self.models_path / version
        if not _VERSION.fullmatch(version) or not _is_bundle(folder):
            raise ModelNotFoundError(
                f"there is no model {version!r}",
                where=str(self.models_path),
                hint="List them: talkingpoints models",
            )
        return folder

    def active(self) -> str:
        """Return the active version.

        Raises
        ------
        ModelNotFoundError
            None is active, or its folder is gone.
        """
        try:
            version = self._active_file.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            raise ModelNotFoundError(
                "no model is active yet", where=str(self.models_path), hint="Train one: talkingpoints train"
            ) from None
        self.path(version)
        return version

    def activate(self, version: str) -> None:
        """Make a version the active one.

        Raises
        ------
        ModelNotFoundError
            There is no such version.
        BundleError
            Its bundle is damaged; the active version stays as it was.
        """
        read_bundle(self.path(version))
        with atomic_text(self._active_file) as stream:
            stream.write(version + "\n")

    def add(self, bundle_path: Path) -> str:
        """Check a bundle, copy it in, and return its version; a version that is there already stays as it is.

        Raises
        ------
        BundleError
            The bundle is not sound, or there is no room for it.
        """
        version = read_bundle(bundle_path).manifest.version
        folder = self.models_path / version
        if _is_bundle(folder):
            return version
        try:
            self.models_path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.models_path, prefix=".", suffix=".part") as temporary:
                copy = Path(temporary) / version
                shutil.copytree(bundle_path, copy)
                read_bundle(copy)
                copy.rename(folder)
        except OSError as error:
            if _is_bundle(folder):  # another process has put it there in the meantime
                return version
            raise BundleError(f"cannot be stored: {error.strerror or error}", where=str(folder)) from error
        return version

    def _created(self, version: str) -> str:
        try:
            return read_manifest(self.models_path / version).created
        except BundleError:
            return ""


def _is_bundle(path: Path) -> bool:
    return bool(_VERSION.fullmatch(path.name)) and (path / MANIFEST).is_file()
