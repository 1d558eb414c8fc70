"""The cards of a model as HTML: Markdown in, and nothing out but headings, text, lists, tables and code.

A bundle may come from elsewhere, so HTML in a card is shown as text, links that are not to the web lose their address,
and no picture is fetched: one of the bundle's plots becomes a link to where the page shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

_DEEPEST = 6
_LEVELS_DOWN = 1
_LONGEST = 1_000_000  # characters
_TABLE = '<div class="scrolled" tabindex="0" role="region" aria-label="{name}, table {number}"><table>'


def card_html(text: str, name: str, plots: Mapping[str, str]) -> Markup:
    """Return a card as HTML, its headings one level lower, for a page with a heading of its own.

    Parameters
    ----------
    name
        What its tables are called for who cannot see them: the card's name and a number.
    plots
        The addresses of the plots by their file names.
    """
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    html = parser.render(text[:_LONGEST], {"name": name, "plots": plots})
    return Markup(html)  # noqa: S704 - the renderer escapes all that is not its own


class _Renderer(RendererHTML):
    """Writes tables that scroll by themselves, lower headings, and no pictures."""

    n_tables = 0

    def heading_open(self, tokens: Sequence[Token], place: int, *_: Any) -> str:
        return f"<{_lower(tokens[place].tag)}>"

    def heading_close(self, tokens: Sequence[Token], place: int, *_: Any) -> str:
        return f"</{_lower(tokens[place].tag)}>\n"

    def table_open(self, _: Any, __: Any, ___: Any, env: Mapping[str, Any]) -> str:
        self.n_tables += 1
        return _TABLE.format(name=escape(env["name"]), number=self.n_tables)

    def table_close(self, *_: Any) -> str:
        return "</table></div>\n"

    def th_open(self, *_: Any) -> str:
        return '<th scope="col">'

    def td_open(self, *_: Any) -> str:
        return "<td>"

    def image(self, tokens: Sequence[Token], place: int, _: Any, env: Mapping[str, Any]) -> str:
        token = tokens[place]
        said = escape(token.content) or "a picture"
        address = env["plots"].get(token.attrGet("src"))
        return f'<a href="{escape(address)}">{said}</a>' if address else said

    def link_open(self, tokens: Sequence[Token], place: int, *_: Any) -> str:
        address = str(tokens[place].attrGet("href") or "")
        if not address.startswith(("https://", "http://", "#")):
            return "<a>"
        return f'<a href="{escape(address)}" rel="noreferrer">'


def _lower(tag: str) -> str:
    return f"h{min(_DEEPEST, int(tag[1:]) + _LEVELS_DOWN)}"
