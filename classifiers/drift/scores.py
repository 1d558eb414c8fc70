"""Whether a tag's scores are distributed as in training, month by month.

The reference are the scores that training posts got from models that had not seen them (out of fold); training posts
are left out of the months, since the model knows them.  A second reference are all months before: where training posts
were chosen and not drawn, the first reference differs from the start, and the second shows when something changes.

The population stability index compares shares of ten bins (the tenths of both samples together, fewer where a sample
has less than 100 posts; half a post added to each); the first Wasserstein distance says how far scores moved, in
log-odds.  Whether the two samples differ by more than noise is asked by the chi-squared test of homogeneity over the
same bins (K. Pearson 1900); noise in the index is about ``1 / n + 1 / m`` times a chi-squared variable (B. Yurdakul,
"Statistical properties of population stability index", 2018).  Near-duplicates count once.  With many posts a
difference too small to matter is more than noise as well, so ``drifted`` asks for an index of 0.1 besides, the
customary mark (N. Siddiqi, "Credit Risk Scorecards", 2006).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from scipy.stats import chi2

from classifiers.bundle_documents import OutOfFold
from classifiers.trends.corpus import UNDATED, TaggedBatch
from classifiers.trends.intervals import false_discovery
from classifiers.trends.timelines import Period, period_name, period_starts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_EDGE, _WIDTH = 12.0, 0.05
_BINS = round(2 * _EDGE / _WIDTH)
_MIDDLES: Floats = -_EDGE + _WIDTH * (np.arange(_BINS, dtype=np.float64) + 0.5)
_TENTHS = 10
_LEAST_IN_BIN = 10
_LEAST_EXPECTED = 5
MARK = 0.1
"""From which index on a shift is worth a look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreShift:
    """A tag's scores in one period beside a reference.

    Attributes
    ----------
    reference
        ``training`` (out of fold) or ``earlier`` (all periods before).
    n_posts, n_reference
        Scores compared.
    mean, mean_reference
        Mean probabilities.
    psi, psi_noise
        The population stability index, and what noise alone stays below in 95 of 100 cases.
    distance
        The first Wasserstein distance, in log-odds.
    p
        Of the test, adjusted for all tags and periods of the same reference (Benjamini and Hochberg 1995).
    drifted
        ``p`` is below 0.05 and the index at least 0.1.
    """

    period: str
    tag: str
    reference: str
    n_posts: int
    n_reference: int
    mean: float
    mean_reference: float
    psi: float
    psi_noise: float
    distance: float
    p: float
    drifted: bool


class ScoreDrift:
    """Counts scores by period while the batches of a corpus pass by, in steps of 0.05 of the log-odds."""

    def __init__(self, tag_ids: Sequence[str], period: Period = "month") -> None:
        self._tag_ids, self._period = tuple(tag_ids), period
        self._counts: dict[int, Ints] = {}

    def add(self, batch: TaggedBatch, in_training: npt.NDArray[np.bool_]) -> None:
        """Count a batch; ``in_training`` says which of its posts the model was trained on."""
        starts = period_starts(batch.days, self._period)
        wanted = batch.is_first & ~in_training & (starts != UNDATED)
        for start in np.unique(starts[wanted]).tolist():
            scores = batch.scores[wanted & (starts == start)]
            counts = self._counts.setdefault(start, np.zeros((len(self._tag_ids), _BINS), dtype=np.int64))
            with np.errstate(divide="ignore"):
                counts += histograms(np.log(scores) - np.log1p(-scores))

    def shifts(self, out_of_fold: OutOfFold | None) -> list[ScoreShift]:
        """Compare every period with training, and with the periods before."""
        found: list[ScoreShift] = []
        if out_of_fold is not None:
            reference = np.zeros((len(self._tag_ids), _BINS), dtype=np.int64)
            at = {tag: column for column, tag in enumerate(self._tag_ids)}
            known = [(at[tag], k) for k, tag in enumerate(out_of_fold.tag_ids) if tag in at]
            reference[[column for column, _ in known]] = histograms(
                out_of_fold.log_odds[:, [k for _, k in known]]
            )
            found += _adjusted(
                shift
                for start, counts in sorted(self._counts.items())
                for shift in self._compared(start, counts, ("training", reference))
            )
        return found + _adjusted(self._with_earlier())

    def _with_earlier(self) -> Iterator[ScoreShift]:
        earlier: Ints = np.zeros((len(self._tag_ids), _BINS), dtype=np.int64)
        for start, counts in sorted(self._counts.items()):
            yield from self._compared(start, counts, ("earlier", earlier))
            earlier = earlier + counts

    def _compared(self, start: int, counts: Ints, named: tuple[str, Ints]) -> Iterator[ScoreShift]:
        name, reference = named
        for tag, here, there in zip(self._tag_ids, counts, reference, strict=True):
            n, m = int(here.sum()), int(there.sum())
            if not n or not m:
                continue
            psi, noise, p = _stability(here, there)
            yield ScoreShift(
                period=period_name(start, self._period),
                tag=tag,
                reference=name,
                n_posts=n,
                n_reference=m,
                mean=float(here @ expit(_MIDDLES) / n),
                mean_reference=float(there @ expit(_MIDDLES) / m),
                psi=psi,
                psi_noise=noise,
                distance=float(np.abs(np.cumsum(here / n - there / m)).sum() * _WIDTH),
                p=p,
                drifted=False,
            )


def histograms(log_odds: Floats) -> Ints:
    """Count log-odds of shape (n, n_tags) in bins: shape (n_tags, n_bins). NaN counts nowhere."""
    n_tags = log_odds.shape[1]
    known = ~np.isnan(log_odds)
    clipped = np.clip(np.where(known, log_odds, 0.0), -_EDGE, _EDGE)
    bins = np.minimum(((clipped + _EDGE) / _WIDTH).astype(np.int64), _BINS - 1)
    places = (bins + np.arange(n_tags) * _BINS)[known]
    return np.bincount(places, minlength=n_tags * _BINS).reshape(n_tags, _BINS).astype(np.int64)


def _stability(here: Ints, there: Ints) -> tuple[float, float, float]:
    """Return the index of two samples, the 95 % quantile of noise, and the p-value."""
    counts = np.add.reduceat(np.stack([here, there]), _bin_starts(here, there), axis=1).astype(np.float64)
    n, k = counts.sum(axis=1), counts.shape[1]
    shares = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    index = float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum())
    if k < 2:
        return index, 0.0, 1.0
    expected = n[:, None] * counts.sum(axis=0) / n.sum()
    statistic = ((counts - expected) ** 2 / expected).sum()
    noise = (1 / n).sum() * chi2.ppf(0.95, k - 1)
    return index, float(noise), float(chi2.sf(statistic, k - 1))


def _bin_starts(here: Ints, there: Ints) -> Ints:
    """Return where bins begin: tenths of both samples, fewer where the smaller would have less than ten in a bin."""
    both = here + there
    until = np.cumsum(both)
    smaller = min(here.sum(), there.sum())
    n_bins = int(np.clip(smaller // _LEAST_IN_BIN, 1, _TENTHS))
    ends = np.searchsorted(until / until[-1], np.arange(1, n_bins) / n_bins) + 1
    least = until[-1] * _LEAST_EXPECTED / smaller  # of both samples, for enough to be expected of the smaller
    starts = [0]
    for end in np.unique(ends[ends < _BINS]).tolist():
        begun = until[starts[-1] - 1] if starts[-1] else 0
        if until[end - 1] - begun >= least and until[-1] - until[end - 1] >= least:
            starts.append(end)
    return np.array(starts, dtype=np.int64)


def _adjusted(shifts: Iterator[ScoreShift]) -> list[ScoreShift]:
    found = list(shifts)
    adjusted = false_discovery([shift.p for shift in found]).tolist()
    return [
        replace(shift, p=p, drifted=p < 0.05 and shift.psi >= MARK)
        for shift, p in zip(found, adjusted, strict=True)
    ]
