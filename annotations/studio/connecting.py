"""Our service as a project's ML backend, and as the receiver of its events."""

from __future__ import annotations

from dataclasses import dataclass, field

from annotations.errors import StudioError
from annotations.ledger.store import Ledger
from annotations.ledger.studio_backends import BackendRow, backend_row, save_backend
from annotations.ledger.studio_lock import studio_lock
from annotations.ledger.studio_tasks import ProjectRow
from annotations.studio.client import StudioClient
from annotations.studio.client_backends import Hook
from annotations.studio.project import known_project

TITLE = "Talking Points"
"""What Label Studio calls our backend."""

SECRET_HEADER = "X-Talkingpoints-Secret"  # noqa: S105 - the name of the header, not what is in it

EVENTS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
    "TASKS_CREATED",
    "TASKS_DELETED",
)
"""The events that change what a pull or a push would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """Where our service answers (``url`` ends in ``/studio``) and what it wants to be shown."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


def connect(ledger: Ledger, client: StudioClient, project: ProjectRow, options: BackendOptions) -> BackendRow:
    """Make our service the ML backend of a project, with one webhook of our own; may be repeated.

    Label Studio asks the service whether it lives, so it must be running. The webhook that Label Studio makes
    by itself sends every event, without any secret: it is replaced.

    Raises
    ------
    StudioError
        Label Studio cannot reach the service, or may not (it refuses addresses of this machine by default).
    """
    with studio_lock(ledger, f"{project.key}#backend"):
        known_project(client, project)
        before = backend_row(ledger, project.key)
        number = _connected(client, project, options, before)
        webhook_url = f"{options.url}/webhook"
        for hook in client.webhooks(project.project_id):
            if hook.url == webhook_url or (before is not None and hook.number == before.webhook_id):
                client.delete_webhook(hook.number)
        headers = {SECRET_HEADER: options.secret} if options.secret else {}
        webhook = client.create_webhook(project.project_id, webhook_url, EVENTS, headers)
        row = BackendRow(options.url, number, webhook)
        save_backend(ledger, project.key, row)
    return row


def _connected(
    client: StudioClient, project: ProjectRow, options: BackendOptions, before: BackendRow | None
) -> int:
    settings: dict[str, object] = {"project": project.project_id, "url": options.url, "title": TITLE}
    if options.user:
        auth = {"basic_auth_user": options.user, "basic_auth_pass": options.password}
        settings |= {"auth_method": "BASIC_AUTH", **auth}
    there = client.backends(project.project_id)
    same = next((each for each in there if each.url == options.url), None)
    try:
        if same is not None:
            client.update_backend(same.number, settings)
        number = same.number if same is not None else client.create_backend(settings)
    except StudioError as error:
        raise StudioError(
            f"Label Studio cannot use our service: {error.problem}", where=options.url, hint=_hint(error)
        ) from error
    for hook in there:
        if hook.number != number and _is_ours(hook, options, before):
            client.delete_backend(hook.number)
    return number


def _is_ours(hook: Hook, options: BackendOptions, before: BackendRow | None) -> bool:
    return hook.url == options.url or (before is not None and hook.number == before.backend_id)


def _hint(error: StudioError) -> str:
    if "reserved" in error.problem or "local" in error.problem:
        return (
            "Label Studio refuses addresses of its own machine: start it with ML_BLOCK_LOCAL_IP=false and "
            "SSRF_PROTECTION_ENABLED=false, or let the service listen elsewhere."
        )
    return error.hint or "Start the service (talkingpoints serve), then run `talkingpoints studio connect`."
