"""The trained model as a scikit-learn estimator, written with joblib.

Such a file is a pickle: loading it runs whatever is in it.  A bundle is data only and is what to pass on; the
estimator is for one's own notebooks and pipelines.  It is loaded where Talking Points is installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Self

import joblib
import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError

from annotations.files import atomic_path
from classifiers.bundle_reading import read_bundle
from classifiers.curves import decided
from classifiers.linear import LinearModel

Floats = npt.NDArray[np.float64]

WARNING: Final = (
    "This file is a pickle: loading it runs code. Load only files that you made yourself, "
    "and pass on bundles instead."
)


class TagClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A trained model over lists of texts, with one column a predicted tag (multilabel).

    Parameters
    ----------
    threshold
        Decide every tag at this probability; by default at its own threshold, with its abstain band as no.

    Attributes
    ----------
    classes_
        The predicted tags, in the order of all columns.
    thresholds_
        Their own thresholds, shape (n_tags,).
    refused_
        The tags that are not predicted, with the reason.
    model_version_, codebook_digest_
        Where it comes from.
    """

    def __init__(self, threshold: float | None = None) -> None:
        self.threshold = threshold

    @classmethod
    def from_bundle(cls, path: Path | str, threshold: float | None = None) -> Self:
        """Make the estimator of the bundle in the folder ``path``.

        Raises
        ------
        BundleError
            The bundle is not sound.
        """
        bundle = read_bundle(Path(path))
        made = cls(threshold)
        made._linear = bundle.model.linear
        rules = {rule.tag_id: rule for rule in bundle.model.rules}
        made._rules = tuple(rules[tag] for tag in bundle.model.linear.tag_ids)
        made.classes_ = np.array(bundle.model.linear.tag_ids, dtype=object)
        made.thresholds_ = np.array([rule.threshold for rule in made._rules], dtype=np.float64)
        made.refused_ = {rule.tag_id: rule.reason for rule in bundle.model.rules if not rule.predicted}
        made.model_version_ = bundle.manifest.version
        made.codebook_digest_ = bundle.model.codebook.digest
        return made

    def fit(self, X: Iterable[str], y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Do nothing: the model was trained by `talkingpoints train`, also in a search or a cross-validation."""
        self._trained()
        return self

    def decision_function(self, X: Iterable[str]) -> Floats:  # noqa: N803
        """Return the log-odds of texts, shape (n_texts, n_tags)."""
        if isinstance(X, str):
            raise ValueError("a list of texts is wanted, not one text")
        texts = list(X)
        if odd := [text for text in texts if not isinstance(text, str)]:
            raise ValueError(f"a text is wanted, not {type(odd[0]).__name__}")
        return self._trained().scores(texts)

    def predict_proba(self, X: Iterable[str]) -> Floats:  # noqa: N803
        """Return the probabilities of texts, shape (n_texts, n_tags)."""
        return np.asarray(expit(self.decision_function(X)))

    def predict(self, X: Iterable[str]) -> npt.NDArray[np.int64]:  # noqa: N803
        """Return 1 where a tag is decided yes, shape (n_texts, n_tags)."""
        scores = self.predict_proba(X)
        yes = decided(self._rules, scores) if self.threshold is None else scores >= self.threshold
        return yes.astype(np.int64)

    def _trained(self) -> LinearModel:
        linear: LinearModel | None = getattr(self, "_linear", None)
        if linear is None:
            raise NotFittedError("make this estimator with TagClassifier.from_bundle")
        return linear

    def __sklearn_is_fitted__(self) -> bool:
        return getattr(self, "_linear", None) is not None

    def __sklearn_clone__(self) -> Self:
        copy = type(self)(**self.get_params())
        copy.__dict__.update({name: value for name, value in vars(self).items() if name != "threshold"})
        return copy

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.classifier_tags.multi_label = True
        tags.requires_fit = False
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        linear: LinearModel | None = state.pop("_linear", None)
        if linear is not None:
            # Not the object: its memo of words has a lock.
            parts = (linear.blocks, linear.views, linear.combination, linear.tag_ids, linear.languages)
            state["_parts"] = parts
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        parts = state.pop("_parts", None)
        super().__setstate__(state)
        if parts is not None:
            self._linear = LinearModel(*parts)


def export_sklearn(bundle: Path, out: Path) -> TagClassifier:
    """Write the bundle's model to ``out`` with joblib, whole or not at all, and return it.

    Raises
    ------
    BundleError
        The bundle is not sound.
    FileError
        ``out`` cannot be written.
    """
    made = TagClassifier.from_bundle(bundle)
    with atomic_path(out) as temporary:
        joblib.dump(made, temporary, compress=3)
    return made
