"""Boilerplate: the footers, banners and stock signatures that a channel puts around what it says.

A line, or the first or last sentence of a post, is recognised for a channel where it stands at that edge of
enough of the channel's posts (copies and near-copies counted once), and where it reads like boilerplate
(``boilerplate_shape.py``).  What is in doubt is content.  A person overrules in either direction
(``boilerplate_rulings.py``).

Boilerplate is spans over the clean text.  No text in the ledger changes because of it, so no revision is made and no
label becomes stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from annotations.boilerplate_edges import EDGES, Distinct, Edge, edge_lines, edge_sentence, lines_of, visible
from annotations.boilerplate_rulings import LONGEST_LINE, NO_RULINGS, Rulings
from annotations.boilerplate_shape import is_transparent, normal_form, reads_like_boilerplate
from annotations.progress import Progress, silent
from annotations.records import Post, Span

_REPORT_EVERY = 1_000
_EXAMPLES = 3
Place = Edge | Literal["anywhere"]
_Key = tuple[Place, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """When a line is boilerplate.

    It stands at the edge of at least ``min_posts`` different posts and of the share ``min_share`` of a channel's
    posts, and has at most ``max_length`` code points.  ``n_opening`` and ``n_closing`` lines are an edge.  A post
    of which more than ``max_part`` (of the characters that are no white space) would be boilerplate has none.
    Beyond ``most_candidates`` the rare ones are forgotten.
    """

    min_posts: int = 5
    min_share: float = 0.03
    max_length: int = 200
    max_part: float = 0.5
    n_opening: int = 2
    n_closing: int = 5
    most_candidates: int = 30_000

    def n_lines(self, edge: Edge) -> int:
        """Return how many lines an edge has."""
        return self.n_opening if edge == "opening" else self.n_closing


@dataclass(frozen=True, slots=True)
class Recognised:
    """A recognised line of a channel: as it was first written, at how many different posts, and some of them.

    ``share`` is of the channel's different posts.  ``why`` is ``repeated``, or ``ruling`` for a line that a person
    called boilerplate, which it is anywhere in a post.
    """

    channel: str
    place: Place
    text: str
    count: int
    share: float
    post_ids: tuple[str, ...]
    why: str

    def to_dict(self) -> dict[str, Any]:
        """Return the line as JSON-able values."""
        return {**asdict(self), "share": round(self.share, 4), "post_ids": list(self.post_ids)}


@dataclass(frozen=True, slots=True)
class Boilerplate:
    """What was recognised, a channel's most frequent lines first.

    ``n_posts`` holds the number of different posts by channel.
    """

    lines: tuple[Recognised, ...]
    n_posts: dict[str, int]
    rulings: Rulings = NO_RULINGS
    limits: Limits = field(default_factory=Limits)
    _known: frozenset[tuple[str, Place, str]] = frozenset()

    def spans(self, channel: str, text: str) -> tuple[Span, ...]:
        """Return the boilerplate of a clean text, in order: from each edge inwards, as far as it goes unbroken.

        Lines of hashtags or emoji alone stay, and do not break it.  Lines that a person called boilerplate may
        stand anywhere.
        """
        lines = lines_of(text)

        def accepts(edge: Edge, normal: str) -> bool:
            return self._is_known(channel, edge, normal)

        found = sorted(
            {span for edge in EDGES for span, _ in _from_edge(text, lines, edge, self.limits, accepts)}
            | {span for span, _ in _dropped(channel, text, lines, self.rulings)}
        )
        part = sum(visible(span.quote(text)) for span in found)
        return tuple(found) if part <= self.limits.max_part * visible(text) else ()

    def _is_known(self, channel: str, edge: Edge, normal: str) -> bool:
        if self.rulings.keeps(channel, normal):
            return False
        return (channel, edge, normal) in self._known or self.rulings.drops(channel, normal)


def _from_edge(
    text: str, lines: list[Span], edge: Edge, limits: Limits, accepts: Callable[[Edge, str], bool]
) -> Iterator[tuple[Span, str]]:
    """Yield the lines that are accepted, from an edge inwards, then the sentence where the first other one ends."""
    for line in edge_lines(lines, edge, limits.n_lines(edge)):
        quote = line.quote(text)
        if len(quote) <= limits.max_length:
            normal = normal_form(quote)
            if len(lines) > 1 and accepts(edge, normal):
                yield line, normal
                continue
            if is_transparent(normal):
                continue
        sentence = edge_sentence(text, line, edge, limits.max_length)
        if sentence is not None:
            normal = normal_form(sentence.quote(text))
            if accepts(edge, normal):
                yield sentence, normal
        return


def _dropped(channel: str, text: str, lines: list[Span], rulings: Rulings) -> Iterator[tuple[Span, str]]:
    """Yield the lines that a person called boilerplate."""
    if not rulings.dropped:
        return
    for line in lines:
        if line.end - line.start > LONGEST_LINE:
            continue
        normal = normal_form(line.quote(text))
        if rulings.drops(channel, normal):
            yield line, normal


def mask(text: str, spans: Iterable[Span]) -> str:
    """Return ``text`` with spaces in place of the spans; its length, its lines and all other offsets stay."""
    parts, last = [], 0
    for span in sorted(spans):
        hidden = "".join(char if char in "\r\n" else " " for char in span.quote(text))
        parts += [text[last : span.start], hidden]
        last = span.end
    return "".join([*parts, text[last:]])


def without(text: str, spans: Iterable[Span]) -> str:
    """Return ``text`` without the spans, and without the lines that nothing else stands on."""
    masked = mask(text, spans)
    if masked == text:
        return text
    pairs = zip(text.split("\n"), masked.split("\n"), strict=True)
    kept = [old if old == new else new.strip() for old, new in pairs if new.strip() or not old.strip()]
    return "\n".join(kept).strip()


def find_boilerplate(
    posts: Iterable[Post],
    rulings: Rulings = NO_RULINGS,
    limits: Limits | None = None,
    progress: Progress = silent,
) -> Boilerplate:
    """Recognise the boilerplate of every channel among the posts, in one pass.

    Memory does not grow with the number of posts but with that of different candidates, and rare ones are
    forgotten on the way (lossy counting, G. S. Manku and R. Motwani, 2002): where that happens, a line whose
    share is less than one and a half times ``min_share`` may be missed.

    Parameters
    ----------
    progress
        Called with (posts read, None).
    """
    limits = limits or Limits()
    counting = _Counting(limits, rulings)
    number = 0
    for number, post in enumerate(posts, start=1):
        counting.add(post)
        if number % _REPORT_EVERY == 0:
            progress(number, None)
    progress(number, None)
    return counting.result()


@dataclass(slots=True)
class _Tally:
    born: int
    text: str
    count: int = 0
    post_ids: list[str] = field(default_factory=list)


class _Counting:
    def __init__(self, limits: Limits, rulings: Rulings) -> None:
        self._limits = limits
        self._rulings = rulings
        self._distinct = Distinct()
        self._n_posts: dict[str, int] = {}
        self._tallies: dict[str, dict[_Key, _Tally]] = {}
        self._n_tallies = 0
        self._prune_at = limits.most_candidates

    def add(self, post: Post) -> None:
        lines = lines_of(post.text)
        if not lines or not self._distinct.is_new(post.channel, post.text, lines):
            return
        n_posts = self._n_posts[post.channel] = self._n_posts.get(post.channel, 0) + 1
        tallies = self._tallies.setdefault(post.channel, {})
        for key, quote in self._candidates(post, lines).items():
            if key not in tallies:
                tallies[key] = _Tally(n_posts - 1, quote)
                self._n_tallies += 1
            tally = tallies[key]
            tally.count += 1
            if len(tally.post_ids) < _EXAMPLES:
                tally.post_ids.append(post.post_id)
        if self._n_tallies > self._prune_at:
            self._prune()

    def _candidates(self, post: Post, lines: list[Span]) -> dict[_Key, str]:
        def accepts(_edge: Edge, normal: str) -> bool:
            return self._is_candidate(post.channel, normal)

        found: dict[_Key, str] = {}
        for edge in EDGES:
            for span, normal in _from_edge(post.text, lines, edge, self._limits, accepts):
                place: Place = "anywhere" if self._rulings.drops(post.channel, normal) else edge
                found[place, normal] = span.quote(post.text)
        for span, normal in _dropped(post.channel, post.text, lines, self._rulings):
            found["anywhere", normal] = span.quote(post.text)
        return found

    def _is_candidate(self, channel: str, normal: str) -> bool:
        if self._rulings.keeps(channel, normal):
            return False
        return self._rulings.drops(channel, normal) or reads_like_boilerplate(normal)

    def _prune(self) -> None:
        for channel, tallies in self._tallies.items():
            error = self._limits.min_share / 2
            n_posts = self._n_posts[channel]
            for key in [key for key, of in tallies.items() if of.count <= error * (n_posts - of.born)]:
                del tallies[key]
        self._n_tallies = sum(map(len, self._tallies.values()))
        self._prune_at = max(self._limits.most_candidates, 2 * self._n_tallies)

    def result(self) -> Boilerplate:
        lines: list[Recognised] = []
        known: set[tuple[str, Place, str]] = set()
        for channel, tallies in sorted(self._tallies.items()):
            n_posts = self._n_posts[channel]
            found = [(key, tally) for key, tally in tallies.items() if self._is_enough(channel, key, tally)]
            for (place, normal), tally in sorted(found, key=lambda each: (-each[1].count, each[0])):
                why = "ruling" if place == "anywhere" else "repeated"
                share = tally.count / n_posts
                ids = tuple(tally.post_ids)
                lines.append(Recognised(channel, place, tally.text, tally.count, share, ids, why))
                known.add((channel, place, normal))
        return Boilerplate(tuple(lines), self._n_posts, self._rulings, self._limits, frozenset(known))

    def _is_enough(self, channel: str, key: _Key, tally: _Tally) -> bool:
        if self._rulings.drops(channel, key[1]):
            return True
        enough = max(self._limits.min_posts, self._limits.min_share * self._n_posts[channel])
        return tally.count >= enough
