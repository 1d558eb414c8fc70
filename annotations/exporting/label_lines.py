"""JSON lines: labels.jsonl itself, with the words of the evidence added; gold has some keys more.

A post that nobody has annotated has no place in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from annotations.exporting.entries import Entry, Reading, Status
from annotations.exporting.layout import Layout, quoted
from annotations.labels import annotation_from_dict, annotation_to_dict, labels_line
from annotations.records import Annotation

GOLD = "gold"
"""The annotator that gold is of."""


class LabelLines:
    """A line an annotator and post, or a post."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._layout = layout
        self._stream = path.open("w", encoding="utf-8", newline="\n")

    def write(self, entry: Entry, readings: Sequence[Reading]) -> int:
        """Write the lines of a post; none where nobody has annotated it.

        Raises
        ------
        LabelsError
            An annotation could not be read back, e.g. as it has no text.
        """
        if readings[0].status is Status.UNSEEN:
            return 0
        for reading in readings:
            content = annotation_to_dict(reading.annotation or _gold(entry, reading))
            content["tags"] = {tag: quoted(spans, entry.text) for tag, spans in reading.tags.items()}
            if self._layout.gold:
                content["n_annotators"] = reading.n_annotators
                content["provenance"] = reading.provenance
                content["votes"] = {tag: vote.n_yes for tag, vote in reading.votes.items()}
                content["tied"] = list(reading.tied)
            annotation_from_dict(content)
            self._stream.write(labels_line(content))
        return len(readings)

    def close(self) -> None:
        """Finish the file."""
        self._stream.close()


def _gold(entry: Entry, reading: Reading) -> Annotation:
    return Annotation(
        post_id=entry.post_id,
        annotator=GOLD,
        text=entry.text,
        tags=reading.tags,
        date=entry.date,
        skipped=reading.status is Status.SKIPPED,
        flags=reading.flags,
        revision=entry.revision,
        codebook=reading.codebook,
    )
