"""Where entries come from: the ledger, or a labels file. Both can be gone through again, in bounded memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from annotations.errors import FileError, LabelsError
from annotations.exporting.entries import Entry
from annotations.labels import label_at, scan_labels
from annotations.ledger.posts import StoredPost, current_posts
from annotations.ledger.store import Ledger
from annotations.ledger.studio import annotated_posts_unknown, has_annotations, latest_annotations
from annotations.ledger.studio_tasks import chunks
from annotations.records import Annotation

Key = tuple[str, str]


class Source(Protocol):
    """Entries in a stable order; every ``iter()`` begins anew."""

    def __iter__(self) -> Iterator[Entry]:
        """Yield every entry."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerSource:
    """The posts of a ledger, each with the annotations made on its present text.

    Those that were made on an older text (stale ones) are left out, as in training.  Annotated posts that the
    ledger does not have come last.
    """

    ledger: Ledger

    def __iter__(self) -> Iterator[Entry]:
        """Yield every post.

        Raises
        ------
        LabelsError
            Nothing has been pulled yet.
        """
        if not has_annotations(self.ledger):
            raise LabelsError(
                "there are no annotations in the ledger",
                hint="Fetch them with `talkingpoints pull`, or name a file with --labels.",
            )
        for page in chunks(current_posts(self.ledger)):
            found = self._annotations([stored.post.post_id for stored in page])
            for stored in page:
                key = (stored.post.post_id, stored.post.revision)
                yield _entry(stored, tuple(found.get(key, ())))
        for post_ids in chunks(annotated_posts_unknown(self.ledger)):
            for found_there in self._annotations(post_ids).values():
                yield _unknown_post(tuple(found_there))

    def _annotations(self, post_ids: list[str]) -> dict[Key, list[Annotation]]:
        found: dict[Key, list[Annotation]] = {}
        for stored in latest_annotations(self.ledger, post_ids=post_ids):
            if not stored.is_stale:
                annotation = stored.annotation
                found.setdefault((annotation.post_id, annotation.revision), []).append(annotation)
        return found


class LabelsFile:
    """The posts of a labels file in the order in which they first appear; of an annotator's lines the last counts.

    The file is read once to check it and to remember where each line is (not what it says), and again
    whenever the entries are gone through.

    Raises
    ------
    FileError, LabelsError
        As ``annotations.labels.read_labels``; or the file has no annotations.
    """

    def __init__(self, path: Path, tag_ids: Collection[str] | None = None) -> None:
        self.path = path
        self._places: dict[Key, dict[str, int]] = {}
        for place, annotation in scan_labels(path, tag_ids):
            readers = self._places.setdefault((annotation.post_id, annotation.revision), {})
            readers[annotation.annotator] = place
        if not self._places:
            raise LabelsError("there are no annotations in it", where=str(path))

    def __iter__(self) -> Iterator[Entry]:
        """Yield every post."""
        try:
            stream = self.path.open("rb")
        except OSError as error:
            raise FileError(f"cannot be read: {error.strerror or error}", where=str(self.path)) from error
        with stream:
            for key, readers in self._places.items():
                found = tuple(label_at(stream, place) for place in readers.values())
                if any((each.post_id, each.revision) != key for each in found):
                    raise LabelsError(
                        "the file was changed while it was read", where=str(self.path), hint="Run it again."
                    )
                yield _unknown_post(found)


def _entry(stored: StoredPost, annotations: tuple[Annotation, ...]) -> Entry:
    post = stored.post
    return Entry(
        post_id=post.post_id,
        revision=post.revision,
        text=post.text,
        channel=post.channel,
        date=post.date,
        lang=post.lang,
        forwarded_from=post.forwarded_from,
        links=post.links,
        duplicate_of=stored.duplicate_of,
        annotations=annotations,
    )


def _unknown_post(annotations: tuple[Annotation, ...]) -> Entry:
    """Return the entry of a post of which only its annotations are known."""
    first = annotations[0]
    is_agreed = all(each.date == first.date for each in annotations)
    return Entry(
        post_id=first.post_id,
        revision=first.revision,
        text=first.text,
        channel=first.post_id.rpartition("/")[0],
        date=first.date if is_agreed else None,
        annotations=annotations,
    )
