"""An exported Label Studio JSON imported into a real Label Studio, and read back out of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotations.codebook import parse_codebook
from annotations.exporting.entries import Entry
from annotations.exporting.writing import ExportOptions, export
from annotations.labeling_config import labeling_config
from annotations.ledger.store import open_ledger
from annotations.records import Annotation, Span, text_digest
from annotations.studio.parsing import AnnotationReader
from annotations.studio.project import ProjectOptions, ensure_project

pytestmark = pytest.mark.live

CODEBOOK = parse_codebook(
    """
version: "1"
title: Export test
families:
  - id: claims
    title: Claims
    tags:
      - {id: multipolarity, title: Multipolar world, definition: Several centres of power.}
      - {id: un-role, title: Role of the UN, definition: The UN is central.}
"""
)
TEXTS = (
    "=SUM(A1) 🇷🇺 👨‍👩‍👧 e\u0301: a multipolar world, многополярный мир & <b>the UN</b>.",
    'Say "hi"\r\nשלום \u202eمرحبا\u202c\tthe end',
    "\ufeffSkipped \u2028 post",
    "Nobody has seen this one.",
)


def _annotation(number: int, annotator: str, **changes: Any) -> Annotation:
    text = TEXTS[number]
    values = {"post_id": f"mfa/{number}", "annotator": annotator, "text": text, "tags": {}}
    values |= {"revision": text_digest(text), "codebook": CODEBOOK.digest}
    return Annotation(**(values | changes))


def _entry(number: int, *annotations: Annotation) -> Entry:
    return Entry(
        post_id=f"mfa/{number}",
        revision=text_digest(TEXTS[number]),
        text=TEXTS[number],
        channel="mfa",
        links=("https://example.org/?a=1&b=2",),
        annotations=annotations,
    )


ANNOTATIONS = (
    _annotation(
        0,
        "anna",
        tags={"multipolarity": (Span(0, 4), Span(9, 11)), "un-role": ()},
        origin={"multipolarity": "prediction", "un-role": "manual"},
        flags=("unclear",),
        comment="=1+1 🤔\nsecond line",
        lead_time=2.5,
    ),
    _annotation(0, "ben"),
    _annotation(1, "anna", tags={"un-role": (Span(0, len(TEXTS[1])),)}, origin={"un-role": "manual"}),
    _annotation(2, "ben", skipped=True),
)
ENTRIES = (
    _entry(0, *ANNOTATIONS[:2]),
    _entry(1, ANNOTATIONS[2]),
    _entry(2, ANNOTATIONS[3]),
    _entry(3),
)


@pytest.mark.parametrize("gold", [False, True])
def test_an_export_is_imported_and_read_back(live_studio: Any, tmp_path: Path, gold: bool) -> None:
    """Uploaded as a file, as people do: tasks, tags, spans, flags, comments, skips are all there afterwards."""
    path = tmp_path / "export.json"
    export(ENTRIES, path, ExportOptions(codebook=CODEBOOK, gold=gold))
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with live_studio.client() as client:
        project = ensure_project(ledger, client, CODEBOOK, ProjectOptions(new_project=True))
    ledger.close()
    token = live_studio.running.credentials.admin.token
    address = f"{client.url}/api/projects/{project.project_id}"
    with httpx.Client(headers={"Authorization": f"Token {token}"}, timeout=120) as http:
        files = {"file": (path.name, path.read_bytes(), "application/json")}
        answer = http.post(f"{address}/import", files=files)
        assert answer.status_code == 201, answer.text
        everything = {"exportType": "JSON", "download_all_tasks": "true"}
        tasks = http.get(f"{address}/export", params=everything).raise_for_status().json()
    tasks.sort(key=lambda task: task["data"]["post_id"])
    assert [task["data"]["text"] for task in tasks] == list(TEXTS)
    reader = AnnotationReader(CODEBOOK)
    found = []
    for task in tasks:
        received = sorted(task["annotations"], key=lambda each: int(each["id"]))
        names = ["gold"] * len(received) if gold else task["data"]["annotators"]
        parsed = [reader.read(task, each, name) for each, name in zip(received, names, strict=True)]
        assert not [problem for each in parsed for problem in each.problems]
        found += [each.annotation for each in parsed]
        assert {each["ground_truth"] for each in received} <= {gold}
    if gold:
        assert [dict(each.tags) for each in found if each] == [{}, dict(ANNOTATIONS[2].tags), {}]
    else:
        assert found == list(ANNOTATIONS)


def test_what_is_imported_has_the_labels_of_the_page(tmp_path: Path) -> None:
    """Label Studio's own checks of a result find nothing wrong with an exported one."""
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    page = interface.LabelInterface(labeling_config(CODEBOOK))
    path = tmp_path / "export.json"
    export(ENTRIES, path, ExportOptions(codebook=CODEBOOK))
    for task in json.loads(path.read_text(encoding="utf-8")):
        for annotation in task["annotations"]:
            assert page.validate_prediction({"result": annotation["result"]}, return_errors=True) == []
