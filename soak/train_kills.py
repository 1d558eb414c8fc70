"""`train` killed: never half a bundle, always an active model that loads, and the next run makes the same one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from classifiers.registry import Registry
from classifiers.scorer import Scorer
from soak.killing import Command, Try, kill_often
from soak.outcome import Outcome

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def kill_trainings(outcome: Outcome, folder: Path, n_kills: int, seed: int) -> None:
    """Kill trainings in a workspace with a model of another seed that is active."""
    folder.mkdir(parents=True)
    _command(folder / "first", 1).run()
    before = Registry(folder / "first" / "models").active()
    wanted: list[str] = []

    def prepare(number: int) -> Command:
        home = folder / f"home{number}"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(folder / "first", home)
        return _command(home, 0)

    def check(number: int) -> Iterator[str]:
        if not wanted:
            wanted.append(Registry(folder / "home-1" / "models").active())
        registry = Registry(folder / f"home{number}" / "models")
        yield from _unsound(registry, {before, wanted[0]})
        _command(folder / f"home{number}", 0).run()
        yield from _unsound(registry, {wanted[0]})
        left = [path.name for path in registry.models_path.iterdir() if path.name.startswith(".")]
        if left:
            yield f"left behind: {', '.join(left)}"
        shutil.rmtree(folder / f"home{number}")

    kill_often(outcome, n_kills, seed, Try(prepare, check))


def _unsound(registry: Registry, allowed: set[str]) -> Iterator[str]:
    """Load every bundle that can be seen, and the active one."""
    for version in registry.versions():
        Scorer.load(registry.path(version))
    if registry.active() not in allowed:
        yield f"model {registry.active()} is active, not one of {', '.join(sorted(allowed))}"


def _command(home: Path, seed: int) -> Command:
    settings = {"TALKINGPOINTS_HOME": str(home), "TALKINGPOINTS_CODEBOOK": str(_EXAMPLES / "codebook.yaml")}
    labels = str(_EXAMPLES / "annotations.jsonl")
    return Command(("train", "--labels", labels, "--seed", str(seed), "--activate", "yes"), settings)
