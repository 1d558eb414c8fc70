"""Tests of service.similar, service.similar_source and POST /v1/similar."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from annotations.codebook import dump_codebook
from annotations.ledger.erasing import erase_posts
from annotations.ledger.erasure_plan import plan_erasure
from annotations.ledger.store import Ledger, open_ledger
from annotations.records import Annotation, Span
from service import similar as similar_module
from service import similar_source
from service.app import create_app
from service.settings import Settings, load_settings
from service.similar import SimilarIndex, TaggedPost, excerpt, terms_of
from service.testing import FakeTagger, InProcessClient, in_process, small_codebook, store_annotations

DATE = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
TAGS = {tag.id: (tag.title, tag.family) for tag in small_codebook().tags}


def _annotation(number: int, text: str, annotator: str = "A", **changes: Any) -> Annotation:
    values: dict[str, Any] = {"tags": {}, "date": DATE, "codebook": small_codebook().digest}
    return Annotation(post_id=f"mfa/{number}", annotator=annotator, text=text, **(values | changes))


RIVER = "The rivers of the valley belong to all of its villages."
LEAGUE = "Heroes of the old league built the great bridge."
ANNOTATIONS = (
    _annotation(1, RIVER, tags={"multipolarity": (Span(0, 5),)}),
    _annotation(1, RIVER, "B", tags={"un-role": (), "multipolarity": ()}),
    _annotation(2, LEAGUE, tags={"name-calling": ()}),
    _annotation(3, "Каждая река принадлежит деревням.", tags={"un-role": ()}),
    _annotation(4, "Villages by the river trade bread.", date=None),
    _annotation(5, "A river that nobody has read.", skipped=True),
    _annotation(6, "A river under another codebook.", codebook="0123456789abcdef"),
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings of an empty workspace with the small codebook."""
    path = tmp_path / "codebook.yaml"
    path.write_text(dump_codebook(small_codebook()), encoding="utf-8")
    return load_settings(home=tmp_path / "workspace", codebook=path, max_text_length=1_000)


@pytest.fixture
def ledger(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """Yield the workspace's ledger with annotations; the index looks at it at every call."""
    monkeypatch.setattr(similar_source, "_LOOK_SECONDS", 0.0)
    opened = open_ledger(settings.workspace.ledger_url)
    store_annotations(opened, ANNOTATIONS)
    yield opened
    opened.close()


@pytest.fixture
def client(settings: Settings) -> Iterator[InProcessClient]:
    """Yield a client of the service."""
    with in_process(create_app(settings, FakeTagger())) as started:
        yield started


def _similar(client: InProcessClient, text: str, **body: Any) -> httpx.Response:
    return client.post("/v1/similar", json={"text": text} | body)


def _ids(client: InProcessClient, text: str, **body: Any) -> list[str]:
    return [each["post_id"] for each in _similar(client, text, **body).json()["posts"]]


def test_the_nearest_posts_come_with_what_people_said(client: InProcessClient, ledger: Ledger) -> None:
    """Stems count, not forms; the text itself comes first; each tag has the share of those who ticked it."""
    answer = _similar(client, RIVER).json()
    assert (answer["codebook_version"], answer["n_posts"]) == ("7", 4)
    assert answer["posts"][0] == {
        "post_id": "mfa/1",
        "channel": "mfa",
        "date": "2026-01-31T09:30:00Z",
        "excerpt": RIVER,
        "score": 1.0,
        "n_annotators": 2,
        "tags": [
            {"id": "multipolarity", "title": "Multipolar order", "family": "claims", "share": 1.0},
            {"id": "un-role", "title": 'Role of the "UN"', "family": "claims", "share": 0.5},
        ],
    }
    assert _ids(client, "river village") == ["mfa/4", "mfa/1"]
    assert _ids(client, "деревня у реки") == ["mfa/3"]
    assert _ids(client, "nothing alike") == []


def test_n_and_tags_limit_the_answer(client: InProcessClient, ledger: Ledger) -> None:
    """Only posts that people gave one of the tags; an unknown tag is refused with those there are."""
    assert _ids(client, "river village", n=1) == ["mfa/4"]
    assert _ids(client, "river village", tags=["un-role", "name-calling"]) == ["mfa/1"]
    problem = _similar(client, "a", tags=["unrole"]).json()
    assert (problem["status"], problem["errors"][0]["pointer"]) == (422, "/tags/0")
    for body in ({"n": 0}, {"n": 51}, {"n": "1"}, {"tags": []}, {"other": 1}):
        assert _similar(client, "a", **body).status_code == 422
    assert _similar(client, "a" * 1_001).json()["errors"][0]["code"] == "string_too_long"


def test_without_a_ledger_there_is_nothing_and_none_is_made(
    client: InProcessClient, settings: Settings
) -> None:
    """A workspace in which nothing was annotated yet is no error."""
    assert _similar(client, "river").json() == {"codebook_version": "7", "n_posts": 0, "posts": []}
    assert not settings.workspace.has_ledger


def test_the_index_follows_the_ledger(client: InProcessClient, settings: Settings, ledger: Ledger) -> None:
    """New annotations, a codebook of another meaning, an edit, and an erasure are seen at the next call."""
    assert _ids(client, "river villages")[0] == "mfa/4"
    store_annotations(ledger, [_annotation(7, "River villages.")])
    assert _ids(client, "river villages")[0] == "mfa/7"
    store_annotations(ledger, [_annotation(7, "Something else now.", "C")])
    assert "mfa/7" not in _ids(client, "river villages")
    erase_posts(ledger, plan_erasure(ledger, ["mfa/4"]), "asked for")
    assert _ids(client, "river villages") == ["mfa/1"]
    changed = dump_codebook(small_codebook()).replace("Many poles.", "At least two poles.")
    settings.codebook_path.write_text(changed, encoding="utf-8")
    assert _similar(client, RIVER).json()["n_posts"] == 0


def test_while_one_thread_makes_another_index_the_others_answer_by_the_old(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits but for the first index."""
    app = create_app(settings, FakeTagger())
    similar = app.state.similar
    assert len(similar.nearest("river", 5)) == 2
    assert len(similar.index()) == 4
    begun, go_on = threading.Event(), threading.Event()

    def slow(text: str, language: str) -> tuple[str, ...]:
        begun.set()
        assert go_on.wait(20)
        return terms_of(text, language)

    monkeypatch.setattr(similar_module, "terms_of", slow)
    store_annotations(ledger, [_annotation(8, "Another river.")])
    thread = threading.Thread(target=similar.nearest, args=("river", 5))
    thread.start()
    assert begun.wait(20)
    assert len(similar.index()) == 4
    go_on.set()
    thread.join()
    assert len(similar.nearest("river", 5)) == 3
    app.state.ledgers.close()


def test_the_posts_annotated_last_are_kept(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is bounded."""
    monkeypatch.setattr(similar_source, "MOST_POSTS", 2)
    app = create_app(settings, FakeTagger())
    assert len(app.state.similar.index()) == 2
    app.state.ledgers.close()


@given(st.lists(st.text(max_size=40), max_size=8), st.text(max_size=40), st.integers(1, 50))
@examples(max_examples=60, deadline=None)
def test_any_texts_can_be_compared(texts: list[str], text: str, n: int) -> None:
    """At most n, the most similar first, scores within bounds, and a text with words is nearest to itself."""
    posts = [TaggedPost(f"c/{k}", None, each, {}, 1) for k, each in enumerate([*texts, text])]
    index = SimilarIndex(posts, TAGS)
    found = index.nearest(text, n)
    scores = [each.score for each in found]
    assert len(found) <= n
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    if terms_of(text, ""):
        assert scores[0] > 0.999


def test_excerpts_are_cut_between_words() -> None:
    """Blanks are made one, and what follows is hinted at."""
    assert excerpt("One\n\n two ") == "One two"
    long = excerpt("word " * 1_000)
    assert long.endswith("word …")
    assert len(long) <= 282
    assert excerpt(" " * 2_000 + "x") == " …"
