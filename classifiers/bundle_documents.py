"""What lies in a bundle for people and for comparisons: cards, plots, and the scores of the training posts.

None of it enters a score, so none of it is part of the bundle's digest, which names what predicts.  Each is
checked against a digest of its own all the same, and no other names are allowed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from annotations.records import text_digest
from classifiers.bundle_reading import read_document
from classifiers.dataset import Dataset
from classifiers.errors import BundleError
from classifiers.manifest import OUT_OF_FOLD
from classifiers.training import TrainedModel

Floats = npt.NDArray[np.float64]

_DIGITS = 4


class _Scores(BaseModel):
    """``out-of-fold.json``: the log-odds of every training post by models that had not seen it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    tags: Annotated[list[str], Field(min_length=1, max_length=2000)]
    posts: list[Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]]
    log_odds: list[list[float]]

    @model_validator(mode="after")
    def _of_one_shape(self) -> _Scores:
        if len(self.posts) != len(self.log_odds) or any(len(row) != len(self.tags) for row in self.log_odds):
            raise ValueError("the scores are not one a post and tag")
        return self


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """The training posts of a model: for the digest of each text its row in ``log_odds`` (n_posts, n_tags)."""

    tag_ids: tuple[str, ...]
    row_of: dict[str, int]
    log_odds: Floats


def dump_out_of_fold(trained: TrainedModel, dataset: Dataset) -> str:
    """Return the content of ``out-of-fold.json``: texts by their digests, predicted tags alone."""
    kept = [k for k, rule in enumerate(trained.model.rules) if rule.predicted]
    rows = np.round(trained.out_of_fold[:, kept], _DIGITS).tolist()
    lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
    tags = json.dumps([trained.model.rules[k].tag_id for k in kept])
    posts = json.dumps([text_digest(text) for text in dataset.texts])
    return f'{{"tags": {tags},\n"posts": {posts},\n"log_odds": [\n{lines}\n]}}\n'


def read_out_of_fold(bundle: Path) -> OutOfFold | None:
    """Read which posts a bundle was trained on, with their scores; None for a bundle that does not say.

    Raises
    ------
    BundleError
        The bundle is damaged.
    """
    data = read_document(bundle, OUT_OF_FOLD)
    if data is None:
        return None
    try:
        found = _Scores.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BundleError(f"holds no scores: {first['msg']}", where=str(bundle / OUT_OF_FOLD)) from error
    scores = np.array(found.log_odds, dtype=np.float64).reshape(len(found.posts), len(found.tags))
    row_of = {post: row for row, post in enumerate(found.posts)}
    return OutOfFold(tuple(found.tags), row_of, scores)
