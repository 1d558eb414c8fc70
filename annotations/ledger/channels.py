"""One name for a channel that files know by user name, title or number."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from annotations.ledger.store import Ledger
from annotations.ledger.tables import channel_aliases
from annotations.readers.base import ChannelNames, channel_slug, plain_channel

_NUMBER, _TITLE = "number:", "title:"
_LONGEST_TITLE = 200


def remembered_channel(ledger: Ledger, names: ChannelNames, wanted: str | None) -> str:
    """Return the channel that a file means, and remember its title and number for other files.

    ``wanted`` (``--channel``) wins and is remembered.  Then the number decides, then the title unless that
    belongs to a chat of another number; a new chat takes its title, with the number behind it where two chats
    have the same.
    """
    number = _NUMBER + names.number if names.number else None
    title = _TITLE + names.title[:_LONGEST_TITLE] if names.title else None
    with ledger.begin() as connection:
        known = _known(connection, [key for key in (number, title) if key])
        if wanted:
            channel = channel_slug(wanted)
        elif number in known:
            channel = known[number]
        elif title in known and not _is_taken(connection, known[title], number):
            channel = known[title]
        else:
            channel = plain_channel(names, None)
            if _is_taken(connection, channel, number):
                channel = f"{channel}-{names.number}"
        learned = {number: channel} if number else {}
        if title and (wanted or title not in known):
            learned[title] = channel
        _remember(connection, {alias: name for alias, name in learned.items() if known.get(alias) != name})
    return channel


def _known(connection: Connection, aliases: list[str]) -> dict[str | None, str]:
    rows = connection.execute(
        select(channel_aliases.c.alias, channel_aliases.c.channel).where(channel_aliases.c.alias.in_(aliases))
    )
    return {row.alias: row.channel for row in rows}


def _is_taken(connection: Connection, channel: str, number: str | None) -> bool:
    """Tell whether ``channel`` belongs to a chat with another number."""
    if number is None:
        return False
    table = channel_aliases.c
    owners = set(
        connection.scalars(
            select(table.alias).where(table.channel == channel, table.alias.startswith(_NUMBER))
        )
    )
    return bool(owners) and number not in owners


def _remember(connection: Connection, aliases: dict[str, str]) -> None:
    if aliases:
        connection.execute(delete(channel_aliases).where(channel_aliases.c.alias.in_(aliases)))
        connection.execute(insert(channel_aliases), [{"alias": a, "channel": c} for a, c in aliases.items()])
