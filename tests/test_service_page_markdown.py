"""Tests of service.page_markdown: a card is shown as what it is, and nothing of it can do anything."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.page_markdown import card_html

CARD = """# Model card: T & T

Text with `code` and **weight**.

| tag | share |
|---|---|
| `a` | 0.5 |

![What it shows](plot.reliability.svg)
"""
_ALLOWED = {
    "a", "blockquote", "br", "code", "div", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"href", "rel", "class", "tabindex", "role", "aria-label", "scope", "start"}


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def _elements(markdown: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Elements()
    parser.feed(card_html(markdown, "Card", {"plot.reliability.svg": "#plot.reliability.svg"}))
    return parser.found


def test_a_card_is_rendered() -> None:
    """Headings go one level down, tables have heads and can be scrolled by keyboard, a plot becomes a link."""
    html = card_html(CARD, "Card", {"plot.reliability.svg": "#plot.reliability.svg"})
    assert "<h2>Model card: T &amp; T</h2>" in html
    assert '<div class="scrolled" tabindex="0" role="region" aria-label="Card, table 1"><table>' in html
    assert '<th scope="col">tag</th>' in html
    assert '<a href="#plot.reliability.svg">What it shows</a>' in html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](data:text/html,x)",
        "![a](https://elsewhere.example/x.png)",
        "<https://elsewhere.example/>",
        '[a](https://elsewhere.example/ "onmouseover=x")',
        "![<b>](x)",
        "```html\n<script>\n```",
        "| a |\n|:-:|\n| <i> |",
    ],
)
def test_nothing_hostile_comes_through(hostile: str) -> None:
    """HTML is text, a link leads to the web or nowhere, a picture is not fetched."""
    for tag, attributes in _elements(hostile):
        assert tag in _ALLOWED
        assert attributes.keys() <= _ATTRIBUTES
        assert (attributes.get("href") or "#").startswith(("#", "https://"))


@given(markdown=st.text("<>[]()!#*_`|-:\n \"'&;=/abjh", max_size=80))
def test_no_element_but_those_of_text(markdown: str) -> None:
    """Whatever the Markdown, only elements of text come out."""
    for tag, attributes in _elements(markdown):
        assert tag in _ALLOWED
        assert attributes.keys() <= _ATTRIBUTES
