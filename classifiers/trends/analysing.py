"""All trends of a tagged corpus, in one pass over its posts."""

from __future__ import annotations

from dataclasses import dataclass, field

from annotations.progress import Progress, silent
from classifiers.scorer import Scorer
from classifiers.trends.chains import Chain, Copies, SimilarSentences
from classifiers.trends.change_points import Change, ChangeOptions, change_points
from classifiers.trends.cooccurrence import CoOccurrence, Pair
from classifiers.trends.corpus import TaggedCorpus
from classifiers.trends.exemplars import Exemplar, Exemplars
from classifiers.trends.passages import evidence_of, quotes_of, sentences_of
from classifiers.trends.timelines import Period, Point, Timelines


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendOptions:
    """What is asked: the period of the lines, how changes are found, examples a tag and period.

    ``least_sources``: chains of fewer sources are left out; 0 stands for 2, and 1 where all posts are of one channel.
    """

    period: Period = "month"
    changes: ChangeOptions = field(default_factory=ChangeOptions)
    n_examples: int = 3
    least_sources: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """The trends of a corpus; ``exemplars`` and the chains of sentences are empty where there was no evidence."""

    model_version: str
    tag_ids: tuple[str, ...]
    n_posts: int
    n_undated: int
    with_evidence: bool
    timelines: tuple[Point, ...]
    changes: tuple[Change, ...]
    pairs: tuple[Pair, ...]
    chains: tuple[Chain, ...]
    exemplars: tuple[Exemplar, ...]


def trends(
    corpus: TaggedCorpus,
    scorer: Scorer | None = None,
    options: TrendOptions | None = None,
    progress: Progress = silent,
) -> Trends:
    """Measure the trends of a corpus.

    Parameters
    ----------
    scorer
        The model that gave the tags, for the sentences that speak for them; without it there are none.
    progress
        Called with (posts done, None).
    """
    options = options or TrendOptions()
    tags = corpus.tag_ids
    lines, together = Timelines(tags, options.period), CoOccurrence(tags)
    copies, sentences = Copies(tags), SimilarSentences(tags)
    best = Exemplars(tags, options.n_examples, options.period)
    channels: set[str] = set()
    for batch in corpus.batches():
        for part in (lines, together, copies):
            part.add(batch)
        channels.update(stored.post.channel for stored in batch.posts)
        if scorer is not None:
            evidence = evidence_of(scorer, tags, batch)
            best.add(batch, quotes_of(evidence))
            sentences.add(batch, sentences_of(batch, evidence))
        progress(lines.n_posts, None)
    least = options.least_sources or min(max(len(channels), 1), 2)
    return Trends(
        model_version=corpus.model_version,
        tag_ids=tags,
        n_posts=lines.n_posts,
        n_undated=lines.n_undated,
        with_evidence=scorer is not None,
        timelines=tuple(lines.points()),
        changes=tuple(change_points(tags, lines.by_day(), options.changes)),
        pairs=tuple(together.pairs()),
        chains=(*copies.chains(least), *sentences.chains(least)),
        exemplars=tuple(best.best()),
    )
