"""Tests of service.page_post: how a prediction is arranged for the page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from classifiers.predictions import Decision
from service.page_post import LANES, Finding, result_of, segments
from service.schemas import EvidenceOut, PredictResponse, TagOut
from service.testing import small_codebook

TEXTS = st.text(st.sampled_from("ab \n\tМ🌍\u0301") | st.characters(), min_size=1, max_size=30)
ENDS = st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=3), max_size=6)


def _tag(
    *spans: tuple[int, int], tag_id: str = "t", score: float | None = 0.9, decision: Decision = Decision.YES
) -> TagOut:
    return TagOut(
        id=tag_id,
        title=tag_id,
        family="claims",
        score=score,
        threshold=None if score is None else 0.5,
        decision=decision,
        reason="too few" if score is None else None,
        evidence=[EvidenceOut(start=start, end=end, text="", weight=1.0) for start, end in spans],
    )


def _findings(*tags: TagOut) -> list[Finding]:
    return [Finding(number, tag, number - 1) for number, tag in enumerate(tags, 1)]


def _response(*tags: TagOut) -> PredictResponse:
    return PredictResponse(id=None, lang="en", model_version="m", codebook_version="1", tags=list(tags))


def test_overlapping_evidence_is_cut_where_tags_change() -> None:
    """Each piece has one set of tags, the innermost last, and knows which passages end with it."""
    found = segments("abcdefgh", _findings(_tag((1, 5)), _tag((3, 7))))
    assert [
        (each.text, [finding.number for finding in each.findings], set(each.ending)) for each in found
    ] == [
        ("a", [], set()),
        ("bc", [1], set()),
        ("de", [2, 1], {1}),
        ("fg", [2], {2}),
        ("h", [], set()),
    ]


def test_blanks_between_lines_are_not_marked() -> None:
    """A passage over two paragraphs is marked in both, and not in the blank line."""
    found = segments(" one\n \ntwo ", _findings(_tag((0, 11))))
    assert [(each.text, len(each.findings), set(each.ending)) for each in found] == [
        (" ", 0, set()), ("one", 1, set()), ("\n \n", 0, set()), ("two", 1, {1}), (" ", 0, set()),
    ]  # fmt: skip


@given(text=TEXTS, ends=ENDS)
def test_segments_join_to_the_text(text: str, ends: list[list[tuple[int, int]]]) -> None:
    """Whatever the evidence, nothing of the text is lost or doubled, and all that is seen of a span is covered."""
    tags = [
        _tag(*((min(a, b), max(a, b)) for a, b in spans if min(a, b) < max(a, b) <= len(text)))
        for spans in ends
    ]
    found = result_of(text, _response(*tags), small_codebook()).segments
    assert "".join(segment.text for segment in found) == text
    for number, tag in enumerate(tags, 1):
        covered = {i for item in tag.evidence for i in range(item.start, item.end) if not text[i].isspace()}
        with_it = [segment for segment in found if number in {each.number for each in segment.findings}]
        assert sum(len("".join(segment.text.split())) for segment in with_it) == len(covered)
        ends = {item.start + len(text[item.start : item.end].rstrip()) for item in tag.evidence
                if text[item.start : item.end].strip()}  # fmt: skip
        assert sum(number in segment.ending for segment in found) == len(ends)


@given(ends=ENDS)
def test_underlines_of_overlapping_tags_lie_apart(ends: list[list[tuple[int, int]]]) -> None:
    """As long as there are lanes, no two tags over the same words share one."""
    tags = [_tag(*((min(a, b), max(a, b)) for a, b in spans if a != b)) for spans in ends]
    result = result_of("x" * 30, _response(*tags), small_codebook())
    for segment in result.segments:
        lanes = [finding.lane for finding in segment.findings]
        assert lanes == sorted(lanes, reverse=True)
        if len(tags) <= LANES:
            assert len(set(lanes)) == len(lanes)


def test_tags_are_shown_by_decision_and_score() -> None:
    """Those that apply come first, the surest on top; then those left open; the rest is counted or explained."""
    result = result_of(
        "text",
        _response(
            _tag(tag_id="a", score=0.6),
            _tag(tag_id="b", score=0.8),
            _tag(tag_id="c", score=0.45, decision=Decision.ABSTAIN),
            _tag(tag_id="d", score=0.1, decision=Decision.NO),
            _tag(tag_id="e", score=None, decision=Decision.ABSTAIN),
        ),
        small_codebook(),
    )
    assert [(finding.number, finding.tag.id) for finding in result.given] == [(1, "b"), (2, "a")]
    assert [(finding.number, finding.tag.id) for finding in result.open] == [(3, "c")]
    assert [tag.id for tag in result.refused] == ["e"]
    assert result.n_denied == 1
    assert [(title, len(tags)) for title, tags in result.families] == [("Claims", 5)]
