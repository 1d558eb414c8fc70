"""``GET /healthz`` and ``/readyz``: whether the process runs, and whether it can tag."""

from __future__ import annotations

from fastapi import APIRouter

from service import problems
from service.problems import problem_responses
from service.routes.dependencies import ModelsGiven
from service.schemas import Health, Readiness

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
    responses=problem_responses(problems.INTERNAL, problems.NOT_READY),
)
async def readyz(models: ModelsGiven) -> Readiness:
    """Answer 200 with the version of the model that serves, or 503 while there is none."""
    return Readiness(status="ready", model_version=models.current().version)
