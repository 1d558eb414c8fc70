"""What docs/exports.md says of the files is so; and what becomes of an export where the disk is full."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from annotations.codebook import load_codebook
from annotations.exporting.columnar import parquet_schema
from annotations.exporting.csv_tables import long_columns, wide_columns
from annotations.exporting.entries import Provenance, Status
from annotations.exporting.layout import Layout
from annotations.exporting.sources import LabelsFile
from annotations.exporting.writing import FORMATS, ExportOptions, export
from annotations.labels import read_labels, write_labels
from annotations.records import Annotation

resource = pytest.importorskip("resource")
ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
DOCUMENT = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
CODEBOOK = load_codebook(EXAMPLES / "codebook.yaml")


@pytest.mark.parametrize("gold", [False, True])
def test_every_column_and_value_is_documented(gold: bool) -> None:
    """A reader of a file finds each of its columns, statuses, provenances and formats in the document."""
    layout = Layout(CODEBOOK, gold)
    names = {*wide_columns(layout), *long_columns(layout), *parquet_schema(layout, labels=True).names}
    words = set(re.findall(r"`([a-z_-]+)`", DOCUMENT))
    assert names - set(layout.tag_ids) <= words
    assert {*Status, *Provenance, *FORMATS} <= words


def test_the_documented_way_to_read_a_csv_gives_the_texts_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines of the document are run as they stand."""
    texts = ["=1+1", "'=x", "''@y", "'plain", "\ttab", "fine\r\n", "-"]
    labels = [
        Annotation(post_id=f"c/{number}", annotator="a", text=text, tags={})
        for number, text in enumerate(texts)
    ]
    write_labels(tmp_path / "labels.jsonl", labels)
    export(LabelsFile(tmp_path / "labels.jsonl"), tmp_path / "tags.csv", ExportOptions(codebook=CODEBOOK))
    (snippet,) = [
        block for block in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if "csv" in block
    ]
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(snippet, found)
    assert [row["text"] for row in found["rows"]] == texts


def test_the_documented_order_of_the_wide_table(tmp_path: Path) -> None:
    """The columns stand as the document lists them, the tags of the codebook in the middle."""
    export(
        LabelsFile(EXAMPLES / "annotations.jsonl"), tmp_path / "tags.csv", ExportOptions(codebook=CODEBOOK)
    )
    with (tmp_path / "tags.csv").open(encoding="utf-8", newline="") as stream:
        header = next(csv.reader(stream))
    section = DOCUMENT.partition("**Wide**")[2].partition("**Long**")[0]
    listed = [name for name in re.findall(r"`([a-z_]+)`", section) if name in header]
    fixed = [name for name in header if name not in CODEBOOK.tag_ids]
    assert list(dict.fromkeys(listed)) == fixed
    assert [name for name in header if name in CODEBOOK.tag_ids] == list(CODEBOOK.tag_ids)


FULL = """
import sys
from pathlib import Path
from annotations.codebook import load_codebook
from annotations.errors import FileError
from annotations.exporting.sources import LabelsFile
from annotations.exporting.writing import ExportOptions, export
try:
    export(LabelsFile(Path(sys.argv[1])), Path(sys.argv[3]), ExportOptions(codebook=load_codebook(Path(sys.argv[2]))),
           sys.argv[4])
except FileError as error:
    print(error)
"""


def _small_disk() -> None:
    """Let no file grow beyond 20 kB, and turn the signal for it into an error, as a full disk is one."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_full_disk_is_a_message_and_leaves_nothing(tmp_path: Path, format_name: str) -> None:
    """Half a file is never there under the name that was asked for."""
    out = tmp_path / "out"
    arguments = [EXAMPLES / "annotations.jsonl", EXAMPLES / "codebook.yaml", out, format_name]
    done = subprocess.run(
        [sys.executable, "-c", FULL, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=_small_disk,
    )
    assert done.returncode == 0, done.stderr
    assert f"{out}: cannot be written" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_sample_survives_every_text_format(tmp_path: Path) -> None:
    """The project's own sample, read back from JSON lines."""
    export(LabelsFile(EXAMPLES / "annotations.jsonl"), tmp_path / "l.jsonl", ExportOptions(codebook=CODEBOOK))
    assert read_labels(tmp_path / "l.jsonl") == read_labels(EXAMPLES / "annotations.jsonl")
