"""``POST /v1/similar``: posts already tagged by people that are closest to a text."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from service import problems
from service.errors import FieldFault, InvalidRequestError
from service.predicting import check_tags
from service.problems import problem_responses
from service.routes.access import require_scope
from service.routes.dependencies import SettingsGiven, require_json
from service.similar import SimilarPost
from service.similar_schemas import SimilarPostOut, SimilarRequest, SimilarResponse, SimilarTagOut
from service.similar_source import SimilarPosts

router = APIRouter(tags=["predict"], dependencies=[Depends(require_scope("predict"))])


def get_similar(request: Request) -> SimilarPosts:
    """Return what looks for similar posts."""
    similar: SimilarPosts = request.app.state.similar
    return similar


@router.post(
    "/v1/similar",
    response_model=SimilarResponse,
    operation_id="similar",
    summary="Tagged posts like a text",
    dependencies=[Depends(require_json)],
    responses=problem_responses(
        problems.MALFORMED_BODY,
        problems.UNAUTHORIZED,
        problems.TOO_LARGE,
        problems.UNSUPPORTED_MEDIA_TYPE,
        problems.INVALID_REQUEST,
        problems.INTERNAL,
        problems.UNAVAILABLE,
    ),
)
def find_similar(
    body: SimilarRequest, settings: SettingsGiven, similar: Annotated[SimilarPosts, Depends(get_similar)]
) -> Response:
    """Return the posts that people have tagged, under the codebook in use, whose words are most like the text's.

    Where the text itself, or nearly the same one, has been tagged, that comes first.
    """
    codebook = similar.codebook()
    check_tags(body.tags, codebook.tag_ids, "body")
    if len(body.text) > settings.max_text_length:
        problem = f"Text should have at most {settings.max_text_length} characters"
        raise InvalidRequestError(
            "1 value is not valid", [FieldFault("body", "/text", problem, "string_too_long")]
        )
    index = similar.index()
    answer = SimilarResponse(
        codebook_version=codebook.version,
        n_posts=len(index),
        posts=[_out(post) for post in index.nearest(body.text, body.n, body.tags)],
    )
    return Response(answer.model_dump_json(), media_type="application/json")


def _out(post: SimilarPost) -> SimilarPostOut:
    return SimilarPostOut(
        post_id=post.post_id,
        channel=post.channel,
        date=post.date,
        excerpt=post.excerpt,
        score=post.score,
        n_annotators=post.n_annotators,
        tags=[
            SimilarTagOut(id=tag.tag_id, title=tag.title, family=tag.family, share=tag.share)
            for tag in post.tags
        ],
    )
