"""Uvicorn's HTTP/1.1 with patience that ends: a head that does not arrive in time closes the connection.

Uvicorn itself waits for ever for the head of a first request (seen in 0.54), so that clients that send a byte now and
then could hold any number of connections.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = "talkingpoints.header_seconds"
"""The key of the lifespan state under which the app says how long it is."""


class PatientProtocol(H11Protocol):
    """Closes a connection on which no whole head has arrived in the time that the app's lifespan state says."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came; where a head is not whole after it, the time goes on running."""
        super().data_received(data)
        if self._is_between_requests():
            self._wait()
        else:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        super().connection_lost(exc)

    def _is_between_requests(self) -> bool:
        return self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.app_state.get(HEADER_SECONDS, 10.0), self._give_up)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self._is_between_requests() and not self.transport.is_closing():
            self.transport.close()
