"""Many requests, good and bad, to a real server: no error that the client did not cause, and no memory that grows.

Every request says which statuses it may be answered with; anything else is a failure.  The memory of the process (its
resident set) is looked at all the time; over the second half of the requests it must not grow by more than its noise.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.describing import described
from classifiers.registry import Registry
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.training import train
from soak.outcome import Outcome

CONCURRENCY = 16
_PHRASES = (
    "The river belongs to every village.", "Our fathers built the great bridge.", "The coast council lies again!",
    "Вода принадлежит всем.", "El río es de todos.", "🕊 مياه", "<b>Read more</b> at https://example.org", "\u202eabc",
)  # fmt: skip
_JSON = {"Content-Type": "application/json"}
_LOOKS = 400
_MB = 1024 * 1024
# What a run may gain in its second half without its being a leak: an arena of the allocator, a memo that fills.
_MOST_MB = 8.0


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    allowed: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """What the workers share: how many requests are still to be made, and what came of those made."""

    left: int
    random: random.Random
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def take(self) -> _Request | None:
        if self.left <= 0:
            return None
        self.left -= 1
        return _invented(self.random)


def storm(outcome: Outcome, home: Path, n_requests: int, seed: int) -> None:
    """Send the requests to a server on a small workspace; what went wrong is in ``outcome``."""
    _prepare(home)
    with _serving(home) as (process, port):
        run = _Run(n_requests, random.Random(seed))
        memory = asyncio.run(_send_all(run, process.pid, port, n_requests))
        after = httpx.get(f"http://127.0.0.1:{port}/readyz")
        if after.status_code != 200:
            run.failures.append(f"not ready after it: {after.status_code}")
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=60) not in (0, -signal.SIGTERM):
            run.failures.append(f"ended with {process.returncode}")
    log = (home / "log").read_text(encoding="utf-8")
    if "Traceback" in log or '"level": "error"' in log:
        run.failures.append(
            f"the log has errors: {next(line for line in log.splitlines() if 'rror' in line)[:500]}"
        )
    outcome.tries = sum(run.statuses.values())
    outcome.failures += run.failures
    _judge(outcome, memory)
    shown = ", ".join(f"{status}: {count:,}" for status, count in sorted(run.statuses.items()))
    outcome.note = f"{outcome.note}; statuses {shown}"


def _judge(outcome: Outcome, memory: list[tuple[int, float]]) -> None:
    """Fit a line to the memory over the second half of the requests."""
    done, used = np.array(memory, dtype=float).T
    second = done >= done[-1] / 2
    x, y = done[second] - done[second].mean(), used[second]
    slope = float(x @ y / (x @ x))
    gained = slope * (done[second][-1] - done[second][0])
    residuals = y - y.mean() - slope * x
    # Samples lean on each other: the noise is taken from blocks of ten.
    blocks = residuals[: len(residuals) // 10 * 10].reshape(-1, 10).mean(axis=1)
    spread = float(blocks.std(ddof=1)) if len(blocks) > 2 else float("nan")
    outcome.note = (
        f"memory {used[0]:.0f} MB at first, {used[second][0]:.0f} MB half way, {used[-1]:.0f} MB at the end; second half "
        f"{gained:+.2f} MB by its slope, noise {spread:.2f} MB"
    )
    if gained > max(_MOST_MB, 3 * spread):
        outcome.failures.append(f"memory grows: {outcome.note}")


async def _send_all(run: _Run, pid: int, port: int, n_requests: int) -> list[tuple[int, float]]:
    memory = [(0, _resident(pid))]
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60) as client:

        async def work() -> None:
            while (request := run.take()) is not None:
                await _send(client, run, request)
                if run.left % max(1, n_requests // _LOOKS) == 0:
                    memory.append((n_requests - run.left, _resident(pid)))

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)), _rude(run, port))
    return sorted(memory)


async def _send(client: httpx.AsyncClient, run: _Run, request: _Request) -> None:
    try:
        answer = await client.request(request.method, request.path, **request.options)
    except httpx.TransportError as error:
        if 0 not in request.allowed:
            run.failures.append(f"{request.method} {request.path[:60]}: {type(error).__name__} {error}")
        run.statuses[0] += 1
        return
    run.statuses[answer.status_code] += 1
    if answer.status_code not in request.allowed:
        run.failures.append(f"{request.method} {request.path[:60]}: {answer.status_code} {answer.text[:200]}")
    elif answer.status_code == 200 and request.path == "/v1/predict":
        scores = [tag["score"] for tag in answer.json()["tags"]]
        if not all(score is None or 0 <= score <= 1 for score in scores):
            run.failures.append("a score is out of bounds")


async def _rude(run: _Run, port: int) -> None:
    """Leave in the middle of requests, as long as there are others."""
    while run.left > 0:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: 5000\r\n\r\n{" if run.random.random() < 0.5 else b"Transf")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()


def _invented(rng: random.Random) -> _Request:  # noqa: PLR0911 - one return a kind of request
    text = " ".join(rng.choices(_PHRASES, k=rng.randint(1, 12)))
    kind = rng.randrange(20)
    if kind < 8:
        body = {"text": text, "explain": rng.random() < 0.3, "id": str(rng.random())}
        return _Request("POST", "/v1/predict", (200,), {"json": body})
    if kind < 10:
        posts = [{"text": rng.choice(_PHRASES)} for _ in range(rng.randint(1, 20))]
        return _Request("POST", "/v1/predict/batch", (200,), {"json": {"posts": posts}})
    if kind == 10:
        return _Request(
            "GET",
            rng.choice(("/v1/codebook", "/v1/models", "/openapi.json", "/docs", "/", "/metrics")),
            (200,),
        )
    if kind == 11:
        return _Request("POST", "/", (200,), {"data": {"text": text}})
    if kind == 12:
        bad = rng.choice(
            (
                {"text": 5},
                {"text": ""},
                {},
                [text],
                {"text": text, str(rng.random()): 1},
                {"text": "a" * 100_001},
            )
        )
        return _Request("POST", "/v1/predict", (422,), {"json": bad})
    if kind == 13:
        raw = rng.choice(
            (b"{", b'{"text": "\xff"}', b"[" * rng.randint(65, 5000), json.dumps(text).encode()[:-1])
        )
        return _Request("POST", "/v1/predict", (400,), {"content": raw, "headers": _JSON})
    if kind == 14:
        return _Request("POST", "/v1/predict", (415,), {"data": {"text": text}})
    if kind == 15:
        return _Request(rng.choice(("GET", "PUT", "DELETE")), "/v1/predict", (405,))
    if kind == 16:
        return _Request("GET", f"/{rng.random()}", (404,))
    if kind == 17:
        headers = rng.choice(({"Host": f"h{rng.random()}.example"}, {"X": "a" * 66_000}))
        # 0: it may be cut off while it still sends its 66 KB.
        allowed = (421,) if "Host" in headers else (431, 400, 0)
        return _Request("GET", "/v1/models", allowed, {"headers": headers})
    if kind == 18:
        headers = rng.choice(
            (
                {"Authorization": f"Bearer {rng.random()}"},
                {"X-Forwarded-For": f"192.0.2.{rng.randrange(256)}"},
            )
        )
        return _Request("POST", "/v1/predict", (401, 429), {"headers": headers, "json": {"text": text}})
    if rng.random() < 0.05:  # large ones, seldom
        return _Request("POST", "/v1/predict", (413,), {"content": b"x" * (3 * _MB), "headers": _JSON})
    return _Request(
        "POST",
        "/v1/predict",
        (403,),
        {"headers": {"Origin": f"http://{rng.random()}.example"}, "json": {"text": text}},
    )


def _prepare(home: Path) -> None:
    codebook = invented_codebook()
    dataset = Dataset.from_annotations(invented_annotations(120), codebook)
    trained = train(dataset, codebook, quick_options())
    write_bundle(trained, home / "bundle", documents=described(trained, dataset))
    registry = Registry(home / "models")
    registry.activate(registry.add(home / "bundle"))


@contextmanager
def _serving(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TALKINGPOINTS_")}
    # No rates: how fast we are is not what is tried here.
    environment |= {"TALKINGPOINTS_HOME": str(home), "TALKINGPOINTS_RATE_PER_SECOND": "0"}
    command = [sys.executable, "-m", "service.cli", "serve", "--port", str(port)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{port}/readyz").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield process, port
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _resident(pid: int) -> float:
    """Return the memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MB
