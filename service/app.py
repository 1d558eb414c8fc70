"""The HTTP service: how its parts are put together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from annotations.errors import TalkingPointsError
from service import problems
from service.audit import Auditor
from service.draining import Draining
from service.errors import NotReadyError
from service.exchange import Exchange
from service.guard import Guard
from service.keys import KeyRing, check_safe_to_serve
from service.ledger_access import LedgerAccess
from service.limits import BodyCaps, BodyLimit
from service.logs import configure_logging, described
from service.metrics import Metrics, counted
from service.openapi import KnownTags, build_document
from service.protocol import HEADER_SECONDS
from service.quick import Judging
from service.routes import metrics as metrics_routes
from service.routes import models as models_routes
from service.routes import predict, probes, queue, similar, stream, studio
from service.routes.access import require_key, require_page, require_scope
from service.routes.pages import pages_router
from service.routes.report import report_router
from service.settings import Settings, load_settings, metrics_folder, unknown_variables
from service.similar_source import SimilarPosts
from service.studio_backend import StudioBackend
from service.studio_leading import LeadingSync
from service.studio_sync import StudioSync
from service.studio_work import StudioWork
from service.tagger import ActiveModel, FixedModel, ModelSource, Tagger

FACTORY = "service.app:app_from_environment"

_LOG = logging.getLogger("talkingpoints.service")

# FastAPI would hand bodies, parsed values and exceptions to OpenTelemetry where somebody sets that up: texts.
_NO_TELEMETRY: Any = dict.fromkeys(("tracing", "metrics", "logs", "operation_spans", "auto_configure"), False)


def create_app(settings: Settings, tagger: Tagger | None = None) -> FastAPI:
    """Build the service around ``tagger``, or around the workspace's active model where none is given.

    With a tagger given it answers Label Studio, but does not follow it.
    """
    if tagger is not None:
        return build_app(settings, FixedModel(tagger))
    models = ActiveModel.of_folder(settings.workspace.models_path)
    sync = StudioSync(settings, StudioWork(settings, models))
    return build_app(settings, models, LeadingSync(settings.workspace.home, sync))


def build_app(settings: Settings, models: ModelSource, sync: LeadingSync | None = None) -> FastAPI:
    """Build the service over a source of models; they are loaded when the app starts, not before.

    ``sync`` follows Label Studio while the app runs.
    """
    numbers = Metrics(settings.workspace.models_path, metrics_folder())
    ring, ledgers = KeyRing(settings), LedgerAccess(settings)
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
        telemetry=_NO_TELEMETRY,
        lifespan=_lifespan,
        middleware=[
            Middleware(Exchange, metrics=numbers),
            Middleware(Guard, settings=settings, ring=ring, auditor=Auditor(ledgers)),
            Middleware(BodyLimit, caps=_body_caps(settings)),
        ],
    )
    app.state.settings = settings
    app.state.models = counted(models, numbers)
    app.state.metrics = numbers
    app.state.judging = Judging()
    app.state.ring, app.state.ledgers = ring, ledgers
    app.state.draining = Draining(settings.drain_seconds)
    app.state.similar = SimilarPosts(settings, ledgers)
    app.state.studio_backend = StudioBackend(settings, models)
    app.state.studio_sync = sync
    problems.install(app)
    for router, needed in _routers():
        app.include_router(router, dependencies=needed)
    return app


def _routers() -> list[tuple[APIRouter, Sequence[Any]]]:
    """Return the routers, each with what it asks of callers; routes may ask for more."""
    return [
        (predict.router, [Depends(require_scope("predict"))]),
        (stream.router, [Depends(require_scope("predict"))]),
        (similar.router, [Depends(require_scope("predict"))]),
        (models_routes.admin_router, []),  # ask for it themselves; before the versions: "rollback" is none
        (queue.router, []),
        (models_routes.router, [Depends(require_key)]),
        (studio.router, []),  # has passwords of its own
        (probes.router, []),  # anybody may ask whether it lives
        (metrics_routes.router, [Depends(require_scope("admin"))]),
        (pages_router(), [Depends(require_page)]),
        (report_router(), [Depends(require_page)]),
    ]


def _body_caps(settings: Settings) -> BodyCaps:
    large = (predict.BATCH_PATH, queue.QUEUE_PATH, studio.PREDICT_PATH, studio.WEBHOOK_PATH)
    return BodyCaps(
        limit=settings.max_body_bytes,
        seconds=settings.body_seconds,
        depth=settings.max_json_depth,
        paths=dict.fromkeys(large, settings.max_batch_body_bytes),
        streamed={stream.STREAM_PATH},  # its lines are limited, one by one
    )


def app_from_environment() -> FastAPI:
    """Build the service from the environment (the factory that uvicorn is given), with logs as JSON lines.

    Raises
    ------
    SettingsError
        A setting cannot be used, or others can reach the host and there is no API key.
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
        Others can reach the host, and there is no API key.
    """
    check_safe_to_serve(settings)
    return {
        "host": settings.host,
        "port": settings.port,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "http": "service.protocol:PatientProtocol",
        "h11_max_incomplete_event_size": settings.max_header_bytes,
        # Whose request a proxy passes on is nothing we need; that it does is told from its headers.
        "proxy_headers": False,
        "timeout_keep_alive": settings.keep_alive_seconds,
        "timeout_graceful_shutdown": settings.shutdown_seconds,
    }


class _TaggingApp(FastAPI):
    """A FastAPI whose OpenAPI document is ours, and names the tags of the model in use."""

    documented_tags: KnownTags = KnownTags()

    def openapi(self) -> dict[str, Any]:
        tags = KnownTags(_tag_ids(self.state.models), _codebook_tag_ids(self.state.similar))
        if self.openapi_schema is None or self.documented_tags != tags:
            self.openapi_schema = build_document(self, self.state.settings, tags)
            self.documented_tags = tags
        return self.openapi_schema


def _tag_ids(models: ModelSource) -> tuple[str, ...]:
    try:
        return models.current().codebook.tag_ids
    except NotReadyError:
        return ()


def _codebook_tag_ids(similar: SimilarPosts) -> tuple[str, ...]:
    try:
        return similar.codebook().tag_ids
    except TalkingPointsError:
        return ()


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    models: ModelSource = app.state.models
    settings: Settings = app.state.settings
    draining: Draining = app.state.draining
    await run_in_threadpool(models.refresh)
    watcher = asyncio.create_task(_watch(models, settings.model_check_seconds))
    sync: LeadingSync | None = app.state.studio_sync
    if sync is not None:
        sync.start()
    try:
        with draining.on_sigterm():
            yield {HEADER_SECONDS: settings.header_seconds}
    finally:
        if sync is not None:
            await run_in_threadpool(sync.stop)
        state = app.state
        for opened in (state.studio_backend, state.ledgers, state.ring):
            await run_in_threadpool(opened.close)
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
        app.state.metrics.end(os.getpid())


async def _watch(models: ModelSource, seconds: float) -> None:
    while seconds > 0:
        await asyncio.sleep(seconds)
        try:
            await run_in_threadpool(models.refresh)
        except Exception as error:  # a defect; whoever watches goes on, or no later model would be taken up
            fields = described(type(error), error.__traceback__)
            _LOG.error("the look for another model failed", extra={"fields": fields})
