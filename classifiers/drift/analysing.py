"""All that may have drifted away from the training of a model, in one pass over a tagged corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from annotations.agreement import Bootstrap
from annotations.ledger.store import Ledger
from annotations.progress import Progress, silent
from annotations.records import Annotation
from classifiers.drift.agreeing import AgreementPoint, agreement_by_period
from classifiers.drift.candidates import PhraseOptions, candidates, first_day
from classifiers.drift.phrases import RisingPhrase, RisingPhrases
from classifiers.drift.scores import ScoreDrift, ScoreShift
from classifiers.drift.training import Training
from classifiers.drift.vocabulary import VocabularyDrift, WordShift
from classifiers.scorer import Scorer
from classifiers.trends.corpus import TaggedBatch, TaggedCorpus
from classifiers.trends.passages import EvidenceByTag, evidence_of
from classifiers.trends.timelines import Period
from classifiers.wording import Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftOptions:
    """The period of the lines, what a rising phrase is, and the seed of what is drawn."""

    period: Period = "month"
    phrases: PhraseOptions = field(default_factory=PhraseOptions)
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What has drifted.

    ``n_training`` posts of the corpus are training posts; ``since`` is the first day of the late posts, None where no
    post has a date; ``notes`` say what could not be compared, and why.
    """

    model_version: str
    n_posts: int
    n_training: int
    since: str | None
    scores: tuple[ScoreShift, ...]
    vocabulary: tuple[WordShift, ...]
    phrases: tuple[RisingPhrase, ...]
    agreement: tuple[AgreementPoint, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftInput:
    """What is compared.

    Attributes
    ----------
    ledger, corpus
        The posts, and the same with their tags.
    training
        The training of the model that gave the tags.
    scorer
        That model, for the evidence of late posts and the codebook's cues; None where it is not at hand.
    annotations
        For agreement over time.
    """

    ledger: Ledger
    corpus: TaggedCorpus
    training: Training
    scorer: Scorer | None = None
    annotations: Sequence[Annotation] = ()


class _Pass:
    """What is counted while the batches of a corpus pass by."""

    def __init__(self, given: DriftInput, options: DriftOptions) -> None:
        training, tag_ids, ledger = given.training, given.corpus.tag_ids, given.ledger
        self._training, self._tag_ids = training, tag_ids
        self._wording = Wording(training.languages)
        self.scores = ScoreDrift(tag_ids, options.period)
        self.words = VocabularyDrift(training, options.period, options.seed)
        self.since = first_day(ledger, options.phrases.since)
        self.phrases: RisingPhrases | None = None
        if self.since is not None:
            chosen = candidates(ledger, self.since, self._wording, options.phrases)
            self.phrases = RisingPhrases(chosen, options.phrases)
            self._first_late = chosen.day
        self.n_posts = self.n_training = 0

    def add(self, batch: TaggedBatch, scorer: Scorer | None) -> None:
        """Count a batch."""
        in_training = self._training.has(batch)
        texts = [stored.post.text for stored in batch.posts]
        words = self._wording.words(texts, batch.languages)
        self.scores.add(batch, in_training)
        self.words.add(batch, words, in_training)
        if self.phrases is not None:
            evidence: dict[int, EvidenceByTag] | None = None
            if scorer is not None:
                evidence = evidence_of(scorer, self._tag_ids, batch, batch.days >= self._first_late)
            self.phrases.add(batch, words, evidence)
        self.n_posts += len(batch)
        self.n_training += int(in_training.sum())


def drift(given: DriftInput, options: DriftOptions | None = None, progress: Progress = silent) -> Drift:
    """Compare a corpus with the training of its model.

    Parameters
    ----------
    progress
        Called with (posts done, None).
    """
    options = options or DriftOptions()
    counted = _Pass(given, options)
    for batch in given.corpus.batches():
        counted.add(batch, given.scorer)
        progress(counted.n_posts, None)
    out_of_fold, codebook = given.training.out_of_fold, given.scorer.codebook if given.scorer else None
    notes = []
    if out_of_fold is None:
        notes.append(
            "the model's bundle has no out-of-fold scores: scores are compared with earlier periods only"
        )
    elif not counted.n_training:
        notes.append("no training post is in the corpus: words cannot be compared with those of training")
    if counted.phrases is None:
        notes.append("no post has a date: there is nothing that could rise")
    if given.scorer is None:
        notes.append("the model is not at hand: a phrase counts as explained where its post bears any tag")
    tag_ids = given.corpus.tag_ids
    return Drift(
        model_version=given.corpus.model_version,
        n_posts=counted.n_posts,
        n_training=counted.n_training,
        since=counted.since.isoformat() if counted.since else None,
        scores=tuple(counted.scores.shifts(out_of_fold)),
        vocabulary=tuple(counted.words.shifts()),
        phrases=tuple(counted.phrases.found(codebook)) if counted.phrases else (),
        agreement=tuple(
            agreement_by_period(given.annotations, tag_ids, options.period, Bootstrap(seed=options.seed))
        ),
        notes=tuple(notes),
    )
