"""Structured logs: one JSON object a line; of a request its route, status and time, never a post's text."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import IO


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; ``extra={"fields": {...}}`` become keys of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            entry |= described(record.exc_info[0], record.exc_info[2])
        return json.dumps(entry, default=str)


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
