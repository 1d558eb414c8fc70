"""``python -m soak.fuzz_target FORMAT FOLDER [libFuzzer's options]``: what the fuzzer calls for every input."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["annotations"]):
    from soak.examining import examine

from soak.mutating import mutator


def _bytewise(data: bytes, largest: int) -> bytes:
    return bytes(atheris.Mutate(data, largest))  # looked up now: it is another function once the fuzzer runs


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer's options say that it is enough, or something is found."""
    name, folder, *options = arguments
    path = Path(folder) / "input"
    atheris.Setup(
        [sys.argv[0], *options],
        lambda data: examine(path, data),
        custom_mutator=mutator(name, _bytewise),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
