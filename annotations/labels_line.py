"""One line of labels.jsonl and the annotation it holds, with the checks in between."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from annotations.errors import LabelsError
from annotations.records import Annotation, Span, text_digest

ORIGINS = ("manual", "prediction")
REQUIRED_KEYS = ("post_id", "annotator", "text", "tags")
_KEYS = (*REQUIRED_KEYS, "revision", "date", "skipped", "flags", "comment", "codebook", "lead_time", "origin")
_TYPES = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "an object"}
_SURROGATE = re.compile("[\ud800-\udfff]")


def annotation_to_dict(annotation: Annotation) -> dict[str, Any]:
    """Return an annotation as its line has it; optional keys that hold their default are left out."""
    content: dict[str, Any] = {
        "post_id": annotation.post_id,
        "annotator": annotation.annotator,
        "revision": annotation.revision or text_digest(annotation.text),
        "date": annotation.date.astimezone(UTC).isoformat() if annotation.date else None,
        "text": annotation.text,
        "tags": {
            tag: [{"start": span.start, "end": span.end} for span in sorted(set(spans))]
            for tag, spans in annotation.tags.items()
        },
    }
    optional = {
        "skipped": annotation.skipped,
        "flags": list(annotation.flags),
        "comment": annotation.comment,
        "codebook": annotation.codebook,
        "origin": dict(annotation.origin),
    }
    content |= {key: value for key, value in optional.items() if value}
    if annotation.lead_time is not None:
        content["lead_time"] = annotation.lead_time
    return content


def annotation_from_dict(content: Mapping[str, Any], tag_ids: Collection[str] | None = None) -> Annotation:
    """Return the annotation that a line of labels.jsonl holds.

    Raises
    ------
    LabelsError
        Naming every field that is missing or wrong.
    """
    reading = read_annotation(content, tag_ids)
    if isinstance(reading, Annotation):
        return reading
    where = "/".join(str(content.get(key, "?")) for key in ("post_id", "annotator"))
    raise LabelsError("; ".join(reading), where=f"annotation {where}")


@dataclass(slots=True)
class _Fields:
    """The fields of one line, and what is wrong with them so far."""

    content: Mapping[str, Any]
    problems: list[str] = field(default_factory=list)

    def take(self, key: str, kind: type, default: Any, *, or_null: bool = False) -> Any:
        """Return a field of a type, or its default where it is absent or (noted) wrong."""
        if key not in self.content:
            if key in REQUIRED_KEYS:
                self.problems.append(f"{key}: is missing")
            return default
        value = self.content[key]
        if value is None and or_null:
            return default
        if type(value) is not kind:
            self.problems.append(f"{key}: must be {_TYPES[kind]}, not {named(value)}")
            return default
        if isinstance(value, str) and not _encodable(value):
            self.problems.append(f"{key}: holds half of a surrogate pair, which is not a character")
            return default
        return value

    def check(self, ok: bool, problem: str) -> bool:
        """Note a problem unless ``ok``."""
        if not ok:
            self.problems.append(problem)
        return ok


def read_annotation(content: Mapping[str, Any], tag_ids: Collection[str] | None) -> Annotation | list[str]:
    """Return the annotation of a line, or everything that is wrong with it, as ``field: what``."""
    fields = _Fields(content)
    for key in content:
        near = (
            [] if key in _KEYS else difflib.get_close_matches(key, set(_KEYS) - set(content), n=1, cutoff=0.8)
        )
        fields.check(not near, f"{key}: is not known; did you mean '{''.join(near)}'?")
    post_id, annotator = fields.take("post_id", str, "?"), fields.take("annotator", str, "?")
    fields.check(bool(post_id), "post_id: is empty")
    fields.check(bool(annotator), "annotator: is empty")
    text = fields.take("text", str, None)
    tags = _read_tags(fields, text, tag_ids)
    annotation = Annotation(
        post_id=post_id,
        annotator=annotator,
        text=text or "",
        tags=tags,
        revision=_read_revision(fields, text),
        date=_read_date(fields),
        skipped=fields.take("skipped", bool, False),
        flags=_read_flags(fields),
        comment=fields.take("comment", str, ""),
        codebook=fields.take("codebook", str, None, or_null=True),
        lead_time=_read_lead_time(fields),
        origin=_read_origin(fields, tags),
    )
    return fields.problems or annotation


def _read_tags(
    fields: _Fields, text: str | None, tag_ids: Collection[str] | None
) -> dict[str, tuple[Span, ...]]:
    tags: dict[str, tuple[Span, ...]] = {}
    for tag, spans in fields.take("tags", dict, {}).items():
        place = f"tags.{tag}"
        if tag_ids is not None and tag not in tag_ids:
            near = difflib.get_close_matches(tag, tag_ids, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            fields.check(False, f"{place}: the codebook has no such tag{hint}")
        fields.check(bool(tag) and _encodable(tag), f"{place}: is not an id of a tag")
        if fields.check(isinstance(spans, list), f"{place}: must be a list, not {named(spans)}"):
            found = [_read_span(fields, f"{place}[{n}]", span, text) for n, span in enumerate(spans)]
            tags[tag] = tuple(sorted({span for span in found if span is not None}))
    return tags


def _read_span(fields: _Fields, place: str, data: Any, text: str | None) -> Span | None:
    if not fields.check(isinstance(data, dict), f"{place}: must be an object, not {named(data)}"):
        return None
    for key in ("start", "end"):
        if key not in data:
            fields.check(False, f"{place}.{key}: is missing")
            return None
        if not fields.check(
            type(data[key]) is int, f"{place}.{key}: must be a whole number, not {named(data[key])}"
        ):
            return None
    span = Span(data["start"], data["end"])
    if text is not None and not span.fits(text):
        fields.check(False, f"{place}: {_misfit(span, text)}")
        return None
    quote = data.get("text")
    if text is not None and isinstance(quote, str):
        fields.check(
            quote == span.quote(text), f"{place}.text: is not what the text has at {span.start} to {span.end}"
        )
    return span


def _misfit(span: Span, text: str) -> str:
    if span.start == span.end:
        return f"is empty ({span.start} to {span.end})"
    if span.start > span.end:
        return f"is reversed (start {span.start}, end {span.end})"
    return f"{span.start} to {span.end} is outside the text of {len(text)} characters"


def _read_revision(fields: _Fields, text: str | None) -> str:
    digest = text_digest(text) if text is not None else ""
    revision: str = fields.take("revision", str, digest)
    fields.check(
        text is None or revision == digest, f"revision: '{revision}' is not that of the text ('{digest}')"
    )
    return revision


def _read_date(fields: _Fields) -> datetime | None:
    value = fields.take("date", str, None, or_null=True)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        fields.check(False, f"date: '{value}' is not a time in ISO 8601, e.g. 2026-01-31T12:00:00+00:00")
        return None
    if not fields.check(moment.tzinfo is not None, f"date: '{value}' has no time zone: add +00:00 or Z"):
        return None
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        fields.check(False, f"date: '{value}' is out of range")
        return None


def _read_flags(fields: _Fields) -> tuple[str, ...]:
    flags = fields.take("flags", list, [])
    ok = all(isinstance(flag, str) and flag and _encodable(flag) for flag in flags)
    return tuple(flags) if fields.check(ok, "flags: must be a list of texts") else ()


def _read_lead_time(fields: _Fields) -> float | None:
    value = fields.content.get("lead_time")
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not fields.check(is_number, f"lead_time: must be a number of seconds, not {named(value)}"):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    ok = math.isfinite(seconds) and seconds >= 0
    return seconds if fields.check(ok, f"lead_time: {seconds} is not a number of seconds") else None


def _read_origin(fields: _Fields, tags: Mapping[str, Any]) -> dict[str, str]:
    origin: dict[str, str] = fields.take("origin", dict, {})
    for tag, source in origin.items():
        fields.check(tag in tags, f"origin.{tag}: the annotation does not bear this tag")
        fields.check(
            source in ORIGINS, f"origin.{tag}: must be 'manual' or 'prediction', not {named(source)}"
        )
    return origin


def _encodable(text: str) -> bool:
    return _SURROGATE.search(text) is None


def named(value: Any) -> str:
    """Return a value as a message names it: in full where it is short."""
    if value is None:
        return "null"
    if isinstance(value, dict | list):
        return _TYPES[type(value)]
    shown = json.dumps(value, ensure_ascii=True)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
