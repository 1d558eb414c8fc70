"""Files into the ledger: every message has an outcome, and importing again changes nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from annotations.errors import FileError
from annotations.importing import OUTCOMES, Refusal, import_file
from annotations.ledger.posts import current_posts, post_counts
from annotations.ledger.store import Ledger, now, open_ledger
from annotations.ledger.tables import erasures, imports, refusals
from annotations.readers import ReadOptions


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Return an empty ledger."""
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


def _export(path: Path, messages: list[Any], **fields: Any) -> Path:
    chat = {"name": "My Channel", "type": "public_channel", "id": 77, **fields, "messages": messages}
    path.write_text(json.dumps(chat), encoding="utf-8")
    return path


def _message(number: int, text: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "type": "message",
        "date_unixtime": str(1_769_936_400 + number),
        "text": text,
        **fields,
    }


def _counts(**counts: int) -> dict[str, int]:
    return {**dict.fromkeys(OUTCOMES, 0), **counts}


def test_every_message_has_an_outcome(ledger: Ledger, tmp_path: Path) -> None:
    """Counts sum to the messages read; what was refused is in the report and in the ledger."""
    path = _export(
        tmp_path / "result.json",
        [
            _message(1, "a"),
            _message(2, "a"),
            _message(1, "a"),
            _message(1, "b"),
            _message(3, "", photo="p"),
            {"id": 4, "type": "service", "action": "pin_message"},
            _message(5, 5),  # type: ignore[arg-type]
        ],
    )
    report = import_file(ledger, path)
    assert report.counts == _counts(new=1, duplicate=1, unchanged=1, edited=1, empty=1, service=1, refused=1)
    assert report.messages == 7
    reason = "field 'text' is a number, not text"
    assert report.to_dict()["refusals"] == [{"file": str(path), "position": "messages[6]", "reason": reason}]
    assert json.loads(json.dumps(report.to_dict()))["reasons"] == {
        "empty": {"photo": 1},
        "service": {"pin_message": 1},
    }
    assert f"refused: {path}, messages[6]: {reason}" in str(report)
    with ledger.begin() as connection:
        assert connection.execute(select(refusals.c.position, refusals.c.reason)).all() == [
            ("messages[6]", reason)
        ]
        row = connection.execute(select(imports)).one()
    assert (row.counts, row.format, row.finished_at is not None) == (report.counts, "telegram-desktop", True)


def test_importing_again_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """The second import of a file finds every post unchanged."""
    path = _export(tmp_path / "result.json", [_message(number, f"text {number}") for number in range(2500)])
    assert import_file(ledger, path).counts == _counts(new=2500)
    before = list(current_posts(ledger))
    assert import_file(ledger, path).counts == _counts(unchanged=2500)
    assert list(current_posts(ledger)) == before


def test_progress_is_told(ledger: Ledger, tmp_path: Path) -> None:
    """Progress counts the bytes of the file, up to the last."""
    path = _export(tmp_path / "result.json", [_message(number, f"text {number}") for number in range(7000)])
    told: list[tuple[int, int | None]] = []
    import_file(ledger, path, progress=lambda done, total: told.append((done, total)))
    size = path.stat().st_size
    assert [total for _, total in told] == [size] * 4
    done = [done for done, _ in told]
    assert done == sorted(done)
    assert 0 < done[0] < done[-1] == size


def test_a_channel_named_once_is_known_later(ledger: Ledger, tmp_path: Path) -> None:
    """A later export of the same chat goes to the channel that --channel named, also under a new title."""
    path = _export(tmp_path / "result.json", [_message(1, "a")])
    assert import_file(ledger, path, ReadOptions(channel="MFARussia")).counts["new"] == 1
    renamed = _export(tmp_path / "result.json", [_message(1, "a")], name="Other title")
    assert import_file(ledger, renamed).counts == _counts(unchanged=1)
    assert [stored.post.post_id for stored in current_posts(ledger)] == ["MFARussia/1"]


def test_chats_of_one_name_are_not_mixed(ledger: Ledger, tmp_path: Path) -> None:
    """Two chats of an account with the same name keep their messages apart."""
    chats = [
        {"name": "Anna", "type": "personal_chat", "id": i, "messages": [_message(1, f"of {i}")]}
        for i in (1, 2)
    ]
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"chats": {"list": chats}}))
    assert import_file(ledger, path).counts == _counts(new=2)
    assert import_file(ledger, path).counts == _counts(unchanged=2)
    assert [stored.post.post_id for stored in current_posts(ledger)] == ["Anna-user2/1", "Anna/1"]


def test_an_unreadable_file_leaves_no_trace(ledger: Ledger, tmp_path: Path) -> None:
    """A file that cannot be read at all is no import."""
    path = tmp_path / "notes.txt"
    path.write_text("nothing of ours")
    with pytest.raises(FileError):
        import_file(ledger, path)
    assert post_counts(ledger)["imports"] == 0


@pytest.mark.parametrize("padding", [0, 1_000], ids=["read here", "read in another process"])
def test_a_killed_import_goes_on_from_there(tmp_path: Path, padding: int) -> None:
    """After a kill, what was recorded stays; the next run adds the rest, without loss or twin."""
    number, batch = 20_000, 2_000
    messages = [_message(i, f"text {i}" + padding * " x") for i in range(number)]
    path = _export(tmp_path / "result.json", messages)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    code = (
        "import sys; from pathlib import Path; from annotations.importing import import_file\n"
        "from annotations.ledger.store import open_ledger\n"
        "import_file(open_ledger(sys.argv[1]), Path(sys.argv[2]), "
        "progress=lambda done, total: print(done, flush=True))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, url, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert int(child.stdout.readline()) > 0
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    ledger = open_ledger(url)
    recorded = post_counts(ledger)["posts"]
    assert recorded >= batch
    assert recorded % batch == 0
    assert import_file(ledger, path).counts == _counts(new=number - recorded, unchanged=recorded)
    assert post_counts(ledger)["posts"] == post_counts(ledger)["revisions"] == number
    with ledger.begin() as connection:
        finished = connection.scalars(select(imports.c.finished_at).order_by(imports.c.import_id)).all()
        counts = connection.scalars(select(imports.c.counts).order_by(imports.c.import_id)).first()
    assert finished[0] is None
    assert counts == {"new": recorded}
    ledger.close()


def test_an_erased_post_stays_erased(ledger: Ledger, tmp_path: Path) -> None:
    """A post that was erased on request is refused, with the reason, and the others are imported."""
    path = _export(tmp_path / "result.json", [_message(1, "gone"), _message(2, "here")])
    with ledger.begin() as connection:
        values = {"post_id": "C/1", "erased_at": now(), "reason": "asked for", "removed": {}}
        connection.execute(insert(erasures).values(values))
    report = import_file(ledger, path, ReadOptions(channel="C"))
    assert report.counts == _counts(new=1, refused=1)
    assert report.refusals == (Refusal("post C/1", "was erased on request, and is not imported again"),)
    assert [stored.post.post_id for stored in current_posts(ledger)] == ["C/2"]


def test_the_files_that_stand_beside_the_project(ledger: Ledger, shared_data: Path) -> None:
    """The seeds, a scraped channel and the Desktop exports import whole, and again unchanged."""
    files = {
        **dict.fromkeys((shared_data / "seeds").iterdir(), _counts(new=7)),
        shared_data / "mfa" / "posts.csv": _counts(new=245),
        shared_data / "telegram/desktop_json_ru_small/result.json": _counts(new=1, empty=5),
        shared_data / "telegram/desktop_json_synthetic_edge_cases/result.json": _counts(
            new=11, empty=15, service=61
        ),
        shared_data / "telegram/desktop_json_synthetic_edge_cases/result_group.json": _counts(
            new=19, empty=5, service=21
        ),
    }
    for path, counts in files.items():
        assert import_file(ledger, path).counts == counts
        assert import_file(ledger, path).counts == {**counts, "new": 0, "unchanged": counts["new"]}
    assert post_counts(ledger)["posts"] == 283
