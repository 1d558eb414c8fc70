"""What a share is estimated from: tagged posts with scores of models that had not seen them, and people's verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from annotations.codebook import Codebook
from annotations.ledger.samples import StoredSample
from annotations.records import Annotation, text_digest
from classifiers.bundle_documents import read_out_of_fold
from classifiers.bundle_reading import read_manifest, read_thresholds
from classifiers.dataset import Dataset, is_usable
from classifiers.errors import ModelNotFoundError
from classifiers.prevalence.design import sample_weights, simple_weights
from classifiers.prevalence.estimating import Verdicts
from classifiers.prevalence.tagged import TaggedPosts
from classifiers.registry import Registry
from classifiers.sampling import Quota
from classifiers.thresholds import TagRule
from service.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """What people said, and how the posts that they read were chosen.

    ``first_annotated`` is when each post was read first; ``sample`` takes one sample alone; ``drawn`` says that the
    labelled posts are a simple random sample of all posts.
    """

    annotations: Sequence[Annotation]
    codebook: Codebook
    samples: Sequence[StoredSample] = ()
    first_annotated: Mapping[str, datetime]
    sample: int | None = None
    drawn: bool = False


def corrected(
    tagged: TaggedPosts, known: Labelling, bundle: Path | None
) -> tuple[TaggedPosts, Verdicts, list[str]]:
    """Return the posts with scores of models that had not seen them, the verdicts, and warnings.

    ``bundle`` is that of the model which gave the scores, None where it is not at hand.
    """
    annotations = known.annotations
    tagged, warnings = _unseen(tagged, annotations, bundle)
    if not any(map(is_usable, annotations)):
        return tagged, Verdicts.none(), warnings
    dataset, outdated = _present(Dataset.from_annotations(annotations, known.codebook), tagged)
    labelled = frozenset(dataset.post_ids) & frozenset(tagged.post_ids)
    if known.drawn:
        weights = simple_weights(labelled, len(set(tagged.clusters)))
    else:
        weights = sample_weights(known.samples, labelled, known.first_annotated, known.sample)
    verdicts = Verdicts.of(dataset, weights)
    return tagged, verdicts, [*warnings, *outdated, *_skipped(annotations, known.samples)]


def bundle_of(settings: Settings, version: str | None, model: Path | None) -> Path | None:
    """Return the bundle of the model that made the scores, None where it is not here."""
    try:
        bundle = model or Registry(settings.workspace.models_path).path(version or "")
    except ModelNotFoundError:
        return None
    return bundle if read_manifest(bundle).version == version else None


def _present(dataset: Dataset, tagged: TaggedPosts) -> tuple[Dataset, list[str]]:
    """Leave out verdicts on texts that the posts no longer have; one revision a post."""
    now = dict(zip(tagged.post_ids, tagged.revisions, strict=True)) if tagged.revisions else {}
    row_of = {
        post_id: row
        for row, (post_id, revision) in enumerate(zip(dataset.post_ids, dataset.revisions, strict=True))
        if (now.get(post_id) or revision) == revision
    }
    left_out = len(set(dataset.post_ids)) - len(row_of)
    warnings = (
        [f"{left_out:,} posts have changed since they were labelled and do not count."] if left_out else []
    )
    return dataset.subset(list(row_of.values())), warnings


def _unseen(
    tagged: TaggedPosts, annotations: Sequence[Annotation], bundle: Path | None
) -> tuple[TaggedPosts, list[str]]:
    """Replace the scores of the model's training posts by those of models that had not seen them."""
    unknown = (
        "It is not known which posts the model learnt from: if labelled posts are among them, its scores of these"
        " are too good, and intervals too narrow. Name its bundle with --model, or train again."
    )
    known = None if bundle is None else read_out_of_fold(bundle)
    if bundle is None or known is None:
        return tagged, [unknown]
    revision_of = {each.post_id: text_digest(each.text) for each in annotations}
    revisions = tagged.revisions or [""] * len(tagged)
    names = [
        revision or revision_of.get(post_id, "")
        for post_id, revision in zip(tagged.post_ids, revisions, strict=True)
    ]
    rules = {each.tag_id: TagRule(**each.model_dump()) for each in read_thresholds(bundle).tags}
    return tagged.unseen(known, rules, names), []


def _skipped(annotations: Sequence[Annotation], samples: Sequence[StoredSample]) -> list[str]:
    """Say how many drawn posts nobody could analyse."""
    read = {each.post_id for each in annotations}
    usable = {each.post_id for each in annotations if is_usable(each)}
    drawn = {each.post_id for sample in samples for each in sample.posts if each.quota == Quota.RANDOM}
    count = len(drawn & read - usable)
    if not count:
        return []
    return [
        f"{count:,} posts drawn at random were skipped or not analysable: shares are of posts that can be."
    ]
