"""The models of a workspace: one folder a version, a file that names the active one, and one of those before."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotations.backup.swapping import exchange
from annotations.files import atomic_text
from classifiers.bundle_reading import MANIFEST, read_bundle, read_manifest
from classifiers.errors import BundleError, ModelNotFoundError
from classifiers.registry_history import VERSION, History


class Registry:
    """The bundles under ``models_path``; nothing is created before the first :meth:`add`."""

    def __init__(self, models_path: Path) -> None:
        self.models_path = models_path

    @property
    def active_file(self) -> Path:
        """The file that names the active version; it is replaced whole by every change."""
        return self.models_path / "active"

    @property
    def _history(self) -> History:
        return History(self.models_path / "history")

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
        if not VERSION.fullmatch(version) or not _is_bundle(folder):
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
        version = self._named()
        if not self.active_file.is_file():
            raise ModelNotFoundError(
                "no model is active yet", where=str(self.models_path), hint="Train one: talkingpoints train"
            )
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
        with self._one_at_a_time():
            active = self._named()
            if VERSION.fullmatch(active) and active != version:
                self._history.write([*self._history.versions(), active])
            self._point_to(version)

    def previous(self) -> str | None:
        """Return the version to which :meth:`rollback` leads; None if there is none."""
        return self._before()[1]

    def rollback(self) -> str:
        """Make the model active that was so before the present one, and return its version.

        Once more, and it is the one before that.

        Raises
        ------
        ModelNotFoundError
            No other model was active before, or none that is still there.
        BundleError
            Its bundle is damaged; the active version stays as it was.
        """
        with self._one_at_a_time():
            older, version = self._before()
            if version is None:
                raise ModelNotFoundError(
                    "no other model was active before that is still there",
                    where=str(self.models_path),
                    hint="List the models: talkingpoints models; then: talkingpoints activate VERSION",
                )
            read_bundle(self.path(version))
            self._point_to(version)
            self._history.write(older)
        return version

    def prunable(self, keep: int) -> list[str]:
        """Return the versions but for the ``keep`` newest, the active one and the one before it; the oldest first."""
        versions = self.versions()
        newest = versions[max(0, len(versions) - keep) :]
        held = {self._named(), self.previous(), *newest}
        return [version for version in versions if version not in held]

    def remove(self, version: str) -> None:
        """Delete a version that is not active.

        Raises
        ------
        ModelNotFoundError
            There is no such version.
        BundleError
            It is the active one, or cannot be deleted.
        """
        folder = self.path(version)
        if version == self._named():
            raise BundleError("the active model is not deleted", where=str(folder))
        try:
            with tempfile.TemporaryDirectory(dir=self.models_path, prefix=".", suffix=".part") as temporary:
                folder.rename(Path(temporary) / version)
        except OSError as error:
            raise BundleError(f"cannot be deleted: {error.strerror or error}", where=str(folder)) from error

    def add(self, bundle_path: Path) -> str:
        """Check a bundle, copy it in, and return its version.

        A version that is there already stays as it is, unless the new bundle has documents that it lacks.

        Raises
        ------
        BundleError
            The bundle is not sound, or there is no room for it.
        """
        manifest = read_bundle(bundle_path).manifest
        version = manifest.version
        folder = self.models_path / version
        known = _is_bundle(folder)
        if known and not set(manifest.documents) - self._documents(version):
            return version
        try:
            self.models_path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.models_path, prefix=".", suffix=".part") as temporary:
                copy = Path(temporary) / version
                shutil.copytree(bundle_path, copy)
                read_bundle(copy)
                if known:
                    exchange(copy, folder)
                else:
                    copy.rename(folder)
        except OSError as error:
            if _is_bundle(folder):  # another process has put it there in the meantime
                return version
            raise BundleError(f"cannot be stored: {error.strerror or error}", where=str(folder)) from error
        return version

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Let no two processes change what is active at once: one would lose the other's line of the history."""
        if not self.models_path.is_dir():
            yield
            return
        folder = os.open(self.models_path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _point_to(self, version: str) -> None:
        with atomic_text(self.active_file) as stream:
            stream.write(version + "\n")

    def _named(self) -> str:
        """Return what the pointer says, whether there is such a version or not; empty where there is none."""
        try:
            return self.active_file.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            return ""

    def _before(self) -> tuple[list[str], str | None]:
        """Return the version active before, of those that are still there, and the history before that."""
        active, history = self._named(), self._history.versions()
        while history:
            version = history.pop()
            if version != active and _is_bundle(self.models_path / version):
                return history, version
        return [], None

    def _documents(self, version: str) -> set[str]:
        try:
            return set(read_manifest(self.models_path / version).documents)
        except BundleError:
            return set()

    def _created(self, version: str) -> str:
        try:
            return read_manifest(self.models_path / version).created
        except BundleError:
            return ""


def _is_bundle(path: Path) -> bool:
    return bool(VERSION.fullmatch(path.name)) and (path / MANIFEST).is_file()
