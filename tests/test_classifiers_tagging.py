"""Bulk tagging: every supported format in, a whole table out or none."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from annotations.errors import FileError
from classifiers.scorer import Scorer
from classifiers.tagging import tag_file
from classifiers.testing import invented_scorer

TEXT = "🕊 The minister met the traders. The coast council lies again! Read more."
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Return a scorer trained on the invented corpus."""
    return invented_scorer()


ROWS = [
    {"post_id": "a/1", "text": TEXT},
    {"post_id": "=cmd()/2", "text": "Nothing of note."},
    {"post_id": "a/3", "text": ""},
    {"post_id": "a/4", "text": 7},
]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_file_is_tagged_row_by_row(scorer: Scorer, tmp_path: Path, suffix: str) -> None:
    """Posts are tagged in order; a message without text is skipped, a bad row refused with its place."""
    source, target = tmp_path / "posts.jsonl", tmp_path / f"tags{suffix}"
    source.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    report = tag_file(scorer, source, target)
    assert (report.n_tagged, report.n_skipped, report.n_refused) == (2, 1, 1)
    assert "line 4" in report.refusals[0][0]
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


def test_a_run_that_fails_leaves_the_old_output(scorer: Scorer, tmp_path: Path) -> None:
    """Half a table never takes the place of a whole one."""
    target = tmp_path / "tags.csv"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(FileError):
        tag_file(scorer, tmp_path / "nowhere.jsonl", target)
    source = tmp_path / "posts.jsonl"
    source.write_text(json.dumps(ROWS[0]), encoding="utf-8")

    def stop(_done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tag_file(scorer, source, target, stop)
    assert target.read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["posts.jsonl", "tags.csv"]


@pytest.mark.parametrize("name", ["dump.txt", "posts.csv", "result.json"])
def test_any_format_that_can_be_imported_can_be_tagged(scorer: Scorer, tmp_path: Path, name: str) -> None:
    """A raw export needs no conversion first."""
    seen: list[int] = []
    report = tag_file(scorer, EXAMPLES / name, tmp_path / "tags.parquet", lambda done, _: seen.append(done))
    table = pd.read_parquet(tmp_path / "tags.parquet")
    assert len(table) == report.n_tagged == seen[-1] > 5
    assert set(table["model_version"]) == {scorer.version}
    assert set(table["blame"]) <= {"yes", "no", "abstain"}


def test_the_columns_are_the_codebooks_tags_in_order(scorer: Scorer, tmp_path: Path) -> None:
    """The header is there even where no post is."""
    (tmp_path / "posts.csv").write_text("post_id,text\na/1,\n", encoding="utf-8")
    report = tag_file(scorer, tmp_path / "posts.csv", tmp_path / "tags.csv")
    with (tmp_path / "tags.csv").open(encoding="utf-8", newline="") as stream:
        header = next(csv.reader(stream))
    assert header[:4] == ["post_id", "model_version", "shared-water", "shared-water_score"]
    assert len(header) == 2 + 2 * len(scorer.codebook.tag_ids)
    assert report.n_tagged == 0


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_halves_of_characters_do_not_stop_a_run(scorer: Scorer, tmp_path: Path, suffix: str) -> None:
    """What no file could hold is replaced, and the post is tagged."""
    source = tmp_path / "posts.jsonl"
    source.write_text('{"post_id": "a/1", "text": "x \\ud800 y"}\n', encoding="utf-8")
    assert tag_file(scorer, source, tmp_path / f"tags{suffix}").n_tagged == 1


def test_the_input_is_not_overwritten_by_its_tags(scorer: Scorer, tmp_path: Path) -> None:
    """Posts are worth more than tags."""
    source = tmp_path / "posts.jsonl"
    source.write_text(json.dumps(ROWS[0]), encoding="utf-8")
    with pytest.raises(FileError, match="is the input itself"):
        tag_file(scorer, source, tmp_path / "." / "posts.jsonl")
    assert json.loads(source.read_text(encoding="utf-8")) == ROWS[0]


def test_an_unknown_suffix_is_refused_with_those_known(scorer: Scorer, tmp_path: Path) -> None:
    """Nothing is read before it is clear that it can be written."""
    with pytest.raises(FileError, match=r"'.xlsx' means no known format[\s\S]*\.csv, \.jsonl, \.parquet"):
        tag_file(scorer, tmp_path / "nowhere.csv", tmp_path / "tags.xlsx")
