"""What every format needs to know of an export: the tags, and whether a row is an annotator's or gold's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from annotations.codebook import Codebook
from annotations.exporting.entries import Entry, Reading
from annotations.records import Span


@dataclass(frozen=True)
class Layout:
    """The codebook whose tags are exported, and whether there is a row a post (``gold``) or an annotator."""

    codebook: Codebook
    gold: bool = False

    @cached_property
    def tag_ids(self) -> tuple[str, ...]:
        """Every tag of the codebook; the retired ones last."""
        return (*self.codebook.tag_ids, *self.retired)

    @cached_property
    def retired(self) -> tuple[str, ...]:
        """The tags that annotators can no longer give: old labels may bear them, new ones say nothing of them."""
        return tuple(tag.id for tag in self.codebook.tags if not tag.is_active)

    def titles(self) -> dict[str, str]:
        """Return the title of every tag."""
        return {tag.id: tag.title for tag in self.codebook.tags}


class Writer(Protocol):
    """Writes one export; made with the path of a temporary file (or folder) and a :class:`Layout`."""

    def write(self, entry: Entry, readings: Sequence[Reading]) -> int:
        """Write what is said of a post and return how many rows that made; 0 where the format has no place for it."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


def quoted(spans: Sequence[Span], text: str) -> list[dict[str, Any]]:
    """Return evidence with its offsets and its words, as ``[{"start", "end", "text"}]``."""
    return [{"start": span.start, "end": span.end, "text": span.quote(text)} for span in sorted(set(spans))]
