"""The HTTP service: how its parts are put together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from classifiers.registry import Registry
from classifiers.scorer import Scorer
from service import problems
from service.errors import NotReadyError
from service.exchange import Exchange
from service.limits import BodyLimit
from service.logs import configure_logging
from service.openapi import build_document
from service.routes import models as models_routes
from service.routes import predict, probes, studio
from service.routes.pages import pages_router
from service.routes.report import report_router
from service.settings import Settings, check_safe_to_serve, load_settings, unknown_variables
from service.studio_backend import StudioBackend
from service.studio_sync import StudioSync
from service.studio_work import StudioWork
from service.tagger import ActiveModel, FixedModel, ModelSource, Tagger

FACTORY = "service.app:app_from_environment"

_LOG = logging.getLogger("talkingpoints.service")


def create_app(settings: Settings, tagger: Tagger | None = None) -> FastAPI:
    """Build the service around ``tagger``, or around the workspace's active model where none is given.

    With a tagger given it answers Label Studio, but does not follow it.
    """
    if tagger is not None:
        return build_app(settings, FixedModel(tagger))
    models = ActiveModel(Registry(settings.workspace.models_path), Scorer.load)
    return build_app(settings, models, StudioSync(settings, StudioWork(settings, models)))


def build_app(settings: Settings, models: ModelSource, sync: StudioSync | None = None) -> FastAPI:
    """Build the service over a source of models; they are loaded when the app starts, not before.

    ``sync`` follows Label Studio while the app runs.
    """
    app = _TaggingApp(
        title="Talking Points",
        version=version("talking-points"),
        summary="Tags the claims and the rhetoric in posts.",
        description="Posts go in, and for every tag of the codebook a score, a threshold, a decision and "
        "evidence come out. Scores are a model's suggestions.",
        openapi_url="/openapi.json" if settings.api_docs else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        middleware=[
            Middleware(Exchange),
            Middleware(
                BodyLimit,
                limit=settings.max_body_bytes,
                paths=dict.fromkeys(
                    (predict.BATCH_PATH, studio.PREDICT_PATH, studio.WEBHOOK_PATH),
                    settings.max_batch_body_bytes,
                ),
            ),
        ],
    )
    app.state.settings = settings
    app.state.models = models
    app.state.studio_backend = StudioBackend(settings, models)
    app.state.studio_sync = sync
    problems.install(app)
    pages = pages_router(), report_router()
    for router in (predict.router, models_routes.router, studio.router, probes.router, *pages):
        app.include_router(router)
    return app


def app_from_environment() -> FastAPI:
    """Build the service from the environment (the factory that uvicorn is given), with logs as JSON lines.

    Raises
    ------
    SettingsError
        A setting cannot be used, or the host is not a loopback address.
    """
    settings = load_settings()
    check_safe_to_serve(settings)
    configure_logging(settings.log_level)
    for name in unknown_variables(os.environ):
        _LOG.warning("an environment variable is no setting", extra={"fields": {"variable": name}})
    return create_app(settings)


def uvicorn_options(settings: Settings) -> dict[str, Any]:
    """Return the options for ``uvicorn.run(FACTORY, factory=True, ...)`` or ``uvicorn.Config``.

    Uvicorn's own access log is off: it would hold addresses with their queries.

    Raises
    ------
    SettingsError
        The host is not a loopback address.
    """
    check_safe_to_serve(settings)
    return {
        "host": settings.host,
        "port": settings.port,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": 30,
    }


class _TaggingApp(FastAPI):
    """A FastAPI whose OpenAPI document is ours, and names the tags of the model in use."""

    documented_tags: tuple[str, ...] = ()

    def openapi(self) -> dict[str, Any]:
        tag_ids = _tag_ids(self.state.models)
        if self.openapi_schema is None or self.documented_tags != tag_ids:
            self.openapi_schema = build_document(self, self.state.settings, tag_ids)
            self.documented_tags = tag_ids
        return self.openapi_schema


def _tag_ids(models: ModelSource) -> tuple[str, ...]:
    try:
        return models.current().codebook.tag_ids
    except NotReadyError:
        return ()


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    models: ModelSource = app.state.models
    settings: Settings = app.state.settings
    await run_in_threadpool(models.refresh)
    watcher = asyncio.create_task(_watch(models, settings.model_check_seconds))
    sync: StudioSync | None = app.state.studio_sync
    if sync is not None:
        sync.start()
    try:
        yield
    finally:
        if sync is not None:
            await run_in_threadpool(sync.stop)
        await run_in_threadpool(app.state.studio_backend.close)
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher


async def _watch(models: ModelSource, seconds: float) -> None:
    while seconds > 0:
        await asyncio.sleep(seconds)
        await run_in_threadpool(models.refresh)
