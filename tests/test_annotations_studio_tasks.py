"""Posts as tasks, annotations as results, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.codebook import Codebook, parse_codebook
from annotations.errors import StudioError
from annotations.records import Annotation, Post, Span, text_digest
from annotations.studio.parsing import AnnotationReader
from annotations.studio.tasks import Suggestion, meta_html, prediction_of, result_of, task_data

CODEBOOK = parse_codebook(
    """
version: "1"
title: Test codebook
families:
  - id: claims
    title: Claims
    tags:
      - {id: multipolarity, title: Multipolar world, definition: Several centres of power.}
      - {id: un-role, title: Role of the UN, definition: The UN is central.}
      - {id: old-un, title: UN (old), definition: As before., replaced_by: un-role}
"""
)
READER = AnnotationReader(CODEBOOK)
TEXT = "The 🇷🇺 multipolar wórld and the UN, 👨‍👩‍👧 ООН."


def _annotation(**changes: Any) -> Annotation:
    values: dict[str, Any] = {"post_id": "c/1", "annotator": "A", "text": TEXT, "tags": {}}
    values |= {"codebook": CODEBOOK.digest, "revision": text_digest(changes.get("text", TEXT))}
    return Annotation(**(values | changes))


def _task(text: str = TEXT, **changes: Any) -> dict[str, Any]:
    data = {"post_id": "c/1", "revision": text_digest(text), "text": text, "date": None}
    return {"id": 1, "data": data | changes, "predictions": []}


def _choices(control: str, *titles: object) -> dict[str, Any]:
    return {"from_name": control, "to_name": "text", "type": "choices", "value": {"choices": list(titles)}}


def _label(start: object, end: object, quote: object, *titles: object) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": quote, "labels": list(titles)}
    return {"from_name": "evidence", "to_name": "text", "type": "labels", "value": value}


def _parsed(*result: object, **received: Any) -> tuple[Annotation, tuple[str, ...]]:
    parsed = READER.read(_task(), {"id": 1, "result": list(result), **received}, "A")
    assert parsed.annotation is not None
    return parsed.annotation, parsed.problems


@st.composite
def _annotations(draw: st.DrawFn, codebook: Codebook = CODEBOOK) -> Annotation:
    characters = st.one_of(
        st.sampled_from(["🇷", "🇺", "👩", "\u200d", "\u0301", "é", "Ж", "\r", "\n", "&", "<", '"', " ", "a"]),
        st.characters(exclude_categories=["Cs"]),
    )
    text = draw(st.text(characters, min_size=1, max_size=40))
    spans = st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text))).filter(lambda s: s[0] < s[1])
    tags = draw(
        st.dictionaries(
            st.sampled_from(codebook.tag_ids),
            st.sets(spans, max_size=4).map(lambda found: tuple(sorted(Span(*span) for span in found))),
        )
    )
    return _annotation(
        text=text,
        tags={tag: tags[tag] for tag in codebook.tag_ids if tag in tags},
        flags=tuple(draw(st.sets(st.sampled_from(["unclear"])))),
        comment=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=10)),
        origin=dict.fromkeys(tags, "manual"),
    )


@given(_annotations())
def test_an_annotation_survives_the_way_there_and_back(annotation: Annotation) -> None:
    """Whatever characters the text has, tags, spans, flags and comment come back as they went."""
    received = {"id": 5, "result": result_of(annotation, CODEBOOK)}
    parsed = READER.read(_task(annotation.text), received, "A")
    assert parsed.annotation == annotation
    assert parsed.problems == ()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["value", "from_name", "type", "choices", "labels", "start", "end", "text"]),
                x,
            )
        ),
    )
)
def test_a_result_of_any_shape_is_read_without_an_error(result: object) -> None:
    """What Label Studio sends is judged, never trusted."""
    for shape in (result, [result], [{"from_name": "evidence", "type": "labels", "value": result}]):
        parsed = READER.read(_task(), {"id": 1, "result": shape}, "A")
        assert parsed.annotation is not None


def test_reviewed_without_a_tag_is_no_problem_and_not_skipped() -> None:
    """'None of these' means read, and no tag applies."""
    annotation, problems = _parsed(_choices("tags", "None of these"))
    assert (dict(annotation.tags), annotation.skipped, problems) == ({}, False, ())


def test_a_skipped_task_is_marked_as_such() -> None:
    """A skip has no tags, whatever its result holds."""
    annotation, problems = _parsed(_choices("tags", "Multipolar world"), was_cancelled=True)
    assert (dict(annotation.tags), annotation.skipped, problems) == ({}, True, ())


def test_an_empty_submission_is_reported() -> None:
    """Nothing ticked at all is read as no tag, and said."""
    annotation, problems = _parsed()
    assert dict(annotation.tags) == {}
    assert len(problems) == 1


def test_a_tick_without_a_span_is_a_tag_without_evidence() -> None:
    """Evidence is welcome, not needed."""
    annotation, problems = _parsed(_choices("tags", "Multipolar world"))
    assert (dict(annotation.tags), problems) == ({"multipolarity": ()}, ())


def test_a_span_without_its_tick_is_no_tag() -> None:
    """Unticking leaves the spans in place; they are reported and do not count."""
    annotation, problems = _parsed(
        _choices("tags", "Role of the UN"), _label(0, 3, "The", "Multipolar world")
    )
    assert dict(annotation.tags) == {"un-role": ()}
    assert problems == ("0-3 is marked as multipolarity, which is not ticked",)


def test_none_beside_a_tag_is_a_contradiction() -> None:
    """The tags count, the contradiction is reported."""
    annotation, problems = _parsed(_choices("tags", "None of these", "Role of the UN"))
    assert list(annotation.tags) == ["un-role"]
    assert "ticked beside un-role" in problems[0]


@pytest.mark.parametrize(
    ("start", "end", "quote"),
    [(-1, 3, "The"), (3, 3, ""), (0, 999, "The"), (5, 2, "x"), (0, 3, "Tha"), (0.0, 3, "The"), ("0", 3, "The"),
     (True, 3, "he"), (None, None, None)],
)  # fmt: skip
def test_a_span_that_does_not_fit_its_text_is_left_out(start: object, end: object, quote: object) -> None:
    """A wrong span is reported and dropped; the tag stays."""
    annotation, problems = _parsed(
        _choices("tags", "Multipolar world"), _label(start, end, quote, "Multipolar world")
    )
    assert dict(annotation.tags) == {"multipolarity": ()}
    assert len(problems) == 1


def test_unknown_labels_choices_and_controls_are_reported() -> None:
    """What the codebook does not have is left out, and said."""
    annotation, problems = _parsed(
        _choices("tags", "Role of the UN", "Nonsense", 7),
        _choices("themes", "Role of the UN"),
        _choices("flags", "Sleepy", "Unclear"),
        _label(0, 3, "The", "Nonsense"),
    )
    assert dict(annotation.tags) == {"un-role": ()}
    assert annotation.flags == ("unclear",)
    assert len(problems) == 5


def test_a_retired_tag_counts_as_the_one_that_replaced_it() -> None:
    """Labels made with an older codebook keep their meaning."""
    annotation, problems = _parsed(_choices("tags", "UN (old)"), _label(0, 3, "The", "UN (old)"))
    assert (dict(annotation.tags), problems) == ({"un-role": (Span(0, 3),)}, ())


def test_origin_is_found_by_comparing_with_the_prediction_shown() -> None:
    """Label Studio calls an edited result manual as a whole; what was suggested is told apart all the same."""
    shown = {"id": 9, "result": [_choices("tags", "Role of the UN")]}
    task = _task() | {"predictions": [shown, {"id": 8, "result": [_choices("tags", "Multipolar world")]}]}
    received = {
        "id": 1,
        "result": [_choices("tags", "Role of the UN", "Multipolar world")],
        "parent_prediction": 9,
    }
    annotation = READER.read(task, received, "A").annotation
    assert annotation is not None
    assert annotation.origin == {"multipolarity": "manual", "un-role": "prediction"}


def test_a_text_changed_in_label_studio_is_another_revision() -> None:
    """Any annotator can change a task's text there; labels made on it are not labels of the post."""
    task = _task(text="Other words.", revision=text_digest(TEXT))
    parsed = READER.read(task, {"id": 1, "result": [_choices("tags", "None of these")]}, "A")
    assert parsed.annotation is not None
    assert parsed.annotation.revision == text_digest("Other words.")
    assert parsed.problems == ("the text of the task was changed in Label Studio",)


@pytest.mark.parametrize(
    "task", [{}, {"data": None}, {"data": {"text": "x"}}, {"data": {"text": "\ud83d", "post_id": "a"}}]
)
def test_a_task_that_is_none_of_ours_gives_no_annotation(task: dict[str, Any]) -> None:
    """Somebody else's task is reported, not guessed at."""
    parsed = READER.read(task, {"id": 1, "result": []}, "A")
    assert parsed.annotation is None
    assert len(parsed.problems) == 1


def test_what_is_shown_above_a_post_is_escaped() -> None:
    """Names and links from outside cannot bring markup or scripts into the page."""
    post = Post(
        channel="<b>x</b>",
        message_id="1",
        text="t",
        date=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        forwarded_from='"><script>',
        links=('https://e.example/?a="><img>', "javascript:alert(1)"),
    )
    shown = meta_html(post)
    assert "<script" not in shown
    assert "<img" not in shown
    assert "javascript" not in shown
    assert "&lt;b&gt;x&lt;/b&gt;" in shown
    assert "2026-01-02 03:04 UTC" in shown


def test_a_task_names_its_post_and_revision() -> None:
    """That is how a task is found again after anything went wrong."""
    post = Post(channel="c", message_id="1", text=TEXT)
    data = task_data(post)
    assert (data["post_id"], data["revision"], data["text"]) == ("c/1", text_digest(TEXT), TEXT)


def test_a_suggestion_outside_its_text_is_refused() -> None:
    """Label Studio would store it and show nonsense."""
    suggestion = Suggestion(
        post_id="c/1", revision="r", text="short", tags={"un-role": (Span(0, 9),)}, confidence=0.5
    )
    with pytest.raises(StudioError, match="outside the text"):
        prediction_of(suggestion, 1, "v1", CODEBOOK)
