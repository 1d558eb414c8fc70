"""One exported annotation: whose it is, which choices are ticked, which spans are marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from annotations.cleaning import is_encodable
from annotations.codebook_contradictions import NONE_OF_THESE, NOT_ANALYSABLE, UNCLEAR
from annotations.records import Span

PATH_SEPARATOR = " > "
_LABELS = ("labels", "hypertextlabels")
# Answers of our own labelling page that are not tags, by control.
_NOT_TAGS = {("tags", NONE_OF_THESE), ("flags", UNCLEAR), ("flags", NOT_ANALYSABLE)}
_LONGEST_CHOICE = 100


@dataclass(slots=True)
class Answers:
    """What one annotation says.

    Attributes
    ----------
    ticks
        (control, choice or taxonomy path).
    labels
        Labels used, also those of spans that have no place in the text.
    spans
        By label.
    strings
        Single texts by control, of JSON_MIN, which does not say whether they are choices.
    wrong, passed_over
        What is malformed, and what is left out.
    """

    ticks: list[tuple[str, str]] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    spans: dict[str, list[Span]] = field(default_factory=dict)
    strings: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


def collect_result(result: Sequence[Any], text: str, answers: Answers) -> None:
    """Collect the ``result`` of an annotation in a JSON export."""
    regions = {
        item.get("id")
        for item in result
        if isinstance(item, dict) and str(item.get("type")).endswith("labels") and item.get("id")
    }
    for number, item in enumerate(result, start=1):
        value = item.get("value") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(value, dict):
            if isinstance(item, dict) and item.get("type") == "relation":
                continue
            answers.wrong.append(f"part {number} of its result has no value")
            continue
        kind, control = str(item.get("type")), str(item.get("from_name"))
        if kind in ("choices", "taxonomy"):
            if "start" in value or item.get("id") in regions:
                answers.passed_over.append(f"choices of '{control}' that belong to a span")
            else:
                _add_ticks(control, kind, value.get(kind), answers)
        elif kind in _LABELS:
            _add_span(value, value.get(kind, value.get("labels")), text, answers)
        elif kind.endswith("labels"):
            _add_labels(value.get(kind), answers)
        elif kind != "textarea":
            answers.passed_over.append(f"results of the type '{kind}'")


def collect_minimal(controls: Mapping[str, Any], text: str, answers: Answers) -> None:
    """Collect the fields of a JSON_MIN record that are controls."""
    for control, content in controls.items():
        for value in content if isinstance(content, list) else [content]:
            if isinstance(value, str):
                answers.strings[control] = value
            elif not isinstance(value, dict):
                continue
            elif "choices" in value or "taxonomy" in value:
                kind = "choices" if "choices" in value else "taxonomy"
                _add_ticks(control, kind, value[kind], answers)
            elif "labels" in value or "hypertextlabels" in value:
                _add_span(value, value.get("labels", value.get("hypertextlabels")), text, answers)


def tags_in_strings(found: Iterable[Answers]) -> set[str]:
    """Return the controls of JSON_MIN whose single texts are choices: short texts that come again and again."""
    values: dict[str, Counter[str]] = {}
    certain: set[str] = set()
    for answers in found:
        certain |= {control for control, _ in answers.ticks}
        for control, value in answers.strings.items():
            values.setdefault(control, Counter())[value] += 1
    return {
        control
        for control, counts in values.items()
        if control in certain
        or (
            max(map(len, counts)) <= _LONGEST_CHOICE
            and (len(counts) * 2 <= counts.total() or counts.total() <= 2)
        )
    }


def _add_ticks(control: str, kind: str, values: Any, answers: Answers) -> None:
    for value in [values] if isinstance(values, str) else values if isinstance(values, list) else [None]:
        steps: list[Any] = value if kind == "taxonomy" and isinstance(value, list) else [value]
        if not steps or not all(isinstance(step, str) and step and is_encodable(step) for step in steps):
            answers.wrong.append(
                f"a {'choice' if kind == 'choices' else 'taxonomy path'} of '{control}' is no text"
            )
        elif (control, name := PATH_SEPARATOR.join(steps)) not in _NOT_TAGS:
            answers.ticks.append((control, name))


def _add_labels(labels: Any, answers: Answers) -> list[str]:
    if not isinstance(labels, list) or not all(
        isinstance(label, str) and is_encodable(label) for label in labels
    ):
        answers.wrong.append("the labels of a span are no texts")
        return []
    answers.labels.update(labels)
    return labels


def _add_span(value: Mapping[str, Any], labels: Any, text: str, answers: Answers) -> None:
    if labels is None:
        answers.passed_over.append("spans without a label")
        return
    names = _add_labels(labels, answers)
    offsets = value.get("globalOffsets")
    place = offsets if isinstance(offsets, dict) else value
    start, end = place.get("start"), place.get("end")
    if type(start) is not int or type(end) is not int:
        answers.passed_over.append("places of spans that are no whole numbers")
        return
    span = Span(start, end)
    if not (span.fits(text) or (not text and 0 <= start < end)):
        answers.passed_over.append("spans outside their text")
        return
    for name in names:
        answers.spans.setdefault(name, []).append(span)


def annotator_of(author: Any) -> str | None:
    """Return the name of an author as exports have it: a number, an address, or an object with either."""
    if isinstance(author, dict):
        author = author.get("email") or author.get("username") or author.get("id")
    if isinstance(author, bool) or not isinstance(author, int | str):
        return None
    name = str(author)
    return name if name and is_encodable(name) else None


def order_of(annotation: Mapping[str, Any], number: Any) -> tuple[str, int]:
    """Return what sorts annotations by when they were last submitted."""
    moment = annotation.get("updated_at") or annotation.get("created_at")
    return (moment if isinstance(moment, str) else "", number if isinstance(number, int) else 0)


def seconds_of(value: Any) -> float | None:
    """Return a lead time, None where it is not one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < float("inf") else None


def was_shown(task: Mapping[str, Any], annotation: Mapping[str, Any]) -> bool:
    """Tell whether the annotation began from a prediction that suggested something."""
    result = annotation.get("result")
    if any(
        isinstance(each, dict) and str(each.get("origin")).startswith("prediction") for each in result or ()
    ):
        return True
    own = annotation.get("prediction")
    if isinstance(own, dict) and own.get("result"):
        return True
    parent = annotation.get("parent_prediction")
    if parent is None:
        return False
    predictions = task.get("predictions")
    known = [each for each in predictions if isinstance(each, dict)] if isinstance(predictions, list) else []
    shown = [each for each in known if each.get("id") == parent]
    return not shown or bool(shown[0].get("result"))
