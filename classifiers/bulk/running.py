"""A run of bulk tagging, from the options to the report."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from annotations.errors import FileError
from annotations.progress import Progress, silent
from classifiers.bulk.chunks import Beside
from classifiers.bulk.dispatching import answers
from classifiers.bulk.earlier import Earlier
from classifiers.bulk.formats import check_columns, open_sink, output_format, output_schema
from classifiers.bulk.pools import Here, Pool, Processes, n_cores
from classifiers.bulk.report import BulkOptions, BulkReport
from classifiers.bulk.side import Side, open_side, partial_path, rejected_path, writing
from classifiers.bulk.sources import FileSource, Source
from classifiers.bulk.work import Answer, Work
from classifiers.bundle_reading import read_bundle

_SHOWN = 20


def tag_posts(
    bundle: Path,
    source: Source,
    out_path: Path,
    options: BulkOptions | None = None,
    progress: Progress = silent,
) -> BulkReport:
    """Tag every post of ``source`` by the model in the folder ``bundle``, in its order.

    The output is Parquet, CSV or JSON lines by the suffix of ``out_path``; ``docs/scale.md`` has its columns.
    It takes its place when it is whole.  Until then, what is done is kept in ``OUT.partial``, and the next run
    with the same input, model and options goes on from there.  ``progress`` is told posts.

    Raises
    ------
    FileError
        The input is of no known format, the suffix of the output means none, the output is the input, or it
        cannot be written.
    BundleError
        The model cannot be loaded.
    WorkersLostError
        A process was ended from outside, or the cluster cannot be reached.
    """
    options = options or BulkOptions()
    source = _without_output(source, out_path)
    work, tag_ids = _work(bundle, out_path, options)
    schema = output_schema(work.columns, tag_ids)
    with writing(out_path), ExitStack() as stack:
        chunks = source.chunks(options.chunk_posts)
        first = list(islice(chunks, 2))  # what is wrong with the input is found before anything is written
        side = stack.enter_context(open_side(out_path))
        total = _Total(BulkReport(out_path, work.version), side, progress)
        chunks = chain(first, chunks)
        if options.changed:
            earlier = stack.enter_context(Earlier(out_path, work.version, schema))
            total.report.notes += [f"{earlier.reason}: all posts are tagged"] if earlier.reason else []
            chunks = map(earlier.reduced, chunks)
        pool = stack.enter_context(_pool(options, work, many=len(first) > 1))
        sink = open_sink(work.format, side.output_path, schema)
        stack.callback(sink.close)
        for beside, answer in answers(chunks, work, pool, side):
            sink.append(answer.piece)
            total.add(beside, answer)
        sink.close()
        return total.finished(pool.n_repeated)


def _work(bundle: Path, out_path: Path, options: BulkOptions) -> tuple[Work, tuple[str, ...]]:
    """Return how the chunks are done, and the tags of the model."""
    format_name = output_format(out_path)
    if options.changed and format_name != "parquet":
        raise FileError(
            "only a .parquet file can be brought up to date",
            where=str(out_path),
            hint="Leave --changed out, or name a .parquet file.",
        )
    bundle = bundle.resolve()
    found = read_bundle(bundle)  # checked here; where it scores, it is loaded
    tag_ids = tuple(rule.tag_id for rule in found.model.rules)
    columns = tuple(dict.fromkeys([*options.columns, *(["revision"] if options.changed else [])]))
    check_columns(columns, tag_ids)
    return Work(bundle, found.manifest.version, format_name, columns), tag_ids


def _without_output(source: Source, out_path: Path) -> Source:
    """Return the source without what this run itself writes."""
    if not isinstance(source, FileSource):
        return source
    if source.path.exists() and out_path.exists() and out_path.samefile(source.path):
        raise FileError("is the input itself", where=str(out_path), hint="Choose another file for the tags.")
    own = (out_path, partial_path(out_path), rejected_path(out_path))
    return replace(source, without=(*source.without, *own))


def _pool(options: BulkOptions, work: Work, *, many: bool) -> AbstractContextManager[Pool]:
    if options.scheduler is not None:
        from classifiers.bulk.dask_pool import DaskPool  # noqa: PLC0415 - slow to import, and rarely wanted

        return DaskPool(options.scheduler, work)
    jobs = options.jobs or n_cores()
    return Processes(jobs) if many and jobs > 1 else Here()


class _Total:
    """Adds the answers up to a report."""

    def __init__(self, report: BulkReport, side: Side, progress: Progress) -> None:
        self.report = report
        self._side = side
        self._progress = progress
        self._ids: list[Any] = []

    def add(self, beside: Beside, answer: Answer) -> None:
        """Count a chunk, write down what it lacks, and tell how far the run is."""
        report, refused = self.report, [*beside.refused, *answer.refused]
        self._side.refuse(refused)
        report.refused += refused[: _SHOWN - len(report.refused)]
        report.n_refused += len(refused)
        report.n_skipped += beside.n_skipped + answer.n_skipped
        report.n_tagged += len(answer.ids)
        report.n_unchanged += answer.n_known
        report.n_chunks += 1
        self._ids.append(answer.ids)
        self._progress(report.n_tagged, round(report.n_tagged / max(beside.share, 1e-9)))

    def finished(self, n_repeated: int) -> BulkReport:
        """Put the output in its place and return the report."""
        report, side = self.report, self._side
        self._progress(report.n_tagged, report.n_tagged)
        report.n_repeated_ids = report.n_tagged - (
            len(np.unique(np.concatenate(self._ids))) if self._ids else 0
        )
        report.n_resumed, report.n_stale = side.n_used, side.n_found - side.n_used
        report.n_repeated_chunks = n_repeated
        if report.n_stale:
            report.notes.append(
                f"{report.n_stale:,} chunks of an interrupted run were of another input, model or options, "
                "and were done anew"
            )
        report.rejected = side.finish()
        return report
