"""Our records as Label Studio stores them: tasks, results and predictions. The way back is in ``parsing``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from html import escape
from typing import Any

from annotations.codebook import Codebook
from annotations.errors import StudioError
from annotations.labeling_config import NONE_OF_THESE, NOT_ANALYSABLE, UNCLEAR
from annotations.records import Annotation, Post, Span

FLAGS = {UNCLEAR: "unclear", NOT_ANALYSABLE: "not analysable"}
"""The choices of the control ``flags`` and what they are called in files."""

_FLAG_TITLES = {name: title for title, name in FLAGS.items()}
_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A model's answer for one revision of a post, as Label Studio shows it.

    ``tags`` holds the tags decided ``yes``, with their evidence; ``confidence`` (0 to 1) orders the tasks of
    uncertainty sampling, lowest first. Without tags it says that none applies, unless ``is_judged`` is false:
    then it says nothing.
    """

    post_id: str
    revision: str
    text: str
    tags: Mapping[str, tuple[Span, ...]]
    confidence: float
    is_judged: bool = True


@dataclass(frozen=True, slots=True)
class ModelAnswers:
    """What one model version says, by the codebook it was trained with."""

    model_version: str
    codebook: Codebook
    suggestions: Iterable[Suggestion]


def task_data(post: Post) -> dict[str, Any]:
    """Return the ``data`` of the task that shows a post."""
    return {
        "post_id": post.post_id,
        "revision": post.revision,
        "text": post.text,
        "channel": post.channel,
        "date": post.date.isoformat() if post.date else None,
        "meta_html": meta_html(post),
    }


def meta_html(post: Post) -> str:
    """Return the line above the text: channel, date, source of a forward, links; everything escaped."""
    parts = [f"<b>{escape(post.channel)}</b>"]
    if post.date:
        parts.append(escape(post.date.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")))
    if post.forwarded_from:
        parts.append(f"forwarded from {escape(post.forwarded_from)}")
    for link in post.links:
        if link.startswith(("http://", "https://")):
            shown = link if len(link) <= _MAX_SHOWN else link[: _MAX_SHOWN - 1] + "…"
            parts.append(
                f'<a href="{escape(link)}" target="_blank" rel="noopener noreferrer">{escape(shown)}</a>'
            )
    return " · ".join(parts)


def result_of(annotation: Annotation, codebook: Codebook) -> list[dict[str, Any]]:
    """Return the Label Studio result that says what ``annotation`` says (empty where it is skipped)."""
    if annotation.skipped:
        return []
    titles = [codebook.tag(tag_id).title for tag_id in annotation.tags] or [NONE_OF_THESE]
    result = _tag_results(annotation.text, annotation.tags, titles, codebook)
    if annotation.flags:
        flags = [_FLAG_TITLES.get(flag, flag) for flag in annotation.flags]
        result.append(_item("flags", "flags", "choices", {"choices": flags}))
    if annotation.comment:
        result.append(_item("comment", "comment", "textarea", {"text": [annotation.comment]}))
    return result


def prediction_of(
    suggestion: Suggestion, task_id: int, model_version: str, codebook: Codebook
) -> dict[str, Any]:
    """Return the prediction of Label Studio that shows ``suggestion`` on a task.

    Raises
    ------
    StudioError
        A span lies outside the text; Label Studio would store it all the same.
    """
    outside = [span for spans in suggestion.tags.values() for span in spans if not span.fits(suggestion.text)]
    if outside:
        raise StudioError(
            f"the evidence {outside[0].start}-{outside[0].end} lies outside the text",
            where=suggestion.post_id,
            hint="The model answered for another text: tag the posts again.",
        )
    titles = [codebook.tag(tag_id).title for tag_id in suggestion.tags]
    titles = titles or ([NONE_OF_THESE] if suggestion.is_judged else [])
    return {
        "task": task_id,
        "result": _tag_results(suggestion.text, suggestion.tags, titles, codebook) if titles else [],
        "score": float(suggestion.confidence),
        "model_version": model_version,
    }


def _item(item_id: str, control: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"id": item_id, "from_name": control, "to_name": "text", "type": kind, "value": value}


def _tag_results(
    text: str, tags: Mapping[str, tuple[Span, ...]], titles: Sequence[str], codebook: Codebook
) -> list[dict[str, Any]]:
    result = [_item("tags", "tags", "choices", {"choices": list(titles)})]
    for tag_id, spans in tags.items():
        for number, span in enumerate(spans):
            value = {
                "start": span.start,
                "end": span.end,
                "text": span.quote(text),
                "labels": [codebook.tag(tag_id).title],
            }
            result.append(_item(f"{tag_id}-{number}", "evidence", "labels", value))
    return result
