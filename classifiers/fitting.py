"""Fitting the views on some of a dataset's posts, and scoring the others as new posts will be scored.

Vocabulary, document frequencies and weights come from the chosen posts alone: whatever is held out teaches
nothing, not even which words there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from annotations.codebook import Codebook
from classifiers.dataset import Dataset
from classifiers.documents import (
    Quotes,
    by_tags,
    cue_targets,
    cues,
    highlighted,
    passage_targets,
    post_targets,
    quotes,
)
from classifiers.features import (
    KINDS,
    Block,
    Corpus,
    Kind,
    Matrix,
    Words,
    columns_times,
    damped,
    present,
    scales,
    term_matrices,
)
from classifiers.languages import identify, main_languages, stemming_language
from classifiers.linear import (
    View,
    mass_of,
    sentence_scores,
    view_scores,
    weighed,
    word_vectors,
)
from classifiers.scored import VIEWS, ViewName
from classifiers.solver import Design, Effort, Targets, fit_logistic

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_MIN_DF = 2
_MOST_TERMS = 300_000
_FEW_POSTS = 250
_EFFORT = Effort(max_iterations=40, tolerance=3e-3)


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What the views learn from and how; the defaults are those of the study in ``docs/model.md``.

    Attributes
    ----------
    views
        Which of the views there are.
    evidence, cues
        Whether quotes and highlighted sentences, and the codebook's cues, are learnt from.
    documents_penalty, sentences_penalty
        scikit-learn's ``C`` of the two fitted views; that of sentences holds for up to 250 posts and shrinks
        in proportion for more, since its features have no length that is the same for all rows.
    quote_weight, cue_weight, sentence_cue_weight
        What a quote and a cue count for beside a post, and a cue beside a sentence.
    quote_share
        The part of the quotes in a centroid, beside the cues.
    """

    views: tuple[ViewName, ...] = VIEWS
    evidence: bool = True
    cues: bool = True
    documents_penalty: float = 3.0
    sentences_penalty: float = 0.1
    quote_weight: float = 0.5
    cue_weight: float = 0.6
    sentence_cue_weight: float = 0.3
    quote_share: float = 0.2


@dataclass(frozen=True, slots=True)
class FittedViews:
    """The blocks of terms and the views' weights; ``columns`` says which of all the material's terms are in use."""

    blocks: tuple[Block, ...]
    views: tuple[View, ...]
    columns: dict[Kind, Ints]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Scores of held-out posts (n_views, n_posts, n_tags) and of their sentences (n_views, n_sentences, n_tags)."""

    posts: Floats
    sentences: Floats


class Material:
    """The words of all posts, sentences, quotes and cues, counted once.

    Parameters
    ----------
    tags
        The columns of the dataset to learn.
    """

    def __init__(
        self, dataset: Dataset, codebook: Codebook, tags: Sequence[int], options: FitOptions
    ) -> None:
        self._options = options
        columns = list(tags)
        identified = [identify(text) for text in dataset.texts]
        self.languages = main_languages(identified)
        by_post = [
            stemming_language(text, language, self.languages)
            for text, language in zip(dataset.texts, identified, strict=True)
        ]
        self.corpus = Corpus.of(dataset.texts, by_post)
        self._shares = dataset.shares[:, columns]
        self._highlighted = highlighted(dataset, self.corpus)[:, columns]
        quoted, cued = quotes(dataset, wanted=options.evidence), cues(codebook, wanted=options.cues)
        self._quotes = replace(quoted, bears=quoted.bears[:, columns])
        self._excerpts = by_tags(self._quotes)
        self._cues = replace(cued, bears=cued.bears[:, columns])
        self._count(by_post)

    def _count(self, by_post: Sequence[str]) -> None:
        words = Words()
        quoted, excerpts = (
            Corpus.of(found.texts, [by_post[post] for post in found.post_of])
            for found in (self._quotes, self._excerpts)
        )
        cued = Corpus.of(
            self._cues.texts, [stemming_language(cue, None, self.languages) for cue in self._cues.texts]
        )
        counted = [
            words.count_texts(self.corpus),
            words.count_sentences(self.corpus),
            words.count_texts(quoted),
            words.count_texts(excerpts),
            words.count_texts(cued),
        ]
        for matrix in counted:
            matrix.resize((matrix.shape[0], len(words.numbers)))
        self._posts, self._sentences, self._quote_counts, self._excerpt_counts, self._cue_counts = counted
        index: dict[Kind, dict[str, int]] = {kind: {} for kind in KINDS}
        self._terms = term_matrices(list(words.numbers), index, grow=True)
        self._names = {kind: list(index[kind]) for kind in KINDS}
        self._occurs = {kind: present(self._posts) @ self._terms[kind] for kind in KINDS}

    def fit(self, posts: Bools) -> FittedViews:
        """Fit the views on ``posts``, shape (n_posts,)."""
        with threadpool_limits(limits=1):
            columns = {kind: self._chosen(kind, posts) for kind in KINDS}
            blocks = tuple(self._block(kind, columns[kind], posts) for kind in KINDS)
            rows = _Rows(
                np.flatnonzero(posts),
                np.flatnonzero(posts[self.corpus.text_of]),
                np.flatnonzero(posts[self._quotes.post_of]),
                np.flatnonzero(posts[self._excerpts.post_of]),
            )
            terms = {kind: self._terms[kind][:, columns[kind]] for kind in KINDS}
            joint = weighed(terms, blocks)
            views = []
            for name in self._options.views:
                if name == "documents":
                    views.append(self._documents(rows, joint))
                elif name == "sentences":
                    views.append(self._by_sentence(rows, columns_times(terms["stems"], blocks[0].idf)))
                else:
                    views.append(self._centroids(rows, joint))
        return FittedViews(blocks, tuple(views), columns)

    def score(self, fitted: FittedViews, posts: Bools) -> HeldOut:
        """Score ``posts``, shape (n_posts,), as a model of these views would."""
        terms = {kind: self._terms[kind][:, fitted.columns[kind]] for kind in KINDS}
        with threadpool_limits(limits=1):
            vectors = word_vectors(terms, fitted.blocks, fitted.views)
            sentences, rows = np.flatnonzero(posts[self.corpus.text_of]), np.flatnonzero(posts)
            text_of = np.searchsorted(rows, self.corpus.text_of[sentences])
            of_sentences = sentence_scores(self._sentences[sentences], vectors, fitted.views)
            of_posts = view_scores(self._posts[rows], of_sentences, text_of, vectors, fitted.views)
        return HeldOut(of_posts, of_sentences)

    def _chosen(self, kind: Kind, posts: Bools) -> Ints:
        """Return the terms that at least two of ``posts`` have, in order; if too many, the most frequent."""
        frequency = self._frequency(kind, posts)
        chosen = np.flatnonzero(frequency >= _MIN_DF)
        if len(chosen) > _MOST_TERMS:
            chosen = np.sort(chosen[np.argsort(-frequency[chosen], kind="stable")[:_MOST_TERMS]])
        return chosen

    def _block(self, kind: Kind, chosen: Ints, posts: Bools) -> Block:
        frequency = self._frequency(kind, posts)[chosen]
        idf = np.log((1 + posts.sum()) / (1 + frequency)) + 1
        return Block(kind, tuple(self._names[kind][term] for term in chosen), idf.astype(np.float32))

    def _frequency(self, kind: Kind, posts: Bools) -> Ints:
        """Return in how many of ``posts`` each term occurs, shape (n_terms,)."""
        occurs = self._occurs[kind]
        counted = np.repeat(posts, np.diff(occurs.indptr))
        return np.bincount(occurs.indices[counted], minlength=occurs.shape[1]).astype(np.int64)

    def _documents(self, rows: _Rows, joint: Matrix) -> View:
        options = self._options
        counts = [self._posts[rows.posts], self._excerpt_counts[rows.excerpts], self._cue_counts]
        targets = [
            post_targets(self._shares[rows.posts]),
            self._targets(self._excerpts, rows.excerpts).with_weights(options.quote_weight),
            cue_targets(self._cues.bears).with_weights(options.cue_weight),
        ]
        scaled = _scaled(damped(_stacked(counts)), mass_of(joint))
        fitted = fit_logistic(
            _design(scaled, joint), Targets.joined(targets), options.documents_penalty, _EFFORT
        )
        return View("documents", fitted.weights, fitted.bias)

    def _by_sentence(self, rows: _Rows, stems: Matrix) -> View:
        options = self._options
        counts = [self._sentences[rows.sentences], self._quote_counts[rows.quotes], self._cue_counts]
        shares = self._shares[self.corpus.text_of[rows.sentences]]
        targets = [
            passage_targets(self._highlighted[rows.sentences], shares),
            self._targets(self._quotes, rows.quotes),
            cue_targets(self._cues.bears).with_weights(options.sentence_cue_weight),
        ]
        penalty = options.sentences_penalty * min(1, _FEW_POSTS / max(1, len(rows.posts)))
        design = _design(present(_stacked(counts)), stems)
        fitted = fit_logistic(design, Targets.joined(targets), penalty, _EFFORT)
        return View("sentences", fitted.weights, fitted.bias)

    def _centroids(self, rows: _Rows, joint: Matrix) -> View:
        mass = mass_of(joint)
        quoted, cued = self._quotes.bears[rows.quotes], self._cues.bears
        n_quotes, n_cues = quoted.sum(axis=0), cued.sum(axis=0)
        share = np.where(n_cues > 0, np.where(n_quotes > 0, self._options.quote_share, 0), 1)
        weights = np.concatenate(
            [quoted * share / np.maximum(n_quotes, 1), cued * (1 - share) / np.maximum(n_cues, 1)]
        ).astype(np.float32)
        matrix = _stacked([self._quote_counts[rows.quotes], self._cue_counts])
        design = _design(_scaled(present(matrix), mass), joint)
        return View("centroids", design.transposed_times(weights), np.zeros(weights.shape[1], np.float32))

    def _targets(self, found: Quotes, rows: Ints) -> Targets:
        return passage_targets(found.bears[rows], self._shares[found.post_of[rows]])


@dataclass(frozen=True, slots=True)
class _Rows:
    """The numbers of the posts, sentences, quotes and excerpts to learn from."""

    posts: Ints
    sentences: Ints
    quotes: Ints
    excerpts: Ints


def _stacked(counts: Sequence[Matrix]) -> Matrix:
    return sparse.csr_array(sparse.vstack(counts, format="csr"))


def _scaled(matrix: Matrix, mass: Floats32) -> Matrix:
    """Divide every row by its scale."""
    data = matrix.data / np.repeat(scales(matrix, mass), np.diff(matrix.indptr))
    return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _design(rows: Matrix, words: Matrix) -> Design:
    """Return rows of words times words of terms, without the words that stand in no row."""
    used = np.unique(rows.indices)
    return Design([rows[:, used], words[used]])
