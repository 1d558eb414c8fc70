"""Bulk tagging: files, folders or the ledger in, one table of tags out; on all cores, or on a cluster.

The driver reads the input in chunks, and hands each to a process (:mod:`.pools`) or to a Dask worker
(:mod:`.dask_pool`), which cleans the posts, scores them and answers with the finished piece of the output
(:mod:`.work`).  The driver keeps every piece in a folder beside the output (:mod:`.side`) and appends them in
order (:mod:`.formats`), so that a run that was ended goes on where it was.
"""

from __future__ import annotations

from classifiers.bulk.formats import EXTRA_COLUMNS, FORMATS
from classifiers.bulk.report import BulkOptions, BulkReport
from classifiers.bulk.running import tag_posts
from classifiers.bulk.sources import FileSource, LedgerSource, Source

__all__ = [
    "EXTRA_COLUMNS",
    "FORMATS",
    "BulkOptions",
    "BulkReport",
    "FileSource",
    "LedgerSource",
    "Source",
    "tag_posts",
]
