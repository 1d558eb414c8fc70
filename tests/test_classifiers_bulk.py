"""Bulk tagging: every supported format in, a whole table out or none, and no work twice."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotations.errors import FileError
from annotations.importing import import_file
from annotations.ledger.posts import current_posts
from annotations.ledger.store import open_ledger
from annotations.posts_table import write_posts
from annotations.readers import ReadOptions
from classifiers.bulk.report import BulkOptions, BulkReport
from classifiers.bulk.running import tag_posts
from classifiers.bulk.side import partial_path, rejected_path
from classifiers.bulk.sources import FileSource, LedgerSource
from classifiers.bundle import write_bundle
from classifiers.errors import WorkersLostError
from classifiers.scorer import Scorer
from classifiers.testing import invented_annotations, invented_scorer
from soak.invented import messages, write_export
from soak.killing import Command, await_end_of_group

TEXT = "🕊 The minister met the traders. The coast council lies again! Read more."
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
HERE = BulkOptions(jobs=1)
SMALL = BulkOptions(jobs=1, chunk_posts=7)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of a model that was trained on the invented corpus."""
    path = tmp_path_factory.mktemp("model") / "bundle"
    write_bundle(invented_scorer()._model, path)
    return path


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of another model."""
    path = tmp_path_factory.mktemp("other") / "bundle"
    write_bundle(invented_scorer(n_posts=70)._model, path)
    return path


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    """Return JSON lines of 60 posts."""
    return write_lines(tmp_path / "posts.jsonl", invented_rows())


def invented_rows() -> list[dict]:
    """Return 60 posts as rows."""
    found = invented_annotations(60, annotators=["A"])
    return [{"post_id": each.post_id, "text": each.text, "date": "2025-03-01"} for each in found]


def write_lines(path: Path, rows: list[dict]) -> Path:
    """Write JSON lines."""
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def tag(
    bundle: Path, source: Path, target: Path, options: BulkOptions = HERE, **further: object
) -> BulkReport:
    """Tag a file."""
    return tag_posts(bundle, FileSource(source), target, options, **further)  # type: ignore[arg-type]


def stopping_after(chunks: int) -> Callable[[int, int | None], None]:
    """Return a progress that is interrupted, as by Ctrl-C."""
    told = []

    def progress(done: int, _total: int | None) -> None:
        told.append(done)
        if len(told) == chunks:
            raise KeyboardInterrupt

    return progress


ROWS = [
    {"post_id": "a/1", "text": TEXT},
    {"post_id": "=cmd()/2", "text": "Nothing of note."},
    {"post_id": "a/3", "text": ""},
    {"post_id": "a/4", "text": 7},
]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_file_is_tagged_row_by_row(bundle: Path, tmp_path: Path, suffix: str) -> None:
    """Posts are tagged in order; a message without text is skipped, a bad row set aside with its place."""
    source, target = write_lines(tmp_path / "posts.jsonl", ROWS), tmp_path / f"tags{suffix}"
    report = tag(bundle, source, target)
    assert (report.n_tagged, report.n_skipped, report.n_refused) == (2, 1, 1)
    refused = json.loads(rejected_path(target).read_text(encoding="utf-8"))
    assert refused == {"file": str(source), "position": "line 4", "reason": "field 'text' is int, not text"}
    readers = {
        ".parquet": pd.read_parquet,
        ".csv": pd.read_csv,
        ".jsonl": lambda path: pd.read_json(path, lines=True),
    }
    table = readers[suffix](target)
    assert list(table["post_id"]) == ["a/1", "'=cmd()/2" if suffix == ".csv" else "=cmd()/2"]
    assert list(table["blame"]) == ["yes", "no"]
    assert table["blame_score"].between(0, 1).all()
    assert set(table["rare"]) == {"abstain"}
    assert table["rare_score"].isna().all()
    assert not partial_path(target).exists()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_every_format_says_the_same(bundle: Path, posts: Path, tmp_path: Path, suffix: str) -> None:
    """Decisions and scores are those of the scorer; a score has the digits that tell it from its neighbours."""
    target = tmp_path / f"tags{suffix}"
    columns = ("lang", "date", "channel", "revision")
    tag(bundle, posts, target, BulkOptions(columns, jobs=1, chunk_posts=7))
    rows = {
        ".jsonl": lambda: list(map(json.loads, target.read_text(encoding="utf-8").splitlines())),
        ".csv": lambda: list(csv.DictReader(target.read_text(encoding="utf-8").splitlines())),
        ".parquet": lambda: pq.read_table(target).to_pylist(),
    }[suffix]()
    scorer = Scorer.load(bundle)
    wanted = invented_rows()
    judged = scorer.judge([row["text"] for row in wanted])
    assert [row["post_id"] for row in rows] == [row["post_id"] for row in wanted]
    assert list(rows[0])[:6] == ["post_id", "model_version", *columns]
    for row, scores, prediction in zip(
        rows, judged.scores, scorer.predict([row["text"] for row in wanted]), strict=True
    ):
        for at, tagged in enumerate(prediction.tags):
            assert row[tagged.tag_id] == tagged.decision
            if tagged.score is not None:
                assert float(row[f"{tagged.tag_id}_score"]) == pytest.approx(scores[at], abs=1e-6)
    assert {str(row["channel"]) for row in rows} == {"ministry"}
    assert {str(row["date"])[:10] for row in rows} == {"2025-03-01"}
    assert len({row["revision"] for row in rows}) > 50


def test_a_run_that_fails_leaves_the_old_output(bundle: Path, posts: Path, tmp_path: Path) -> None:
    """Half a table never takes the place of a whole one, and nothing is left where nothing was done."""
    target = tmp_path / "tags.csv"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(FileError):
        tag(bundle, tmp_path / "nowhere.jsonl", target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["posts.jsonl", "tags.csv"]
    with pytest.raises(KeyboardInterrupt):
        tag(bundle, posts, target, SMALL, progress=stopping_after(2))
    assert target.read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_an_interrupted_run_goes_on(bundle: Path, posts: Path, tmp_path: Path, suffix: str) -> None:
    """The next run takes over what was done, and its output is that of a run that nobody disturbed."""
    undisturbed, target = tmp_path / f"undisturbed{suffix}", tmp_path / f"tags{suffix}"
    tag(bundle, posts, undisturbed, SMALL)
    with pytest.raises(KeyboardInterrupt):
        tag(bundle, posts, target, SMALL, progress=stopping_after(4))
    assert not target.exists()
    kept = sorted(partial_path(target).glob("*.chunk"))
    kept[0].write_bytes(kept[0].read_bytes()[:-1])  # a disk that lost its end
    report = tag(bundle, posts, target, SMALL)
    assert (report.n_chunks, report.n_resumed, report.n_stale) == (9, 3, 1)
    assert target.read_bytes() == undisturbed.read_bytes()
    assert not partial_path(target).exists()


def test_what_was_done_for_another_run_is_not_used(
    bundle: Path, other_bundle: Path, posts: Path, tmp_path: Path
) -> None:
    """Another model, other columns, a changed post: the chunks are done anew, and the report says so."""
    target = tmp_path / "tags.parquet"
    with pytest.raises(KeyboardInterrupt):
        tag(bundle, posts, target, SMALL, progress=stopping_after(9))
    other = tag(other_bundle, posts, target, SMALL)
    assert (other.n_resumed, other.n_stale) == (0, 9)
    assert "another input, model or options" in other.notes[0]
    with pytest.raises(KeyboardInterrupt):
        tag(bundle, posts, target, SMALL, progress=stopping_after(9))
    rows = invented_rows()
    rows[30]["text"] = "The coast council lies again!"
    report = tag(bundle, write_lines(posts, rows), target, SMALL)
    assert (report.n_resumed, report.n_stale) == (8, 1)
    assert pq.read_table(target)["blame"].to_pylist()[30] == "yes"


def test_two_runs_do_not_write_one_file(bundle: Path, posts: Path, tmp_path: Path) -> None:
    """The second one is refused, the first goes on."""
    target = tmp_path / "tags.csv"

    def second(done: int, _total: int | None) -> None:
        if done < 60:
            with pytest.raises(FileError, match="another run is writing"):
                tag(bundle, posts, target, SMALL)

    assert tag(bundle, posts, target, SMALL, progress=second).n_tagged == 60


def test_a_folder_of_that_name_that_is_not_ours_is_left_alone(
    bundle: Path, posts: Path, tmp_path: Path
) -> None:
    """Nothing that a person put there is removed."""
    (tmp_path / "tags.csv.partial").mkdir()
    (tmp_path / "tags.csv.partial" / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="no folder of an unfinished"):
        tag(bundle, posts, tmp_path / "tags.csv")
    assert (tmp_path / "tags.csv.partial" / "notes.txt").read_text() == "mine"


def test_a_killed_run_goes_on(bundle: Path, tmp_path: Path) -> None:
    """SIGKILL in mid-run: no process lives on, no post is tagged twice, and the output is the same."""
    source, undisturbed, target = tmp_path / "result.json", tmp_path / "a.parquet", tmp_path / "b.parquet"
    write_export(source, messages(1_000))
    small = BulkOptions(jobs=1, chunk_posts=20)
    tag(bundle, source, undisturbed, small)
    options = ("--model", str(bundle), "--jobs", "2", "--chunk", "20", "--json")
    command = Command(("tag", *options, str(source), str(target)))
    process = command.start()
    while process.poll() is None and len(list(partial_path(target).glob("*.chunk"))) < 5:
        time.sleep(0.01)
    process.kill()
    process.wait()
    await_end_of_group(process.pid)
    assert not target.exists()
    kept = len(list(partial_path(target).glob("*.chunk")))
    report = json.loads(command.run())
    assert report["chunks"]["resumed"] == kept >= 5
    assert report["chunks"]["done"] > kept
    assert target.read_bytes() == undisturbed.read_bytes()
    assert sorted(path.name for path in tmp_path.glob("b.*")) == ["b.parquet", "b.parquet.rejected.jsonl"]


def test_a_process_that_is_ended_is_told(bundle: Path, posts: Path, tmp_path: Path) -> None:
    """With the way out: the next run goes on."""

    def kill_one(_done: int, _total: int | None) -> None:
        children = psutil.Process().children(recursive=True)
        next(each for each in children if "spawn_main" in " ".join(each.cmdline())).kill()

    with pytest.raises(WorkersLostError, match="fewer --jobs"):
        tag(bundle, posts, tmp_path / "tags.csv", BulkOptions(jobs=2, chunk_posts=2), progress=kill_one)
    assert tag(bundle, posts, tmp_path / "tags.csv", BulkOptions(jobs=1, chunk_posts=2)).n_resumed > 0


def test_processes_make_the_same_file(bundle: Path, posts: Path, tmp_path: Path) -> None:
    """The number of processes changes nothing but the time."""
    alone, together = tmp_path / "alone.parquet", tmp_path / "together.parquet"
    tag(bundle, posts, alone, SMALL)
    tag(bundle, posts, together, BulkOptions(jobs=2, chunk_posts=7))
    assert together.read_bytes() == alone.read_bytes()


@pytest.mark.parametrize("name", ["dump.txt", "posts.csv", "result.json"])
def test_any_format_that_can_be_imported_can_be_tagged(bundle: Path, tmp_path: Path, name: str) -> None:
    """A raw export needs no conversion first; the last that is told is that all is done."""
    seen: list[tuple[int, int | None]] = []
    report = tag_posts(
        bundle,
        FileSource(EXAMPLES / name),
        tmp_path / "tags.parquet",
        SMALL,
        lambda done, total: seen.append((done, total)),
    )
    table = pd.read_parquet(tmp_path / "tags.parquet")
    assert len(table) == report.n_tagged > 5
    assert seen[-1] == (len(table), len(table))
    assert all(total is not None and total >= done for done, total in seen)
    assert set(table["model_version"]) == {report.model_version}


def test_a_folder_is_tagged_file_by_file(bundle: Path, tmp_path: Path) -> None:
    """In the order of the paths, without hidden files, other files and the run's own; a bad file is set aside."""
    folder = tmp_path / "posts"
    (folder / "b").mkdir(parents=True)
    write_lines(folder / "b" / "1.jsonl", [{"post_id": "b/1", "text": TEXT}])
    write_lines(folder / "a.jsonl", [{"post_id": "a/1", "text": TEXT}])
    write_lines(folder / "c.jsonl", [{"post_id": "a/1", "text": TEXT}])
    write_lines(folder / ".hidden.jsonl", [{"post_id": "h/1", "text": TEXT}])
    (folder / "bad.csv").write_text("neither,nor\n1,2\n", encoding="utf-8")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8")
    for _ in range(2):
        report = tag(bundle, folder, folder / "tags.jsonl")
        lines = (folder / "tags.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["post_id"] for line in lines] == ["a/1", "b/1", "a/1"]
        assert (report.n_refused, report.n_repeated_ids) == (1, 1)
        assert report.refused[0].file == "bad.csv"
    for path in folder.rglob("*"):
        if path.suffix in (".jsonl", ".csv"):
            path.unlink()
    with pytest.raises(FileError, match="holds no file of posts"):
        tag(bundle, folder, tmp_path / "tags.jsonl")


def test_the_ledger_is_tagged(bundle: Path, tmp_path: Path) -> None:
    """Its current posts, as a table of them would be."""
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    try:
        import_file(ledger, EXAMPLES / "posts.csv")
        options = BulkOptions(("date", "revision"), jobs=1, chunk_posts=7)
        report = tag_posts(bundle, LedgerSource(ledger), tmp_path / "tags.parquet", options)
        stored = list(current_posts(ledger))
    finally:
        ledger.close()
    table = pq.read_table(tmp_path / "tags.parquet")
    assert report.n_tagged == len(stored) > 40
    assert table["post_id"].to_pylist() == [each.post.post_id for each in stored]
    assert table["revision"].to_pylist() == [each.post.revision for each in stored]
    assert table["date"].to_pylist() == [each.post.date for each in stored]
    write_posts(tmp_path / "posts.parquet", stored)
    tag(bundle, tmp_path / "posts.parquet", tmp_path / "again.parquet", options)
    assert pq.read_table(tmp_path / "again.parquet").equals(table)


def test_only_what_changed_is_tagged(
    bundle: Path, other_bundle: Path, posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output is that of a whole run; posts with the same text are not scored again."""
    target, whole = tmp_path / "tags.parquet", tmp_path / "whole.parquet"
    changed = BulkOptions(jobs=1, chunk_posts=7, changed=True)
    first = tag(bundle, posts, target, changed)
    assert (first.n_tagged, first.n_unchanged) == (60, 0)
    rows, edited = invented_rows(), "The coast council lies again!"
    rows[30]["text"] = edited
    rows.insert(3, {"post_id": "ministry/new", "text": TEXT})
    rows.append(rows.pop(10))
    write_lines(posts, rows)
    scored: list[str] = []
    judge = Scorer.judge
    monkeypatch.setattr(Scorer, "judge", lambda self, texts: scored.extend(texts) or judge(self, texts))
    second = tag(bundle, posts, target, changed)
    assert (second.n_tagged, second.n_unchanged) == (61, 59)
    assert sorted(scored) == sorted([TEXT, edited])
    tag(bundle, posts, whole, BulkOptions(("revision",), jobs=1, chunk_posts=7))
    pd.testing.assert_frame_equal(pd.read_parquet(target), pd.read_parquet(whole), rtol=1e-5)
    assert tag(other_bundle, posts, target, changed).n_unchanged == 0
    assert tag(other_bundle, posts, target, changed).n_unchanged == 61


def test_changed_needs_a_table_that_can_be_looked_into(bundle: Path, posts: Path, tmp_path: Path) -> None:
    """Anything else is refused, or tagged as a whole with a word on it."""
    options = BulkOptions(jobs=1, changed=True)
    with pytest.raises(FileError, match="brought up to date"):
        tag(bundle, posts, tmp_path / "tags.csv", options)
    target = tmp_path / "tags.parquet"
    target.write_text("no parquet")
    with pytest.raises(FileError, match="is no Parquet file"):
        tag(bundle, posts, target, options)
    tag(bundle, posts, target)
    report = tag(bundle, posts, target, options)
    assert report.n_unchanged == 0
    assert "other columns" in report.notes[0]


def test_the_columns_are_the_codebooks_tags_in_order(bundle: Path, tmp_path: Path) -> None:
    """The header is there even where no post is."""
    (tmp_path / "posts.csv").write_text("post_id,text\na/1,\n", encoding="utf-8")
    for suffix in (".csv", ".parquet", ".jsonl"):
        assert tag(bundle, tmp_path / "posts.csv", tmp_path / f"tags{suffix}").n_tagged == 0
    with (tmp_path / "tags.csv").open(encoding="utf-8", newline="") as stream:
        header = next(csv.reader(stream))
    assert header[:4] == ["post_id", "model_version", "shared-water", "shared-water_score"]
    assert len(header) == 2 + 2 * 4
    schema = pq.read_schema(tmp_path / "tags.parquet")
    assert schema.names == header
    assert schema.field("blame_score").type == pa.float32()


def test_unknown_columns_are_refused(bundle: Path, posts: Path, tmp_path: Path) -> None:
    """With those that there are."""
    with pytest.raises(FileError, match=r"'views' is no column[\s\S]*channel, date, lang, revision"):
        tag(bundle, posts, tmp_path / "tags.csv", BulkOptions(("views",)))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_halves_of_characters_do_not_stop_a_run(bundle: Path, tmp_path: Path, suffix: str) -> None:
    """What no file could hold is replaced, and the post is tagged."""
    source = tmp_path / "posts.jsonl"
    source.write_text('{"post_id": "a/1", "text": "x \\ud800 y"}\n', encoding="utf-8")
    assert tag(bundle, source, tmp_path / f"tags{suffix}").n_tagged == 1


def test_the_input_is_not_overwritten_by_its_tags(bundle: Path, tmp_path: Path) -> None:
    """Posts are worth more than tags."""
    source = write_lines(tmp_path / "posts.jsonl", [ROWS[0]])
    with pytest.raises(FileError, match="is the input itself"):
        tag(bundle, source, tmp_path / "." / "posts.jsonl")
    assert json.loads(source.read_text(encoding="utf-8")) == ROWS[0]


def test_an_unknown_suffix_is_refused_with_those_known(bundle: Path, tmp_path: Path) -> None:
    """Nothing is read before it is clear that it can be written."""
    with pytest.raises(FileError, match=r"'.xlsx' means no known format[\s\S]*\.csv, \.jsonl, \.parquet"):
        tag(bundle, tmp_path / "nowhere.csv", tmp_path / "tags.xlsx")


def test_a_parquet_file_that_breaks_off_is_tagged_up_to_there(bundle: Path, tmp_path: Path) -> None:
    """A damaged row group is named; the rows before it are in the output."""
    rows = [{"post_id": f"a/{n}", "text": f"{TEXT} {n}"} for n in range(40)]
    source = tmp_path / "posts.parquet"
    pq.write_table(pa.Table.from_pylist(rows), source, row_group_size=10, compression="none")
    column = pq.read_metadata(source).row_group(2).column(1)
    place = column.dictionary_page_offset or column.data_page_offset
    data = source.read_bytes()
    source.write_bytes(data[:place] + b"\xff" * 40 + data[place + 40 :])
    report = tag(bundle, source, tmp_path / "tags.parquet", SMALL)
    assert 0 < report.n_tagged < 40
    assert "breaks off here" in report.refused[0].reason


def test_a_named_channel_is_taken_for_the_posts_of_a_table(bundle: Path, tmp_path: Path) -> None:
    """As by the import."""
    source = tmp_path / "posts.parquet"
    pq.write_table(pa.table({"message_id": ["1", "2"], "text": [TEXT, TEXT]}), source)
    options = ReadOptions(channel="ministry")
    tag_posts(bundle, FileSource(source, options), tmp_path / "tags.csv", BulkOptions(("date",), jobs=1))
    assert pd.read_csv(tmp_path / "tags.csv")["post_id"].tolist() == ["ministry/1", "ministry/2"]


def test_dates_of_tables_are_kept(bundle: Path, tmp_path: Path) -> None:
    """In UTC, whatever their type was."""
    source = tmp_path / "posts.parquet"
    dates = pa.array([datetime(2025, 3, 1, 12), None], pa.timestamp("ns", tz="UTC"))
    pq.write_table(pa.table({"post_id": ["a/1", "a/2"], "date": dates, "text": [TEXT, TEXT]}), source)
    tag(bundle, source, tmp_path / "tags.parquet", BulkOptions(("date",), jobs=1))
    found = pq.read_table(tmp_path / "tags.parquet")["date"].to_pylist()
    assert found == [datetime(2025, 3, 1, 12, tzinfo=UTC), None]
