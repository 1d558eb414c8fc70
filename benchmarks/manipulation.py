"""The UNLP 2025 shared task: ten techniques of manipulation in Ukrainian and Russian posts, as labels of this project.

The task's trigger words bear no technique of their own; here they are evidence of every technique of their post.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from annotations.codebook import Codebook, load_codebook
from annotations.records import Annotation, Span
from classifiers.dataset import Dataset


def techniques() -> Codebook:
    """Return the ten techniques, with cues."""
    return load_codebook(Path(__file__).with_name("manipulation.yaml"))


def read_posts(train_path: Path, codebook: Codebook) -> list[Annotation]:
    """Return the task's training posts."""
    found = []
    for post in pd.read_parquet(train_path).itertuples():
        spans = [Span(int(start), int(end)) for start, end in _listed(post.trigger_words)]
        evidence = tuple(sorted({span for span in spans if span.fits(post.content)}))
        tags = [technique.replace("_", "-") for technique in _listed(post.techniques)]
        if unknown := set(tags) - set(codebook.tag_ids):
            raise ValueError(f"post {post.id}: unknown technique {min(unknown)}")
        found.append(
            Annotation(
                post_id=str(post.id), annotator="task", text=post.content, tags=dict.fromkeys(tags, evidence)
            )
        )
    return found


def read_folds(folds_path: Path, dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return the fold of every post of the dataset, from a table with the columns ``id`` and ``fold``."""
    fold = pd.read_csv(folds_path).set_index("id").fold
    return np.array([fold.loc[post_id] for post_id in dataset.post_ids], dtype=np.int64)


def _listed(value: object) -> list:  # type: ignore[type-arg]
    return [] if value is None else list(value)  # type: ignore[call-overload]
