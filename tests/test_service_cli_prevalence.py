"""The command ``prevalence`` from end to end: a ledger with a sample, labels, a model, tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from annotations.codebook import dump_codebook
from annotations.errors import TalkingPointsError
from annotations.importing import import_file
from annotations.labels import write_labels
from annotations.ledger.samples import SampledPost, SampleRecord, record_sample
from annotations.ledger.store import open_ledger
from annotations.records import text_digest
from classifiers.testing import invented_annotations, invented_codebook
from service.cli.root import talkingpoints

N_POSTS, N_DRAWN = 200, 60


class _Workspace:
    """A workspace with posts of three months, a random sample of them, its labels, and a model of the labels."""

    def __init__(self, home: Path) -> None:
        self.home = home
        annotations = invented_annotations(N_POSTS, annotators=("A",))
        self.truth = {
            tag: sum(tag in each.tags for each in annotations) / N_POSTS for tag in ("blame", "old-glory")
        }
        (home / "codebook.yaml").write_text(dump_codebook(invented_codebook()))
        rows = [
            {
                "channel": "ministry",
                "message_id": each.post_id.partition("/")[2],
                "text": each.text,
                "date": f"2026-0{1 + number % 3}-10T12:00:00Z",
            }
            for number, each in enumerate(annotations)
        ]
        (home / "posts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        ledger = open_ledger(f"sqlite:///{home / 'ledger.db'}")
        import_file(ledger, home / "posts.jsonl")
        drawn = annotations[::3][:N_DRAWN]  # the invented posts are in random order
        posts = [
            SampledPost(each.post_id, text_digest(each.text), "random", place, N_DRAWN / N_POSTS, 1, 1)
            for place, each in enumerate(drawn, 1)
        ]
        design = SampleRecord(seed=0, codebook="c", model_version=None, n_pool=N_POSTS, n_pool_posts=N_POSTS)
        record_sample(ledger, design, posts)
        ledger.close()
        self.labels = home / "labels.jsonl"
        write_labels(self.labels, drawn)

    def __call__(self, *arguments: object, code: int = 0) -> Result:
        """Run a command in this process; code 1 is an expected failure."""
        done = CliRunner(env={"TALKINGPOINTS_HOME": str(self.home)}).invoke(
            talkingpoints, list(map(str, arguments))
        )
        if code == 1:
            assert isinstance(done.exception, TalkingPointsError)
        assert done.exit_code == code, done.output
        return done


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> _Workspace:
    """Make the workspace and train."""
    made = _Workspace(tmp_path_factory.mktemp("prevalence"))
    made("train", "--labels", made.labels)
    return made


def _rows(done: Result) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["part"], row["tag"]): row for row in json.loads(done.stdout)["shares"]}


def test_shares_of_the_ledger_hold_the_truth(workspace: _Workspace) -> None:
    """All posts and months, valid, from the random quota; the table says the same."""
    done = workspace(
        "prevalence",
        "--labels",
        workspace.labels,
        "--by",
        "month",
        "--json",
        "--out",
        workspace.home / "shares.csv",
    )
    rows = _rows(done)
    for tag, share in workspace.truth.items():
        assert rows["all", tag]["low"] <= share <= rows["all", tag]["high"]
        assert rows["all", tag]["is_valid"]
        assert rows["all", tag]["n_posts"] == N_POSTS
    assert {part for part, _ in rows} == {"all", "2026-01", "2026-02", "2026-03"}
    with (workspace.home / "shares.csv").open() as stream:
        written = list(csv.DictReader(stream))
    assert [row["tag"] for row in written] == [tag for _, tag in rows]
    text = workspace(
        "prevalence", "--labels", workspace.labels, "--tag", "blame", "--want-width", "0.05"
    ).stdout
    assert f"{100 * rows['all', 'blame']['share']:.1f} %" in text
    assert "random posts for a width of 0.05" in text


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_table_of_tags_gives_the_same_as_the_ledger(workspace: _Workspace, suffix: str) -> None:
    """The ledger adds what a table of bulk tagging lacks; training posts get their scores out of fold."""
    table = workspace.home / f"tags{suffix}"
    workspace("tag", workspace.home / "posts.jsonl", table)
    arguments = ("prevalence", "--labels", workspace.labels, "--by", "month", "--json")
    one, other = _rows(workspace(*arguments)), _rows(workspace(*arguments, "--tags-table", table))
    assert one.keys() == other.keys()
    for key, row in one.items():
        assert other[key]["share"] == pytest.approx(row["share"], abs=1e-4)
        assert other[key]["low"] == (None if row["low"] is None else pytest.approx(row["low"], abs=1e-4))


def test_without_random_labels_the_command_says_what_to_do(workspace: _Workspace) -> None:
    """Nothing pulled: the model's counts, a warning, and the size of a sample."""
    done = workspace("prevalence", "--want-width", "0.1")
    assert "count *" in done.stdout
    assert "indicative" in done.stderr
    assert "talkingpoints sample --size" in done.stderr
    assert "random posts for a width of 0.1" in done.stdout


def test_labels_may_be_declared_random(workspace: _Workspace, tmp_path: Path) -> None:
    """Another workspace without a ledger's sample: table, labels and bundle are enough; without a bundle it warns."""
    table, bundle = workspace.home / "all.parquet", workspace.home / "bundle"
    workspace("train", "--labels", workspace.labels, "--out", bundle)
    workspace("tag", workspace.home / "posts.jsonl", table, "--model", bundle)
    elsewhere = _Workspace.__new__(_Workspace)
    elsewhere.home = tmp_path
    (tmp_path / "codebook.yaml").write_text(dump_codebook(invented_codebook()))
    arguments = ("prevalence", "--labels", workspace.labels, "--tags-table", table, "--labels-are-random")
    assert "intervals too narrow" in elsewhere(*arguments).stderr
    done = elsewhere(*arguments, "--model", bundle, "--json", "--estimator", "human")
    assert not done.stderr
    row = _rows(done)["all", "blame"]
    assert (row["n_labels"], row["estimator"]) == (N_DRAWN, "human")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--sample", "7"), 1, "no sample 7"),
        (("--tag", "nothing"), 2, "no tag 'nothing'"),
        (("--tags-table", "none.csv"), 1, "no such file"),
        (("--want-width", "2"), 2, "want-width"),
        (("--labels", "none.jsonl"), 1, "none.jsonl"),
    ],
)
def test_mistakes_are_named(
    workspace: _Workspace, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """With the exit code of their kind."""
    done = workspace("prevalence", *arguments, code=code)
    assert message in (done.stderr if code == 2 else str(done.exception))
