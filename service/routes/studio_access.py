"""Who may call ``/studio/*``: Label Studio with its password or secret; without any, programs of this machine."""

from __future__ import annotations

import base64
import binascii
import hmac

from fastapi import Request
from pydantic import SecretStr
from starlette.exceptions import HTTPException

from annotations.studio.connecting import SECRET_HEADER
from service.routes.dependencies import SettingsGiven
from service.settings import Settings, is_loopback

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="studio", charset="UTF-8"'}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def require_studio(request: Request, settings: SettingsGiven) -> None:
    """Refuse a call that shows neither the user and password nor the webhook's secret that are set."""
    has_password = settings.studio_backend_user is not None and settings.studio_backend_password is not None
    if not has_password and settings.studio_webhook_secret is None:
        if not _is_local(request):
            raise HTTPException(
                401,
                "Without a password or a secret in the settings only this machine may call here.",
                _CHALLENGE,
            )
        return
    if not (_shows_password(request, settings) or _shows_secret(request, settings.studio_webhook_secret)):
        raise HTTPException(401, "The user and password, or the secret, are missing or wrong.", _CHALLENGE)


def _shows_password(request: Request, settings: Settings) -> bool:
    user, password = settings.studio_backend_user, settings.studio_backend_password
    if user is None or password is None:
        return False
    wanted = f"{user}:{password.get_secret_value()}".encode()
    kind, _, content = request.headers.get("authorization", "").partition(" ")
    try:
        shown = base64.b64decode(content.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return kind.lower() == "basic" and hmac.compare_digest(shown, wanted)


def _shows_secret(request: Request, secret: SecretStr | None) -> bool:
    if secret is None:
        return False
    shown = request.headers.get(SECRET_HEADER, "").encode("latin-1", "replace")
    return hmac.compare_digest(shown, secret.get_secret_value().encode())


def _is_local(request: Request) -> bool:
    """Tell whether a program of this machine calls, and not a proxy for somebody else."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    return request.client is not None and is_loopback(request.client.host)
