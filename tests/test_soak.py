"""The parts of `make soak` that are quick enough to be tried each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotations.readers import FORMATS
from soak.counting import n_messages
from soak.examining import examine
from soak.invented import messages, write_export
from soak.mutating import mutator
from soak.seeds import seeds

NAMES = [kind.name for kind in FORMATS]


@pytest.mark.parametrize("name", NAMES)
def test_every_seed_of_the_fuzzer_is_read_whole(tmp_path: Path, name: str) -> None:
    """The first seed is of its format; what is found in all of them is what is there."""
    found = [examine(tmp_path / "file", data) for data in seeds(name)]
    assert found[0] == name


@pytest.mark.parametrize("name", NAMES)
def test_changed_seeds_are_read_without_a_crash(tmp_path: Path, name: str) -> None:
    """A hundred changes of the kind that the fuzzer makes."""
    mutate = mutator(name, lambda data, _largest: data)
    for number in range(100):
        data = seeds(name)[number % len(seeds(name))]
        for step in range(1 + number % 3):
            data = mutate(data, 100_000, 1_000 * number + step)
        examine(tmp_path / "file", data)


def test_invented_exports_are_counted_in_the_same_way(tmp_path: Path) -> None:
    """The generator, the reader and the independent count agree."""
    path = tmp_path / "result.json"
    assert write_export(path, messages(500)) == 500
    assert n_messages("telegram-desktop", path.read_bytes()) == 500
    assert examine(tmp_path / "copy", path.read_bytes()) == "telegram-desktop"
