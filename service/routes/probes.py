"""``GET /healthz`` and ``/readyz``: whether the process runs, and whether it can tag."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from service import problems
from service.draining import Draining
from service.keys import KeyRing
from service.problems import problem_response, problem_responses
from service.routes.dependencies import ModelsGiven, SettingsGiven
from service.schemas import Health, Readiness
from service.settings import is_loopback

router = APIRouter(tags=["probes"])


@router.get(
    "/healthz",
    operation_id="health",
    summary="Does the process run?",
    responses=problem_responses(problems.INTERNAL),
)
async def healthz() -> Health:
    """Answer as long as the process runs, with or without a model."""
    return Health(status="ok")


@router.get(
    "/readyz",
    operation_id="readiness",
    summary="Can posts be tagged?",
    response_model=Readiness,
    responses=problem_responses(problems.INTERNAL, problems.NOT_READY, problems.UNAVAILABLE),
)
async def readyz(request: Request, models: ModelsGiven, settings: SettingsGiven) -> Response | Readiness:
    """Answer 200 with the version of the model that serves, or 503 while there is none or the service stops.

    Where callers need keys it is also 503 while those cannot be read.
    """
    draining: Draining = request.app.state.draining
    if draining.is_draining:
        return problem_response(request, problems.UNAVAILABLE, "The service is about to stop.")
    if settings.require_keys == "yes" or not is_loopback(settings.host):
        ring: KeyRing = request.app.state.ring
        await run_in_threadpool(ring.refresh)
    return Readiness(status="ready", model_version=models.current().version)
