"""What routes are given: the settings, the model in use, and a body that is JSON.

All of them are coroutines that wait for nothing: FastAPI would run plain functions in threads, one after another.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from service.ledger_access import LedgerAccess
from service.settings import Settings
from service.tagger import ModelSource, Tagger


async def get_settings(request: Request) -> Settings:
    """Return the settings the app was built with."""
    settings: Settings = request.app.state.settings
    return settings


async def get_models(request: Request) -> ModelSource:
    """Return where models come from."""
    models: ModelSource = request.app.state.models
    return models


async def get_tagger(models: Annotated[ModelSource, Depends(get_models)]) -> Tagger:
    """Return the model that answers this request, or raise ``NotReadyError``."""
    return models.current()


async def get_ledgers(request: Request) -> LedgerAccess:
    """Return the way to the workspace's ledger."""
    ledgers: LedgerAccess = request.app.state.ledgers
    return ledgers


async def require_json(request: Request) -> None:
    """Refuse a body that is not said to be JSON, or is compressed."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise HTTPException(
            415, "Send JSON, with the header Content-Type: application/json.", {"Accept": "application/json"}
        )
    await require_plain(request)


async def require_plain(request: Request) -> None:
    """Refuse a body that is compressed."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HTTPException(415, "Send the body without Content-Encoding.", {"Accept-Encoding": "identity"})


SettingsGiven = Annotated[Settings, Depends(get_settings)]
LedgersGiven = Annotated[LedgerAccess, Depends(get_ledgers)]
ModelsGiven = Annotated[ModelSource, Depends(get_models)]
TaggerGiven = Annotated[Tagger, Depends(get_tagger)]
