"""The load generator of ``benchmarks.serving``: ``python -m benchmarks.serving_load``, its orders on standard input.

An order is one line of JSON (:class:`Order`); answered is one line, a :class:`Tally`. Each connection is kept alive
and sends its next request when the last one is answered, by raw sockets and one ``epoll``: a request costs it so
little that the server is what is measured. It is bounded by a number and by a time, and goes to 127.0.0.1 alone.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass

HOST = "127.0.0.1"
_MOST_REQUESTS = 200_000
_MOST_SECONDS = 60.0
_PIECE = 1 << 18


@dataclass(frozen=True, slots=True)
class Order:
    """What to send: bodies in turn to a path of a port, over some connections, for a number of requests or seconds."""

    port: int
    path: str
    bodies: list[str]
    connections: int
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of it: how many were answered with 200 in which time, the others, and latencies in seconds."""

    answered: int
    failed: int
    seconds: float
    median: float
    p99: float
    bytes: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.answered / self.seconds


class _Connection:
    """One connection, and what has come of the answer that it waits for."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._received = bytearray()
        self._wanted = 0

    def send(self, request: bytes) -> None:
        self._received.clear()
        self._wanted = 0
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def is_whole(self) -> bool:
        """Read what is there, and tell whether it is all of an answer."""
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise ConnectionError("the server closed a connection")
        self._received += piece
        if not self._wanted:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._wanted = end + 4 + _length(bytes(self._received[:end]).lower())
        return len(self._received) >= self._wanted

    def is_good(self) -> bool:
        return self._received.startswith(b"HTTP/1.1 200")

    @property
    def n_bytes(self) -> int:
        return len(self._received)


def _length(head: bytes) -> int:
    """Return the length of the body that a head announces; an answer in chunks is none that we measure."""
    _, _, rest = head.partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0])


def load(order: Order) -> Tally:
    """Send the requests of an order, and return what came of them."""
    requests = [_request(order, body.encode()) for body in order.bodies]
    wanted, seconds = min(order.requests, _MOST_REQUESTS), min(order.seconds, _MOST_SECONDS)
    connections = [_Connection(order.port) for _ in range(order.connections)]
    by_number = {each.socket.fileno(): each for each in connections}
    latencies: list[float] = []
    n_failed = n_bytes = 0
    with select.epoll() as poll:
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        started = time.perf_counter()
        for n_sent, connection in enumerate(connections):
            connection.send(requests[n_sent % len(requests)])
        n_sent = len(connections)
        while len(latencies) + n_failed < wanted and time.perf_counter() - started < seconds:
            for number, _ in poll.poll(seconds):
                connection = by_number[number]
                if not connection.is_whole():
                    continue
                if connection.is_good():
                    latencies.append(time.perf_counter() - connection.sent_at)
                else:
                    n_failed += 1
                n_bytes += connection.n_bytes
                connection.send(requests[n_sent % len(requests)])
                n_sent += 1
        taken = time.perf_counter() - started
    for connection in connections:
        connection.socket.close()
    return _tally(latencies, n_failed, taken, n_bytes)


def _tally(latencies: list[float], n_failed: int, seconds: float, n_bytes: int) -> Tally:
    ordered = sorted(latencies) or [float("nan")]
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return Tally(
        len(latencies),
        n_failed,
        seconds,
        ordered[len(ordered) // 2],
        p99,
        n_bytes // max(1, len(latencies) + n_failed),
    )


def _request(order: Order, body: bytes) -> bytes:
    head = (
        f"POST {order.path} HTTP/1.1\r\nHost: {HOST}:{order.port}\r\nContent-Type: application/json\r\n"
        f"Accept: */*\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    """Carry out orders until there are no more."""
    for line in sys.stdin:
        print(json.dumps(asdict(load(Order(**json.loads(line))))), flush=True)


if __name__ == "__main__":
    main()
