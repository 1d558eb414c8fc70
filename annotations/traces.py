"""Files that still hold a text, or name a post: what an erasure cannot reach is at least named."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from annotations.progress import Progress, silent

_CHUNK = 4 << 20
_LONGEST = 160
_SHORTEST = 12
_PACKED = (".parquet", ".zst", ".gz", ".zip", ".xz", ".bz2", ".7z", ".xlsx", ".npz")


@dataclass(frozen=True, slots=True)
class Traces:
    """Files by what was found in them; ``packed`` ones are compressed and were not looked into."""

    holding: tuple[Path, ...]
    naming: tuple[Path, ...]
    packed: tuple[Path, ...]

    @property
    def all(self) -> tuple[Path, ...]:
        """All in which something was found."""
        return self.holding + self.naming


def find_traces(
    folder: Path, texts: Iterable[str], post_ids: Collection[str], progress: Progress = silent
) -> Traces:
    """Look through every file in a folder for texts (by their longest line) and ids of posts.

    ``progress`` is told bytes.
    """
    holding, naming, packed = [], [], []
    text_pattern = _pattern({form for text in texts for form in _forms(text)}, b"", b"")
    id_pattern = _pattern(
        {each.encode("utf-8", "ignore") for each in post_ids}, rb"(?<![\w/])", rb"(?![\w/])"
    )
    files = list(_files(folder))
    total, done = sum(size for _, size in files), 0
    for path, size in files:
        if path.suffix.lower() in _PACKED:
            packed.append(path)
        else:
            is_holding, is_naming = _search(path, text_pattern, id_pattern)
            holding += [path] if is_holding else []
            naming += [path] if is_naming and not is_holding else []
        done += size
        progress(done, total)
    return Traces(tuple(holding), tuple(naming), tuple(packed))


def _needle(text: str) -> str:
    """Return what is looked for of a text: the begin of its longest line; nothing where that is too short."""
    longest = max((line.strip() for line in text.splitlines()), key=len, default="")[:_LONGEST]
    return longest if len(longest) >= _SHORTEST else ""


def _forms(text: str) -> set[bytes]:
    """Return how files may write a text: as it is, in JSON with and without escapes, in HTML, in a table."""
    needle = _needle(text)
    if not needle:
        return set()
    forms = {
        needle,
        json.dumps(needle)[1:-1],
        json.dumps(needle, ensure_ascii=False)[1:-1],
        escape(needle),
        escape(needle, quote=False),
        needle.replace('"', '""'),
    }
    return {form.encode("utf-8", "surrogatepass") for form in forms}


def _pattern(parts: Collection[bytes], before: bytes, after: bytes) -> re.Pattern[bytes] | None:
    if not parts:
        return None
    return re.compile(before + b"(?:" + b"|".join(re.escape(part) for part in sorted(parts)) + b")" + after)


def _files(folder: Path) -> Iterable[tuple[Path, int]]:
    for root, _folders, names in os.walk(folder):
        for name in sorted(names):
            path = Path(root) / name
            if path.is_file() and not path.is_symlink():
                yield path, path.stat().st_size


def _search(path: Path, text: re.Pattern[bytes] | None, ids: re.Pattern[bytes] | None) -> tuple[bool, bool]:
    is_holding = is_naming = False
    tail = b""
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                window = tail + chunk
                is_holding = is_holding or bool(text and text.search(window))
                is_naming = is_naming or bool(ids and ids.search(window))
                tail = window[-8 * _LONGEST :]
    except OSError:
        return False, False
    return is_holding, is_naming
