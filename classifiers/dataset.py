"""From annotations to what a classifier learns from: posts, label shares, evidence and groups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from annotations.codebook import Codebook
from annotations.records import Annotation, Span, text_digest
from classifiers.errors import DatasetError
from classifiers.groups import near_duplicate_groups

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Evidence = dict[str, tuple[Span, ...]]


class Provenance(IntEnum):
    """How the annotators of a post agree on one tag."""

    UNANIMOUS = 0
    MAJORITY = 1
    TIE = 2


@dataclass(frozen=True, slots=True)
class Dataset:
    """Posts with what their annotators say, one row a post and revision, ordered by post id and revision.

    Attributes
    ----------
    shares
        Shape (n_posts, n_tags), the share of a post's annotators that ticked the tag.
    n_annotators
        Shape (n_posts,).
    evidence
        For every post, tag id -> the spans of all its annotators, sorted, without repetition.
    groups
        Shape (n_posts,); posts of one group are near-duplicates or revisions and never parted by a split.
    codebooks
        The codebook digests that the annotations name.
    dates
        When each post was published; None where that is not known.
    """

    post_ids: tuple[str, ...]
    revisions: tuple[str, ...]
    texts: tuple[str, ...]
    tag_ids: tuple[str, ...]
    shares: Floats
    n_annotators: npt.NDArray[np.int64]
    evidence: tuple[Evidence, ...]
    groups: npt.NDArray[np.int64]
    codebooks: tuple[str, ...] = ()
    dates: tuple[datetime | None, ...] = ()

    @classmethod
    def from_annotations(
        cls, annotations: Iterable[Annotation], codebook: Codebook, *, mixed_codebooks: bool = False
    ) -> Dataset:
        """Gather annotations by post and revision.

        Skipped ones and ones flagged "Not analysable" are left out; those that tick nothing are kept.  Of
        several by one annotator on a revision the last in the order given counts.

        Raises
        ------
        DatasetError
            Nothing usable, an unknown tag, a span outside its text, two texts for one revision, or labels
            made with different codebooks unless ``mixed_codebooks`` says that this is wanted.
        """
        usable = [each for each in annotations if is_usable(each)]
        if not usable:
            raise DatasetError(
                "no annotation to learn from",
                hint="Skipped posts and posts flagged 'Not analysable' do not count.",
            )
        digests = _check(usable, codebook, mixed_codebooks)
        return _gather(usable, codebook.tag_ids, digests)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def gold(self) -> Bools:
        """Shape (n_posts, n_tags): ticked by a strict majority of the post's annotators.

        A tie is not gold.
        """
        return self.shares > 0.5

    @property
    def provenance(self) -> npt.NDArray[np.int8]:
        """Shape (n_posts, n_tags): the :class:`Provenance` of every gold value."""
        kinds = np.full(self.shares.shape, Provenance.MAJORITY, dtype=np.int8)
        kinds[(self.shares == 0) | (self.shares == 1)] = Provenance.UNANIMOUS
        kinds[self.shares == 0.5] = Provenance.TIE
        return kinds

    @property
    def digest(self) -> str:
        """16 hex digits over everything that training sees: texts, tags, shares, evidence, in order."""
        seen = hashlib.sha256(json.dumps(self.tag_ids).encode())
        for row, text in enumerate(self.texts):
            spans = {
                tag: [(s.start, s.end) for s in found] for tag, found in sorted(self.evidence[row].items())
            }
            shares = {
                tag: float(share) for tag, share in zip(self.tag_ids, self.shares[row], strict=True) if share
            }
            line = [self.post_ids[row], text, int(self.n_annotators[row]), shares, spans]
            seen.update(json.dumps(line, sort_keys=True).encode() + b"\n")
        return seen.hexdigest()[:16]

    def subset(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Dataset:
        """Return the posts at ``rows``, in that order."""
        chosen = [int(row) for row in rows]
        return Dataset(
            post_ids=tuple(self.post_ids[row] for row in chosen),
            revisions=tuple(self.revisions[row] for row in chosen),
            texts=tuple(self.texts[row] for row in chosen),
            tag_ids=self.tag_ids,
            shares=self.shares[chosen],
            n_annotators=self.n_annotators[chosen],
            evidence=tuple(self.evidence[row] for row in chosen),
            groups=self.groups[chosen],
            codebooks=self.codebooks,
            dates=tuple(self.dates[row] for row in chosen) if self.dates else (),
        )


def is_usable(annotation: Annotation) -> bool:
    """Tell whether an annotation counts: it is not skipped and not flagged "Not analysable"."""
    return not annotation.skipped and not _not_analysable(annotation.flags)


def _not_analysable(flags: Collection[str]) -> bool:
    return any(flag.casefold().replace("-", " ").replace("_", " ") == "not analysable" for flag in flags)


def _revision(annotation: Annotation) -> str:
    return annotation.revision or text_digest(annotation.text)


def _check(annotations: Sequence[Annotation], codebook: Codebook, mixed_codebooks: bool) -> tuple[str, ...]:
    """Refuse what cannot be learnt from; return the codebook digests named."""
    known = set(codebook.tag_ids)
    texts: dict[tuple[str, str], str] = {}
    for each in annotations:
        where = f"post {each.post_id}, annotator {each.annotator}"
        if unknown := sorted(set(each.tags) - known):
            raise DatasetError(
                f"unknown tag {unknown[0]!r}",
                where=where,
                hint="Use the codebook that the labels were made with.",
            )
        for tag, spans in each.tags.items():
            if outside := [span for span in spans if not span.fits(each.text)]:
                raise DatasetError(
                    f"evidence of {tag!r} outside the text: {outside[0].start}-{outside[0].end}", where=where
                )
        if any("\ud800" <= char <= "\udfff" for char in each.text):
            raise DatasetError("the text is not valid Unicode (a lone surrogate)", where=where)
        if texts.setdefault((each.post_id, _revision(each)), each.text) != each.text:
            raise DatasetError("two different texts bear the same post id and revision", where=where)
    digests = tuple(sorted({each.codebook for each in annotations if each.codebook}))
    if len(digests) == 1 and digests[0] != codebook.digest and not mixed_codebooks:
        raise DatasetError(
            f"the labels were made under codebook {digests[0]}, and the one in use is {codebook.digest}",
            hint=f"See what changed and carry the labels over: talkingpoints codebook migrate {digests[0]} NEW",
        )
    if len(digests) > 1 and not mixed_codebooks:
        raise DatasetError(
            f"labels made with {len(digests)} different codebooks: {', '.join(digests)}",
            hint="Bring them to one codebook: talkingpoints codebook migrate OLD NEW.",
        )
    return digests


def _gather(annotations: Sequence[Annotation], tag_ids: tuple[str, ...], digests: tuple[str, ...]) -> Dataset:
    gathered: dict[tuple[str, str], dict[str, Annotation]] = {}
    for each in annotations:
        readers = gathered.setdefault((each.post_id, _revision(each)), {})
        readers.pop(each.annotator, None)
        readers[each.annotator] = each
    by_post = dict(sorted(gathered.items()))
    column = {tag: number for number, tag in enumerate(tag_ids)}
    shares = np.zeros((len(by_post), len(tag_ids)))
    evidence: list[Evidence] = []
    texts: list[str] = []
    for row, readers in enumerate(by_post.values()):
        spans: dict[str, set[Span]] = {}
        for each in readers.values():
            for tag, found in each.tags.items():
                shares[row, column[tag]] += 1 / len(readers)
                spans.setdefault(tag, set()).update(found)
        shares[row] = np.round(shares[row], 12)
        evidence.append({tag: tuple(sorted(spans[tag])) for tag in tag_ids if spans.get(tag)})
        texts.append(next(iter(readers.values())).text)
    post_ids = tuple(post_id for post_id, _ in by_post)
    return Dataset(
        post_ids=post_ids,
        revisions=tuple(revision for _, revision in by_post),
        texts=tuple(texts),
        tag_ids=tag_ids,
        shares=shares,
        n_annotators=np.array([len(readers) for readers in by_post.values()], dtype=np.int64),
        evidence=tuple(evidence),
        groups=near_duplicate_groups(texts, post_ids),
        codebooks=digests,
        dates=tuple(_date(list(readers.values())) for readers in by_post.values()),
    )


def _date(readers: Sequence[Annotation]) -> datetime | None:
    """Return the date of a post, the earliest where its annotations differ."""
    return min((each.date for each in readers if each.date), default=None)
