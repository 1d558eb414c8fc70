"""Labels that are probably wrong: those that models which never saw the post contradict.

References
----------
C. G. Northcutt, L. Jiang, I. L. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal of
Artificial Intelligence Research 70 (2021), section 3.1: a label is suspect where the other answer is as probable as
it is, on average, for the posts that bear that answer.  They are ordered by the probability of the label itself:
of planted errors that puts more in the first places than the distance to that average does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotations.adjudication import Question, Side
from annotations.codebook import Codebook
from annotations.progress import Progress, silent
from annotations.records import Annotation, Span, text_digest
from classifiers.dataset import Dataset
from classifiers.scorer import Scorer
from classifiers.splits import folds
from classifiers.training import TrainingOptions, train
from classifiers.validation import N_FOLDS

Floats = npt.NDArray[np.float64]
MODEL = "model"
"""The name of the model's side in a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A label that is probably wrong.

    Attributes
    ----------
    row
        The post's place in the dataset.
    tag, given
        The tag, and whether the annotators' majority gave it.
    score
        How probable the tag is by models that saw neither the post nor a near-duplicate of it.
    usual
        The mean score of the posts for which annotators say the opposite.
    passages
        What speaks for the tag, by those models; empty where the tag was given and nothing does.
    """

    row: int
    post_id: str
    revision: str
    text: str
    tag: str
    given: bool
    score: float
    usual: float
    passages: tuple[Span, ...]

    @property
    def doubt(self) -> float:
        """How improbable the annotators' answer is, 0 to 1."""
        return 1 - self.score if self.given else self.score

    @property
    def reason(self) -> str:
        """A sentence for a person."""
        if self.given:
            return (
                f"{self.tag} was given; from other posts it is {self.score:.0%} probable, and posts without it have "
                f"{self.usual:.0%} on average"
            )
        quotes = "; ".join(f"“{span.quote(self.text)}”" for span in self.passages)
        why = f" because of {quotes}" if quotes else ""
        return (
            f"{self.tag} was not given; from other posts it is {self.score:.0%} probable{why}, and posts with it have "
            f"{self.usual:.0%} on average"
        )


def suspects(
    dataset: Dataset, codebook: Codebook, options: TrainingOptions | None = None, progress: Progress = silent
) -> list[Suspect]:
    """Return the suspect labels of a dataset, the surest first.

    Ties between annotators are left out: those are open questions already.

    Parameters
    ----------
    progress
        Called with (models trained, models to train).

    Raises
    ------
    DatasetError
        The posts cannot be split.
    """
    options = options or TrainingOptions()
    fold = folds(dataset, N_FOLDS, options.seed)
    scores = np.full(dataset.shares.shape, np.nan)
    scorer_of: dict[int, Scorer] = {}
    numbers = np.unique(fold)
    for done, number in enumerate(numbers):
        progress(done, len(numbers))
        held_out = np.flatnonzero(fold == number)
        trained = train(dataset.subset(np.flatnonzero(fold != number)), codebook, options)
        scorer_of[int(number)] = scorer = Scorer(trained.model, "out-of-fold")
        columns = np.array([dataset.tag_ids.index(tag) for tag in scorer.rules], dtype=np.int64)
        scores[np.ix_(held_out, columns)] = scorer.probabilities([dataset.texts[row] for row in held_out])
    progress(len(numbers), len(numbers))
    found = [
        _suspect(dataset, scores, scorer_of[int(fold[row])], (row, column))
        for row, column in suspect_labels(dataset.shares, scores)
    ]
    return sorted(found, key=lambda each: (-each.doubt, each.post_id, each.tag))


def suspect_labels(shares: Floats, scores: Floats) -> list[tuple[int, int]]:
    """Return (row, column) of the labels that scores contradict; both arrays are (n_posts, n_tags), NaN is no score."""
    found: list[tuple[int, int]] = []
    for column in range(shares.shape[1]):
        score, share = scores[:, column], shares[:, column]
        yes, no = (share > 0.5) & ~np.isnan(score), (share < 0.5) & ~np.isnan(score)
        if not yes.any() or not no.any():
            continue
        usual_yes, usual_no = score[yes].mean(), score[no].mean()
        if usual_yes <= usual_no:  # the tag cannot be told: nothing is learnt from its scores
            continue
        wrong = (no & (score >= usual_yes)) | (yes & (score <= usual_no))
        found += [(int(row), column) for row in np.flatnonzero(wrong)]
    return found


def questions(found: list[Suspect], annotations: list[Annotation]) -> list[Question]:
    """Return suspects as questions for adjudication, one a post: its annotators' sides and the model's."""
    readers: dict[tuple[str, str], dict[str, Annotation]] = {}
    for each in annotations:
        if not each.skipped:
            readers.setdefault((each.post_id, each.revision or text_digest(each.text)), {})[
                each.annotator
            ] = each
    by_post: dict[tuple[str, str], list[Suspect]] = {}
    for suspect in found:
        by_post.setdefault((suspect.post_id, suspect.revision), []).append(suspect)
    return [_question(here, list(readers[key].values())) for key, here in by_post.items() if key in readers]


def _question(here: list[Suspect], readers: list[Annotation]) -> Question:
    sides = [Side(name=each.annotator, tags=each.tags, comment=each.comment) for each in readers]
    suspected = {suspect.tag for suspect in here}
    agreed = [tag for tag in readers[0].tags if all(tag in each.tags for each in readers)]
    says = {tag: readers[0].tags[tag] for tag in agreed if tag not in suspected}
    says |= {suspect.tag: suspect.passages for suspect in here if not suspect.given}
    sides.append(Side(name=MODEL, tags=says))
    return Question(
        post=readers[0],
        sides=tuple(sides),
        disputed=tuple(suspect.tag for suspect in here),
        distance=max(suspect.doubt for suspect in here),
        reason="Please check: " + ". ".join(suspect.reason for suspect in here),
    )


def _suspect(dataset: Dataset, scores: Floats, scorer: Scorer, place: tuple[int, int]) -> Suspect:
    row, column = place
    tag, given = dataset.tag_ids[column], bool(dataset.shares[row, column] > 0.5)
    score = scores[:, column]
    others = (dataset.shares[:, column] < 0.5 if given else dataset.shares[:, column] > 0.5) & ~np.isnan(
        score
    )
    text = dataset.texts[row]
    passages = () if given else scorer.passages(text, [tag]).get(tag, ())
    return Suspect(
        row=row,
        post_id=dataset.post_ids[row],
        revision=dataset.revisions[row],
        text=text,
        tag=tag,
        given=given,
        score=float(score[row]),
        usual=float(score[others].mean()),
        passages=tuple(Span(each.start, each.end) for each in passages if each.end > each.start),
    )
