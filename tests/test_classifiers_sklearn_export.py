"""The model as a scikit-learn estimator: the bundle's probabilities, and an estimator like others."""

from __future__ import annotations

import re
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from annotations.errors import FileError
from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.predictions import Decision
from classifiers.scorer import Scorer
from classifiers.sklearn_export import TagClassifier, export_sklearn
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.thresholds import ThresholdOptions
from classifiers.training import train

TEXTS = [
    "The coast council lies again. Read more at https://example.org/x?y=1 #coast @council",
    "Река принадлежит каждой деревне. Совет побережья снова лжёт!",
    "Річка належить кожному селу, і це правда.",
    "El río pertenece a cada pueblo. ¡El consejo miente!",
    "La rivière appartient à chaque village ; le conseil ment.",
    "النهر ملك لكل قرية. المجلس يكذب مرة أخرى.",
    "河流属于每个村庄。海岸委员会又在撒谎！",
    "",
    " \n\t ",
    "🕊👨‍👩‍👧 мир e\u0301 \u200b\u202e\x00 \ufeff",
    "half a pair: \ud800",
    "the river belongs to every village " * 300,
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small model's bundle, with an abstain band."""
    codebook = invented_codebook()
    options = quick_options(thresholds=ThresholdOptions(abstain_margin=0.1))
    path = tmp_path_factory.mktemp("made") / "bundle"
    write_bundle(train(Dataset.from_annotations(invented_annotations(80), codebook), codebook, options), path)
    return path


@pytest.fixture(scope="module")
def loaded(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> TagClassifier:
    """Return the estimator as it comes back from its file."""
    out = tmp_path_factory.mktemp("exported") / "model.joblib"
    export_sklearn(bundle, out)
    found = joblib.load(out)
    assert isinstance(found, TagClassifier)
    return found


def _of_bundle(bundle: Path, texts: list[str], tags: list[str]) -> np.ndarray:
    scorer = Scorer.load(bundle)
    order = list(scorer.rules)
    return scorer.probabilities(texts)[:, [order.index(tag) for tag in tags]]


def test_the_file_gives_the_probabilities_of_the_bundle(loaded: TagClassifier, bundle: Path) -> None:
    """In several languages and with odd characters, to 1e-6."""
    found = loaded.predict_proba(TEXTS)
    assert found.shape == (len(TEXTS), len(loaded.classes_))
    assert np.abs(found - _of_bundle(bundle, TEXTS, list(loaded.classes_))).max() <= 1e-6
    assert loaded.predict_proba([]).shape == (0, len(loaded.classes_))


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.text(max_size=60) | st.text("the river coast lies.!\n 🕊é'世", max_size=90), max_size=4)
)
def test_any_texts_get_the_probabilities_of_the_bundle(
    loaded: TagClassifier, bundle: Path, texts: list[str]
) -> None:
    """No string makes the two differ."""
    difference = loaded.predict_proba(texts) - _of_bundle(bundle, texts, list(loaded.classes_))
    assert np.abs(difference).max(initial=0) <= 1e-6


def test_decisions_are_those_of_the_bundle_or_of_a_threshold(loaded: TagClassifier, bundle: Path) -> None:
    """``abstain`` is no; another threshold holds for every tag."""
    predictions = Scorer.load(bundle).predict(TEXTS)
    wanted = [
        [tag.decision is Decision.YES for tag in prediction.tags if tag.tag_id in loaded.classes_]
        for prediction in predictions
    ]
    assert loaded.predict(TEXTS).tolist() == np.array(wanted, dtype=int).tolist()
    other = clone(loaded).set_params(threshold=0.05)
    assert (other.predict(TEXTS) == (loaded.predict_proba(TEXTS) >= 0.05)).all()


def test_it_says_what_it_is(loaded: TagClassifier, bundle: Path) -> None:
    """Tags, thresholds, the refused tags with the reason, and the version."""
    assert list(loaded.classes_) == ["shared-water", "old-glory", "blame"]
    assert loaded.model_version_ == Scorer.load(bundle).version
    assert "too few examples" in loaded.refused_["rare"]
    assert loaded.thresholds_.shape == (3,)
    assert loaded.get_params() == {"threshold": None}
    assert is_classifier(loaded)
    check_is_fitted(loaded)


def test_it_works_in_a_pipeline_and_a_search(loaded: TagClassifier) -> None:
    """Fitting keeps the trained model; a copy has it too."""
    lower = FunctionTransformer(lambda texts: [text.strip() for text in texts])
    pipeline = make_pipeline(lower, loaded)
    texts = TEXTS[:8]
    y = loaded.predict(texts)
    assert (pipeline.fit(texts, y).predict(texts) == y).all()
    search = GridSearchCV(loaded, {"threshold": [None, 0.999]}, cv=2).fit(texts, y)
    assert search.best_params_ == {"threshold": None}


def test_wrong_input_is_refused_in_words(loaded: TagClassifier) -> None:
    """One text is not a list of letters, and a number is no text."""
    with pytest.raises(ValueError, match="list of texts"):
        loaded.predict_proba("one text")
    with pytest.raises(ValueError, match="not float"):
        loaded.predict_proba(["a", 1.5])  # type: ignore[list-item]
    with pytest.raises(NotFittedError, match="from_bundle"):
        TagClassifier().predict_proba(["a"])


def test_the_documented_example_runs(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands in docs/models.md."""
    document = (Path(__file__).resolve().parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    export_sklearn(bundle, tmp_path / "model.joblib")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/models.md", "exec"), {})
    assert "too few examples" in capsys.readouterr().out


def test_what_cannot_be_written_leaves_what_was_there(bundle: Path, tmp_path: Path) -> None:
    """A folder in the place of the file's folder is an error with the path."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError):
        export_sklearn(bundle, tmp_path / "file" / "model.joblib")
    assert (tmp_path / "file").read_text() == "mine"
