"""Suggestions before there is a model: the codebook's cue phrases, each with the words that it found."""

from __future__ import annotations

from collections.abc import Mapping

from annotations.codebook import Codebook
from annotations.cues import cue_pattern
from annotations.records import Span

CUES = "cues-"
"""How the version of suggestions from cues begins."""

_MAX_SPANS = 5  # of one tag: a word that comes back in every line says no more the sixth time


class CueSuggester:
    """Suggests the tags of a codebook whose cues stand in a text.

    ``version`` changes with the codebook. A text without any cue gets no suggestion, which is not the same as
    the suggestion that no tag applies.
    """

    def __init__(self, codebook: Codebook) -> None:
        self.codebook = codebook
        self.version = f"{CUES}{codebook.digest[:8]}"
        self._patterns = {tag.id: cue_pattern(tag.cues) for tag in codebook.active_tags if tag.cues}

    def suggest(self, text: str) -> Mapping[str, tuple[Span, ...]]:
        """Return the tags found with their evidence: the first cues of each, in the order of the text."""
        found: dict[str, tuple[Span, ...]] = {}
        for tag_id, pattern in self._patterns.items():
            spans = [Span(*match.span()) for match in pattern.finditer(text) if match.end() > match.start()]
            if spans:
                found[tag_id] = tuple(spans[:_MAX_SPANS])
        return found
