"""Which Label Studio the commands talk to: the one named in the environment, or the workspace's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from annotations.errors import StudioError
from annotations.ledger.store import Ledger
from annotations.ledger.studio_tasks import ProjectRow, latest_project
from annotations.studio.client import StudioClient
from annotations.studio.credentials import read_credentials
from annotations.studio.server import LocalStudio
from service.settings import Settings

_LOOKS = 4


@dataclass(frozen=True, slots=True)
class Studio:
    """A Label Studio that answers; ``names`` are the annotators' names in files by account."""

    client: StudioClient
    names: Mapping[str, str] = field(default_factory=dict)

    def project(self, ledger: Ledger) -> ProjectRow:
        """Return the project in use.

        Raises
        ------
        StudioError
            None has been made yet.
        """
        row = latest_project(ledger, self.client.name)
        if row is None:
            raise StudioError(
                "there is no project yet in this Label Studio",
                where=self.client.url,
                hint="Make it from the codebook: talkingpoints studio up",
            )
        return row


def local_studio(settings: Settings) -> LocalStudio:
    """Return the workspace's own Label Studio, running or not."""
    return LocalStudio(settings.workspace.studio_path, settings.studio_env.absolute())


def server_name(settings: Settings) -> str | None:
    """Return what the ledger calls the Label Studio in use, without asking it; None where there is none yet."""
    if settings.studio_url:
        return settings.studio_url
    credentials = read_credentials(settings.workspace.studio_path)
    return None if credentials is None else f"local-{credentials.instance}"


@contextmanager
def studio(settings: Settings) -> Iterator[Studio]:
    """Yield the Label Studio in use and close the connection.

    Raises
    ------
    StudioError
        It is named without a token, or the local one does not run.
    """
    if settings.studio_url:
        with _named(settings.studio_url, settings) as client:
            client.whoami()
            yield Studio(client)
        return
    local = local_studio(settings)
    # A busy machine may let one look run out of time; where no server runs, each look says so at once.
    running = next(filter(None, (local.running() for _ in range(_LOOKS))), None)
    if running is None:
        raise StudioError(
            "the local Label Studio does not run",
            where=str(settings.workspace.studio_path),
            hint="Start it with `talkingpoints studio up`, or name another with TALKINGPOINTS_STUDIO_URL and _TOKEN.",
        )
    with running.client() as client:
        yield Studio(client, running.credentials.names())


def _named(url: str, settings: Settings) -> StudioClient:
    if settings.studio_token is None:
        raise StudioError(
            "a Label Studio is named, but no token",
            where=url,
            hint="Set TALKINGPOINTS_STUDIO_TOKEN to an access token (Label Studio: Account & Settings).",
        )
    return StudioClient(url, settings.studio_token.get_secret_value())
