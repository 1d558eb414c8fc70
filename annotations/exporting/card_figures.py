"""The figures of a dataset's card, gathered while its rows are written; no text is kept."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from annotations.agreement import AgreementReport, Bootstrap, agreement
from annotations.exporting.entries import Entry, Reading, Status
from annotations.exporting.layout import Layout
from annotations.records import Annotation, Span

_DRAWN_VALUES = 5_000_000  # of the bootstrap, samples times posts: it takes 16 bytes for each


class CardFigures:
    """Counts over everything that was written, and what agreement needs of posts with several readers."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._doubly_read: list[Annotation] = []
        self._tag_sets: dict[tuple[str, ...], dict[str, tuple[Span, ...]]] = {}  # one object for all alike
        self.posts: Counter[str] = Counter()
        """Posts, by split."""
        self.statuses: Counter[Status] = Counter()
        """Rows, by status."""
        self.tags: Counter[tuple[str, str]] = Counter()
        """Rows that bear a tag, by tag and split."""
        self.channels: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        """Posts of a known language."""
        self.annotators: Counter[str] = Counter()
        """Annotations, skipped ones too."""
        self.codebooks: Counter[str] = Counter()
        self.n_taken_over = 0
        """Ticks that annotators took over from a model."""
        self.n_evidence = 0
        """Passages of evidence in the rows."""
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, entry: Entry, readings: Sequence[Reading], split: str) -> None:
        """Count a post and its rows."""
        self.posts[split] += 1
        self.channels[entry.channel] += 1
        if entry.lang:
            self.languages[entry.lang] += 1
        if entry.date is not None:
            self.first = min(self.first or entry.date, entry.date)
            self.last = max(self.last or entry.date, entry.date)
        for reading in readings:
            self.statuses[reading.status] += 1
            self.tags.update((tag, split) for tag in reading.tags)
            self.n_evidence += sum(map(len, reading.tags.values()))
        for each in entry.annotations:
            self.annotators[each.annotator] += 1
            self.codebooks[each.codebook or "unknown"] += 1
            self.n_taken_over += sum(origin == "prediction" for origin in each.origin.values())
        if len(entry.annotations) > 1:
            self._doubly_read += [self._without_text(entry, each) for each in entry.annotations]

    def agreement(self) -> AgreementReport:
        """Return the agreement over all posts with several readers; the intervals of many posts from fewer draws."""
        n_posts = len({each.post_id for each in self._doubly_read})
        n_samples = max(100, min(Bootstrap().n_samples, _DRAWN_VALUES // max(n_posts, 1)))
        return agreement(self._doubly_read, self._layout.codebook.tag_ids, Bootstrap(n_samples=n_samples))

    def _without_text(self, entry: Entry, annotation: Annotation) -> Annotation:
        tags = self._tag_sets.setdefault(tuple(annotation.tags), dict.fromkeys(annotation.tags, ()))
        return Annotation(
            post_id=entry.post_id,
            revision=entry.revision,
            annotator=sys.intern(annotation.annotator),
            text="",
            tags=tags,
            skipped=annotation.skipped,
        )
