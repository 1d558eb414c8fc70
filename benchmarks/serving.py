"""How much the service answers: ``/v1/predict`` beside an endpoint that does nothing, and beside MLServer.

    python -m benchmarks.serving LABELS [--mlserver PYTHON] [--rounds 7] [--connections 32]

A model is trained on LABELS and served by one process with the settings as they are. Beside it run a FastAPI
endpoint that takes the same body and sends prepared bytes, as many as our answers have, on the same server, loop
and protocol; and, with --mlserver, the scikit-learn runtime of MLServer with a plain pipeline fitted on the same
posts, asked by the V2 protocol for the probabilities of one post. --mlserver names a Python in whose environment
`mlserver` and `mlserver-sklearn` are installed (Python below 3.13), and our version of scikit-learn.

Each round loads them one after another, in a changing order, from a process of its own; printed are medians of the
rounds, and of the ratios within a round. Processor time a request is the server's own, all its threads.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx

from annotations.codebook import default_codebook_path, load_codebook
from annotations.labels import read_labels
from benchmarks.scorer import varied
from benchmarks.serving_load import HOST, Order, Tally
from benchmarks.serving_peers import MLSERVER_PATH, NO_OP_PATH, mlserver_body, start_mlserver, write_mlserver
from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.registry import Registry
from classifiers.training import TrainingOptions, train
from soak.serving import free_port

OURS, NO_OP, MLSERVER = "/v1/predict", "no-op", "MLServer"
_WARM_REQUESTS = 300
_START_SECONDS = 120.0
_N_BODIES = 1_000


@dataclass(slots=True)
class Server:
    """A server that runs: where its requests go, and what every round said of it."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    path: str
    bodies: list[str]
    tallies: list[Tally] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Microseconds of processor time a request."""


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    options = _options(arguments)
    codebook = load_codebook(options.codebook)
    data = Dataset.from_annotations(read_labels(options.labels, codebook.tag_ids), codebook)
    posts = varied(data.texts, _N_BODIES, 0.01)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as running:
        home = options.home or Path(scratch) / "home"
        registry = Registry(home / "models")
        if not registry.versions():
            write_bundle(train(data, codebook, TrainingOptions()), home / "bundle")
            registry.activate(registry.add(home / "bundle"))
        ours = running.enter_context(_our_service(home, Path(scratch), posts))
        servers = [ours, running.enter_context(_no_op(Path(scratch), ours))]
        if options.mlserver:
            gold = data.shares > 0.5
            folder, ports = Path(scratch) / "mlserver", [free_port() for _ in range(3)]
            write_mlserver(folder, ports, data.texts, gold)
            servers.append(running.enter_context(_mlserver(options.mlserver, folder, ports[0], posts)))
        generator = running.enter_context(_generator())
        size = statistics.mean(map(len, posts))
        print(
            f"{len(data)} posts for training, {len(codebook.tag_ids)} tags; posts of {size:,.0f} characters on average"
        )
        for connections in options.connections:
            _measure(servers, generator, connections, options)
            print(_report(servers, connections), flush=True)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("--codebook", type=Path, default=default_codebook_path())
    parser.add_argument("--mlserver", type=Path, help="A Python with mlserver and mlserver-sklearn.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="Of a server in a round.")
    parser.add_argument("--requests", type=int, default=20_000, help="At most, of a server in a round.")
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 1])
    parser.add_argument("--home", type=Path, help="A workspace that is kept; its active model is served.")
    return parser.parse_args(arguments)


def _measure(
    servers: Sequence[Server], send: Callable[[Order], Tally], connections: int, options: argparse.Namespace
) -> None:
    chosen = random.Random(connections)
    for server in servers:
        server.tallies, server.processor = [], []
        send(Order(server.port, server.path, server.bodies, connections, _WARM_REQUESTS, options.seconds))
    for _ in range(options.rounds):
        for server in chosen.sample(servers, len(servers)):
            before = _processor_seconds(server.process.pid)
            tally = send(
                Order(server.port, server.path, server.bodies, connections, options.requests, options.seconds)
            )
            if tally.failed:
                raise SystemExit(f"{server.name}: {tally.failed} requests were not answered with 200")
            used = _processor_seconds(server.process.pid) - before
            server.tallies.append(tally)
            server.processor.append(1e6 * used / tally.answered)


def _report(servers: Sequence[Server], connections: int) -> str:
    """Return the table of one number of connections, as Markdown."""
    ours = servers[0]
    lines = [
        f"\n{connections} connections\n",
        "| | requests/s | of ours | p50, ms | p99, ms | p99 / p50 | processor µs | answer, bytes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for server in servers:
        tallies = server.tallies
        ratio = statistics.median(
            other.rate / own.rate for own, other in zip(ours.tallies, tallies, strict=True)
        )
        figures = [
            f"{statistics.median(each.rate for each in tallies):,.0f}",
            f"{ratio:.2f}",
            f"{1000 * statistics.median(each.median for each in tallies):.1f}",
            f"{1000 * statistics.median(each.p99 for each in tallies):.1f}",
            f"{statistics.median(each.p99 / each.median for each in tallies):.1f}",
            f"{statistics.median(server.processor):,.0f}",
            f"{tallies[0].bytes:,}",
        ]
        lines.append(f"| {server.name} | {' | '.join(figures)} |")
    for other in servers[1:]:
        ratios = [own.rate / peer.rate for own, peer in zip(ours.tallies, other.tallies, strict=True)]
        spent = [peer / own for own, peer in zip(ours.processor, other.processor, strict=True)]
        lines.append(
            f"{ours.name} answers {statistics.median(ratios):.2f} times the requests of {other.name} "
            f"({min(ratios):.2f} to {max(ratios):.2f}); by processor time {statistics.median(spent):.2f} times"
        )
    return "\n".join(lines)


@contextmanager
def _our_service(home: Path, scratch: Path, posts: Sequence[str]) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "service.cli", "serve", "--port", str(port)]
    bodies = [json.dumps({"text": text}) for text in posts]
    with (scratch / "service.log").open("wb") as log:
        process = subprocess.Popen(command, env=_environment(home), stdout=log, stderr=log)
    with _ended(process):
        yield _ready(Server(OURS, process, port, OURS, bodies), scratch / "service.log")


@contextmanager
def _no_op(scratch: Path, ours: Server) -> Iterator[Server]:
    answers = [
        httpx.post(
            f"http://{HOST}:{ours.port}{OURS}", content=body, headers={"Content-Type": "application/json"}
        )
        for body in ours.bodies[:50]
    ]
    # The longest of them, cut to their mean length: the bytes are never read.
    longest = max((answer.content for answer in answers), key=len)
    (scratch / "answer.json").write_bytes(
        longest[: int(statistics.mean(len(answer.content) for answer in answers))]
    )
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serving_peers", str(port), str(scratch / "answer.json")]
    with (scratch / "no-op.log").open("wb") as log:
        process = subprocess.Popen(command, env=_environment(scratch), stdout=log, stderr=log)
    with _ended(process):
        yield _ready(Server(NO_OP, process, port, NO_OP_PATH, ours.bodies), scratch / "no-op.log")


@contextmanager
def _mlserver(python: Path, folder: Path, port: int, posts: Sequence[str]) -> Iterator[Server]:
    log = folder.parent / "mlserver.log"
    process = start_mlserver(python, folder, log)
    with _ended(process):
        yield _ready(Server(MLSERVER, process, port, MLSERVER_PATH, list(map(mlserver_body, posts))), log)


@contextmanager
def _generator() -> Iterator[Callable[[Order], Tally]]:
    command = [sys.executable, "-m", "benchmarks.serving_load"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    orders, answers = process.stdin, process.stdout

    def send(order: Order) -> Tally:
        orders.write(json.dumps(asdict(order)).encode() + b"\n")
        orders.flush()
        return Tally(**json.loads(answers.readline()))

    with _ended(process):
        yield send


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TALKINGPOINTS_")}
    return kept | {"TALKINGPOINTS_HOME": str(home), "TALKINGPOINTS_DRAIN_SECONDS": "0"}


def _ready(server: Server, log: Path) -> Server:
    """Wait until a server answers a request with 200."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            address = f"http://{HOST}:{server.port}{server.path}"
            answer = httpx.post(
                address, content=server.bodies[0], headers={"Content-Type": "application/json"}, timeout=30
            )
            if answer.is_success:
                return server
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{server.name} did not start: {log.read_text(errors='replace')[-2000:]}")


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(sys.argv[1:])
