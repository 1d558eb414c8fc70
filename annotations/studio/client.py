"""The calls to Label Studio that we need, and the only module (with ``client_backends``) that knows its addresses.

Rare calls go through the SDK.  Bulk calls (import, pages, snapshots) are plain requests: the SDK builds an
object for every field, which costs three times what the server needs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from annotations.errors import StudioError
from annotations.studio.answers import (
    ProjectInfo,
    User,
    checked_ids,
    checked_list,
    checked_mapping,
    parse_time,
    project_info,
    user_of,
)
from annotations.studio.client_backends import BackendCalls
from annotations.studio.export import snapshot_tasks
from annotations.studio.transport import NotFoundError, TokenAuth, explained, patient_client

__all__ = ["NotFoundError", "StudioClient", "condition"]

PAGE_SIZE = 500
_IMPORT_TIMEOUT = httpx.Timeout(300.0, connect=5.0)
_SDK_KEY = "set by the transport"
_DETAILS = (
    "id,data,updated_at,annotations,drafts,predictions,result,completed_by,was_cancelled,lead_time,created_at,"
    "updated_by,parent_prediction,model_version,score"
)


class StudioClient(BackendCalls):
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
    sleep
        How to wait before a request is repeated (tests).
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        name: str | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self.name = name or self.url
        self._http = patient_client(self.url, TokenAuth(token, self.url), transport, sleep)
        self._sdk_client: Any = None
        self._date = ""

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> StudioClient:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def answered_at(self) -> datetime:
        """The time of the last answer by Label Studio's clock, to the second (ours, where it does not say)."""
        try:
            return parsedate_to_datetime(self._date).astimezone(UTC)
        except ValueError:
            return datetime.now(UTC)

    def whoami(self) -> User:
        """Return the user whose token this is."""
        return user_of(self._get("api/current-user/whoami"), self.url)

    def users(self) -> list[User]:
        """Return everybody who has an account."""
        return [user_of(each, self.url) for each in checked_list(self._get("api/users"), self.url)]

    def invitation(self) -> str:
        """Return the path, with its secret, where a new user can sign up."""
        path = checked_mapping(self._get("api/invite"), self.url).get("invite_url")
        if not isinstance(path, str) or not path.startswith("/"):
            raise StudioError(
                "Label Studio gives no invitation", where=self.url, hint="Use an owner's token."
            )
        return path

    def reset_invitation(self) -> None:
        """Make the links of earlier invitations worthless."""
        self._post("api/invite/reset-token", {})

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
        params: dict[str, Any] = {"project": project_id, "page": 1, "page_size": PAGE_SIZE, "include": fields}
        if include == "details":
            params["fields"] = "all"
        last_id = 0
        while True:
            # Not by page number: a task deleted meanwhile would move another one over the edge, unseen.
            params["query"] = _query([*conditions, condition("id", "greater", last_id)])
            answer = checked_mapping(self._get("api/tasks/", params), self.url)
            tasks = [checked_mapping(each, self.url) for each in checked_list(answer.get("tasks"), self.url)]
            ids = checked_ids([task.get("id") for task in tasks], len(tasks), self.url)
            if not ids:
                return
            yield tasks
            if len(ids) < PAGE_SIZE or max(ids) <= last_id:
                return
            last_id = max(ids)

    def count_tasks(
        self, project_id: int, conditions: Sequence[Mapping[str, Any]]
    ) -> tuple[int, datetime | None]:
        """Return how many tasks fulfil all conditions, and when the latest of them changed."""
        params = {"project": project_id, "page": 1, "page_size": 1, "include": "id,updated_at"}
        query = {"query": _query(conditions, "-tasks:updated_at")}
        answer = checked_mapping(self._get("api/tasks/", params | query), self.url)
        total, tasks = answer.get("total"), checked_list(answer.get("tasks"), self.url)
        newest = parse_time(checked_mapping(tasks[0], self.url).get("updated_at")) if tasks else None
        return (total if isinstance(total, int) else -1), newest

    def delete_task(self, task_id: int) -> None:
        """Delete a task; one that is gone already is no error."""
        try:
            self._sdk(lambda sdk: sdk.tasks.delete(str(task_id)))
        except NotFoundError:
            return

    def delete_tasks(self, project_id: int, task_ids: Sequence[int]) -> None:
        """Delete tasks in one call; those that are gone already are no error."""
        selected = {"selectedItems": {"all": False, "included": list(task_ids)}}
        self._post(f"api/dm/actions?id=delete_tasks&project={project_id}", selected, _IMPORT_TIMEOUT)

    def set_overlap(self, task_id: int, annotators: int) -> None:
        """Say how many annotators a task is for."""
        with explained(self.url):
            self._http.patch(f"api/tasks/{task_id}/", json={"overlap": annotators}).raise_for_status()

    def snapshot(self, project_id: int) -> Iterator[dict[str, Any]]:
        """Yield every task of a project with its annotations, from an export that Label Studio makes now."""
        return snapshot_tasks(self._http, self.url, project_id)

    # Annotations and predictions

    def annotate(self, task_id: int, annotation: Mapping[str, Any]) -> int:
        """Submit an annotation as the user of this token and return its number."""
        answer = checked_mapping(self._post(f"api/tasks/{task_id}/annotations/", annotation), self.url)
        return checked_ids([answer.get("id")], 1, self.url)[0]

    def update_annotation(self, annotation_id: int, changes: Mapping[str, Any]) -> None:
        """Change an annotation."""
        self._send("PATCH", f"api/annotations/{annotation_id}/", changes)

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
            response = self._http.get(path, params=params).raise_for_status()
            self._date = response.headers.get("Date", "")
            return response.json()

    def _post(self, path: str, body: object, timeout: httpx.Timeout | None = None) -> object:
        content = json.dumps(body, ensure_ascii=False).encode("utf-8")
        with explained(self.url):
            response = self._http.post(
                path,
                content=content,
                headers={"Content-Type": "application/json"},
                timeout=timeout or httpx.USE_CLIENT_DEFAULT,
            )
            response.raise_for_status()
            return response.json() if response.content else None

    def _send(self, method: str, path: str, body: object = None) -> None:
        with explained(self.url):
            self._http.request(method, path, json=body).raise_for_status()

    def _sdk(self, call: Callable[[Any], Any]) -> object:
        if self._sdk_client is None:
            self._sdk_client = _sdk_client(self.url, self._http)
        with explained(self.url):
            answer = call(self._sdk_client)
            return answer.model_dump() if hasattr(answer, "model_dump") else answer


def condition(field: str, operator: str, value: object) -> dict[str, Any]:
    """Return one condition on tasks; ``field`` is ``id``, ``updated_at`` or ``data.NAME``."""
    if isinstance(value, datetime):
        value = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # no other form is understood
    kind = {"id": "Number", "updated_at": "Datetime"}.get(field, "String")
    return {"filter": f"filter:tasks:{field}", "operator": operator, "type": kind, "value": value}


def _sdk_client(url: str, http: httpx.Client) -> Any:
    try:
        from label_studio_sdk import LabelStudio  # noqa: PLC0415 - an optional extra that takes seconds to import
    except ImportError as error:
        raise StudioError(
            "the Label Studio client is not installed", hint="Run: pip install 'talking-points[studio]'"
        ) from error
    # Our transport puts the token in, refreshes it and repeats what may be repeated.
    return LabelStudio(  # type: ignore[no-untyped-call]
        base_url=url, api_key=_SDK_KEY, httpx_client=http, timeout=60.0, max_retries=0
    )


def _query(conditions: Iterable[Mapping[str, Any]], ordering: str = "tasks:id") -> str:
    return json.dumps({"filters": {"conjunction": "and", "items": list(conditions)}, "ordering": [ordering]})
