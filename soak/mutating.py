"""Changes that keep the structure of a file, beside the fuzzer's own changes of bytes."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

_JSON = frozenset({"telegram-desktop", "telegram-api-list"})
_JSON_LINES = frozenset({"telegram-api-lines", "jsonl"})
_TOKENS = {
    "csv": re.compile(rb'([,;\t"\r\n])'),
    "telegram-desktop-html": re.compile(rb"(<[^>]*>)"),
    "telegram-web": re.compile(rb"(<[^>]*>)"),
    "text-dump": re.compile(rb"(\r?\n)"),
}
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, 1e308, float("inf"), float("nan"), 10**30, 2**31, "", " ", "x", "1", "-5", "\ud800", "\0",
    "1767323045", "2026-01-02T03:04:05", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00", "1.3K", "#tag", [], [[]], {},
    [None], {"text": "x"}, {"type": "bold"}, "message", "service", "MessageService", "channel1", "a b", "a/b", "'=x",
)  # fmt: skip
_PIECES = (
    b"", b" ", b"\0", b"\xff", b"\xc3", b"\r", b"\n", b'"', b'""', b"'", b"<", b"</div>", b'<div class="message" id="message5">',
    b"<br>", b"<pre>", b"\xef\xbb\xbf", "\u2028".encode(), b"Forwarded from X", b"VIEW IN TELEGRAM", b"=1+1", b"9" * 400,
)  # fmt: skip

Mutate = Callable[[bytes, int], bytes]


def mutator(format_name: str, bytewise: Mutate) -> Callable[[bytes, int, int], bytes]:
    """Return a mutator for atheris: half of the time it changes values or tokens, else bytes."""

    def mutate(data: bytes, largest: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.4:
            return bytewise(data, largest)
        if format_name in _JSON:
            changed = _in_json(data, chance)
        elif format_name in _JSON_LINES:
            lines = data.split(b"\n")
            place = chance.randrange(len(lines))
            lines[place] = _in_json(lines[place], chance)
            changed = b"\n".join(lines)
        elif format_name in _TOKENS:
            changed = _in_tokens(data, _TOKENS[format_name], chance)
        else:
            changed = data
        return changed[:largest] if changed != data else bytewise(data, largest)

    return mutate


def _in_json(data: bytes, chance: random.Random) -> bytes:
    try:
        document = json.loads(data)
        places = list(_places(document))
        for _ in range(chance.randint(1, 3)):
            if places:
                holder, key = chance.choice(places)
                _change(holder, key, chance)
        return json.dumps(
            document, ensure_ascii=chance.random() < 0.9, indent=chance.choice((None, 1))
        ).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError, KeyError, IndexError):
        return data


def _places(value: Any) -> Any:
    """Yield every container with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _change(holder: Any, key: Any, chance: random.Random) -> None:
    how = chance.randrange(4)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[chance.choice(list(holder))] = holder[key]
    elif how == 1:
        holder.insert(key, holder[key])
    else:
        holder[key] = chance.choice(_VALUES)


def _in_tokens(data: bytes, pattern: re.Pattern[bytes], chance: random.Random) -> bytes:
    tokens = pattern.split(data)
    for _ in range(chance.randint(1, 4)):
        place, other = chance.randrange(len(tokens)), chance.randrange(len(tokens))
        how = chance.randrange(4)
        if how == 0:
            tokens[place] = b""
        elif how == 1:
            tokens[place] += tokens[other]
        elif how == 2:
            tokens[place], tokens[other] = tokens[other], tokens[place]
        else:
            tokens[place] = chance.choice(_PIECES)
    return b"".join(tokens)
