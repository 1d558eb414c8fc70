"""The scorer against the same model computed from its arrays in the plainest way, in double precision."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations.codebook import default_codebook_path, load_codebook
from annotations.labels import read_labels
from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.features import word_terms
from classifiers.languages import identify, stemming_language
from classifiers.linear import TEMPERATURE, LinearModel
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


class Reference:
    """Scores by the definition: a text is a sum over its different words."""

    def __init__(self, linear: LinearModel) -> None:
        self.linear = linear
        self.known: dict[tuple[str, str], tuple[dict[str, np.ndarray], float]] = {}
        self.index = [{term: i for i, term in enumerate(block.terms)} for block in linear.blocks]
        self.idf = [block.idf.astype(np.float64) for block in linear.blocks]
        self.weights = {view.name: view.weights.astype(np.float64) for view in linear.views}
        self.bias = {view.name: view.bias.astype(np.float64) for view in linear.views}

    def word(self, language: str, form: str) -> tuple[dict[str, np.ndarray], float]:
        """Return what a word adds to every view, and its squared length."""
        if (language, form) in self.known:
            return self.known[language, form]
        terms = word_terms((language, form))
        n_stems = len(self.linear.blocks[0].terms)
        joint = np.zeros(n_stems + len(self.linear.blocks[1].terms))
        alone = np.zeros(n_stems)
        for kind, offset, number in (("stems", 0, 0), ("grams", n_stems, 1)):
            for term, count in Counter(terms[kind]).items():
                if (i := self.index[number].get(term)) is not None:
                    joint[offset + i] = count * self.idf[number][i] ** 1.3
                    if kind == "stems":
                        alone[i] = count * self.idf[0][i]
        parts = {
            name: (alone if name == "sentences" else joint) @ weights
            for name, weights in self.weights.items()
        }
        self.known[language, form] = parts, float(joint @ joint)
        return self.known[language, form]

    def scores(self, text: str) -> np.ndarray:
        """Return the log-odds of one text."""
        language = stemming_language(text, identify(text), self.linear.languages)
        spans = list(sentences(text))
        tokens = tokenise(text)
        pieces = [[t.form for t in tokens if s.start <= t.start < s.end] for s in spans]
        pieces = [piece for piece in pieces if piece]
        by_view = []
        for view in self.linear.views:
            if view.name == "documents":
                by_view.append(self.unit(language, [form for piece in pieces for form in piece], view.name))
                continue
            each = [self.unit(language, piece, view.name) for piece in pieces]
            if not each:
                by_view.append(self.bias[view.name])
            elif view.name == "centroids":
                by_view.append(np.max(each, axis=0))
            else:
                peak = np.max(each, axis=0)
                raised = np.exp((np.array(each) - peak) / TEMPERATURE).sum(axis=0)
                by_view.append(peak + TEMPERATURE * np.log(raised))
        mix = self.linear.combination.mix.astype(np.float64)
        return np.einsum("vt,vtu->u", np.array(by_view), mix) + self.linear.combination.offset

    def unit(self, language: str, forms: list[str], view: str) -> np.ndarray:
        """Return a view's score of a post or a sentence."""
        total, mass = np.zeros(len(self.linear.tag_ids)), 0.0
        for form, count in Counter(forms).items():
            parts, length = self.word(language, form)
            factor = 1 + np.log(count) if view == "documents" else 1.0
            total += factor * parts[view]
            mass += factor**2 * length
        scale = 1.0 if view == "sentences" else (np.sqrt(mass) or 1.0)
        return total / scale + self.bias[view]


def reference(model: Model, texts: list[str]) -> np.ndarray:
    """Return the probabilities (n_texts, n_predicted), text by text."""
    plain = Reference(model.linear)
    return np.array([1 / (1 + np.exp(-plain.scores(text))) for text in texts])


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


def test_a_loaded_bundle_gives_the_probabilities_of_the_definition(small: tuple[Model, Scorer]) -> None:
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
    texts = list(data.texts[110:126])
    found = _answered(Scorer.load(tmp_path / "bundle"), texts)
    assert np.abs(found - reference(trained.model, texts)).max() <= TOLERANCE
