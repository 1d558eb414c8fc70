"""What must hold of every file, however damaged: no crash, no lost message, nothing that a database refuses."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

from annotations.cleaning import clean, is_app_line, is_encodable, storable
from annotations.errors import FileError
from annotations.readers import Item, PostItem, ReadOptions, read_posts
from annotations.readers.dump import heading_source
from soak.counting import n_messages


class LostError(Exception):
    """A message is missing, doubled, or of a form that no ledger holds."""


def examine(path: Path, data: bytes) -> str | None:
    """Read a file and check what came out; return the name of its format, None where it is refused.

    Raises
    ------
    LostError
        The items are not the messages of the file.
    """
    path.write_bytes(data)
    try:
        reading = read_posts(path, ReadOptions(timezone=UTC))
        items = list(reading.items)
    except FileError:
        return None
    if len({item.position for item in items}) != len(items):
        raise LostError("two items have one position")
    for item in items:
        _check_item(item)
    wanted = None if reading.notes else n_messages(reading.format, data)
    if wanted is not None and wanted != len(items):
        raise LostError(f"{len(items)} items, {wanted} messages ({reading.format})")
    if reading.format == "text-dump" and not reading.notes:
        _check_lines(data, items)
    return reading.format


def _check_item(item: Item) -> None:
    if not isinstance(item, PostItem):
        texts = [item.position, item.reason]
    else:
        post = item.post
        texts = [item.position, post.channel, post.message_id or "", post.text, post.lang or ""]
        texts += [post.forwarded_from or "", post.reply_to or "", *post.hashtags, *post.links, *post.media]
        texts += [*post.reactions, *item.notes]
        if not post.text or post.text != clean(post.text):
            raise LostError(f"the text of {item.position} is not clean: {post.text!r}")
        numbers = [post.views or 0, post.forwards or 0]
        if any(number < 0 or number >= 2**31 for number in numbers):
            raise LostError(f"{item.position} has a count that a database refuses: {numbers}")
    unfit = [text for text in texts if "\0" in text or not is_encodable(text)]
    if unfit:
        raise LostError(f"{item.position} has a text that a database refuses: {unfit[0]!r}")


def _check_lines(data: bytes, items: list[Item]) -> None:
    """Every line of a dump is in a post, is a heading, or is the app's."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return
    kept = {
        line.strip() for item in items if isinstance(item, PostItem) for line in item.post.text.split("\n")
    }
    for line in text.split("\n"):
        shown = storable(line).strip()
        if shown and shown not in kept and not is_app_line(line) and not heading_source(line):
            raise LostError(f"a line is lost: {shown!r}")
