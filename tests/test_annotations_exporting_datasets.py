"""The folder for ``datasets``: loaded by the real library, without a network; its card tells what is in it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from annotations.codebook import Codebook, load_codebook
from annotations.exporting.dataset_card import CardFacts
from annotations.exporting.dataset_folder import FolderOptions
from annotations.exporting.entries import Entry
from annotations.exporting.pseudonyms import Pseudonyms
from annotations.exporting.sources import LabelsFile
from annotations.exporting.writing import ExportOptions, export
from annotations.labels import read_labels
from annotations.records import text_digest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LABELS = EXAMPLES / "annotations.jsonl"
LOAD = """
import json, sys
from datasets import load_dataset
found = load_dataset(sys.argv[1])
print(json.dumps({
    split: {
        "labels": str(table.features["labels"]),
        "columns": table.column_names,
        "rows": [
            {name: row[name] for name in ("post_id", "status", "labels", "tags", "text")} for row in table
        ],
    }
    for split, table in found.items()
}))
"""


@pytest.fixture(scope="module")
def codebook() -> Codebook:
    """Return the codebook of the sample."""
    return load_codebook(EXAMPLES / "codebook.yaml")


def _loaded(folder: Path, home: Path) -> dict[str, Any]:
    """Load a folder in a process of its own that has no network to ask."""
    if importlib.util.find_spec("datasets") is None:
        pytest.skip("needs the package datasets")
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder)],
        env=os.environ | offline,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def _header(folder: Path) -> dict[str, Any]:
    header: dict[str, Any] = yaml.safe_load(
        (folder / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    )
    return header


def _split(entry: Entry) -> str:
    return "test" if entry.revision < "4" else "train"


@pytest.mark.parametrize("gold", [False, True])
def test_the_folder_loads_with_its_splits_and_labels(tmp_path: Path, codebook: Codebook, gold: bool) -> None:
    """``load_dataset(folder)`` gives every row, tags as class labels with names, evidence as it was marked."""
    folder = tmp_path / "ds"
    options = ExportOptions(codebook=codebook, gold=gold, folder=FolderOptions(split_of=_split))
    report = export(LabelsFile(LABELS), folder, options)
    loaded = _loaded(folder, tmp_path / "home")
    assert set(loaded) == {"train", "test"}
    rows = [row for split in loaded.values() for row in split["rows"]]
    assert len(rows) == report.n_rows == (159 if gold else 274)
    assert "multipolarity" in loaded["train"]["labels"]
    for row in rows:
        named = [codebook.tag_ids[number] for number in row["labels"] or ()]
        assert sorted(named) == sorted(each["tag"] for each in row["tags"])
        assert (row["labels"] is None) == (row["status"] in ("skipped", "not-analysable"))
        for each in row["tags"]:
            for passage in each["evidence"]:
                assert row["text"][passage["start"] : passage["end"]] == passage["text"]
    if not gold:
        n_ticks = sum(len(each.tags) for each in read_labels(LABELS))
        assert sum(len(row["tags"]) for row in rows) == n_ticks
    splits = {each["name"]: each["num_examples"] for each in _header(folder)["dataset_info"]["splits"]}
    assert splits == {split: len(found["rows"]) for split, found in loaded.items()}


def test_posts_that_nobody_has_seen_are_a_split_of_their_own(tmp_path: Path, codebook: Codebook) -> None:
    """Who trains on ``train`` does not meet them."""
    unseen = Entry(post_id="c/1", revision=text_digest("New."), text="New.", channel="c")
    export([*LabelsFile(LABELS), unseen], tmp_path / "ds", ExportOptions(codebook=codebook))
    loaded = _loaded(tmp_path / "ds", tmp_path / "home")
    assert [row["post_id"] for row in loaded["unseen"]["rows"]] == ["c/1"]
    assert loaded["unseen"]["rows"][0]["labels"] is None
    assert "unseen" not in {row["status"] for row in loaded["train"]["rows"]}


def test_the_card_says_what_a_reader_must_know(tmp_path: Path, codebook: Codebook) -> None:
    """Licence, language, sizes, agreement by tag and limits; no annotator's name where there are pseudonyms."""
    facts = CardFacts(title="A: b #c | 'd'", license="cc-by-4.0", languages=("en", "ru"), pseudonyms=True)
    options = ExportOptions(
        codebook=codebook, folder=FolderOptions(facts=facts), pseudonyms=Pseudonyms(b"k" * 32, channels=True)
    )
    export(LabelsFile(LABELS), tmp_path / "ds", options)
    header = _header(tmp_path / "ds")
    assert (header["pretty_name"], header["license"], header["language"]) == (
        facts.title,
        "cc-by-4.0",
        ["en", "ru"],
    )
    assert header["size_categories"] == ["n<1K"]
    card = (tmp_path / "ds" / "README.md").read_text(encoding="utf-8")
    assert "| multipolarity | 39 | 96% | 0.85 |" in card
    assert "## Limits" in card
    assert "annotator-1" not in card
    assert "| dump |" not in card
    assert load_codebook(tmp_path / "ds" / "codebook.yaml").digest == codebook.digest


def test_a_single_annotator_has_no_agreement(tmp_path: Path, codebook: Codebook) -> None:
    """The card says so instead of showing a figure."""
    alone = [entry for entry in LabelsFile(LABELS) if len(entry.annotations) == 1]
    export(alone, tmp_path / "ds", ExportOptions(codebook=codebook))
    assert "agreement is not known" in (tmp_path / "ds" / "README.md").read_text(encoding="utf-8")
