"""``/studio/*``: this service as Label Studio's ML backend, and as the receiver of its events.

Label Studio's own words are answered as it expects them; it ignores what it does not know.  Source of the
contract: Label Studio 1.23, module ``ml.api_connector``.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service import problems
from service.problems import problem_responses
from service.routes.dependencies import require_json
from service.routes.studio_access import require_studio
from service.studio_backend import StudioBackend
from service.studio_leading import LeadingSync
from service.studio_schemas import (
    StudioAccepted,
    StudioHealth,
    StudioPredictions,
    StudioSetup,
    StudioVersions,
)

PREDICT_PATH = "/studio/predict"
WEBHOOK_PATH = "/studio/webhook"

_TRAIN = "START_TRAINING"
_CHANGES = ("ANNOTATION", "TASKS_DELETED")
_NEW_TASKS = "TASKS_CREATED"

router = APIRouter(
    tags=["Label Studio"],
    dependencies=[Depends(require_studio)],
    responses=problem_responses(problems.UNAUTHORIZED, problems.INTERNAL),
)
_BODY = problem_responses(
    problems.MALFORMED_BODY,
    problems.TOO_LARGE,
    problems.UNSUPPORTED_MEDIA_TYPE,
    problems.INVALID_REQUEST,
    problems.UNAVAILABLE,
)

AnyObject = Annotated[
    dict[str, Any], Body(description="As Label Studio sends it; unknown keys are passed over.")
]


async def get_backend(request: Request) -> StudioBackend:
    """Return what answers Label Studio."""
    backend: StudioBackend = request.app.state.studio_backend
    return backend


async def get_sync(request: Request) -> LeadingSync | None:
    """Return what follows Label Studio; None where the service was built without one."""
    sync: LeadingSync | None = request.app.state.studio_sync
    return sync


BackendGiven = Annotated[StudioBackend, Depends(get_backend)]
SyncGiven = Annotated[LeadingSync | None, Depends(get_sync)]


@router.get("/studio/health", operation_id="studioHealth", summary="Does the backend live?")
def health(backend: BackendGiven) -> StudioHealth:
    """Answer with the version of the suggestions made now."""
    return StudioHealth(status="UP", model_class="TalkingPoints", model_version=backend.version())


@router.post(
    "/studio/setup",
    operation_id="studioSetup",
    summary="A project is connected",
    dependencies=[Depends(require_json)],
    responses=_BODY,
)
def setup(_body: AnyObject, backend: BackendGiven) -> StudioSetup:
    """Answer with the version of the suggestions made now. The token in the body is neither kept nor used."""
    return StudioSetup(model_version=backend.version())


@router.get("/studio/versions", operation_id="studioVersions", summary="The versions there are")
def versions(backend: BackendGiven) -> StudioVersions:
    """List the versions of the models, and that of the cue phrases while there is none."""
    return StudioVersions(versions=backend.versions())


@router.post(
    PREDICT_PATH,
    response_model=StudioPredictions,
    operation_id="studioPredict",
    summary="Suggest tags for tasks",
    dependencies=[Depends(require_json)],
    responses=_BODY,
)
def predict(body: AnyObject, backend: BackendGiven) -> Response:
    """Suggest tags with evidence for each task; nothing for posts that are kept blind. Same length, same order."""
    answer = {"results": backend.predict(body)}
    return Response(json.dumps(answer, ensure_ascii=False), media_type="application/json")


@router.post(
    "/studio/train",
    operation_id="studioTrain",
    summary="Train now",
    responses=problem_responses(problems.INTERNAL),
)
async def train(sync: SyncGiven) -> StudioAccepted:
    """Begin a pull and a training in the background."""
    if sync is not None:
        sync.wake(train=True)
    return StudioAccepted(status="accepted")


@router.post(
    WEBHOOK_PATH,
    operation_id="studioWebhook",
    summary="Something has happened",
    dependencies=[Depends(require_json)],
    responses=_BODY,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"description": "An event as Label Studio sends it."}}
            },
        }
    },
)
async def webhook(request: Request, sync: SyncGiven) -> StudioAccepted:
    """Note that something may have happened and answer at once; a pull follows when it is quiet.

    Nothing of an event is believed but its kind: what has happened is asked of Label Studio itself. Events of
    other kinds are answered the same and passed over.
    """
    action = _action(await request.body())
    if sync is not None:
        if action == _TRAIN:
            sync.wake(train=True)
        elif action.startswith(_CHANGES):
            sync.wake()
        elif action == _NEW_TASKS:
            sync.wake(push=True)
    return StudioAccepted(status="accepted")


def _action(body: bytes) -> str:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "The body cannot be read as JSON.") from error
    action = event.get("action") if isinstance(event, dict) else None
    return action if isinstance(action, str) else ""
