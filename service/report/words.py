"""What a report says in plain words, for who has never seen the tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from classifiers.trends.change_points import Change
from service.report.content import UNKNOWN, Content
from service.report.methods import said
from service.report.numbers import overall

_TOP = 5
RELIABLE, TENTATIVE = 0.8, 0.667
"""From which alpha a tag counts as reliable, or allows tentative conclusions (Krippendorff 2004)."""


def summary(content: Content, numbers: Mapping[str, Any]) -> list[str]:
    """Return the sentences of the first page."""
    if not content.counts.n_posts:
        return []
    found = [_posts(content, numbers)]
    if content.annotations:
        found.append(_people(content, numbers))
    if content.model:
        figures = ""
        if "n_predicted" in numbers:
            figures = (
                f" It learnt {numbers['n_predicted']:,} tags from {said(numbers['n_training_posts'])} posts"
            )
            left = numbers["n_not_predicted"]
            figures += f", and leaves out {left:,} of which it has seen too few examples." if left else "."
        found.append(f"A model read all posts and said for each tag whether it applies.{figures}")
    return found


def headlines(content: Content) -> list[str]:
    """Return how often the most frequent tags are, with how sure that is."""
    lines = []
    for each in overall(content, valid=True)[:_TOP]:
        sure = f"95 % interval {percent(each.low)} to {percent(each.high)}"
        if each.low == each.high:
            sure = "people read them all"
        lines.append(f"{content.title(each.tag)}: {percent(each.share)} of the posts ({sure}).")
    if lines:
        return lines
    return [
        f"{content.title(each.tag)}: the model finds it in {percent(each.share)} of the posts (a count, not corrected)."
        for each in overall(content)[:_TOP]
    ]


def changes(content: Content) -> list[str]:
    """Return the surest changes."""
    found = sorted(content.trends.changes, key=lambda each: (each.p, each.date)) if content.trends else []
    return [_change(content, each) for each in found[:_TOP]]


def meaning(alpha: float | None) -> str:
    """Return what an alpha means, by the customary bounds."""
    if alpha is None:
        return "not defined"
    if alpha >= RELIABLE:
        return "reliable"
    return "tentative" if alpha >= TENTATIVE else "people differ"


def percent(value: float | None) -> str:
    """Return a share in percent, a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def _posts(content: Content, numbers: Mapping[str, Any]) -> str:
    n, channels = numbers["n_posts"], numbers["n_channels"]
    text = f"This report is about {n:,} {_s('post', n)} of {channels:,} {_s('channel', channels)}"
    if "first_day" in numbers:
        text += f", from {numbers['first_day']} to {numbers['last_day']}"
    undated = content.counts.by_month.get(UNKNOWN, 0)
    return text + (f"; {undated:,} of them have no date." if undated else ".")


def _people(content: Content, numbers: Mapping[str, Any]) -> str:
    n, people = numbers["n_labelled"], numbers["n_annotators"]
    text = (
        f"{people:,} {_s('person', people, 'people')} read {n:,} {_s('post', n)} and said which tags apply."
    )
    if "alpha" in numbers:
        alpha = numbers["alpha"]
        how = {
            "reliable": "they agree well enough to rely on their labels",
            "tentative": "they agree well enough for tentative conclusions",
            "people differ": "they differ so often that conclusions about single tags need care",
        }[meaning(alpha)]
        text += (
            f" Their agreement, Krippendorff's alpha, is {alpha:.2f} on average, where 1 is perfect and 0 is"
        )
        text += f" chance: {how}."
    elif content.agreement is None:
        text += " No post was read by two, so how far they agree is not known."
    return text


def _change(content: Content, of: Change) -> str:
    verb = "rises" if of.after > of.before else "falls"
    return f"{content.title(of.tag)} {verb} from {percent(of.before)} to {percent(of.after)} of the posts on {of.date}."


def _s(word: str, n: int, plural: str = "") -> str:
    return word if n == 1 else plural or f"{word}s"
