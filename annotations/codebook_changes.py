"""What differs between two codebooks, and labels carried from the one to the other.

Rename, merge and retire (``replaced_by``) need nobody: the label moves to the tag that stands for the old one.
A split (``split_into``) does: annotations that bear the tag are set aside, and their posts are asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from annotations.codebook import Codebook, Tag
from annotations.errors import CodebookError
from annotations.records import Annotation, Span

RELABEL = "relabel"
"""The flag of an annotation that is set aside because a tag of it has been split."""


class Kind(StrEnum):
    """What happened to a tag."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    MERGED = "merged"
    SPLIT = "split"
    REDEFINED = "redefined"
    MOVED = "moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one tag.

    Attributes
    ----------
    tag
        Its id: the old codebook's, or the new one's where it is added.
    becomes
        The ids that stand for it in the new codebook.
    detail
        A sentence.
    n_annotations, n_posts
        How many labels and posts bear the tag.
    """

    kind: Kind
    tag: str
    becomes: tuple[str, ...]
    detail: str
    n_annotations: int = 0
    n_posts: int = 0


def differences(old: Codebook, new: Codebook, annotations: Iterable[Annotation] = ()) -> list[Change]:
    """Return what changes, in the order of the old codebook, added tags last, with the labels concerned."""
    here = {tag.id for tag in new.tags}
    found = [
        change
        for tag in old.active_tags
        for change in (_changes(tag, old, new) if tag.id in here else [_removed(tag)])
    ]
    known = {tag.id for tag in old.tags}
    stands_for_old = {name for change in found for name in change.becomes}
    found += [
        Change(kind=Kind.ADDED, tag=tag.id, becomes=(tag.id,), detail=f"'{tag.title}' is new")
        for tag in new.active_tags
        if tag.id not in known and tag.id not in stands_for_old
    ]
    return _counted(found, annotations)


def former_titles_of(old: Codebook, new: Codebook) -> dict[str, str]:
    """Return the titles of the old codebook that the new one does not have, with the ids of their tags."""
    present = {tag.title for tag in new.tags}
    kept = {tag.id for tag in new.tags}
    return {tag.title: tag.id for tag in old.tags if tag.title not in present and tag.id in kept}


@dataclass(frozen=True, slots=True)
class Carried:
    """Labels under the new codebook.

    ``split`` maps the index of an annotation that was set aside to its tags that have been split.
    """

    annotations: tuple[Annotation, ...]
    split: dict[int, tuple[str, ...]]


def carry_over(annotations: Sequence[Annotation], old: Codebook, new: Codebook) -> Carried:
    """Bring labels made under the old codebook to the new one; others stay as they are.

    An annotation that bears a split tag is set aside: as if skipped, with the flag ``relabel``, its tags kept apart.

    Raises
    ------
    CodebookError
        A tag that labels bear is not in the new codebook at all.
    """
    known = {tag.id for tag in new.tags}
    carried: list[Annotation] = []
    split: dict[int, tuple[str, ...]] = {}
    for number, each in enumerate(annotations):
        if each.codebook not in (None, old.digest):
            carried.append(each)
            continue
        if lost := [tag for tag in each.tags if tag not in known]:
            raise CodebookError(
                f"the new codebook has no tag '{lost[0]}', which labels bear",
                where=each.post_id,
                hint=f"Keep '{lost[0]}' in it and retire it with `replaced_by` or `split_into`.",
            )
        parted = tuple(tag for tag in each.tags if not new.successor(tag).is_active)
        if parted:
            split[number] = parted
        carried.append(_carried(each, new, is_split=bool(parted)))
    return Carried(tuple(carried), split)


def _carried(annotation: Annotation, new: Codebook, *, is_split: bool) -> Annotation:
    if is_split:
        return replace(
            annotation,
            tags={},
            origin={},
            skipped=True,
            flags=(*annotation.flags, RELABEL),
            codebook=new.digest,
        )
    tags: dict[str, set[Span]] = {}
    origin: dict[str, str] = {}
    for tag, spans in annotation.tags.items():
        today = new.successor(tag).id
        tags.setdefault(today, set()).update(spans)
        if tag in annotation.origin:
            # Of two that become one, a tick by hand counts: somebody has thought of it.
            origin[today] = "manual" if origin.get(today) == "manual" else annotation.origin[tag]
    ordered = {tag: tuple(sorted(tags[tag])) for tag in new.tag_ids if tag in tags}
    return replace(annotation, tags=ordered, origin=origin, codebook=new.digest)


def _changes(before: Tag, old: Codebook, new: Codebook) -> list[Change]:
    after = new.tag(before.id)
    today = new.successor(before.id)
    if not today.is_active:
        detail = f"'{before.title}' is split: its posts must be annotated again"
        return [Change(kind=Kind.SPLIT, tag=before.id, becomes=today.split_into, detail=detail)]
    if today.id != before.id:
        return [_replaced(before, today, old, new)]
    found = []
    if after.title != before.title:
        detail = f"'{before.title}' is now called '{after.title}'"
        found.append(Change(kind=Kind.RENAMED, tag=before.id, becomes=(after.id,), detail=detail))
    if meaning := [name for name in _MEANING if getattr(before, name) != getattr(after, name)]:
        detail = f"'{after.title}': {', '.join(meaning)} changed; labels are carried over as they are"
        found.append(Change(kind=Kind.REDEFINED, tag=before.id, becomes=(after.id,), detail=detail))
    if (before.family, before.parent) != (after.family, after.parent):
        detail = f"'{after.title}' is in family '{after.family}'" + (
            f", part of '{after.parent}'" if after.parent else ""
        )
        found.append(Change(kind=Kind.MOVED, tag=before.id, becomes=(after.id,), detail=detail))
    return found


_MEANING = ("definition", "include", "exclude", "positive", "negative", "cues")


def _replaced(before: Tag, today: Tag, old: Codebook, new: Codebook) -> Change:
    others = [
        tag for tag in old.active_tags
        if tag.id != before.id and tag.id in {t.id for t in new.tags} and new.successor(tag.id).id == today.id
    ]  # fmt: skip
    is_rename = today.id not in {tag.id for tag in old.active_tags} and not others
    kind = Kind.RENAMED if is_rename else Kind.MERGED
    verb = "is now" if is_rename else "becomes part of"
    return Change(
        kind=kind, tag=before.id, becomes=(today.id,), detail=f"'{before.title}' {verb} '{today.title}'"
    )


def _removed(tag: Tag) -> Change:
    detail = f"'{tag.title}' is gone; labels with it cannot be carried over"
    return Change(kind=Kind.REMOVED, tag=tag.id, becomes=(), detail=detail)


def _counted(changes: Sequence[Change], annotations: Iterable[Annotation]) -> list[Change]:
    n_annotations: dict[str, int] = {}
    posts: dict[str, set[str]] = {}
    for each in annotations:
        for tag in each.tags:
            n_annotations[tag] = n_annotations.get(tag, 0) + 1
            posts.setdefault(tag, set()).add(each.post_id)
    return [
        replace(
            change, n_annotations=n_annotations.get(change.tag, 0), n_posts=len(posts.get(change.tag, ()))
        )
        for change in changes
    ]
