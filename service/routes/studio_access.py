"""Who may call ``/studio/*``: Label Studio with its password or secret; without any, programs of this machine."""

from __future__ import annotations

import base64
import binascii
import hmac

from fastapi import Request
from pydantic import SecretStr
from starlette.exceptions import HTTPException

from annotations.studio.connecting import SECRET_HEADER
from service.guard import CALLER
from service.keys import LOCAL, Caller
from service.routes.dependencies import SettingsGiven
from service.settings import Settings

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="studio", charset="UTF-8"'}


async def require_studio(request: Request, settings: SettingsGiven) -> None:
    """Refuse a call that shows none of: a key with the scope studio, the user and password, the webhook's secret.

    Where neither password nor secret is set, programs of this machine need none, as far as `require_keys` lets them.
    """
    caller: Caller | None = request.scope.get(CALLER)
    if caller is not None and caller is not LOCAL:
        if "studio" not in caller.scopes:
            raise HTTPException(403, f"The key '{caller.name}' lacks the scope studio.")
        return
    has_password = settings.studio_backend_user is not None and settings.studio_backend_password is not None
    if not has_password and settings.studio_webhook_secret is None:
        if caller is None:
            raise HTTPException(
                401,
                "Without a key, or a password or secret in the settings, only this machine may call here.",
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
