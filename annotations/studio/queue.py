"""The queue in Label Studio: it serves tasks by their number, so tasks are made in the order of the samples.

How many annotators read a post is a property of its task (``overlap``), which the community edition keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from annotations.ledger.posts import StoredPost, chosen_posts, current_posts
from annotations.ledger.queued import queued_post_ids
from annotations.ledger.samples import sampled_posts
from annotations.ledger.store import Ledger
from annotations.ledger.studio_tasks import Key, ProjectRow, chunks, forget, task_rows
from annotations.studio.client import StudioClient, condition
from annotations.studio.tasks import task_data

SEQUENTIAL = "Sequential sampling"
"""What Label Studio calls serving tasks by their number."""


class Queue:
    """The posts that were asked for, then those of the ledger's samples in the order of annotation.

    Without a sample, every post is in it, by date; with ``asked_only`` none but those that were asked for.
    """

    def __init__(
        self, ledger: Ledger, client: StudioClient, *, everything: bool = False, asked_only: bool = False
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._overlaps = {each.post_id: each.overlap for each in sampled_posts(ledger)}
        self._asked = dict.fromkeys(queued_post_ids(ledger))
        self._sampled = () if asked_only else tuple(self._overlaps)
        self._everything = not asked_only and (everything or not self._overlaps)

    @property
    def is_sampled(self) -> bool:
        """Tell whether there is a sample."""
        return bool(self._overlaps)

    def __contains__(self, post_id: str) -> bool:
        return post_id in self._overlaps or post_id in self._asked

    def posts(self) -> Iterator[StoredPost]:
        """Yield the posts to push: asked for, sampled, then, if everything is wanted, the others by date."""
        first = list(self._asked | dict.fromkeys(self._sampled))
        yield from chosen_posts(self._ledger, first)
        if self._everything:
            for stored in current_posts(self._ledger):
                if stored.post.post_id not in self:
                    yield stored

    def send(self, project_id: int, posts: Sequence[StoredPost]) -> dict[Key, int]:
        """Make tasks of posts, in order, and return their numbers."""
        tasks = [{"data": task_data(stored.post)} for stored in posts]
        keys = [(stored.post.post_id, stored.post.revision) for stored in posts]
        numbers = dict(zip(keys, self._client.import_tasks(project_id, tasks), strict=True))
        self.set_overlaps(numbers)
        return numbers

    def set_overlaps(self, numbers: Mapping[Key, int]) -> None:
        """Tell Label Studio which of these tasks are for more than one annotator."""
        for (post_id, _), task_id in numbers.items():
            if self._overlaps.get(post_id, 1) > 1:
                self._client.set_overlap(task_id, self._overlaps[post_id])


def clear_idle(ledger: Ledger, client: StudioClient, project: ProjectRow) -> int:
    """Delete the tasks of ours that nobody has worked on, so that they can be made again in another order.

    Returns
    -------
    int
        How many were deleted.
    """
    rows = {row.task_id: row for row in task_rows(ledger, project.key).values() if row.is_live}
    n_deleted = 0
    for chunk in chunks(sorted(number for number in rows if number is not None)):
        left = set(chunk)
        idle: list[int] = []
        for page in client.find_tasks(project.project_id, [condition("id", "in_list", chunk)]):
            for task in page:
                left.discard(task["id"])
                if not task.get("annotations") and not task.get("drafts"):
                    idle.append(task["id"])
        if idle:
            client.delete_tasks(project.project_id, idle)
        n_deleted += len(idle)
        # Deleted by a run that was killed before it could note it: nothing was ever known of the task.
        bare = [number for number in left if rows[number].updated_at is None]
        forget(ledger, project.key, [rows[number].key for number in (*idle, *bare)])
    return n_deleted
