"""Which ports of this machine can be listened on."""

from __future__ import annotations

import socket

from annotations.errors import TalkingPointsError

_TRIES = 50


class PortError(TalkingPointsError):
    """A port that another program has, or that this user may not use."""


def require_port(host: str, port: int) -> None:
    """Raise :class:`PortError` where nobody could listen on ``port`` now."""
    problem = _problem(host, port)
    if problem:
        raise PortError(
            f"port {port} cannot be used: {problem}",
            where=host,
            hint="Choose another with --port (make: PORT=), or stop the program that has it.",
        )


def free_port(host: str, wanted: int) -> int:
    """Return ``wanted``, or the next port above it that can be listened on."""
    last = min(wanted + _TRIES, 65535)
    for port in range(wanted, last + 1):
        if not _problem(host, port):
            return port
    raise PortError(f"no port from {wanted} to {last} is free", where=host, hint="Choose one with --port.")


def _problem(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""
