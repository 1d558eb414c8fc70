"""The settings of a workspace and its service: read from the environment, validated, documented.

This module is the only one that reads the environment. Nothing is read when it is imported, and no ``.env``
file is ever read.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsConfigDict

from annotations.codebook import default_codebook_path
from annotations.workspace import Workspace
from service.errors import SettingsError
from service.serving_settings import ServingSettings

PREFIX = "TALKINGPOINTS_"
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the Prometheus client knows that folder; `serve --workers` sets it for its processes."""


class Settings(ServingSettings):
    """Every setting; the environment variable is ``TALKINGPOINTS_`` and the name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        # A refused value may be a secret: it is never repeated in the message.
        hide_input_in_errors=True,
    )

    home: Path = Field(
        default=Path("workspace"),
        description="The workspace folder: ledger, models, reports, the local Label Studio's data.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL of the ledger, like `postgresql+psycopg://USER:PASSWORD@HOST/NAME`. "
        "Without it the ledger is `ledger.db` (SQLite) in the workspace.",
    )
    codebook: Path | None = Field(
        default=None,
        description="The codebook file (YAML). Without it `codebook.yaml` of the workspace where there is "
        "one, else the packaged default.",
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="The address the service listens on. Any but a loopback address is accepted only once there are "
        "API keys (`talkingpoints keys create`).",
    )
    port: int = Field(
        default=8000, ge=0, le=65535, description="The port the service listens on; 0 takes a free one."
    )
    studio_url: str | None = Field(
        default=None,
        description="Address of a Label Studio that runs elsewhere, like `https://studio.example.org`. "
        "Without it the local one of the workspace is used.",
    )
    studio_token: SecretStr | None = Field(
        default=None, description="Access token (personal or legacy) for the Label Studio at `studio_url`."
    )
    studio_env: Path = Field(
        default=Path(".venv-studio"),
        description="Folder of the Python environment in which the local Label Studio is installed.",
    )
    studio_backend_url: str | None = Field(
        default=None,
        description="Address at which Label Studio reaches this service, where it is not that of `host` and "
        "`port`: say, that of a reverse proxy.",
    )
    studio_backend_user: str | None = Field(
        default=None,
        description="User name that Label Studio must show at `/studio/*` (Basic authentication), with the "
        "password. Without any of these secrets only programs of this machine may call there.",
    )
    studio_backend_password: SecretStr | None = Field(
        default=None, description="Password to `studio_backend_user`."
    )
    studio_webhook_secret: SecretStr | None = Field(
        default=None,
        description="Secret that Label Studio's webhook must send in the header X-Talkingpoints-Secret.",
    )
    studio_debounce_seconds: float = Field(
        default=1.0,
        ge=0,
        le=600,
        allow_inf_nan=False,
        description="How long Label Studio must have been quiet before its events lead to a pull; under steady "
        "events one is made after ten times as long.",
    )
    studio_pull_seconds: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        allow_inf_nan=False,
        description="How often the service pulls from Label Studio by itself; 0 means only when it is told of "
        "events.",
    )
    studio_train_after: int = Field(
        default=100,
        ge=0,
        description="After how many new annotations a model is trained in the background; it becomes active if "
        "it is not worse than the one in use. 0 means never.",
    )
    model_check_seconds: float = Field(
        default=2.0,
        ge=0,
        le=3600,
        allow_inf_nan=False,
        description="How often the service looks whether another model has been activated; 0 means never.",
    )
    api_docs: bool = Field(default=True, description="Whether `/docs` and `/openapi.json` are served.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="The least severe log records written (`debug`, `info`, `warning`, `error`).",
    )

    @field_validator("studio_url", "studio_backend_url")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an address such as https://studio.example.org")
        if parts.username or parts.password:
            raise ValueError("must not hold a password; there are settings for secrets")
        return value.rstrip("/")

    @property
    def backend_url(self) -> str:
        """The address that Label Studio calls: that of ``/studio``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.studio_backend_url or f'http://{host}:{self.port}'}/studio"

    @property
    def workspace(self) -> Workspace:
        """The paths of the workspace, with the ledger's address."""
        url = self.database_url.get_secret_value() if self.database_url else None
        return Workspace(self.home.absolute(), url)

    @property
    def codebook_path(self) -> Path:
        """The codebook in use: the one set, the workspace's own, or the packaged default."""
        if self.codebook is not None:
            return self.codebook
        own = self.workspace.codebook_path
        return own if own.is_file() else default_codebook_path()


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; ``overrides`` (say, of the command line) come before it.

    Raises
    ------
    SettingsError
        A value cannot be used; all such values are named, none is repeated.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [
            f"{_variable(str(fault['loc'][0]))}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        ]
        raise SettingsError(
            "; ".join(lines),
            where="settings",
            hint="`talkingpoints settings` lists every setting with its meaning.",
        ) from error


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Tell whether a host can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def child_environment(settings: Settings) -> dict[str, str]:
    """Return the environment for a command of ours that is to work with just these settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    given = {name: getattr(settings, name) for name in Settings.model_fields}
    shown = {
        _variable(name): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in given.items()
        if value is not None
    }
    return inherited | shown


def metrics_folder() -> Path | None:
    """Return the folder in which workers share their numbers; None where a process is on its own."""
    folder = os.environ.get(METRICS_FOLDER)
    return Path(folder) if folder else None


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables with our prefix that are no setting: most likely misspelt."""
    known = {_variable(name) for name in Settings.model_fields}
    return tuple(sorted(name for name in environ if name.startswith(PREFIX) and name not in known))


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as it is shown: secrets are masked, ``value`` is empty where no settings were given."""

    variable: str
    default: str
    value: str
    description: str


def setting_rows(settings: Settings | None = None) -> list[SettingRow]:
    """Return every setting, those of serving last, with the values in force where ``settings`` is given."""
    rows = []
    own = {name: field for name, field in Settings.model_fields.items() if name in Settings.__annotations__}
    for name, field in (own | Settings.model_fields).items():
        value = "" if settings is None else _shown(getattr(settings, name))
        rows.append(SettingRow(_variable(name), _default(field), value, field.description or ""))
    return rows


def settings_markdown() -> str:
    """Return ``docs/settings.md``: what every setting means and what it is without being set."""
    table = [f"| `{row.variable}` | {_code(row.default)} | {row.description} |" for row in setting_rows()]
    return "\n".join([*_DOCUMENT_HEAD, *table, ""])


_DOCUMENT_HEAD: Iterable[str] = (
    "# Settings",
    "",
    "Every setting is an environment variable; an empty one counts as not set. No `.env` file is read.",
    "`talkingpoints settings` shows the values in force; secrets are never printed.",
    "",
    "<!-- Written by service.settings.settings_markdown(); a test compares the two. -->",
    "",
    "| variable | default | meaning |",
    "|---|---|---|",
)


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _default(field: FieldInfo) -> str:
    return _shown(field.get_default(call_default_factory=True))


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, SecretStr):
        return "set, not shown"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _code(default: str) -> str:
    return default if default == "not set" else f"`{default}`"
