"""A folder that Hugging Face's ``datasets`` loads: data/<split>.parquet, a card (README.md), the codebook."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from annotations.codebook import dump_codebook
from annotations.errors import FileError
from annotations.exporting.card_figures import CardFigures
from annotations.exporting.columnar import ParquetTable
from annotations.exporting.dataset_card import CardFacts, dataset_card
from annotations.exporting.entries import Entry, Reading, Status
from annotations.exporting.layout import Layout

TRAIN, UNSEEN = "train", "unseen"

SplitOf = Callable[[Entry], str]
"""Says in which split an entry's rows go."""


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """How posts are split, and what the card says beside the figures.

    ``split_of`` is asked about posts that somebody has annotated; the others are the split ``unseen``.
    """

    split_of: SplitOf = lambda _entry: TRAIN
    facts: CardFacts = field(default_factory=CardFacts)


class DatasetFolder:
    """Writes the files of the folder; the card comes last, from figures gathered on the way."""

    def __init__(self, path: Path, layout: Layout, options: FolderOptions | None = None) -> None:
        self._path = path
        self._layout = layout
        self._options = options or FolderOptions()
        self._tables: dict[str, ParquetTable] = {}
        self._figures = CardFigures(layout)
        (path / "data").mkdir()

    def write(self, entry: Entry, readings: Sequence[Reading]) -> int:
        """Write the rows of a post to its split."""
        unseen = readings[0].status is Status.UNSEEN
        split = UNSEEN if unseen else self._options.split_of(entry)
        if split not in self._tables:
            path = self._path / "data" / f"{split}.parquet"
            self._tables[split] = ParquetTable(path, self._layout, labels=True)
        self._figures.add(entry, readings, split)
        return self._tables[split].write(entry, readings)

    def close(self) -> None:
        """Finish the tables and write the card and the codebook."""
        for table in self._tables.values():
            table.close()
        if not self._tables:
            ParquetTable(self._path / "data" / f"{TRAIN}.parquet", self._layout, labels=True).close()
        sizes = {split: (table.n_rows, table.n_bytes) for split, table in self._tables.items()}
        card = dataset_card(self._layout, self._figures, sizes or {TRAIN: (0, 0)}, self._options.facts)
        (self._path / "README.md").write_text(card, encoding="utf-8", newline="\n")
        codebook = dump_codebook(self._layout.codebook)
        (self._path / "codebook.yaml").write_text(codebook, encoding="utf-8", newline="\n")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of ``path`` when the block ends without an error.

    Only an empty folder is replaced: an earlier export may have a card that somebody has edited.

    Raises
    ------
    FileError
        ``path`` is there and not empty, or cannot be written; it is then as it was.
    """
    if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
        raise FileError("is there already", where=str(path), hint="Name a new folder, or an empty one.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    except OSError as error:
        raise FileError(f"cannot be written: {error.strerror or error}", where=str(path)) from error
    try:
        yield temporary
        for file in temporary.rglob("*"):
            _sync(file)
        temporary.chmod(0o755)
        if path.exists():
            path.rmdir()
        temporary.rename(path)
    except OSError as error:
        raise FileError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            hint="Free some space or choose another place; what was there before is unchanged.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sync(file: Path) -> None:
    if file.is_file():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
