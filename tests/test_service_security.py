"""Hostile posts, bundles, cells and set-ups against the service; docs/security.md names these tests."""

from __future__ import annotations

import csv
import gc
import hashlib
import io
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from annotations.cleaning import clean
from annotations.files import FORMULA_STARTS, neutral_cell
from classifiers.bundle import write_bundle
from classifiers.bundle_documents import read_out_of_fold
from classifiers.bundle_reading import read_bundle
from classifiers.dataset import Dataset
from classifiers.describing import described
from classifiers.errors import BundleError
from classifiers.languages import identify
from classifiers.registry import Registry
from classifiers.scorer import Scorer
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.tokens import sentences, tokenise
from classifiers.training import train
from service.app import create_app
from service.limits import depth_of
from service.logs import configure_logging
from service.settings import Settings, load_settings
from service.testing import FakeTagger, InProcessClient, in_process, on_a_socket

ROOT = Path(__file__).resolve().parents[1]
JSON = {"Content-Type": "application/json"}
MARKER = "Zq7-secret-words-of-the-minister"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small real bundle with all its documents."""
    codebook = invented_codebook()
    dataset = Dataset.from_annotations(invented_annotations(80), codebook)
    trained = train(dataset, codebook, quick_options())
    path = tmp_path_factory.mktemp("bundle") / "bundle"
    write_bundle(trained, path, documents=described(trained, dataset))
    return path


@pytest.fixture(scope="module")
def scorer(bundle: Path) -> Scorer:
    """Return its model."""
    return Scorer.load(bundle)


@pytest.fixture(scope="module")
def client(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcessClient]:
    """Yield a client of a service with a real model."""
    home = tmp_path_factory.mktemp("home")
    registry = Registry(home / "models")
    registry.activate(registry.add(bundle))
    with in_process(create_app(load_settings(home=home))) as client:
        yield client


# Hostile posts

HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": "\"' onmouseover='alert(1)' {{7*7}} ${7*7} %(x)s {0.__class__}",
    "controls": "".join(map(chr, range(32))) + "\x7f\x80\x9f",
    "bidi": "\u202e\u2066\u2067\u2068\u202a gnihtyna \u2069\u202c\u200f",
    "no characters": "\ufdd0\ufffe\uffff\U0010ffff\ue000",
    "marks": "a" + "\u0301" * 20_000,
    "joined": "\U0001f468\u200d" * 5_000,
    "one word": "x" * 90_000,
    "zeros": "\x00" * 1_000,
    "wide": "\ufdfa" * 5_000,
    "sql": "'; DROP TABLE posts; --",
    "header": "a\r\nSet-Cookie: a=b\r\n\r\n<html>",
    "format": "%s%s%n" * 1000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_posts_are_tagged_and_shown_as_text(client: InProcessClient, name: str) -> None:
    """Any text gets scores and quotes of itself; on the page no part of it becomes markup."""
    text = HOSTILE[name] + " the river belongs to every village"
    answer = client.post("/v1/predict", json={"text": text, "explain": True})
    assert answer.status_code == 200
    for tag in answer.json()["tags"]:
        assert tag["score"] is None or 0 <= tag["score"] <= 1
        assert all(text[each["start"] : each["end"]] == each["text"] for each in tag["evidence"])
    page = client.post("/", data={"text": text})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert not re.search(r"<[^>]*\sonmouseover=", page.text)
    assert "set-cookie" not in page.headers


@pytest.mark.parametrize(
    "path", ["/v1/predict", "/v1/predict/batch", "/studio/predict", "/studio/webhook", "/"]
)
def test_ten_megabytes_of_combining_marks_are_refused(client: InProcessClient, path: str) -> None:
    """They are more than the cap on bodies, or where that is higher, than the cap on a text; nothing is scored."""
    text = "a" + "\u0301" * 5_000_000
    if path == "/":
        answer = client.post(path, data={"text": text})
        assert answer.status_code == 413
        return
    bodies = {"/v1/predict": {"text": text}, "/studio/webhook": {"action": text}}
    body = bodies.get(path, {"posts": [{"text": text}]})
    answer = client.post(path, content=json.dumps(body, ensure_ascii=False).encode(), headers=JSON)
    assert (path, answer.status_code) in {
        ("/v1/predict", 413),
        ("/v1/predict/batch", 422),
        ("/studio/predict", 200),  # no tasks in it
        ("/studio/webhook", 200),  # an event of another kind
    }
    assert len(answer.content) < 10_000


def test_lone_surrogates_are_refused(client: InProcessClient) -> None:
    """Half a character is no text; the answer can be encoded."""
    for body in (b'{"text": "\\ud800"}', b'{"text": "a", "id": "\\udfff"}', b'{"text": "\xed\xa0\x80"}'):
        assert client.post("/v1/predict", content=body, headers=JSON).status_code in (400, 422)


BOMBS = {
    "letters": "a", "spaces": " ", "lines": "\n", "brackets": "(", "links": "[x](y)", "hashes": "#", "tags": "#a",
    "stars": "*", "entities": "&amp;", "addresses": "http://a", "mentions": "@a", "stops": "a.", "quotes": "'a\"",
    "dashes": "-", "marks": "\u0301", "joiners": "\u200d", "bidi": "\u202e", "digits": "9", "caps": "A.", "emoji": "🕊",
    "spaced stops": " .", "less": "<", "cyrillic": "мир! ", "hyphens": "a-", "apostrophes": "a’", "tabs": "\t\n",
}  # fmt: skip
WORK: dict[str, Callable[[str], object]] = {
    "clean": clean,
    "tokenise": tokenise,
    "sentences": sentences,
    "identify": identify,
}


@pytest.mark.parametrize("work", WORK)
def test_no_text_takes_more_than_linear_time(work: str) -> None:
    """Five times as long a text takes about five times as long: squared, it would be twenty-five times.

    A ratio of processor times, the least of several each, so that it holds on any machine.
    """
    slow = {}
    for name, unit in BOMBS.items():
        text = unit * (5_000 // len(unit))
        if (ratio := _seconds(WORK[work], text * 5) / max(_seconds(WORK[work], text), 0.001)) > 14:
            slow[name] = ratio
    assert not slow


def _seconds(work: Callable[[str], object], text: str) -> float:
    found = []
    gc.disable()  # what lies in memory from other tests would be looked through now and then
    try:
        for _ in range(3):
            begun = time.process_time()
            work(text)
            found.append(time.process_time() - begun)
    finally:
        gc.enable()
    return min(found)


def test_scoring_takes_linear_time(scorer: Scorer) -> None:
    """The whole way from a text to evidence, too."""
    slow = {}
    for name, unit in BOMBS.items():
        text = unit * (4_000 // len(unit))
        work = lambda text: scorer.predict([text], explain=True)  # noqa: E731
        if (ratio := _seconds(work, text * 5) / max(_seconds(work, text), 0.002)) > 14:
            slow[name] = ratio
    assert not slow


# Nested and odd JSON


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("", 0), ("[]", 1), ('{"a": [1, {"b": 2}]}', 3), ('"[[["', 0), ('["\\"[[["]', 1), ('["\\\\", [[]]]', 3),
        ('["\\\\\\"[[", []]', 2), ("[[", 2), ("]]]][", 0), ('{"a":"{", "b":"}"}', 1), ('["\u041c[[[", [[0]]]', 3),
    ],
)  # fmt: skip
def test_depth_of_json(text: str, depth: int) -> None:
    """Brackets in strings do not count, escaped or not."""
    assert depth_of(text.encode()) == depth


def test_depth_is_found_across_blocks() -> None:
    """A long text is read in blocks; a string, and the nesting, may go on from one to the next."""
    long = " " * 1_048_570
    assert depth_of(f'["{long}[[[[[[", [[]]]'.encode()) == 3
    assert depth_of(f"[[[{long}[[]]{long}]]]".encode()) == 5


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch", "/studio/predict", "/studio/webhook"])
def test_deeply_nested_json_is_refused(client: InProcessClient, path: str) -> None:
    """64 levels are read, more are refused before they are parsed, in whatever pieces they come."""

    def pieces(body: bytes) -> Any:
        async def sent() -> Any:
            for start in range(0, len(body), 100):
                yield body[start : start + 100]

        return sent()

    for depth in (65, 400, 100_000):
        body = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
        for content in (body, pieces(body)):
            answer = client.post(path, content=content, headers=JSON)
            assert (answer.status_code, "nested deeper" in answer.json()["detail"]) == (400, True)
    assert client.post(path, content=b'{"x":' + b"[" * 60 + b"]" * 60 + b"}", headers=JSON).status_code != 400


# No text leaves by a side door


def _texts_posted(client: Any) -> list[str]:
    """Send the marker in every place where a client may write, and return the answers that must not have it."""
    marked = {"text": MARKER}
    sent = [
        client.post(f"/v1/predict?q={MARKER}", json=marked | {"explain": MARKER}),
        client.post("/v1/predict", json=marked | {f"{MARKER} {MARKER}": 1}),
        client.post("/v1/predict", json=marked | {"tags": [MARKER]}),
        client.post("/v1/predict", json=marked | {"date": MARKER}),
        client.post("/v1/predict", content=f'{{"text": "{MARKER}" "{MARKER}"}}', headers=JSON),
        client.post("/v1/predict", json=[MARKER], headers={"X-Request-ID": f"<{MARKER}>"}),
        client.post("/v1/predict/batch", json={"posts": [marked | {"id": 1}]}),
        client.post("/v1/predict", data=marked),
        client.get(f"/{MARKER}"),
        client.get(f"/v1/models/{MARKER}/{MARKER}"),
        client.request("DELETE", f"/v1/predict?{MARKER}"),
        client.post("/studio/webhook", content=MARKER, headers=JSON),
        client.post("/studio/setup", json={"schema": MARKER, "token": MARKER}),
        client.post("/v1/predict", json=marked, headers={"Authorization": f"Bearer {MARKER}"}),
        client.post("/v1/predict", json=marked, headers={"Host": MARKER}),
        client.post("/v1/predict", json=marked, headers={"Origin": f"http://{MARKER}"}),
    ]
    return [answer.text + str(answer.headers) for answer in sent]


@pytest.mark.parametrize("log_level", ["debug", "info"])
def test_no_text_is_in_logs_metrics_or_errors(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], log_level: str
) -> None:
    """What was posted is found in no log line, no metric, no answer that is an error, over a real socket too."""
    stream = io.StringIO()
    loggers = [logging.getLogger(name) for name in ("talkingpoints", "uvicorn")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    configure_logging(log_level, stream)
    try:
        with on_a_socket(create_app(load_settings(), FakeTagger())) as port, httpx.Client() as client:
            client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
            answers = _texts_posted(client)
            assert client.post("/v1/predict", json={"text": MARKER}).status_code == 200
            metrics = client.get("/metrics").text
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
    assert len(stream.getvalue().splitlines()) >= len(answers)
    everything = [*answers, metrics, stream.getvalue(), caplog.text, *capfd.readouterr()]
    assert not [place for place, text in enumerate(everything) if MARKER in text]


def test_defects_do_not_log_what_was_posted(caplog: pytest.LogCaptureFixture) -> None:
    """An exception that quotes the post is logged by its kind and place alone, at whatever level."""

    class Broken(FakeTagger):
        def predict(self, texts, *, explain=False, tags=None):  # type: ignore[no-untyped-def]
            raise RuntimeError(f"cannot score {texts[0]}")

    with in_process(create_app(load_settings(), Broken())) as client, caplog.at_level(logging.DEBUG):
        answer = client.post("/v1/predict", json={"text": MARKER})
    assert answer.status_code == 500
    logged = [
        str(vars(record)) for record in caplog.records if record.name.startswith(("talkingpoints", "uvicorn"))
    ]
    assert logged
    assert MARKER not in answer.text + "".join(logged)


class _Spying:
    """A tracer provider that must not be asked."""

    asked = 0

    def get_tracer(self, *_arguments: object, **_options: object) -> Any:
        """Count, and fail."""
        type(self).asked += 1
        raise RuntimeError("asked")


def test_no_telemetry_is_told_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI hands bodies and exceptions to OpenTelemetry where a provider is set up; this service does not."""
    telemetry = pytest.importorskip("fastapi.telemetry._asgi")
    monkeypatch.setattr(telemetry.trace, "get_tracer_provider", _Spying)
    with in_process(FastAPI()) as client:
        client.get("/")
    assert _Spying.asked == 1  # the spy works: a plain application asks
    with in_process(create_app(load_settings(), FakeTagger())) as client:
        assert client.post("/v1/predict", json={"text": MARKER}).status_code == 200
    assert _Spying.asked == 1


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/models", "/nowhere", "/assets/page.css"])
def test_pages_let_nothing_in(client: InProcessClient, path: str) -> None:
    """No script of others, no frame, no referrer, no other origin, nothing kept where posts are answered."""
    headers = client.get(path).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] in ("'none'", "'self'")
    assert not [value for value in policy.values() if re.search(r"unsafe|https?:|\*", value)]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert client.post("/", data={"text": "a"}).headers["cache-control"] == "no-store"
    assert client.post("/v1/predict", json={"text": "a"}).headers["cache-control"] == "no-store"


def test_pages_ask_for_nothing_from_outside(client: InProcessClient) -> None:
    """Every address in the pages is of this service."""
    for path in ("/", "/docs"):
        page = client.get(path).text
        assert [url for url in re.findall(r"(?:src|href|action)=\"([^\"]*)\"", page) if "//" in url] == []


# Hostile bundles: the documents that are optional, and a bundle that becomes active


def _resealed(bundle: Path, name: str, data: bytes) -> None:
    """Put other bytes in the place of a document, with the right digest."""
    (bundle / name).write_bytes(data)
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    manifest["documents"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.fixture
def spoilt(bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of the bundle that a test may spoil."""
    copy = tmp_path / "spoilt"
    copy.mkdir()
    for file in bundle.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"null",
        b'{"tags": [], "posts": [], "log_odds": []}',
        b'{"tags": ["a"], "posts": ["0123456789abcdef"], "log_odds": [[NaN]]}',
        b'{"tags": ["a"], "posts": ["0123456789abcdef"], "log_odds": [[1e999]]}',
        b'{"tags": ["a"], "posts": ["0123456789abcdef"], "log_odds": [[1, 2]]}',
        b'{"tags": ["a"], "posts": ["../../etc/passwd"], "log_odds": [[1.0]]}',
        b'{"tags": ["a"], "posts": [], "log_odds": [[1.0]]}',
        b'{"tags": ["a"], "posts": [], "log_odds": [], "more": 1}',
        b'{"tags": ["a"], "posts": ["0123456789abcdef"], "log_odds": [["1.0"]]}',
    ],
)
def test_hostile_out_of_fold_scores_are_refused(spoilt: Path, data: bytes) -> None:
    """Scores that are none are an error of the bundle; the model, which needs none, still loads."""
    _resealed(spoilt, "out-of-fold.json", data)
    with pytest.raises(BundleError):
        read_out_of_fold(spoilt)
    assert read_bundle(spoilt).manifest.version


@pytest.mark.parametrize("name", ["dataset.md", "out-of-fold.json", "plot.reliability.svg"])
def test_documents_are_files_of_the_bundle(spoilt: Path, tmp_path: Path, name: str) -> None:
    """A document that is a link to a file elsewhere is refused, even one of the same bytes."""
    outside = tmp_path / "outside"
    (spoilt / name).rename(outside)
    (spoilt / name).symlink_to(outside)
    with pytest.raises(BundleError, match=re.escape(name)):
        read_bundle(spoilt)


@pytest.mark.parametrize("name", ["../stray.md", "/etc/passwd", "a/b.md", "", ".", "card.md\x00", "CARD.MD"])
def test_documents_have_known_names(spoilt: Path, name: str) -> None:
    """No name that leads out of the folder, and no other name at all."""
    manifest = json.loads((spoilt / "manifest.json").read_text(encoding="utf-8"))
    manifest["documents"][name] = manifest["documents"]["card.md"]
    (spoilt / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError):
        read_bundle(spoilt)


def test_sizes_are_checked_before_anything_is_read(spoilt: Path) -> None:
    """A file that is larger than the manifest says, or a manifest that promises terabytes, is not read whole."""
    for name in ("card.md", "weights.npz", "vocabulary.stems.json"):
        sound = (spoilt / name).read_bytes()
        with (spoilt / name).open("r+b") as file:
            file.truncate(1 << 42)  # sparse: it takes no room, and would fill the memory
        with pytest.raises(BundleError, match=re.escape(name)):
            read_bundle(spoilt)
        (spoilt / name).write_bytes(sound)
    manifest = json.loads((spoilt / "manifest.json").read_text(encoding="utf-8"))
    manifest["documents"]["card.md"]["size"] = 1 << 62
    (spoilt / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError):
        read_bundle(spoilt)


def test_a_hostile_bundle_leaves_the_old_one_serving(
    bundle: Path, spoilt: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is put in place behind the registry's back is not loaded, and the log says why."""
    registry = Registry(tmp_path / "models")
    version = registry.add(bundle)
    registry.activate(version)
    app = create_app(load_settings(home=tmp_path, model_check_seconds=0))
    with in_process(app) as client, caplog.at_level(logging.INFO):
        with np.load(spoilt / "weights.npz") as arrays:
            changed = {name: array * np.float32("nan") for name, array in arrays.items()}
        np.savez(spoilt / "weights.npz", **changed)
        spoilt.rename(tmp_path / "models" / ("0" * 12))
        (tmp_path / "models" / "active").write_text("0" * 12 + "\n", encoding="utf-8")
        app.state.models.refresh()
        answer = client.post("/v1/predict", json={"text": "a"})
        assert (answer.status_code, answer.json()["model_version"]) == (200, version)
        assert client.get("/readyz").json()["model_version"] == version
    assert any("weights.npz" in str(getattr(record, "fields", "")) for record in caplog.records)


# Cells of tables


@pytest.mark.parametrize("first", [*FORMULA_STARTS])
def test_no_cell_begins_a_formula(first: str) -> None:
    """Whatever a spreadsheet might run is led by an apostrophe, also after it was written and read again."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerow([neutral_cell(f"{first}HYPERLINK(1)|'/c calc'!A0")])
    (cell,) = next(csv.reader(io.StringIO(stream.getvalue(), newline="")))
    assert cell[0] == "'"


def test_every_table_neutralises_its_cells() -> None:
    """A module that writes CSV, by whatever library, uses the one function for cells that come from posts."""
    writers = [
        path
        for package in ("annotations", "classifiers", "service")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"csv\.(?:Dict)?[Ww]riter\(|\.to_csv\(|write_csv\(", path.read_text(encoding="utf-8"))
    ]
    assert writers
    for path in writers:
        assert re.search(r"neutral_cell|protected_cell", path.read_text(encoding="utf-8")), path


# What docs/security.md promises

DOCUMENT = ROOT / "docs" / "security.md"


def test_every_test_that_the_document_names_exists() -> None:
    """Each item of the OWASP list is there, and names tests that there are."""
    text = DOCUMENT.read_text(encoding="utf-8")
    items = re.findall(r"^### (API\d+:2023)", text, re.MULTILINE)
    assert items == [f"API{number}:2023" for number in range(1, 11)]
    named = re.findall(r"`(test_\w+)::(test_\w+)`", text)
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        if section.startswith("API"):
            assert re.search(r"`test_\w+::test_\w+`", section), section.splitlines()[0]
    for module, test in named:
        source = (ROOT / "tests" / f"{module}.py").read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?def {test}\(", source, re.MULTILINE), f"{module}::{test}"


@pytest.mark.parametrize("document", ["security.md", "operations.md", "api.md"])
def test_documented_settings_exist(document: str) -> None:
    """A variable that the documents name can be set."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    known = {f"TALKINGPOINTS_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"TALKINGPOINTS_[A-Z_]*[A-Z]", text)) <= known
