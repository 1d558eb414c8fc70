"""Tests of how the service runs: it stops without losing a request, workers share the work, slow clients go."""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.app import create_app
from service.cli.serving import serve_command
from service.settings import load_settings
from service.studio_leading import LeadingSync
from service.studio_sync import StudioSync
from service.testing import FakeTagger, on_a_socket

ROOT = Path(__file__).resolve().parents[1]
HEAD = "POST /studio/setup HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def _served(home: Path, *arguments: str, **chosen: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run `talkingpoints serve` and yield it with its port once it answers; it is ended after the block."""
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TALKINGPOINTS_")}
    environment |= {"TALKINGPOINTS_HOME": str(home), **chosen}
    command = [sys.executable, "-m", "service.cli", "serve", "--port", str(port), *arguments]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stderr=log, cwd=ROOT)
    try:
        while server.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield server, port
    finally:
        if server.poll() is None:
            server.terminate()
        server.wait(timeout=60)


def test_sigterm_lets_requests_finish(tmp_path: Path) -> None:
    """First not ready and still answering, then refusing connections, then ended: what was begun is answered."""
    with (
        _served(tmp_path, TALKINGPOINTS_DRAIN_SECONDS="1.5") as (server, port),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        socket.create_connection(("127.0.0.1", port), timeout=30) as begun,
    ):
        begun.sendall(f"{HEAD}Content-Length: 2\r\n\r\n{{".encode())
        assert client.get("/readyz").json()["title"] == "No model is ready"
        server.send_signal(signal.SIGTERM)
        while "about to stop" not in client.get("/readyz").json()["detail"]:
            time.sleep(0.02)
        assert client.get("/healthz").status_code == 200
        assert client.post("/studio/setup", json={}).status_code == 200
        while _answers(port):
            time.sleep(0.02)
        assert server.poll() is None
        begun.sendall(b"}")
        answer = b"".join(iter(lambda: begun.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"model_version" in answer
    # Uvicorn passes the signal on once all is done: a supervisor sees what ended the process.
    assert server.returncode in (0, -signal.SIGTERM)
    assert b"Traceback" not in (tmp_path / "log").read_bytes()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_several_workers_are_one_service(tmp_path: Path) -> None:
    """Any worker tells the numbers of all, and one of them alone holds the lock on Label Studio."""
    with _served(tmp_path, "--workers", "2", TALKINGPOINTS_DRAIN_SECONDS="0") as (server, port):
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", limits=httpx.Limits(max_keepalive_connections=0)
        )
        lock = tmp_path / "run" / "studio.lock"
        while len(_holders(lock)) < 1:
            time.sleep(0.05)
        started = _counted(client)
        for _ in range(40):  # a connection each, so that both workers get some
            assert client.get("/v1/models").status_code == 200
        assert [_counted(client) - started for _ in range(5)] == [40] * 5
        assert len(_holders(lock)) == 1
        assert client.post("/studio/webhook", json={"action": "TASKS_CREATED"}).status_code == 200
        client.close()
        server.terminate()
        assert server.wait(timeout=60) in (0, -signal.SIGTERM)


def _counted(client: httpx.Client) -> float:
    page = client.get("/metrics").text
    found = re.search(r'requests_total\{method="GET",route="/v1/models",status="200"\} (\S+)', page)
    return float(found[1]) if found else 0.0


def _holders(lock: Path) -> set[str]:
    """Return the processes that hold a lock on a file, as the kernel knows them."""
    if not lock.exists():
        return set()
    node = lock.stat().st_ino
    return {line.split()[4] for line in Path("/proc/locks").read_text().splitlines() if f":{node} " in line}


class _FakeSync(StudioSync):
    def __init__(self) -> None:
        self.happened: list[str] = []

    def start(self) -> None:
        """Note it."""
        self.happened.append("start")

    def stop(self) -> None:
        """Note it."""
        self.happened.append("stop")

    def wake(self, *, push: bool = False, train: bool = False) -> None:
        """Note it."""
        self.happened.append(f"wake push={push} train={train}")


def test_one_process_leads_and_hears_what_the_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second takes over when the first ends; an event that reaches the second wakes the first."""
    monkeypatch.setattr("service.studio_leading._LOOK_SECONDS", 0.01)
    monkeypatch.setattr("service.studio_leading._TRY_SECONDS", 0.01)
    syncs = [_FakeSync(), _FakeSync()]
    first, second = (LeadingSync(tmp_path, sync) for sync in syncs)
    first.start()
    second.start()
    assert (first.is_leading, second.is_leading) == (True, False)
    second.wake(train=True)
    (tmp_path / "run" / "wake.nonsense").touch()
    _until(lambda: len(syncs[0].happened) == 2)
    assert syncs[0].happened == ["start", "wake push=False train=True"]
    first.stop()
    _until(lambda: second.is_leading)
    second.wake(push=True)
    second.stop()
    assert syncs[1].happened == ["start", "wake push=True train=False", "stop"]


def _until(condition: object) -> None:
    while not condition():  # type: ignore[operator]
        time.sleep(0.01)


def test_a_head_that_does_not_arrive_ends_the_connection() -> None:
    """A client that sends nothing, or a byte now and then, does not hold a connection; one that is quick may."""
    settings = load_settings(header_seconds=0.3)
    with on_a_socket(create_app(settings, FakeTagger())) as port:
        for sent in (b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                if sent:
                    connection.sendall(sent)
                assert connection.recv(100) == b""
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            dripping = iter(b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 10_000)
            with contextlib.suppress(ConnectionError):
                for byte in dripping:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.01)
            assert len(list(dripping)) > 50_000
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            assert [client.get("/healthz").status_code for _ in range(3)] == [200] * 3


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    """A body that drips is answered with 408 and the connection closed, announced or chunked."""
    settings = load_settings(body_seconds=0.3)
    with on_a_socket(create_app(settings, FakeTagger())) as port:
        for more in ("Content-Length: 5000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
            head = HEAD.replace("/studio/setup", "/v1/predict") + more
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(head.encode())
                answer = b"".join(iter(lambda: connection.recv(4096), b""))
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"request-timeout" in answer


def test_a_head_that_is_too_large_is_refused() -> None:
    """Headers end at the cap of the settings."""
    settings = load_settings(max_header_bytes=4096)
    with on_a_socket(create_app(settings, FakeTagger())) as port:
        base = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{base}/healthz", headers={"X": "a" * 3000}).status_code == 200
        assert httpx.get(f"{base}/healthz", headers={"X": "a" * 5000}).status_code == 431
        assert httpx.get(f"{base}/healthz?{'a' * 5000}").status_code == 431
        assert httpx.get(f"{base}/healthz", headers={"X": "a" * 100_000}).status_code in (400, 431)


def test_more_requests_than_there_is_room_for_are_told_to_come_again() -> None:
    """While two are being answered where one may be, the second gets 503 with a time; probes are answered."""
    settings = load_settings(max_concurrent_requests=1)
    with on_a_socket(create_app(settings, FakeTagger())) as port:
        base = f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
            slow.sendall(
                HEAD.replace("/studio/setup", "/v1/predict").encode() + b"Content-Length: 12\r\n\r\n{"
            )
            while (answer := httpx.post(f"{base}/v1/predict", json={"text": "a"})).status_code == 200:
                time.sleep(0.01)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert httpx.get(f"{base}/healthz").status_code == 200
            slow.sendall(b'"text":"a"}')
            assert slow.recv(20).startswith(b"HTTP/1.1 200 ")
        assert httpx.post(f"{base}/v1/predict", json={"text": "a"}).status_code == 200


UNIT = ROOT / "deploy" / "talkingpoints.service"


def test_the_unit_is_hardened_and_starts_what_there_is() -> None:
    """The systemd unit names commands and settings that exist, and gives up what the service does not need."""
    unit = configparser.RawConfigParser(strict=False, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    assert re.search(r"talkingpoints serve$", service["ExecStart"])
    assert serve_command.name == "serve"
    for name in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "ProtectKernelModules"):
        assert service[name] == "yes"
    assert (service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("strict", "")
    stop = int(re.match(r"\d+", service["TimeoutStopSec"])[0])  # type: ignore[index]
    settings = load_settings()
    assert stop > settings.drain_seconds + settings.shutdown_seconds


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say against it."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    # What it starts need not be installed here.
    text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(encoding="utf-8"))
    copy = tmp_path / UNIT.name
    copy.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", str(copy)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
