"""``talkingpoints export``: what an analyst types, from a labels file and from the ledger."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet
from sqlalchemy import insert

from annotations.exporting.entries import Entry
from annotations.exporting.sources import LedgerSource
from annotations.importing import import_file
from annotations.labels import annotation_to_dict, read_labels
from annotations.ledger.store import Ledger, now, open_ledger
from annotations.ledger.studio import stored_annotations
from annotations.ledger.tables import studio_annotations, studio_projects
from annotations.records import Annotation, Span, text_digest
from service.cli.root import talkingpoints
from service.export_splits import grouped_split

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LABELS = EXAMPLES / "annotations.jsonl"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty workspace that the commands use, with the sample's codebook."""
    monkeypatch.setenv("TALKINGPOINTS_HOME", str(tmp_path / "ws"))
    monkeypatch.setenv("TALKINGPOINTS_CODEBOOK", str(EXAMPLES / "codebook.yaml"))
    monkeypatch.delenv("TALKINGPOINTS_DATABASE_URL", raising=False)
    return tmp_path / "ws"


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    """Return the workspace's ledger, with the posts of the sample."""
    opened = open_ledger(f"sqlite:///{home / 'ledger.db'}")
    for name in ("dump.txt", "posts.csv", "result.json"):
        import_file(opened, EXAMPLES / name)
    yield opened
    opened.close()


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(talkingpoints, ["export", *map(str, arguments)])


def _done(*arguments: object) -> str:
    result = _run(*arguments)
    assert result.exception is None, result.output
    return result.stdout


def _pulled(ledger: Ledger, annotations: Sequence[Annotation]) -> None:
    """Put annotations into the ledger as a pull does."""
    project = {"project": "http://x#1", "title": "T", "codebook": "d", "created_at": now()}
    rows = [
        {
            "project": "http://x#1",
            "annotation_id": number,
            "task_id": number,
            "post_id": each.post_id,
            "revision": each.revision or text_digest(each.text),
            "user_id": None,
            "annotator": each.annotator,
            "codebook": "d",
            "received": {},
            "parsed": annotation_to_dict(each),
            "problems": [],
            "updated_at": now(),
            "lead_time": None,
            "skipped": each.skipped,
            "deleted_at": None,
        }
        for number, each in enumerate(annotations)
    ]
    with ledger.begin() as connection:
        connection.execute(insert(studio_projects).values(foreign_tasks=0, foreign_annotations=0, **project))
        connection.execute(insert(studio_annotations), rows)


def _wide(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_ledger_is_exported_with_what_nobody_has_seen(home: Path, ledger: Ledger, tmp_path: Path) -> None:
    """Every post once; annotations as training finds them; stale ones left out; unknown posts kept."""
    labels = read_labels(LABELS)
    stale = Annotation(post_id=labels[0].post_id, annotator="x", text="Before the edit.", tags={})
    elsewhere = Annotation(
        post_id="elsewhere/1", annotator="x", text="A multipolar post.", tags={"aid": (Span(0, 1),)}
    )
    _pulled(ledger, [*labels[:40], stale, elsewhere])
    used = stored_annotations(ledger)
    out = tmp_path / "out.csv"
    assert "unseen" in _done(out)
    rows = _wide(out)
    found = {(row["post_id"], row["annotator"]) for row in rows if row["annotator"]}
    assert found == {(each.post_id, each.annotator) for each in used}
    assert ("elsewhere/1", "x") in found
    assert len({row["post_id"] for row in rows}) == 160 + 1
    seen = {each.post_id for each in used}
    assert all((row["status"] == "unseen") == (row["post_id"] not in seen) for row in rows)
    _done(out, "--no-unseen")
    assert {row["post_id"] for row in _wide(out)} == seen


def test_jsonl_of_the_ledger_is_what_training_finds(home: Path, ledger: Ledger, tmp_path: Path) -> None:
    """Annotation for annotation, although it is read a page of posts at a time."""
    _pulled(ledger, read_labels(LABELS))
    _done(tmp_path / "out.jsonl")
    key = lambda each: (each.post_id, each.annotator)  # noqa: E731
    assert sorted(read_labels(tmp_path / "out.jsonl"), key=key) == sorted(stored_annotations(ledger), key=key)


def test_a_labels_file_comes_back_the_same(home: Path, tmp_path: Path) -> None:
    """JSON lines of JSON lines; no ledger is made for it."""
    _done(tmp_path / "out.jsonl", "--labels", LABELS)
    assert read_labels(tmp_path / "out.jsonl") == read_labels(LABELS)
    assert not home.exists()


def test_the_json_report_counts(home: Path, tmp_path: Path) -> None:
    """A script reads what was written."""
    out = tmp_path / "out.parquet"
    report = json.loads(_done(out, "--labels", LABELS, "--gold", "--json"))
    assert (report["format"], report["n_posts"], report["n_rows"]) == ("parquet", 159, 159)
    assert sum(report["statuses"].values()) == parquet.read_metadata(out).num_rows


def test_wrong_usage(home: Path, tmp_path: Path) -> None:
    """A suffix that means nothing and a contradiction are usage errors; nothing is written."""
    for arguments in (("out.xlsx",), ("out.parquet", "--long")):
        result = _run(tmp_path / arguments[0], *arguments[1:], "--labels", LABELS)
        assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []
    _done(tmp_path / "out.txt", "--format", "long", "--labels", LABELS)
    _done(tmp_path / "out.csv", "--long", "--labels", LABELS)
    assert (tmp_path / "out.txt").read_bytes() == (tmp_path / "out.csv").read_bytes()


def test_nothing_to_export_says_what_to_do(home: Path, ledger: Ledger, tmp_path: Path) -> None:
    """Before the first pull there is nothing, and no file."""
    assert "talkingpoints pull" in str(_run(tmp_path / "out.csv").exception)
    empty = tmp_path / "labels.jsonl"
    empty.write_text("")
    assert str(empty) in str(_run(tmp_path / "out.csv", "--labels", empty).exception)
    assert not (tmp_path / "out.csv").exists()


def test_labels_of_another_codebook_are_refused_by_line(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the line, the tag, and the codebook that was looked in."""
    lines = LABELS.read_text(encoding="utf-8").replace('"un-role"', '"un-rule"')
    (tmp_path / "labels.jsonl").write_text(lines, encoding="utf-8")
    message = str(_run(tmp_path / "out.csv", "--labels", tmp_path / "labels.jsonl").exception)
    assert "un-rule" in message
    assert "codebook.yaml" in message


def test_pseudonyms_have_one_private_key_a_workspace(home: Path, tmp_path: Path) -> None:
    """The same people have the same names in every export, and the key is for its owner alone."""
    for name in ("a.csv", "b.csv"):
        _done(tmp_path / name, "--labels", LABELS, "--pseudonyms", "--pseudonymous-channels")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    key = home / "pseudonyms.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [entry.name for entry in home.iterdir()] == ["pseudonyms.key"]
    content = (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert key.read_text().strip() not in content
    assert not {"annotator-1", "dump/"} & {part for part in ("annotator-1", "dump/") if part in content}
    key.write_text("something else")
    assert "backup" in str(_run(tmp_path / "c.csv", "--labels", LABELS, "--pseudonyms").exception)


def _post(number: int, text: str, **changes: Any) -> Entry:
    annotation = Annotation(post_id=f"c/{number}", annotator="a", text=text, tags={})
    return Entry(
        post_id=f"c/{number}",
        revision=text_digest(text),
        text=text,
        channel="c",
        annotations=(annotation,),
        **changes,
    )


def test_near_duplicates_are_never_parted() -> None:
    """Twenty stories told three times each, with small edits: every story is on one side."""
    stories = [f"Story {n}: " + " ".join(f"word{n}x{m}" for m in range(20)) for n in range(20)]
    endings = ("", " Read more.", " #Calverra")
    posts = [
        _post(3 * n + variant, story + ending)
        for n, story in enumerate(stories)
        for variant, ending in enumerate(endings)
    ]
    split_of = grouped_split(posts, 0.3)
    sides = [{split_of(post) for post in posts[3 * n : 3 * n + 3]} for n in range(20)]
    assert all(len(side) == 1 for side in sides)
    assert {split_of(post) for post in posts} == {"train", "test"}


def test_a_post_stays_in_its_split_when_the_dataset_grows() -> None:
    """What was held out once is not trained on in the next release."""
    posts = [_post(n, f"Number {n} speaks of {n * 7} and of {n * 13} things") for n in range(200)]
    small, large = grouped_split(posts[:100], 0.2), grouped_split(posts, 0.2)
    assert [small(post) for post in posts[:100]] == [large(post) for post in posts[:100]]


def test_the_folder_has_a_test_split_unless_it_is_not_wanted(home: Path, tmp_path: Path) -> None:
    """``--test-share 0`` makes one split."""
    _done(tmp_path / "ds", "--labels", LABELS, "--license", "mit", "--language", "en")
    assert sorted(file.stem for file in (tmp_path / "ds" / "data").iterdir()) == ["test", "train"]
    _done(tmp_path / "all", "--labels", LABELS, "--test-share", "0", "--gold")
    assert [file.stem for file in (tmp_path / "all" / "data").iterdir()] == ["train"]
    assert "license: mit" in (tmp_path / "ds" / "README.md").read_text(encoding="utf-8")


def test_a_ledger_can_be_gone_through_again(ledger: Ledger) -> None:
    """The splits are made in a first pass, the rows written in a second."""
    _pulled(ledger, read_labels(LABELS)[:10])
    source = LedgerSource(ledger)
    assert [entry.key for entry in source] == [entry.key for entry in source]
