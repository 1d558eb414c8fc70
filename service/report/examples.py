"""A few passages for every tag, with the words around them: the strongest evidence, or what people marked."""

from __future__ import annotations

from collections.abc import Sequence

from annotations.ledger.posts import StoredPost, chosen_posts
from annotations.ledger.store import Ledger
from annotations.records import Annotation
from classifiers.trends import Trends
from classifiers.trends.exemplars import Exemplar
from service.report.content import Example

N_BEST = 3
_AROUND = 240


def from_model(found: Trends, ledger: Ledger) -> list[Example]:
    """Return the passages that speak most strongly for each tag, one a post, with those around from the ledger."""
    chosen = [each for tag in found.tag_ids for each in _best(found.exemplars, tag)]
    posts = {
        each.post.post_id: each for each in chosen_posts(ledger, sorted({each.post_id for each in chosen}))
    }
    return [_of(each, posts[each.post_id]) for each in chosen if each.post_id in posts]


def from_labels(annotations: Sequence[Annotation]) -> list[Example]:
    """Return passages that people marked, the first posts of each tag."""
    met: dict[str, dict[str, Example]] = {}
    for annotation in sorted(annotations, key=lambda each: each.post_id):
        for tag, spans in annotation.tags.items():
            held = met.setdefault(tag, {})
            if spans and len(held) < N_BEST and annotation.post_id not in held:
                span = max(spans, key=lambda each: each.end - each.start)
                before, quote, after = around(annotation.text, span.start, span.end)
                held[annotation.post_id] = Example(
                    tag,
                    annotation.post_id,
                    annotation.post_id.rpartition("/")[0],
                    annotation.date.date().isoformat() if annotation.date else "",
                    before,
                    quote,
                    after,
                    None,
                    "people",
                )
    return [example for held in met.values() for example in held.values()]


def around(text: str, start: int, end: int) -> tuple[str, str, str]:
    """Cut a text into what comes before a passage, the passage, and what comes after, long ends left out."""
    before, after = text[:start], text[end:]
    if len(before) > _AROUND:
        before = "… " + before[-_AROUND:].partition(" ")[2]
    if len(after) > _AROUND:
        after = after[:_AROUND].rpartition(" ")[0] + " …"
    return before, text[start:end], after


def _best(exemplars: Sequence[Exemplar], tag: str) -> list[Exemplar]:
    ranked = sorted(
        (each for each in exemplars if each.tag == tag), key=lambda each: (-each.weight, each.post_id)
    )
    by_post: dict[str, Exemplar] = {}
    quotes: set[str] = set()
    for each in ranked:
        if each.quote not in quotes:
            by_post.setdefault(each.post_id, each)
            quotes.add(each.quote)
    return list(by_post.values())[:N_BEST]


def _of(each: Exemplar, stored: StoredPost) -> Example:
    before, quote, after = around(stored.post.text, each.start, each.end)
    date = each.date[:10] if each.date else ""
    return Example(
        each.tag,
        each.post_id,
        each.channel,
        date,
        before,
        quote,
        after,
        stored.post.lang,
        "model",
        each.score,
    )
