"""What annotators did in Label Studio, read back into our records; every span is checked against its text."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from annotations.cleaning import is_encodable
from annotations.codebook import Codebook
from annotations.codebook_changes import RELABEL
from annotations.labeling_config import NONE_OF_THESE, tag_by_title
from annotations.records import Annotation, Span, text_digest
from annotations.studio.answers import parse_time
from annotations.studio.tasks import FLAGS

_KINDS = {"tags": "choices", "flags": "choices", "evidence": "labels", "comment": "textarea"}
_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class ParsedAnnotation:
    """What one annotation of Label Studio says; ``annotation`` is None where it cannot be read at all."""

    annotation: Annotation | None
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Answers:
    """What the controls of one result hold, before the codebook has judged it."""

    ticked: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    spans: list[tuple[str, Span]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class AnnotationReader:
    """Reads annotations by a codebook.

    Parameters
    ----------
    codebook
        What titles mean.
    former_titles
        Tag ids by titles that the codebook does not have any more, see ``annotations.ledger.codebooks``.
    """

    def __init__(self, codebook: Codebook, former_titles: Mapping[str, str] | None = None) -> None:
        self.digest = codebook.digest
        self.tag_ids = codebook.tag_ids
        known = {title: tag.id for title, tag in tag_by_title(codebook).items()}
        here = {tag.id for tag in codebook.tags}
        former = {title: tag for title, tag in (former_titles or {}).items() if tag in here}
        # By title: the tag that it means today, itself or the one that has replaced it.
        today = {title: codebook.successor(tag_id) for title, tag_id in (former | known).items()}
        self.active = {title: tag.id for title, tag in today.items() if tag.is_active}
        self.split = {title: tag.split_into for title, tag in today.items() if not tag.is_active}

    def read(
        self,
        task: Mapping[str, Any],
        received: Mapping[str, Any],
        annotator: str,
        shown: Collection[str] = (),
    ) -> ParsedAnnotation:
        """Read one annotation of a task as Label Studio sent it.

        Parameters
        ----------
        task
            The task, with ``data`` and, where known, ``predictions``.
        received
            The annotation. Drafts are not annotations: do not pass them.
        annotator
            The name that stands for its author in files.
        shown
            The tags of the suggestion that its author saw, by our own record.

        Returns
        -------
        ParsedAnnotation
            The annotation, and a sentence for everything that was left out or contradicts itself. The revision
            is that of the text in the task: if somebody changed it there, it is no revision of ours.
        """
        data = task.get("data")
        text = data.get("text") if isinstance(data, dict) else None
        post_id = data.get("post_id") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not is_text(text) or not is_text(post_id):
            return ParsedAnnotation(None, ("the task has no text or no post_id that we put there",))
        skipped = received.get("was_cancelled") is True
        answers = _Answers()
        if not skipped:
            _collect(received.get("result"), text, answers)
        is_split = self._set_split_aside(answers)
        skipped = skipped or is_split
        tags = {} if is_split else _judged_tags(answers, self.tag_ids, self.active)
        if not skipped and not answers.ticked and not answers.flags:
            answers.problems.append(f"nothing is ticked, not even '{NONE_OF_THESE}'; read as no tag")
        revision = text_digest(text)
        if isinstance(data.get("revision"), str) and data["revision"] != revision:
            answers.problems.append("the text of the task was changed in Label Studio")
        lead_time = received.get("lead_time")
        annotation = Annotation(
            post_id=post_id,
            annotator=annotator,
            text=text,
            tags=tags,
            date=parse_time(data.get("date")),
            skipped=skipped,
            flags=_judged_flags(answers) + ((RELABEL,) if is_split else ()),
            comment="\n".join(answers.comments),
            revision=revision,
            codebook=self.digest,
            lead_time=float(lead_time) if _is_number(lead_time) and lead_time >= 0 else None,
            origin=_origins(tags, {*shown, *self._suggested(task, received)}),
        )
        return ParsedAnnotation(annotation, tuple(answers.problems))

    def _set_split_aside(self, answers: _Answers) -> bool:
        """Tell whether a tag that has been split is ticked, so that the annotation is no answer any more."""
        titles = [title for title in answers.ticked if title in self.split]
        answers.problems += [
            f"the tag '{_shown(title)}' has been split into {', '.join(self.split[title])}: to be annotated again"
            for title in titles
        ]
        return bool(titles)

    def _suggested(self, task: Mapping[str, Any], received: Mapping[str, Any]) -> Iterator[str]:
        yield from (self.active.get(title, "") for title in _suggested_titles(task, received))


def _collect(result: object, text: str, answers: _Answers) -> None:
    if not isinstance(result, list):
        answers.problems.append("the result is no list")
        return
    for item in result:
        value = item.get("value") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(value, dict):
            answers.problems.append("a part of the result has no value")
            continue
        kind = _KINDS.get(str(item.get("from_name")))
        if kind is None or item.get("type") != kind:
            answers.problems.append(f"unknown control '{_shown(item.get('from_name'))}'")
        elif kind == "labels":
            _collect_span(value, text, answers)
        elif kind == "textarea":
            texts = value.get("text")
            answers.comments += _strings([texts] if isinstance(texts, str) else texts, "comment", answers)
        else:
            target = answers.ticked if item["from_name"] == "tags" else answers.flags
            target += _strings(value.get("choices"), "choice", answers)


def _collect_span(value: Mapping[str, Any], text: str, answers: _Answers) -> None:
    start, end, quote = value.get("start"), value.get("end"), value.get("text")
    if type(start) is not int or type(end) is not int:
        answers.problems.append("a span has no whole numbers for its start and end; left out")
        return
    span = Span(start, end)
    if not span.fits(text):
        answers.problems.append(f"the span {start}-{end} lies outside the text; left out")
    elif quote is not None and quote != span.quote(text):
        answers.problems.append(
            f"the span {start}-{end} covers '{_shown(span.quote(text))}' and says '{_shown(quote)}'; left out"
        )
    else:
        answers.spans += [(title, span) for title in _strings(value.get("labels"), "label", answers)]


def _strings(values: object, what: str, answers: _Answers) -> list[str]:
    if not isinstance(values, list):
        answers.problems.append(f"a {what} is no list")
        return []
    texts = [value for value in values if is_text(value)]
    answers.problems += [f"a {what} is no text"] * (len(values) - len(texts))
    return texts


def _judged_tags(
    answers: _Answers, order: Sequence[str], active: Mapping[str, str]
) -> dict[str, tuple[Span, ...]]:
    spans: dict[str, set[Span]] = {}
    for title in answers.ticked:
        if title in active:
            spans.setdefault(active[title], set())
        elif title != NONE_OF_THESE:
            answers.problems.append(f"unknown tag '{_shown(title)}'; left out")
    if NONE_OF_THESE in answers.ticked and spans:
        answers.problems.append(f"'{NONE_OF_THESE}' is ticked beside {', '.join(spans)}; the tags count")
    for title, span in answers.spans:
        tag_id = active.get(title)
        if tag_id is None:
            answers.problems.append(f"unknown label '{_shown(title)}'; left out")
        elif tag_id not in spans:
            answers.problems.append(f"{span.start}-{span.end} is marked as {tag_id}, which is not ticked")
        else:
            spans[tag_id].add(span)
    return {tag_id: tuple(sorted(spans[tag_id])) for tag_id in order if tag_id in spans}


def _judged_flags(answers: _Answers) -> tuple[str, ...]:
    answers.problems += [f"unknown flag '{_shown(title)}'" for title in answers.flags if title not in FLAGS]
    return tuple(name for title, name in FLAGS.items() if title in answers.flags)


def _origins(tags: Collection[str], suggested: Collection[str]) -> dict[str, str]:
    """Tell which tags were suggested: once edited, a whole result is ``manual`` in Label Studio."""
    return {tag_id: "prediction" if tag_id in suggested else "manual" for tag_id in tags}


def _suggested_titles(task: Mapping[str, Any], received: Mapping[str, Any]) -> Iterator[str]:
    parent = received.get("parent_prediction")
    candidates = [received.get("prediction")]
    predictions = task.get("predictions")
    candidates += predictions if isinstance(predictions, list) else []
    # Our own record of what a result came from, where the prediction itself is gone.
    result = received.get("result")
    own = (
        [item for item in result if isinstance(item, dict) and item.get("origin") == "prediction"]
        if isinstance(result, list)
        else []
    )
    yield from _choices(own)
    for item in result if isinstance(result, list) else []:
        # As our own export writes it (annotations.exporting.studio_json).
        meta = item.get("meta") if isinstance(item, dict) else None
        titles = meta.get("taken_over") if isinstance(meta, dict) else None
        yield from (title for title in (titles if isinstance(titles, list) else []) if isinstance(title, str))
    for prediction in candidates:
        if isinstance(prediction, dict) and parent is not None and prediction.get("id") == parent:
            yield from _choices(prediction.get("result"))
            return


def _choices(result: object) -> Iterator[str]:
    for item in result if isinstance(result, list) else []:
        value = item.get("value") if isinstance(item, dict) and item.get("from_name") == "tags" else None
        choices = value.get("choices") if isinstance(value, dict) else None
        yield from (
            choice for choice in (choices if isinstance(choices, list) else []) if isinstance(choice, str)
        )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_text(value: object) -> TypeGuard[str]:
    """Tell whether a value is a string that UTF-8 can write (JSON may hold half a surrogate pair)."""
    return isinstance(value, str) and is_encodable(value)


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"
