"""What the service needs of a model (the port), and where it gets one: given, or the active one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from annotations.codebook import Codebook
from annotations.errors import TalkingPointsError
from classifiers.errors import BundleError, ModelNotFoundError
from classifiers.predictions import Prediction
from classifiers.registry import Registry
from classifiers.scorer import Scorer
from service.errors import ModelRefusedError, NotReadyError
from service.model_summary import ModelSummary, SummaryShelf

_LOG = logging.getLogger("talkingpoints.models")

_TRIAL = "A post to try a model with. It says nothing in particular."
_RETRY_SECONDS = 5.0
_LONGEST_REASON = 500
_LIST = "See /v1/models for those there are."
_NONE_BEFORE = "no other model was active before that is still there"
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


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What an activation or a rollback did: the version that answers from now on, and the one that did before."""

    version: str
    previous: str | None


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

    def summary(self, version: str) -> ModelSummary:
        """Return what is known of a version.

        Raises
        ------
        ModelNotFoundError
            There is no such version.
        ModelRefusedError
            Its bundle is damaged.
        """

    def activate(self, version: str) -> ModelChange:
        """Load and check a version, put it in the place of the one in use, and make it the active one.

        Raises
        ------
        ModelNotFoundError
            There is no such version.
        ModelRefusedError
            It cannot serve; nothing has changed.
        """

    def rollback(self) -> ModelChange:
        """Make the version active that was so before, in the same way.

        Raises
        ------
        ModelRefusedError
            There is none, or it cannot serve; nothing has changed.
        """


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

    def summary(self, version: str) -> ModelSummary:
        """Return what the model says of itself."""
        if version != self._tagger.version:
            raise ModelNotFoundError(f"there is no model {version!r}", hint=_LIST)
        return ModelSummary.of_tagger(self._tagger)

    def activate(self, version: str) -> ModelChange:
        """Return that it is the one in use."""
        return ModelChange(self.summary(version).version, self._tagger.version)

    def rollback(self) -> ModelChange:
        """Refuse: there was none before."""
        raise ModelRefusedError(_NONE_BEFORE, hint=_LIST)


class ModelRegistry(Protocol):
    """The part of ``classifiers.registry.Registry`` that the service uses."""

    def versions(self) -> list[str]:
        """Return every version."""

    def active(self) -> str:
        """Return the active version, or raise ``ModelNotFoundError``."""

    def path(self, version: str) -> Path:
        """Return the bundle's folder."""

    def activate(self, version: str) -> None:
        """Make a version the active one."""

    def previous(self) -> str | None:
        """Return the version that was active before."""

    def rollback(self) -> str:
        """Make that the active one and return it."""


class ActiveModel:
    """The registry's active model, loaded beside the one in use and put in its place in one step.

    ``watched`` is the file that names the active version, where there is one: while it stays as it is, a look
    costs one call of the system.
    """

    def __init__(
        self, registry: ModelRegistry, load: Callable[[Path], Tagger], watched: Path | None = None
    ) -> None:
        self._registry = registry
        self._load = load
        self._watched = watched
        self._summaries = SummaryShelf()
        self._loading = threading.Lock()
        self._served: tuple[str, Tagger] | None = None
        self._seen: object = None
        self._failed: tuple[object, float] = (None, 0.0)
        self._reported = ""

    @classmethod
    def of_folder(cls, models_path: Path) -> ActiveModel:
        """Return the active model of the registry in a folder."""
        registry = Registry(models_path)
        return cls(registry, Scorer.load, registry.active_file)

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
            mark = self._mark()
            if mark is not None and (mark == self._seen or self._failed_lately(mark)):
                return
            try:
                version = self._registry.active()
                if self._served is None or self._served[0] != version:
                    self._put(version, self._loaded(version))
                self._seen, self._reported = mark, ""
            except ModelNotFoundError as error:
                self._report(logging.INFO, "no active model", error)
            except (TalkingPointsError, OSError, ValueError) as error:
                self._failed = (mark, time.monotonic())
                self._report(logging.ERROR, "the active model cannot be loaded", error)

    def summary(self, version: str) -> ModelSummary:
        """Return what the bundle of a version says."""
        path = self._registry.path(version)
        try:
            return self._summaries.get(path)
        except (BundleError, OSError, ValueError) as error:
            raise _refused(version, path, error) from error

    def activate(self, version: str) -> ModelChange:
        """Load and check a version, make it the active one, and serve it."""
        with self._loading:
            return self._change(version, self._registry.activate)

    def rollback(self) -> ModelChange:
        """Load and check the version before, make it the active one, and serve it."""
        with self._loading:
            version = self._registry.previous()
            if version is None:
                raise ModelRefusedError(_NONE_BEFORE, hint=_LIST)
            return self._change(version, lambda _: self._registry.rollback())

    def _change(self, version: str, change: Callable[[str], str | None]) -> ModelChange:
        path = self._registry.path(version)
        before = self._served[0] if self._served else None
        try:
            tagger = self._loaded(version)
            done = change(version) or version
            if done != version:  # somebody else has changed it in the meantime
                version, tagger = done, self._loaded(done)
        except ModelNotFoundError:
            raise
        except (TalkingPointsError, OSError, ValueError) as error:
            raise _refused(version, path, error) from error
        self._put(version, tagger)
        return ModelChange(version, before)

    def _loaded(self, version: str) -> Tagger:
        """Load a version and try it, before anything else is asked of it."""
        path = self._registry.path(version)
        tagger = self._served[1] if self._served and self._served[0] == version else self._load(path)
        if tagger.version != version:
            raise BundleError(f"the folder holds another version, {tagger.version}", where=str(path))
        (prediction,) = tagger.predict([_TRIAL])
        if any(tag.score is not None and not 0 <= tag.score <= 1 for tag in prediction.tags):
            raise BundleError("the model gives scores that are no probabilities", where=str(path))
        return tagger

    def _put(self, version: str, tagger: Tagger) -> None:
        self._served = (version, tagger)
        _LOG.info("model loaded", extra={"fields": {"model_version": version}})

    def _mark(self) -> object:
        try:
            found = self._watched.stat() if self._watched else None
        except OSError:
            return None
        return found and (found.st_ino, found.st_mtime_ns, found.st_size)

    def _failed_lately(self, mark: object) -> bool:
        return mark == self._failed[0] and time.monotonic() - self._failed[1] < _RETRY_SECONDS

    def _report(self, level: int, message: str, error: Exception) -> None:
        # It is looked for every few seconds; one report is enough.
        if str(error) != self._reported:
            self._reported = str(error)
            _LOG.log(level, message, extra={"fields": {"reason": str(error)}})


def _refused(version: str, path: Path, error: Exception) -> ModelRefusedError:
    """Say why a bundle cannot be used, without the addresses of this machine."""
    if isinstance(error, TalkingPointsError):
        file = Path(error.where).name if error.where else ""
        reason = f"{file}: {error.problem}" if file and file != version else error.problem
    else:
        reason = type(error).__name__
    reason = reason.replace(f"{path}/", "").replace(str(path), version).replace(str(path.parent), "models")
    return ModelRefusedError(
        f"model {version}: {reason[:_LONGEST_REASON]}", hint="The model in use has not changed."
    )
