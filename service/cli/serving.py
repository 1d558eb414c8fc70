"""The command that serves the HTTP API, and the same service in a thread of another command."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import uvicorn
from fastapi import FastAPI

from annotations.errors import TalkingPointsError
from service.app import FACTORY, build_app, create_app, uvicorn_options
from service.cli import console
from service.logs import configure_logging
from service.ports import require_port
from service.settings import METRICS_FOLDER, Settings, child_environment, load_settings
from service.tagger import ActiveModel

_LOADING_SECONDS = 60
"""How long a worker may not answer its supervisor, as while it loads a model, before it is replaced."""


@click.command("serve")
@click.option("--host", help="Address to listen on; others than loopback ones need API keys.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 8000 by default.")
@click.option("--workers", type=click.IntRange(1, 64), help="How many processes serve; 1 by default.")
def serve_command(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the HTTP API and its page until Ctrl-C. A model activated meanwhile is taken up."""
    named = (("host", host), ("port", port), ("workers", workers))
    settings = load_settings(**{name: value for name, value in named if value is not None})
    options = uvicorn_options(settings)
    if settings.port:
        require_port(settings.host, settings.port)
    configure_logging(settings.log_level)
    console.say(
        f"Serving on http://{settings.host}:{settings.port} (API description at /docs); Ctrl-C stops it"
    )
    if settings.workers == 1:
        uvicorn.run(create_app(settings), **options)
        return
    with tempfile.TemporaryDirectory(prefix="talkingpoints-metrics-") as shared:
        # The workers are new processes: they read these settings from the environment.
        os.environ.update(child_environment(settings) | {METRICS_FOLDER: shared})
        several: dict[str, Any] = {
            "workers": settings.workers,
            "timeout_worker_healthcheck": _LOADING_SECONDS,
        }
        uvicorn.run(FACTORY, factory=True, **several, **options)


@contextmanager
def answering(settings: Settings) -> Iterator[str]:
    """Run the HTTP service in a thread, without following Label Studio, and yield its address."""
    require_port(settings.host, settings.port)
    models = ActiveModel.of_folder(settings.workspace.models_path)
    with serving(settings, build_app(settings, models)) as address:
        yield address


@contextmanager
def serving(settings: Settings, app: FastAPI | None = None) -> Iterator[str]:
    """Run the HTTP service in a thread and yield its address; requests in flight finish before it stops."""
    configure_logging("warning")
    app = app or create_app(settings)
    server = _ThreadServer(uvicorn.Config(app, **uvicorn_options(settings)))
    thread = threading.Thread(target=server.run, name="http")
    thread.start()
    address = f"http://{settings.host}:{settings.port}"
    try:
        while not server.started:
            if not thread.is_alive():
                raise TalkingPointsError("the HTTP service did not start", where=address)
            time.sleep(0.05)
        yield address
    finally:
        server.should_exit = True
        thread.join()


class _ThreadServer(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the main thread."""
        yield


COMMANDS: tuple[click.Command, ...] = (serve_command,)
