"""Tests of service.page and of the pages for posts, the codebook and the API, as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from annotations.codebook import Codebook, default_codebook_path, load_codebook
from annotations.errors import LedgerError
from annotations.ledger.store import open_ledger
from annotations.records import Post
from classifiers.errors import ModelNotFoundError
from service.app import build_app, create_app
from service.page import day, percent
from service.settings import load_settings
from service.similar import SimilarPost, SimilarTag
from service.tagger import ActiveModel
from service.testing import FakeTagger, InProcessClient, in_process, small_codebook, store_posts

HOSTILE = '<script>alert(1)</script><b> multipolar "><img src=x onerror=alert(2)> Charter'
_FIRST = datetime(2026, 3, 1, tzinfo=UTC)


class _Words(HTMLParser):
    """Collects the elements of a page, and the text inside the one of class `post`, numbers left out."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.ids: list[str] = []
        self.post = ""
        self.post_attributes: dict[str, str | None] = {}
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.ids += [str(value) for name, value in attrs if name == "id"]
        if self._open or ("class", "post") in attrs:
            self.post_attributes = self.post_attributes or dict(attrs)
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "sup":
            self.post += data


def _parsed(html: str) -> _Words:
    parser = _Words()
    parser.feed(html)
    return parser


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with 23 posts of a ministry and two that are odd."""
    home = tmp_path_factory.mktemp("workspace")
    made = [
        Post(channel="Calverra", message_id=str(n), text=f"Day {n}: a multipolar world.", lang="en",
             date=_FIRST + timedelta(days=n))
        for n in range(23)
    ]  # fmt: skip
    made += [
        Post(channel="odd <one>", message_id="1", text=HOSTILE, lang='"><b>'),
        Post(channel="odd <one>", message_id="2", text="x" * 600),
    ]
    with closing(open_ledger(load_settings(home=home).workspace.ledger_url)) as ledger:
        store_posts(ledger, made)
    return home


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[InProcessClient]:
    """Yield a client of a service with a fake model and a ledger."""
    tagger = FakeTagger(doubts={"un-role": "perhaps"})
    with in_process(create_app(load_settings(home=home, max_text_length=500), tagger)) as client:
        yield client


def test_nothing_is_shown_as_certain() -> None:
    """Scores near 0 and 1 are shown as 1 and 99 percent."""
    assert [percent(share) for share in (0.0, 0.316, 0.9996)] == ["1%", "32%", "99%"]


def test_days_are_those_of_utc() -> None:
    """A time of another zone is shown by its day in UTC; what is no time is shown as it is."""
    assert day("2026-03-01T23:30:00-03:00") == "2 March 2026"
    assert day("2026-03-01") == "1 March 2026"
    assert day("soon") == "soon"


def test_hostile_text_is_shown_as_text(client: InProcessClient) -> None:
    """HTML in a post, and in the codebook's titles, comes out as the characters it is."""
    for answer in (client.post("/", data={"text": HOSTILE}), client.get("/?post=odd <one>/1")):
        page = _parsed(answer.text)
        assert (answer.status_code, page.post) == (200, HOSTILE)
        assert {"script", "img", "calling", "one"}.isdisjoint(page.elements)
        assert "Name &lt;calling&gt;" in answer.text
        assert page.post_attributes == {"class": "post", "dir": "auto", "lang": "en"}
        assert len(page.ids) == len(set(page.ids))


def test_line_ends_and_other_alphabets(client: InProcessClient) -> None:
    """A form's CRLF are line ends, and the text comes back in the form as it was."""
    answer = client.post("/", data={"text": "\r\nМир\r\nmultipolar 🌍"})
    assert "\n\nМир\nmultipolar 🌍</textarea>" in answer.text
    assert _parsed(answer.text).post == "\nМир\nmultipolar 🌍"


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "Paste the text"), ("  \n", "Paste the text"), ("a" * 501, "at most 500 can be tagged")],
)
def test_what_cannot_be_tagged_is_said_on_the_page(client: InProcessClient, text: str, message: str) -> None:
    """An empty or overlong text brings the form back with the reason."""
    assert message in client.post("/", data={"text": text}).text


def test_bodies_that_are_no_form(client: InProcessClient) -> None:
    """Whatever is posted to the page, it answers; lone surrogates become replacement characters."""
    for body in (b"\xff\xfe", b"text=%ff%00", b"&" * 3, b'{"text": 1}', b"text=a%ed%a0%80multipolar%00"):
        answer = client.post("/", content=body)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "\x00" not in answer.text
    assert _parsed(answer.text).post == "a\ufffd\ufffd\ufffdmultipolar\ufffd"
    answer = client.post("/", content=b"a=1&" * 30)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_a_body_over_the_limit_is_said_on_the_page(home: Path) -> None:
    """The form comes back with the reason and the status."""
    with in_process(create_app(load_settings(home=home, max_body_bytes=1000), FakeTagger())) as client:
        answer = client.post("/", data={"text": "a" * 2000})
    assert (answer.status_code, "larger than 1000 bytes" in answer.text) == (413, True)


def test_a_tag_that_is_left_open_says_why(client: InProcessClient) -> None:
    """Its score, the threshold, and a passage that is marked while the tag is chosen."""
    html = client.post("/", data={"text": "perhaps the multipolar UN"}).text
    assert "too near the threshold of 50% to say yes or no" in html
    assert "<h1>1 tag in this post</h1>" in html
    assert '<mark class="tag-un-role lane-0 maybe">perhaps<sup aria-hidden="true">2</sup></mark>' in html


def test_a_tag_that_is_not_predicted_says_why(home: Path) -> None:
    """It is listed with the model's reason, and no score is shown."""
    with in_process(create_app(load_settings(home=home), FakeTagger(words={}))) as client:
        html = client.post("/", data={"text": "multipolar"}).text
    assert "<h1>No tags in this post</h1>" in html
    assert html.count('<span class="quiet">: too few examples</span>') == 3


def test_what_cannot_be_seen_in_a_post_is_named(client: InProcessClient) -> None:
    """A text that is turned round or holds controls says so."""
    html = client.post("/", data={"text": "multipolar \u202edlrow\u202c \u202e"}).text
    assert "right-to-left override (U+202E) × 2, pop directional formatting (U+202C)." in html
    assert "Cannot be seen" not in client.post("/", data={"text": "multipolar"}).text


def test_posts_of_the_ledger_can_be_picked(client: InProcessClient) -> None:
    """The newest come first, ten a page; picking one tags it."""
    first, last = client.get("/").text, client.get("/?page=3").text
    assert [n for n in range(23) if f"Day {n}:" in first] == list(range(13, 23))
    assert ("Older posts" in first, "Newer posts" in first) == (True, False)
    assert ("Older posts" in last, "Newer posts" in last) == (False, True)
    assert "odd &lt;one&gt;" in last
    assert '<b>"' not in last
    picked = client.get("/?post=Calverra/7").text
    assert _parsed(picked).post == "Day 7: a multipolar world."
    assert (
        '<bdi>Calverra/7</bdi> · <time datetime="2026-03-08T00:00:00.000000+00:00">8 March 2026</time>'
        in picked
    )


def test_posts_of_the_ledger_can_be_looked_for(client: InProcessClient) -> None:
    """By words and channel; what makes no sense in the address is passed over."""
    found = client.get("/", params={"q": "DAY 17:", "channel": "Calverra"}).text
    assert [n for n in range(23) if f"Day {n}:" in found] == [17]
    assert "<option selected>Calverra</option>" in found
    assert "No post has all of these words" in client.get("/?q=absent").text
    for page in ("0", "-1", "x", "９", "9" * 50):
        assert client.get("/", params={"page": page}).status_code == 200


def test_a_post_that_is_not_there_or_too_long(client: InProcessClient) -> None:
    """The page says so, and still offers the others."""
    absent = client.get("/?post=Calverra/99")
    assert (absent.status_code, "There is no such post" in absent.text, "Recent posts" in absent.text) == (
        404,
        True,
        True,
    )
    long = client.get("/", params={"post": "odd <one>/2"}).text
    assert "at most 500 can be tagged" in long


def test_without_a_ledger_there_is_nothing_to_pick_and_none_is_made(tmp_path: Path) -> None:
    """The page only reads."""
    with in_process(create_app(load_settings(home=tmp_path / "none"), FakeTagger())) as client:
        assert "Recent posts" not in client.get("/").text
        assert client.get("/?post=a/1").status_code == 404
    assert not (tmp_path / "none").exists()


def test_a_ledger_that_cannot_be_read_takes_nothing_else_away(tmp_path: Path) -> None:
    """Pasting works; where the ledger lies and what is wrong is for the log."""
    (tmp_path / "ledger.db").write_bytes(b"no database at all" * 100)
    with in_process(create_app(load_settings(home=tmp_path), FakeTagger())) as client:
        answer = client.get("/")
        assert (answer.status_code, "cannot be read at the moment" in answer.text) == (200, True)
        assert str(tmp_path) not in answer.text
        assert "<mark" in client.post("/", data={"text": "multipolar"}).text


@dataclass
class _Similar:
    found: Sequence[SimilarPost] = ()
    error: Exception | None = None

    def nearest(self, text: str, n: int) -> Sequence[SimilarPost]:
        if self.error:
            raise self.error
        return self.found[:n]


def test_similar_posts_are_shown_where_something_finds_them(home: Path) -> None:
    """With their tags of today's codebook; a search that fails takes nothing else away."""
    found = [
        SimilarPost(
            "C/1",
            datetime(2026, 3, 1, tzinfo=UTC),
            "A <b>multipolar</b> world",
            0.8,
            tuple(SimilarTag(tag, tag, "claims", 1.0) for tag in ("un-role", "gone")),
            "C",
            2,
        )
    ]
    app = create_app(load_settings(home=home), FakeTagger())
    with in_process(app) as client:
        assert "Similar posts" not in client.post("/", data={"text": "multipolar"}).text
        app.state.similar = _Similar(found)
        html = client.post("/", data={"text": "multipolar"}).text
        app.state.similar = _Similar(error=LedgerError("gone"))
        failed = client.post("/", data={"text": "multipolar"})
    assert "A &lt;b&gt;multipolar&lt;/b&gt; world" in html
    assert '<li class="chip tag-un-role">Role of the &#34;UN&#34;</li>' in html
    assert ("80% alike" in html, "gone" in html) == (True, False)
    assert (failed.status_code, "Similar posts" in failed.text) == (200, False)


class _NoRegistry:
    def versions(self) -> list[str]:
        return []

    def active(self) -> str:
        raise ModelNotFoundError("none")

    def path(self, version: str) -> Path:
        raise ModelNotFoundError(version)


def test_without_a_model_the_pages_say_what_to_do(tmp_path: Path) -> None:
    """They are there before the first model, with the way to one; the codebook is that to annotate by."""
    models = ActiveModel(_NoRegistry(), lambda path: FakeTagger())
    with in_process(build_app(load_settings(home=tmp_path), models)) as client:
        for answer in (client.get("/"), client.post("/", data={"text": "a"}), client.get("/model")):
            assert (answer.status_code, "talkingpoints train" in answer.text) == (200, True)
        codebook = load_codebook(default_codebook_path())
        assert codebook.title in client.get("/codebook").text
        assert f".tag-{codebook.tag_ids[0]} " in client.get("/assets/tags.css").text


def test_a_codebook_that_cannot_be_read(tmp_path: Path) -> None:
    """The page says which command tells why, and gives no path away."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("version: [", encoding="utf-8")
    models = ActiveModel(_NoRegistry(), lambda path: FakeTagger())
    with in_process(build_app(load_settings(home=tmp_path, codebook=broken), models)) as client:
        answer = client.get("/codebook")
        assert (answer.status_code, "talkingpoints codebook check" in answer.text) == (200, True)
        assert str(tmp_path) not in answer.text
        assert client.get("/assets/tags.css").text == ""


def _full_codebook() -> Codebook:
    small = small_codebook()
    first = replace(
        small.tags[0], include=("Poles <in>",), exclude=("Pole <out>",), positive=("Many <yes>",),
        negative=("One <no>",), cues=("multi*",), color="#123456", hotkey="k",
    )  # fmt: skip
    old = replace(small.tags[2], id="old", title="Old <tag>", replaced_by="name-calling")
    return replace(small, tags=(first, *small.tags[1:], old), rules=("Read <all>.",))


def test_the_codebook_page_has_everything_of_a_tag() -> None:
    """Its rule, examples, cues, key and colour; what is retired points to what stands for it."""
    codebook = _full_codebook()
    with in_process(create_app(load_settings(), FakeTagger(codebook=codebook))) as client:
        html, css = client.get("/codebook").text, client.get("/assets/tags.css").text
    for word in (
        "Poles &lt;in&gt;",
        "Pole &lt;out&gt;",
        "Many &lt;yes&gt;",
        "One &lt;no&gt;",
        "multi*",
        "<kbd>k</kbd>",
    ):
        assert word in html
    assert "Read &lt;all&gt;." in html
    assert 'Old &lt;tag&gt;</b>: now\n<a href="#name-calling">' in html
    assert ".tag-multipolarity { --tag: #123456; --on-tag: #ffffff;" in css
    page = _parsed(html)
    assert len(page.ids) == len(set(page.ids))
    assert {*codebook.tag_ids, "old", "family-claims"} <= set(page.ids)


def test_pages_know_each_other(client: InProcessClient) -> None:
    """Each is in the navigation, the present one is marked; a report is linked only where there is one."""
    for path in ("/", "/codebook", "/model", "/docs"):
        html = client.get(path).text
        assert f'<li><a href="{path}" aria-current="page">' in html
        assert html.count('aria-current="page"') == (2 if path == "/model" else 1)
        assert 'href="/report"' not in html


def test_pages_hold_no_script_and_no_style_of_their_own(client: InProcessClient) -> None:
    """The policy forbids both, so that nothing of a post or a bundle can be run."""
    for path in ("/", "/?post=odd <one>/1", "/codebook", "/model", "/docs"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert {"script", "style"}.isdisjoint(_parsed(answer.text).elements)
        assert " style=" not in answer.text
        assert "http://" not in answer.text.replace("http://127.0.0.1", "")


def test_style_sheets_are_sent_once(client: InProcessClient) -> None:
    """A browser that has them is told that they are the same."""
    for path in ("/assets/page.css", "/assets/tags.css"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_api_page_lists_every_call(client: InProcessClient) -> None:
    """The API page has each operation of the document and an anchor for each kind of problem."""
    html = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert f"</span> {path}</h2>" in html
    assert f'id="{client.get("/nowhere").json()["type"].partition("#")[2]}"' in html
