"""Whether annotators see suggestions: the switch in Label Studio, and its history in the ledger."""

from __future__ import annotations

from dataclasses import replace

from annotations.errors import StudioError
from annotations.ledger.store import Ledger
from annotations.ledger.studio_backends import backend_row
from annotations.ledger.studio_predictions import latest_version
from annotations.ledger.studio_tasks import ProjectRow
from annotations.ledger.suggestions import Switch, set_switch, switch
from annotations.studio.answers import ProjectInfo
from annotations.studio.client import StudioClient
from annotations.studio.connecting import TITLE
from annotations.studio.project import known_project


def turn(ledger: Ledger, client: StudioClient, project: ProjectRow, wanted: Switch) -> Switch:
    """Show suggestions to annotators, or hide them, and return the switch as it is now.

    The share and seed of ``wanted`` hold for posts that have no arm yet: one that has been kept blind stays so,
    and one that may have been seen with a suggestion never counts as blind.

    Raises
    ------
    StudioError
        The share is no share, or Label Studio does not answer.
    """
    if not 0 <= wanted.blind_share <= 1:
        raise StudioError(f"{wanted.blind_share} is no share", hint="Give a number from 0 to 1.")
    known_project(client, project)
    client.update_project(project.project_id, {"show_collab_predictions": wanted.shown})
    # Switched off, Label Studio forgets which version it serves, and with it the order by confidence.
    version = latest_version(ledger, project.key)
    if version is None and wanted.shown and backend_row(ledger, project.key):
        version = TITLE
    if version is not None:
        client.update_project(project.project_id, {"model_version": version})
    set_switch(ledger, project.key, wanted)
    return switch(ledger, project.key)


def note_switch(ledger: Ledger, project: ProjectRow, info: ProjectInfo) -> None:
    """Take over what somebody has switched in Label Studio itself."""
    state = switch(ledger, project.key)
    if state.shown != info.show_collab_predictions:
        set_switch(ledger, project.key, replace(state, shown=info.show_collab_predictions))
