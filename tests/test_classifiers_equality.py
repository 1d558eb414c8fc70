"""The scorer against the same model put together from scikit-learn's parts, in double precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from annotations.codebook import default_codebook_path, load_codebook
from annotations.labels import read_labels
from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.features import Block
from classifiers.model import Model
from classifiers.scorer import Scorer
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.tokens import sentences, tokenise
from classifiers.training import TrainingOptions, train

TOLERANCE = 1e-5
TEXTS = [
    "The coast council lies again. Read more.",
    "мир и река: the river belongs to every village! 🕊🕊 #League https://example.org/x",
    "",
    "no known term здесь",
    "世界。the river belongs to every village。",
    "heroes of the league\n\n• heroes of the league\n• those swindlers of the coast " * 40,
    "\ud800 \x00 the\u00ad river",
]


def _pieces(text: str) -> list[list[str]]:
    """Return the forms of the tokens of every sentence that has one."""
    spans = sentences(text)
    forms: list[list[str]] = [[] for _ in spans]
    for token in tokenise(text):
        forms[next(i for i, span in enumerate(spans) if span.start <= token.start < span.end)].append(
            token.form
        )
    return [found for found in forms if found]


def _terms(pieces: list[list[str]], block: Block) -> list[str]:
    if block.kind == "words":
        lengths = range(block.n_min, block.n_max + 1)
        return [" ".join(p[i : i + n]) for p in pieces for n in lengths for i in range(len(p) - n + 1)]
    words = [f" {form} " for piece in pieces for form in piece]
    lengths = range(block.n_min, block.n_max + 1)
    return [word[i : i + n] for word in words for n in lengths for i in range(len(word) - n + 1)]


def _features(documents: list[list[list[str]]], blocks: tuple[Block, ...]) -> sparse.csr_array:
    parts = []
    for block in blocks:
        vectorizer = TfidfVectorizer(
            analyzer=lambda pieces, block=block: _terms(pieces, block),
            vocabulary=block.terms,
            sublinear_tf=True,
        )
        vectorizer.idf_ = block.idf.astype(np.float64)
        parts.append(vectorizer.transform(documents))
    return sparse.csr_array(sparse.hstack(parts))


def reference(model: Model, texts: list[str]) -> np.ndarray:
    """Return the probabilities (n_texts, n_predicted) in double precision, text by text."""
    linear = model.linear
    rules = [rule for rule in model.rules if rule.predicted]
    scores = np.zeros((len(texts), len(rules)))
    for row, text in enumerate(texts):
        pieces = _pieces(text)
        for view in linear.views:
            weights, bias = view.weights.astype(np.float64), view.bias.astype(np.float64)
            if view.scope == "post":
                scores[row] += (_features([pieces], linear.blocks) @ weights)[0] + bias
            elif pieces:
                each = _features([[piece] for piece in pieces], linear.blocks) @ weights
                share = np.exp(linear.sharpness * (each - each.max(axis=0)))
                scores[row] += (share * each).sum(axis=0) / share.sum(axis=0) + bias
            else:
                scores[row] += bias
    scores /= len(linear.views)
    return 1 / (
        1 + np.exp(-(np.array([r.slope for r in rules]) * scores + np.array([r.intercept for r in rules])))
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Scorer]:
    """Return a model, and the scorer that was loaded from its bundle."""
    codebook = invented_codebook()
    trained = train(Dataset.from_annotations(invented_annotations(), codebook), codebook, quick_options())
    path = tmp_path_factory.mktemp("models") / "bundle"
    write_bundle(trained, path)
    return trained.model, Scorer.load(path)


def _answered(scorer: Scorer, texts: list[str]) -> np.ndarray:
    answers = [
        [tag.score for tag in prediction.tags if tag.score is not None]
        for prediction in scorer.predict(texts)
    ]
    return np.array(answers, dtype=np.float64)


def test_a_loaded_bundle_gives_the_probabilities_of_scikit_learns_parts(small: tuple[Model, Scorer]) -> None:
    """Whole batches of odd texts, several scripts: equal to 1e-5."""
    model, scorer = small
    assert np.abs(_answered(scorer, TEXTS) - reference(model, TEXTS)).max() <= TOLERANCE


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=80) | st.text("the river coast lies.!\n 🕊é'世", max_size=120))
def test_any_text_gets_the_same_probabilities(small: tuple[Model, Scorer], text: str) -> None:
    """No string makes the two ways differ."""
    model, scorer = small
    assert np.abs(_answered(scorer, [text]) - reference(model, [text])).max() <= TOLERANCE


def test_real_posts_get_the_same_probabilities(shared_data: Path, tmp_path: Path) -> None:
    """On a ministry's posts, also ones that were not trained on: equal to 1e-5."""
    codebook = load_codebook(default_codebook_path())
    annotations = read_labels(shared_data / "mfa" / "labels.jsonl", codebook.tag_ids)
    data = Dataset.from_annotations(annotations, codebook)
    trained = train(data.subset(range(0, 120)), codebook, TrainingOptions(n_folds=2))
    write_bundle(trained, tmp_path / "bundle")
    texts = list(data.texts[100:160])
    found = _answered(Scorer.load(tmp_path / "bundle"), texts)
    assert np.abs(found - reference(trained.model, texts)).max() <= TOLERANCE
