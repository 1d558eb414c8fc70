"""The service as a process of its own, and a Label Studio that answers nothing of use."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from service.app import FACTORY

_GARBAGE = (
    b"<html><body>It works!</body></html>",
    b'{"id": "one", "task_ids": [null, {}], "results": 5',
    b'{"id": [], "title": 7, "created_at": "never", "task_ids": "all", "access": null}',
    b"\xff\xfe\x00\x00",
    b"[]",
    b"",
)


@dataclass(frozen=True, slots=True)
class Serving:
    """A service that runs."""

    address: str
    log: Path
    process: subprocess.Popen[bytes]

    def memory(self) -> int:
        """Return the bytes of memory in use by it and its workers."""
        pids = [self.process.pid, *_children(self.process.pid)]
        return sum(_resident(pid) for pid in pids)


@contextmanager
def serving(home: Path, settings: Mapping[str, str], workers: int = 1) -> Iterator[Serving]:
    """Run the service over a workspace with some settings, and yield it once it is ready."""
    port = free_port()
    log = home / "service.log"
    command = [sys.executable, "-m", "uvicorn", "--factory", FACTORY, "--port", str(port)]
    command += ["--workers", str(workers), "--no-access-log", "--no-server-header", "--log-level", "warning"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TALKINGPOINTS_")}
    given = {"home": str(home), "port": str(port), "log_level": "warning", **settings}
    environment = inherited | {f"TALKINGPOINTS_{name.upper()}": value for name, value in given.items()}
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream)
        try:
            _wait(f"http://127.0.0.1:{port}", process, log)
            yield Serving(f"http://127.0.0.1:{port}", log, process)
        finally:
            process.terminate()
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def useless_studio(kind: str) -> Iterator[str]:
    """Yield the address of a Label Studio that is ``down``, ``slow`` to answer, or answers ``garbage``."""
    if kind == "down":
        yield f"http://127.0.0.1:{free_port()}"
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(kind))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _handler(kind: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        n_answers = 0

        def _answer(self) -> None:
            if kind == "slow":
                time.sleep(5)
            number = Handler.n_answers = Handler.n_answers + 1
            body = _GARBAGE[number % len(_GARBAGE)]
            with suppress(OSError):
                self.send_response((200, 201, 200, 500, 302, 418)[number % 6])
                self.send_header("Content-Type", ("application/json", "text/html")[number % 2])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _answer  # noqa: N815 - the names of the base class

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(f"{address}/readyz", timeout=5).is_success:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the service did not start: {log.read_text(errors='replace')[-1000:]}")


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(each) for each in (task / "children").read_text().split()]
    return found


def _resident(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
