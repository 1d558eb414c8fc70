"""Exports: whatever was annotated comes back from every format, and what could mislead is told apart."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from annotations.codebook import parse_codebook
from annotations.errors import FileError, LabelsError
from annotations.exporting.entries import Entry
from annotations.exporting.pseudonyms import Pseudonyms
from annotations.exporting.sources import LabelsFile
from annotations.exporting.writing import FORMATS, ExportOptions, export, export_format
from annotations.labels import read_labels, write_labels
from annotations.readers.cells import restored_cell
from annotations.records import Annotation, Span, text_digest
from annotations.studio.parsing import AnnotationReader

CODEBOOK = parse_codebook(
    """
version: "1"
title: Test codebook
families:
  - id: claims
    title: Claims
    tags:
      - {id: multipolarity, title: Multipolar world, definition: Several centres of power.}
      - {id: un-role, title: "Role of the UN, =1+1", definition: The UN is central.}
      - {id: text, title: Text, definition: A tag with the name of a column.}
      - {id: old-un, title: UN (old), definition: As before., replaced_by: un-role}
"""
)
ACTIVE = CODEBOOK.tag_ids
DATE = datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)
AWKWARD = [
    "=SUM(A1)",
    "'=1",
    "''@x",
    "+49 30",
    "-1",
    "@who",
    "\tTab",
    "\rReturn",
    "Say \"hi\", then; 'bye'\r\nnext\nand\rlast",
    "🇷🇺👨‍👩‍👧 e\u0301 👍🏽",
    "שלום \u202eمرحبا\u202c العالم",
    "Line\u2028separator\u2029and\x85next\x0bup\x0c",
    "a|b\\|c `d` <e> &amp; \x00 NUL",
    " lead and trail ",
    "\ufeffBOM",
]


def _annotation(post_id: str, annotator: str, text: str, **changes: Any) -> Annotation:
    values: dict[str, Any] = {"post_id": post_id, "annotator": annotator, "text": text, "tags": {}}
    values |= {"revision": text_digest(text), "date": DATE, "codebook": CODEBOOK.digest}
    return Annotation(**(values | changes))


def _awkward() -> list[Annotation]:
    """Return annotations that are hard to write: every text, with evidence at its ends, flags and comments."""
    found = []
    for number, text in enumerate(AWKWARD):
        spans = tuple(sorted({Span(0, 1), Span(len(text) - 1, len(text)), Span(0, len(text))}))
        full = {
            "tags": {"multipolarity": spans, "un-role": ()},
            "origin": {"multipolarity": "prediction", "un-role": "manual"},
            "flags": ("unclear",),
            "comment": text.strip() or "x",
            "lead_time": 2.5,
        }
        found.append(_annotation(f"=chan,nel/{number}", "anna", text, **full))
        found.append(_annotation(f"=chan,nel/{number}", "@ben", text))
    found.append(_annotation("no-slash", "anna", "Skipped.", skipped=True, date=None))
    found.append(_annotation("c/na", "anna", "Not analysable.", flags=("not analysable",), codebook=None))
    return found


def _entries(annotations: Sequence[Annotation]) -> list[Entry]:
    by_post: dict[tuple[str, str], list[Annotation]] = {}
    for each in annotations:
        by_post.setdefault((each.post_id, each.revision), []).append(each)
    return [
        Entry(
            post_id=post_id,
            revision=revision,
            text=found[0].text,
            channel=post_id.rpartition("/")[0],
            date=found[0].date,
            annotations=tuple(found),
        )
        for (post_id, revision), found in by_post.items()
    ]


def _spans(evidence: Sequence[dict[str, Any]], text: str) -> tuple[Span, ...]:
    spans = tuple(Span(each["start"], each["end"]) for each in evidence)
    assert [span.quote(text) for span in spans] == [each["text"] for each in evidence]
    return spans


def _made(row: dict[str, Any], tags: dict[str, tuple[Span, ...]], origin: dict[str, str]) -> Annotation:
    """Return the annotation of a row whose cells have their types back."""
    return Annotation(
        post_id=row["post_id"],
        annotator=row["annotator"],
        text=row["text"],
        tags=tags,
        date=row["date"],
        skipped=row["status"] == "skipped",
        flags=tuple(row["flags"] or ()),
        comment=row["comment"],
        revision=row["revision"],
        codebook=row["codebook"],
        lead_time=row["lead_time"],
        origin=origin,
    )


def _cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a CSV as docs/exports.md says that they are read."""
    rows: list[dict[str, Any]] = [
        {name: restored_cell(cell) for name, cell in row.items()} for row in _cells(path)
    ]
    for row in rows:
        row["date"] = datetime.fromisoformat(row["date"]) if row["date"] else None
        row["lead_time"] = float(row["lead_time"]) if row["lead_time"] else None
        row["codebook"] = row["codebook"] or None
        row["flags"] = json.loads(row["flags"] or "[]")
    return rows


def _from_wide(path: Path) -> list[Annotation]:
    found = []
    for row in _rows(path):
        evidence, origin = json.loads(row["evidence"] or "{}"), json.loads(row["origin"] or "{}")
        columns = {tag: "text_tag" if tag == "text" else tag for tag in (*ACTIVE, "old-un")}
        tags = {
            tag: _spans(evidence.get(tag, ()), row["text"])
            for tag, name in columns.items()
            if row[name] == "yes"
        }
        found.append(_made(row, tags, origin))
    return found


def _from_long(path: Path) -> list[Annotation]:
    found: list[Annotation] = []
    for row in _rows(path):
        if row["kind"] == "reading":
            found.append(_made(row, {}, {}))
            continue
        last, tag = found[-1], row["tag"]
        assert (row["post_id"], row["annotator"]) == (last.post_id, last.annotator)
        if row["kind"] == "tag" and row["value"] == "yes":
            origin = {tag: row["origin"]} if row["origin"] else {}
            found[-1] = replace(last, tags={**last.tags, tag: ()}, origin={**last.origin, **origin})
        elif row["kind"] == "evidence":
            span = Span(int(row["start"]), int(row["end"]))
            assert span.quote(last.text) == row["quote"]
            found[-1] = replace(last, tags={**last.tags, tag: (*last.tags[tag], span)})
    return found


def _from_rows(rows: Sequence[dict[str, Any]]) -> list[Annotation]:
    found = []
    for row in rows:
        tags = {each["tag"]: _spans(each["evidence"], row["text"]) for each in row["tags"]}
        origin = {each["tag"]: each["origin"] for each in row["tags"] if each["origin"]}
        found.append(_made(row, tags, origin))
    return found


def _from_parquet(path: Path) -> list[Annotation]:
    return _from_rows(parquet.read_table(path).to_pylist())


def _from_folder(path: Path) -> list[Annotation]:
    return _from_parquet(path / "data" / "train.parquet")


def _from_studio(path: Path) -> list[Annotation]:
    reader = AnnotationReader(CODEBOOK)
    found = []
    for task in json.loads(path.read_text(encoding="utf-8")):
        for received in task["annotations"]:
            parsed = reader.read(task, received, received["annotator"])
            assert parsed.annotation is not None
            assert parsed.problems == ()
            found.append(parsed.annotation)
    return found


READERS: dict[str, Callable[[Path], list[Annotation]]] = {
    "wide": _from_wide,
    "long": _from_long,
    "jsonl": read_labels,
    "parquet": _from_parquet,
    "datasets": _from_folder,
    "label-studio": _from_studio,
}


def _as_studio_has_it(annotation: Annotation) -> Annotation:
    """Return what Label Studio can say: by the codebook in use, with an origin for every tag."""
    origin = {tag: annotation.origin.get(tag, "manual") for tag in annotation.tags}
    return replace(annotation, codebook=CODEBOOK.digest, origin=origin)


def _options(**changes: Any) -> ExportOptions:
    return ExportOptions(codebook=CODEBOOK, **changes)


def _back(annotations: Sequence[Annotation], folder: Path, format_name: str) -> list[Annotation]:
    path = folder / format_name
    export(_entries(annotations), path, _options(), format_name)
    return READERS[format_name](path)


@pytest.mark.parametrize("format_name", FORMATS)
def test_awkward_texts_come_back(tmp_path: Path, format_name: str) -> None:
    """Formula prefixes, quotes, line ends of all kinds, emoji, right-to-left marks, NUL: exactly as they went."""
    expected = _awkward()
    if format_name == "label-studio":
        expected = [_as_studio_has_it(each) for each in expected]
    assert _back(_awkward(), tmp_path, format_name) == expected


_CHARACTERS = st.one_of(
    st.sampled_from(
        ["=", "'", "@", "+", "-", '"', ",", "\r", "\n", "\t", "🇷", "\u200d", "\u202e", "\u2028", "\x00"]
    ),
    st.characters(exclude_categories=["Cs"]),
)


@st.composite
def _annotations(draw: st.DrawFn) -> list[Annotation]:
    texts = draw(st.lists(st.text(_CHARACTERS, min_size=1, max_size=12), min_size=1, max_size=4))
    found = []
    for number, text in enumerate(texts):
        ends = st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text))).filter(
            lambda s: s[0] < s[1]
        )
        evidence = st.sets(ends, max_size=3).map(lambda found: tuple(sorted(Span(*span) for span in found)))
        drawn = draw(st.dictionaries(st.sampled_from(ACTIVE), evidence))
        tags = {tag: drawn[tag] for tag in ACTIVE if tag in drawn}
        values = {
            "tags": tags,
            "origin": {tag: draw(st.sampled_from(["manual", "prediction"])) for tag in tags},
            "comment": draw(st.text(_CHARACTERS, max_size=5)),
            "flags": draw(st.sampled_from([(), ("unclear",)])),
            "lead_time": draw(st.none() | st.floats(0, 1e6)),
        }
        for annotator in draw(st.lists(st.sampled_from(["a", "=b", "ж"]), min_size=1, unique=True)):
            found.append(_annotation(f"c/{number}", annotator, text, **values))
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(_annotations(), st.sampled_from([name for name in FORMATS if name != "datasets"]))
@example([_annotation("c/1", "a", "\r")], "wide")
def test_any_annotation_comes_back(tmp_path: Path, annotations: list[Annotation], format_name: str) -> None:
    """Whatever was annotated, each format gives it back."""
    assert _back(annotations, tmp_path, format_name) == annotations


def test_jsonl_is_labels_jsonl_and_stays_the_same(tmp_path: Path) -> None:
    """What training reads is what was exported; exporting that again gives the same bytes."""
    first, second, plain = tmp_path / "1.jsonl", tmp_path / "2.jsonl", tmp_path / "labels.jsonl"
    write_labels(plain, _awkward())
    export(LabelsFile(plain), first, _options())
    assert read_labels(first) == _awkward()
    export(LabelsFile(first), second, _options())
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("format_name", ["wide", "long"])
def test_no_cell_is_a_formula(tmp_path: Path, format_name: str) -> None:
    """No cell of a CSV begins like a formula; the other formats keep the text as it is."""
    path = tmp_path / "out.csv"
    export(_entries(_awkward()), path, _options(), format_name)
    with path.open(encoding="utf-8", newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")]


def _three_kinds() -> list[Entry]:
    read = _entries([_annotation("c/1", "a", "Read."), _annotation("c/2", "a", "Skipped.", skipped=True)])
    tagged = _entries([_annotation("c/3", "a", "Tagged.", tags={"un-role": ()})])
    unseen = [Entry(post_id="c/4", revision=text_digest("New."), text="New.", channel="c")]
    return [*read, *tagged, *unseen]


def test_none_skipped_and_unseen_stay_apart(tmp_path: Path) -> None:
    """Only who has read a post says no to a tag."""
    path = tmp_path / "out.csv"
    report = export(_three_kinds(), path, _options())
    rows = _cells(path)
    values = [
        (row["annotator"], row["status"], row["multipolarity"], row["un-role"], row["old-un"]) for row in rows
    ]
    assert values == [
        ("a", "none", "no", "no", ""),
        ("a", "skipped", "", "", ""),
        ("a", "tagged", "no", "yes", ""),
        ("", "unseen", "", "", ""),
    ]
    assert report.statuses == {"tagged": 1, "none": 1, "skipped": 1, "unseen": 1}
    export(_three_kinds(), path, _options(unseen=False))
    assert "unseen" not in path.read_text(encoding="utf-8")


def test_statuses_in_the_other_formats(tmp_path: Path) -> None:
    """Parquet has null for what nobody has said, Label Studio a task without annotations, JSONL no line."""
    export(_three_kinds(), tmp_path / "p.parquet", _options())
    rows = parquet.read_table(tmp_path / "p.parquet").to_pylist()
    assert [(row["status"], row["annotator"]) for row in rows] == [
        ("none", "a"), ("skipped", "a"), ("tagged", "a"), ("unseen", None)
    ]  # fmt: skip
    export(_three_kinds(), tmp_path / "s.json", _options())
    tasks = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert [len(task["annotations"]) for task in tasks] == [1, 1, 1, 0]
    assert [each["was_cancelled"] for task in tasks for each in task["annotations"]] == [False, True, False]
    report = export(_three_kinds(), tmp_path / "l.jsonl", _options())
    assert (report.n_posts, report.n_left_out) == (3, 1)


def test_gold_is_what_a_majority_says(tmp_path: Path) -> None:
    """A strict majority decides; a tie is neither; how each came about is told."""
    votes = {
        "c/1": [
            {"multipolarity": (Span(0, 1),)},
            {"multipolarity": (Span(1, 2),), "un-role": ()},
            {"multipolarity": ()},
        ],
        "c/2": [{"multipolarity": ()}, {}],
        "c/3": [{"un-role": ()}, {"un-role": (Span(0, 2),)}],
        "c/4": [{}],
    }
    annotations = [
        _annotation(post_id, f"a{number}", f"Text of {post_id}", tags=tags)
        for post_id, given_tags in votes.items()
        for number, tags in enumerate(given_tags)
    ]
    annotations += [_annotation("c/4", "z", "Text of c/4", flags=("not analysable",))]
    annotations += [_annotation("c/5", "z", "Text of c/5", skipped=True)]
    path = tmp_path / "gold.csv"
    export(_entries(annotations), path, _options(gold=True))
    rows = _cells(path)
    found = {
        row["post_id"]: (
            row["status"],
            row["multipolarity"],
            row["un-role"],
            row["provenance"],
            row["n_annotators"],
        )
        for row in rows
    }
    assert found == {
        "c/1": ("tagged", "yes", "no", "majority", "3"),
        "c/2": ("undecided", "", "no", "tie", "2"),
        "c/3": ("tagged", "no", "yes", "unanimous", "2"),
        "c/4": ("none", "no", "no", "single", "1"),
        "c/5": ("skipped", "", "", "", "0"),
    }
    assert [each["start"] for each in json.loads(rows[0]["evidence"])["multipolarity"]] == [0, 1]
    assert json.loads(rows[0]["votes"]) == {"multipolarity": 3, "un-role": 1}
    export(_entries(annotations), path, _options(gold=True), "long")
    decisions = {
        (row["post_id"], row["tag"]): (row["value"], row["n_yes"], row["provenance"])
        for row in _cells(path)
        if row["kind"] == "tag"
    }
    assert decisions["c/1", "un-role"] == ("no", "1", "majority")
    assert decisions["c/2", "multipolarity"] == ("", "1", "tie")
    assert decisions["c/2", "un-role"] == ("no", "0", "unanimous")
    assert decisions["c/4", "un-role"] == ("no", "0", "single")
    assert ("c/5", "un-role") not in decisions


@pytest.mark.parametrize("format_name", FORMATS)
def test_gold_in_every_format(tmp_path: Path, format_name: str) -> None:
    """Gold names no annotator; as JSON lines it trains like labels."""
    entries = _entries(_awkward())
    report = export(entries, tmp_path / "gold", _options(gold=True), format_name)
    assert report.n_posts == len(entries)
    path = tmp_path / "gold"
    content = b"".join(file.read_bytes() for file in ([path] if path.is_file() else path.rglob("*.parquet")))
    assert b"anna" not in content
    if format_name == "jsonl":
        assert [each.annotator for each in read_labels(path)] == ["gold"] * len(entries)
    if format_name == "label-studio":
        tasks = json.loads(path.read_text(encoding="utf-8"))
        assert {each["ground_truth"] for task in tasks for each in task["annotations"]} == {True}


def test_gold_of_two_codebooks_is_refused(tmp_path: Path) -> None:
    """A no by one codebook says nothing of a tag that it did not have."""
    annotations = [_annotation("c/1", "a", "Text."), _annotation("c/1", "b", "Text.", codebook="other")]
    with pytest.raises(LabelsError, match="2 different codebooks"):
        export(_entries(annotations), tmp_path / "gold.csv", _options(gold=True))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("place", ["text", "comment", "annotator"])
def test_half_a_surrogate_pair_is_refused(tmp_path: Path, format_name: str, place: str) -> None:
    """No format can hold it so that others read it: the post, the field and the place are named."""
    annotation = replace(_annotation("c/1", "a", "Fine."), **{place: "Half \ud83d a pair"})
    entry = Entry(
        post_id="c/1", revision="0" * 16, text=annotation.text, channel="c", annotations=(annotation,)
    )
    with pytest.raises(LabelsError, match=f"post c/1: {place}: .*surrogate.*character 6") as caught:
        export([entry], tmp_path / "out", _options(), format_name)
    assert str(caught.value).encode()
    assert list(tmp_path.iterdir()) == []


def test_a_tag_that_the_codebook_lacks_is_refused(tmp_path: Path) -> None:
    """It would have no column; the post, the annotator and the tag are named."""
    entries = _entries([_annotation("c/1", "anna", "Text.", tags={"other": ()})])
    with pytest.raises(LabelsError, match="c/1: anna gave the tag 'other'"):
        export(entries, tmp_path / "out.csv", _options())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_name", FORMATS)
def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path, format_name: str) -> None:
    """Written whole or not at all: no part of a file, no part of a folder."""
    path = tmp_path / "out"
    if format_name == "datasets":
        path.mkdir()
    else:
        path.write_text("old")

    def failing() -> Iterator[Entry]:
        yield from _entries(_awkward())
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        export(failing(), path, _options(), format_name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    assert (list(path.iterdir()) == []) if path.is_dir() else (path.read_text() == "old")


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    """A card that somebody has edited, or anything else, is not overwritten."""
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(FileError, match="there already"):
        export(_entries(_awkward()), tmp_path, _options())
    assert [entry.name for entry in tmp_path.iterdir()] == ["README.md"]


def test_the_format_is_that_of_the_name(tmp_path: Path) -> None:
    """A suffix, or a folder, says what is meant; another suffix is refused with the choice there is."""
    names = {
        "a.csv": "wide",
        "a.JSONL": "jsonl",
        "a.parquet": "parquet",
        "a.json": "label-studio",
        "a": "datasets",
    }
    assert {name: export_format(tmp_path / name) for name in names} == names
    assert export_format(tmp_path) == "datasets"
    with pytest.raises(FileError, match=r"\.xlsx"):
        export_format(tmp_path / "a.xlsx")


def test_parquet_is_typed_and_says_what_its_tags_are(tmp_path: Path) -> None:
    """Nested evidence, times in UTC, zstd; the tags of the codebook are in the file."""
    path = tmp_path / "out.parquet"
    export(_entries(_awkward()), path, _options())
    file = parquet.ParquetFile(path)
    assert file.schema_arrow.field("date").type == pyarrow.timestamp("us", tz="UTC")
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    about = json.loads(file.schema_arrow.metadata[b"talkingpoints"])
    assert about["tags"] == list(ACTIVE)
    assert (about["rows"], about["codebook"]) == ("annotators", CODEBOOK.digest)


def test_a_retired_tag_is_the_one_that_stands_for_it_in_label_studio(tmp_path: Path) -> None:
    """Its title is not on the labelling page any more."""
    entry = _entries([_annotation("c/1", "a", "Text.", tags={"old-un": (Span(0, 4),)})])[0]
    export([entry], tmp_path / "s.json", _options())
    assert [dict(each.tags) for each in _from_studio(tmp_path / "s.json")] == [{"un-role": (Span(0, 4),)}]


def test_pseudonyms_are_stable_keyed_and_complete(tmp_path: Path) -> None:
    """The same name is the same pseudonym in every export, another key gives others, no name is left."""
    names = Pseudonyms(b"k" * 32, channels=True)
    path = tmp_path / "out.parquet"
    entry = replace(
        _entries([_annotation("Secret/7", "anna", "Text.")])[0],
        forwarded_from="Secret Source",
        duplicate_of="Secret/6",
        links=("https://t.me/Secret/7",),
    )
    export([entry], path, _options(pseudonyms=names))
    (row,) = parquet.read_table(path).to_pylist()
    assert row["annotator"] == names.name("annotator", "anna")
    assert (row["channel"] + "/7", row["channel"] + "/6") == (row["post_id"], row["duplicate_of"])
    assert "Secret" not in json.dumps(row, default=str)
    assert Pseudonyms(b"x" * 32).name("annotator", "anna") != row["annotator"]
    export([entry], tmp_path / "s.json", _options(pseudonyms=names))
    assert "Secret" not in (tmp_path / "s.json").read_text(encoding="utf-8")
    assert "k" * 32 not in repr(names)


def test_only_annotators_have_pseudonyms_unless_channels_are_asked_for(tmp_path: Path) -> None:
    """Posts can still be looked up."""
    export(_entries(_awkward()), tmp_path / "out.jsonl", _options(pseudonyms=Pseudonyms(b"k" * 32)))
    found = read_labels(tmp_path / "out.jsonl")
    assert {each.post_id for each in found} == {each.post_id for each in _awkward()}
    assert not {each.annotator for each in found} & {"anna", "@ben"}
