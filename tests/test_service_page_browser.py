"""The pages in a real Chromium: axe, keyboard, phone and desktop, light and dark, without JavaScript."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from annotations.ledger.store import open_ledger
from annotations.records import Post
from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.describing import described
from classifiers.registry import Registry
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.training import train
from service.app import create_app
from service.settings import load_settings
from service.similar import SimilarPost, SimilarTag
from service.testing import FakeTagger, on_a_socket, store_posts

pytestmark = pytest.mark.browser

PHONE, DESKTOP = (390, 844), (1366, 768)
HOSTILE = (
    '<script>alert(1)</script><b> multipolar "><img src=x onerror=alert(2)> Charter\n'
    "perhaps \u202eturned\u202c " + "w" * 400 + " A" + "\u0301" * 300 + "\nشعب multipolar"
)
OVERLAPPING = FakeTagger(
    words={"multipolarity": "a multipolar world", "un-role": "world of the UN", "name-calling": "<b>"}
)
OVERLAPPING_TEXT = "It is a multipolar world of the UN."


class _Similar:
    def nearest(self, text: str, n: int) -> Sequence[SimilarPost]:
        return [
            SimilarPost(
                "Calverra/3",
                datetime(2026, 3, 4, tzinfo=UTC),
                "A world",
                0.8,
                tuple(SimilarTag(tag, tag, "claims", 1.0) for tag in ("multipolarity", "un-role")),
                "Calverra",
                2,
            )
        ]


@pytest.fixture(scope="module", autouse=True)
def _chromium() -> None:
    """Skip without a browser, but never where the project is checked as a whole."""
    if shutil.which("chromium") is None and os.environ.get("CI") == "true":
        pytest.fail("needs Debian's chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with posts, and a trained model with its cards and plots."""
    home = tmp_path_factory.mktemp("workspace")
    dataset = Dataset.from_annotations(invented_annotations(80), invented_codebook())
    trained = train(dataset, invented_codebook(), quick_options())
    write_bundle(trained, home / "bundle", documents=described(trained, dataset))
    registry = Registry(home / "models")
    registry.activate(registry.add(home / "bundle"))
    first = datetime(2026, 3, 1, tzinfo=UTC)
    posts = [
        Post(channel="Calverra", message_id=str(n), text=f"Day {n}: a multipolar world.", lang="en",
             date=first + timedelta(days=n))
        for n in range(12)
    ]  # fmt: skip
    posts.append(
        Post(channel="odd", message_id="1", text=HOSTILE, date=first + timedelta(days=20), lang="ar")
    )
    with closing(open_ledger(load_settings(home=home).workspace.ledger_url)) as ledger:
        store_posts(ledger, posts)
    return home


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """Serve a fake model over the workspace, and yield the address."""
    app = create_app(load_settings(home=home), FakeTagger(doubts={"un-role": "perhaps"}))
    app.state.similar = _Similar()
    with on_a_socket(app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def real_address(home: Path) -> Iterator[str]:
    """Serve the workspace's own model, and yield the address."""
    with on_a_socket(create_app(load_settings(home=home))) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _page(browser: Browser, size: tuple[int, int] = DESKTOP, **options: Any) -> Iterator[Page]:
    """Yield a page, and check that it said nothing and asked for nothing that it did not get."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("requestfailed", lambda request: said.append(request.url))
    yield page
    assert [line for line in said if "404 (Not Found)" not in line] == []
    context.close()


def _tag(page: Page, address: str, text: str) -> None:
    page.goto(f"{address}/")
    page.get_by_label("Text of the post").fill(text)
    page.get_by_role("button", name="Find tags").click()
    page.get_by_role("heading", name="in this post").wait_for()


def _violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    options: dict[str, Any] = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    found = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_axe_finds_nothing(browser: Browser, address: str, real_address: str, size: tuple[int, int]) -> None:
    """On every page and state, in light and dark colours, and nothing sticks out to the side."""
    with _page(browser, size, reduced_motion="reduce") as page:

        def check(what: str) -> None:
            page.emulate_media(color_scheme="light")
            assert _violations(page) == [], what
            page.emulate_media(color_scheme="dark")
            assert _violations(page, ["color-contrast"]) == [], what  # the one rule that colours matter to
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], what

        for path in ("/", "/?q=absent", "/?post=none", "/codebook", "/model", "/model/none"):
            page.goto(address + path)
            check(path)
        page.goto(f"{address}/?post=odd/1")
        check("a hostile post")
        page.locator("#show-multipolarity").check()
        for summary in page.locator("summary").all():
            summary.click()
        check("a tag chosen, all opened")
        _tag(page, address, "Rain.")
        check("no tag")
        page.goto(f"{real_address}/model")
        check("a real model")
        _tag(page, real_address, "A multipolar world.")
        check("a real model's tags")


@pytest.mark.parametrize("path", ["/", "/?post=odd/1", "/codebook", "/model", "/docs"])
def test_nothing_sticks_out_at_320_pixels(browser: Browser, real_address: str, path: str) -> None:
    """WCAG 1.4.10 (reflow), with the hostile post too."""
    with _page(browser, (320, 640)) as page:
        page.goto(real_address + path)
        page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_by_keyboard_alone_without_javascript(browser: Browser, address: str) -> None:
    """Skip link, form, tags one after the other: all by keys, and a focus can be seen everywhere."""
    with _page(browser, java_script_enabled=False) as page:
        page.goto(address)
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "Skip to the content"
        assert page.locator(":focus").bounding_box()["y"] >= 0  # type: ignore[index]
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.locator(":focus").get_attribute("id") == "text"
        page.keyboard.insert_text("a multipolar world, perhaps")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="1 tag in this post").wait_for()
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.locator(":focus").get_attribute("id") == "show-all":
                break
        assert page.get_by_role("radio", name="All passages").is_checked()
        page.keyboard.press("ArrowDown")
        assert page.get_by_role("radio", name="Multipolar order").is_checked()
        assert page.locator(":focus").evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
        page.keyboard.press("ArrowDown")
        assert page.get_by_role("radio", name='Role of the "UN"').is_checked()


def _is_marked(page: Page, tag: str) -> bool:
    style = page.locator(f"mark.tag-{tag}").first.evaluate(
        "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).borderBottomStyle]"
    )
    assert (style[0] == "rgba(0, 0, 0, 0)") == (style[1] == "none")
    return bool(style[1] != "none")


def test_a_tag_that_is_chosen_or_pointed_at_shows_its_passages_alone(browser: Browser, home: Path) -> None:
    """Without a script; where passages overlap, both underlines can be seen, one below the other."""
    with (
        on_a_socket(create_app(load_settings(home=home), OVERLAPPING)) as port,
        _page(browser, java_script_enabled=True, reduced_motion="reduce") as page,
    ):
        _tag(page, f"http://127.0.0.1:{port}", OVERLAPPING_TEXT)
        inner, outer = (page.locator(f"mark.tag-{tag}").last for tag in ("multipolarity", "un-role"))
        low, lower = (mark.evaluate("e => e.getBoundingClientRect().bottom") for mark in (inner, outer))
        assert lower - low >= 3
        assert page.locator("mark mark").inner_text() == "world1"
        assert (_is_marked(page, "multipolarity"), _is_marked(page, "un-role")) == (True, True)
        page.locator("#show-un-role").check()
        page.mouse.move(0, 0)
        assert (_is_marked(page, "multipolarity"), _is_marked(page, "un-role")) == (False, True)
        page.locator(".finding.tag-multipolarity").hover()
        assert (_is_marked(page, "multipolarity"), _is_marked(page, "un-role")) == (True, False)


def test_passages_of_a_tag_left_open_are_marked_while_it_is_chosen(browser: Browser, address: str) -> None:
    """And not before."""
    with _page(browser, reduced_motion="reduce") as page:
        _tag(page, address, "multipolar, perhaps")
        assert not _is_marked(page, "un-role")
        page.locator("#show-un-role").check()
        assert _is_marked(page, "un-role")


def test_a_phone_quotes_the_passages_of_the_tag_that_is_chosen(browser: Browser, address: str) -> None:
    """There the post is out of sight, so they stand under the tag."""
    with _page(browser, PHONE) as page:
        _tag(page, address, "a multipolar world")
        quotes = page.locator(".finding .passages li")
        assert (
            quotes.evaluate("e => e.getBoundingClientRect().height > 0 && e.parentElement.clientHeight > 1")
            is False
        )
        page.locator(".finding.tag-multipolarity label").click()
        assert quotes.evaluate("e => e.parentElement.clientHeight > 20") is True


def test_a_hostile_post_stays_in_its_box(browser: Browser, address: str) -> None:
    """A post that turns the direction of writing turns nothing behind it; its language is on it."""
    with _page(browser) as page:
        page.goto(f"{address}/?post=odd/1")
        post = page.locator(".post")
        assert (post.get_attribute("lang"), post.get_attribute("dir")) == ("en", "auto")
        assert page.evaluate("getComputedStyle(document.querySelector('.post')).unicodeBidi") == "plaintext"
        assert "right-to-left override (U+202E)" in page.locator(".text .notice").inner_text()
        assert page.locator(".post script, .post img, .post b").count() == 0


def test_posts_are_found_and_picked(browser: Browser, address: str) -> None:
    """Search, the next page, and a click on a post."""
    with _page(browser, PHONE, java_script_enabled=False) as page:
        page.goto(address)
        page.get_by_role("link", name="Older posts").click()
        page.get_by_role("searchbox", name="Words").fill("day 11:")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name="Day 11").click()
        assert page.locator(".post").inner_text() == "Day 11: a multipolar1 world."
        assert page.get_by_role("heading", name="Similar posts that people tagged").is_visible()


def test_plots_are_drawn(browser: Browser, real_address: str) -> None:
    """The drawings of the bundle are pictures that load under the strict policy."""
    with _page(browser) as page:
        page.goto(f"{real_address}/model")
        for image in page.locator("figure img").all():
            image.scroll_into_view_if_needed()
            page.wait_for_function("e => e.complete", arg=image.element_handle())
            assert image.evaluate("e => e.naturalWidth > 100")
