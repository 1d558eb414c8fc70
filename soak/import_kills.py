"""`import` killed: the next run goes on, and the ledger is that of a run that nobody disturbed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from soak.invented import messages, write_export
from soak.killing import Command, Try, kill_often
from soak.ledgers import Content, content, differences
from soak.outcome import Outcome


def kill_imports(
    outcome: Outcome, folder: Path, url_of: Callable[[int], str], options: tuple[int, int, int]
) -> None:
    """Kill imports of a large file; ``options`` are how many kills, the seed, how many messages."""
    n_kills, seed, n_messages = options
    folder.mkdir(parents=True)
    source = folder / "result.json"
    write_export(source, messages(n_messages, seed, sentences=10))
    urls: dict[int, str] = {}
    undisturbed: list[Content] = []

    def prepare(number: int) -> Command:
        urls[number] = url_of(number)
        settings = {"TALKINGPOINTS_HOME": str(folder / "home"), "TALKINGPOINTS_DATABASE_URL": urls[number]}
        return Command(("import", "--json", str(source)), settings)

    def check(number: int) -> Iterator[str]:
        if not undisturbed:
            undisturbed.append(content(urls[-1]))
        settings = {"TALKINGPOINTS_HOME": str(folder / "home"), "TALKINGPOINTS_DATABASE_URL": urls[number]}
        report = json.loads(Command(("import", "--json", str(source)), settings).run())
        read = sum(report["counts"].values())
        if read != n_messages:
            yield f"{read:,} of {n_messages:,} messages have an outcome"
        yield from differences(content(urls[number]), undisturbed[0])

    kill_often(outcome, n_kills, seed, Try(prepare, check))
    outcome.note += f", {n_messages:,} messages"
