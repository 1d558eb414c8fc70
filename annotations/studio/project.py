"""The Label Studio project of a codebook: made once, remembered in the ledger, kept in step with it."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from html import unescape
from typing import Any

from annotations.codebook import Codebook, dump_codebook
from annotations.errors import StudioError
from annotations.labeling_config import NONE_OF_THESE, guideline_html, labeling_config, tag_by_title
from annotations.ledger.codebooks import former_titles, remember_codebook
from annotations.ledger.store import Ledger
from annotations.ledger.studio import pending_project, remember_pending_project
from annotations.ledger.studio_lock import studio_lock
from annotations.ledger.studio_tasks import ProjectRow, latest_project, save_project
from annotations.ledger.suggestions import BLIND_SHARE, Switch, set_switch
from annotations.studio.answers import ProjectInfo
from annotations.studio.client import NotFoundError, StudioClient
from annotations.studio.tasks import FLAGS

NEW_PROJECT_HINT = (
    "Restore it in Label Studio, or start another with --new-project; what was pulled stays in the ledger."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectOptions:
    """How a project is made.

    Parameters
    ----------
    title
        At least three characters; the codebook's title by default.
    overlap
        How many annotators see each task.
    show_predictions
        Whether the page comes with the model's answer ticked. It makes work faster and anchors people:
        leave it off for labels that are to measure agreement or a model.
    blind_share
        The share of posts that never get a suggestion, 0 to 1.
    sampling
        The order in which tasks are served, in Label Studio's words.
    new_project
        Make another project even if there is one.
    """

    title: str | None = None
    overlap: int = 1
    show_predictions: bool = False
    blind_share: float = BLIND_SHARE
    sampling: str = "Sequential sampling"
    new_project: bool = False


def ensure_project(
    ledger: Ledger, client: StudioClient, codebook: Codebook, options: ProjectOptions | None = None
) -> ProjectRow:
    """Return the project of this server, making it or bringing it in step with the codebook.

    Raises
    ------
    StudioError
        It has been deleted or replaced in Label Studio, or holds labels that the codebook does not have.
    """
    options = options or ProjectOptions()
    with studio_lock(ledger, f"{client.name}#project"):
        row = None if options.new_project else latest_project(ledger, client.name)
        if row is None:
            return _create(ledger, client, codebook, options)
        info = known_project(client, row)
        if row.codebook != codebook.digest or info.label_config.strip() != labeling_config(codebook).strip():
            _update(ledger, client, (row, info), codebook)
            row = _remembered(ledger, client, info, codebook)
        return row


def known_project(client: StudioClient, row: ProjectRow) -> ProjectInfo:
    """Return what Label Studio says of a project that the ledger knows.

    Raises
    ------
    NotFoundError
        It has been deleted there.
    StudioError
        Another project has its number.
    """
    try:
        info = client.project(row.project_id)
    except NotFoundError:
        raise NotFoundError(
            f"the project '{row.title}' (number {row.project_id}) has been deleted in Label Studio",
            where=client.url,
            hint=NEW_PROJECT_HINT,
        ) from None
    if info.created_at != row.created_at:
        raise StudioError(
            f"project {row.project_id} is not the one that the ledger knows as '{row.title}'",
            where=client.url,
            hint="Its data were replaced: restore them, or start another project with --new-project.",
        )
    return info


def _create(ledger: Ledger, client: StudioClient, codebook: Codebook, options: ProjectOptions) -> ProjectRow:
    # The mark finds the project again if this run is killed after Label Studio has made it.
    mark = pending_project(ledger, client.name)
    info = next((each for each in client.projects() if mark in each.description), None) if mark else None
    if info is None:
        mark = mark or f"talkingpoints:{uuid.uuid4().hex}"
        remember_pending_project(ledger, client.name, mark)
        info = client.create_project(_settings(codebook, options, mark))
    row = _remembered(ledger, client, info, codebook)
    set_switch(ledger, row.key, Switch(shown=options.show_predictions, blind_share=options.blind_share))
    remember_pending_project(ledger, client.name, None)
    return row


def _settings(codebook: Codebook, options: ProjectOptions, mark: str) -> dict[str, Any]:
    title = options.title or codebook.title
    return {
        "title": title[:50] if len(title) >= 3 else f"{title} tags",
        "description": f"Made by Talking Points. Do not change this line: {mark}",
        "label_config": labeling_config(codebook),
        "expert_instruction": guideline_html(codebook),
        "show_instruction": True,
        "maximum_annotations": options.overlap,
        "show_collab_predictions": options.show_predictions,
        "sampling": options.sampling,
        "enable_empty_annotation": False,
    }


def _update(
    ledger: Ledger, client: StudioClient, known: tuple[ProjectRow, ProjectInfo], codebook: Codebook
) -> None:
    row, info = known
    config = labeling_config(codebook)
    try:
        client.validate_config(row.project_id, config)
    except NotFoundError:
        raise
    except StudioError as error:
        # Labels of retired tags may go: the codebook still says what they are today.
        still = {
            title for title, tag in former_titles(ledger).items() if tag in {t.id for t in codebook.tags}
        }
        lost = _titles(info.label_config) - set(tag_by_title(codebook)) - still - {NONE_OF_THESE, *FLAGS}
        if lost:
            raise StudioError(
                f"the project holds labels that the codebook has no tag for ({', '.join(sorted(lost))}): "
                f"{error.problem}",
                where=client.url,
                hint="Keep the tag and retire it with `replaced_by`; carry a changed title over with "
                "`talkingpoints codebook migrate`; or start another project with --new-project.",
            ) from error
    client.update_project(
        row.project_id, {"label_config": config, "expert_instruction": guideline_html(codebook)}
    )


def _titles(config: str) -> set[str]:
    return {unescape(value) for value in re.findall(r'<(?:Choice|Label)\s[^>]*?value="([^"]*)"', config)}


def _remembered(ledger: Ledger, client: StudioClient, info: ProjectInfo, codebook: Codebook) -> ProjectRow:
    row = ProjectRow(
        key=f"{client.name}#{info.project_id}",
        title=info.title,
        codebook=codebook.digest,
        created_at=info.created_at,
        pulled_until=None,
        foreign_tasks=0,
        foreign_annotations=0,
    )
    save_project(ledger, row)
    remember_codebook(ledger, codebook.digest, dump_codebook(codebook))
    return row
