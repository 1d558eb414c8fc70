"""Fixtures that any test may use."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from annotations.studio.accounts import annotator_client, create_accounts
from annotations.studio.client import StudioClient
from annotations.studio.process import Daemon
from annotations.studio.server import DEFAULT_ENVIRONMENT, LocalStudio, RunningStudio
from annotations.testing import NoServerError, Server, postgresql_server

# A change is judged by the same examples each time; new ones are tried wherever CI is not set.
settings.register_profile("ci", derandomize=True)
settings.register_profile("soak", max_examples=int(os.environ.get("SOAK_EXAMPLES", "5000")), deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real posts and labels that stands beside a developer's checkout."""
    if not _SHARED.is_dir():
        pytest.skip("needs the data of ../shared/data, which is not part of the project")
    return _SHARED


@dataclass(frozen=True)
class LiveStudio:
    """A real Label Studio that runs for the whole session."""

    local: LocalStudio
    running: RunningStudio

    def client(self, annotator: str | None = None, **options: Any) -> StudioClient:
        """Return a client that acts as an annotator (``A`` or ``B``), or as the administrator."""
        if annotator is not None:
            return annotator_client(self.running, self.local.path, annotator)
        token = self.running.credentials.admin.token
        return StudioClient(self.running.url, token, name=self.running.name, **options)


@pytest.fixture(scope="session")
def live_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStudio]:
    """Start a real Label Studio with the accounts A and B; its very first start is killed half way.

    It is looked for in TALKINGPOINTS_STUDIO_ENV, else in the checkout's ``.venv-studio``.
    """
    default = Path(__file__).resolve().parents[1] / DEFAULT_ENVIRONMENT
    environment = Path(os.environ.get("TALKINGPOINTS_STUDIO_ENV") or default)
    if not (environment / "bin" / "label-studio").exists():
        pytest.skip(
            f"needs Label Studio in {environment}: run `make studio`, or set TALKINGPOINTS_STUDIO_ENV"
        )
    local = LocalStudio(tmp_path_factory.mktemp("workspace") / "studio", environment)
    _start_and_kill(local)
    running = local.up()
    try:
        create_accounts(running, local.path, ["A", "B"])
        yield LiveStudio(local, running)
    finally:
        local.down()


def _start_and_kill(local: LocalStudio) -> None:
    """Kill the first start while Label Studio makes its tables, as a power cut would."""

    class PowerCut(Exception):  # noqa: N818 - it is no error of ours
        pass

    def cut(_waited: int, _total: int | None) -> None:
        database = local.path / "data" / "label_studio.sqlite3"
        if database.exists() and database.stat().st_size > 100_000:
            raise PowerCut

    with contextlib.suppress(PowerCut):
        local.up(cut)
    group = int((local.path / "label-studio.pid").read_text())
    os.killpg(group, signal.SIGKILL)
    while Daemon(local.path, "label-studio").is_running():
        time.sleep(0.05)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """Start a PostgreSQL of our own, without a network port."""
    try:
        with postgresql_server() as server:
            yield server
    except NoServerError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, of each of the two kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: Server = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield Debian's chromium, driven by playwright.

    Not for longer than a module: as long as it is there, an event loop runs in this thread, and no test can run
    another.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's chromium: apt-get install chromium")
    options = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        yield browser
        browser.close()
