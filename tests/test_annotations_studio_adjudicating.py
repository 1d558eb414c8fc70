"""Disagreements go to a real Label Studio, both sides shown, and come back as verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotations.adjudication import Side, consensus, with_verdicts
from annotations.codebook import parse_codebook
from annotations.errors import StudioError
from annotations.ledger.store import open_ledger
from annotations.records import Annotation, Span, text_digest
from annotations.studio.adjudicating import pull_verdicts, push_questions, sides_html
from annotations.studio.tasks import result_of

CODEBOOK = parse_codebook("""
version: "1"
title: Adjudication test
families:
  - id: claims
    title: Claims
    tags:
      - {id: multipolarity, title: Multipolar world, definition: Several centres of power.}
      - {id: un-role, title: Role of the UN, definition: The UN is central.}
      - {id: aid, title: Aid, definition: Help that is given.}
""")
TEXT = "A multipolar <world> & the UN 🇺🇳 help."


def _annotation(post: int, who: str, *tags: str) -> Annotation:
    return Annotation(
        post_id=f"c/{post}",
        annotator=who,
        text=TEXT,
        revision=text_digest(TEXT),
        tags={tag: (Span(2, 12),) for tag in tags},
        codebook=CODEBOOK.digest,
    )


def test_the_page_shows_both_sides_without_names_and_escaped() -> None:
    """Disputed tags in bold, the marked words quoted, nothing that a post or a comment holds becomes markup."""
    sides = [
        Side(name="anna", tags={"aid": (Span(13, 20),), "un-role": ()}, comment="<i>sure</i>"),
        Side(name="bert", tags={"un-role": ()}),
    ]
    html = sides_html(sides, CODEBOOK, TEXT, ["aid"], "Please decide: Aid")
    assert "<b>Aid</b>: “&lt;world&gt;”" in html
    assert "Role of the UN: no words marked" in html
    assert "&lt;i&gt;sure" in html
    assert "anna" not in html
    assert "bert" not in html


@pytest.mark.live
def test_disagreements_come_back_as_gold(live_studio: Any, tmp_path: Path) -> None:
    """Pushed once however often, agreed tags come ticked, and the adjudicator's verdict is gold with provenance."""
    annotations = [
        _annotation(1, "A", "multipolarity", "un-role"),
        _annotation(1, "B", "multipolarity"),
        _annotation(2, "A", "aid"),
        _annotation(2, "B", "aid"),
        _annotation(3, "A", "aid"),
        _annotation(3, "B"),
    ]
    found = consensus(annotations, CODEBOOK.tag_ids)
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with live_studio.client() as client:
        with pytest.raises(StudioError, match="nothing has been sent"):
            pull_verdicts(ledger, client, CODEBOOK)
        report = push_questions(ledger, client, CODEBOOK, found.open)
        again = push_questions(ledger, client, CODEBOOK, found.open)
        assert (report.pushed, again.pushed, again.already_there) == (2, 0, 2)
        tasks = {
            task["data"]["post_id"]: task for page in client.find_tasks(report.project_id) for task in page
        }
        (prediction,) = tasks["c/1"]["predictions"]
        assert prediction["result"][0]["value"]["choices"] == ["Multipolar world"]
        assert tasks["c/3"]["predictions"] == []
        verdict = _annotation(1, "judge", "multipolarity", "un-role")
        with live_studio.client("A") as judge:
            judge.annotate(tasks["c/1"]["id"], {"result": result_of(verdict, CODEBOOK), "lead_time": 4.0})
            judge.annotate(tasks["c/3"]["id"], {"result": [], "was_cancelled": True})
        verdicts = pull_verdicts(ledger, client, CODEBOOK, {"a@talkingpoints.example": "judge"})
        client.delete_project(report.project_id)
    ledger.close()
    assert verdicts.n_waiting == 1
    settled = with_verdicts(found, verdicts.annotations)
    gold = {each.annotation.post_id: each for each in settled.gold}
    assert (gold["c/1"].provenance, gold["c/1"].decided_by) == ("adjudicated", ("judge",))
    assert gold["c/1"].annotation.tags == verdict.tags
    assert gold["c/2"].provenance == "unanimous"
    assert [question.key[0] for question in settled.open] == ["c/3"]
