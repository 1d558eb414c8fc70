"""How fast and in how much memory posts are imported, beside a bare parse of the same file.

Makes files of messages by varying those of an export of Telegram Desktop (by default the sample), then
parses and imports each in turn, every step in a process of its own: ``json.load``, which holds the whole
file in memory, ``ijson``, which streams, and the import with its near-duplicates, into a new ledger.

    python -m benchmarks.imports [--source FILE] [--sizes 100000 500000] [--rounds 3] [--folder DIR]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SAMPLE = Path(__file__).resolve().parents[1] / "examples" / "result.json"
_SHARES = (0.0, 0.02, 0.5, 0.8, 0.9)  # of the words of a message that are changed
_STEPS = {
    "json.load": "import json; n = len(json.load(open(source, encoding='utf-8'))['messages'])",
    "ijson": "import ijson; n = sum(1 for _ in ijson.items(open(source, 'rb'), 'messages.item'))",
    "import": (
        "from pathlib import Path; from annotations.importing import import_file;"
        "from annotations.ledger.store import open_ledger;"
        "report = import_file(open_ledger('sqlite:///' + ledger), Path(source));"
        "n = report.messages; found = (report.counts, report.near_duplicates)"
    ),
}
_FRAME = """
import json, resource, sys, time
source, ledger = sys.argv[1:]
found = None
began = time.perf_counter()
{step}
seconds = time.perf_counter() - began
# the process's own and, for the import, that of the process that reads for it
memory = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps([n, seconds, memory / 1024, found]))
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=_SAMPLE, help="an export to vary")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 500_000], help="messages a file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where there is room for the files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for size in options.sizes:
            source = Path(folder) / f"{size}.json"
            write_varied(options.source, source, size)
            _print_rounds(source, options.rounds)
            source.unlink()


def write_varied(source: Path, target: Path, number: int) -> None:
    """Write an export of ``number`` messages, those of ``source`` again and again with words changed."""
    chat = json.loads(source.read_text(encoding="utf-8"))
    messages = chat.pop("messages")
    head = json.dumps({**chat, "messages": []}, ensure_ascii=False)
    with target.open("w", encoding="utf-8") as stream:
        stream.write(head.removesuffix("]}"))
        for index, message in enumerate(_varied(messages, number)):
            stream.write((",\n" if index else "") + json.dumps(message, ensure_ascii=False, indent=1))
        stream.write("]}")


def _varied(messages: list[dict[str, Any]], number: int) -> Iterator[dict[str, Any]]:
    source = random.Random(0)
    words = [
        word for message in messages for part in _parts(message) for word in _plain(part).split(" ") if word
    ]
    for index in range(number):
        message = dict(source.choice(messages), id=index + 1)
        if message.get("type") == "message":
            share = source.choice(_SHARES)
            parts = [_changed(part, share, words, source) for part in _parts(message)]
            message["text"] = parts if isinstance(message["text"], list) else "".join(map(_plain, parts))
            message["text_entities"] = [
                {"type": "plain", "text": part} if isinstance(part, str) else part for part in parts
            ]
        yield message


def _parts(message: dict[str, Any]) -> list[Any]:
    text = message.get("text") or []
    return text if isinstance(text, list) else [text]


def _plain(part: Any) -> str:
    return part if isinstance(part, str) else str(part.get("text", ""))


def _changed(part: Any, share: float, words: list[str], source: random.Random) -> Any:
    if not isinstance(part, str):
        return part
    pieces = part.split(" ")
    for _ in range(round(len(pieces) * share)):
        pieces[source.randrange(len(pieces))] = source.choice(words)
    return " ".join(pieces)


def _print_rounds(source: Path, rounds: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in _STEPS}
    result: Any = None
    number = 0
    for _ in range(rounds):
        for name, step in _STEPS.items():
            number, seconds, memory, told = _run(step, source)
            found[name].append((seconds, memory))
            result = told or result
    print(
        f"{number:,} messages, {source.stat().st_size / 1e6:,.0f} MB, {rounds} rounds; medians (least, most)"
    )
    for name, runs in found.items():
        line = f"  {name:<10} {number / statistics.median(s for s, _ in runs):>9,.0f} messages/s"
        line += f"  peak memory {max(memory for _, memory in runs):>6,.0f} MB"
        for peer in ("json.load", "ijson"):
            if name == "import":
                ratios = sorted(p[0] / s for (s, _), p in zip(runs, found[peer], strict=True))
                line += f"  {statistics.median(ratios):.2f} of {peer} ({ratios[0]:.2f}, {ratios[-1]:.2f})"
        print(line)
    counts, alike = result
    print(f"  imported: {', '.join(f'{value:,} {key}' for key, value in counts.items() if value)};", end=" ")
    print(f"{alike:,} posts in clusters of near-duplicates", flush=True)


def _run(step: str, source: Path) -> tuple[int, float, float, Any]:
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        command = [sys.executable, "-c", _FRAME.format(step=step), str(source), f"{folder}/ledger.db"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    number, seconds, memory, found = json.loads(done.stdout)
    return number, seconds, memory, found


if __name__ == "__main__":
    main()
