"""Training and test posts of an exported dataset: near-duplicates are never parted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from annotations.errors import LabelsError
from annotations.exporting.dataset_folder import TRAIN
from annotations.exporting.entries import Entry
from annotations.exporting.sources import Source
from annotations.progress import Progress, silent
from classifiers.groups import near_duplicate_groups

TEST = "test"
_SCALE = 2**64


@dataclass(frozen=True, slots=True)
class GroupedSplit:
    """The revisions that are test posts; everything else is for training."""

    known: frozenset[str]
    test: frozenset[str]

    def __call__(self, entry: Entry) -> str:
        """Return the split of a post.

        Raises
        ------
        LabelsError
            The post was annotated only after the splits were made, so that its group is not known.
        """
        if entry.revision not in self.known:
            raise LabelsError(
                "annotations arrived while they were exported", hint="Run the export again, after the pull."
            )
        return TEST if entry.revision in self.test else TRAIN


def grouped_split(source: Source, test_share: float, progress: Progress = silent) -> Callable[[Entry], str]:
    """Return what splits the annotated posts of a source, about ``test_share`` (0 to 1) of the groups for testing.

    Near-duplicates and revisions of one post are one group (``classifiers.groups``).  Chance decides on each
    group by itself, by the digest of one of its texts: in a dataset that grows, a post stays where it was, unless
    a new post joins two groups.  Where nothing would be left for training, or for testing, all is for training.
    """
    texts: list[str] = []
    post_ids: list[str] = []
    revisions: list[str] = []
    for number, entry in enumerate(source, start=1):
        progress(number, None)
        if entry.annotations:
            texts.append(entry.text)
            post_ids.append(entry.post_id)
            revisions.append(entry.revision)
    groups = near_duplicate_groups(texts, post_ids)
    names: dict[int, str] = {}
    for group, revision in zip(groups.tolist(), revisions, strict=True):
        names[group] = min(names.get(group, revision), revision)
    drawn = {group for group, name in names.items() if _chance(name) < test_share}
    if len(drawn) == len(names):
        drawn = set()
    test = {revision for group, revision in zip(groups.tolist(), revisions, strict=True) if group in drawn}
    return GroupedSplit(frozenset(revisions), frozenset(test))


def _chance(name: str) -> float:
    """Return a number from 0 to 1 that the name decides."""
    return int.from_bytes(hashlib.sha256(b"split " + name.encode()).digest()[:8]) / _SCALE
