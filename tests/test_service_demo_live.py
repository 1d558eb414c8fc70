"""The demo as a newcomer runs it, with a real Label Studio: all of it, twice, and ended by a signal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from annotations.studio.server import LocalStudio

pytestmark = pytest.mark.live

_DEFAULT = Path(__file__).resolve().parents[1] / ".venv-studio"


def _environment() -> Path:
    return Path(os.environ.get("TALKINGPOINTS_STUDIO_ENV") or _DEFAULT).absolute()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty folder to run the demo in, with a blank and an accent in its name."""
    environment = _environment()
    if not (environment / "bin" / "label-studio").exists():
        pytest.skip(
            f"needs Label Studio in {environment}: run `make studio`, or set TALKINGPOINTS_STUDIO_ENV"
        )
    folder = tmp_path_factory.mktemp("demo") / "mes dossiers é"
    folder.mkdir()
    return folder


def _demo(place: Path, *options: str) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TALKINGPOINTS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "service.cli", "demo", *options],
        cwd=place,
        env=inherited | {"TALKINGPOINTS_STUDIO_ENV": str(_environment()), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def _ended(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    return output


def test_the_demo_does_the_whole_job_and_ends(place: Path) -> None:
    """From raw files to a tagged post: every step says what it did, and nothing keeps running."""
    output = _ended(_demo(place, "--once"))
    assert "159 posts pushed" in output
    assert "274 annotations submitted" in output
    assert "274 new, 0 updated" in output
    assert re.search(r"Model [0-9a-f]{12} is active", output)
    assert re.search(r"1[123]\d suggestions pushed", output)
    assert "Label Studio asks the service" in output
    assert "Multipolar world" in output
    address = re.search(r"Label Studio answers at (\S+)", output)
    assert address is not None
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address[1]}/health", timeout=5)


def test_a_second_run_repeats_nothing_and_ctrl_c_stops_all_it_started(place: Path) -> None:
    """Posts, tasks, annotations and the model are found in their places; a termination signal ends both servers."""
    with _running(place) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C stops it" in line:
                break
        _check_second_run(process, "".join(lines), place)


@contextmanager
def _running(place: Path) -> Iterator[subprocess.Popen[str]]:
    process = _demo(place)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)


def _check_second_run(process: subprocess.Popen[str], output: str, place: Path) -> None:
    assert "0 posts pushed, 159 already there" in output
    assert "0 annotations submitted, 274 there already" in output
    assert "The labels have not changed" in output
    page = re.search(r"The page to try posts on\s+(\S+)", output)
    assert page is not None
    assert "Talking Points" in httpx.get(page[1], timeout=30).text
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Label Studio is stopped" in rest
    assert "Traceback" not in rest
    studio = LocalStudio(place / "workspace-demo" / "studio", _environment())
    deadline = time.monotonic() + 10
    while studio.running() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert studio.running() is None
    with pytest.raises(httpx.TransportError):
        httpx.get(page[1], timeout=5)
