"""The bodies of the calls of Label Studio: what is answered, in its own words."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class StudioHealth(_Answer):
    """The backend lives."""

    status: str = Field(examples=["UP"])
    model_class: str
    model_version: str = Field(description="The version of the suggestions made now.")


class StudioSetup(_Answer):
    """What a project is told when it connects."""

    model_version: str = Field(description="The version of the suggestions made now.")


class StudioVersions(_Answer):
    """The versions there are."""

    versions: list[str] = Field(description="The one in use last.")


class StudioPrediction(_Answer):
    """A suggestion; ``result`` is empty where there is none."""

    result: list[dict[str, Any]] = Field(description="In Label Studio's form, by the labelling page.")
    score: float = Field(description="How sure the suggestion is, 0 to 1.")
    model_version: str


class StudioPredictions(_Answer):
    """One suggestion a task, in order."""

    results: list[StudioPrediction]


class StudioAccepted(_Answer):
    """It has been noted; the work is done in the background."""

    status: str = Field(examples=["accepted"])
