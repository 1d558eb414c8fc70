"""``GET /v1/models`` and ``/v1/codebook``: what is served."""

from __future__ import annotations

import hashlib
import json

from fastapi import APIRouter, Request
from starlette.responses import Response

from service import problems
from service.errors import NotReadyError
from service.problems import problem_responses
from service.routes.dependencies import ModelsGiven, TaggerGiven
from service.schemas import CodebookResponse, ModelOut, ModelsResponse

router = APIRouter(tags=["what is served"])


@router.get(
    "/v1/codebook",
    response_model=CodebookResponse,
    operation_id="getCodebook",
    summary="The codebook",
    responses={
        304: {"description": "It is still the one you have (If-None-Match)"},
        **problem_responses(problems.INTERNAL, problems.NOT_READY),
    },
)
def get_codebook(request: Request, tagger: TaggerGiven) -> Response:
    """Return the active model's codebook. Send its `ETag` as `If-None-Match` to be told of changes alone."""
    content = tagger.codebook.to_dict() | {"digest": tagger.codebook.digest}
    body = json.dumps(content, ensure_ascii=False).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if _matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


@router.get(
    "/v1/models",
    response_model=ModelsResponse,
    operation_id="listModels",
    summary="The models",
    responses=problem_responses(problems.INTERNAL, problems.UNAVAILABLE),
)
def list_models(models: ModelsGiven) -> Response:
    """List the versions there are, the active one with what was measured when it was trained."""
    try:
        tagger = models.current()
    except NotReadyError:
        tagger = None
    active = tagger.version if tagger else None
    versions = models.versions()
    if active is not None and active not in versions:
        versions = [*versions, active]
    entries = [
        ModelOut(
            version=version,
            active=version == active,
            metrics=dict(tagger.metrics) if tagger and version == active else None,
        )
        for version in versions
    ]
    return Response(
        ModelsResponse(active=active, models=entries).model_dump_json(), media_type="application/json"
    )


def _matches(if_none_match: str, etag: str) -> bool:
    candidates = {candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")}
    return "*" in candidates or etag in candidates
