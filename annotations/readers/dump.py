"""The raw text dump: posts copied from a page, each under a line "Forwarded from ...", its body repeated.

A file is a dump where a line is such a heading, or one of the app's own lines.  Any other plain text is
refused: nothing in it says where one post ends and the next begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from annotations.cleaning import APP_LINES, clean, is_app_line, is_encodable, storable
from annotations.readers.base import (
    ChannelNames,
    EmptyItem,
    Format,
    Item,
    PostItem,
    ReadOptions,
    RefusedItem,
    Sample,
)
from annotations.readers.cells import find_hashtags
from annotations.readers.detect import open_text
from annotations.records import Post

_LONGEST_HEADING = 160
_LONGEST_POST = 3_000  # lines; Telegram's longest post has 4,096 characters
# Nobody writes three lines, or a paragraph, twice in a row.
_LONG_RUN = 3
_LONG_TEXT = 150

_HEADING = re.compile(
    r"(?:Forwarded from|Переслано (?:из|от|з|із|від)|Пераслана (?:з|ад)|Прослеђено од|Препратено от"
    r"|Reenviado de|Encaminhad[oa] de|Transféré (?:de|depuis)|Weitergeleitet (?:von|aus)|Inoltrato da"
    r"|Przekazan[eo] (?:dalej )?(?:z|od)|Doorgestuurd van|محول من|تمت إعادة التوجيه من|转发自|轉發自|轉傳自)"
    r"(?:\s*:\s*|\s+|(?<=自))(?P<source>\S.*)"
)


def heading_source(line: str) -> str | None:
    """Return the channel that a heading names; None for any other line."""
    line = line.strip()
    found = _HEADING.fullmatch(line) if len(line) <= _LONGEST_HEADING and not line.endswith(".") else None
    return (found["source"].rstrip(" :") or None) if found else None


def without_repetition(lines: Sequence[str], *, repeating: bool = True) -> list[str]:
    """Return the lines of a post without the repetition of its body, and without app lines.

    A repetition is a run at the end whose every line occurs, in order, in what comes before it, and that

    - is all of it, with or without its first line (the heading of the post), or
    - lacks lines of it that the app could not show: the post holds an app line, and the run has at least two
      lines, leaves out some between them, and ends with the same line or is more than half of what comes before.

    The shortest beginning that such a run follows is the post: the first, complete run wins.  All else that
    comes twice was written twice, such as a refrain or a couplet at the end, and stays.  In a file that is not
    ``repeating`` its posts, so does a short run: there "A, B, B" is the whole post.  Blank lines are not
    compared.
    """
    kept = [line for line in lines if not is_app_line(line)]
    places = [index for index, line in enumerate(kept) if line.strip()]
    words = [kept[index].strip() for index in places]
    if len(words) > _LONGEST_POST:
        return kept
    for size in range(1, len(words)):
        run, body = words[size:], words[:size]
        if not _follows(run, body):
            continue
        complete = run in (body, body[1:]) and (repeating or _is_long(run))
        if complete or (len(kept) < len(lines) and _is_incomplete(run, body)):
            return kept[: places[size]]
    return kept


def _follows(run: list[str], body: list[str]) -> bool:
    if run[0] not in body or len(run) > len(body):
        return False
    rest = iter(body)
    return all(line in rest for line in run)


def _is_incomplete(run: list[str], body: list[str]) -> bool:
    if len(run) == 1 or run == body[-len(run) :]:
        return False
    return run[-1] == body[-1] or 2 * len(run) > len(body)


def _is_long(run: list[str]) -> bool:
    return len(run) >= _LONG_RUN or sum(map(len, run)) >= _LONG_TEXT


def _recognise(sample: Sample, _options: ReadOptions) -> bool:
    return any(is_app_line(line) or heading_source(line) for line in sample.text.splitlines())


def _read(sample: Sample, options: ReadOptions) -> Iterator[Item]:
    channel = options.channel_of(ChannelNames(None, None, sample.path.stem))
    return _items(sample, channel)


def _items(sample: Sample, channel: str) -> Iterator[Item]:
    repeating = _repeats(block for _, _, block in _blocks(sample))
    for start, source, block in _blocks(sample):
        yield _item(f"line {start}", source, without_repetition(block, repeating=repeating), channel)


def _repeats(blocks: Iterable[list[str]]) -> bool:
    """Tell whether a file repeats its posts; it does unless it holds long ones, none of them with a repetition."""
    without = False
    for block in blocks:
        lines = [line.strip() for line in block if _is_content(line)]
        if len(without_repetition(lines, repeating=False)) < len(lines):
            return True
        if len(without_repetition(lines)) == len(lines):  # a short run that comes twice is no sign of either
            without = without or _is_long(lines[1:])
    return not without


def _blocks(sample: Sample) -> Iterator[tuple[int, str | None, list[str]]]:
    """Yield the posts of a file: the number of the first line, the source, the lines below the heading."""
    start, source, block = 1, None, list[str]()
    with open_text(sample, newline=None) as stream:
        for number, line in enumerate(stream, start=1):
            heading = heading_source(line)
            if heading is None:
                block.append(line.rstrip("\n"))
                continue
            if source is not None or any(map(_is_content, block)):
                yield start, source, block
            start, source, block = number, heading, []
    if source is not None or any(map(_is_content, block)):
        yield start, source, block


def _is_content(line: str) -> bool:
    return bool(line.strip()) and line.strip() not in APP_LINES


def _item(position: str, source: str | None, lines: list[str], channel: str) -> Item:
    raw = "\n".join(lines)
    if not is_encodable(raw):
        return RefusedItem(position, "holds bytes that are not UTF-8")
    text = clean(raw)
    if not text:
        return EmptyItem(position, "no text")
    return PostItem(
        position,
        Post(
            channel=channel,
            text=text,
            raw=None if raw == text else raw,
            forwarded_from=storable(source) if source else None,
            hashtags=find_hashtags(text),
        ),
    )


DUMP = Format(
    "text-dump",
    'a text dump whose posts stand under lines such as "Forwarded from CHANNEL"',
    _recognise,
    _read,
)
