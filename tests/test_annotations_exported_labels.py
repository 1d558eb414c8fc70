"""Label Studio exports as readings: every kind of result, every way in which an annotation can be special."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from annotations.agreement import measure
from annotations.errors import FileError, LabelsError
from annotations.exported_labels import Export, is_export, read_export
from annotations.records import Span

TEXT = "Calverra calls for a fair order."


def _choices(*values: str, control: str = "topic") -> dict[str, Any]:
    return {"from_name": control, "to_name": "text", "type": "choices", "value": {"choices": list(values)}}


def _span(start: int, end: int, *labels: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": TEXT[start:end], "labels": list(labels)}
    return {"id": f"s{start}", "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def _annotation(who: Any, *result: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 7, "completed_by": who, "result": list(result), "was_cancelled": False, **more}


def _task(number: int, *annotations: Any, **more: Any) -> dict[str, Any]:
    return {"id": number, "data": {"text": TEXT}, "annotations": list(annotations), "drafts": [], **more}


def _read(tmp_path: Path, *tasks: Any) -> Export:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(list(tasks)), encoding="utf-8")
    assert is_export(path)
    return read_export(path)


def test_choices_taxonomy_and_spans_become_tags_and_evidence(tmp_path: Path) -> None:
    """A taxonomy tag is its full path; a label that is no tag is evidence only."""
    taxonomy = {"from_name": "t", "type": "taxonomy", "value": {"taxonomy": [["War", "Aid"], ["Peace"]]}}
    task = _task(
        1, _annotation({"id": 3, "email": "a@example.org"}, _choices("UN"), taxonomy, _span(0, 8, "Person"))
    )
    (reading,) = _read(tmp_path, task).readings
    assert reading.tags == {"UN", "War > Aid", "Peace"}
    assert reading.spans == {"Person": (Span(0, 8),)}
    assert (reading.annotator, reading.text) == ("a@example.org", TEXT)


def test_labels_are_the_tags_where_there_is_nothing_else(tmp_path: Path) -> None:
    """A project that only marks spans has a tag for each label."""
    export = _read(tmp_path, _task(1, _annotation(1, _span(0, 8, "Person"))), _task(2, _annotation(1)))
    assert [reading.tags for reading in export.readings] == [{"Person"}, frozenset()]


def test_skipped_empty_and_drafts_are_three_things(tmp_path: Path) -> None:
    """Cancelled is skipped, an empty result is a reading without tags, a draft is nothing."""
    draft = {"id": 1, "user": "x", "result": [_choices("UN")]}
    task = _task(
        1, _annotation(1, _choices("UN")), _annotation(2, was_cancelled=True), _annotation(3), drafts=[draft]
    )
    readings = {reading.annotator: reading for reading in _read(tmp_path, task).readings}
    assert set(readings) == {"1", "2", "3"}
    assert readings["2"].skipped
    assert not readings["3"].skipped
    assert readings["3"].tags == frozenset()


def test_the_latest_of_two_annotations_by_one_annotator_counts(tmp_path: Path) -> None:
    """By the time of submission, whatever the order in the file."""
    task = _task(
        1,
        _annotation(1, _choices("new"), updated_at="2026-01-02T00:00:00Z"),
        _annotation(1, _choices("old"), updated_at="2026-01-01T00:00:00Z"),
        _annotation(2, _choices("new"), updated_at="2026-01-01T00:00:00Z"),
    )
    assert measure(_read(tmp_path, task).readings).overall.percent.value == 1.0


def test_two_controls_with_the_same_choice_stay_apart(tmp_path: Path) -> None:
    """'yes' to one question is not 'yes' to another; a choice of one control keeps its plain name."""
    answers = [_choices("yes", "UN", control="war"), _choices("yes", control="peace")]
    (reading,) = _read(tmp_path, _task(1, _annotation(1, *answers))).readings
    assert reading.tags == {"war: yes", "peace: yes", "UN"}


def test_our_own_page_has_answers_that_are_no_tags(tmp_path: Path) -> None:
    """'None of these' and the flags of the labelling page are not tags."""
    answers = [_choices("None of these", control="tags"), _choices("Unclear", control="flags")]
    (reading,) = _read(tmp_path, _task(1, _annotation(1, *answers))).readings
    assert reading.tags == frozenset()


def test_a_suggestion_that_was_shown_is_found(tmp_path: Path) -> None:
    """By the prediction it began from, which may be an empty one, or by the origin of a result."""
    full = {"id": 5, "result": [_choices("UN")]}
    empty = {"id": 6, "result": []}
    task = _task(
        1,
        _annotation(1, parent_prediction=5),
        _annotation(2, parent_prediction=6),
        _annotation(3, _choices("UN") | {"origin": "prediction"}),
        _annotation(4, _choices("UN")),
        predictions=[full, empty],
    )
    shown = {reading.annotator: reading.assisted for reading in _read(tmp_path, task).readings}
    assert shown == {"1": True, "2": False, "3": True, "4": False}


def test_json_min_is_read_too(tmp_path: Path) -> None:
    """A record an annotation; a lone text is a choice where it comes again and again."""
    records = [
        {
            "text": f"{TEXT} {number}", "id": number, "topic": "UN" if number % 2 else "War",
            "many": {"choices": ["a", "b"]}, "label": [{"start": 0, "end": 8, "text": "Calverra", "labels": ["P"]}],
            "tree": [{"taxonomy": [["x", "y"]]}], "comment": f"remark {number}",
            "annotator": who, "annotation_id": number * 10 + who, "lead_time": 3.5,
        }
        for number in range(4) for who in (1, 2)
    ]  # fmt: skip
    for number, record in enumerate(records):
        record["comment"] = f"remark {number}"
    export = _read(tmp_path, *records)
    assert len(export.readings) == 8
    first = export.readings[0]
    assert first.tags == {"War", "a", "b", "x > y"}
    assert first.spans == {"P": (Span(0, 8),)}
    assert first.seconds == 3.5
    assert any("topic" in problem and "comment" not in problem for problem in export.problems)


def test_what_is_passed_over_is_counted_and_named(tmp_path: Path) -> None:
    """Spans outside the text, nameless authors and other results do not stop the reading; the report says so."""
    task = _task(
        1,
        _annotation(1, _span(20, 900, "P"), {"from_name": "r", "type": "rating", "value": {"rating": 3}}),
        _annotation(None, _choices("UN")),
    )
    export = _read(tmp_path, task)
    text = "\n".join(export.problems)
    assert len(export.readings) == 1
    assert "spans outside their text: 1 left out, first in task 1, annotation 7" in text
    assert "rating" in text
    assert "who made them" in text


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (3, "task number 1: is no object"),
        ({"id": 12, "annotations": "none"}, "task 12: has no list of annotations"),
        (_task(12, "x"), "task 12, annotation 1: is no object"),
        (_task(12, _annotation(1) | {"result": {}}), "task 12, annotation 7: its result is no list"),
        (
            _task(12, _annotation(1, {"type": "choices"})),
            "task 12, annotation 7: part 1 of its result has no value",
        ),
        (
            _task(12, _annotation(1, _choices("a") | {"value": {"choices": [None]}})),
            "a choice of 'topic' is no text",
        ),
        (_task(12), "holds no annotation (1 tasks)"),
    ],
)
def test_a_malformed_export_is_refused_with_file_and_task(tmp_path: Path, task: Any, expected: str) -> None:
    """The message names the file, the task, the annotation and what is wrong."""
    with pytest.raises(LabelsError) as error:
        _read(tmp_path, task)
    assert expected in str(error.value)
    assert "export.json" in str(error.value)


def test_a_cut_file_is_refused_with_its_line(tmp_path: Path) -> None:
    """Half a download is no export."""
    path = tmp_path / "cut.json"
    path.write_text(json.dumps([_task(1, _annotation(1))], indent=1)[:-40], encoding="utf-8")
    with pytest.raises(LabelsError, match=r"cut.json:\d+: is not JSON"):
        read_export(path)


def test_damaged_gzip_and_missing_files_are_refused(tmp_path: Path) -> None:
    """A gzip file is read by its content; a damaged one and none at all are said to be so."""
    path = tmp_path / "export.json.gz"
    packed = gzip.compress(json.dumps([_task(1, _annotation(1, _choices("UN")))]).encode())
    path.write_bytes(packed)
    assert read_export(path).n_tasks == 1
    path.write_bytes(packed[:-12])
    with pytest.raises(FileError):
        read_export(path)
    with pytest.raises(FileError, match="no such file"):
        is_export(tmp_path / "none.json")


def test_a_labels_file_is_no_export(tmp_path: Path) -> None:
    """Our own interchange file is known by its keys."""
    path = tmp_path / "labels.jsonl"
    path.write_text('{"post_id": "c/1", "annotator": "A", "text": "t", "tags": {}}\n', encoding="utf-8")
    assert not is_export(path)
    path.write_text(json.dumps(_task(1, _annotation(1))), encoding="utf-8")
    assert is_export(path)


@pytest.mark.parametrize(("team", "alpha"), [(1, 0.586), (6, 0.441)])
def test_agreement_of_real_projects_is_what_was_computed_elsewhere(
    shared_data: Path, team: int, alpha: float
) -> None:
    """Two exports of other people's projects: mean alpha over the taxonomy paths that ten annotations bear."""
    export = read_export(shared_data / "leoka" / f"LEOKA_team_{team}.json.gz")
    report = measure(export.readings, min_uses=10)
    assert report.overall.alpha.value == pytest.approx(alpha, abs=0.01)
    assert "Killed > Feloniously Killed" in report.tags
    assert report.evidence["Person"].alpha.value is not None
