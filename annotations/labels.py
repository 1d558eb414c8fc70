"""labels.jsonl, the interchange file of annotations: one line a post and annotator.

Reading is strict about what it knows (types, offsets, tags, dates, revisions) and collects every bad line
before it stops. Keys it does not know are passed over, so that files of later releases stay readable, unless
they look like a misspelt key: an optional key must not get its default because of a typing error.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from annotations.errors import FileError, LabelsError
from annotations.files import atomic_text
from annotations.labels_line import (
    REQUIRED_KEYS,
    annotation_from_dict,
    annotation_to_dict,
    named,
    read_annotation,
)
from annotations.records import Annotation

__all__ = [
    "annotation_from_dict",
    "annotation_to_dict",
    "label_at",
    "labels_line",
    "read_labels",
    "scan_labels",
    "write_labels",
]

_SHOWN = 20
# Line ends for some programs; as escapes they are the same JSON, and a line stays a line for everybody.
_LINE_ENDS = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}


def read_labels(path: Path, tag_ids: Collection[str] | None = None) -> list[Annotation]:
    """Read annotations in the order of the file; of several by one annotator on a revision all are returned.

    The later of them counts, by date or else by place; two of the same date that differ are a contradiction.

    Parameters
    ----------
    path
        UTF-8 JSON lines; a byte order mark, CRLF and blank lines are accepted.
    tag_ids
        The tags there may be; None accepts any.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    LabelsError
        Lines that are not annotations, or contradict an earlier one; the first 20 problems are shown as
        ``file:line: field: what is wrong``.
    """
    return [annotation for _, annotation in scan_labels(path, tag_ids)]


def scan_labels(path: Path, tag_ids: Collection[str] | None = None) -> Iterator[tuple[int, Annotation]]:
    """Yield (where its line begins, in bytes; annotation) one after the other, as :func:`read_labels` has them.

    Raises
    ------
    FileError, LabelsError
        As :func:`read_labels`, the latter at the end of the file.
    """
    earlier: dict[tuple[object, ...], tuple[int, object]] = {}
    bad: list[str] = []
    n_bad = n_bad_lines = 0
    for number, place, content in _lines(path):
        reading = _read_line(content, tag_ids)
        if isinstance(reading, Annotation):
            reading = _consistent(reading, number, earlier)
        if isinstance(reading, Annotation):
            yield place, reading
        else:
            n_bad_lines += 1
            n_bad += len(reading)
            bad += [f"{path}:{number}: {problem}" for problem in reading[: _SHOWN - len(bad)]]
    if n_bad:
        shown = bad + ([f"and {n_bad - _SHOWN} more"] if n_bad > _SHOWN else [])
        lines = "1 line is" if n_bad_lines == 1 else f"{n_bad_lines} lines are"
        raise LabelsError("\n  ".join([f"{lines} not an annotation", *shown]), where=str(path))


def label_at(stream: IO[bytes], place: int) -> Annotation:
    """Return the annotation whose line begins at ``place``, as :func:`scan_labels` gave it.

    Raises
    ------
    LabelsError
        The file has been changed since.
    """
    stream.seek(place)
    reading = _read_line(stream.readline().removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n"), None)
    if isinstance(reading, Annotation):
        return reading
    raise LabelsError("the file was changed while it was read", where=str(stream.name), hint="Run it again.")


def write_labels(path: Path, annotations: Iterable[Annotation]) -> int:
    """Write annotations, the whole file or nothing, and return how many.

    Raises
    ------
    FileError
        The file cannot be written; one that stood there before is unchanged.
    LabelsError
        An annotation could not be read back, e.g. for a span outside its text; nothing is written.
    """
    count = 0
    with atomic_text(path) as stream:
        for annotation in annotations:
            content = annotation_to_dict(annotation)
            annotation_from_dict(content)
            stream.write(labels_line(content))
            count += 1
    return count


def labels_line(content: Mapping[str, Any]) -> str:
    """Return the content of an annotation (``annotation_to_dict``) as a line, with its line end."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False).translate(_LINE_ENDS) + "\n"


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (line number from 1, first byte, content) of the lines not blank; only LF and CRLF end a line."""
    try:
        with path.open("rb") as stream:
            place = 0
            for number, line in enumerate(stream, start=1):
                content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if content.strip():
                    yield number, place, content.rstrip(b"\r\n")
                place += len(line)
    except FileNotFoundError:
        raise FileError("there is no such file", where=str(path), hint="Name a labels.jsonl.") from None
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path)) from error


def _read_line(content: bytes, tag_ids: Collection[str] | None) -> Annotation | list[str]:
    try:
        data = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant
        )
    except UnicodeDecodeError:
        return ["is not UTF-8 text"]
    except json.JSONDecodeError as error:
        return [f"is not JSON: {error.msg} at character {error.pos + 1}"]
    except ValueError as error:
        return [f"is not JSON: {error}"]
    except RecursionError:
        return ["is nested too deeply"]
    if not isinstance(data, dict):
        return [f"is {named(data)}, not an object with the keys {', '.join(REQUIRED_KEYS)}"]
    return read_annotation(data, tag_ids)


def _consistent(
    annotation: Annotation, number: int, earlier: dict[tuple[object, ...], tuple[int, object]]
) -> Annotation | list[str]:
    """Return the annotation, or that it contradicts the one by its annotator on its text at its time in ``earlier``."""
    key = (annotation.post_id, annotation.annotator, annotation.revision, annotation.date)
    answer = (annotation.tags, annotation.skipped)
    first, other = earlier.setdefault(key, (number, answer))
    if answer == other:
        return annotation
    return [
        f"tags: contradicts line {first}, by the same annotator on the same text"
        f"{' at the same time' if annotation.date else ''}: keep one of them, or give each its date"
    ]


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = next(key for position, (key, _) in enumerate(pairs) if key in dict(pairs[:position]))
        raise ValueError(f"the key '{twice}' is given twice")
    return result


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a value of JSON")
