"""Backup and restore of a workspace: taken while it is in use, whole or not at all, into either database."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, select, text

from annotations.backup.archive import check_archive
from annotations.backup.manifest import Manifest
from annotations.backup.restoring import restore_backup
from annotations.backup.taking import BackupOptions, BackupReport, take_backup
from annotations.errors import FileError, LedgerError, TalkingPointsError
from annotations.importing import import_file
from annotations.ledger.copying import copied_tables, last_numbers
from annotations.ledger.erasing import erase_posts
from annotations.ledger.erasure_plan import plan_erasure
from annotations.ledger.erasures import read_erasures
from annotations.ledger.posts import current_posts
from annotations.ledger.schema import FIRST_VERSION, make_schema
from annotations.ledger.store import open_ledger
from annotations.ledger.tables import SCHEMA_VERSION, ledger_info, post_signatures, studio_locks
from annotations.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
SECRET = "do-not-show"
MOST = 1 << 40


def _workspace(home: Path, url: str | None = None) -> Workspace:
    """Make a workspace with posts, a model's files, reports and the data of a Label Studio."""
    workspace = Workspace(home, url)
    home.mkdir()
    posts = home.parent / "posts.jsonl"
    rows = [
        {
            "channel": "Calverra",
            "message_id": str(number),
            "text": f"Post {number} 🇨🇦 многополярный",
            "views": number,
        }
        for number in range(20)
    ]
    posts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    ledger = open_ledger(workspace.ledger_url)
    import_file(ledger, posts)
    with ledger.begin() as connection:
        signatures = [
            {"post_id": f"Calverra/{n}", "revision": "r", "signature": bytes([n, 0, 255] * 32)}
            for n in range(3)
        ]
        connection.execute(insert(post_signatures), signatures)
        connection.execute(text("DELETE FROM post_signatures WHERE post_id = 'Calverra/2'"))
        lock = {"name": "x", "holder": "h", "host": "elsewhere", "pid": 1, "renewed_at": "2026"}
        connection.execute(insert(studio_locks), lock)
    ledger.close()
    files = {
        "codebook.yaml": "version: '1'\n",
        "models/active": "0123456789ab\n",
        "models/0123456789ab/manifest.json": "{}",
        "models/.x.part/half": "half",
        "reports/agreement.json": "{}",
        "studio/credentials.json": SECRET,
        "studio/initialised": "",
        "studio/label-studio.log": "log",
        "studio/data/media/upload/1/a b.txt": "uploaded",
    }
    for name, content in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(content, encoding="utf-8")
    (home / "studio/credentials.json").chmod(0o600)
    with closing(sqlite3.connect(home / "studio/data/label_studio.sqlite3")) as studio:
        studio.execute("CREATE TABLE task (data TEXT)")
        studio.executemany("INSERT INTO task VALUES (?)", [(f"task {n}",) for n in range(100)])
        studio.commit()
    return workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace whose ledger is a file in it."""
    return _workspace(tmp_path / "work space")


def _backup(workspace: Workspace, **options: Any) -> BackupReport:
    return take_backup(workspace, BackupOptions(**options))


def _content(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table that a backup keeps, but where backups were written."""
    ledger = open_ledger(workspace.ledger_url)
    found = {}
    with ledger.begin() as connection:
        for table in copied_tables():
            rows = connection.execute(select(table).order_by(*table.primary_key.columns)).all()
            found[table.name] = [tuple(row) for row in rows]
    ledger.close()
    found[ledger_info.name] = [row for row in found[ledger_info.name] if not row[0].startswith("backup:")]
    return found


def _files(home: Path) -> dict[str, str]:
    return {
        str(path.relative_to(home)): path.read_text()
        for path in home.rglob("*")
        if path.is_file() and ".db" not in path.name and ".sqlite3" not in path.name
    }


def _tasks(home: Path) -> int:
    with closing(sqlite3.connect(home / "studio/data/label_studio.sqlite3")) as studio:
        return int(studio.execute("SELECT count(*) FROM task").fetchone()[0])


def test_a_workspace_comes_back_as_it_was(ledger_url: str, tmp_path: Path) -> None:
    """Rows, models, reports and Label Studio are back; what was half made, locks and logs are not."""
    workspace = _workspace(tmp_path / "work space", ledger_url)
    before = _content(workspace)
    report = _backup(workspace)
    again = Workspace(tmp_path / "again", f"sqlite:///{tmp_path / 'again' / 'ledger.db'}")
    restored = restore_backup(again, report.path)
    assert _content(again) == before
    expected = _files(workspace.home)
    for gone in ("models/.x.part/half", "studio/label-studio.log"):
        del expected[gone]
    assert _files(again.home) == expected
    assert _tasks(again.home) == 100
    assert (restored.rows["posts"], restored.studio, restored.aside) == (20, True, ())
    assert stat.S_IMODE((again.home / "studio/credentials.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((again.home / "studio").stat().st_mode) == 0o700
    ledger = open_ledger(again.ledger_url)
    with ledger.begin() as connection:
        assert connection.execute(select(studio_locks)).all() == []
    ledger.close()


def test_a_ledger_moves_between_databases(ledger_url: str, tmp_path: Path) -> None:
    """From a file to a server and from a server to a file, and new rows go on with fresh numbers."""
    source = _workspace(tmp_path / "source")
    before = _content(source)
    ledger = open_ledger(source.ledger_url)
    with ledger.begin() as connection:
        given = last_numbers(connection)[post_signatures.name]
    ledger.close()
    target = Workspace(tmp_path / "target", ledger_url)
    restore_backup(target, _backup(source).path)
    assert _content(target) == before
    back = Workspace(tmp_path / "back")
    restore_backup(back, _backup(target).path)
    assert _content(back) == before
    for workspace in (target, back):
        ledger = open_ledger(workspace.ledger_url)
        with ledger.begin() as connection:
            row = {"post_id": "Calverra/9", "revision": "r", "signature": bytes(96)}
            connection.execute(insert(post_signatures).values(row))
            # The last was given to a row that is gone: a number is never used again.
            assert last_numbers(connection)[post_signatures.name] == given + 1
        posts = workspace.home / "more.jsonl"
        posts.write_text('{"channel": "Calverra", "message_id": "99", "text": "One more."}\n')
        assert import_file(ledger, posts).counts["new"] == 1
        ledger.close()


def test_only_its_owner_reads_a_backup_and_it_replaces_nothing(workspace: Workspace, tmp_path: Path) -> None:
    """It holds passwords; a second one of the same name is refused, a folder gets a name of its own."""
    out = tmp_path / "b.tar.zst"
    _backup(workspace, out=out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    before = out.read_bytes()
    with pytest.raises(FileError, match="exists"):
        _backup(workspace, out=out)
    assert out.read_bytes() == before
    assert _backup(workspace, out=tmp_path).path.parent == tmp_path
    assert _backup(workspace).path.parent == workspace.home.parent


def test_label_studio_can_be_left_out(workspace: Workspace, tmp_path: Path) -> None:
    """Then no login and no task of it is in the archive."""
    report = _backup(workspace, studio=False)
    names = check_archive(report.path, MOST).members
    assert not any("studio" in name for name in names)
    restored = restore_backup(Workspace(tmp_path / "again"), report.path)
    assert restored.studio is False


def test_links_are_left_out_and_named(workspace: Workspace, tmp_path: Path) -> None:
    """What a link leads to may be anywhere: it is not followed, and said."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("x")
    (workspace.home / "linked").symlink_to(tmp_path / "elsewhere")
    report = _backup(workspace)
    assert not any("linked" in name for name in check_archive(report.path, MOST).members)
    assert any("linked" in note for note in report.notes)


def test_a_workspace_in_use_is_not_overwritten(ledger_url: str, tmp_path: Path) -> None:
    """A restore needs an empty place; with --force what is there is moved aside, and nothing is deleted."""
    workspace = _workspace(tmp_path / "work", ledger_url)
    saved = _content(workspace)
    archive = _backup(workspace).path
    ledger = open_ledger(ledger_url)
    posts = tmp_path / "more.jsonl"
    posts.write_text('{"channel": "Calverra", "message_id": "99", "text": "One more."}\n')
    import_file(ledger, posts)
    ledger.close()
    later = _content(workspace)
    with pytest.raises(FileError, match="not empty") as caught:
        restore_backup(workspace, archive)
    assert "--force" in caught.value.hint
    assert _content(workspace) == later
    report = restore_backup(workspace, archive, force=True)
    assert _content(workspace) == saved
    asides = list(tmp_path.glob("work.before-restore-*"))
    assert str(asides[0]) in report.aside
    assert (asides[0] / "studio/label-studio.log").is_file()
    if ledger_url.startswith("postgresql"):
        schema = report.aside[0].split()[1]
        engine = create_engine(ledger_url)
        with engine.begin() as connection:
            assert connection.scalar(text(f"SELECT count(*) FROM {schema}.posts")) == 21
        engine.dispose()


def test_what_was_erased_since_the_backup_is_erased_again(ledger_url: str, tmp_path: Path) -> None:
    """An old backup does not bring back, over the workspace, what somebody asked to have erased."""
    workspace = _workspace(tmp_path / "work", ledger_url)
    archive = _backup(workspace).path
    ledger = open_ledger(ledger_url)
    erase_posts(ledger, plan_erasure(ledger, ["Calverra/3"]), "asked")
    ledger.close()
    report = restore_backup(workspace, archive, force=True)
    assert report.erased_again == ("Calverra/3",)
    ledger = open_ledger(workspace.ledger_url)
    assert "Calverra/3" not in {stored.post.post_id for stored in current_posts(ledger)}
    assert [(each.post_id, each.reason) for each in read_erasures(ledger)] == [("Calverra/3", "asked")]
    ledger.close()


def test_a_backup_of_an_earlier_release_is_brought_up_to_date(ledger_url: str, tmp_path: Path) -> None:
    """Both kinds of an old archive: a database file, and tables with the columns of their time."""
    for kind in ("sqlite", "tables"):
        target = Workspace(tmp_path / kind, ledger_url)
        restore_backup(target, _old_archive(tmp_path / f"{kind}.tar.zst", kind), force=True)
        ledger = open_ledger(target.ledger_url)
        assert [stored.post.text for stored in current_posts(ledger)] == ["An old post."]
        ledger.close()


def _old_archive(path: Path, kind: str) -> Path:
    """Write an archive as the first release would have."""
    database = path.with_suffix(".db")
    engine = create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        make_schema(connection, FIRST_VERSION)
        connection.execute(text("INSERT INTO ledger_info VALUES ('schema_version', '1')"))
        connection.execute(text("INSERT INTO imports VALUES (1, 'f', 'x', '2026', NULL, '{}')"))
        connection.execute(
            text(
                "INSERT INTO posts (post_id, channel, revision, hashtags, links, media, reactions, first_import)"
                " VALUES ('C/1', 'C', 'r', '[]', '[]', '[]', '{}', 1)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO revisions (post_id, revision, text, cleaner, import_id, seen_at)"
                " VALUES ('C/1', 'r', 'An old post.', 1, 1, '2026')"
            )
        )
        rows = {
            name: [dict(row) for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()]
            for name in ("imports", "posts", "revisions")
        }
    engine.dispose()
    for name in ("hashtags", "links", "media", "reactions"):
        rows["posts"][0][name] = json.loads(rows["posts"][0][name])
    rows["imports"][0]["counts"] = {}
    if kind == "sqlite":
        members = {"ledger/ledger.db": database.read_bytes()}
    else:
        members = {
            f"ledger/{name}.jsonl": "".join(json.dumps(row) + "\n" for row in found).encode()
            for name, found in rows.items()
        }
    ledger = {"kind": kind, "schema_version": FIRST_VERSION, "rows": {}, "numbers": {"imports": 1}}
    return _write(path, members, ledger=ledger)


def _write(
    path: Path, members: dict[str, bytes], *, tamper: Callable[..., None] | None = None, **manifest: Any
) -> Path:
    """Write an archive by hand; ``tamper`` may add to it before its manifest."""
    entries = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in members.items()
    }
    ledger = {"kind": "tables", "schema_version": SCHEMA_VERSION, "rows": {}, "numbers": {}}
    fields = {
        "format": 1, "made_by": "test", "made_at": "2026", "ledger": ledger, "studio": False,
        "members": entries, "notes": [],
    } | manifest  # fmt: skip
    with path.open("wb") as raw, pa.CompressedOutputStream(pa.PythonFile(raw, "w"), "zstd") as sink:
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, data in members.items():
                _add(tar, name, data)
            if tamper:
                tamper(tar)
            _add(tar, "manifest.json", json.dumps(fields).encode())
        sink.write(plain.getvalue())
    return path


def _add(tar: tarfile.TarFile, name: str, data: bytes = b"", **fields: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(data))


HOSTILE: dict[str, Callable[[tarfile.TarFile], None]] = {
    "above": lambda tar: _add(tar, "workspace/../../evil", b"x"),
    "absolute": lambda tar: _add(tar, "/tmp/evil", b"x"),
    "elsewhere": lambda tar: _add(tar, "evil", b"x"),
    "backslash": lambda tar: _add(tar, "workspace/..\\evil", b"x"),
    "newline": lambda tar: _add(tar, "workspace/a\nb", b"x"),
    "empty part": lambda tar: _add(tar, "workspace//evil", b"x"),
    "long": lambda tar: _add(tar, "workspace/" + "x" * 300, b"x"),
    "link": lambda tar: _add(tar, "workspace/l", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "hard link": lambda tar: _add(tar, "workspace/l", type=tarfile.LNKTYPE, linkname="workspace/a"),
    "device": lambda tar: _add(tar, "workspace/d", type=tarfile.CHRTYPE),
    "folder": lambda tar: _add(tar, "workspace/d", type=tarfile.DIRTYPE),
    "twice": lambda tar: _add(tar, "workspace/a", b"other"),
    "unknown": lambda tar: _add(tar, "workspace/unknown", b"x"),
    "long header": lambda tar: _add(tar, "workspace/b", b"x", pax_headers={"comment": "x" * 5_000_000}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_archive_with_something_else_in_it_is_refused(kind: str, tmp_path: Path) -> None:
    """Nothing is written, neither in the workspace nor outside of it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    archive = _write(tmp_path / "evil.tar.zst", {"workspace/a": b"a"}, tamper=HOSTILE[kind])
    with pytest.raises(FileError):
        restore_backup(Workspace(folder / "home"), archive)
    assert list(folder.iterdir()) == []


def test_an_archive_of_a_later_release_is_refused(tmp_path: Path) -> None:
    """Later schema or format: the message says what to do."""
    ledger = {"kind": "tables", "schema_version": "9999", "rows": {}, "numbers": {}}
    with pytest.raises(LedgerError, match="9999") as refused:
        restore_backup(Workspace(tmp_path / "home"), _write(tmp_path / "a", {}, ledger=ledger))
    assert "release" in refused.value.hint
    with pytest.raises(FileError, match="format") as other:
        restore_backup(Workspace(tmp_path / "home"), _write(tmp_path / "b", {}, format=2))
    assert "release" in other.value.hint
    assert not (tmp_path / "home").exists()


def test_an_archive_that_needs_more_room_than_there_is_is_refused(workspace: Workspace) -> None:
    """Said before anything is written; so is an archive that only seems small."""
    path = _backup(workspace).path
    with pytest.raises(FileError, match="1,000 bytes that are free"):
        check_archive(path, 1_000)


def test_files_that_are_no_backup_are_refused(tmp_path: Path) -> None:
    """A missing file, an empty one and some other file each give a sentence."""
    (tmp_path / "other").write_text("hello")
    (tmp_path / "empty").write_text("")
    for name in ("other", "empty"):
        with pytest.raises(FileError, match="no backup"):
            restore_backup(Workspace(tmp_path / "home"), tmp_path / name)
    with pytest.raises(FileError, match="No such file"):
        restore_backup(Workspace(tmp_path / "home"), tmp_path / "missing")


@pytest.fixture(scope="module")
def small_archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a backup."""
    return _backup(_workspace(tmp_path_factory.mktemp("small") / "work")).path.read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_archive_is_refused(
    small_archive: bytes, tmp_path: Path, place: float, bit: int, cut: bool
) -> None:
    """Cut off anywhere, or with any bit turned, it is found out, or still says the very same."""
    index = int(place * len(small_archive))
    damaged = bytearray(small_archive)
    if cut:
        del damaged[index:]
    else:
        damaged[index] ^= 1 << bit
    path = tmp_path / "damaged"
    path.write_bytes(bytes(damaged))
    try:
        manifest = check_archive(path, MOST)
    except FileError:
        return
    path.write_bytes(small_archive)
    assert manifest == check_archive(path, MOST)


def test_a_table_with_a_foreign_column_is_refused(tmp_path: Path) -> None:
    """Rows that do not fit the schema leave nothing behind."""
    members = {"ledger/posts.jsonl": b'{"evil": 1}\n'}
    with pytest.raises(TalkingPointsError, match="column"):
        restore_backup(Workspace(tmp_path / "home"), _write(tmp_path / "a", members))
    assert not (tmp_path / "home").exists()


_IMPORT = """
import sys
from pathlib import Path
from annotations.importing import import_file
from annotations.ledger.store import open_ledger
ledger = open_ledger(sys.argv[1])
print("begun", flush=True)
import_file(ledger, Path(sys.argv[2]), progress=lambda done, total: print(done, flush=True))
"""


def test_a_backup_during_an_import_is_of_one_moment(ledger_url: str, tmp_path: Path) -> None:
    """The posts that are saved are as many as the import had counted by then."""
    workspace = Workspace(tmp_path / "work", ledger_url)
    workspace.home.mkdir()
    posts = tmp_path / "posts.jsonl"
    with posts.open("w") as stream:
        for number in range(40_000):
            row = {"channel": "Calverra", "message_id": str(number), "text": f"Number {number} of many."}
            stream.write(json.dumps(row) + "\n")
    saved = []
    with subprocess.Popen(
        [sys.executable, "-c", _IMPORT, ledger_url, str(posts)], stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.stdout.readline()
        while process.poll() is None and len(saved) < 3:
            saved.append(_backup(workspace, out=tmp_path / f"{len(saved)}.tar.zst").path)
        process.communicate()
    assert saved
    for number, path in enumerate(saved):
        restored = Workspace(tmp_path / f"restored {number}")
        report = restore_backup(restored, path)
        (run,) = _content(restored)["imports"]
        counts = run[-1]
        assert report.rows["posts"] == report.rows["revisions"] == sum(counts.values())
        assert 0 < report.rows["posts"] <= 40_000


_KILLED = """
import sys, os, signal
from pathlib import Path
from annotations.backup.restoring import restore_backup
from annotations.backup.taking import BackupOptions, take_backup
from annotations.workspace import Workspace
kind, home, archive, share = sys.argv[1:]
def stop(done, total):
    if total and done >= float(share) * total:
        os.kill(os.getpid(), signal.SIGKILL)
if kind == "backup":
    take_backup(Workspace(Path(home)), BackupOptions(out=Path(archive)), stop)
else:
    restore_backup(Workspace(Path(home)), Path(archive), force=True, progress=stop)
"""


def _killed(kind: str, home: Path, archive: Path, share: float) -> None:
    command = [sys.executable, "-c", _KILLED, kind, str(home), str(archive), str(share)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
def test_a_killed_backup_leaves_no_half_file(workspace: Workspace, tmp_path: Path, share: float) -> None:
    """The next one takes away what it was working on."""
    out = tmp_path / "out" / "b.tar.zst"
    _killed("backup", workspace.home, out, share)
    assert not out.exists()
    assert [each.name.endswith(".part") for each in out.parent.iterdir()] == [True]
    _backup(workspace, out=out)
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("share", [0.3, 0.9, 1.0])
def test_a_killed_restore_leaves_the_old_workspace(
    workspace: Workspace, tmp_path: Path, share: float
) -> None:
    """Also at its very end, over a workspace in use; the next one takes away what it was working on."""
    archive = _backup(workspace).path
    (workspace.home / "reports/later.json").write_text("{}")
    before = _content(workspace), _files(workspace.home)
    _killed("restore", workspace.home, archive, share)
    assert (_content(workspace), _files(workspace.home)) == before
    restore_backup(workspace, archive, force=True)
    assert not (workspace.home / "reports/later.json").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_disk_that_is_full_is_said(workspace: Workspace, tmp_path: Path) -> None:
    """Neither the file nor scraps of it are left."""
    out = tmp_path / "out" / "b.tar.zst"
    (workspace.home / "reports/large").write_bytes(os.urandom(3_000_000))
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from annotations.backup.taking import BackupOptions, take_backup\n"
        "from annotations.errors import FileError\n"
        "from annotations.workspace import Workspace\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))\n"
        "try: take_backup(Workspace(Path(sys.argv[1])), BackupOptions(out=Path(sys.argv[2])))\n"
        "except FileError as error: print(error)\n"
    )
    command = [sys.executable, "-c", script, str(workspace.home), str(out)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "cannot be written" in done.stdout, done.stdout + done.stderr
    assert list(out.parent.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(workspace: Workspace, tmp_path: Path) -> None:
    """A file stands where a folder is needed."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        _backup(workspace, out=tmp_path / "file" / "b.tar.zst")


def test_progress_reaches_its_end(workspace: Workspace, tmp_path: Path) -> None:
    """Both tell how much is done of how much, and never go back."""
    told: list[tuple[int, int | None]] = []
    report = take_backup(workspace, BackupOptions(), lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    told.clear()
    restore_backup(Workspace(tmp_path / "again"), report.path, progress=lambda *each: told.append(each))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]


def test_a_report_can_be_replaced_by_a_manifest(workspace: Workspace) -> None:
    """What a backup holds can be read from it alone: release, schema, rows, digests."""
    report = _backup(workspace)
    manifest: Manifest = check_archive(report.path, MOST)
    assert manifest.made_by.startswith("talking-points ")
    assert manifest.ledger.schema_version == SCHEMA_VERSION
    assert manifest.ledger.rows["posts"] == 20
    assert manifest.members["workspace/codebook.yaml"].size == 13
