"""What is exported: a revision of a post with all its annotations, and what one row of an export says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from annotations.errors import LabelsError
from annotations.records import Annotation, Span

NOT_ANALYSABLE = "not analysable"


class Status(StrEnum):
    """What is known of a post, or of one person's reading of it."""

    TAGGED = "tagged"
    """Read, and at least one tag applies."""
    NONE = "none"
    """Read, and no tag applies."""
    UNDECIDED = "undecided"
    """Read (gold only): no tag has a majority, and at least one has a tie."""
    NOT_ANALYSABLE = "not-analysable"
    """Looked at, and flagged as having no text to judge: it says yes or no to nothing."""
    SKIPPED = "skipped"
    """Looked at and passed over."""
    UNSEEN = "unseen"
    """Nobody has annotated it."""

    @property
    def is_judged(self) -> bool:
        """Tell whether a tag that is not named is thereby a no."""
        return self in (Status.TAGGED, Status.NONE, Status.UNDECIDED)


class Provenance(StrEnum):
    """How the readings of a post bear out a value of gold; of several tags the weakest counts."""

    SINGLE = "single"
    UNANIMOUS = "unanimous"
    MAJORITY = "majority"
    TIE = "tie"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One revision of a post and its annotations: one an annotator, none where nobody has seen it.

    ``date`` is the post's; of a labels file, what all its lines about the post give, None where they differ.
    ``lang``, ``forwarded_from``, ``links`` and ``duplicate_of`` are known only where the ledger has the post.
    """

    post_id: str
    revision: str
    text: str
    channel: str
    date: datetime | None = None
    lang: str | None = None
    forwarded_from: str | None = None
    links: tuple[str, ...] = ()
    duplicate_of: str | None = None
    annotations: tuple[Annotation, ...] = ()

    def date_of(self, reading: Reading) -> datetime | None:
        """Return the post's date, or the one that the reading's own line gives."""
        return self.date or (reading.annotation.date if reading.annotation else None)

    @property
    def key(self) -> tuple[str, str]:
        """What the entry is known by: the post and its revision."""
        return self.post_id, self.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """How many of a post's readers ticked a tag, and what that makes of its gold value."""

    n_yes: int
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One row: what one annotator says of a post, what gold says, or that nobody has seen it.

    ``tags`` holds the tags that apply, with their evidence; ``tied`` those about which gold says nothing.
    ``n_annotators``, ``provenance`` and ``votes`` (the tags that anybody ticked) are gold's only.
    """

    status: Status
    annotator: str | None = None
    tags: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    tied: Collection[str] = ()
    flags: tuple[str, ...] = ()
    comment: str = ""
    codebook: str | None = None
    lead_time: float | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    annotation: Annotation | None = None
    n_annotators: int | None = None
    provenance: Provenance | None = None
    votes: Mapping[str, Vote] = field(default_factory=dict)

    def value(self, tag_id: str, retired: Collection[str] = ()) -> bool | None:
        """Return whether a tag applies; None where the reading does not say, or could not (a retired tag)."""
        if tag_id in self.tags:
            return True
        if not self.status.is_judged or tag_id in self.tied or tag_id in retired:
            return None
        return False

    def provenance_of(self, tag_id: str) -> Provenance | None:
        """Return how gold's value of one tag came about; None where nobody has read the post."""
        if vote := self.votes.get(tag_id):
            return vote.provenance
        if not self.n_annotators:
            return None
        return Provenance.SINGLE if self.n_annotators == 1 else Provenance.UNANIMOUS


def is_unanalysable(annotation: Annotation) -> bool:
    """Tell whether an annotator flagged the post as having no text to judge."""
    return any(_plain(flag) == NOT_ANALYSABLE for flag in annotation.flags)


def status_of(annotation: Annotation) -> Status:
    """Return what an annotation says of its post as a whole."""
    if annotation.skipped:
        return Status.SKIPPED
    if is_unanalysable(annotation):
        return Status.NOT_ANALYSABLE
    return Status.TAGGED if annotation.tags else Status.NONE


def readings(entry: Entry) -> list[Reading]:
    """Return a reading an annotator, or the one that says that nobody has seen the post."""
    if not entry.annotations:
        return [Reading(status=Status.UNSEEN)]
    return [
        Reading(
            status=status_of(each),
            annotator=each.annotator,
            tags=each.tags,
            flags=each.flags,
            comment=each.comment,
            codebook=each.codebook,
            lead_time=each.lead_time,
            origin=each.origin,
            annotation=each,
        )
        for each in entry.annotations
    ]


def check_entry(entry: Entry, tag_ids: Collection[str]) -> None:
    """Refuse what cannot be exported.

    Raises
    ------
    LabelsError
        An annotation bears a tag that the codebook does not have, a span lies outside the text, or a text
        holds half of a surrogate pair, which none of the formats can hold so that others read it.
    """
    for name, text in _texts(entry):
        if not text.isascii():
            _check_text(entry, name, text)
    for annotation in entry.annotations:
        for tag, spans in annotation.tags.items():
            if tag not in tag_ids:
                raise LabelsError(
                    f"{_shown(annotation.annotator)} gave the tag '{_shown(tag)}', which the codebook in use lacks",
                    where=f"post {_shown(entry.post_id)}",
                    hint="Name the codebook that the labels were made with: TALKINGPOINTS_CODEBOOK.",
                )
            if outside := [span for span in spans if not span.fits(annotation.text)]:
                raise LabelsError(
                    f"evidence of '{tag}' outside the text: {outside[0].start}-{outside[0].end}",
                    where=f"post {_shown(entry.post_id)}, annotator {_shown(annotation.annotator)}",
                )


def _texts(entry: Entry) -> Iterator[tuple[str, str]]:
    yield from (("post_id", entry.post_id), ("text", entry.text), ("channel", entry.channel))
    yield from (("forwarded_from", entry.forwarded_from or ""), ("lang", entry.lang or ""))
    yield from (("links", link) for link in entry.links)
    for annotation in entry.annotations:
        yield from (("annotator", annotation.annotator), ("comment", annotation.comment))
        yield from (("codebook", annotation.codebook or ""), *(("flags", flag) for flag in annotation.flags))


def _check_text(entry: Entry, name: str, text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise LabelsError(
            f"{name}: holds half of a surrogate pair at character {error.start + 1}, which no export can hold",
            where=f"post {_shown(entry.post_id)}",
            hint="Replace it; `talkingpoints import` writes U+FFFD in its place.",
        ) from error


def _shown(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(flag: str) -> str:
    return flag.casefold().replace("-", " ").replace("_", " ")
