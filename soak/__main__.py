"""``python -m soak``: all parts, or those of ``--only``; a table at the end, and exit code 1 on any failure."""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from annotations.errors import TalkingPointsError
from annotations.testing import NoServerError, postgresql_server
from benchmarks.local_studio import studio_environment, temporary_studio
from soak.api_cases import VARIANTS, Effort, try_cases
from soak.bulk_kills import kill_tagging, kill_workers
from soak.examples import many_examples
from soak.fuzzing import NAMES, fuzz, missing
from soak.import_kills import kill_imports
from soak.large_file import read_large
from soak.outcome import Outcome, measured, print_table
from soak.reload import Load, change_models
from soak.requests import storm
from soak.server_kills import kill_servers
from soak.studio_kills import desk, kill_pulls, kill_pushes
from soak.train_kills import kill_trainings

PARTS = (
    "import", "push", "pull", "server", "train", "bulk", "fuzz", "examples", "large", "api", "reload", "requests",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run the parts and return the exit code."""
    options = _options(arguments)
    outcomes: list[Outcome] = []
    parts = {
        "import": _imports,
        "push+pull+server": _studio,
        "train": _trainings,
        "bulk": _tagging,
        "fuzz": _fuzzing,
        "examples": _examples,
        "large": _large,
        "api": _api_cases,
        "reload": _reload,
        "requests": _requests,
    }
    with tempfile.TemporaryDirectory(dir=options.scratch, ignore_cleanup_errors=True) as scratch:
        for name, part in parts.items():
            if set(name.split("+")) & set(options.only):
                for outcome in part(options, Path(scratch)):
                    outcomes.append(outcome)
                    print(f"{outcome.part}: {outcome.verdict}", flush=True)
    print_table(outcomes)
    return int(any(outcome.failures for outcome in outcomes))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument("--kills", type=int, default=20, help="kills of each command")
    parser.add_argument(
        "--messages", type=int, default=15_000, help="messages of the file whose import is killed"
    )
    parser.add_argument("--tagged", type=int, default=6_000, help="messages whose tagging is killed")
    parser.add_argument("--server-kills", type=int, default=8, help="kills of Label Studio itself")
    parser.add_argument("--fuzz-seconds", type=int, default=120, help="of each format")
    parser.add_argument("--examples", type=int, default=3_000, help="of each property")
    parser.add_argument("--large-mb", type=int, default=2_048, help="size of the very large file")
    parser.add_argument("--api-cases", type=int, default=10_000, help="of schemathesis, in all")
    parser.add_argument("--changes", type=int, default=200, help="of the model, under load")
    parser.add_argument("--requests", type=int, default=20_000, help="while the model is changed")
    parser.add_argument("--mixed-requests", type=int, default=200_000, help="good and bad requests")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scratch", type=Path, help="where temporary files go (several GB)")
    return parser.parse_args(arguments)


def _imports(options: argparse.Namespace, scratch: Path) -> Iterator[Outcome]:
    how = options.kills, options.seed, options.messages
    with measured(Outcome("kills of import, SQLite")) as outcome:
        folder = scratch / "import-sqlite"
        kill_imports(outcome, folder, lambda number: _sqlite(folder / f"{number}-{uuid.uuid4().hex}.db"), how)
    yield outcome
    with measured(Outcome("kills of import, PostgreSQL")) as outcome:
        try:
            with postgresql_server() as server:
                kill_imports(outcome, scratch / "import-postgresql", lambda _: server.new_database(), how)
        except NoServerError as error:
            outcome.skipped = str(error)
    yield outcome


def _sqlite(path: Path) -> str:
    return f"sqlite:///{path}"


def _studio(options: argparse.Namespace, scratch: Path) -> Iterator[Outcome]:
    environment = studio_environment()
    if not (environment / "bin" / "label-studio").exists():
        yield Outcome("kills of push, pull and Label Studio", skipped=f"no Label Studio in {environment}")
        return
    try:
        with temporary_studio() as (running, home):
            here = desk(running, home, scratch / "studio")
            for name, part in (("push", kill_pushes), ("pull", kill_pulls)):
                if name in options.only:
                    with measured(Outcome(f"kills of {name}")) as outcome:
                        part(outcome, here, options.kills, options.seed)
                    yield outcome
            if "server" in options.only:
                with measured(Outcome("kills of Label Studio")) as outcome:
                    kill_servers(outcome, here, environment, options.server_kills, options.seed)
                yield outcome
    except TalkingPointsError as error:
        yield Outcome("Label Studio", failures=[str(error)])


def _trainings(options: argparse.Namespace, scratch: Path) -> Iterator[Outcome]:
    with measured(Outcome("kills of train")) as outcome:
        kill_trainings(outcome, scratch / "train", options.kills, options.seed)
    yield outcome


def _tagging(options: argparse.Namespace, scratch: Path) -> Iterator[Outcome]:
    for name, part in (("tag", kill_tagging), ("a worker of tag", kill_workers)):
        n_kills = options.kills if part is kill_tagging else max(1, options.kills // 5)
        with measured(Outcome(f"kills of {name}")) as outcome:
            part(outcome, scratch / f"bulk-{part.__name__}", (n_kills, options.seed, options.tagged))
        yield outcome


def _fuzzing(options: argparse.Namespace, scratch: Path) -> Iterator[Outcome]:
    reason = missing()
    for name in NAMES:
        with measured(Outcome(f"fuzzing {name}", skipped=reason)) as outcome:
            if not reason:
                fuzz(outcome, name, scratch / "fuzz" / name, options.fuzz_seconds, options.seed)
        yield outcome


def _examples(options: argparse.Namespace, _scratch: Path) -> Iterator[Outcome]:
    with measured(Outcome("readers by Hypothesis")) as outcome:
        many_examples(outcome, options.examples, options.seed)
    yield outcome


def _large(options: argparse.Namespace, scratch: Path) -> Iterator[Outcome]:
    with measured(Outcome("a very large result.json")) as outcome:
        read_large(outcome, scratch / "large", options.large_mb * 1_000_000)
    yield outcome


def _requests(options: argparse.Namespace, scratch: Path) -> Iterator[Outcome]:
    with measured(Outcome("requests to a server")) as outcome:
        home = scratch / "requests"
        home.mkdir()
        storm(outcome, home, options.mixed_requests, options.seed)
    yield outcome


def _api_cases(options: argparse.Namespace, scratch: Path) -> Iterator[Outcome]:
    each = -(-options.api_cases // len(VARIANTS))
    for number, variant in enumerate(VARIANTS):
        name = "API cases" if variant == "alone" else f"API cases, Label Studio {variant}"
        with measured(Outcome(name)) as outcome:
            effort = Effort(each, 50, options.seed + 1_000 * number)
            try_cases(outcome, scratch / "api" / variant, variant, effort)
        yield outcome


def _reload(options: argparse.Namespace, scratch: Path) -> Iterator[Outcome]:
    with measured(Outcome("models changed under load")) as outcome:
        change_models(outcome, scratch / "reload", Load(options.changes, options.requests, seed=options.seed))
    yield outcome


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
