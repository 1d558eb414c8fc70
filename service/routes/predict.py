"""``POST /v1/predict`` and ``/v1/predict/batch``.

The handlers are plain functions: FastAPI runs them in its thread pool, so that scoring and shaping a large
batch never holds up the event loop.  Their answers are valid by construction and are encoded once.  Short posts,
with no evidence asked for, do not get here but go the short way (:mod:`service.quick`).
"""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from service import predicting, problems
from service.problems import problem_responses
from service.quick import QuickRoute
from service.routes.dependencies import SettingsGiven, TaggerGiven, require_json
from service.schemas import BatchRequest, BatchResponse, PredictRequest, PredictResponse

PREDICT_PATH = "/v1/predict"
BATCH_PATH = "/v1/predict/batch"

router = APIRouter(
    tags=["predict"],
    dependencies=[Depends(require_json)],
    responses=problem_responses(
        problems.MALFORMED_BODY,
        problems.TOO_LARGE,
        problems.UNSUPPORTED_MEDIA_TYPE,
        problems.INVALID_REQUEST,
        problems.INTERNAL,
        problems.NOT_READY,
    ),
)


def predict(request: PredictRequest, tagger: TaggerGiven, settings: SettingsGiven) -> Response:
    """Tag one post: every tag's score, threshold and decision, with `explain` also the evidence."""
    predicting.check([request], tagger.codebook.tag_ids, settings)
    return _json(predicting.predict_one(tagger, request))


router.add_api_route(
    PREDICT_PATH,
    predict,
    methods=["POST"],
    response_model=PredictResponse,
    operation_id="predict",
    summary="Tag a post",
    route_class_override=QuickRoute,
)


@router.post(
    BATCH_PATH, response_model=BatchResponse, operation_id="predictBatch", summary="Tag up to 1,000 posts"
)
def predict_batch(batch: BatchRequest, tagger: TaggerGiven, settings: SettingsGiven) -> Response:
    """Tag many posts by one model version. The answer keeps their order; one bad post refuses the batch."""
    predicting.check_batch(batch, tagger.codebook.tag_ids, settings)
    answer = BatchResponse(
        model_version=tagger.version,
        codebook_version=tagger.codebook.version,
        predictions=predicting.predict_batch(tagger, batch),
    )
    return _json(answer)


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")
