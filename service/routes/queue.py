"""``POST /v1/queue``: posts to be annotated; ``GET /v1/queue/{ticket}``: what has become of them.

They are in the ledger when the answer is given, and go to Label Studio from there, when it is up.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from service import problems, queueing
from service.idempotency import OnceGiven
from service.problems import problem_responses
from service.queue_schemas import QueueRequest, QueueResponse
from service.routes.access import require_scope
from service.routes.dependencies import LedgersGiven, SettingsGiven, require_json
from service.routes.studio import SyncGiven

QUEUE_PATH = "/v1/queue"

router = APIRouter(
    tags=["annotation"],
    dependencies=[Depends(require_scope("admin"))],
    responses=problem_responses(problems.UNAUTHORIZED, problems.INTERNAL, problems.UNAVAILABLE),
)


@router.post(
    QUEUE_PATH,
    response_model=QueueResponse,
    status_code=202,
    operation_id="queuePosts",
    summary="Have posts annotated",
    dependencies=[Depends(require_json)],
    responses=problem_responses(
        problems.MALFORMED_BODY,
        problems.CONFLICT,
        problems.REQUEST_IN_PROGRESS,
        problems.TOO_LARGE,
        problems.UNSUPPORTED_MEDIA_TYPE,
        problems.INVALID_REQUEST,
    ),
)
def queue_posts(body: QueueRequest, settings: SettingsGiven, once: OnceGiven, sync: SyncGiven) -> Response:
    """Store posts and have them annotated: new ones, or posts of the ledger by their ids; all of them or none.

    They are stored when this is answered, and sent to Label Studio as soon as it is up. A post of a channel with a
    message id that is stored already, with another text, is taken for edited.
    """
    wanted = queueing.check(body, settings)
    answer = once.answer(lambda keep: queueing.enqueue(once.ledgers.opened(), wanted, len(body.posts), keep))
    if sync is not None:
        sync.wake(queue=True)
    return answer


@router.get(
    QUEUE_PATH + "/{ticket}",
    operation_id="getQueued",
    summary="What has become of queued posts",
    responses=problem_responses(problems.NOT_FOUND, problems.INVALID_REQUEST),
)
def get_queued(
    ticket: Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="As `POST /v1/queue` gave it.")],
    ledgers: LedgersGiven,
) -> QueueResponse:
    """Return the posts of a ticket, each with its state."""
    return queueing.state(ledgers.existing(), ticket)
