"""The calls to Label Studio that we need, and the only module that knows its SDK and its addresses.

Rare calls go through the SDK.  Bulk calls (import, pages, snapshots) are plain requests: the SDK builds an
object for every field, which costs three times what the server needs.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import httpx
import ijson

from annotations.errors import StudioError
from annotations.studio.answers import (
    ProjectInfo,
    User,
    checked_ids,
    checked_list,
    checked_mapping,
    project_info,
    user_of,
)
from annotations.studio.transport import NotFoundError, TokenAuth, explained, patient_client

__all__ = ["NotFoundError", "StudioClient"]

PAGE_SIZE = 500
_IMPORT_TIMEOUT = httpx.Timeout(300.0, connect=5.0)
_EXPORT_TIMEOUT = httpx.Timeout(1800.0, connect=5.0)  # a snapshot is made while we wait
_SDK_KEY = "set by the transport"
_DETAILS = (
    "id,data,updated_at,annotations,drafts,predictions,result,completed_by,was_cancelled,lead_time,created_at,"
    "updated_by,parent_prediction,model_version,score"
)


class StudioClient:
    """A Label Studio that answers, seen with one token.

    Parameters
    ----------
    url
        Its address, ``http://HOST:PORT``; a path in front is kept.
    token
        A legacy token or a personal access token; it appears in no message.
    name
        What the ledger calls this server; the address, unless it is a local one whose port may change.
    transport
        Another way to send requests (tests).
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        name: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.name = name or self.url
        self._token = token
        self._http = patient_client(self.url, TokenAuth(token), transport)
        self._sdk_client: Any = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> StudioClient:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    # People

    def whoami(self) -> User:
        """Return the user whose token this is."""
        return user_of(self._sdk(lambda sdk: sdk.users.whoami()), self.url)

    def users(self) -> list[User]:
        """Return everybody who has an account."""
        return [user_of(each, self.url) for each in checked_list(self._get("api/users"), self.url)]

    # Projects

    def create_project(self, settings: Mapping[str, Any]) -> ProjectInfo:
        """Create a project; ``settings`` as Label Studio names them."""
        return project_info(self._sdk(lambda sdk: sdk.projects.create(**settings)), self.url)

    def project(self, project_id: int) -> ProjectInfo:
        """Return a project with its counts.

        Raises
        ------
        NotFoundError
            It is gone.
        """
        return project_info(self._get(f"api/projects/{project_id}/"), self.url)

    def projects(self) -> list[ProjectInfo]:
        """Return the projects, the newest first (the first thousand)."""
        answer = checked_mapping(self._get("api/projects/", {"page_size": 1000}), self.url)
        return [project_info(each, self.url) for each in checked_list(answer.get("results"), self.url)]

    def update_project(self, project_id: int, changes: Mapping[str, Any]) -> None:
        """Change settings of a project."""
        self._sdk(lambda sdk: sdk.projects.update(project_id, **changes))

    def delete_project(self, project_id: int) -> None:
        """Delete a project with everything in it."""
        self._sdk(lambda sdk: sdk.projects.delete(project_id))

    def validate_config(self, project_id: int, config: str) -> None:
        """Ask whether a project with the annotations it holds can take a new labelling page.

        Raises
        ------
        StudioError
            It cannot; the message says what is in the way.
        """
        self._post(f"api/projects/{project_id}/validate/", {"label_config": config})

    # Tasks

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Make tasks, all or none, and return their numbers in the same order; never repeated by itself."""
        answer = self._post(
            f"api/projects/{project_id}/import?return_task_ids=true&commit_to_project=true",
            tasks,
            timeout=_IMPORT_TIMEOUT,
        )
        return checked_ids(checked_mapping(answer, self.url).get("task_ids"), len(tasks), self.url)

    def find_tasks(
        self, project_id: int, conditions: Sequence[Mapping[str, Any]] = (), *, include: str = "details"
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield tasks that fulfil all conditions, in pages, by number.

        ``include`` is ``details`` (annotations, drafts and predictions too), ``data`` or ``times``.
        """
        fields = {"details": _DETAILS, "data": "id,data", "times": "id,updated_at"}[include]
        params: dict[str, Any] = {"project": project_id, "page_size": PAGE_SIZE, "include": fields}
        params["query"] = _query(conditions)
        if include == "details":
            params["fields"] = "all"
        page, seen = 1, 0
        while True:
            answer = checked_mapping(self._get("api/tasks/", {**params, "page": page}), self.url)
            tasks = [checked_mapping(each, self.url) for each in checked_list(answer.get("tasks"), self.url)]
            seen += len(tasks)
            if tasks:
                yield tasks
            total = answer.get("total")
            if not tasks or not isinstance(total, int) or seen >= total:
                return
            page += 1

    def count_tasks(self, project_id: int, conditions: Sequence[Mapping[str, Any]]) -> int:
        """Return how many tasks fulfil all conditions."""
        params = {
            "project": project_id,
            "page": 1,
            "page_size": 1,
            "include": "id",
            "query": _query(conditions),
        }
        total = checked_mapping(self._get("api/tasks/", params), self.url).get("total")
        return total if isinstance(total, int) else -1

    def delete_task(self, task_id: int) -> None:
        """Delete a task; one that is gone already is no error."""
        try:
            self._sdk(lambda sdk: sdk.tasks.delete(str(task_id)))
        except NotFoundError:
            return

    def snapshot(self, project_id: int) -> Iterator[dict[str, Any]]:
        """Yield every task of a project with its annotations, from an export that Label Studio makes now."""
        answer = self._post(
            f"api/projects/{project_id}/exports/", {"title": "Talking Points pull"}, timeout=_EXPORT_TIMEOUT
        )
        export = checked_mapping(answer, self.url)
        path = f"api/projects/{project_id}/exports/{export.get('id')}"
        try:
            self._await_export(path, export)
            with tempfile.TemporaryFile() as file:
                self._download(f"{path}/download?exportType=JSON", file.write)
                file.seek(0)
                yield from self._items(file)
        finally:
            with explained(self.url):
                self._http.delete(path)

    # Annotations and predictions

    def annotate(self, task_id: int, annotation: Mapping[str, Any]) -> int:
        """Submit an annotation as the user of this token and return its number."""
        answer = checked_mapping(self._post(f"api/tasks/{task_id}/annotations/", annotation), self.url)
        return checked_ids([answer.get("id")], 1, self.url)[0]

    def update_annotation(self, annotation_id: int, changes: Mapping[str, Any]) -> None:
        """Change an annotation."""
        with explained(self.url):
            self._http.patch(f"api/annotations/{annotation_id}/", json=changes).raise_for_status()

    def delete_annotation(self, annotation_id: int) -> None:
        """Delete an annotation."""
        self._sdk(lambda sdk: sdk.annotations.delete(annotation_id))

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        """Store predictions, all or none, and return how many; never repeated by itself."""
        answer = self._post(
            f"api/projects/{project_id}/import/predictions", predictions, timeout=_IMPORT_TIMEOUT
        )
        created = checked_mapping(answer, self.url).get("created")
        return created if isinstance(created, int) else 0

    # Below: how it is sent

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> object:
        with explained(self.url):
            return self._http.get(path, params=params).raise_for_status().json()

    def _post(self, path: str, body: object, timeout: httpx.Timeout | None = None) -> object:
        with explained(self.url):
            content = json.dumps(body, ensure_ascii=False).encode("utf-8")
            response = self._http.post(
                path,
                content=content,
                headers={"Content-Type": "application/json"},
                timeout=timeout or httpx.USE_CLIENT_DEFAULT,
            )
            response.raise_for_status()
            return response.json() if response.content else None

    def _sdk(self, call: Callable[[Any], Any]) -> object:
        if self._sdk_client is None:
            self._sdk_client = _sdk_client(self.url, self._http)
        with explained(self.url):
            answer = call(self._sdk_client)
            return answer.model_dump() if hasattr(answer, "model_dump") else answer

    def _await_export(self, path: str, export: Mapping[str, Any]) -> None:
        deadline = time.monotonic() + (_EXPORT_TIMEOUT.read or 0)
        while export.get("status") != "completed":
            if export.get("status") == "failed" or time.monotonic() > deadline:
                raise StudioError(
                    "Label Studio could not make its export", where=self.url, hint="Its log says why."
                )
            time.sleep(0.5)
            export = checked_mapping(self._get(path), self.url)

    def _download(self, path: str, write: Callable[[bytes], object]) -> None:
        with explained(self.url), self._http.stream("GET", path, timeout=_EXPORT_TIMEOUT) as response:
            if response.is_error:
                response.read()
            response.raise_for_status()
            for chunk in response.iter_bytes():
                write(chunk)

    def _items(self, file: Any) -> Iterator[dict[str, Any]]:
        try:
            for item in ijson.items(file, "item", use_float=True):
                yield checked_mapping(item, self.url)
        except ijson.JSONError as error:
            raise StudioError("the export is no JSON", where=self.url, hint="Pull again.") from error


def _sdk_client(url: str, http: httpx.Client) -> Any:
    try:
        from label_studio_sdk import LabelStudio  # noqa: PLC0415 - an optional extra that takes seconds to import
    except ImportError as error:
        raise StudioError(
            "the Label Studio client is not installed", hint="Run: pip install 'talking-points[studio]'"
        ) from error
    # Our transport puts the token in, refreshes it and repeats what may be repeated.
    return LabelStudio(base_url=url, api_key=_SDK_KEY, httpx_client=http, timeout=60.0, max_retries=0)


def _query(conditions: Iterable[Mapping[str, Any]]) -> str:
    return json.dumps(
        {"filters": {"conjunction": "and", "items": list(conditions)}, "ordering": ["tasks:id"]}
    )
