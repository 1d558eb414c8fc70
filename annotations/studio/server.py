"""A local Label Studio without a window: found, started, watched and stopped."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from annotations.errors import StudioError
from annotations.progress import Progress, silent
from annotations.studio.client import StudioClient
from annotations.studio.credentials import Credentials, new_credentials, read_credentials, write_credentials
from annotations.studio.process import Daemon

DEFAULT_ENVIRONMENT = ".venv-studio"
_HOST = "127.0.0.1"
_PORT_TRIES = 3
_PORTS = range(8080, 8100)
_START_SECONDS = 300.0
_FORGOTTEN = ("LABEL_STUDIO_", "DJANGO_", "POSTGRE_", "PYTHON", "VIRTUAL_ENV", "TALKINGPOINTS_")
_SETTINGS = {
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
    # No calls to anybody outside.
    "COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "LATEST_VERSION_CHECK": "false",
    # Without these two it refuses to talk to our own service on this machine.
    "ML_BLOCK_LOCAL_IP": "false",
    "SSRF_PROTECTION_ENABLED": "false",
    # Without this it stores wrong predictions silently.
    "fflag_feat_utc_210_prediction_validation_15082025": "true",
    "LOG_LEVEL": "WARNING",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True, slots=True)
class RunningStudio:
    """A local Label Studio that answers; ``was_running`` says that it did so before we came."""

    url: str
    pid: int
    was_running: bool
    credentials: Credentials

    def client(self) -> StudioClient:
        """Return a client that acts as the administrator."""
        return StudioClient(self.url, self.credentials.admin.token, name=self.name)

    @property
    def name(self) -> str:
        """What the ledger calls this server: its data, not its port, which may change."""
        return f"local-{self.credentials.instance}"


@dataclass(frozen=True, slots=True)
class LocalStudio:
    """The Label Studio of a workspace.

    Parameters
    ----------
    path
        The folder of its data, logins and log (``workspace.studio_path``).
    environment
        The virtual environment that Label Studio is installed in.
    """

    path: Path
    environment: Path

    def up(self, progress: Progress = silent) -> RunningStudio:
        """Return the running server, starting it where it does not run; tells seconds waited.

        Raises
        ------
        StudioError
            Label Studio is not installed, does not come up (with the end of its log), or no port is free.
        """
        running = self.running()
        if running:
            return running
        program = self._program()
        credentials = read_credentials(self.path)
        if credentials is None:
            if self._ready_path.exists():
                raise StudioError(
                    "the logins of this Label Studio are gone",
                    where=str(self.path),
                    hint="Restore credentials.json from a backup, or move the folder away to start anew.",
                )
            credentials = new_credentials()
            write_credentials(self.path, credentials)
        if self._daemon.is_running():
            self._await_health(progress)
            running = self._confirmed(credentials, was_running=True)
        else:
            self._set_unfinished_aside()
            running = self._started(program, credentials, progress)
        self._ready_path.touch()
        return running

    def _started(self, program: Path, credentials: Credentials, progress: Progress) -> RunningStudio:
        """Start the server; where another program takes the port at the same moment, start on another."""
        refused: set[int] = set()
        while True:
            port = self._free_port(refused)
            command = [str(program), "start", "--no-browser", "--internal-host", _HOST, "--port", str(port)]
            self._daemon.start(command, self._process_environment(port, credentials))
            try:
                self._await_health(progress)
            except StudioError:
                if self._daemon.is_running() or _is_free(port) or len(refused) >= _PORT_TRIES:
                    raise
            else:
                try:
                    return self._confirmed(credentials, was_running=False)
                except StudioError:
                    # Another server answers there; ours has moved to a port that we do not know.
                    self._daemon.stop()
                    if len(refused) >= _PORT_TRIES:
                        raise
            refused.add(port)

    def running(self) -> RunningStudio | None:
        """Return the server where it runs and answers, without starting it."""
        credentials = read_credentials(self.path)
        if credentials is None or not self._ready_path.exists() or not self._is_healthy():
            return None
        return self._confirmed(credentials, was_running=True)

    def down(self) -> bool:
        """Stop the server if it is ours; return False where none was running."""
        return self._daemon.stop()

    @property
    def log_path(self) -> Path:
        """What the server prints."""
        return self._daemon.log_path

    @property
    def _daemon(self) -> Daemon:
        return Daemon(self.path, "label-studio")

    @property
    def _port_path(self) -> Path:
        return self.path / "port"

    @property
    def _ready_path(self) -> Path:
        return self.path / "initialised"

    @property
    def _data_path(self) -> Path:
        return self.path / "data"

    def _program(self) -> Path:
        program = self.environment / "bin" / "label-studio"
        if not os.access(program, os.X_OK):
            raise StudioError(
                "Label Studio is not installed there",
                where=str(self.environment),
                hint="Run `make studio` (it takes 1 GB), or name its place (TALKINGPOINTS_STUDIO_ENV).",
            )
        return program.absolute()

    def _port(self) -> int | None:
        try:
            return int(self._port_path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def _free_port(self, refused: Collection[int]) -> int:
        port = next((port for port in self._candidates() if port not in refused and _is_free(port)), None)
        if port is None:
            raise StudioError("no port is free on 127.0.0.1", hint="End some of the servers on this machine.")
        self._port_path.write_text(f"{port}\n", encoding="ascii")
        return port

    def _candidates(self) -> Iterator[int]:
        remembered = self._port()
        if remembered:
            yield remembered
        yield from _PORTS
        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            port: int = probe.getsockname()[1]
        yield port

    def _process_environment(self, port: int, credentials: Credentials) -> Mapping[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_FORGOTTEN)}
        own = {
            "LABEL_STUDIO_BASE_DATA_DIR": str(self._data_path.absolute()),
            "LABEL_STUDIO_HOST": f"http://{_HOST}:{port}",
            "LABEL_STUDIO_USERNAME": credentials.admin.email,
            "LABEL_STUDIO_PASSWORD": credentials.admin.password,
            "LABEL_STUDIO_USER_TOKEN": credentials.admin.token,
            "XDG_CONFIG_HOME": str((self.path / "config").absolute()),
        }
        return {**inherited, **_SETTINGS, **own}

    def _set_unfinished_aside(self) -> None:
        """Move away the data of a killed first start: its tables may be half made, and nobody used them."""
        self._data_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._data_path.exists() and not self._ready_path.exists():
            aside = self.path / "data.unfinished"
            shutil.rmtree(aside, ignore_errors=True)
            self._data_path.rename(aside)

    def _is_healthy(self) -> bool:
        port = self._port()
        if port is None or not self._daemon.is_running():
            return False
        try:
            return httpx.get(f"http://{_HOST}:{port}/health", timeout=5.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def _await_health(self, progress: Progress) -> None:
        begin = time.monotonic()
        while not self._is_healthy():
            waited = time.monotonic() - begin
            if not self._daemon.is_running():
                raise StudioError(
                    f"Label Studio ended while starting. The end of its log:\n{self._daemon.log_tail()}",
                    where=str(self.log_path),
                    hint="Correct what the log names and start it again.",
                )
            if waited > _START_SECONDS:
                raise StudioError(
                    f"Label Studio does not answer after {_START_SECONDS:.0f} s",
                    where=str(self.log_path),
                    hint="Look at its log; `talkingpoints studio down` stops it.",
                )
            progress(int(waited), None)
            time.sleep(0.3)

    def _confirmed(self, credentials: Credentials, was_running: bool) -> RunningStudio:
        """Make sure that the program at our port is our Label Studio, with our login."""
        running = RunningStudio(
            f"http://{_HOST}:{self._port()}", self._daemon.pid() or 0, was_running, credentials
        )
        with running.client() as client:
            email = client.whoami().email
        if email != credentials.admin.email:
            raise StudioError("another Label Studio answers at our port", where=running.url, hint="Stop it.")
        return running


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True
