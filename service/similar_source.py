"""The index of tagged posts over the ledger's annotations, made anew when they have changed."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Sequence

from annotations.codebook import Codebook, load_codebook
from annotations.errors import LedgerError
from annotations.ledger.annotated import annotation_mark
from annotations.ledger.store import Ledger
from annotations.ledger.studio import latest_annotations
from annotations.records import Annotation
from classifiers.dataset import is_usable
from service.ledger_access import LedgerAccess
from service.settings import Settings
from service.similar import Memo, SimilarIndex, SimilarPost, TaggedPost

_LOG = logging.getLogger("talkingpoints.similar")

MOST_POSTS = 50_000
"""The posts annotated last that are in the index."""
_LOOK_SECONDS = 1.0


class SimilarPosts:
    """Answers for one workspace. Its methods may be called from several threads at once.

    Whether the ledger has changed is looked at once a second at most.  While one thread makes another index, the
    others answer by the one there is.
    """

    def __init__(self, settings: Settings, ledgers: LedgerAccess) -> None:
        self._settings = settings
        self._ledgers = ledgers
        self._making = threading.Lock()
        self._index: SimilarIndex | None = None
        self._codebook: tuple[object, Codebook] | None = None
        self._mark: object = None
        self._looked = float("-inf")
        self._memo = Memo()

    def nearest(self, text: str, n: int, tags: Collection[str] | None = None) -> list[SimilarPost]:
        """Return at most ``n`` tagged posts that are most like ``text``; see ``SimilarIndex.nearest``.

        Raises
        ------
        LedgerError
            The ledger cannot be read, and no index has been made yet.
        """
        return self.index().nearest(text, n, tags)

    def codebook(self) -> Codebook:
        """Return the codebook in use: the workspace's, whose tags are answered."""
        path = self._settings.codebook_path
        status = path.stat() if path.exists() else None
        mark = (path, status and (status.st_mtime_ns, status.st_size))
        known = self._codebook
        if known is None or known[0] != mark:
            self._codebook = known = (mark, load_codebook(path))
        return known[1]

    def index(self) -> SimilarIndex:
        """Return the index, made anew where the annotations or the codebook have changed."""
        with_one = self._index is not None
        if with_one and time.monotonic() - self._looked < _LOOK_SECONDS:
            return self._present()
        if not self._making.acquire(blocking=not with_one):
            return self._present()
        try:
            self._renew()
        except LedgerError as error:
            if self._index is None:
                raise
            _LOG.warning("the ledger cannot be read", extra={"fields": {"reason": str(error)}})
        finally:
            self._looked = time.monotonic()
            self._making.release()
        return self._present()

    def _present(self) -> SimilarIndex:
        index = self._index
        assert index is not None  # noqa: S101 - for the type checker: there is one after the first call
        return index

    def _renew(self) -> None:
        codebook, ledger = self.codebook(), self._ledgers.existing()
        mark = (codebook.digest, annotation_mark(ledger) if ledger else None)
        if self._index is not None and mark == self._mark:
            return
        posts = self._tagged(ledger, codebook) if ledger else []
        tags = {tag.id: (tag.title, tag.family) for tag in codebook.active_tags}
        self._index = SimilarIndex(posts, tags, self._memo)
        self._mark = mark
        _LOG.info("similar posts are looked for", extra={"fields": {"posts": len(self._index)}})

    def _tagged(self, ledger: Ledger, codebook: Codebook) -> list[TaggedPost]:
        readers: defaultdict[tuple[str, str], list[Annotation]] = defaultdict(list)
        latest: dict[tuple[str, str], str] = {}
        for stored in latest_annotations(ledger):
            each = stored.annotation
            if stored.is_stale or not is_usable(each) or each.codebook not in (None, codebook.digest):
                continue
            key = (each.post_id, each.revision)
            readers[key].append(each)
            latest[key] = max(latest.get(key, ""), stored.updated_at)
        newest = sorted(readers, key=lambda key: (latest[key], key), reverse=True)[:MOST_POSTS]
        known = {tag.id for tag in codebook.active_tags}
        return [_post(readers[key], known) for key in sorted(newest)]


def _post(found: Sequence[Annotation], known: Collection[str]) -> TaggedPost:
    ticked = {tag for each in found for tag in each.tags if tag in known}
    return TaggedPost(
        post_id=found[0].post_id,
        date=min((each.date for each in found if each.date), default=None),
        text=found[0].text,
        shares={tag: round(sum(tag in each.tags for each in found) / len(found), 4) for tag in ticked},
        n_annotators=len(found),
    )
