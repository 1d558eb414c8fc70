"""Near-duplicates: forwards, cross-posts and small edits, in clusters that are stored and grow.

Every current text has a signature (``annotations/signatures.py``), recorded with the post.  Two posts belong
together if at least :data:`SIMILARITY` of the places of their signatures are equal, and so do posts linked
through others.  Pairs worth comparing are found by locality-sensitive hashing: the signature is cut in bands
of four places, and posts that agree in a whole band are compared; of pairs with a similarity of 0.7 this
finds 96 %, of 0.8 more than 99.8 %.

The bands go through files, one at a time in memory: 8 bytes a post.  Only posts that came since the last
time are compared with all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, update

from annotations.errors import LedgerError
from annotations.ledger.store import Ledger, among
from annotations.ledger.tables import ledger_info, near_duplicates, post_signatures, posts, revisions
from annotations.signatures import ALGORITHM, PLACES, signatures

SIMILARITY = 0.7
"""From which share of equal places on two posts are near-duplicates."""

_BAND = 4  # places; four numbers of 16 bits are one of 64
_BANDS = PLACES // _BAND
_PAGE = 5_000
_NEIGHBOURS = 4  # of texts that agree in a band, how many each is compared with, beside the first
_PAIRS_AT_ONCE = 200_000
_ALGORITHM_KEY, _UNTIL_KEY = "signatures", "near_duplicates_until"

_Numbers = npt.NDArray[np.int64]


def find_near_duplicates(ledger: Ledger) -> int:
    """Bring the clusters up to date with the posts; return how many posts are in one.

    Raises
    ------
    LedgerError
        The ledger or a temporary file cannot be written; the clusters are as they were before.
    """
    with ledger.begin() as connection:
        until = int(_info(connection, _UNTIL_KEY) or 0)
        last = connection.scalar(select(func.max(post_signatures.c.seq))) or 0
        if last > until:
            try:
                seqs, groups = _groups(connection, until)
            except OSError as error:
                problem = f"near-duplicates need temporary files: {error.strerror or error}"
                raise LedgerError(problem, where=tempfile.gettempdir(), hint="Free some space.") from error
            _join(connection, seqs, groups)
            _set_info(connection, _UNTIL_KEY, str(last))
        return connection.scalar(select(func.count()).select_from(near_duplicates)) or 0


def leave_clusters(connection: Connection, post_ids: Sequence[str]) -> None:
    """Forget the signatures of posts whose text is gone, and take the posts out of their clusters."""
    wanted = list(post_ids)
    connection.execute(delete(post_signatures).where(among(connection, post_signatures.c.post_id, wanted)))
    table = near_duplicates.c
    names = set(connection.scalars(select(table.cluster).where(among(connection, table.post_id, wanted))))
    if not names:
        return
    connection.execute(delete(near_duplicates).where(among(connection, table.post_id, wanted)))
    left = select(table.cluster, func.min(table.post_id).label("first"), func.count().label("size"))
    for row in connection.execute(
        left.where(among(connection, table.cluster, names)).group_by(table.cluster)
    ).all():
        here = table.cluster == row.cluster
        if row.size == 1:
            connection.execute(delete(near_duplicates).where(here))
        elif row.first != row.cluster:
            connection.execute(update(near_duplicates).where(here).values(cluster=row.first))


def renew_signatures(ledger: Ledger) -> None:
    """Make all signatures anew where they are of another algorithm, or missing: in an older ledger.

    To be called before posts are recorded: the signatures recorded with them are of the present algorithm.
    """
    with ledger.begin() as connection:
        if _info(connection, _ALGORITHM_KEY) == ALGORITHM:
            return
        connection.execute(delete(post_signatures))
        connection.execute(delete(near_duplicates))
        _set_info(connection, _UNTIL_KEY, "0")
        current = (revisions.c.post_id == posts.c.post_id) & (revisions.c.revision == posts.c.revision)
        query = select(posts.c.post_id, posts.c.revision, revisions.c.text).join(revisions, current)
        last = ""
        while rows := connection.execute(
            query.where(posts.c.post_id > last).order_by(posts.c.post_id).limit(_PAGE)
        ).all():
            last = rows[-1].post_id
            found = signatures([row.text for row in rows])
            connection.execute(
                insert(post_signatures),
                [
                    {"post_id": row.post_id, "revision": row.revision, "signature": signature.tobytes()}
                    for row, signature in zip(rows, found, strict=True)
                ],
            )
        _set_info(connection, _ALGORITHM_KEY, ALGORITHM)


def _groups(connection: Connection, until: int) -> tuple[_Numbers, _Numbers]:
    """Return the numbers of all signatures, and for each a group: the same for signatures that are linked.

    Groups in which nothing came after ``until`` are not looked at, and fall apart into single signatures.
    """
    with ExitStack() as files:
        spools = [files.enter_context(tempfile.TemporaryFile()) for _ in range(2 + _BANDS)]
        for seqs, rows in _pages(connection):
            spools[0].write(seqs.tobytes())
            spools[1].write(rows.tobytes())
            for spool, band in zip(spools[2:], rows.view(np.uint64).T, strict=True):
                spool.write(band.tobytes())
        for spool in spools:
            spool.flush()
        seqs = _read(spools[0]).view(np.int64)
        rows = np.memmap(spools[1], dtype=np.uint16, mode="r").reshape(-1, PLACES)
        is_new, bands = seqs > until, spools[2:]
        groups: _Numbers = np.arange(len(seqs), dtype=np.int64)
        for number, spool in enumerate(bands):
            following = _read(bands[(number + 1) % _BANDS])
            pairs = [_alike(rows, groups, *pair) for pair in _candidates(_read(spool), following, is_new)]
            groups = _linked(groups, pairs)
        return seqs, groups


def _pages(connection: Connection) -> Iterator[tuple[_Numbers, npt.NDArray[np.uint16]]]:
    query = select(post_signatures.c.seq, post_signatures.c.signature).order_by(post_signatures.c.seq)
    done = 0
    while page := connection.execute(query.where(post_signatures.c.seq > done).limit(_PAGE)).all():
        done = page[-1].seq
        places = np.frombuffer(b"".join([row.signature for row in page]), dtype=np.uint16)
        yield np.array([row.seq for row in page], dtype=np.int64), places.reshape(-1, PLACES)


def _read(spool: IO[bytes]) -> npt.NDArray[np.uint64]:
    spool.seek(0)
    return np.frombuffer(spool.read(), dtype=np.uint64)


def _candidates(
    band: npt.NDArray[np.uint64], following: npt.NDArray[np.uint64], is_new: npt.NDArray[np.bool_]
) -> Iterator[tuple[_Numbers, _Numbers]]:
    """Yield pairs of places that hold the same number in ``band``, among those that something new holds too.

    In a long run of equal numbers each place is paired with its neighbours, by the following band, and with
    the first.
    """
    order = np.lexsort((following, band))
    values = band[order]
    same = values[1:] == values[:-1]
    kept = np.concatenate([[False], same]) | np.concatenate([same, [False]])
    order, values = order[kept], values[kept]
    if not len(values):
        return
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    sizes = np.diff([*starts, len(values)])
    kept = np.repeat(np.add.reduceat(is_new[order].astype(np.int64), starts) > 0, sizes)
    first = np.repeat(order[starts], sizes)[kept]
    order, values = order[kept], values[kept]
    for step in range(1, min(_NEIGHBOURS, len(order) - 1) + 1):
        same = values[step:] == values[:-step]
        yield order[:-step][same], order[step:][same]
    yield first[first != order], order[first != order]


def _alike(rows: Any, groups: _Numbers, left: _Numbers, right: _Numbers) -> tuple[_Numbers, _Numbers]:
    """Return those of the pairs that are similar and not linked yet."""
    apart = groups[left] != groups[right]
    left, right = left[apart], right[apart]
    alike = np.zeros(len(left), dtype=bool)
    for at in range(0, len(left), _PAIRS_AT_ONCE):
        here = slice(at, at + _PAIRS_AT_ONCE)
        alike[here] = (rows[left[here]] == rows[right[here]]).mean(axis=1) >= SIMILARITY
    return left[alike], right[alike]


def _linked(groups: _Numbers, pairs: Sequence[tuple[_Numbers, _Numbers]]) -> _Numbers:
    """Return the groups after linking pairs."""
    if not sum(len(left) for left, _ in pairs):
        return groups
    left, right = (groups[np.concatenate([pair[side] for pair in pairs])] for side in (0, 1))
    graph = sparse.coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(len(groups),) * 2)
    _, components = connected_components(graph, directed=False)
    linked: _Numbers = components[groups].astype(np.int64)
    return linked


def _join(connection: Connection, seqs: _Numbers, groups: _Numbers) -> None:
    """Store groups of two and more, with the clusters that they touch; a cluster is named by its first post."""
    sizes = np.bincount(groups, minlength=len(groups))
    members = np.flatnonzero(sizes[groups] > 1)
    group_of = dict(zip(seqs[members].tolist(), groups[members].tolist(), strict=True))
    posts_of: dict[int, list[str]] = {}
    for row in _in_pages(connection, select(post_signatures.c.seq, post_signatures.c.post_id), group_of):
        posts_of.setdefault(group_of[row.seq], []).append(row.post_id)
    everyone = [post_id for found in posts_of.values() for post_id in found]
    old = {row.post_id: row.cluster for row in _in_pages(connection, select(near_duplicates), everyone)}
    names: dict[str, str] = {}  # of an old cluster, or of a new member: what it is joined to

    def root(name: str) -> str:
        while names.get(name, name) != name:
            name = names[name]
        return name

    for found in posts_of.values():
        joined = {root(old.get(post_id, post_id)) for post_id in found}
        names.update(dict.fromkeys(joined, min(joined)))
    renamed = [{"old": name, "new": root(name)} for name in set(old.values()) if root(name) != name]
    if renamed:
        here = near_duplicates.c.cluster == bindparam("old")
        connection.execute(update(near_duplicates).where(here).values(cluster=bindparam("new")), renamed)
    new = [{"post_id": name, "cluster": root(name)} for name in everyone if name not in old]
    if new:
        connection.execute(insert(near_duplicates), new)


def _in_pages(connection: Connection, query: Select[Any], keys: Iterable[int | str]) -> Iterator[Row[Any]]:
    """Yield the rows of a query whose first column is one of ``keys``."""
    wanted = list(keys)
    column = query.selected_columns[0]
    for first in range(0, len(wanted), _PAGE):
        yield from connection.execute(query.where(among(connection, column, wanted[first : first + _PAGE])))


def _info(connection: Connection, key: str) -> str | None:
    return connection.scalar(select(ledger_info.c.value).where(ledger_info.c.key == key))


def _set_info(connection: Connection, key: str, value: str) -> None:
    connection.execute(delete(ledger_info).where(ledger_info.c.key == key))
    connection.execute(insert(ledger_info).values(key=key, value=value))
