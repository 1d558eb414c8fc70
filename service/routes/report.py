"""The newest report of the workspace under ``/report/``, its files as they are.

Those that name annotators are for administrators alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, RedirectResponse, Response

from service.exchange import PAGE_POLICY
from service.page import make_templates
from service.page_models import PLOT_POLICY
from service.page_texts import writable
from service.report.reading import NAMING, newest
from service.routes.access import require_scope
from service.routes.dependencies import SettingsGiven

_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
_SAVED = {".csv", ".json", ".jsonl", ".txt"}
_NONE_YET = "There is no report yet. Make one: talkingpoints report."


def report_router() -> APIRouter:
    """Return the routes of the report."""
    router = APIRouter(include_in_schema=False)
    templates = make_templates()

    def entrance(request: Request, settings: SettingsGiven) -> Response:
        """Lead to the first page, or say how a report is made."""
        if newest(settings.workspace.reports_path) is not None:
            return RedirectResponse("/report/index.html", 307, {"Cache-Control": "no-cache"})
        shown = {"settings": settings, "here": "report", "has_report": True, "message": _NONE_YET}
        html = writable(templates.get_template("nothing.html").render(request=request, **shown))
        return Response(html, 404, {"Content-Security-Policy": PAGE_POLICY}, "text/html")

    def naming(request: Request, settings: SettingsGiven) -> Response:
        """Answer with a file of the newest report that names annotators."""
        return file(settings, request.url.path.removeprefix("/report/"))

    def file(settings: SettingsGiven, name: str) -> Response:
        """Answer with a file of the newest report."""
        report = newest(settings.workspace.reports_path)
        path = report.path(name) if report else None
        if path is None or path.suffix not in _KINDS:
            raise HTTPException(404, "The report has no such file.")
        return FileResponse(path, headers=_headers(path), media_type=_KINDS[path.suffix])

    router.add_api_route("/report", entrance)
    router.add_api_route("/report/", entrance)
    for name in NAMING:  # before the route of all files
        router.add_api_route(f"/report/{name}", naming, dependencies=[Depends(require_scope("admin"))])
    router.add_api_route("/report/{name:path}", file)
    return router


def _headers(path: Path) -> dict[str, str]:
    headers = {"Cache-Control": "no-cache"}
    if path.suffix == ".svg":
        headers["Content-Security-Policy"] = PLOT_POLICY
    elif path.suffix == ".html":
        headers["Content-Security-Policy"] = PAGE_POLICY
    elif path.suffix in _SAVED:
        headers["Content-Disposition"] = f'attachment; filename="{path.name}"'
    return headers
