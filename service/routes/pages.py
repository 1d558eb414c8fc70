"""The pages: ``/`` (paste a post, see its tags) and ``/docs`` (the API), with their style sheets."""

from __future__ import annotations

from importlib import resources
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from annotations.labeling_config import tag_colors
from service import predicting
from service.errors import NotReadyError
from service.exchange import PAGE_POLICY
from service.page import make_templates, operations, result_of, tag_colors_css
from service.problems import KINDS
from service.routes.dependencies import ModelsGiven, SettingsGiven
from service.schemas import PredictRequest
from service.tagger import Tagger

_MAX_FORM_FIELDS = 20
_PAGE_HEADERS = {"Content-Security-Policy": PAGE_POLICY}


def pages_router() -> APIRouter:
    """Return the routes of the pages; templates and style sheet are read now."""
    router = APIRouter(include_in_schema=False)
    templates = make_templates()
    style = resources.files("service").joinpath("static/page.css").read_bytes()

    def rendered(name: str, **values: Any) -> Response:
        html = templates.get_template(name).render(**values)
        return Response(html, headers=_PAGE_HEADERS, media_type="text/html")

    @router.api_route("/", methods=["GET", "POST"])
    async def post_page(request: Request, models: ModelsGiven, settings: SettingsGiven) -> Response:
        text = await _posted_text(request) if request.method == "POST" else None
        values: dict[str, Any] = {"settings": settings, "text": text or "", "message": "", "result": None}
        tagger = _current(models)
        if tagger and text is not None:
            values |= await run_in_threadpool(_tagged, tagger, text, settings.max_text_length)
        return rendered("post.html", tagger=tagger, **values)

    @router.get("/docs")
    def docs_page(request: Request, settings: SettingsGiven) -> Response:
        app: FastAPI = request.app
        document = app.openapi() if settings.api_docs else None
        found = operations(document) if document else []
        return rendered("docs.html", settings=settings, operations=found, document=document, kinds=KINDS)

    @router.get("/assets/page.css")
    def page_style() -> Response:
        return Response(style, headers={"Cache-Control": "no-cache"}, media_type="text/css")

    @router.get("/assets/tags.css")
    def tags_style(models: ModelsGiven) -> Response:
        tagger = _current(models)
        content = tag_colors_css(tag_colors(tagger.codebook)) if tagger else ""
        return Response(content, headers={"Cache-Control": "no-cache"}, media_type="text/css")

    return router


async def _posted_text(request: Request) -> str:
    body = (await request.body()).decode("ascii", "replace")
    try:
        form = parse_qs(body, keep_blank_values=True, max_num_fields=_MAX_FORM_FIELDS)
    except ValueError:
        raise HTTPException(400, "The form has too many fields.") from None
    # A browser sends line ends as CRLF; a post has plain ones.
    return form.get("text", [""])[0].replace("\r\n", "\n")


def _current(models: ModelsGiven) -> Tagger | None:
    try:
        return models.current()
    except NotReadyError:
        return None


def _tagged(tagger: Tagger, text: str, max_length: int) -> dict[str, Any]:
    if not text.strip():
        return {"message": "Paste the text of a post first."}
    if len(text) > max_length:
        return {"message": f"The text has {len(text):,} characters; at most {max_length:,} can be tagged."}
    prediction = predicting.predict_one(tagger, PredictRequest(text=text, explain=True))
    return {"result": result_of(text, prediction)}
