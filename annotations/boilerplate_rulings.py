"""A person's word on boilerplate: lines to keep and lines to drop, by channel, in a small YAML file.

.. code-block:: yaml

    Calverra-MFA:
      keep:
        - Read in full
      drop:
        - Calverra Today, every day at nine
    "*":            # every channel
      drop:
        - Sent from my phone
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from annotations.boilerplate_shape import normal_form
from annotations.codebook_yaml import Document, read_document
from annotations.errors import FileError

_EVERY = "*"
_FIELDS = ("keep", "drop")
_LARGEST = 1_000_000
LONGEST_LINE = 500
"""The longest line that a person can rule on, in code points."""
_HINT = "A file of rulings has channels ('*' for all), below them keep: and drop:, below these lines: '- Read in full'."


@dataclass(frozen=True, slots=True)
class Rulings:
    """Lines that are content (``kept``) or boilerplate (``dropped``) by a person's word: (channel, normal form)."""

    kept: frozenset[tuple[str, str]] = frozenset()
    dropped: frozenset[tuple[str, str]] = frozenset()

    def keeps(self, channel: str, normal: str) -> bool:
        """Tell whether a line is content; a channel's own ruling goes before one for every channel."""
        if (channel, normal) in self.kept:
            return True
        return (_EVERY, normal) in self.kept and (channel, normal) not in self.dropped

    def drops(self, channel: str, normal: str) -> bool:
        """Tell whether a line is boilerplate; a channel's own ruling goes before one for every channel."""
        if (channel, normal) in self.dropped:
            return True
        return (_EVERY, normal) in self.dropped and (channel, normal) not in self.kept


NO_RULINGS = Rulings()


def read_rulings(path: Path) -> Rulings:
    """Read a file of rulings; one that is not there holds none.

    Raises
    ------
    FileError
        The file cannot be read or has mistakes; each is named with its line.
    """
    try:
        if path.exists() and path.stat().st_size > _LARGEST:
            raise FileError("is too large to be a list of lines", where=str(path), hint=_HINT)
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return NO_RULINGS
    except UnicodeDecodeError as error:
        raise FileError("is not UTF-8 text", where=str(path), hint="Save it as UTF-8.") from error
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    if all(not line or line.startswith("#") for line in map(str.strip, text.splitlines())):
        return NO_RULINGS
    return _rulings(read_document(text), path)


def _rulings(document: Document, path: Path) -> Rulings:
    found: dict[str, dict[tuple[str, str], int]] = {field: {} for field in _FIELDS}
    mistakes = [(problem.line or 1, problem.message) for problem in document.problems]
    if not mistakes:
        mistakes = list(_read(document, found))
    twice = sorted(found["keep"].keys() & found["drop"].keys())
    mistakes += [
        (found["drop"][each], f"channel '{each[0]}': '{each[1]}' is under keep and under drop")
        for each in twice
    ]
    if mistakes:
        lines = [f"{path}:{line}: {message}" for line, message in sorted(mistakes)]
        raise FileError("\n".join(lines), hint=_HINT)
    return Rulings(frozenset(found["keep"]), frozenset(found["drop"]))


def _read(document: Document, found: dict[str, dict[tuple[str, str], int]]) -> Iterator[tuple[int, str]]:
    """Fill ``found`` with the lines and their places; yield what is wrong, by line."""
    if document.data is None:
        return
    if not isinstance(document.data, dict):
        yield 1, "has no channels"
        return
    for channel, fields in document.data.items():
        if fields is not None and not isinstance(fields, dict):
            yield document.line_of((channel,)) or 1, f"channel '{channel}': keep: or drop: is missing"
            continue
        for field, lines in (fields or {}).items():
            place = document.line_of((channel, field)) or 1
            if field not in _FIELDS:
                yield place, f"channel '{channel}': '{field}' is neither keep nor drop"
            elif lines is not None and not isinstance(lines, list):
                yield place, f"channel '{channel}': '{field}' is not a list: put '- ' before each line"
            else:
                for number, line in enumerate(lines or []):
                    at = document.line_of((channel, field, number)) or place
                    normal = normal_form(line) if isinstance(line, str) else ""
                    if not normal or "\n" in line.strip():
                        yield at, f"channel '{channel}', {field}: a line of text is expected"
                    elif len(line) > LONGEST_LINE:
                        yield (
                            at,
                            f"channel '{channel}', {field}: a line has at most {LONGEST_LINE} characters",
                        )
                    else:
                        found[field][channel, normal] = at
