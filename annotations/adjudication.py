"""From several annotators to one answer: consensus, what stays open, and gold that says where it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from annotations.agreement.sets import masi_distance
from annotations.dawid_skene import dawid_skene
from annotations.errors import LabelsError
from annotations.files import atomic_text
from annotations.labels import annotation_from_dict, annotation_to_dict
from annotations.records import Annotation, Span

Key = tuple[str, str]
"""(post_id, revision)."""

GOLD = "gold"
"""The name that stands in gold for the annotator."""

SURE = 0.9
"""How probable an answer of Dawid and Skene must be to settle a tag."""

_SMOOTHING = 0.5
_MIN_RATERS = 3


class Method(StrEnum):
    """How annotators become one."""

    UNANIMOUS = "unanimous"
    MAJORITY = "majority"
    DAWID_SKENE = "dawid-skene"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """One tag set for a post.

    Attributes
    ----------
    annotation
        The tags with their evidence, under the name ``gold``.
    provenance
        ``single`` (one annotator), ``unanimous``, ``majority``, ``dawid-skene`` or ``adjudicated``: for consensus the
        weakest that any of its tags took.
    decided_by
        The annotators it rests on; the adjudicator alone where it is adjudicated.
    confidence
        The least probability of any of its tags, by Dawid and Skene; None for the other methods.
    """

    annotation: Annotation
    provenance: str
    decided_by: tuple[str, ...]
    confidence: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the line of the gold file: one of labels.jsonl with three keys more."""
        more = {"provenance": self.provenance, "decided_by": list(self.decided_by)}
        content = annotation_to_dict(self.annotation) | more
        return content if self.confidence is None else content | {"confidence": round(self.confidence, 4)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one side says of a post: an annotator, or a model."""

    name: str
    tags: Mapping[str, tuple[Span, ...]]
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A post that somebody has to decide.

    Attributes
    ----------
    post
        An annotation of the post: its id, revision, text and date.
    sides
        Who says what.
    disputed
        The tags to be decided.
    distance
        How far the sides are apart: the mean MASI distance of their tag sets, 0 to 1.
    reason
        Why it is asked.
    """

    post: Annotation
    sides: tuple[Side, ...]
    disputed: tuple[str, ...]
    distance: float
    reason: str

    @property
    def key(self) -> Key:
        """The post and its revision."""
        return self.post.post_id, self.post.revision

    @property
    def agreed(self) -> dict[str, tuple[Span, ...]]:
        """The tags that no side disputes, with everybody's evidence."""
        common = [tag for tag in self.sides[0].tags if all(tag in side.tags for side in self.sides)]
        return {
            tag: _evidence([side.tags for side in self.sides], tag)
            for tag in common
            if tag not in self.disputed
        }


@dataclass(frozen=True, slots=True)
class Consensus:
    """What is settled, and what is not."""

    gold: tuple[Gold, ...]
    open: tuple[Question, ...] = field(default=())


def disagreements(annotations: Iterable[Annotation], tag_ids: Sequence[str]) -> list[Question]:
    """Return the posts on whose tags annotators differ, those that are furthest apart first.

    Of several annotations of a post by one annotator the last counts; skipped ones do not.
    """
    questions = [
        found
        for readers in _by_post(annotations).values()
        if (found := _question(readers, tag_ids)) is not None
    ]
    return sorted(questions, key=lambda question: (-question.distance, question.key))


def consensus(
    annotations: Iterable[Annotation], tag_ids: Sequence[str], method: Method = Method.MAJORITY
) -> Consensus:
    """Make one answer of several, post by post; a post with an open tag is not gold.

    Unanimous: every tag is given by all annotators or by none.  Majority: by more than half or by fewer.
    Dawid-Skene: as probable as ``SURE``, or as improbable, by the error rates of the annotators.

    Raises
    ------
    LabelsError
        Annotations were made under different codebooks, or Dawid-Skene has fewer than three annotators.
    """
    posts = _by_post(annotations)
    _refuse_mixed(posts)
    sure = _probabilities(posts, tag_ids) if method is Method.DAWID_SKENE else {}
    gold, questions = [], []
    for key, readers in posts.items():
        question = _question(readers, tag_ids)
        settled = _settled(readers, tag_ids, method, sure.get(key))
        if settled is None and question is not None:
            questions.append(question)
        elif settled is not None:
            gold.append(settled)
    return Consensus(tuple(gold), tuple(sorted(questions, key=lambda each: (-each.distance, each.key))))


def with_verdicts(found: Consensus, verdicts: Iterable[Annotation]) -> Consensus:
    """Put the verdicts of adjudicators in the place of consensus and of open questions; the last on a post counts."""
    decided = {
        (each.post_id, each.revision): Gold(
            annotation=replace(each, annotator=GOLD), provenance="adjudicated", decided_by=(each.annotator,)
        )
        for each in verdicts
        if not each.skipped
    }
    gold = {(each.annotation.post_id, each.annotation.revision): each for each in found.gold} | decided
    return Consensus(tuple(gold.values()), tuple(each for each in found.open if each.key not in decided))


def write_gold(path: Path, gold: Iterable[Gold]) -> int:
    """Write gold as labels.jsonl (whole or not at all), with provenance on each line, and return how many.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    count = 0
    with atomic_text(path) as stream:
        for each in gold:
            annotation_from_dict(annotation_to_dict(each.annotation))
            stream.write(json.dumps(each.to_dict(), ensure_ascii=True, allow_nan=False) + "\n")
            count += 1
    return count


def _by_post(annotations: Iterable[Annotation]) -> dict[Key, list[Annotation]]:
    posts: dict[Key, dict[str, Annotation]] = {}
    for each in annotations:
        posts.setdefault((each.post_id, each.revision), {})[each.annotator] = each
    kept = {
        key: [each for each in readers.values() if not each.skipped] for key, readers in sorted(posts.items())
    }
    return {key: readers for key, readers in kept.items() if readers}


def _refuse_mixed(posts: Mapping[Key, Sequence[Annotation]]) -> None:
    digests = sorted({each.codebook for readers in posts.values() for each in readers if each.codebook})
    if len(digests) > 1:
        raise LabelsError(
            f"labels made with {len(digests)} different codebooks: {', '.join(digests)}",
            hint="Bring them to one codebook: talkingpoints codebook migrate OLD NEW.",
        )


def _question(readers: Sequence[Annotation], tag_ids: Sequence[str]) -> Question | None:
    disputed = tuple(tag for tag in tag_ids if 0 < sum(tag in each.tags for each in readers) < len(readers))
    if not disputed:
        return None
    sets = [frozenset(each.tags) for each in readers]
    pairs = [masi_distance(one, other) for n, one in enumerate(sets) for other in sets[n + 1 :]]
    sides = tuple(Side(name=each.annotator, tags=each.tags, comment=each.comment) for each in readers)
    reason = "annotators differ on " + ", ".join(disputed)
    return Question(
        post=readers[0], sides=sides, disputed=disputed, distance=float(np.mean(pairs)), reason=reason
    )


def _settled(
    readers: Sequence[Annotation], tag_ids: Sequence[str], method: Method, sure: Mapping[str, float] | None
) -> Gold | None:
    """Return the gold of a post, None where a tag of it is open."""
    shares = {tag: sum(tag in each.tags for each in readers) / len(readers) for tag in tag_ids}
    is_unanimous = all(share in (0, 1) for share in shares.values())
    provenance, confidence = "unanimous" if len(readers) > 1 else "single", None
    if sure is not None:
        confidence = min((max(value, 1 - value) for value in sure.values()), default=1.0)
        provenance = method.value
        if confidence < SURE:
            return None
        shares = dict(sure)
    elif not is_unanimous:
        if method is not Method.MAJORITY or 0.5 in shares.values():
            return None
        provenance = method.value
    tags = {tag: _evidence([each.tags for each in readers], tag) for tag in tag_ids if shares[tag] > 0.5}
    flags = tuple(flag for flag in readers[0].flags if all(flag in each.flags for each in readers))
    base = readers[0]
    annotation = Annotation(
        post_id=base.post_id,
        annotator=GOLD,
        text=base.text,
        tags=tags,
        date=base.date,
        flags=flags,
        revision=base.revision,
        codebook=base.codebook,
    )
    decided_by = tuple(sorted(each.annotator for each in readers))
    return Gold(annotation=annotation, provenance=provenance, decided_by=decided_by, confidence=confidence)


def _evidence(sides: Sequence[Mapping[str, tuple[Span, ...]]], tag: str) -> tuple[Span, ...]:
    return tuple(sorted({span for tags in sides for span in tags.get(tag, ())}))


def _probabilities(
    posts: Mapping[Key, Sequence[Annotation]], tag_ids: Sequence[str]
) -> dict[Key, dict[str, float]]:
    names = sorted({each.annotator for readers in posts.values() for each in readers})
    if len(names) < _MIN_RATERS:
        raise LabelsError(
            f"Dawid-Skene needs three annotators or more to tell who errs, not {len(names)}",
            hint="Use --method majority, and settle what stays open by hand.",
        )
    column = {name: number for number, name in enumerate(names)}
    sure: dict[Key, dict[str, float]] = {key: {} for key in posts}
    for tag in tag_ids:
        counts = np.zeros((len(posts), len(names), 2))
        for row, readers in enumerate(posts.values()):
            for each in readers:
                counts[row, column[each.annotator], int(tag in each.tags)] = 1
        answers = counts.sum(axis=(0, 1))
        # A tag that all or none gave everywhere has no errors to estimate.
        yes = (
            dawid_skene(counts, smoothing=_SMOOTHING).classes[:, 1]
            if answers.all()
            else (answers[0] == 0) * np.ones(len(posts))
        )
        for key, value in zip(posts, yes, strict=True):
            sure[key][tag] = float(value)
    return sure
