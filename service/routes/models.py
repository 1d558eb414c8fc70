"""What is served (``GET /v1/codebook``, ``/v1/models``, ``/v1/models/{version}``), and its change without a gap."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from service import problems
from service.errors import NotReadyError
from service.idempotency import OnceGiven, Reply
from service.model_summary import ModelSummary
from service.problems import problem_responses
from service.routes.access import require_scope
from service.routes.dependencies import ModelsGiven, TaggerGiven
from service.schemas import (
    CodebookResponse,
    ModelChanged,
    ModelDetail,
    ModelOut,
    ModelsResponse,
    ThresholdOut,
)
from service.tagger import ModelChange, ModelSource, Tagger

router = APIRouter(tags=["what is served"])
admin_router = APIRouter(tags=["administration"], dependencies=[Depends(require_scope("admin"))])

Version = Annotated[
    str, Path(min_length=1, max_length=64, description="A version, as `/v1/models` lists them.")
]
_UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "It is still the one you have (If-None-Match)"}
}
_CHANGE_FAILED = problem_responses(
    problems.UNAUTHORIZED,
    problems.NOT_FOUND,
    problems.MODEL_REFUSED,
    problems.CONFLICT,
    problems.REQUEST_IN_PROGRESS,
    problems.TOO_LARGE,
    problems.INVALID_REQUEST,
    problems.INTERNAL,
    problems.UNAVAILABLE,
)


@router.get(
    "/v1/codebook",
    response_model=CodebookResponse,
    operation_id="getCodebook",
    summary="The codebook",
    responses={**_UNCHANGED, **problem_responses(problems.INTERNAL, problems.NOT_READY)},
)
def get_codebook(request: Request, tagger: TaggerGiven) -> Response:
    """Return the active model's codebook. Send its `ETag` as `If-None-Match` to be told of changes alone."""
    content = tagger.codebook.to_dict() | {"digest": tagger.codebook.digest}
    return _unless_known(request, json.dumps(content, ensure_ascii=False))


@router.get(
    "/v1/models",
    response_model=ModelsResponse,
    operation_id="listModels",
    summary="The models",
    responses={**_UNCHANGED, **problem_responses(problems.INTERNAL, problems.UNAVAILABLE)},
)
def list_models(request: Request, models: ModelsGiven) -> Response:
    """List the versions there are, the active one with what was measured when it was trained."""
    tagger = _in_use(models)
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
    return _unless_known(request, ModelsResponse(active=active, models=entries).model_dump_json())


@router.get(
    "/v1/models/{version}",
    response_model=ModelDetail,
    operation_id="getModel",
    summary="A model",
    responses={
        **_UNCHANGED,
        **problem_responses(
            problems.NOT_FOUND, problems.MODEL_REFUSED, problems.INVALID_REQUEST, problems.INTERNAL
        ),
    },
)
def get_model(request: Request, version: Version, models: ModelsGiven) -> Response:
    """Return what is known of a version: how it was trained, what was measured, its thresholds.

    Its bundle is checked whole; one that is damaged is answered 409 with the reason.
    """
    tagger = _in_use(models)
    detail = _detail(models.summary(version), is_active=tagger is not None and tagger.version == version)
    return _unless_known(request, detail.model_dump_json())


@admin_router.post(
    "/v1/models/rollback",
    response_model=ModelChanged,
    operation_id="rollbackModel",
    summary="Back to the model before",
    responses=_CHANGE_FAILED,
)
def rollback_model(models: ModelsGiven, once: OnceGiven) -> Response:
    """Make the version active that was so before the present one; once more, and it is the one before that."""
    return once.answer(lambda _: _changed(models.rollback()))


@admin_router.post(
    "/v1/models/{version}/activate",
    response_model=ModelChanged,
    operation_id="activateModel",
    summary="Activate a model",
    responses=_CHANGE_FAILED,
)
def activate_model(version: Version, models: ModelsGiven, once: OnceGiven) -> Response:
    """Load a version, check it, and let it answer in the place of the one in use.

    When this is answered, this process answers by it; other workers follow within 5 seconds. A version that is
    damaged, of another protocol, or not what its name says, is answered 409 with the reason, and nothing changes.
    """
    return once.answer(lambda _: _changed(models.activate(version)))


def _changed(change: ModelChange) -> Reply:
    return Reply(200, ModelChanged(active=change.version, previous=change.previous))


def _detail(summary: ModelSummary, *, is_active: bool) -> ModelDetail:
    return ModelDetail(
        version=summary.version,
        active=is_active,
        created=summary.created,
        codebook_version=summary.codebook_version,
        codebook_digest=summary.codebook_digest,
        dataset_digest=summary.dataset_digest,
        training=dict(summary.training),
        options=dict(summary.options),
        metrics=dict(summary.metrics),
        thresholds=[
            ThresholdOut(
                tag=rule.tag_id,
                title=summary.titles.get(rule.tag_id, rule.tag_id),
                threshold=rule.threshold,
                abstain_margin=rule.abstain_margin,
                prevalence=rule.prevalence,
                support=rule.support,
                reason=rule.reason or None,
            )
            for rule in summary.rules
        ],
        documents=list(summary.documents),
    )


def _in_use(models: ModelSource) -> Tagger | None:
    try:
        return models.current()
    except NotReadyError:
        return None


def _unless_known(request: Request, content: str) -> Response:
    """Return the content with its ETag, or 304 where the client has it already."""
    body = content.encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if _matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _matches(if_none_match: str, etag: str) -> bool:
    candidates = {candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")}
    return "*" in candidates or etag in candidates
