"""Tables of tags as input, and scores of the posts that a model learnt from."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from annotations.errors import FileError
from classifiers.bundle_documents import OutOfFold
from classifiers.prevalence.tagged import TaggedPosts, read_tags_table
from classifiers.thresholds import TagRule

_ROWS = {
    "post_id": ["c/1", "c/2", "d/3"],
    "model_version": ["v"] * 3,
    "claim": ["yes", "no", "abstain"],
    "claim_score": [0.9, 0.1, 0.5],
    "rare": ["abstain"] * 3,
    "rare_score": [None, None, None],
}


def _written(path: Path, **changes: object) -> Path:
    frame = pd.DataFrame(_ROWS | changes)
    match path.suffix:
        case ".parquet":
            frame.astype({"rare_score": float}).to_parquet(path)
        case ".csv":
            frame.to_csv(path, index=False)
        case _:
            frame.to_json(path, orient="records", lines=True)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_table_is_read_alike_in_every_format(tmp_path: Path, suffix: str) -> None:
    """Scores, decisions, the channel from the id, nothing made up."""
    found = read_tags_table(_written(tmp_path / f"tags{suffix}"))
    assert (found.post_ids, found.tag_ids, found.model_version) == (
        ("c/1", "c/2", "d/3"),
        ("claim", "rare"),
        "v",
    )
    assert found.scores[:, 0] == pytest.approx([0.9, 0.1, 0.5])
    assert np.isnan(found.scores[:, 1]).all()
    assert found.yes[:, 0].tolist() == [True, False, False]
    assert found.parts == {"channel": ["c", "c", "d"], "month": ["unknown"] * 3, "language": ["unknown"] * 3}


def test_ids_of_a_csv_file_are_those_of_the_posts(tmp_path: Path) -> None:
    """A cell protected from spreadsheets is restored; what looks like a number keeps its zeros."""
    ids, version = ["'-100/1", "'@c/2", "007"], ["012345678901"] * 3
    found = read_tags_table(_written(tmp_path / "tags.csv", post_id=ids, model_version=version))
    assert (found.post_ids, found.model_version) == (("-100/1", "@c/2", "007"), "012345678901")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_columns_may_begin_with_many_empty_or_whole_values(tmp_path: Path, suffix: str) -> None:
    """What the first megabyte holds does not settle the type of a column."""
    n = 60_000
    rows = {
        "post_id": [f"c/{number}" for number in range(n)],
        "model_version": ["v"] * n,
        "lang": [None] * (n - 1) + ["en"],
        "claim": ["no"] * n,
        "claim_score": pd.Series([0] * (n - 1) + [0.25], dtype=object),
        "rare": ["abstain"] * n,
        "rare_score": pd.Series([None] * (n - 1) + [0.5], dtype=object),
    }
    path = tmp_path / f"tags{suffix}"
    frame = pd.DataFrame(rows)
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    found = read_tags_table(path)
    assert path.stat().st_size > 1 << 20
    assert found.scores[-1].tolist() == [0.25, 0.5]
    assert found.parts["language"][-1] == "en"


def test_dates_channels_and_languages_of_a_table_are_its_parts(tmp_path: Path) -> None:
    """Months are in UTC."""
    dates = ["2026-01-31T23:30:00-02:00", "2026-02-01", "no date"]
    path = _written(tmp_path / "tags.csv", date=dates, channel=["x", "y", None], lang=["uk", None, "en"])
    found = read_tags_table(path)
    assert list(found.parts["month"]) == ["2026-02", "2026-02", "unknown"]
    assert list(found.parts["channel"]) == ["x", "y", "unknown"]
    assert list(found.parts["language"]) == ["uk", "unknown", "en"]
    moments = [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC), None]
    found = read_tags_table(_written(tmp_path / "tags.parquet", date=moments))
    assert list(found.parts["month"]) == ["2026-03", "2026-04", "unknown"]
    found = read_tags_table(_written(tmp_path / "days.parquet", date=[date(2026, 3, 1)] * 3))
    assert list(found.parts["month"]) == ["2026-03"] * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"post_id": ["c/1", "c/1", "d/3"]}, "more than once"),
        ({"claim_score": [0.9, 1.7, 0.5]}, "no probability"),
        ({"claim_score": ["much", "little", "some"]}, "no number"),
    ],
)
def test_a_wrong_table_is_refused_with_what_is_wrong(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    """The file and the column are named."""
    with pytest.raises(FileError, match=message):
        read_tags_table(_written(tmp_path / "tags.csv", **changes))


def test_what_is_no_table_of_tags_is_refused(tmp_path: Path) -> None:
    """Missing, of another kind, without the columns, damaged."""
    (tmp_path / "posts.csv").write_text("post_id,text\n1,a\n")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 and nothing")
    (tmp_path / "tags.xlsx").write_bytes(b"")
    for name, message in (
        ("none.csv", "no such file"),
        ("posts.csv", "no table of tags"),
        ("damaged.parquet", "cannot be read"),
        ("tags.xlsx", "means no table"),
    ):
        with pytest.raises(FileError, match=message):
            read_tags_table(tmp_path / name)


def test_training_posts_get_the_scores_of_models_that_had_not_seen_them() -> None:
    """By the digest of their text; others keep theirs, and decisions follow."""
    scores = np.array([[0.99, 0.5], [0.01, 0.5]], dtype=np.float32)
    tagged = TaggedPosts(("a", "b"), ("claim", "other"), scores, scores > 0.5)
    known = OutOfFold(("claim",), {"digest": 0}, np.array([[-2.0]]))
    rules = {
        "claim": TagRule("claim", 0.1, 9, threshold=0.5),
        "other": TagRule("other", 0.1, 9, threshold=0.5),
    }
    found = tagged.unseen(known, rules, ("digest", "else"))
    assert found.scores == pytest.approx(np.array([[0.1192, 0.5], [0.01, 0.5]]), abs=1e-4)
    assert not found.yes.any()
    assert tagged.unseen(None, rules, ("digest", "else")) is tagged
    assert tagged.unseen(known, rules, ("", "else")) is tagged
