"""Push and pull beside what Label Studio itself takes for the same: ratios, medians of pairs in one run.

    python -m benchmarks.studio_sync [--posts 10000] [--pairs 3]

- push: ``talkingpoints push`` (announce, send, confirm, all in the ledger) against ``import_tasks`` of the SDK with the
  same batches. The limit asked for is 1.5.
- pull: a full pull into the ledger against the making and downloading of one snapshot export. The limit is 1.2.
- nothing new: a pull with nothing new against a full one. The limit is 1/20.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from label_studio_sdk.client import LabelStudio

from annotations.codebook import Codebook, default_codebook_path, load_codebook
from annotations.importing import import_file
from annotations.ledger.posts import StoredPost, current_posts
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio_lock import studio_lock
from annotations.ledger.studio_tasks import announce, confirm
from annotations.posts_table import write_posts
from annotations.records import Annotation, Post, Span
from annotations.studio.client import StudioClient
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.pull import PullOptions, pull
from annotations.studio.push import BATCH_SIZE, push
from annotations.studio.server import RunningStudio
from annotations.studio.tasks import result_of, task_data
from benchmarks.local_studio import temporary_studio

_WORDS = "the ministry of Calverra welcomes a fair order and the role of the United Nations in peace talks"


def main(arguments: Sequence[str]) -> None:
    """Run the measurement and print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args(arguments)
    codebook = load_codebook(default_codebook_path())
    with temporary_studio() as (running, home):
        source = home / "posts.jsonl"
        write_posts(source, (StoredPost(post, None) for post in _posts(options.posts)))
        pushes, pulls, idles = [], [], []
        for number in range(options.pairs):
            with _ledger(home, number, source) as ledger, running.client() as client:
                pair = _Pair(ledger, client, running, codebook)
                pushes.append(pair.push())
                pulls.append(pair.pull())
                idles.append(pair.idle_pull())
    for title, ratios, limit in (
        ("push / bare import_tasks", pushes, 1.5),
        ("full pull / one snapshot export", pulls, 1.2),
        ("pull with nothing new / full pull", idles, 0.05),
    ):
        shown = ", ".join(f"{ratio:.3f}" for ratio in ratios)
        print(
            f"{title}: median {statistics.median(ratios):.3f} ({shown}); limit {limit}; {options.posts:,} posts"
        )


@contextmanager
def _ledger(home: Path, number: int, source: Path) -> Iterator[Ledger]:
    ledger = open_ledger(f"sqlite:///{home / f'ledger-{number}.db'}")
    import_file(ledger, source)
    try:
        yield ledger
    finally:
        ledger.close()


class _Pair:
    """One pair of every measurement, on a project of its own."""

    def __init__(
        self, ledger: Ledger, client: StudioClient, running: RunningStudio, codebook: Codebook
    ) -> None:
        self._ledger, self._client, self._codebook = ledger, client, codebook
        self._sdk = LabelStudio(base_url=running.url, api_key=running.credentials.admin.token)
        self._project = ensure_project(ledger, client, codebook, ProjectOptions(title="ours"))
        self._full = 0.0

    def push(self) -> float:
        """Return our time over that of the SDK alone."""
        bare = self._bare_project()
        batches = list(_chunks({"data": task_data(stored.post)} for stored in current_posts(self._ledger)))
        theirs = _timed(
            lambda: [self._sdk.projects.import_tasks(id=bare, request=batch) for batch in batches]
        )
        ours = _timed(lambda: push(self._ledger, self._client, self._project))
        self._sdk.projects.delete(id=bare)
        return ours / theirs

    def pull(self) -> float:
        """Return the time of a full pull over that of a snapshot export, all tasks annotated.

        The annotated tasks are imported as such, into a project of their own: clicks would take an hour.
        """
        options = ProjectOptions(title="annotated", new_project=True)
        self._project = ensure_project(self._ledger, self._client, self._codebook, options)
        project_id = self._project.project_id
        posts = [stored.post for stored in current_posts(self._ledger)]
        with studio_lock(self._ledger, "benchmark") as lock:
            for batch in _chunks(posts):
                keys = [(post.post_id, post.revision) for post in batch]
                announce(self._ledger, self._project.key, keys, lock)
                answer = self._sdk.projects.import_tasks(
                    id=project_id, request=[self._annotated(post) for post in batch], return_task_ids=True
                )
                confirm(self._ledger, self._project.key, dict(zip(keys, answer.task_ids, strict=True)))
        theirs = _timed(lambda: _snapshot(self._sdk, project_id))
        self._full = _timed(self._pulled)
        return self._full / theirs

    def idle_pull(self) -> float:
        """Return the time of a pull with nothing new over that of the full one."""
        return _timed(self._pulled) / self._full

    def _pulled(self) -> object:
        return pull(self._ledger, self._client, self._project, PullOptions(codebook=self._codebook))

    def _bare_project(self) -> int:
        return self._sdk.projects.create(
            title="bare", label_config="<View><Text name='t' value='$text'/></View>"
        ).id

    def _annotated(self, post: Post) -> dict[str, Any]:
        tags = {self._codebook.tag_ids[0]: (Span(0, 20),), self._codebook.tag_ids[1]: (Span(5, 60),)}
        annotation = Annotation(post_id=post.post_id, annotator="", text=post.text, tags=tags)
        return {"data": task_data(post), "annotations": [{"result": result_of(annotation, self._codebook)}]}


def _snapshot(sdk: LabelStudio, project_id: int) -> None:
    export = sdk.projects.exports.create(id=project_id, title="bench")
    while (state := sdk.projects.exports.get(id=project_id, export_pk=export.id)).status != "completed":
        if state.status == "failed":
            sys.exit("the snapshot export failed")
        time.sleep(0.1)
    for _ in sdk.projects.exports.download(id=project_id, export_pk=export.id, export_type="JSON"):
        pass


def _posts(count: int) -> Iterator[Post]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    words = _WORDS.split()
    for number in range(count):
        text = f"Post {number}: " + " ".join(words[(number + place) % len(words)] for place in range(120))
        yield Post(channel="bench", message_id=str(number), text=text, date=start + timedelta(minutes=number))


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH_SIZE)):
        yield batch


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(sys.argv[1:])
