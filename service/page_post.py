"""A prediction as the page shows it: its tags, and the text cut where their passages begin and end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from annotations.codebook import Codebook
from classifiers.predictions import Decision
from service.schemas import EvidenceOut, PredictResponse, TagOut

_LINE_ENDS = re.compile(r"(\s*\n\s*)")

LANES = 4
"""How many underlines can lie below each other."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A tag that applies, or is left open; ``lane`` is where its underline lies, 0 next to the text.

    Tags whose passages overlap have different lanes, while there are any.
    """

    number: int
    tag: TagOut
    lane: int

    @property
    def is_given(self) -> bool:
        """Tell whether the decision is yes."""
        return self.tag.decision is Decision.YES


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the text with the findings whose passages cover it, the innermost last.

    ``ending`` are the numbers of those of which a passage ends here.
    """

    text: str
    findings: tuple[Finding, ...] = ()
    ending: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Result:
    """What the page shows of a prediction: tags that apply, those left open, those not predicted, and the text."""

    prediction: PredictResponse
    given: tuple[Finding, ...]
    open: tuple[Finding, ...]
    refused: tuple[TagOut, ...]
    families: tuple[tuple[str, tuple[TagOut, ...]], ...]
    segments: tuple[Segment, ...]

    @property
    def n_denied(self) -> int:
        """How many tags the model says no to."""
        return len(self.prediction.tags) - len(self.given) - len(self.open) - len(self.refused)


def result_of(text: str, prediction: PredictResponse, codebook: Codebook) -> Result:
    """Arrange a prediction for the page: tags that apply first, the surest on top."""
    tags = sorted(prediction.tags, key=lambda tag: -(tag.score or 0.0))
    shown = [tag for tag in tags if tag.decision is Decision.YES]
    n_given = len(shown)
    shown += [tag for tag in tags if tag.decision is Decision.ABSTAIN and tag.score is not None]
    lanes = _lanes(shown)
    findings = tuple(Finding(number, tag, lanes[number - 1]) for number, tag in enumerate(shown, 1))
    families = (
        (family.title, tuple(tag for tag in prediction.tags if tag.family == family.id))
        for family in codebook.families
    )
    return Result(
        prediction=prediction,
        given=findings[:n_given],
        open=findings[n_given:],
        refused=tuple(tag for tag in prediction.tags if tag.score is None),
        families=tuple((title, members) for title, members in families if members),
        segments=tuple(segments(text, findings)),
    )


def segments(text: str, findings: Sequence[Finding]) -> list[Segment]:
    """Cut ``text`` where evidence begins or ends; joined again, the segments are the text.

    Blanks at the ends of a passage, and between its lines, are not part of it here: nothing is to be seen in them.
    """
    spans = [(*_trimmed(text, item), finding) for finding in findings for item in finding.tag.evidence]
    spans = [span for span in spans if span[0] < span[1]]
    cuts = sorted({0, len(text), *(start for start, _, _ in spans), *(end for _, end, _ in spans)})
    found: list[Segment] = []
    for start, end in pairwise(cuts):
        here = {f.number: f for first, last, f in spans if first <= start and end <= last}
        ending = frozenset(f.number for _, last, f in spans if last == end and f.number in here)
        covering = sorted(here.values(), key=lambda finding: (-finding.lane, -finding.number))
        found += _by_line(Segment(text[start:end], tuple(covering), ending))
    return found


def _trimmed(text: str, item: EvidenceOut) -> tuple[int, int]:
    quote = text[item.start : item.end]
    return item.end - len(quote.lstrip()), item.start + len(quote.rstrip())


def _by_line(segment: Segment) -> Iterator[Segment]:
    """Yield a segment in pieces of one line each, with the blanks between them unmarked."""
    if not segment.findings:
        yield segment
        return
    pieces = [piece for piece in _LINE_ENDS.split(segment.text) if piece]
    for number, piece in enumerate(pieces, 1):
        if piece.isspace() and "\n" in piece:
            yield Segment(piece)
        else:
            ending = segment.ending if number == len(pieces) else frozenset[int]()
            yield Segment(piece, segment.findings, ending)


def _lanes(tags: Sequence[TagOut]) -> list[int]:
    """Return a lane for each tag: the first that no overlapping tag before it has."""
    lanes: list[int] = []
    for tag in tags:
        taken = {lane for other, lane in zip(tags, lanes, strict=False) if _overlap(tag, other)}
        free = [lane for lane in range(LANES) if lane not in taken]
        lanes.append(free[0] if free else LANES - 1)
    return lanes


def _overlap(tag: TagOut, other: TagOut) -> bool:
    return any(one.start < two.end and two.start < one.end for one in tag.evidence for two in other.evidence)
