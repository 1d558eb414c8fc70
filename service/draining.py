"""How the service stops: after SIGTERM it says that it is not ready, takes requests a little longer, and then ends.

A load balancer thus turns away before connections are refused.  What ends the server after that is uvicorn: it stops
listening, lets requests in flight finish, and closes.  Ctrl-C (SIGINT) ends it at once in the same way.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_LOG = logging.getLogger("talkingpoints.service")

_Handler = Callable[[int, FrameType | None], object]


class Draining:
    """Whether the service is about to stop."""

    def __init__(self, seconds: float) -> None:
        self.is_draining = False
        self._seconds = seconds

    @contextmanager
    def on_sigterm(self) -> Iterator[None]:
        """Drain on SIGTERM within the block, before the handler that was there; call it on the event loop.

        In another thread than the main one there are no signals, and nothing is done.
        """
        before = signal.getsignal(signal.SIGTERM)
        if threading.current_thread() is not threading.main_thread() or not callable(before):
            yield
            return
        loop = asyncio.get_running_loop()
        handler: _Handler = before

        def begin(number: int, frame: FrameType | None) -> None:
            if self.is_draining:  # a second one: no more patience
                handler(number, frame)
                return
            self.is_draining = True
            _LOG.info("draining", extra={"fields": {"seconds": self._seconds}})
            # From a signal handler the loop must be woken.
            loop.call_soon_threadsafe(loop.call_later, self._seconds, handler, number, None)

        signal.signal(signal.SIGTERM, begin)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
