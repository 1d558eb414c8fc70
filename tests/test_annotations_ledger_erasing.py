"""Erasing posts on request: no row, file byte or pull holds the text any more; the record stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from annotations.errors import LedgerError
from annotations.importing import import_file
from annotations.ledger.compacting import compact
from annotations.ledger.erasing import ERASED_QUOTE, erase_again, erase_posts
from annotations.ledger.erasure_plan import plan_erasure
from annotations.ledger.erasures import erased_posts, read_erasures, settle
from annotations.ledger.posts import current_posts
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.tables import (
    erasures,
    metadata,
    near_duplicates,
    post_signatures,
    posts,
    refusals,
    studio_annotations,
    studio_predictions,
    studio_projects,
    studio_tasks,
)

SECRET = "Kaverin bought the harbour"
EARLIER = "Kaverin sold the lighthouse"
SIGNATURE = b"signature-of-the-erased".ljust(96, b".")
PROJECT = "local-1#3"


@pytest.fixture
def ledger(ledger_url: str, tmp_path: Path) -> Iterator[Ledger]:
    """Return a ledger in which one post has left traces everywhere."""
    opened = open_ledger(ledger_url)
    _import(opened, tmp_path, f"C;1;{EARLIER}\nC;2;Another one entirely.\n")
    _import(opened, tmp_path, f"C;1;{SECRET}\n")
    _import(opened, tmp_path, f"D;5;{SECRET}\nE;7;{SECRET}\nE;8;{SECRET}!\n")
    with opened.begin() as connection:
        _add_traces(connection)
    yield opened
    opened.close()


def _import(ledger: Ledger, folder: Path, rows: str) -> Any:
    path = folder / "posts.csv"
    path.write_text("channel;message_id;text\n" + rows, encoding="utf-8")
    return import_file(ledger, path)


def _add_traces(connection: Any) -> None:
    project = {"project": PROJECT, "title": "t", "codebook": "c", "created_at": "2026"}
    connection.execute(insert(studio_projects).values(**project, foreign_tasks=0, foreign_annotations=0))
    revision = connection.scalar(select(posts.c.revision).where(posts.c.post_id == "C/1"))
    other = connection.scalar(select(posts.c.revision).where(posts.c.post_id == "C/2"))
    for post_id, task_id, which in (("C/1", 11, revision), ("C/2", 12, other)):
        task = {"project": PROJECT, "post_id": post_id, "revision": which, "task_id": task_id}
        connection.execute(insert(studio_tasks).values(**task, pushed_at="2026"))
        shown = {"project": PROJECT, "task_id": task_id, "model_version": "v1", "pushed_at": "2026"}
        connection.execute(insert(studio_predictions).values(shown))
        said = SECRET if post_id == "C/1" else "else"
        annotation = {
            "project": PROJECT, "annotation_id": task_id, "task_id": task_id, "post_id": post_id, "revision": which,
            "annotator": "A", "codebook": "c", "received": {"created_at": "2026-02-01T00:00:00Z", "q": said},
            "parsed": {"text": said}, "problems": [f"odd: {said}"], "updated_at": "2026-02-02", "skipped": False,
        }  # fmt: skip
        connection.execute(insert(studio_annotations).values(annotation))
    signatures = [
        {"post_id": post_id, "revision": "r", "signature": SIGNATURE if post_id == "C/1" else bytes(96)}
        for post_id in ("C/1", "C/2", "D/5")
    ]
    connection.execute(insert(post_signatures), signatures)
    connection.execute(near_duplicates.delete())
    clusters = [{"post_id": post_id, "cluster": "C/1"} for post_id in ("C/1", "D/5", "E/7", "E/8")]
    connection.execute(insert(near_duplicates), clusters)
    reasons = [
        {"import_id": 1, "position": "line 9", "reason": f"field 'date': {SECRET[:20]!r} is no date"},
        {"import_id": 1, "position": "line 10", "reason": "field 'date': 'somewhere else' is no date"},
    ]
    connection.execute(insert(refusals), reasons)


def _values(ledger: Ledger) -> str:
    """Return every value of every table, as one text."""
    with ledger.begin() as connection:
        return "\n".join(
            repr(row) for table in metadata.sorted_tables for row in connection.execute(select(table)).all()
        )


def _owners(ledger: Ledger) -> dict[str, str | None]:
    return {stored.post.post_id: stored.duplicate_of for stored in current_posts(ledger)}


def _erase(ledger: Ledger, *post_ids: str, copies: bool = False) -> None:
    erase_posts(ledger, plan_erasure(ledger, post_ids, copies=copies), "asked for on 3 May")


def test_nothing_of_the_post_is_left_in_any_table(ledger: Ledger) -> None:
    """Every revision, signature, annotation, task, prediction and quote of it is gone; the others' stay."""
    _erase(ledger, "C/1", copies=True)
    left = _values(ledger)
    for trace in (SECRET, EARLIER, SECRET[:20], SIGNATURE.decode()):
        assert trace not in left
    assert list(_owners(ledger)) == ["C/2"]
    with ledger.begin() as connection:
        for table in (studio_tasks, studio_predictions, studio_annotations):
            assert connection.scalars(select(table.c.task_id)).all() == [12]
        reasons = set(connection.scalars(select(refusals.c.reason)))
    assert reasons == {
        f"field 'date': '{ERASED_QUOTE}' is no date",
        "field 'date': 'somewhere else' is no date",
    }


def test_the_record_says_when_why_and_what(ledger: Ledger) -> None:
    """And never the text."""
    _erase(ledger, "C/1")
    (record,) = read_erasures(ledger)
    assert (record.post_id, record.reason, record.pending) == ("C/1", "asked for on 3 May", (PROJECT,))
    rows = {"posts": 1, "revisions": 2, "studio_tasks": 1, "studio_annotations": 1}
    assert record.removed["rows"].items() >= rows.items()
    assert not record.is_complete
    settle(ledger, ["C/1"], {"project": PROJECT, "studio_tasks": {"C/1": 1}, "compacted": True})
    (record,) = read_erasures(ledger)
    assert (record.pending, record.removed["studio_tasks"], record.is_complete) == ((), 1, True)


def test_a_plan_changes_nothing_and_names_copies(ledger: Ledger) -> None:
    """Copies by text, in any revision, and by cluster; the files; when it was labelled first."""
    before = _values(ledger)
    plan = plan_erasure(ledger, ["C/1"])
    assert (plan.posts, plan.copies) == (("C/1",), ("D/5", "E/7", "E/8"))
    assert plan.labelled_since == "2026-02-01T00:00:00Z"
    assert [Path(file).name for file in plan.files] == ["posts.csv"]
    assert (plan.projects, set(plan.texts)) == ((PROJECT,), {SECRET, EARLIER})
    assert plan_erasure(ledger, ["C/1"], copies=True).posts == ("C/1", "D/5", "E/7", "E/8")
    assert _values(ledger) == before


def test_copies_that_stay_get_another_owner_and_cluster(ledger: Ledger) -> None:
    """The post that gave its name is gone: the first of the others gives its own."""
    assert _owners(ledger) == {"C/1": None, "C/2": None, "D/5": "C/1", "E/7": "C/1", "E/8": None}
    _erase(ledger, "C/1")
    assert _owners(ledger) == {"C/2": None, "D/5": None, "E/7": "D/5", "E/8": None}
    with ledger.begin() as connection:
        rows = connection.execute(select(near_duplicates.c.post_id, near_duplicates.c.cluster)).all()
    assert {tuple(row) for row in rows} == {("D/5", "D/5"), ("E/7", "D/5"), ("E/8", "D/5")}
    _erase(ledger, "D/5", "E/7")
    with ledger.begin() as connection:  # one post alone is no cluster
        assert connection.execute(select(near_duplicates)).all() == []


def test_a_post_that_is_not_there_stops_everything(ledger: Ledger) -> None:
    """Nothing is erased by a mistake in one of several ids; one that was erased before is no mistake."""
    with pytest.raises(LedgerError, match="'C/9'") as caught:
        plan_erasure(ledger, ["C/1", "C/9"])
    assert "Nothing was erased" in caught.value.hint
    _erase(ledger, "C/1")
    plan = plan_erasure(ledger, ["C/1", "C/2"])
    assert (list(plan.already), plan.posts) == (["C/1"], ("C/2",))


def _bytes(ledger: Ledger) -> bytes:
    """Return what a database has on the disk."""
    if ledger.engine.dialect.name == "sqlite":
        path = Path(str(ledger.engine.url.database))
        return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    with ledger.begin() as connection:
        folder = Path(str(connection.scalar(text("SHOW data_directory"))))
        number = connection.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
    return b"".join(each.read_bytes() for each in (folder / "base" / str(number)).iterdir() if each.is_file())


def test_the_bytes_are_gone_from_the_files_of_the_database(ledger: Ledger) -> None:
    """Deleted rows stay in the files of a database until they are written anew."""
    with ledger.begin() as connection:  # leave old versions of the rows about
        connection.execute(update(posts).values(views=7))
    assert all(trace.encode() in _bytes(ledger) for trace in (SECRET, EARLIER))
    _erase(ledger, "C/1", copies=True)
    assert compact(ledger) is None
    for trace in (SECRET, EARLIER, SECRET[:20]):
        assert trace.encode() not in _bytes(ledger)


def test_a_reader_in_the_way_is_said(tmp_path: Path) -> None:
    """SQLite's journal cannot be emptied while somebody reads it: that is tried again later."""
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    _import(ledger, tmp_path, f"C;1;{SECRET}\n")
    _erase(ledger, "C/1")
    connection = ledger.engine.raw_connection()
    connection.driver_connection.execute("PRAGMA busy_timeout=50")  # type: ignore[union-attr]
    connection.close()
    reader = sqlite3.connect(str(ledger.engine.url.database), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM posts").fetchone()
    assert "reading" in (compact(ledger) or "")
    reader.close()
    assert compact(ledger) is None
    ledger.close()


def test_an_earlier_ledger_can_be_brought_to_the_same_state(ledger: Ledger, tmp_path: Path) -> None:
    """What was erased elsewhere is erased here too, also where the post is not known here (yet)."""
    other = open_ledger(f"sqlite:///{tmp_path / 'other.db'}")
    _import(other, tmp_path, "C;2;Another one entirely.\nZ;1;Unknown there.\n")
    _erase(other, "C/2", "Z/1")
    with ledger.begin() as connection:
        assert erase_again(connection, read_erasures(other)) == ["C/2"]
    assert erased_posts(ledger) == {"C/2", "Z/1"}
    assert "C/2" not in _owners(ledger)
    with ledger.begin() as connection:
        assert erase_again(connection, read_erasures(other)) == []
        assert len(connection.execute(select(erasures)).all()) == 2
    other.close()
