"""Making this service the backend of the project in use, whether it runs already or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx

from annotations.ledger.store import Ledger
from annotations.ledger.studio_backends import BackendRow
from annotations.studio.connecting import BackendOptions, connect
from service.settings import Settings
from service.studio_access import Studio

Serving = Callable[[Settings], AbstractContextManager[str]]


def backend_options(settings: Settings) -> BackendOptions:
    """Return where the service answers Label Studio, with what it wants to be shown."""
    password, secret = settings.studio_backend_password, settings.studio_webhook_secret
    has_login = settings.studio_backend_user is not None and password is not None
    return BackendOptions(
        url=settings.backend_url,
        user=settings.studio_backend_user or "" if has_login else "",
        password=password.get_secret_value() if password else "",
        secret=secret.get_secret_value() if secret else "",
    )


def connect_service(settings: Settings, ledger: Ledger, connected: Studio, serving: Serving) -> BackendRow:
    """Connect the service to the project in use.

    Label Studio asks the backend whether it lives. Where the service does not run, it is served meanwhile.

    Raises
    ------
    StudioError
        Label Studio does not reach it.
    """
    options = backend_options(settings)
    project = connected.project(ledger)
    runs = _answers(settings)
    with contextlib.nullcontext() if runs else serving(settings):
        return connect(ledger, connected.client, project, options)


def _answers(settings: Settings) -> bool:
    """Tell whether our service answers at its own address."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        answer = httpx.get(f"http://{host}:{settings.port}/healthz", timeout=5.0, trust_env=False)
        return answer.is_success and answer.json() == {"status": "ok"}
    except (httpx.HTTPError, ValueError):
        return False
