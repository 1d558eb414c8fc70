"""Tables of tags, as bulk tagging writes them: ``post_id``, ``model_version``, ``<tag>``, ``<tag>_score``.

Parquet, CSV, JSON lines or a folder of Parquet files, read a batch at a time and by the columns that are wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as pads

from annotations.errors import FileError
from annotations.files import FORMULA_STARTS
from classifiers.predictions import DECISIONS, Decision

ABSTAIN = DECISIONS.index(Decision.ABSTAIN)
_SCORE = "_score"
_PROTECTED = f"^'('*[{re.escape(FORMULA_STARTS)}])"
_FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json"}
_NUMBER_OF = {decision.value: number for number, decision in enumerate(DECISIONS)}


class TagsFile:
    """A table of tags that is there and has tags.

    Attributes
    ----------
    names, tag_ids
        All columns, and those of tags.

    Raises
    ------
    FileError
        It is not there, cannot be read, or has no such columns.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        kind = "parquet" if path.is_dir() else _FORMATS.get(path.suffix.lower())
        if kind is None:
            raise FileError(
                f"the suffix {path.suffix!r} means no table",
                where=str(path),
                hint=f"Use one of {', '.join(sorted(_FORMATS))}, or a folder of Parquet files.",
            )
        if not path.exists():
            raise FileError("there is no such file", where=str(path))
        self._is_csv = kind == "csv"
        try:
            self._data = _opened(path, kind)
        except (pa.ArrowException, OSError) as error:
            raise FileError(f"cannot be read: {error}", where=str(path)) from error
        self.names: tuple[str, ...] = tuple(self._data.schema.names)
        self.tag_ids = tuple(name for name in self.names if f"{name}{_SCORE}" in self.names)
        if "post_id" not in self.names or not self.tag_ids:
            raise FileError(
                "is no table of tags: it needs the columns post_id, <tag> and <tag>_score",
                where=str(path),
                hint="Make one with `talkingpoints tag POSTS TAGS.parquet`.",
            )

    def batches(self, columns: Sequence[str], size: int) -> Iterator[pa.RecordBatch]:
        """Yield at most ``size`` rows at a time: ``post_id``, those of ``columns`` there are, tags with their scores.

        Raises
        ------
        FileError
            A row cannot be read.
        """
        wanted = [
            "post_id",
            *(name for name in columns if name in self.names),
            *(each for tag in self.tag_ids for each in (tag, f"{tag}{_SCORE}")),
        ]
        try:
            for part in self._data.to_batches(columns=wanted, batch_size=size, batch_readahead=2):
                for first in range(0, len(part), size):
                    yield self._restored(part.slice(first, size))
        except (pa.ArrowException, OSError) as error:
            raise FileError(f"cannot be read: {error}", where=str(self._path)) from error

    def scores(self, part: pa.RecordBatch) -> npt.NDArray[np.float64]:
        """Return the scores of a batch, shape (n, n_tags); NaN where a tag is not predicted.

        Raises
        ------
        FileError
            A column holds what is no probability.
        """
        found = np.empty((len(part), len(self.tag_ids)))
        for column, tag in enumerate(self.tag_ids):
            name = f"{tag}{_SCORE}"
            try:
                values = pc.cast(part[name], pa.float64()).to_numpy(zero_copy_only=False)
            except pa.ArrowException as error:
                raise FileError(
                    f"the column {name} holds what is no number", where=str(self._path)
                ) from error
            if ((values < 0) | (values > 1)).any():
                raise FileError(f"the column {name} holds what is no probability", where=str(self._path))
            found[:, column] = values
        return found

    def decisions(self, part: pa.RecordBatch) -> npt.NDArray[np.int8]:
        """Return the decisions of a batch, shape (n, n_tags), as numbers in ``DECISIONS``."""
        found = np.full((len(part), len(self.tag_ids)), ABSTAIN, dtype=np.int8)
        for column, tag in enumerate(self.tag_ids):
            values = pc.cast(part[tag], pa.string()).dictionary_encode()
            numbers = [_NUMBER_OF.get(str(value), ABSTAIN) for value in values.dictionary.to_pylist()]
            codes = values.indices.fill_null(len(numbers)).to_numpy(zero_copy_only=False)
            found[:, column] = np.array([*numbers, ABSTAIN], dtype=np.int8)[codes]
        return found

    def _restored(self, part: pa.RecordBatch) -> pa.RecordBatch:
        """Undo what protects the cells of a CSV file from spreadsheets: ids may begin with a minus or an @."""
        if not self._is_csv:
            return part
        plain = [pc.replace_substring_regex(column, _PROTECTED, r"\1") for column in part.columns]
        return pa.RecordBatch.from_arrays(plain, names=part.schema.names)


def _opened(path: Path, kind: str) -> Any:
    """Open a table; types are not left to the first block of a text file, nor ids made numbers."""
    if kind == "parquet":
        return pads.dataset(path, format=kind)
    if kind == "json":
        guessed = pads.dataset(path, format=kind).schema
        return pads.dataset(path, format=kind, schema=pa.schema([_known(field) for field in guessed]))
    plain = pads.CsvFileFormat(
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(strings_can_be_null=True),
    )
    names = pads.dataset(path, format=plain).schema.names
    return pads.dataset(path, format=plain, schema=pa.schema([(name, pa.string()) for name in names]))


def _known(field: pa.Field) -> pa.Field:
    """Return a field of JSON with a type, also where its first values are null, or whole numbers."""
    if field.name.endswith(_SCORE) and (pa.types.is_null(field.type) or pa.types.is_integer(field.type)):
        return field.with_type(pa.float64())
    return field.with_type(pa.string()) if pa.types.is_null(field.type) else field
