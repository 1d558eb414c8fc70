"""The pages: HTML made on the server, every value escaped by the template engine, and no script at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jinja2

from service.schemas import PredictResponse, TagOut

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_TAG_ID = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the text and the numbers (from 1) of the tags whose evidence covers it."""

    text: str
    tags: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What the page shows of a prediction: the tags that apply, those left open, and the text in segments."""

    post: str
    prediction: PredictResponse
    given: tuple[TagOut, ...]
    open: tuple[TagOut, ...]
    unpredicted: tuple[TagOut, ...]
    segments: tuple[Segment, ...]

    @property
    def n_denied(self) -> int:
        """How many tags the model says no to."""
        return len(self.prediction.tags) - len(self.given) - len(self.open) - len(self.unpredicted)


def result_of(text: str, prediction: PredictResponse) -> Result:
    """Arrange a prediction for the page: tags that apply first, the surest on top."""
    tags = sorted(prediction.tags, key=lambda tag: -(tag.score or 0.0))
    given = tuple(tag for tag in tags if tag.decision == "yes")
    undecided = tuple(tag for tag in tags if tag.decision == "abstain" and tag.score is not None)
    unpredicted = tuple(tag for tag in prediction.tags if tag.score is None)
    return Result(text, prediction, given, undecided, unpredicted, tuple(segments(text, given)))


def segments(text: str, tags: Sequence[TagOut]) -> list[Segment]:
    """Cut ``text`` where evidence begins or ends; joined again, the segments are the text."""
    spans = [(item.start, item.end, number) for number, tag in enumerate(tags, 1) for item in tag.evidence]
    cuts = sorted({0, len(text), *(start for start, _, _ in spans), *(end for _, end, _ in spans)})
    found = []
    for start, end in pairwise(cuts):
        covering = sorted({number for first, last, number in spans if first <= start and end <= last})
        found.append(Segment(text[start:end], tuple(covering)))
    return found


def tag_colors_css(colors: Mapping[str, str]) -> str:
    """Return the style sheet that gives every tag (``.tag-<id>``) its colour, as ``--tag``."""
    return "".join(
        f".tag-{tag_id} {{ --tag: {color}; }}\n"
        for tag_id, color in colors.items()
        if _TAG_ID.fullmatch(tag_id) and _COLOR.fullmatch(color)
    )


def make_templates() -> jinja2.Environment:
    """Return the template engine: it escapes everything and refuses a name that is not given."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("service"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["resolved"] = resolved
    environment.filters["percent"] = percent
    return environment


def percent(share: float) -> str:
    """Return a probability for people; a model's is never shown as certain."""
    return f"{min(99, max(1, round(share * 100)))} %"


def resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Return a schema of an OpenAPI document as JSON text with its references filled in."""
    return json.dumps(_resolved(schema, document), indent=2, ensure_ascii=False)


def _resolved(value: Any, document: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if "$ref" in value:
            return _resolved(document["components"]["schemas"][value["$ref"].rsplit("/", 1)[1]], document)
        return {key: _resolved(item, document) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, document) for item in value]
    return value


def operations(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the operations of an OpenAPI document as the API page lists them."""
    return [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
