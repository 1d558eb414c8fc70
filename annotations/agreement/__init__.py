"""How far annotators agree: tag by tag, over whole posts, on evidence, and annotator by annotator.

``readings.py`` is what is compared, ``coefficients.py``, ``sets.py`` and ``spans.py`` are the measures,
``resampling.py`` gives each its interval, ``figures.py`` holds the results, ``measuring.py`` puts them together.
"""

from __future__ import annotations

from annotations.agreement.figures import (
    AgreementReport,
    AnnotatorFigures,
    Estimate,
    EvidenceFigures,
    GroupAgreement,
    PairAgreement,
    TagAgreement,
)
from annotations.agreement.measuring import agreement, measure
from annotations.agreement.readings import Reading, readings_of
from annotations.agreement.resampling import Bootstrap

__all__ = [
    "AgreementReport",
    "AnnotatorFigures",
    "Bootstrap",
    "Estimate",
    "EvidenceFigures",
    "GroupAgreement",
    "PairAgreement",
    "Reading",
    "TagAgreement",
    "agreement",
    "measure",
    "readings_of",
]
