"""The client's calls about ML backends and webhooks: the two ways in which Label Studio calls us."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from annotations.studio.answers import checked_ids, checked_list, checked_mapping
from annotations.studio.transport import NotFoundError


@dataclass(frozen=True, slots=True)
class Hook:
    """An ML backend or a webhook that a project has; ``title`` is empty for webhooks."""

    number: int
    url: str
    title: str = ""


class BackendCalls:
    """The part of ``StudioClient`` that connects our service; ``url`` is Label Studio's address."""

    url: str

    def backends(self, project_id: int) -> list[Hook]:
        """Return the ML backends of a project. Label Studio asks each whether it lives."""
        answer = self._get("api/ml/", {"project": project_id})
        return [_hook(each, self.url) for each in checked_list(answer, self.url)]

    def create_backend(self, settings: Mapping[str, Any]) -> int:
        """Connect an ML backend, which must answer, and return its number."""
        answer = checked_mapping(self._post("api/ml/", settings), self.url)
        return checked_ids([answer.get("id")], 1, self.url)[0]

    def update_backend(self, number: int, settings: Mapping[str, Any]) -> None:
        """Change an ML backend, which must answer; ``settings`` as for its making."""
        self._send("PATCH", f"api/ml/{number}", settings)

    def delete_backend(self, number: int) -> None:
        """Disconnect an ML backend; one that is gone already is no error."""
        self._delete(f"api/ml/{number}")

    def webhooks(self, project_id: int) -> list[Hook]:
        """Return the webhooks of a project."""
        answer = self._get("api/webhooks/", {"project": project_id})
        return [_hook(each, self.url) for each in checked_list(answer, self.url)]

    def create_webhook(
        self, project_id: int, url: str, actions: Sequence[str], headers: Mapping[str, str]
    ) -> int:
        """Have events of a project sent to ``url`` with these headers; return the webhook's number."""
        body = {
            "project": project_id,
            "url": url,
            "send_payload": True,
            "send_for_all_actions": False,
            "actions": list(actions),
            "headers": dict(headers),
        }
        answer = checked_mapping(self._post("api/webhooks/", body), self.url)
        return checked_ids([answer.get("id")], 1, self.url)[0]

    def delete_webhook(self, number: int) -> None:
        """Delete a webhook; one that is gone already is no error."""
        self._delete(f"api/webhooks/{number}/")

    def _delete(self, path: str) -> None:
        try:
            self._send("DELETE", path)
        except NotFoundError:
            return

    @abstractmethod
    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> object: ...

    @abstractmethod
    def _post(self, path: str, body: object, timeout: httpx.Timeout | None = None) -> object: ...

    @abstractmethod
    def _send(self, method: str, path: str, body: object = None) -> None: ...


def _hook(answer: object, url: str) -> Hook:
    fields = checked_mapping(answer, url)
    (number,) = checked_ids([fields.get("id")], 1, url)
    return Hook(number, str(fields.get("url") or ""), str(fields.get("title") or ""))
