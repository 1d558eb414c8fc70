"""annotations.ledger.suggestions: who is blind, what was suggested, and the switch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio_predictions import announce_predictions, predictions_shown, settle_predictions
from annotations.ledger.studio_tasks import ProjectRow, save_project
from annotations.ledger.suggestions import (
    GivenSuggestion,
    Switch,
    blind_posts,
    falls_blind,
    set_switch,
    suggestions_on,
    switch,
    switches,
)
from annotations.records import Span

PROJECT = "server#1"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Return a ledger with one project."""
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    save_project(opened, ProjectRow(PROJECT, "Title", "digest", "2026-01-01", None, 0, 0))
    yield opened
    opened.close()


def _given(task_id: int, *, withheld: bool = False) -> GivenSuggestion:
    return GivenSuggestion(
        task_id=task_id,
        model_version="v1",
        post_id=f"a/{task_id}",
        revision="r",
        codebook="digest",
        tags={"un-role": (Span(0, 3), Span(5, 8)), "law": ()},
        confidence=0.25,
        withheld=withheld,
    )


def test_about_the_share_is_blind_and_always_the_same() -> None:
    """Over many posts the share comes out; the seed chooses others."""
    posts = [f"mfa/{number}" for number in range(5000)]
    blind = {post for post in posts if falls_blind(post, 0.2, 0)}
    assert 0.18 < len(blind) / len(posts) < 0.22
    assert blind != {post for post in posts if falls_blind(post, 0.2, 1)}


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_the_blind_posts_blind(post: str, one: float, other: float) -> None:
    """Shares are nested; 0 is nobody, 1 everybody."""
    low, high = sorted((one, other))
    assert falls_blind(post, low, 7) <= falls_blind(post, high, 7)
    assert (falls_blind(post, 0, 7), falls_blind(post, 1, 7)) == (False, True)


def test_a_later_share_moves_nobody(ledger: Ledger) -> None:
    """A post that may have been seen with a suggestion never becomes blind, and a blind one stays blind."""
    early = [f"mfa/{number}" for number in range(200)]
    before = blind_posts(ledger, PROJECT, early)
    assert 20 < len(before) < 60
    set_switch(ledger, PROJECT, Switch(shown=True, blind_share=1.0))
    assert blind_posts(ledger, PROJECT, [*early, "mfa/new"]) == {*before, "mfa/new"}
    set_switch(ledger, PROJECT, Switch(shown=True, blind_share=0.0))
    assert blind_posts(ledger, PROJECT, early) == before


def test_the_switch_has_a_history(ledger: Ledger) -> None:
    """It is off with a fifth blind until somebody turns it, and each state keeps its time."""
    assert switch(ledger, PROJECT) == Switch(shown=False, blind_share=0.2, seed=0, changed_at="")
    set_switch(ledger, PROJECT, Switch(shown=True))
    set_switch(ledger, PROJECT, Switch(shown=False))
    history = switches(ledger, PROJECT)
    assert [state.shown for state in history] == [True, False]
    assert history[0].changed_at < history[1].changed_at


def test_what_is_announced_is_kept_and_what_never_came_is_forgotten(ledger: Ledger) -> None:
    """Tags and spans come back as they were; a withheld one is no prediction of Label Studio."""
    target = (PROJECT, "v1")
    assert announce_predictions(ledger, target, [_given(1), _given(2), _given(3, withheld=True)]) == {1, 2, 3}
    assert predictions_shown(ledger, PROJECT, "v1") == {1: False, 2: False}
    assert announce_predictions(ledger, target, [_given(1)]) == set()
    settle_predictions(ledger, target, stored=[1], absent=[2])
    kept = suggestions_on(ledger, PROJECT, [1, 2, 3])
    assert sorted(kept) == [1, 3]
    assert kept[1][0].tags == _given(1).tags
    assert [kept[1][0].withheld, kept[3][0].withheld] == [False, True]


def test_a_withheld_suggestion_keeps_its_first_time(ledger: Ledger) -> None:
    """Every push meets blind posts again; when they would first have got it must not move."""
    target = (PROJECT, "v1")
    announce_predictions(ledger, target, [_given(3, withheld=True)])
    before = suggestions_on(ledger, PROJECT, [3])
    announce_predictions(ledger, target, [_given(3, withheld=True)])
    assert suggestions_on(ledger, PROJECT, [3]) == before
