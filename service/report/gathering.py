"""From a workspace to what a report tells: each part by the analysis that has it, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from scipy.special import expit

from annotations.agreement import measure, readings_of
from annotations.codebook import Codebook
from annotations.errors import TalkingPointsError
from annotations.ledger.posts import post_counts
from annotations.ledger.samples import first_annotated, stored_samples
from annotations.ledger.store import Ledger
from annotations.progress import Progress
from annotations.records import Annotation, text_digest
from classifiers.bundle_documents import read_out_of_fold
from classifiers.bundle_reading import read_manifest
from classifiers.curves import Unseen, decided
from classifiers.dataset import Dataset, is_usable
from classifiers.diagnostics import diagnose
from classifiers.drift import DriftInput, Training, drift
from classifiers.prevalence.estimating import Request, estimate
from classifiers.scorer import Scorer
from classifiers.trends import TaggedCorpus, TrendOptions, trends
from service.report.content import Content, ModelPart
from service.report.counting import Counted, UntaggedPosts
from service.report.examples import from_labels, from_model
from service.shares import Labelling, corrected

Stage = Callable[[str], AbstractContextManager[Progress]]
"""Called with the name of a piece of work; yields the progress callback for it."""

NO_POSTS = "There are no posts yet. Import some: talkingpoints import FILES."
NO_MODEL = (
    "There is no model yet, so nothing is tagged. Annotate posts, fetch the annotations with talkingpoints pull, and "
    "train one: talkingpoints train."
)
NO_LABELS = (
    "Nobody's annotations are here yet. Push posts to Label Studio (talkingpoints push), annotate them, and fetch the "
    "annotations (talkingpoints pull); or name a file with --labels."
)
NO_PAIRS = "No post was read by two people, so it cannot be said how far people agree. Let two annotate the same posts."
NO_TRAINING = "The labels that the model was trained on are not at hand: name them with --labels."
NO_BUNDLE = (
    "The model that gave the tags is not in the workspace. Train or activate it, or leave out --tags-table."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a report is made from.

    ``corpus`` is None where there is neither a model nor a table of tags; ``documents`` are files that lie beside the
    tables as they are, by name; ``with_evidence`` is off to leave out passages, which take longest.
    """

    ledger: Ledger
    codebook: Codebook
    corpus: TaggedCorpus | None = None
    scorer: Scorer | None = None
    bundle: Path | None = None
    annotations: Sequence[Annotation] = ()
    drawn: bool = False
    with_evidence: bool = True
    documents: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def gather(sources: Sources, stage: Stage) -> Content:
    """Bring together everything that a report tells."""
    codebook = sources.scorer.codebook if sources.scorer else sources.codebook
    counted = Counted(sources.corpus or UntaggedPosts(sources.ledger))
    with stage("Reading posts") as progress:
        scorer = sources.scorer if sources.with_evidence else None
        if sources.corpus is None:
            found = None
            for batch in counted.batches():
                progress(len(batch), None)
        else:
            found = trends(counted, scorer, TrendOptions(), progress)
    content = Content(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        program=_program(),
        codebook=codebook,
        ledger=post_counts(sources.ledger),
        counts=counted.counts(),
        annotations=tuple(sources.annotations),
        trends=found if found and found.n_posts else None,
        documents=sources.documents,
    )
    missing = dict(sources.missing)
    if not content.counts.n_posts:
        missing |= dict.fromkeys(("dataset", "model", "shares", "trends", "drift"), NO_POSTS)
    parts = (_agreement, _model, _shares, _drift, _diagnostics, _examples)
    for part in parts:
        content = part(content, _Work(sources, counted, stage, missing))
    if content.trends is None:
        missing.setdefault("trends", NO_MODEL)
    return replace(content, missing=missing)


@dataclass(frozen=True, slots=True)
class _Work:
    sources: Sources
    counted: Counted
    stage: Stage
    missing: dict[str, str]


def _agreement(content: Content, work: _Work) -> Content:
    if not any(map(is_usable, content.annotations)):
        work.missing.setdefault("agreement", NO_LABELS)
        return content
    with work.stage("Measuring agreement"):
        found = measure(readings_of(content.annotations), content.codebook.tag_ids)
    if not found.overall.n_posts:
        work.missing["agreement"] = NO_PAIRS
        return content
    return replace(content, agreement=found)


def _model(content: Content, work: _Work) -> Content:
    sources = work.sources
    if sources.corpus is None:
        work.missing.setdefault("model", NO_MODEL)
        return content
    if sources.bundle is None or sources.scorer is None:
        work.missing["model"] = NO_BUNDLE
        return replace(content, model=ModelPart(sources.corpus.model_version))
    rules = tuple(sources.scorer.rules.values())
    manifest = read_manifest(sources.bundle)
    unseen = _unseen(sources.bundle, sources.scorer, content.annotations)
    if unseen is None:
        work.missing["reliability"] = NO_TRAINING
    return replace(content, model=ModelPart(manifest.version, manifest, rules, unseen))


def _unseen(bundle: Path, scorer: Scorer, annotations: Sequence[Annotation]) -> Unseen | None:
    """Return the training posts that are among the labelled ones, each scored by a model that had not seen it."""
    known = read_out_of_fold(bundle)
    usable = [each for each in annotations if is_usable(each)]
    if known is None or not usable:
        return None
    dataset = Dataset.from_annotations(usable, scorer.codebook, mixed_codebooks=True)
    digests = [text_digest(text) for text in dataset.texts]
    here = [row for row, digest in enumerate(digests) if digest in known.row_of]
    rules = tuple(scorer.rules[tag] for tag in known.tag_ids if tag in dataset.tag_ids)
    if not here or not rules:
        return None
    columns = [known.tag_ids.index(rule.tag_id) for rule in rules]
    score = expit(known.log_odds[np.ix_([known.row_of[digests[row]] for row in here], columns)])
    truth = dataset.gold[np.ix_(here, [dataset.tag_ids.index(rule.tag_id) for rule in rules])]
    return Unseen(rules, truth, score, decided(rules, score))


def _shares(content: Content, work: _Work) -> Content:
    sources = work.sources
    if sources.corpus is None or not content.counts.n_posts:
        work.missing.setdefault("shares", NO_MODEL)
        return content
    known = Labelling(
        annotations=content.annotations,
        codebook=content.codebook,
        samples=stored_samples(sources.ledger),
        first_annotated=first_annotated(sources.ledger),
        drawn=sources.drawn,
    )
    with work.stage("Estimating shares"):
        try:
            tagged, verdicts, warnings = corrected(work.counted.tagged(), known, sources.bundle)
            found = estimate(tagged, verdicts, Request(by="month", want_width=0.1))
        except TalkingPointsError as error:
            work.missing["shares"] = str(error)
            return content
    if not found.n_random:
        work.missing["random"] = _no_random(content)
    return replace(content, shares=replace(found, warnings=(*found.warnings, *warnings)))


def _no_random(content: Content) -> str:
    of_all = f"{content.counts.n_posts:,} posts"
    return (
        f"No post that people read was drawn at random from the {of_all}, so nothing says how the model errs on those "
        "that nobody read. The shares below are counts of its decisions, without an interval. Draw a sample with "
        "talkingpoints sample --size 200 --uncertain 0 --diverse 0, have it annotated, and make the report again."
    )


def _drift(content: Content, work: _Work) -> Content:
    sources = work.sources
    if sources.corpus is None or sources.bundle is None or not content.counts.n_posts:
        work.missing.setdefault("drift", NO_MODEL if sources.corpus is None else NO_BUNDLE)
        return content
    with work.stage("Looking for drift") as progress:
        given = DriftInput(
            ledger=sources.ledger,
            corpus=sources.corpus,
            training=Training.of(sources.bundle),
            scorer=sources.scorer if sources.with_evidence else None,
            annotations=content.annotations,
        )
        try:
            return replace(content, drift=drift(given, progress=progress))
        except TalkingPointsError as error:
            work.missing["drift"] = str(error)
            return content


def _diagnostics(content: Content, work: _Work) -> Content:
    if not any(map(is_usable, content.annotations)):
        work.missing["diagnostics"] = NO_LABELS
        return content
    bundle = work.sources.bundle
    with work.stage("Looking at the codebook"):
        try:
            known = read_out_of_fold(bundle) if bundle else None
            return replace(content, diagnostics=diagnose(content.annotations, content.codebook, known))
        except TalkingPointsError as error:
            work.missing["diagnostics"] = str(error)
            return content


def _examples(content: Content, work: _Work) -> Content:
    found = from_model(content.trends, work.sources.ledger) if content.trends else []
    tags = {each.tag for each in found}
    found += [each for each in from_labels(content.annotations) if each.tag not in tags]
    if not found:
        work.missing["examples"] = (
            "There is no evidence to show: neither a model that found passages, nor passages that people marked."
        )
    return replace(content, examples=tuple(found))


def _program() -> str:
    try:
        return version("talking-points")
    except PackageNotFoundError:
        return ""
