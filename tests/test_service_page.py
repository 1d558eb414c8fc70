"""Tests of service.page and service.routes.pages, the last ones in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser

from classifiers.predictions import Decision
from service.app import build_app, create_app
from service.page import Segment, percent, segments, tag_colors_css
from service.schemas import EvidenceOut, TagOut
from service.settings import load_settings
from service.tagger import ActiveModel
from service.testing import FakeTagger, InProcessClient, in_process, on_a_socket

HOSTILE = '<script>alert(1)</script><b> multipolar "><img src=x onerror=alert(2)> Charter'


def _tag(*spans: tuple[int, int]) -> TagOut:
    return TagOut(
        id="t",
        title="T",
        family="f",
        score=0.9,
        threshold=0.5,
        decision=Decision.YES,
        reason=None,
        evidence=[EvidenceOut(start=start, end=end, text="", weight=1.0) for start, end in spans],
    )


class _Words(HTMLParser):
    """Collects the elements of a page, and the text inside the one of class `post`, numbers left out."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.post = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if self._open or ("class", "post") in attrs:
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
def client() -> Iterator[InProcessClient]:
    """Yield a client of a service with a fake model."""
    with in_process(create_app(load_settings(max_text_length=500), FakeTagger())) as client:
        yield client


def test_segments_of_overlapping_evidence() -> None:
    """Where evidence of two tags overlaps, the text is cut so that each piece has one set of tags."""
    assert segments("abcdefgh", [_tag((1, 5)), _tag((3, 7))]) == [
        Segment("a", ()),
        Segment("bc", (1,)),
        Segment("de", (1, 2)),
        Segment("fg", (2,)),
        Segment("h", ()),
    ]


@given(
    text=st.text(min_size=1, max_size=30),
    ends=st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=3), max_size=3),
)
def test_segments_join_to_the_text(text: str, ends: list[list[tuple[int, int]]]) -> None:
    """Whatever the evidence, nothing of the text is lost or doubled, and each span is covered by its tag."""
    tags = [
        _tag(*((min(a, b), max(a, b)) for a, b in spans if min(a, b) < max(a, b) <= len(text)))
        for spans in ends
    ]
    found = segments(text, tags)
    assert "".join(segment.text for segment in found) == text
    for number, tag in enumerate(tags, 1):
        covered = {i for item in tag.evidence for i in range(item.start, item.end)}
        assert sum(len(segment.text) for segment in found if number in segment.tags) == len(covered)


def test_nothing_is_shown_as_certain() -> None:
    """Scores near 0 and 1 are shown as 1 and 99 percent."""
    assert [percent(share) for share in (0.0, 0.316, 0.9996)] == ["1 %", "32 %", "99 %"]


def test_only_safe_colours_are_written() -> None:
    """An id or colour that could break out of the style sheet is left out."""
    colors = {"good-one": "#12aBef", "bad{}": "#123456", "worse": "red;} body{display:none"}
    assert tag_colors_css(colors) == ".tag-good-one { --tag: #12aBef; }\n"


def test_hostile_text_is_shown_as_text(client: InProcessClient) -> None:
    """HTML in a post, and in the codebook's titles, comes out as the characters it is."""
    answer = client.post("/", data={"text": HOSTILE})
    page = _parsed(answer.text)
    assert (answer.status_code, page.post) == (200, HOSTILE)
    assert {"script", "img", "b", "calling"}.isdisjoint(page.elements)
    assert "Name &lt;calling&gt;" in answer.text


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
    """Whatever is posted to the page, it answers."""
    for body in (b"\xff\xfe", b"text=%ff%00", b"&" * 3, b'{"text": 1}'):
        assert client.post("/", content=body).status_code == 200
    answer = client.post("/", content=b"a=1&" * 30)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_without_a_model_the_page_says_what_to_do() -> None:
    """The page is there before the first model, with the way to one."""

    class NoRegistry:
        def active(self) -> str:
            from classifiers.errors import ModelNotFoundError  # noqa: PLC0415

            raise ModelNotFoundError("none")

    with in_process(
        build_app(load_settings(), ActiveModel(NoRegistry(), lambda path: FakeTagger()))
    ) as client:
        for answer in (client.get("/"), client.post("/", data={"text": "a"})):
            assert (answer.status_code, "talkingpoints train" in answer.text) == (200, True)
        assert client.get("/assets/tags.css").text == ""


def test_api_page_lists_every_call(client: InProcessClient) -> None:
    """The API page has each operation of the document and an anchor for each kind of problem."""
    html = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert f"</span> {path}</h2>" in html
    assert f'id="{client.get("/nowhere").json()["type"].partition("#")[2]}"' in html


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_in_a_browser(browser: Browser, scheme: str, width: int) -> None:
    """By keyboard alone a hostile post is tagged; nothing runs, nothing is blocked, nothing sticks out."""
    with on_a_socket(create_app(load_settings(), FakeTagger())) as port:
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("requestfailed", lambda request: said.append(request.url))
        page.goto(f"http://127.0.0.1:{port}/")
        page.get_by_label("Text of the post").focus()
        page.keyboard.insert_text(HOSTILE)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="3 tags").wait_for()
        assert page.locator("mark").all_inner_texts() == ["<b>3", "multipolar1", "Charter2"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert (
            page.locator("mark").first.evaluate("e => getComputedStyle(e).backgroundColor")
            != "rgba(0, 0, 0, 0)"
        )
        assert said == []
        page.close()
