"""How much a model leans on what does not say a tag: footers, casing, emoji, hashtags, other people's words.

The same model judges the same posts once more with their texts changed; what is taken out becomes spaces.  A
large drop means that the model reads the tag off what was changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from annotations.boilerplate import find_boilerplate, mask
from annotations.records import Post, Span
from classifiers.dataset import Dataset
from classifiers.evaluation import headline_draws
from classifiers.outcomes import Outcomes
from classifiers.resampling import Interval, Resamples, interval
from classifiers.scorer import Scorer
from classifiers.tokens import emoji, tokenise

Floats = npt.NDArray[np.float64]
Answers = tuple[Floats, npt.NDArray[np.bool_]]
"""Scores and yes decisions, each (n_posts, n_tags)."""
DROPS = ("mean_average_precision", "micro_f1", "macro_f1")
_LONGEST_QUOTE = 600
_QUOTED = re.compile(
    "|".join(
        rf"{marks[0]}(?P<q{number}>[^{marks}\n]{{2,{_LONGEST_QUOTE}}}){marks[1]}"
        for number, marks in enumerate(("«»", "“”", "„“", "„”", '""', "「」", "『』"))
    )
)


@dataclass(frozen=True, slots=True)
class Drop:
    """What a figure loses by a change, with its 95 % interval (paired over groups of posts; None with few)."""

    before: float
    after: float
    drop: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """One change: how many posts it changes, how many of their decisions turn, and what it costs over all posts.

    ``n_lost`` decisions turn from yes to no (or abstain), ``n_gained`` the other way; ``n_decisions`` are those
    of the changed posts.  ``drops`` is empty where no tag occurs.
    """

    what: str
    n_changed: int
    n_decisions: int
    n_lost: int
    n_gained: int
    drops: Mapping[str, Drop]

    def to_dict(self) -> dict[str, Any]:
        """Return the check ready for JSON."""
        return asdict(self)


def variants(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    """Return the changed texts of all posts by the name of the change."""
    changes: dict[str, Callable[[str], str]] = {
        "lower_case": str.lower,
        "upper_case": str.upper,
        "no_emoji": lambda text: mask(text, emoji(text)),
        "no_hashtags": lambda text: mask(text, _hashtags(text)),
        "no_quoted_words": lambda text: mask(text, quoted(text)),
    }
    found = {"no_boilerplate": without_boilerplate(dataset)}
    return found | {name: tuple(map(change, dataset.texts)) for name, change in changes.items()}


WHAT = {
    "no_boilerplate": "stock phrases and footers masked",
    "lower_case": "all in lower case",
    "upper_case": "all in upper case",
    "no_emoji": "emoji removed",
    "no_hashtags": "hashtags removed",
    "no_quoted_words": "words in quotation marks removed",
}


def without_boilerplate(dataset: Dataset) -> tuple[str, ...]:
    """Return the texts with the footers, banners and signatures of their channels masked.

    They are found among the posts of the dataset, whose channel stands before the / of a post id.
    """
    posts = [
        Post(channel=post_id.rpartition("/")[0], message_id=post_id.rpartition("/")[2], text=text)
        for post_id, text in zip(dataset.post_ids, dataset.texts, strict=True)
    ]
    found = find_boilerplate(posts)
    return tuple(mask(post.text, found.spans(post.channel, post.text)) for post in posts)


def quoted(text: str) -> list[Span]:
    """Return what stands between quotation marks on one line, at most 600 characters of it, without the marks."""
    return [Span(*match.span(str(match.lastgroup))) for match in _QUOTED.finditer(text)]


def answers(scorer: Scorer, texts: Mapping[str, Sequence[str]]) -> dict[str, Answers]:
    """Let a model judge texts under every change: scores (base rate for a refused tag) and yes decisions."""
    rules = list(scorer.rules.values())
    base = np.array([rule.prevalence for rule in rules])
    least = np.array([np.inf if rule.threshold is None else rule.threshold for rule in rules])
    margin = np.array([rule.abstain_margin for rule in rules])
    found: dict[str, Answers] = {}
    for name, changed in texts.items():
        score = scorer.probabilities(changed)
        known = ~np.isnan(score)
        yes = known & (score >= least) & (np.abs(np.where(known, score, 0) - least) >= margin)
        found[name] = np.where(known, score, base), yes
    return found


def check(
    before: Outcomes, changed: Mapping[str, Answers], dataset: Dataset, texts: Mapping[str, Sequence[str]]
) -> dict[str, Check]:
    """Compare the answers on changed texts with those on the texts as they are; all are of the same posts."""
    resamples = Resamples(before.groups)
    whole = headline_draws(before, resamples)
    found = {}
    for name, (score, yes) in changed.items():
        differs = np.array([a != b for a, b in zip(texts[name], dataset.texts, strict=True)])
        after = headline_draws(replace(before, score=score, yes=yes), resamples)
        drops = {figure: _drop(whole[figure], after[figure]) for figure in DROPS}
        found[name] = Check(
            what=WHAT[name],
            n_changed=int(differs.sum()),
            n_decisions=int(differs.sum()) * len(before.tag_ids),
            n_lost=int((before.yes & ~yes)[differs].sum()),
            n_gained=int((~before.yes & yes)[differs].sum()),
            drops=drops if before.y_true.any() else {},
        )
    return found


def _drop(before: Floats, after: Floats) -> Drop:
    limits: Interval | None = interval(before - after)
    low, high = limits or (None, None)
    return Drop(float(before[0]), float(after[0]), float(before[0] - after[0]), low, high)


def _hashtags(text: str) -> list[Span]:
    return [Span(token.start, token.end) for token in tokenise(text) if text[token.start] in "#\uff03"]
