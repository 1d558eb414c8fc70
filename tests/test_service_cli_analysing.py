"""The commands of analysis and the walk-through in docs/analysis.md, on the sample, as they are typed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from classifiers.trends import Trends
from classifiers.trends.exemplars import Exemplar
from classifiers.trends.timelines import Point
from service.cli.trends import print_trends

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8")
FIGURES = (ROOT / "docs" / "trends.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)


class Folder:
    """A folder with the sample in it, in which commands are typed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("TALKINGPOINTS_")
        }
        self._environment = inherited | {
            "TALKINGPOINTS_HOME": str(path / "workspace"),
            "TALKINGPOINTS_CODEBOOK": str(ROOT / "examples" / "codebook.yaml"),
        }

    def __call__(self, line: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a line that begins with ``talkingpoints``; no failure may show a traceback."""
        program, *arguments = shlex.split(line)
        assert program == "talkingpoints"
        done = subprocess.run(
            [sys.executable, "-m", "service.cli", *arguments],
            env=self._environment,
            cwd=self.path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Return a folder in which the walk-through was followed to the end."""
    made = Folder(tmp_path_factory.mktemp("analysis"))
    shutil.copytree(ROOT / "examples", made.path / "examples")
    for block in _blocks("sh"):
        for line in filter(None, block.splitlines()):
            made(line)
    return made


@pytest.fixture(scope="module")
def answers(folder: Folder) -> list[pd.DataFrame]:
    """Return the answer to each question of the walk-through, in order."""
    found = []
    with pytest.MonkeyPatch.context() as patch, duckdb.connect() as connection:
        patch.chdir(folder.path)
        for block in _blocks("sql"):
            for statement in filter(str.strip, block.split(";")):
                result = connection.execute(statement)
                if statement.lstrip().startswith(("SELECT", "WITH")):
                    found.append(result.fetch_df())
    return found


def test_every_documented_question_has_an_answer(answers: list[pd.DataFrame]) -> None:
    """Months, channels, pairs, doubtful posts, people beside the model, passages."""
    assert len(answers) == 6
    assert all(len(answer) for answer in answers)
    months, channels, pairs, doubtful, people, passages = answers
    assert set(months["tag"]) > {"multipolarity", "un-role"}
    assert set(channels["channel"]) == {"dump", "posts", "CalverraMFA-invented"}
    assert channels["percent_of_all"].sum() == pytest.approx(100, abs=0.2)
    assert (doubtful["score"] - 0.5).abs().is_monotonic_increasing
    assert (people["both_yes"] > 0).all()
    assert len(passages) == 5
    assert len(pairs) == 10


def test_sql_and_the_command_count_alike(folder: Folder, answers: list[pd.DataFrame]) -> None:
    """Shares by month and lifts of pairs are those that `talkingpoints trends` wrote."""
    lines = pd.read_csv(folder.path / "trends" / "timelines.csv")
    lines = lines[(lines["by"] == "all") & (lines["period"] != "undated")]
    merged = answers[0].merge(lines, left_on=["month", "tag"], right_on=["period", "tag"])
    assert len(merged) == len(lines) == len(answers[0])
    assert (merged["n_yes_x"] == merged["n_yes_y"]).all()
    assert merged["share_x"].to_numpy() == pytest.approx(merged["share_y"].to_numpy(), abs=0.001)
    pairs = pd.read_csv(folder.path / "trends" / "pairs.csv")
    either = {
        frozenset(row[:2]): row[2] for row in pairs[["first", "second", "lift"]].itertuples(index=False)
    }
    for row in answers[2].itertuples():
        assert either[frozenset((row.first, row.second))] == pytest.approx(row.lift, abs=0.006)


def test_pandas_counts_alike(
    folder: Folder, answers: list[pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines of the document are run as they stand."""
    monkeypatch.chdir(folder.path)
    found: dict[str, Any] = {}
    exec(_blocks("python")[0], found)
    share = answers[0].set_index(["month", "tag"])["share"]
    for (month, tag), value in share.items():
        assert found["by_month"].loc[month, tag] == pytest.approx(value, abs=0.001)
    assert found["together"].loc["un-role", "un-role"] == found["by_channel"]["un-role"].sum()
    long = pd.read_parquet(folder.path / "tags_long.parquet")
    assert len(long) == 160 * 12


@pytest.mark.parametrize("name", ["trends", "drift", "diagnostics"])
def test_every_column_is_documented(folder: Folder, name: str) -> None:
    """What a CSV file is called, and each of its columns, stands in docs/trends.md; pandas reads all of them."""
    words = set(re.findall(r"`([\w.]+)`", FIGURES))
    files = list((folder.path / name).glob("*.csv"))
    assert files
    for file in files:
        assert file.name in words
        assert set(pd.read_csv(file).columns) <= words, file.name


def test_trends_are_told_and_the_chain_is_in_order(folder: Folder) -> None:
    """The cross-post of the sample: first in one file, then in the other; the text says what shares are."""
    text = folder("talkingpoints trends").stdout
    assert "160 posts tagged by model" in text
    assert "classifier's errors" in text
    assert text.index("posts/2033") < text.index("CalverraMFA-invented/95")
    found = json.loads(folder("talkingpoints trends --tags-table tags.parquet --period week --json").stdout)
    copies = next(chain for chain in found["chains"] if chain["kind"] == "copies")
    assert [step["post_id"] for step in copies["steps"]] == ["posts/2033", "CalverraMFA-invented/95"]
    assert copies["steps"][1]["forwarded_from"]
    assert found["exemplars"]
    assert all(re.fullmatch(r"\d{4}-W\d\d|undated", point["period"]) for point in found["timelines"])


def test_examples_of_posts_without_dates_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As those of a dump: there is no latest month."""
    best = [
        Exemplar(
            tag="un-role", period="undated", rank=rank, post_id=f"a/{rank}", channel="a", date=None,
            start=0, end=4, quote=f"No {rank}", weight=1.0, score=0.9,
        )
        for rank in (1, 2)
    ]  # fmt: skip
    point = Point(
        by="all", group="all", period="undated", tag="un-role", n_posts=2, n_yes=2, n_abstain=0,
        share=1.0, low=0.3, high=1.0,
    )  # fmt: skip
    found = Trends(
        model_version="0", tag_ids=("un-role",), n_posts=2, n_undated=2, with_evidence=True, timelines=(point,),
        changes=(), pairs=(), chains=(), exemplars=tuple(best),
    )  # fmt: skip
    print_trends(found)
    assert "un-role: “No 1” (a/1)" in capsys.readouterr().out


def test_drift_says_what_cannot_be_compared(folder: Folder) -> None:
    """All posts of the sample were trained on; agreement is there by month."""
    text = folder("talkingpoints drift --tags-table tags.parquet --labels examples/annotations.jsonl").stdout
    assert "160 of them trained on" in text
    assert "Nothing to compare" in text
    assert "2026-04" in text


def test_diagnose_needs_no_ledger_and_no_model(tmp_path: Path) -> None:
    """A labels file is enough."""
    here = Folder(tmp_path)
    labels = ROOT / "examples" / "annotations.jsonl"
    found = json.loads(here(f"talkingpoints diagnose --labels {labels} --json").stdout)
    assert {each["state"] for each in found["prospects"]} == {"unknown"}
    assert found["unused"] == []
    assert "talkingpoints pull" in here("talkingpoints diagnose", code=1).stderr
    assert "talkingpoints import" in here("talkingpoints trends", code=1).stderr


def test_a_table_of_another_model_is_refused_or_said(folder: Folder, tmp_path: Path) -> None:
    """Drift needs the model's bundle; trends do without, and say what is missing."""
    table = pd.read_parquet(folder.path / "tags.parquet").assign(model_version="000000000000")
    table.to_parquet(tmp_path / "tags.parquet")
    done = folder(f"talkingpoints trends --tags-table {tmp_path / 'tags.parquet'} --json")
    assert "not at hand" in done.stderr
    assert json.loads(done.stdout)["exemplars"] == []
    assert "--model" in folder(f"talkingpoints drift --tags-table {tmp_path / 'tags.parquet'}", code=1).stderr
