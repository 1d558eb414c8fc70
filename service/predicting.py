"""From requests to answers: checks what the schema cannot, calls the model, and shapes what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from annotations.codebook import Codebook
from classifiers.predictions import Prediction, TagPrediction
from service.errors import FieldFault, InvalidRequestError
from service.schemas import BatchRequest, EvidenceOut, PredictRequest, PredictResponse, TagOut
from service.settings import Settings
from service.tagger import Tagger

_N_SHOWN_TAGS = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of one post; equal ones are scored together."""

    explain: bool
    tags: tuple[str, ...] | None


def check(
    requests: Sequence[PredictRequest], tag_ids: Sequence[str], settings: Settings, prefix: str = ""
) -> None:
    """Check text lengths and tag ids; ``prefix`` is the pointer under which requests are numbered.

    Raises
    ------
    InvalidRequestError
        With every fault of every request.
    """
    known = frozenset(tag_ids)
    faults: list[FieldFault] = []
    for index, request in enumerate(requests):
        where = f"{prefix}/{index}" if prefix else ""
        if len(request.text) > settings.max_text_length:
            problem = f"Text should have at most {settings.max_text_length} characters"
            faults.append(FieldFault("body", f"{where}/text", problem, "string_too_long"))
        faults += _unknown_tags(request.tags, known, where)
    _raise_if(faults, tag_ids)


def check_batch(batch: BatchRequest, tag_ids: Sequence[str], settings: Settings) -> None:
    """Check a batch: the number of posts, its own tags, then every post."""
    if len(batch.posts) > settings.max_batch_posts:
        problem = f"List should have at most {settings.max_batch_posts} posts"
        _raise_if([FieldFault("body", "/posts", problem, "too_long")], tag_ids)
    _raise_if(_unknown_tags(batch.tags, frozenset(tag_ids), ""), tag_ids)
    check(batch.posts, tag_ids, settings, "/posts")


def check_tags(tags: Sequence[str] | None, tag_ids: Sequence[str], location: str) -> None:
    """Check the tags that were sent in the ``location`` (``query``, ``body``)."""
    faults = _unknown_tags(tags, frozenset(tag_ids), "")
    _raise_if([replace(fault, location=location) for fault in faults], tag_ids)


def predict_one(tagger: Tagger, request: PredictRequest) -> PredictResponse:
    """Tag one post."""
    wanted = _wanted(request)
    (prediction,) = tagger.predict([request.text], explain=wanted.explain, tags=wanted.tags)
    return shaped(request.id, prediction, tagger.codebook)


def predict_batch(tagger: Tagger, batch: BatchRequest) -> list[PredictResponse]:
    """Tag the posts of a batch, in order; posts that ask for the same are scored in one go."""
    groups: dict[Wanted, list[int]] = {}
    for index, request in enumerate(batch.posts):
        groups.setdefault(_wanted(request, batch), []).append(index)
    answers: dict[int, PredictResponse] = {}
    for wanted, indexes in groups.items():
        texts = [batch.posts[index].text for index in indexes]
        predictions = tagger.predict(texts, explain=wanted.explain, tags=wanted.tags)
        for index, prediction in zip(indexes, predictions, strict=True):
            answers[index] = shaped(batch.posts[index].id, prediction, tagger.codebook)
    return [answers[index] for index in range(len(batch.posts))]


def shaped(post_id: str | None, prediction: Prediction, codebook: Codebook) -> PredictResponse:
    """Return a prediction as the API answers it."""
    return PredictResponse(
        id=post_id,
        lang=prediction.lang,
        model_version=prediction.model_version,
        codebook_version=codebook.version,
        tags=[_tag_out(tag, codebook) for tag in prediction.tags],
    )


def _tag_out(tag: TagPrediction, codebook: Codebook) -> TagOut:
    entry = codebook.tag(tag.tag_id)
    return TagOut(
        id=tag.tag_id,
        title=entry.title,
        family=entry.family,
        score=tag.score,
        threshold=tag.threshold,
        decision=tag.decision,
        reason=tag.reason or None,
        evidence=[
            EvidenceOut(start=passage.start, end=passage.end, text=passage.text, weight=passage.weight)
            for passage in tag.evidence
        ],
    )


def _wanted(request: PredictRequest, batch: BatchRequest | None = None) -> Wanted:
    given = request.model_fields_set
    explain, tags = request.explain, request.tags
    if batch is not None:
        explain = explain if "explain" in given else batch.explain
        tags = tags if "tags" in given else batch.tags
    return Wanted(explain, None if tags is None else tuple(sorted(set(tags))))


def _unknown_tags(tags: Sequence[str] | None, known: frozenset[str], where: str) -> list[FieldFault]:
    return [
        FieldFault("body", f"{where}/tags/{index}", "The model's codebook has no such tag", "unknown_tag")
        for index, tag in enumerate(tags or ())
        if tag not in known
    ]


def _raise_if(faults: Sequence[FieldFault], tag_ids: Sequence[str]) -> None:
    if not faults:
        return
    hint = ""
    if any(fault.code == "unknown_tag" for fault in faults):
        rest = ", ..." if len(tag_ids) > _N_SHOWN_TAGS else ""
        hint = f"The tags are {', '.join(tag_ids[:_N_SHOWN_TAGS])}{rest}."
    noun = "value is" if len(faults) == 1 else "values are"
    raise InvalidRequestError(f"{len(faults)} {noun} not valid", faults, hint=hint)
