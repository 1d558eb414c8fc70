"""Gold: one set of tags a post, by a strict majority of those who read it, with how it came about.

A skipped annotation and one flagged "Not analysable" are no readings. A tie is not gold: neither yes nor no.
"""

from __future__ import annotations

from collections import Counter

from annotations.errors import LabelsError
from annotations.exporting.entries import Entry, Provenance, Reading, Status, Vote, is_unanalysable
from annotations.records import Annotation, Span

_ORDER = tuple(Provenance)


def gold_reading(entry: Entry) -> Reading:
    """Return gold for one post.

    The evidence of a tag is that of everybody who ticked it; flags are those that any of its readers set.

    Raises
    ------
    LabelsError
        The post was read by different codebooks: what one says no to, another may not have.
    """
    read = [each for each in entry.annotations if not each.skipped and not is_unanalysable(each)]
    digests = {each.codebook for each in read if each.codebook}
    if len(digests) > 1:
        raise LabelsError(
            f"was annotated by {len(digests)} different codebooks: {', '.join(sorted(digests))}",
            where=f"post {entry.post_id}",
            hint="Export per annotator, or run `talkingpoints pull`, which reads all annotations by the one in use.",
        )
    counts = Counter(tag for each in read for tag in each.tags)
    votes = {tag: Vote(n_yes=n, provenance=_provenance(n, len(read))) for tag, n in counts.items()}
    tags = {tag: _evidence(tag, read) for tag, vote in votes.items() if 2 * vote.n_yes > len(read)}
    tied = tuple(tag for tag, vote in votes.items() if vote.provenance is Provenance.TIE)
    return Reading(
        status=_status(entry, read, tags, tied),
        tags=tags,
        tied=tied,
        flags=tuple(dict.fromkeys(flag for each in read or entry.annotations for flag in each.flags)),
        codebook=next(iter(digests), None),
        n_annotators=len(read),
        provenance=_weakest(votes, len(read)),
        votes=votes,
    )


def _status(
    entry: Entry, read: list[Annotation], tags: dict[str, tuple[Span, ...]], tied: tuple[str, ...]
) -> Status:
    if read:
        return Status.TAGGED if tags else Status.UNDECIDED if tied else Status.NONE
    if not entry.annotations:
        return Status.UNSEEN
    return Status.SKIPPED if all(each.skipped for each in entry.annotations) else Status.NOT_ANALYSABLE


def _provenance(n_yes: int, n_read: int) -> Provenance:
    if n_read == 1:
        return Provenance.SINGLE
    if n_yes == n_read:
        return Provenance.UNANIMOUS
    return Provenance.TIE if 2 * n_yes == n_read else Provenance.MAJORITY


def _weakest(votes: dict[str, Vote], n_read: int) -> Provenance | None:
    if not n_read:
        return None
    found = [vote.provenance for vote in votes.values()] or [_provenance(n_read, n_read)]
    return max(found, key=_ORDER.index)


def _evidence(tag: str, read: list[Annotation]) -> tuple[Span, ...]:
    return tuple(sorted({span for each in read for span in each.tags.get(tag, ())}))
