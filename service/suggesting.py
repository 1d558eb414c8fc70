"""Suggestions for posts, as Label Studio shows them: the active model's, or the codebook's cues before there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from annotations.codebook import Codebook
from annotations.ledger.posts import current_posts
from annotations.ledger.store import Ledger
from annotations.records import Post, Span
from annotations.studio.tasks import ModelAnswers, Suggestion
from annotations.suggesting import CueSuggester
from classifiers.predictions import Decision, Prediction
from service.tagger import Tagger

_BATCH = 200
Tags = Mapping[str, tuple[Span, ...]]


@dataclass(frozen=True, slots=True)
class Text:
    """A text to suggest tags for, with the post and revision that it is of."""

    post_id: str
    revision: str
    text: str


class Suggester(Protocol):
    """Where suggestions come from."""

    @property
    def version(self) -> str:
        """What names these suggestions; it changes with every training and with the codebook."""

    @property
    def codebook(self) -> Codebook:
        """The codebook whose tags are suggested: that of the labelling page."""

    def suggest(self, texts: Sequence[Text]) -> list[Suggestion]:
        """Return one suggestion a text, in order."""


class CueSuggestions:
    """The codebook's cue phrases. They cannot tell how sure they are: all have the same confidence."""

    def __init__(self, codebook: Codebook) -> None:
        self.codebook = codebook
        self._cues = CueSuggester(codebook)
        self.version = self._cues.version

    def suggest(self, texts: Sequence[Text]) -> list[Suggestion]:
        """Return the tags whose cues stand in each text; without any, no suggestion."""
        return [_suggestion(each, self._cues.suggest(each.text), 0.0, is_judged=False) for each in texts]


class ModelSuggestions:
    """A model's decisions, in terms of the codebook of the labelling page."""

    def __init__(self, tagger: Tagger, codebook: Codebook) -> None:
        self.version = tagger.version
        self.codebook = codebook
        self._tagger = tagger
        known = {tag.id for tag in codebook.tags}
        self._today = {
            tag_id: codebook.successor(tag_id).id for tag_id in tagger.codebook.tag_ids if tag_id in known
        }

    @property
    def is_usable(self) -> bool:
        """Tell whether the model knows any tag of the page."""
        return bool(self._today)

    def suggest(self, texts: Sequence[Text]) -> list[Suggestion]:
        """Return the tags decided ``yes``, each with its first passage."""
        predictions = self._tagger.predict([each.text for each in texts], explain=True)
        return [
            _suggestion(each, self._tags(prediction), confidence(prediction), is_judged=True)
            for each, prediction in zip(texts, predictions, strict=True)
        ]

    def _tags(self, prediction: Prediction) -> Tags:
        found: dict[str, tuple[Span, ...]] = {}
        for tag in prediction.decided(Decision.YES):
            if tag.tag_id in self._today:
                spans = tuple(Span(passage.start, passage.end) for passage in tag.evidence[:1])
                found[self._today[tag.tag_id]] = spans
        return {tag_id: found[tag_id] for tag_id in self.codebook.tag_ids if tag_id in found}


def suggester(tagger: Tagger | None, codebook: Codebook) -> Suggester:
    """Return the model as the source of suggestions, or the cues where there is no model for this codebook."""
    if tagger is not None:
        source = ModelSuggestions(tagger, codebook)
        if source.is_usable:
            return source
    return CueSuggestions(codebook)


def model_answers(ledger: Ledger, source: Suggester) -> ModelAnswers:
    """Return what is suggested for every current post; texts are read as the answers are taken."""
    return ModelAnswers(source.version, source.codebook, _suggestions(ledger, source))


def confidence(prediction: Prediction) -> float:
    """Return how sure a prediction is, from 0 to 1: the distance from one half of its least sure score, doubled.

    A prediction without any score is not sure at all.
    """
    scores = [tag.score for tag in prediction.tags if tag.score is not None]
    return min((abs(score - 0.5) * 2 for score in scores), default=0.0)


def _suggestions(ledger: Ledger, source: Suggester) -> Iterator[Suggestion]:
    posts = current_posts(ledger)
    while batch := list(islice(posts, _BATCH)):
        yield from source.suggest([_text(stored.post) for stored in batch])


def _text(post: Post) -> Text:
    return Text(post.post_id, post.revision, post.text)


def _suggestion(of: Text, tags: Tags, confidence: float, *, is_judged: bool) -> Suggestion:
    return Suggestion(
        post_id=of.post_id,
        revision=of.revision,
        text=of.text,
        tags=tags,
        confidence=confidence,
        is_judged=is_judged,
    )
