"""Exports of any size, full of invented posts of the invented country Calverra."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SYLLABLES = (
    "ta",
    "vel",
    "o",
    "ria",
    "cal",
    "ver",
    "ne",
    "mu",
    "sta",
    "lin",
    "рек",
    "мир",
    "во",
    "да",
    "ña",
    "pue",
    "河",
    "议",
)
_N_WORDS = 4_000
_START = 1_700_000_000


def messages(count: int, seed: int = 0, sentences: int = 4) -> Iterator[dict[str, Any]]:
    """Yield messages as Telegram Desktop exports them.

    Among them are forwards of earlier posts, near-duplicates, edits of earlier messages, messages of the app,
    messages without text, and some that must be refused.
    """
    chance = random.Random(seed)
    words = _vocabulary()
    texts: list[str] = []
    for number in range(1, count + 1):
        message: dict[str, Any] = {
            "id": number,
            "type": "message",
            "date_unixtime": str(_START + 60 * number),
            "text": _text(chance, words, number, sentences),
        }
        kind = chance.random()
        if kind < 0.05 and texts:
            message |= {"text": chance.choice(texts), "forwarded_from": "Valley Herald"}
        elif kind < 0.12 and texts:
            message["text"] = f"{chance.choice(texts)} (corrected {number})"
        elif kind < 0.15 and number > 50:
            message |= {"id": number - chance.randrange(1, 50), "edited_unixtime": str(_START + 61 * number)}
        elif kind < 0.18:
            message = {"id": number, "type": "service", "action": "pin_message", "text": ""}
        elif kind < 0.21:
            message |= {"text": "", "photo": "photos/photo.jpg"}
        elif kind < 0.22:
            message["text"] = number  # no text: refused
        if isinstance(message["text"], str) and message["text"] and len(texts) < 2_000:
            texts.append(message["text"])
        yield message


def write_export(path: Path, found: Iterator[dict[str, Any]]) -> int:
    """Write a ``result.json`` and return how many messages it has."""
    number = 0
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{"name": "Ministry of Calverra", "type": "public_channel", "id": 4321, "messages": [\n')
        for number, message in enumerate(found, start=1):
            stream.write((",\n" if number > 1 else "") + json.dumps(message, ensure_ascii=False))
        stream.write("\n]}\n")
    return number


def write_large_export(path: Path, size: int, seed: int = 0) -> int:
    """Write a ``result.json`` of at least ``size`` bytes and return how many messages it has.

    A thousand texts are made, and each message has one of them under its own number.
    """
    texts = [json.dumps(message, ensure_ascii=False) for message in messages(1_000, seed, sentences=8)]
    bodies = [text.partition(",")[2] for text in texts]
    number = written = 0
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{"name": "Ministry of Calverra", "type": "public_channel", "id": 4321, "messages": [\n')
        while written < size:
            block = ",\n".join(f'{{"id": {number + place + 1},{body}' for place, body in enumerate(bodies))
            stream.write((",\n" if number else "") + block)
            number += len(bodies)
            written += len(block.encode())
        stream.write("\n]}\n")
    return number


def _vocabulary() -> list[str]:
    chance = random.Random(1)
    return ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))) for _ in range(_N_WORDS)]


def _text(chance: random.Random, words: list[str], number: int, sentences: int) -> str:
    made = (
        " ".join(chance.choices(words, k=chance.randint(4, 16)))
        for _ in range(chance.randint(1, 2 * sentences))
    )
    return f"{'. '.join(made)}. 🕊️ #valley{number % 7}"
