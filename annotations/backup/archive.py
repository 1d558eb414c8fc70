"""The archive of a backup: a tar file compressed with zstd, whose last member says what the others must be.

``tar --zstd -tf FILE`` lists it.  An archive is read from its begin to its end and checked before anything of
it is written; nothing but plain files at plain places is accepted.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
from pydantic import ValidationError

from annotations.backup.manifest import FORMAT, LEDGER, MANIFEST, WORKSPACE, Manifest, MemberEntry
from annotations.errors import FileError
from annotations.progress import Progress, silent

_CHUNK = 1 << 20
_MAGIC = b"\x28\xb5\x2f\xfd"
_MOST_MANIFEST = 64 << 20
_MOST_HEADERS = 1 << 20
_LONGEST_NAME = 1_000
_LONGEST_PART = 255
_FORMAT_MARK = b'"format":'
_DAMAGED_HINT = "The file is damaged or incomplete: take another backup."


class ArchiveWriter:
    """Writes members to a new archive and remembers the digest of each."""

    def __init__(self, path: Path) -> None:
        self.members: dict[str, MemberEntry] = {}
        self._file = path.open("wb")
        self._sink = pa.CompressedOutputStream(pa.PythonFile(self._file, "w"), "zstd")
        self._tar = tarfile.TarFile(
            fileobj=cast(Any, _Whole(self._sink)), mode="w", format=tarfile.PAX_FORMAT
        )

    def add(self, name: str, path: Path) -> int:
        """Add a file and return its size.

        Raises
        ------
        FileNotFoundError
            It is not there (any more).
        FileError
            It became shorter while it was read.
        """
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = status.st_size, status.st_mode & 0o777, int(status.st_mtime)
            reader = _Hashing(stream, info.size)
            try:
                self._tar.addfile(info, cast(IO[bytes], reader))
            except OSError as error:
                if reader.left and error.errno is None:
                    raise FileError(
                        "became shorter while it was read", where=str(path), hint="Run the backup again."
                    ) from error
                raise
        self.members[name] = MemberEntry(size=info.size, sha256=reader.digest.hexdigest())
        return info.size

    def finish(self, manifest: Manifest, folder: Path) -> None:
        """Add the manifest and end the archive; ``folder`` is for scratch files."""
        text = folder / MANIFEST
        text.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
        self.add(MANIFEST, text)
        self._tar.close()
        self._sink.close()
        self._file.close()


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive, to be read before the next one is asked for."""

    name: str
    size: int
    mode: int
    stream: IO[bytes]
    archive: Path

    def chunks(self) -> Iterator[bytes]:
        """Yield its content.

        Raises
        ------
        FileError
            The archive is damaged.
        """
        left = self.size
        while left:
            with _explained(self.archive):
                chunk = self.stream.read(min(left, _CHUNK))
                if not chunk:
                    raise EOFError("it ends too early")
            left -= len(chunk)
            yield chunk


def read_members(path: Path, progress: Progress = silent) -> Iterator[Member]:
    """Yield the files of an archive in order; ``progress`` is told bytes of the archive.

    Raises
    ------
    FileError
        It is missing, no backup, damaged, or holds something else than plain files at plain places.
    """
    with _explained(path), path.open("rb") as raw:
        if raw.read(len(_MAGIC)) != _MAGIC:
            raise FileError("is no backup", where=str(path), hint="Name a file that `backup` has written.")
        raw.seek(0)
        total = path.stat().st_size
        source = _Bounded(pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd"))
        source.grant(_MOST_HEADERS)
        seen: set[str] = set()
        with tarfile.open(fileobj=cast(Any, source), mode="r|") as tar:
            while (info := tar.next()) is not None:
                _check_place(info, seen, path)
                seen.add(info.name)
                source.grant(info.size + _MOST_HEADERS)
                stream = tar.extractfile(info)
                assert stream is not None  # noqa: S101 - it is a regular file
                yield Member(info.name, info.size, info.mode & 0o777, stream, path)
                progress(min(raw.tell(), total), total)
                tar.members.clear()  # type: ignore[attr-defined]  # a stream needs no list of what has passed


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what may happen while an archive is read into a :class:`FileError`."""
    try:
        yield
    except (tarfile.TarError, pa.ArrowException, EOFError, ValueError) as error:
        raise FileError(f"cannot be read: {error}", where=str(path), hint=_DAMAGED_HINT) from error
    except OSError as error:
        hint = "" if error.errno else _DAMAGED_HINT
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), hint=hint) from error


def check_archive(path: Path, most_bytes: int, progress: Progress = silent) -> Manifest:
    """Read a whole archive, writing nothing, and return its manifest.

    Raises
    ------
    FileError
        It is no sound backup, of a later format, or unpacks to more than ``most_bytes``.
    """
    found: dict[str, MemberEntry] = {}
    total = 0
    manifest: Manifest | None = None
    for member in read_members(path, progress):
        if manifest is not None:
            raise FileError("goes on after its manifest", where=str(path), hint=_DAMAGED_HINT)
        total += member.size
        if total > most_bytes:
            raise FileError(
                f"unpacks to more than the {most_bytes:,} bytes that are free",
                where=str(path),
                hint="Free some space, or restore it on another disk.",
            )
        if member.name == MANIFEST:
            manifest = _manifest(member, path)
            continue
        digest = hashlib.sha256()
        for chunk in member.chunks():
            digest.update(chunk)
        found[member.name] = MemberEntry(size=member.size, sha256=digest.hexdigest())
    if manifest is None:
        raise FileError("is incomplete: it has no manifest", where=str(path), hint=_DAMAGED_HINT)
    for name in sorted(found.keys() | manifest.members.keys()):
        if found.get(name) != manifest.members.get(name):
            raise FileError(f"{name} is not as it was saved", where=str(path), hint=_DAMAGED_HINT)
    return manifest


def _manifest(member: Member, path: Path) -> Manifest:
    if member.size > _MOST_MANIFEST:
        raise FileError("its manifest is too long", where=str(path), hint=_DAMAGED_HINT)
    text = b"".join(member.chunks())
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        wrong = {".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False)}
        if "format" in wrong and _FORMAT_MARK in text:
            raise FileError(
                f"has another format than {FORMAT}, the one that this release reads",
                where=str(path),
                hint="Use the release that wrote it.",
            ) from None
        raise FileError(
            f"its manifest is wrong: {', '.join(sorted(wrong))}", where=str(path), hint=_DAMAGED_HINT
        ) from None


def _check_place(info: tarfile.TarInfo, seen: set[str], path: Path) -> None:
    """Refuse everything but a plain file below one of our folders."""
    name = info.name
    parts = name.split("/")
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.issparse():
        problem = "is no plain file"
    elif info.size < 0:
        problem = "has no size"
    elif name in seen:
        problem = "is there twice"
    elif name != MANIFEST and not name.startswith((LEDGER, WORKSPACE)):
        problem = "does not belong into a backup"
    elif any(part in ("", ".", "..") or len(part.encode()) > _LONGEST_PART for part in parts) or (
        "\\" in name or len(name) > _LONGEST_NAME or not name.isprintable()
    ):
        problem = "is no name of a file"
    else:
        return
    raise FileError(f"{name[:80]!r} {problem}", where=str(path), hint="Nothing of this archive was written.")


class _Whole:
    """What tarfile writes to: it wants to know where it is, which a compressing stream does not say."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self._place = 0

    def tell(self) -> int:
        return self._place

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        self._place += len(data)
        return len(data)


class _Hashing:
    """Reads a file up to a size, whatever is appended meanwhile, and keeps the digest."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self.digest = hashlib.sha256()
        self.left = size
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(data)
        self.digest.update(data)
        return data


class _Bounded:
    """The unpacked stream; a header that is longer than any of ours ends it (tarfile would keep it in memory)."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._allowed = 0

    def grant(self, size: int) -> None:
        """Allow the next ``size`` bytes."""
        self._allowed = size

    def read(self, size: int) -> bytes:
        if self._allowed <= 0:
            raise tarfile.ReadError("a header is too long")
        data: bytes = self._stream.read(size)
        self._allowed -= len(data)
        return data


@contextmanager
def written_archive(path: Path) -> Iterator[ArchiveWriter]:
    """Yield a writer for the archive at ``path``, in a folder that is the caller's own.

    Raises
    ------
    FileError
        The disk is full, or the file cannot be written.
    """
    try:
        yield ArchiveWriter(path)
    except OSError as error:
        raise FileError(
            f"cannot be written: {error.strerror or error}",
            where=str(path.parent),
            hint="Free some space or choose another place; nothing is left of this backup.",
        ) from error
