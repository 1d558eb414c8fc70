"""The errors that Talking Points raises on purpose; each says what, where and the way out.

Every package derives its own errors from :class:`TalkingPointsError`, so that the command line and the
HTTP service can tell "the input is wrong" (shown to the user as it stands) from a defect (a traceback).
"""

from __future__ import annotations


class TalkingPointsError(Exception):
    """Base of all expected failures.

    Parameters
    ----------
    problem
        What is wrong, in a sentence.
    where
        The file, line, field, post or address it concerns; empty where the sentence says it.
    hint
        What the user can do about it.
    """

    def __init__(self, problem: str, *, where: str = "", hint: str = "") -> None:
        self.problem = problem
        self.where = where
        self.hint = hint
        super().__init__(problem)

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{text}\n  {self.hint}" if self.hint else text


class FileError(TalkingPointsError):
    """A file that is missing, unreadable, of an unknown format, or cannot be written."""


class CodebookError(TalkingPointsError):
    """A codebook that breaks its schema or contradicts itself."""


class LabelsError(TalkingPointsError):
    """A labels file with an unreadable line, an unknown tag or a span outside its text."""


class LedgerError(TalkingPointsError):
    """A ledger that cannot be opened, is locked, full, or of another version."""


class StudioError(TalkingPointsError):
    """Label Studio is missing, does not answer, refuses us, or holds what we did not expect."""
