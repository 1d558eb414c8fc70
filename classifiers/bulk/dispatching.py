"""Chunks out to the workers, and their answers back in order, with a bounded number in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from classifiers.bulk.chunks import Beside, Chunk
from classifiers.bulk.pools import Pool
from classifiers.bulk.side import Side
from classifiers.bulk.work import Answer, Work

_AHEAD = 2  # chunks handed out for each that is being done
_WINDOW = 4  # and those of them that may be done before an earlier one is
_LOOK_SECONDS = 5.0


@dataclass(slots=True)
class _Waiting:
    key: str
    beside: Beside
    future: Future[bytes] | None
    answer: bytes | None


def answers(chunks: Iterable[Chunk], work: Work, pool: Pool, side: Side) -> Iterator[tuple[Beside, Answer]]:
    """Yield the answers in the order of the chunks; each is kept as soon as it is there.

    Raises
    ------
    WorkersLostError
        A worker was lost, and its chunk with it.
    """
    waiting: deque[_Waiting] = deque()
    for chunk in chunks:
        key = work.key(chunk.posts)
        found = side.find(key)
        future = pool.submit(work, chunk.posts) if found is None else None
        waiting.append(_Waiting(key, chunk.beside, future, found))
        while _is_full(waiting, pool.width):
            _collect(waiting, pool, side)
            yield from _ready(waiting)
        yield from _ready(waiting)
    while waiting:
        _collect(waiting, pool, side)
        yield from _ready(waiting)


def _is_full(waiting: deque[_Waiting], width: int) -> bool:
    open_ = sum(each.answer is None for each in waiting)
    return open_ >= _AHEAD * width or (open_ > 0 and len(waiting) >= _WINDOW * width)


def _collect(waiting: deque[_Waiting], pool: Pool, side: Side) -> None:
    """Wait until a chunk is done, and keep the answers there are."""
    by_future = {each.future: each for each in waiting if each.future is not None}
    done = wait(by_future, _LOOK_SECONDS, FIRST_COMPLETED).done
    for future in done:
        each = by_future[future]
        each.answer, each.future = pool.result(future), None
        side.keep(each.key, each.answer)
    if not done:
        pool.look()


def _ready(waiting: deque[_Waiting]) -> Iterator[tuple[Beside, Answer]]:
    while waiting and waiting[0].answer is not None:
        each = waiting.popleft()
        assert each.answer is not None  # noqa: S101 - as asked for above
        yield each.beside, Answer.from_bytes(each.answer)
