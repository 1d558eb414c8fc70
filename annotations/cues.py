"""Finding a codebook's cues in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable


def cue_pattern(cues: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds any of the cues as whole words, without regard to case.

    ``*`` in a cue stands for any ending of a word, a space for any run of spaces.  Without cues the pattern
    finds nothing.
    """
    # Longest first: of two cues that begin alike, the one that says more is found.
    phrases = sorted({_phrase(cue) for cue in cues if cue.strip(" *")}, key=lambda p: (-len(p), p))
    if not phrases:
        return re.compile(r"(?!)")
    return re.compile(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)", re.IGNORECASE)


def _phrase(cue: str) -> str:
    words = (re.escape(word).replace(r"\*", r"\w*").replace("'", "['’]") for word in cue.split())
    return r"\s+".join(words)
