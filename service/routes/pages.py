"""The pages: ``/`` (a post and its tags), ``/codebook``, ``/model`` and ``/docs``, with their style sheets."""

from __future__ import annotations

import hashlib
import logging
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from annotations.codebook import Codebook, load_codebook
from annotations.errors import CodebookError, LedgerError, TalkingPointsError
from annotations.labeling_config import tag_colors, tag_hotkeys
from annotations.ledger.browsing import Shown
from classifiers.errors import ModelNotFoundError
from service import predicting
from service.errors import NotReadyError
from service.exchange import PAGE_POLICY
from service.page import make_templates, operations
from service.page_colors import tag_colors_css
from service.page_models import PLOT_POLICY, model_page, plot_address, plot_of, versions_of
from service.page_post import result_of
from service.page_posts import search_of, shelf, stored_post
from service.page_similar import SimilarPost, as_shown
from service.page_texts import writable
from service.problems import KINDS
from service.report.reading import newest
from service.routes.dependencies import ModelsGiven, SettingsGiven
from service.schemas import PredictRequest
from service.settings import Settings
from service.similar_source import SimilarPosts
from service.tagger import ModelSource, Tagger

_LOG = logging.getLogger("talkingpoints.page")
_MAX_FORM_FIELDS = 20
_N_SIMILAR = 5
_UNREADABLE = "The posts of the ledger cannot be read at the moment; the reason is in the service's log."


def pages_router() -> APIRouter:
    """Return the routes of the pages; templates and style sheet are read now."""
    router = APIRouter(include_in_schema=False)
    pages = _Pages()
    router.add_api_route("/", pages.post, methods=["GET", "POST"])
    router.add_api_route("/codebook", pages.codebook)
    router.add_api_route("/model", pages.model)
    router.add_api_route("/model/{version}", pages.model)
    router.add_api_route("/model/{version}/{plot}", pages.plot)
    router.add_api_route("/docs", pages.docs)
    router.add_api_route("/assets/page.css", pages.page_style)
    router.add_api_route("/assets/tags.css", pages.tags_style)
    return router


class _Pages:
    def __init__(self) -> None:
        self._templates = make_templates()
        self._style = resources.files("service").joinpath("static/page.css").read_text("utf-8")

    async def post(self, request: Request, models: ModelsGiven, settings: SettingsGiven) -> Response:
        """Answer with the form and posts to pick from, or with a post and its tags."""
        values: dict[str, Any] = {"text": "", "message": "", "picked": None, "status": 200}
        if request.method == "POST":
            values |= await _posted(request)
        return await run_in_threadpool(self._post, request, models, settings, values)

    def codebook(self, request: Request, models: ModelsGiven, settings: SettingsGiven) -> Response:
        """Answer with the codebook: the model's, or the one to train by where there is no model yet."""
        tagger = _current(models)
        codebook, problem = _codebook(settings, tagger)
        keys = tag_hotkeys(codebook) if codebook else {}
        return self._page(
            request, "codebook", codebook=codebook, tagger=tagger, hotkeys=keys, problem=problem
        )

    def model(
        self, request: Request, models: ModelsGiven, settings: SettingsGiven, version: str | None = None
    ) -> Response:
        """Answer with what is known of a version, or of the one in use, and the list of versions."""
        tagger = _current(models)
        wanted = version or (tagger.version if tagger else None)
        versions = versions_of(settings, tagger)
        try:
            model = model_page(settings, wanted, tagger) if wanted else None
        except ModelNotFoundError:
            return self._nothing(request, "There is no model of this version.")
        return self._page(request, "model", model=model, versions=versions, plot_address=plot_address)

    def plot(self, settings: SettingsGiven, version: str, plot: str) -> Response:
        """Answer with a drawing of a bundle, which can do nothing but be looked at."""
        drawing = plot_of(settings, version, plot)
        if drawing is None:
            raise HTTPException(404, "The model has no such drawing.")
        headers = {"Content-Security-Policy": PLOT_POLICY, "Cache-Control": "no-cache"}
        return Response(drawing, headers=headers, media_type="image/svg+xml")

    def docs(self, request: Request, settings: SettingsGiven) -> Response:
        """Answer with the description of the API."""
        app: FastAPI = request.app
        document = app.openapi() if settings.api_docs else None
        found = operations(document) if document else []
        return self._page(request, "docs", operations=found, document=document, kinds=KINDS)

    def page_style(self, request: Request) -> Response:
        """Answer with the style sheet."""
        return _style(request, self._style)

    def tags_style(self, request: Request, models: ModelsGiven, settings: SettingsGiven) -> Response:
        """Answer with the colours of the tags."""
        codebook, _ = _codebook(settings, _current(models))
        return _style(request, tag_colors_css(tag_colors(codebook)) if codebook else "")

    def _post(
        self, request: Request, models: ModelSource, settings: Settings, values: dict[str, Any]
    ) -> Response:
        tagger = _current(models)
        post_id = "" if request.method == "POST" else request.query_params.get("post", "")
        values |= {"result": None, "similar": (), "shelf": None, "tagger": tagger}
        try:
            if post_id:
                values |= _picked(stored_post(settings, post_id))
            if values["text"] and not values["message"]:
                values |= _tagged(tagger, values["text"], settings)
            if values["result"]:
                values["similar"] = _similar(request, values["text"])
            elif not values["picked"]:
                asked = (request.query_params.get(name, "") for name in ("q", "channel", "page"))
                values["shelf"] = shelf(settings, search_of(*asked))
        except LedgerError as error:
            _LOG.warning("the ledger cannot be read", extra={"fields": {"reason": str(error)}})
            values["notice"] = _UNREADABLE
        return self._page(request, "post", **{"notice": ""} | values)

    def _nothing(self, request: Request, message: str) -> Response:
        return self._page(request, "nothing", status=404, message=message)

    def _page(self, request: Request, name: str, *, status: int = 200, **values: Any) -> Response:
        settings: Settings = request.app.state.settings
        has_report = newest(settings.workspace.reports_path) is not None
        shown = {"settings": settings, "here": name, "has_report": has_report} | values
        html = writable(self._templates.get_template(f"{name}.html").render(**shown))
        return Response(html, status, {"Content-Security-Policy": PAGE_POLICY}, "text/html")


async def _posted(request: Request) -> dict[str, Any]:
    try:
        body = (await request.body()).decode("ascii", "replace")
    except HTTPException as error:
        if error.status_code != 413:
            raise
        return {"message": error.detail, "status": 413}
    try:
        form = parse_qs(body, keep_blank_values=True, max_num_fields=_MAX_FORM_FIELDS)
    except ValueError:
        raise HTTPException(400, "The form has too many fields.") from None
    # A browser sends line ends as CRLF; a post has plain ones.
    text = writable(form.get("text", [""])[0].replace("\r\n", "\n"))
    return {"text": text} if text.strip() else {"message": "Paste the text of a post first."}


def _picked(post: Shown | None) -> dict[str, Any]:
    if post is None:
        return {"message": "There is no such post in the ledger.", "status": 404}
    text = writable(post.text)
    return {"picked": post, "text": text} | ({} if text.strip() else {"message": "This post has no text."})


def _tagged(tagger: Tagger | None, text: str, settings: Settings) -> dict[str, Any]:
    if len(text) > settings.max_text_length:
        most = f"at most {settings.max_text_length:,} can be tagged"
        return {"message": f"The text has {len(text):,} characters; {most}."}
    if tagger is None:
        return {}
    prediction = predicting.predict_one(tagger, PredictRequest(text=text, explain=True))
    return {"result": result_of(text, prediction, tagger.codebook)}


def _similar(request: Request, text: str) -> tuple[SimilarPost, ...]:
    source: SimilarPosts = request.app.state.similar
    try:
        return tuple(map(as_shown, source.nearest(text, _N_SIMILAR)))
    except TalkingPointsError as error:
        _LOG.warning("no similar posts", extra={"fields": {"reason": str(error)}})
        return ()


def _codebook(settings: Settings, tagger: Tagger | None) -> tuple[Codebook | None, str]:
    if tagger is not None:
        return tagger.codebook, ""
    try:
        return load_codebook(settings.codebook_path), ""
    except CodebookError as error:
        _LOG.warning("the codebook cannot be read", extra={"fields": {"reason": str(error)}})
        return None, "The codebook cannot be read; `talkingpoints codebook check` says why."


def _current(models: ModelSource) -> Tagger | None:
    try:
        return models.current()
    except NotReadyError:
        return None


def _style(request: Request, content: str) -> Response:
    etag = f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'
    headers = {"Cache-Control": "no-cache", "ETag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="text/css")
