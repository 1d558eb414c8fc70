"""The posts of the ledger on the page. The ledger is opened for each page, and only read; it is never made."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from annotations.ledger.browsing import Found, Search, Shown, channel_names, newest_posts, one_post
from annotations.ledger.store import connect_ledger
from service.settings import Settings

PAGE_SIZE = 10
_MOST_PAGES = 1_000
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Shelf:
    """A page of posts to pick from, with what was looked for and the channels there are."""

    search: Search
    channels: tuple[str, ...]
    found: Found

    @property
    def is_searched(self) -> bool:
        """Tell whether something is looked for."""
        return bool(self.search.words or self.search.channel)


def search_of(words: str, channel: str, page: str) -> Search:
    """Return what the address of a page asks for; what makes no sense is passed over."""
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
    return Search(words.strip()[:_LONGEST], channel.strip()[:_LONGEST], max(1, min(_MOST_PAGES, number)))


def shelf(settings: Settings, search: Search) -> Shelf | None:
    """Return the posts to pick from; None where there is no ledger, or nothing in it.

    Raises
    ------
    LedgerError
        The ledger cannot be read.
    """
    if not settings.workspace.has_ledger:
        return None
    with closing(connect_ledger(settings.workspace.ledger_url)) as ledger:
        channels = channel_names(ledger)
        return Shelf(search, channels, newest_posts(ledger, search, PAGE_SIZE)) if channels else None


def stored_post(settings: Settings, post_id: str) -> Shown | None:
    """Return a post of the ledger; None where there is none of that id.

    Raises
    ------
    LedgerError
        The ledger cannot be read.
    """
    if not settings.workspace.has_ledger:
        return None
    with closing(connect_ledger(settings.workspace.ledger_url)) as ledger:
        return one_post(ledger, post_id)
