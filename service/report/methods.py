"""The methods paragraph of a paper, with its numbers filled in: a sentence for each part that there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_POSTS = "We analysed {n_posts} posts of {n_channels} channels"
_POSTS_OF_ONE = "We analysed {n_posts} posts of one channel"
_DATES = " dated from {first_day} to {last_day}"
_COPIES = (
    "; copies of another post: {n_duplicates}; near-duplicates: {n_near_duplicates}, in clusters: {n_clusters} "
    "(MinHash; Broder 1997)."
)
_CODEBOOK = "The codebook (version {codebook_version}) has {n_tags} tags."
_LABELS = "{n_annotators} annotators made {n_annotations} annotations of {n_labelled} posts."
_AGREEMENT = (
    "On the {n_read_twice} posts that at least two of them read, Krippendorff's alpha is {alpha} on average over the "
    "tags (95 % bootstrap interval {alpha_low} to {alpha_high}; Krippendorff 2004)"
)
_MASI = (
    ", and {masi_alpha} ({masi_alpha_low} to {masi_alpha_high}) over whole sets of tags with the MASI distance "
    "(Passonneau 2006)"
)
_MODEL = (
    "All posts were tagged by a calibrated linear classifier (Talking Points {program_version}, model {model_version}) "
    "trained on {n_training_posts} posts. Its mean average precision out of fold is {mean_average_precision}, its "
    "calibration error {calibration_error}; {n_predicted} tags are predicted, {n_not_predicted} had too few examples."
)
_VALID = (
    "Shares of posts were estimated by combining the classifier's scores of all {n_posts} posts with the annotations "
    "of {n_random} posts drawn at random (model-assisted estimation, Särndal et al. 1992; prediction-powered "
    "inference, Angelopoulos et al. 2023, cross-fitted, Zrnic and Candès 2024), with 95 % intervals by Wilson (1927) "
    "at the effective number of labels (Kish 1965) and a finite-population correction (Cochran 1977). The shares of "
    "{n_valid_shares} tags so estimated are between {least_share} % and {most_share} %, with intervals {median_width} "
    "points wide in the median."
)
_COUNTED = (
    "Shares of posts are counts of the classifier's decisions: no post drawn at random was annotated, so they are not "
    "corrected for its errors and have no valid interval."
)
_TRENDS = (
    "Changes over time were sought by binary and circular binary segmentation of the decisions by day, tested by "
    "permutation and adjusted for the number of tags (Scott and Knott 1974; Olshen et al. 2004; Worsley 1983; Antoch "
    "and Hušková 2001); changes found: {n_changes}. Pairs of tags that come together more or less often than by chance "
    "(Fisher's exact test, false discovery rate 5 %; Benjamini and Hochberg 1995): {n_pairs}."
)
_DRIFT = (
    "Drift of the scores was measured by the population stability index (Siddiqi 2006): tags with drift beside "
    "earlier months: {n_drifted}. Rising phrases that no tag explains (Monroe et al. 2008): {n_rising}."
)


def methods(numbers: Mapping[str, Any]) -> str:
    """Return the paragraph; a sentence of which a number is not known is left out."""
    posts = _POSTS_OF_ONE if numbers.get("n_channels") == 1 else _POSTS
    head = _filled(posts, numbers) + _filled(_DATES, numbers) + _filled(_COPIES, numbers)
    agreement = _filled(_AGREEMENT, numbers)
    if agreement:
        agreement += _filled(_MASI, numbers) + "."
    shares = ""
    if "n_random" in numbers:
        shares = _filled(_VALID, numbers) if numbers["n_random"] else _COUNTED
    parts = (
        head,
        _filled(_CODEBOOK, numbers),
        _filled(_LABELS, numbers),
        agreement,
        _filled(_MODEL, numbers),
        shares,
        _filled(_TRENDS, numbers),
        _filled(_DRIFT, numbers),
    )
    return " ".join(filter(None, parts))


def said(value: Any) -> str:
    """Return a number as it stands in a text."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def _filled(sentence: str, numbers: Mapping[str, Any]) -> str:
    try:
        return sentence.format_map({name: said(value) for name, value in numbers.items()})
    except KeyError:
        return ""
