"""A round in a real browser at a real Label Studio: what two annotators click and mark is what is pulled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import insert

from annotations.codebook import Codebook, default_codebook_path, load_codebook
from annotations.labeling_config import tag_hotkeys
from annotations.ledger.recording import record_posts
from annotations.ledger.store import Ledger, now, open_ledger
from annotations.ledger.studio import stored_annotations
from annotations.ledger.studio_tasks import ProjectRow
from annotations.ledger.tables import imports
from annotations.records import Post, Span
from annotations.studio.credentials import read_credentials
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.pull import PullOptions, pull
from annotations.studio.push import PushOptions, push

pytestmark = [pytest.mark.live, pytest.mark.browser]

_TEXTS = {
    "1": "Calverra 🇺🇳 stands for a 👨‍👩‍👧 multipolar order in which every nation 👍🏽 has a voice.\nThe Council met.",
    "2": "Министр 🇨🇻: многополярный мир — это равенство государств. Сегодня в Порт-Калвере прошла встреча.",
    "3": "Cafe\u0301 talks & <b>tea</b>: the UN Charter must be respected by all, said the minister of Calverra.",
    "4": "The weather in Port Calver is fine.",
    "5": "Sound only.",
}
_PLACE = """words => {
    const walker = document.createTreeWalker(document.querySelector('.tp .post'), NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const at = node.data.indexOf(words);
        if (at < 0) continue;
        const edge = (from, to) => {
            const range = document.createRange();
            range.setStart(node, from); range.setEnd(node, to);
            return range.getBoundingClientRect();
        };
        const first = edge(at, at + 1), last = edge(at + words.length - 1, at + words.length);
        return [first.left + 1, first.top + first.height / 2, last.right - 1, last.top + last.height / 2];
    }
}"""


@dataclass
class Reading:
    """What an annotator does with a post: keys of tags, words marked for tags, flags, or a skip."""

    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    keys: str = ""
    flags: tuple[str, ...] = ()
    comment: str = ""
    skipped: bool = False

    def expected(self, text: str) -> tuple[Any, ...]:
        """Return what has to be pulled of it."""
        spans = {
            tag: tuple(sorted(Span(text.index(words), text.index(words) + len(words)) for words in quotes))
            for tag, quotes in self.tags.items()
        }
        return spans, self.flags, self.comment, self.skipped


_PLAN = {
    "A": {
        "1": Reading({"multipolarity": ("👨‍👩‍👧 multipolar order", "every nation 👍🏽 has")}),
        "2": Reading(
            {"multipolarity": ("многополярный мир",), "sovereignty": ("равенство государств",)}, comment="Да?"
        ),
        "3": Reading({"un-role": ("UN Charter must be respected",), "appeal-to-authority": ()}),
        "4": Reading(keys="Shift+N"),
        "5": Reading(skipped=True),
    },
    "B": {
        "1": Reading({"multipolarity": ("🇺🇳 stands for",)}),
        "2": Reading(skipped=True),
        "3": Reading({"un-role": ("Cafe\u0301 talks",)}, flags=("unclear",)),
        "4": Reading(keys="Shift+N"),
        "5": Reading(keys="Shift+N", flags=("not analysable",)),
    },
}
_FLAG_KEYS = {"unclear": "u", "not analysable": "n"}


@dataclass
class _Desk:
    ledger: Ledger
    project: ProjectRow
    codebook: Codebook
    studio: Any


@pytest.fixture
def desk(live_studio: Any, tmp_path: Path) -> Iterator[_Desk]:
    """Return a project with five posts that two annotators read each, by the default codebook."""
    codebook = load_codebook(default_codebook_path())
    with (
        closing(open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")) as ledger,
        live_studio.client() as client,
    ):
        with ledger.begin() as connection:
            connection.execute(insert(imports).values(file="f", format="x", started_at=now(), counts={}))
            record_posts(
                connection, 1, [Post(channel="C", message_id=n, text=text) for n, text in _TEXTS.items()]
            )
        project = ensure_project(ledger, client, codebook, ProjectOptions(new_project=True, overlap=2))
        push(ledger, client, project, PushOptions())
        yield _Desk(ledger, project, codebook, live_studio)


def _log_in(page: Page, desk: _Desk, name: str) -> None:
    credentials = read_credentials(desk.studio.local.path)
    assert credentials is not None
    account = next(each for each in credentials.annotators if each.name == name)
    page.goto(f"{desk.studio.running.url}/user/login/")
    page.fill("input[name=email]", account.email)
    page.fill("input[name=password]", account.password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/user/login" not in url)


def _read(page: Page, desk: _Desk, reading: Reading) -> None:
    """Label the post on the page: by keyboard, the evidence by mouse."""
    if reading.skipped:
        page.keyboard.press("Control+Space")
        return
    keys = tag_hotkeys(desk.codebook)
    for tag, quotes in reading.tags.items():
        page.keyboard.press(keys[tag])
        for words in quotes:
            page.keyboard.press(f"Shift+{keys[tag].upper()}")
            left, top, right, bottom = page.evaluate(_PLACE, words)
            page.mouse.move(left, top)
            page.mouse.down()
            page.mouse.move((left + right) / 2, bottom, steps=4)
            page.mouse.move(right, bottom, steps=4)
            page.mouse.up()
            page.keyboard.press("Escape")  # the next key is for the page, not for the passage
    if reading.keys:
        page.keyboard.press(reading.keys)
    for flag in reading.flags:
        page.keyboard.press(_FLAG_KEYS[flag])
    if reading.comment:
        box = page.get_by_placeholder("Comment (optional)")
        box.fill(reading.comment)
        box.blur()
    page.keyboard.press("Control+Enter")


def _shown(page: Page) -> str | None:
    """Return the number of the post that the page shows."""
    box = page.locator(".tp .post")
    text = box.inner_text() if box.count() else ""
    squeezed = "".join(text.split())
    return next((n for n, words in _TEXTS.items() if "".join(words.split()) == squeezed), None)


def _work(page: Page, desk: _Desk, name: str) -> None:
    """Read every post that Label Studio serves, in its order."""
    page.goto(f"{desk.studio.running.url}/projects/{desk.project.project_id}/data?labeling=1")
    page.locator(".tp .post").wait_for()
    page.keyboard.press("Escape")  # the guideline
    last = None
    for _ in _TEXTS:
        page.wait_for_function(
            "last => { const box = document.querySelector('.tp .post');"
            " return box && box.innerText.trim() && box.innerText !== last }",
            arg=last,
        )
        last = page.locator(".tp .post").inner_text()
        number = _shown(page)
        assert number is not None, last
        _read(page, desk, _PLAN[name][number])
    page.get_by_text("No more", exact=False).or_(page.get_by_text("all done", exact=False)).first.wait_for()


def test_what_is_clicked_is_what_is_pulled(desk: _Desk, browser: Browser) -> None:
    """Two annotators tick by keyboard, mark evidence by mouse, skip, flag and comment; nothing is altered."""
    for name in _PLAN:
        context = browser.new_context(viewport={"width": 1366, "height": 768})
        page = context.new_page()
        page.set_default_timeout(60_000)
        _log_in(page, desk, name)
        _work(page, desk, name)
        context.close()
    names = {f"{name.lower()}@talkingpoints.example": name for name in _PLAN}
    with desk.studio.client() as client:
        report = pull(desk.ledger, client, desk.project, PullOptions(codebook=desk.codebook, names=names))
    assert report.problems == ()
    found = {
        (each.annotator, each.post_id.partition("/")[2]): (
            {tag: tuple(sorted(spans)) for tag, spans in each.tags.items()},
            each.flags,
            each.comment,
            each.skipped,
        )
        for each in stored_annotations(desk.ledger)
    }
    assert found == {
        (name, number): reading.expected(_TEXTS[number])
        for name, readings in _PLAN.items()
        for number, reading in readings.items()
    }


def test_the_page_fits_the_screen(desk: _Desk, browser: Browser) -> None:
    """At 1366x768 every tag can be seen without scrolling; a long post scrolls in its own box."""
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.set_default_timeout(60_000)
    _log_in(page, desk, "A")
    page.goto(f"{desk.studio.running.url}/projects/{desk.project.project_id}/data?labeling=1")
    page.locator(".tp .post").wait_for()
    page.keyboard.press("Escape")
    for tag in desk.codebook.active_tags:
        box = (
            page.locator(".tp .right")
            .get_by_text(re.compile(rf"^{re.escape(tag.title)}"))
            .first.bounding_box()
        )
        assert box is not None
        assert 0 <= box["y"] <= 768 - box["height"]
        assert 0 <= box["x"] <= 1366 - box["width"]
    assert page.evaluate("document.documentElement.scrollHeight") <= 768
    page.evaluate("document.querySelector('.tp .post').firstChild.style.height = '5000px'")
    assert page.evaluate("document.documentElement.scrollHeight") <= 768
    assert page.evaluate("(box => box.scrollHeight > box.clientHeight)(document.querySelector('.tp .post'))")
    page.close()
