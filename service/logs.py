"""Structured logs: one JSON object a line; of a request its route, status and time, never a post's text."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import IO

_ENCODER = json.JSONEncoder(default=str)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; ``extra={"fields": {...}}`` become keys of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry: dict[str, object] = {
            "time": f"{_second(int(record.created))}.{int(record.created % 1 * 1000):03}+00:00",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            entry |= described(record.exc_info[0], record.exc_info[2])
        return _ENCODER.encode(entry)


@lru_cache(maxsize=4)
def _second(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def note(logger: logging.Logger, level: int, message: str, fields: Mapping[str, object]) -> None:
    """Log as ``logger.log(level, message, extra={"fields": fields})`` does, but for who called: we do not show it."""
    if logger.isEnabledFor(level):
        record = logging.LogRecord(logger.name, level, "", 0, message, (), None)
        record.fields = fields
        logger.handle(record)


def described(kind: type[BaseException], trace: TracebackType | None) -> dict[str, object]:
    """Return an exception's kind and where it arose; its message is left out, for it may quote a post."""
    frames = traceback.extract_tb(trace)
    return {
        "error": f"{kind.__module__}.{kind.__qualname__}",
        "trace": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }


def configure_logging(level: str, stream: IO[str] | None = None) -> None:
    """Send our records and uvicorn's to ``stream`` (standard error) as JSON lines, from ``level`` up."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    for name in ("talkingpoints", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper())
        logger.propagate = False
