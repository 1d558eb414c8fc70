"""What Label Studio answers, with its types checked: nothing else is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard

from annotations.errors import StudioError


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account."""

    user_id: int
    email: str


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """A project of Label Studio; ``n_annotations`` counts the skipped ones too."""

    project_id: int
    title: str
    description: str
    created_at: str
    label_config: str
    n_tasks: int
    n_annotations: int
    show_collab_predictions: bool
    model_version: str


def user_of(answer: object, url: str) -> User:
    """Read a user."""
    fields = checked_mapping(answer, url)
    return User(_integer(fields, "id", url), _string(fields, "email", url))


def project_info(answer: object, url: str) -> ProjectInfo:
    """Read a project."""
    fields = checked_mapping(answer, url)
    created = fields.get("created_at")
    moment = created if isinstance(created, datetime) else parse_time(created)
    return ProjectInfo(
        project_id=_integer(fields, "id", url),
        title=_string(fields, "title", url),
        description=_string(fields, "description", url),
        created_at=moment.isoformat() if moment else "",
        label_config=_string(fields, "label_config", url),
        n_tasks=_count(fields, "task_number"),
        n_annotations=_count(fields, "total_annotations_number")
        + _count(fields, "skipped_annotations_number"),
        show_collab_predictions=fields.get("show_collab_predictions") is True,
        model_version=_string(fields, "model_version", url),
    )


def parse_time(value: object) -> datetime | None:
    """Read a time as Label Studio writes it; None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def is_number(value: object) -> TypeGuard[int]:
    """Tell whether a value can be the number of something in a database."""
    return type(value) is int and 0 < value < 2**63


def checked_mapping(answer: object, url: str) -> dict[str, Any]:
    """Return an answer that must be a JSON object."""
    if not isinstance(answer, Mapping):
        raise _odd(f"an object was expected, not {type(answer).__name__}", url)
    return dict(answer)


def checked_list(answer: object, url: str) -> list[Any]:
    """Return an answer that must be a JSON list."""
    if not isinstance(answer, list):
        raise _odd(f"a list was expected, not {type(answer).__name__}", url)
    return answer


def checked_ids(answer: object, n_expected: int, url: str) -> list[int]:
    """Return numbers that must all be there and all be different."""
    ids = [each for each in checked_list(answer, url) if is_number(each)]
    if len(ids) != n_expected or len(set(ids)) != n_expected:
        raise _odd(f"{n_expected} different numbers were expected", url)
    return ids


def _integer(fields: Mapping[str, Any], name: str, url: str) -> int:
    value = fields.get(name)
    if not is_number(value):
        raise _odd(f"'{name}' is no number", url)
    return value


def _string(fields: Mapping[str, Any], name: str, url: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _odd(f"'{name}' is no text", url)
    return value


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    return value if type(value) is int else 0


def _odd(problem: str, url: str) -> StudioError:
    return StudioError(
        f"Label Studio answered something odd: {problem}",
        where=url,
        hint="Check that the address is that of Label Studio 1.23 or near it.",
    )
