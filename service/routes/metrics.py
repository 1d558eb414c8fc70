"""``GET /metrics``: the page for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.errors import NotReadyError
from service.metrics import CONTENT_TYPE, Metrics
from service.routes.dependencies import ModelsGiven

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
def metrics(request: Request, models: ModelsGiven) -> Response:
    """Return the numbers of this service, those of all its workers together."""
    numbers: Metrics = request.app.state.metrics
    try:
        tagger = models.current()
    except NotReadyError:
        tagger = None
    return Response(numbers.page(tagger), media_type=CONTENT_TYPE)
