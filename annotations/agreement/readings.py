"""What is compared: one annotator's reading of one post, and the posts that at least two have read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from annotations.records import Annotation, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one annotator said of one post.

    Attributes
    ----------
    post
        What names the post and its text: readings of the same post are compared.
    tags
        The tags given; a reading that is not ``skipped`` and has none says "no" to every tag.
    spans
        The evidence marked, by label; a label need not be one of the tags.
    seconds
        How long it took, None where that is not known.
    assisted
        Whether the annotator was shown a suggestion, as far as that can be told.
    """

    post: tuple[str, ...]
    annotator: str
    text: str
    tags: frozenset[str]
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    skipped: bool = False
    seconds: float | None = None
    assisted: bool = False


def readings_of(annotations: Iterable[Annotation]) -> list[Reading]:
    """Return annotations as readings; one that took over a suggested tag is an assisted one."""
    return [
        Reading(
            post=(each.post_id, each.revision),
            annotator=each.annotator,
            text=each.text,
            tags=frozenset(each.tags),
            spans={tag: spans for tag, spans in each.tags.items() if spans},
            skipped=each.skipped,
            seconds=each.lead_time,
            assisted="prediction" in each.origin.values(),
        )
        for each in annotations
    ]


def latest(readings: Iterable[Reading]) -> list[Reading]:
    """Return, of several readings of a post by one annotator, the last one given."""
    found: dict[tuple[tuple[str, ...], str], Reading] = {}
    for reading in readings:
        found[reading.post, reading.annotator] = reading
    return list(found.values())


@dataclass(frozen=True, slots=True)
class ReadPost:
    """A post with the readings of it that were not skipped, two or more."""

    readings: tuple[Reading, ...]

    @property
    def text(self) -> str:
        """The post's text."""
        return self.readings[0].text

    @property
    def is_assisted(self) -> bool:
        """Tell whether any of its annotators was shown a suggestion."""
        return any(reading.assisted for reading in self.readings)


def posts_read_twice(readings: Iterable[Reading]) -> list[ReadPost]:
    """Gather readings (one an annotator and post) by post; posts with fewer than two are left out."""
    by_post: dict[tuple[str, ...], list[Reading]] = {}
    for reading in readings:
        if not reading.skipped:
            by_post.setdefault(reading.post, []).append(reading)
    return [ReadPost(tuple(found)) for found in by_post.values() if len(found) > 1]


def problems_of(readings: Sequence[Reading], posts: Sequence[ReadPost]) -> list[str]:
    """Say why agreement cannot be measured, or not well; nothing where all is well."""
    if not readings:
        return ["there are no annotations"]
    counts: dict[str, int] = {}
    for reading in readings:
        counts[reading.annotator] = counts.get(reading.annotator, 0) + (not reading.skipped)
    shown = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())[:10])
    if len(counts) == 1:
        return [f"there is one annotator only ({shown} posts): agreement takes two"]
    if not posts:
        return [f"no post has been read by two annotators (posts read: {shown})"]
    if len(posts) == 1:
        return ["one post only has been read by two annotators: there are no intervals"]
    return []
