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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import IO

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sqlalchemy import Connection, delete, func, insert, select, update

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
_Places = npt.NDArray[np.int32]


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


def _groups(connection: Connection, until: int) -> tuple[_Numbers, _Places]:
    """Return the numbers of all signatures, and for each a group: the same for signatures that are linked.

    Groups in which nothing came after ``until`` are not looked at, and fall apart into single signatures.
    """
    with ExitStack() as files:
        numbers, *bands = [files.enter_context(tempfile.TemporaryFile()) for _ in range(1 + _BANDS)]
        for seqs, rows in _pages(connection):
            numbers.write(seqs.tobytes())
            for band, column in zip(bands, rows.view(np.uint64).T, strict=True):
                band.write(column.tobytes())
        seqs = _read(numbers).view(np.int64)
        groups: _Places = np.arange(len(seqs), dtype=np.int32)
        is_new = seqs > until
        for number, band in enumerate(bands):
            left, right = _candidates(_read(band), _read(bands[(number + 1) % _BANDS]), is_new)
            apart = groups[left] != groups[right]
            left, right = left[apart], right[apart]
            alike = _similarity(bands, left, right) >= SIMILARITY
            groups = _linked(groups, left[alike], right[alike])
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
) -> tuple[_Places, _Places]:
    """Return pairs of places that hold the same number in ``band``, among those that something new holds too.

    In a long run of equal numbers each place is paired with its neighbours, by the following band, and with
    the first.
    """
    order = np.lexsort((following, band)).astype(np.int32)
    values = band[order]
    same = values[1:] == values[:-1]
    kept = np.concatenate([[False], same]) | np.concatenate([same, [False]])
    order, values = order[kept], values[kept]
    if not len(values):
        return order, order
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    sizes = np.diff([*starts, len(values)])
    kept = np.repeat(np.add.reduceat(is_new[order].astype(np.int64), starts) > 0, sizes)
    first = np.repeat(order[starts], sizes)[kept]
    order, values = order[kept], values[kept]
    pairs = [(first, order)]
    for step in range(1, min(_NEIGHBOURS, len(order) - 1) + 1):
        same = values[step:] == values[:-step]
        pairs.append((order[:-step][same], order[step:][same]))
    return np.concatenate([left for left, _ in pairs]), np.concatenate([right for _, right in pairs])


def _similarity(bands: Sequence[IO[bytes]], left: _Places, right: _Places) -> npt.NDArray[np.float64]:
    """Return the share of equal places of each pair; one band after the other, so that memory stays small."""
    equal = np.zeros(len(left), dtype=np.int32)
    for band in bands if len(left) else ():
        places = _read(band).view(np.uint16).reshape(-1, _BAND)
        for at in range(0, len(left), _PAIRS_AT_ONCE):
            here = slice(at, at + _PAIRS_AT_ONCE)
            equal[here] += (places[left[here]] == places[right[here]]).sum(axis=1, dtype=np.int32)
    return equal / PLACES


def _linked(groups: _Places, left: _Places, right: _Places) -> _Places:
    """Return the groups after linking pairs."""
    if not len(left):
        return groups
    edges = (groups[left], groups[right])
    graph = sparse.coo_array((np.ones(len(left), dtype=bool), edges), shape=(len(groups),) * 2)
    _, components = connected_components(graph, directed=False)
    linked: _Places = components.astype(np.int32)[groups]
    return linked


def _join(connection: Connection, seqs: _Numbers, groups: _Places) -> None:
    """Store groups of two and more, with the clusters that they touch; a cluster is named by its first post."""
    members = np.flatnonzero(np.bincount(groups, minlength=len(groups))[groups] > 1)
    members = members[np.argsort(groups[members], kind="stable")]
    least: dict[int, str] = {}
    touched: dict[int, set[str]] = {}
    for group, post_id, cluster in _with_clusters(connection, seqs, groups, members):
        least[group] = min(post_id, least.get(group, post_id))
        if cluster is not None:
            touched.setdefault(group, set()).add(cluster)
    renamed = _renamed(least, touched)
    for old in sorted({old for found in touched.values() for old in found}):
        if old != renamed[old]:
            here = near_duplicates.c.cluster == old
            connection.execute(update(near_duplicates).where(here).values(cluster=renamed[old]))
    names = {group: renamed[min(touched[group])] if group in touched else least[group] for group in least}
    new = (
        {"post_id": post_id, "cluster": names[group]}
        for group, post_id, cluster in _with_clusters(connection, seqs, groups, members)
        if cluster is None
    )
    while rows := list(islice(new, _PAGE)):
        connection.execute(insert(near_duplicates), rows)


def _renamed(least: dict[int, str], touched: dict[int, set[str]]) -> dict[str, str]:
    """Return the new name of each old cluster that a group touches: the first name of all that is joined to it."""
    names: dict[str, str] = {}

    def root(name: str) -> str:
        while names.setdefault(name, name) != name:
            name = names[name]
        return name

    for group, found in touched.items():
        joined = {least[group], *map(root, found)}
        names.update(dict.fromkeys(joined, min(joined)))
    return {old: root(old) for old in list(names)}


def _with_clusters(
    connection: Connection, seqs: _Numbers, groups: _Places, members: npt.NDArray[np.int64]
) -> Iterator[tuple[int, str, str | None]]:
    """Yield the group, the post and the present cluster of each signature that is in a group."""
    alike = near_duplicates.c.post_id == post_signatures.c.post_id
    query = select(post_signatures.c.seq, post_signatures.c.post_id, near_duplicates.c.cluster).select_from(
        post_signatures.outerjoin(near_duplicates, alike)
    )
    for first in range(0, len(members), _PAGE):
        page = members[first : first + _PAGE]
        group_of = dict(zip(seqs[page].tolist(), groups[page].tolist(), strict=True))
        wanted = among(connection, post_signatures.c.seq, list(group_of))
        for row in connection.execute(query.where(wanted)).all():
            yield group_of[row.seq], row.post_id, row.cluster


def _info(connection: Connection, key: str) -> str | None:
    return connection.scalar(select(ledger_info.c.value).where(ledger_info.c.key == key))


def _set_info(connection: Connection, key: str, value: str) -> None:
    connection.execute(delete(ledger_info).where(ledger_info.c.key == key))
    connection.execute(insert(ledger_info).values(key=key, value=value))
