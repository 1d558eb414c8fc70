"""Label Studio's own JSON: tasks with their annotations, for a project with the codebook's labelling page.

An import there gives every annotation to the account that imports it, and keeps of an annotation only its
result, ``was_cancelled``, ``ground_truth`` and ``lead_time``; so the annotator's name is in the task's data too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from annotations.codebook import Codebook
from annotations.exporting.entries import Entry, Reading, Status
from annotations.exporting.layout import Layout
from annotations.records import Annotation, Post, Span
from annotations.studio.tasks import meta_html, result_of


class StudioJson:
    """A JSON list of tasks, one a post; a post that nobody has seen is a task without annotations."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._layout = layout
        self._stream = path.open("w", encoding="utf-8", newline="\n")
        self._before = "[\n"

    def write(self, entry: Entry, readings: Sequence[Reading]) -> int:
        """Write the task of a post."""
        seen = [reading for reading in readings if reading.status is not Status.UNSEEN]
        data = _data(entry)
        if not self._layout.gold:
            data["annotators"] = [reading.annotator for reading in seen]
        task = {"data": data, "annotations": [self._annotation(entry, reading) for reading in seen]}
        self._stream.write(self._before + json.dumps(task, ensure_ascii=False, allow_nan=False))
        self._before = ",\n"
        return 1

    def close(self) -> None:
        """Finish the list."""
        self._stream.write("\n]\n" if self._before == ",\n" else "[]\n")
        self._stream.close()

    def _annotation(self, entry: Entry, reading: Reading) -> dict[str, Any]:
        codebook = self._layout.codebook
        tags = _current_tags(reading.tags, codebook)
        annotation = Annotation(
            post_id=entry.post_id,
            annotator=reading.annotator or "",
            text=entry.text,
            tags=tags,
            skipped=reading.status is Status.SKIPPED,
            flags=reading.flags,
            comment=reading.comment,
        )
        result = result_of(annotation, codebook)
        taken_over = [
            codebook.successor(tag).title for tag, origin in reading.origin.items() if origin == "prediction"
        ]
        if taken_over and result:
            result[0]["meta"] = {"taken_over": taken_over}
        about = {} if reading.annotator is None else {"annotator": reading.annotator}
        return about | {
            "result": result,
            "was_cancelled": annotation.skipped,
            "ground_truth": self._layout.gold,
            "lead_time": reading.lead_time,
        }


def _current_tags(tags: Mapping[str, tuple[Span, ...]], codebook: Codebook) -> dict[str, tuple[Span, ...]]:
    """Return tags with the one that stands for each today: only those are on the labelling page."""
    found: dict[str, set[Span]] = {}
    for tag, spans in tags.items():
        found.setdefault(codebook.successor(tag).id, set()).update(spans)
    return {tag: tuple(sorted(spans)) for tag, spans in found.items()}


def _data(entry: Entry) -> dict[str, Any]:
    shown = Post(
        channel=entry.channel,
        text=entry.text,
        date=entry.date,
        forwarded_from=entry.forwarded_from,
        links=entry.links,
    )
    return {
        "post_id": entry.post_id,
        "revision": entry.revision,
        "text": entry.text,
        "channel": entry.channel,
        "date": entry.date.isoformat() if entry.date else None,
        "meta_html": meta_html(shown),
    }
