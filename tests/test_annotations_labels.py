"""annotations.labels: labels.jsonl, strictly read and exactly written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.codebook import default_codebook_path, load_codebook
from annotations.errors import FileError, LabelsError
from annotations.labels import annotation_from_dict, annotation_to_dict, read_labels, write_labels
from annotations.records import Annotation, Span, text_digest

TEXT = "We call on all sides to stop."
LINE: Mapping[str, Any] = {
    "post_id": "ministry/1",
    "annotator": "A",
    "text": TEXT,
    "tags": {"call-to-action": [{"start": 0, "end": 10}]},
}


def written(path: Path, *lines: Any) -> Path:
    """Write lines (objects as JSON, texts and bytes as they are) and return the path."""
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path


def changed(**fields: Any) -> dict[str, Any]:
    """Return the good line with some fields replaced or added."""
    return {**LINE, **fields}


def problem_of(path: Path, line: Any) -> list[str]:
    """Return what is wrong with a line, without file and line number."""
    with pytest.raises(LabelsError) as caught:
        read_labels(written(path / "labels.jsonl", line), tag_ids=["call-to-action", "ceremonial"])
    prefix = f"{path / 'labels.jsonl'}:1: "
    return [text.strip().removeprefix(prefix) for text in str(caught.value).splitlines()[1:]]


def test_a_minimal_line_gets_the_defaults(tmp_path: Path) -> None:
    """Absent optional keys have their documented defaults."""
    (annotation,) = read_labels(written(tmp_path / "l.jsonl", LINE))
    assert annotation == Annotation(
        post_id="ministry/1",
        annotator="A",
        text=TEXT,
        tags={"call-to-action": (Span(0, 10),)},
        date=None,
        skipped=False,
        flags=(),
        comment="",
        revision=text_digest(TEXT),
        codebook=None,
        lead_time=None,
        origin={},
    )


def test_every_key_is_read(tmp_path: Path) -> None:
    """All optional keys reach the record; times are turned to UTC, spans sorted and made unique."""
    spans = [{"start": 3, "end": 10}, {"start": 0, "end": 2}, {"start": 3, "end": 10}]
    line = changed(
        tags={"call-to-action": spans, "ceremonial": []},
        date="2026-01-31T15:00:00+03:00",
        skipped=True,
        flags=["Unclear"],
        comment="?",
        revision=text_digest(TEXT),
        codebook="0123456789abcdef",
        lead_time=12,
        origin={"ceremonial": "prediction"},
    )
    (annotation,) = read_labels(written(tmp_path / "l.jsonl", line))
    assert annotation == Annotation(
        post_id="ministry/1",
        annotator="A",
        text=TEXT,
        tags={"call-to-action": (Span(0, 2), Span(3, 10)), "ceremonial": ()},
        date=datetime(2026, 1, 31, 12, tzinfo=UTC),
        skipped=True,
        flags=("Unclear",),
        comment="?",
        revision=text_digest(TEXT),
        codebook="0123456789abcdef",
        lead_time=12.0,
        origin={"ceremonial": "prediction"},
    )


def test_bom_blank_lines_and_crlf_are_accepted(tmp_path: Path) -> None:
    """What editors and other systems add around the lines changes nothing."""
    path = tmp_path / "l.jsonl"
    line = json.dumps(LINE).encode()
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n   \n" + line)
    assert read_labels(path) == [annotation_from_dict(LINE)] * 2


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x1e", "\r", "\n"])
def test_only_a_newline_ends_a_line(tmp_path: Path, separator: str) -> None:
    """Line separators inside a text are text, in reading raw ones and in writing."""
    line = changed(text=f"a{separator}b", tags={"x": [{"start": 1, "end": 2}]})
    raw = json.dumps(line, ensure_ascii=False).encode()
    (annotation,) = read_labels(written(tmp_path / "l.jsonl", raw))
    assert annotation.text == f"a{separator}b"
    write_labels(tmp_path / "out.jsonl", [annotation])
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    assert read_labels(tmp_path / "out.jsonl") == [annotation]


def test_the_same_annotator_twice_is_returned_twice(tmp_path: Path) -> None:
    """Several annotations by one person on one revision are all returned, in the order of the file."""
    second = changed(tags={}, date="2026-02-01T00:00:00Z")
    assert [a.tags for a in read_labels(written(tmp_path / "l.jsonl", LINE, second))] == [
        {"call-to-action": (Span(0, 10),)},
        {},
    ]


def test_labels_that_contradict_each_other_are_refused_with_both_lines(tmp_path: Path) -> None:
    """One annotator cannot have said two things of a text at the same time; saying one twice is harmless."""
    path = written(tmp_path / "l.jsonl", LINE, LINE, changed(tags={}))
    with pytest.raises(LabelsError, match=rf"{path}:3: tags: contradicts line 1, by the same annotator"):
        read_labels(path)
    assert len(read_labels(written(tmp_path / "l.jsonl", LINE, LINE))) == 2


def test_unknown_keys_are_passed_over(tmp_path: Path) -> None:
    """Keys of later releases, in a line or a span, do not hinder reading."""
    line = changed(confidence=3, tags={"ceremonial": [{"start": 0, "end": 2, "weight": 1}]})
    (annotation,) = read_labels(written(tmp_path / "l.jsonl", line))
    assert annotation.tags == {"ceremonial": (Span(0, 2),)}


PROBLEMS: Mapping[str, tuple[Any, list[str]]] = {
    "not JSON": (b'{"post_id": ', ["is not JSON: Expecting value at character 13"]),
    "not UTF-8": (b'{"a": "\xff"}', ["is not UTF-8 text"]),
    "not an object": (
        [1],
        ["is a list, not an object with the keys post_id, annotator, text, tags"],
    ),
    "a number": (7, ["is 7, not an object with the keys post_id, annotator, text, tags"]),
    "NaN": (b'{"lead_time": NaN}', ["is not JSON: NaN is not a value of JSON"]),
    "repeated key": (b'{"a": 1, "b": 2, "a": 3}', ["is not JSON: the key 'a' is given twice"]),
    "depth": (b"[" * 100_000, ["is nested too deeply"]),
    "missing keys": (
        {},
        ["post_id: is missing", "annotator: is missing", "text: is missing", "tags: is missing"],
    ),
    "empty names": (
        changed(post_id="", annotator=""),
        ["post_id: is empty", "annotator: is empty"],
    ),
    "misspelt key": (changed(skiped=True), ["skiped: is not known; did you mean 'skipped'?"]),
    "number for text": (changed(annotator=3), ["annotator: must be text, not 3"]),
    "null for text": (changed(comment=None), ["comment: must be text, not null"]),
    "list for tags": (changed(tags=[]), ["tags: must be an object, not a list"]),
    "unknown tag": (
        changed(tags={"ceremonal": []}),
        ["tags.ceremonal: the codebook has no such tag; did you mean 'ceremonial'?"],
    ),
    "one span instead of a list": (
        changed(tags={"ceremonial": {"start": 0, "end": 1}}),
        ["tags.ceremonial: must be a list, not an object"],
    ),
    "span as a pair": (
        changed(tags={"ceremonial": [[0, 1]]}),
        ["tags.ceremonial[0]: must be an object, not a list"],
    ),
    "span without end": (
        changed(tags={"ceremonial": [{"start": 0}]}),
        ["tags.ceremonial[0].end: is missing"],
    ),
    "true for a number": (
        changed(tags={"ceremonial": [{"start": 0, "end": True}]}),
        ["tags.ceremonial[0].end: must be a whole number, not true"],
    ),
    "fraction for a number": (
        changed(tags={"ceremonial": [{"start": 0.0, "end": 1}]}),
        ["tags.ceremonial[0].start: must be a whole number, not 0.0"],
    ),
    "span outside": (
        changed(tags={"ceremonial": [{"start": 0, "end": 1}, {"start": 5, "end": 30}]}),
        ["tags.ceremonial[1]: 5 to 30 is outside the text of 29 characters"],
    ),
    "span before the text": (
        changed(tags={"ceremonial": [{"start": -1, "end": 3}]}),
        ["tags.ceremonial[0]: -1 to 3 is outside the text of 29 characters"],
    ),
    "empty span": (
        changed(tags={"ceremonial": [{"start": 3, "end": 3}]}),
        ["tags.ceremonial[0]: is empty (3 to 3)"],
    ),
    "reversed span": (
        changed(tags={"ceremonial": [{"start": 4, "end": 3}]}),
        ["tags.ceremonial[0]: is reversed (start 4, end 3)"],
    ),
    "wrong quote": (
        changed(tags={"ceremonial": [{"start": 0, "end": 2, "text": "Us"}]}),
        ["tags.ceremonial[0].text: is not what the text has at 0 to 2"],
    ),
    "date without zone": (
        changed(date="2026-01-31T15:00:00"),
        ["date: '2026-01-31T15:00:00' has no time zone: add +00:00 or Z"],
    ),
    "no date": (
        changed(date="yesterday"),
        ["date: 'yesterday' is not a time in ISO 8601, e.g. 2026-01-31T12:00:00+00:00"],
    ),
    "date beyond the calendar": (
        changed(date="0001-01-01T00:00:00+05:00"),
        ["date: '0001-01-01T00:00:00+05:00' is out of range"],
    ),
    "number for a date": (changed(date=1700000000), ["date: must be text, not 1700000000"]),
    "number for a truth value": (changed(skipped=0), ["skipped: must be true or false, not 0"]),
    "flags of numbers": (changed(flags=[1]), ["flags: must be a list of texts"]),
    "other revision": (
        changed(revision="0" * 16),
        [f"revision: '{'0' * 16}' is not that of the text ('{text_digest(TEXT)}')"],
    ),
    "truth value for seconds": (
        changed(lead_time=True),
        ["lead_time: must be a number of seconds, not true"],
    ),
    "negative seconds": (changed(lead_time=-1), ["lead_time: -1.0 is not a number of seconds"]),
    "endless seconds": (b'{"post_id": "p", "annotator": "A", "text": "", "tags": {}, "lead_time": 1e999}',
                        ["lead_time: inf is not a number of seconds"]),
    "origin of another tag": (
        changed(origin={"ceremonial": "manual"}),
        ["origin.ceremonial: the annotation does not bear this tag"],
    ),
    "unknown origin": (
        changed(origin={"call-to-action": "model"}),
        ["origin.call-to-action: must be 'manual' or 'prediction', not \"model\""],
    ),
    "half a surrogate pair": (
        changed(text="\ud83d", tags={}),
        ["text: holds half of a surrogate pair, which is not a character"],
    ),
    "several at once": (
        changed(skipped=1, comment=2),
        ["skipped: must be true or false, not 1", "comment: must be text, not 2"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_problem_is_named(tmp_path: Path, case: str) -> None:
    """Each mistake is reported with its file, line and field."""
    line, expected = PROBLEMS[case]
    assert problem_of(tmp_path, line) == expected


def test_all_bad_lines_are_collected(tmp_path: Path) -> None:
    """All bad lines are counted, the first 20 problems shown, with the numbers of the lines in the file."""
    path = written(tmp_path / "l.jsonl", LINE, b"", *[changed(skipped=1)] * 25)
    with pytest.raises(LabelsError) as caught:
        read_labels(path)
    first, *shown, last = str(caught.value).splitlines()
    assert first == f"{path}: 25 lines are not an annotation"
    assert shown == [f"  {path}:{n}: skipped: must be true or false, not 1" for n in range(3, 23)]
    assert last == "  and 5 more"


def test_a_missing_file_is_a_file_error(tmp_path: Path) -> None:
    """A missing file and a folder are told apart from a bad content."""
    with pytest.raises(FileError, match="no such file"):
        read_labels(tmp_path / "none.jsonl")
    with pytest.raises(FileError, match="cannot be read"):
        read_labels(tmp_path)


def test_an_empty_file_has_no_annotations(tmp_path: Path) -> None:
    """An empty file is read as no annotations."""
    (tmp_path / "l.jsonl").write_bytes(b"")
    assert read_labels(tmp_path / "l.jsonl") == []


def test_defaults_are_not_written() -> None:
    """The optional keys are left out where they say nothing; date and revision are always written."""
    bare = Annotation(post_id="p/1", annotator="A", text="x", tags={})
    assert annotation_to_dict(bare) == {
        "post_id": "p/1",
        "annotator": "A",
        "revision": text_digest("x"),
        "date": None,
        "text": "x",
        "tags": {},
    }


def test_a_lead_time_of_zero_is_written() -> None:
    """Zero seconds is a lead time, not an absent one."""
    quick = Annotation(post_id="p/1", annotator="A", text="x", tags={}, lead_time=0.0)
    assert annotation_from_dict(annotation_to_dict(quick)).lead_time == 0.0


def test_what_cannot_be_read_is_not_written(tmp_path: Path) -> None:
    """A span outside its text stops the writing, and the file that stood there stays."""
    path = written(tmp_path / "l.jsonl", LINE)
    before = path.read_bytes()
    bad = Annotation(post_id="p/1", annotator="A", text="x", tags={"y": (Span(0, 9),)})
    with pytest.raises(LabelsError, match=r"annotation p/1/A: tags.y\[0\]: 0 to 9 is outside"):
        write_labels(path, [annotation_from_dict(LINE), bad])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


words = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
dates = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=zones)


@st.composite
def annotations(draw: st.DrawFn) -> Annotation:
    """Make annotations with any text and spans anywhere in it."""
    text = draw(words)
    pairs = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    spans = st.sets(pairs.filter(lambda p: p[0] < p[1]).map(lambda p: Span(*p)), max_size=3)
    tags = draw(st.dictionaries(words, spans.map(lambda found: tuple(sorted(found))), max_size=3))
    date = draw(st.none() | dates)
    return Annotation(
        post_id=draw(words),
        annotator=draw(words),
        text=text,
        tags=tags,
        date=date.astimezone(UTC) if date else None,
        skipped=draw(st.booleans()),
        flags=tuple(draw(st.lists(words, max_size=2))),
        comment=draw(st.just("") | words),
        revision=text_digest(text),
        codebook=draw(st.none() | words),
        lead_time=draw(st.none() | st.floats(0, 1e6)),
        origin={tag: draw(st.sampled_from(["manual", "prediction"])) for tag in tags},
    )


@given(
    found=st.lists(
        annotations(), max_size=4, unique_by=lambda each: (each.post_id, each.annotator, each.text, each.date)
    )
)
def test_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, found: list[Annotation]) -> None:
    """What is written is read back equal, whatever the characters and offsets."""
    path = tmp_path_factory.mktemp("labels") / "l.jsonl"
    assert write_labels(path, found) == len(found)
    assert read_labels(path) == found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 40) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["start", "end", "text", "ceremonial"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from([*LINE, "date", "skipped", "flags", "lead_time", "origin", "x"]), json_values
    )
)
def test_nothing_but_a_labels_error(fields: dict[str, Any]) -> None:
    """However wrong the values, the outcome is an annotation or a labels error, never another one."""
    try:
        annotation = annotation_from_dict(changed(**fields), tag_ids=["call-to-action", "ceremonial"])
    except LabelsError as error:
        assert str(error)  # noqa: PT017
    else:
        assert annotation_from_dict(annotation_to_dict(annotation)) == annotation


def test_the_reference_labels_read_and_write_back(shared_data: Path, tmp_path: Path) -> None:
    """429 real lines are read without an error and written with the same content."""
    source = shared_data / "mfa" / "labels.jsonl"
    found = read_labels(source, load_codebook(default_codebook_path()).tag_ids)
    assert write_labels(tmp_path / "l.jsonl", found) == 429
    before = [json.loads(line) for line in source.read_bytes().split(b"\n") if line]
    after = [json.loads(line) for line in (tmp_path / "l.jsonl").read_bytes().split(b"\n") if line]
    assert [{key: new[key] for key in old} for old, new in zip(before, after, strict=True)] == before
    assert read_labels(tmp_path / "l.jsonl") == found
