"""annotations.cues: a codebook's cues as a pattern."""

from __future__ import annotations

import pytest

from annotations.cues import cue_pattern


@pytest.mark.parametrize(
    ("cue", "text", "found"),
    [
        ("multipolar*", "A MULTIPOLARITY of powers", ["MULTIPOLARITY"]),
        ("multipolar", "multipolarity", []),
        ("arms control", "arms\n  control", ["arms\n  control"]),
        ("arms control", "harms control", []),
        ("многополярн*", "Многополярный мир", ["Многополярный"]),
        ("двойн* стандарт*", "о двойных стандартах", ["двойных стандартах"]),
        ("NATO's expansion", "NATO’s expansion", ["NATO’s expansion"]),
        ("a.b", "axb a.b", ["a.b"]),
        ("*", "anything", []),
    ],
)
def test_cues_are_whole_words_without_case(cue: str, text: str, found: list[str]) -> None:
    """A cue matches whole words in any case; a star stands for an ending, a space for any space."""
    assert cue_pattern([cue]).findall(text) == found


def test_longest_cue_wins() -> None:
    """Of two cues that begin alike the one that says more is found."""
    assert cue_pattern(["UN", "UN Charter"]).findall("the UN Charter, the UN") == ["UN Charter", "UN"]


def test_no_cues_find_nothing() -> None:
    """Without cues nothing is found, not even an empty match."""
    assert cue_pattern([]).search("any text") is None
