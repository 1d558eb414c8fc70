"""The active model's answers for the posts of the ledger, as Label Studio shows them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from annotations.ledger.posts import StoredPost, current_posts
from annotations.ledger.store import Ledger
from annotations.records import Span
from annotations.studio.tasks import ModelAnswers, Suggestion
from classifiers.predictions import Decision, Prediction
from classifiers.scorer import Scorer

_BATCH = 200


def model_answers(ledger: Ledger, scorer: Scorer) -> ModelAnswers:
    """Return what the model says of every current post; texts are scored as the answers are taken."""
    return ModelAnswers(scorer.version, scorer.codebook, _suggestions(ledger, scorer))


def confidence(prediction: Prediction) -> float:
    """Return how sure a prediction is, from 0 to 1: the distance from one half of its least sure score, doubled.

    A prediction without any score is not sure at all.
    """
    scores = [tag.score for tag in prediction.tags if tag.score is not None]
    return min((abs(score - 0.5) * 2 for score in scores), default=0.0)


def _suggestions(ledger: Ledger, scorer: Scorer) -> Iterator[Suggestion]:
    posts = current_posts(ledger)
    while batch := list(islice(posts, _BATCH)):
        predictions = scorer.predict([stored.post.text for stored in batch], explain=True)
        yield from map(_suggestion, batch, predictions)


def _suggestion(stored: StoredPost, prediction: Prediction) -> Suggestion:
    post = stored.post
    return Suggestion(
        post_id=post.post_id,
        revision=post.revision,
        text=post.text,
        tags={
            tag.tag_id: tuple(Span(passage.start, passage.end) for passage in tag.evidence[:1])
            for tag in prediction.decided(Decision.YES)
        },
        confidence=confidence(prediction),
    )
