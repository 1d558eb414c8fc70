"""The bundle: data only, whole or not at all, and believed only as far as it can be checked."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers.bundle import write_bundle
from classifiers.bundle_reading import read_bundle
from classifiers.dataset import Dataset
from classifiers.errors import BundleError
from classifiers.manifest import Manifest
from classifiers.scorer import Scorer
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.training import TrainedModel, train

TEXTS = [
    "The coast council lies again. Read more.",
    "",
    "🕊 мир e\u0301",
    "the river belongs to every village",
]


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    """Return a small trained model."""
    codebook = invented_codebook()
    return train(Dataset.from_annotations(invented_annotations(), codebook), codebook, quick_options())


@pytest.fixture
def bundle(trained: TrainedModel, tmp_path: Path) -> Path:
    """Return a sound bundle that a test may spoil."""
    write_bundle(trained, tmp_path / "bundle")
    return tmp_path / "bundle"


def _resealed(bundle: Path, change: Callable[[dict], None] | None = None) -> None:
    """Write the manifest anew, so that digests are right and only the content is not."""
    path = bundle / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for name in content["files"]:
        data = (bundle / name).read_bytes()
        content["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    if change:
        change(content)
    content["digest"] = "0" * 64
    content["digest"] = Manifest.model_validate_json(json.dumps(content)).content_digest()
    path.write_text(json.dumps(content), encoding="utf-8")


def _with_arrays(bundle: Path, change: Callable[[dict[str, np.ndarray]], None], **options: object) -> None:
    with np.load(bundle / "weights.npz") as archive:
        arrays = dict(archive)
    change(arrays)
    (np.savez_compressed if options.get("compressed") else np.savez)(bundle / "weights.npz", **arrays)
    _resealed(bundle)


def test_a_bundle_scores_as_the_model_that_was_trained(trained: TrainedModel, bundle: Path) -> None:
    """Nothing is lost on the way to the disk and back."""
    loaded = read_bundle(bundle).model
    assert np.array_equal(loaded.linear.scores(TEXTS), trained.model.linear.scores(TEXTS))
    assert loaded.rules == trained.model.rules
    assert loaded.codebook.digest == trained.model.codebook.digest


def test_a_bundle_gives_the_probabilities_of_the_model_that_was_trained(
    trained: TrainedModel, bundle: Path
) -> None:
    """Calibration is kept as well as the weights."""
    found = Scorer.load(bundle).probabilities(TEXTS)
    assert found == pytest.approx(Scorer(trained.model, "x").probabilities(TEXTS), abs=1e-6, nan_ok=True)


def test_a_bundle_is_replaced_whole_and_when_it_was_made_is_no_part_of_its_version(
    trained: TrainedModel, bundle: Path
) -> None:
    """Writing again leaves one bundle, of the same version, and nothing beside it."""
    before = read_bundle(bundle).manifest
    version = write_bundle(trained, bundle, created=datetime(2030, 1, 1, tzinfo=UTC))
    after = read_bundle(bundle).manifest
    assert version == before.version == after.version
    assert (after.created, before.created != after.created) == ("2030-01-01T00:00:00+00:00", True)
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def _flip(bundle: Path, name: str) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(bytes(data))


def _pickled(bundle: Path) -> None:
    with zipfile.ZipFile(bundle / "weights.npz") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO()
    np.lib.format.write_array(
        stream, np.array([_Spy(str(bundle.parent / "ran"))], dtype=object), allow_pickle=True
    )
    entries[next(iter(entries))] = stream.getvalue()
    with zipfile.ZipFile(bundle / "weights.npz", "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    _resealed(bundle)


class _Spy:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return (open, (self.trace, "w"))


def _first(arrays: dict[str, np.ndarray], value: float) -> None:
    name = next(name for name in arrays if name.startswith("weights."))
    arrays[name] = arrays[name].copy()
    arrays[name][0, 0] = value


def _swollen(bundle: Path) -> None:
    """Let the archive's directory promise 4 GB where there are a few hundred bytes."""
    path = bundle / "weights.npz"
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 20 : entry + 28] = b"\xf0\xff\xff\xff" * 2
    path.write_bytes(bytes(data))
    _resealed(bundle)


def _promised(bundle: Path) -> None:
    """Let an array's header promise a terabyte."""
    with zipfile.ZipFile(bundle / "weights.npz") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 3)}
    )
    entries[next(name for name in entries if name.startswith("weights."))] = stream.getvalue()
    with zipfile.ZipFile(bundle / "weights.npz", "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    _resealed(bundle)


def _with_header(bundle: Path, header: bytes, version: bytes = b"\x01\x00") -> None:
    """Give one array another header, in an archive that is sound otherwise."""
    with zipfile.ZipFile(bundle / "weights.npz") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    length = len(header).to_bytes(2, "little")
    entries[next(iter(entries))] = b"\x93NUMPY" + version + length + header + bytes(64)
    with zipfile.ZipFile(bundle / "weights.npz", "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    _resealed(bundle)


def _zero_idf(arrays: dict[str, np.ndarray]) -> None:
    arrays["idf.stems"] = np.zeros_like(arrays["idf.stems"])


def _not_a_number(bundle: Path) -> None:
    path = bundle / "manifest.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"metrics": {', '"metrics": {"x": NaN, '), encoding="utf-8")


def _described(bundle: Path, change: Callable[[dict], None]) -> None:
    path = bundle / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def _swapped_tags(bundle: Path) -> None:
    path = bundle / "thresholds.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["tags"].reverse()
    path.write_text(json.dumps(content), encoding="utf-8")
    _resealed(bundle)


def _stray() -> dict[str, object]:
    return {"../stray": {"sha256": "0" * 64, "size": 0}}


def _flip_digest(bundle: Path) -> None:
    path = bundle / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["training"]["n_posts"] = 10**6
    path.write_text(json.dumps(content), encoding="utf-8")


def _resealed_protocol(bundle: Path) -> None:
    path = bundle / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["protocol"] = 99
    path.write_text(json.dumps(content), encoding="utf-8")


def _spoil_threshold(bundle: Path) -> None:
    path = bundle / "thresholds.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["tags"][0]["threshold"] = 1.5
    path.write_text(json.dumps(content), encoding="utf-8")


def _spoil_rule(bundle: Path) -> None:
    path = bundle / "thresholds.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    next(tag for tag in content["tags"] if tag["threshold"] is None)["reason"] = ""
    path.write_text(json.dumps(content), encoding="utf-8")


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped bit in the weights": (lambda b: _flip(b, "weights.npz"), "weights.npz"),
    "a flipped bit in the card": (lambda b: _flip(b, "card.md"), "card.md"),
    "a document of an unknown name": (
        lambda b: _described(b, lambda c: c["documents"].update({"run.js": c["documents"]["card.md"]})),
        "run.js",
    ),
    "no card": (lambda b: _described(b, lambda c: c["documents"].clear()), "card.md"),
    "a plot that is in no list": (lambda b: (b / "plot.reliability.svg").write_text("<svg/>"), "plot.reliab"),
    "a file that was added": (lambda b: (b / "run.py").write_text("x"), "run.py"),
    "a missing file": (lambda b: (b / "thresholds.json").unlink(), "thresholds.json"),
    "a link instead of a file": (
        lambda b: (
            (b / "card.md").rename(b.parent / "card.md"),
            (b / "card.md").symlink_to(b.parent / "card.md"),
        ),
        "card.md",
    ),
    "no manifest": (lambda b: (b / "manifest.json").unlink(), "manifest.json"),
    "a manifest that is no JSON": (
        lambda b: (b / "manifest.json").write_text("{" * 100_000),
        "manifest.json",
    ),
    "another protocol": (_resealed_protocol, "protocol"),
    "a digest that is not its own": (_flip_digest, "digest"),
    "a path out of the folder": (lambda b: _resealed(b, lambda c: c["files"].update(_stray())), "../stray"),
    "a weight that is not a number": (lambda b: _with_arrays(b, lambda a: _first(a, np.nan)), "not finite"),
    "an infinite weight": (lambda b: _with_arrays(b, lambda a: _first(a, np.inf)), "not finite"),
    "an absurd weight": (lambda b: _with_arrays(b, lambda a: _first(a, 1e30)), "absurdly large"),
    "weights of another shape": (
        lambda b: _with_arrays(b, lambda a: a.update({n: v[:-1] for n, v in a.items() if "weights" in n})),
        "float32",
    ),
    "weights of another type": (
        lambda b: _with_arrays(b, lambda a: a.update({n: v.astype("f8") for n, v in a.items()})),
        "float32",
    ),
    "a header that is a program": (lambda b: _with_header(b, b"((((__import__('os'))))"), "float32"),
    "a header of another version": (lambda b: _with_header(b, b"{}", version=b"\x02\x00"), "unknown format"),
    "a frequency of zero": (lambda b: _with_arrays(b, _zero_idf), "not positive"),
    "a number that JSON does not have": (_not_a_number, "not finite"),
    "a view that nobody computes": (
        lambda b: _described(b, lambda c: c["model"]["views"].append("oracle")),
        "views",
    ),
    "a view twice": (
        lambda b: _resealed(b, lambda c: c["model"].update(views=["documents", "documents"])),
        "twice",
    ),
    "grams before stems": (
        lambda b: _described(b, lambda c: c["model"]["blocks"].reverse()),
        "stems and then",
    ),
    "a language that is a program": (
        lambda b: _described(b, lambda c: c["model"].update(languages=["__import__('os')"])),
        "languages",
    ),
    "a tag that is neither predicted nor refused": (
        lambda b: (_spoil_rule(b), _resealed(b)),
        "neither",
    ),
    "a mix of another shape": (
        lambda b: _with_arrays(b, lambda a: a.update(mix=a["mix"][:, :-1])),
        "mix",
    ),
    "a folder instead of a file": (
        lambda b: ((b / "card.md").unlink(), (b / "card.md").mkdir()),
        "card.md",
    ),
    "a manifest of one list": (lambda b: (b / "manifest.json").write_text("[1]"), "manifest.json"),
    "tags of another order": (_swapped_tags, "thresholds.json"),
    "an array too many": (lambda b: _with_arrays(b, lambda a: a.update(more=np.zeros(1, "f4"))), "arrays"),
    "a compressed archive": (lambda b: _with_arrays(b, lambda _: None, compressed=True), "compressed"),
    "an entry that promises gigabytes": (_swollen, "weights.npz"),
    "an array that promises a terabyte": (_promised, "float32"),
    "a pickle in the archive": (_pickled, "weights.npz"),
    "an archive that is none": (
        lambda b: ((b / "weights.npz").write_bytes(b"PK\x03\x04nothing"), _resealed(b)),
        "weights.npz",
    ),
    "terms of another number": (
        lambda b: ((b / "vocabulary.stems.json").write_text('["one"]'), _resealed(b)),
        "vocabulary.stems.json",
    ),
    "a codebook with aliases": (
        lambda b: ((b / "codebook.yaml").write_text("a: &x [1]\nb: *x\n"), _resealed(b)),
        "codebook.yaml",
    ),
    "a threshold beyond 1": (
        lambda b: (_spoil_threshold(b), _resealed(b)),
        "thresholds.json",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_spoilt_bundle_is_refused_and_runs_nothing(bundle: Path, name: str) -> None:
    """Whatever is off is an error that names it; nothing in the bundle is executed."""
    spoil, named = HOSTILE[name]
    spoil(bundle)
    with pytest.raises(BundleError) as caught:
        read_bundle(bundle)
    assert named in str(caught.value)
    assert not (bundle.parent / "ran").exists()


def test_the_spy_of_these_tests_does_leave_a_trace(tmp_path: Path) -> None:
    """Unpickling it would be noticed."""
    pickle.loads(pickle.dumps(_Spy(str(tmp_path / "ran")))).close()
    assert (tmp_path / "ran").exists()


def test_a_folder_that_is_no_bundle_is_not_overwritten(trained: TrainedModel, tmp_path: Path) -> None:
    """Somebody's files stay where they are."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="no model bundle"):
        write_bundle(trained, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_changed_anywhere_are_refused_or_harmless(bundle: Path, data: st.DataObject) -> None:
    """Whoever can seal a bundle anew still gets nothing but a bundle error out of it."""
    name = data.draw(
        st.sampled_from(["weights.npz", "thresholds.json", "codebook.yaml", "vocabulary.stems.json"])
    )
    manifest, sound = (bundle / "manifest.json").read_bytes(), (bundle / name).read_bytes()
    content = bytearray(sound)
    heads = [
        i for i in range(len(content)) if content[i : i + 2] == b"PK" or content[i : i + 6] == b"\x93NUMPY"
    ]
    place = st.integers(0, len(content) - 1)
    near = st.tuples(st.sampled_from(heads), st.integers(0, 140)).map(sum) if heads else place
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(near | place) % len(content)
        content[position : position + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=2) | st.sampled_from([b"((", b"NaN", b"1e999", b"[[", b"*a", b"\\ud800"])
        )
    (bundle / name).write_bytes(bytes(content))
    _resealed(bundle)
    said = str(bundle)
    try:
        read_bundle(bundle)
    except BundleError as error:
        said = str(error)
    finally:
        (bundle / name).write_bytes(sound)
        (bundle / "manifest.json").write_bytes(manifest)
    assert str(bundle) in said
