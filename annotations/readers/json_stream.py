"""Walking through a JSON file of any size, one value at a time, up to the place where it breaks.

The standard library's decoder does the parsing.  A pull parser was tried and left: ijson's yajl backend turns
a lone surrogate into ``?`` or gives the whole file up for it, and cannot say on which line a file breaks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any

from annotations.cleaning import is_encodable

_CHUNK = 1 << 18
_LONGEST_VALUE = 1 << 24
_MAY_BE_CUT = 16  # an error this close to the end of what was read can be a token cut in two
_SPACE = re.compile(r"[ \t\n\r]*")


class BrokenJsonError(Exception):
    """The file stops being JSON at ``line``."""

    def __init__(self, problem: str, line: int) -> None:
        self.problem = problem
        self.line = line
        super().__init__(problem, line)


class JsonStream:
    """A position in a JSON text that only moves forward.

    Every value that :meth:`members` and :meth:`elements` announce must be taken, with :meth:`value`,
    :meth:`members` or :meth:`elements`, before the next is asked for.  ``damaged`` tells whether the value
    last taken holds bytes that were not in the file's encoding.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._buffer = ""
        self._at = 0
        self._line = 1
        self._suspect = False
        self._decode = json.JSONDecoder(strict=False).raw_decode
        self.damaged = False

    @property
    def line(self) -> int:
        """The line of the file (from 1) that comes next."""
        return self._line + self._buffer.count("\n", 0, self._at)

    def peek(self) -> str:
        """Return the next character that is not space, without taking it; empty at the end of the file."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill(_CHUNK):
                return ""

    def value(self) -> Any:
        """Take the next value, whatever it is."""
        self.peek()
        size = _CHUNK
        while True:
            try:
                value, end = self._decode(self._buffer, self._at)
            except RecursionError as error:
                raise BrokenJsonError("values are nested too deeply", self.line) from error
            except ValueError as error:
                if not self._may_be_cut(error) or not self._fill(size):
                    raise self._broken(error) from error
                size *= 2
                continue
            if isinstance(value, int | float) and end + 3 >= len(self._buffer) and self._fill(_CHUNK):
                continue  # "1" can be the beginning of "1.5e+3"
            self.damaged = self._suspect and not is_encodable(self._buffer[self._at : end])
            self._at = end
            return value

    def members(self) -> Iterator[str]:
        """Go through an object: yield each key, standing before its value."""
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise self._unexpected("a key")
            key = self.value()
            self._take(":")
            yield key
            if self._goes_on("}"):
                return

    def elements(self) -> Iterator[int]:
        """Go through an array: yield each index, standing before its value."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        index = 0
        while True:
            yield index
            index += 1
            if self._goes_on("]"):
                return

    def _goes_on(self, closing: str) -> bool:
        """Take the comma or the closing bracket; tell whether it was the bracket."""
        found = self.peek()
        if found not in (",", closing):
            raise self._unexpected(f"',' or '{closing}'")
        self._at += 1
        return found == closing

    def _take(self, character: str) -> None:
        if self.peek() != character:
            raise self._unexpected(f"'{character}'")
        self._at += 1

    def _fill(self, size: int) -> bool:
        chunk = self._stream.read(size)
        if not chunk:
            return False
        self._line = self.line
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        self._suspect = self._suspect or not is_encodable(chunk)
        return True

    def _may_be_cut(self, error: ValueError) -> bool:
        if len(self._buffer) - self._at > _LONGEST_VALUE or not isinstance(error, json.JSONDecodeError):
            return False
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._buffer) - _MAY_BE_CUT

    def _unexpected(self, wanted: str) -> BrokenJsonError:
        found = self.peek()
        return BrokenJsonError(f"expected {wanted}, found {f'{found!r}' if found else 'the end'}", self.line)

    def _broken(self, error: ValueError) -> BrokenJsonError:
        if not isinstance(error, json.JSONDecodeError):
            return BrokenJsonError(str(error), self.line)
        line = self._line + self._buffer.count("\n", 0, error.pos)
        if error.pos >= len(self._buffer) or error.msg.startswith("Unterminated string"):
            return BrokenJsonError("the file ends in the middle of a value", line)
        return BrokenJsonError(error.msg[0].lower() + error.msg[1:], line)
