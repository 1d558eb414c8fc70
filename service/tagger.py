"""What the service needs of a model (the port), and where it gets one: given, or the active one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from annotations.codebook import Codebook
from annotations.errors import TalkingPointsError
from classifiers.errors import ModelNotFoundError
from classifiers.predictions import Prediction
from service.errors import NotReadyError

_LOG = logging.getLogger("talkingpoints.models")

_WAY_OUT = "Train a model (`talkingpoints train`) or activate one (`talkingpoints activate VERSION`)."


class Tagger(Protocol):
    """A loaded model. Its methods may be called from several threads at once."""

    @property
    def version(self) -> str:
        """The version of the model bundle."""

    @property
    def codebook(self) -> Codebook:
        """The codebook the model was trained on."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What was measured when the model was trained."""

    def predict(
        self, texts: Sequence[str], *, explain: bool = False, tags: Collection[str] | None = None
    ) -> list[Prediction]:
        """Return one prediction a text, in order; ``tags`` limits the tags, ``explain`` adds evidence."""


class ModelSource(Protocol):
    """Where a request gets the model that answers it."""

    def current(self) -> Tagger:
        """Return the model in use; a request asks once, so that its answer comes from one version.

        Raises
        ------
        NotReadyError
            No model is loaded.
        """

    def versions(self) -> list[str]:
        """Return the versions that could be served."""

    def refresh(self) -> None:
        """Look whether another model is to be served, and load it; the old one serves until then."""


class FixedModel:
    """One model, given from outside."""

    def __init__(self, tagger: Tagger) -> None:
        self._tagger = tagger

    def current(self) -> Tagger:
        """Return the model."""
        return self._tagger

    def versions(self) -> list[str]:
        """Return its version."""
        return [self._tagger.version]

    def refresh(self) -> None:
        """Do nothing: the model never changes."""


class ModelRegistry(Protocol):
    """The part of ``classifiers.registry.Registry`` that the service uses."""

    def versions(self) -> list[str]:
        """Return every version."""

    def active(self) -> str:
        """Return the active version, or raise ``ModelNotFoundError``."""

    def path(self, version: str) -> Path:
        """Return the bundle's folder."""


class ActiveModel:
    """The registry's active model, loaded beside the one in use and put in its place in one step."""

    def __init__(self, registry: ModelRegistry, load: Callable[[Path], Tagger]) -> None:
        self._registry = registry
        self._load = load
        self._loading = threading.Lock()
        self._served: tuple[str, Tagger] | None = None
        self._reported = ""

    def current(self) -> Tagger:
        """Return the model in use, or raise :class:`NotReadyError`."""
        served = self._served
        if served is None:
            raise NotReadyError("no model is active yet, so posts cannot be tagged", hint=_WAY_OUT)
        return served[1]

    def versions(self) -> list[str]:
        """Return every version of the registry."""
        return self._registry.versions()

    def refresh(self) -> None:
        """Load the active model if it is not the one in use; where it cannot be, keep that and log why."""
        with self._loading:
            try:
                version = self._registry.active()
                if self._served is None or self._served[0] != version:
                    self._served = (version, self._load(self._registry.path(version)))
                    _LOG.info("model loaded", extra={"fields": {"model_version": version}})
                self._reported = ""
            except ModelNotFoundError as error:
                self._report(logging.INFO, "no active model", error)
            except (TalkingPointsError, OSError, ValueError) as error:
                self._report(logging.ERROR, "the active model cannot be loaded", error)

    def _report(self, level: int, message: str, error: Exception) -> None:
        # It is looked for every few seconds; one report is enough.
        if str(error) != self._reported:
            self._reported = str(error)
            _LOG.log(level, message, extra={"fields": {"reason": str(error)}})
