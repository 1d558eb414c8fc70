"""A few hundred cases of schemathesis on the OpenAPI document; `make soak` tries many more, on a real model."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from annotations.codebook import dump_codebook
from annotations.ledger.store import open_ledger
from annotations.records import Annotation
from service.app import build_app
from service.settings import load_settings
from service.tagger import FixedModel
from service.testing import FakeTagger, on_a_socket, small_codebook, store_annotations
from soak.api_cases import Effort, run_schemathesis


def test_the_service_does_what_its_document_says(tmp_path: Path) -> None:
    """No failed check, no undocumented status, header or shape, in any operation."""
    settings = load_settings(home=tmp_path / "workspace")
    settings.workspace.home.mkdir()
    settings.workspace.codebook_path.write_text(dump_codebook(small_codebook()), encoding="utf-8")
    with closing(open_ledger(settings.workspace.ledger_url)) as ledger:
        text = "The Charter is the base of the order."
        store_annotations(ledger, [Annotation(post_id="a/1", annotator="A", text=text, tags={"un-role": ()})])
    with on_a_socket(build_app(settings, FixedModel(FakeTagger()))) as port:
        effort = Effort(n_cases=300, n_examples=20, seed=1, phases="examples,fuzzing")
        n_cases, failure = run_schemathesis(f"http://127.0.0.1:{port}", tmp_path, effort, effort.seed)
    assert not failure, failure
    assert n_cases >= 200
