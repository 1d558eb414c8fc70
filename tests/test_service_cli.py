"""The command line as analysts use it: results on standard output, messages on standard error, exit codes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
COMMANDS = [
    "codebook", "import", "posts", "studio", "push", "pull", "export", "agreement", "anchoring",
    "adjudicate", "suspects", "sample", "train", "evaluate", "learning-curve", "retrain", "models",
    "activate", "rollback", "card", "export-sklearn", "tag", "prevalence", "trends", "drift", "diagnose",
    "status", "serve", "keys", "audit", "settings", "report",
    "backup", "restore", "erase", "demo",
]  # fmt: skip


class Cli:
    """Runs ``talkingpoints`` as a process in a workspace of its own."""

    def __init__(self, home: Path) -> None:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("TALKINGPOINTS_")
        }
        self.home = home
        self.environment = inherited | {
            "TALKINGPOINTS_HOME": str(home),
            "TALKINGPOINTS_CODEBOOK": str(EXAMPLES / "codebook.yaml"),
        }

    def __call__(self, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command and check its exit code; no failure may show a traceback."""
        done = subprocess.run(
            [sys.executable, "-m", "service.cli", *map(str, arguments)],
            env=self.environment,
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: object) -> dict:
        """Return what a command prints as JSON."""
        return json.loads(self(*arguments, "--json").stdout)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Return a command line with an empty workspace."""
    return Cli(tmp_path / "work space")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Return a command line whose workspace has a model trained on the sample."""
    made = Cli(tmp_path_factory.mktemp("trained") / "workspace")
    made("train", "--labels", EXAMPLES / "annotations.jsonl")
    return made


def test_help_lists_every_command_in_the_order_of_the_work(cli: Cli) -> None:
    """A newcomer reads the commands from the first step to the last."""
    lines = cli("--help").stdout.partition("Commands:")[2].splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(cli: Cli, command: str) -> None:
    """Each command has a help page."""
    assert "Usage: talkingpoints" in cli(command, "--help").stdout


def test_wrong_usage_ends_with_2(cli: Cli) -> None:
    """An unknown option and a missing argument are usage errors."""
    cli("import", code=2)
    cli("train", "--labells", "x", code=2)
    assert "text=body,date=created" in cli("import", "x", "--map", "text", code=2).stderr


def test_a_wrong_setting_ends_with_2_and_names_it(cli: Cli) -> None:
    """A setting out of range is named with its variable."""
    cli.environment["TALKINGPOINTS_PORT"] = "seventy"
    assert "TALKINGPOINTS_PORT" in cli("status", code=2).stderr


def test_a_missing_file_ends_with_1_and_is_named(cli: Cli) -> None:
    """A file that is not there is named, and nothing is made up."""
    assert "nowhere.csv" in cli("import", "nowhere.csv", code=1).stderr
    assert "labels.jsonl" in cli("train", "--labels", "labels.jsonl", code=1).stderr


def test_a_time_zone_can_be_named_for_dates_without_one(cli: Cli, tmp_path: Path) -> None:
    """Local times are read in the zone that was named; a name that means nothing is a usage error."""
    table = tmp_path / "posts.csv"
    table.write_text("message_id,date,text\n1,2026-04-07 10:02:03,Words\n", encoding="utf-8")
    assert "Europe/Madrid" in cli("import", table, "--timezone", "Calverra/Maravent", code=2).stderr
    cli("import", table, "--timezone", "Europe/Madrid")
    assert json.loads(cli("posts").stdout)["date"] == "2026-04-07T08:02:03+00:00"


def test_import_goes_on_after_a_file_that_cannot_be_read(cli: Cli) -> None:
    """The good file of two is imported; the exit code still says that one failed."""
    done = cli("import", "nowhere.csv", EXAMPLES / "posts.csv", code=1)
    assert "53 new" in done.stdout
    assert cli.json("status")["ledger"]["posts"] == 53


def test_import_twice_then_posts_then_import_again(cli: Cli) -> None:
    """The sample is imported once; its posts written out and read again change nothing."""
    files = [EXAMPLES / name for name in ("dump.txt", "posts.csv", "result.json")]
    first = cli.json("import", *files)
    assert first["counts"] == {
        "new": 159, "edited": 0, "unchanged": 0, "duplicate": 1, "empty": 9, "service": 4, "refused": 0
    }  # fmt: skip
    assert cli.json("import", *files)["counts"]["unchanged"] == 160
    lines = cli("posts").stdout.splitlines()
    assert len(lines) == 160
    for suffix in ("csv", "parquet", "jsonl"):
        out = cli.home / f"posts.{suffix}"
        cli("posts", "--out", out)
        counts = cli.json("import", out)["counts"]
        assert counts["unchanged"] == 160, counts


def test_a_codebook_with_mistakes_is_refused_with_tag_and_field(cli: Cli, tmp_path: Path) -> None:
    """Each mistake is named with the file, the tag and the field."""
    broken = tmp_path / "codebook.yaml"
    text = (EXAMPLES / "codebook.yaml").read_text(encoding="utf-8")
    broken.write_text(text.replace("definition:", "definitoin:", 1), encoding="utf-8")
    message = cli("codebook", "check", broken, code=1).stderr
    assert str(broken) in message
    assert "multipolarity" in message
    assert "definition" in message


def test_the_codebook_in_use_can_be_checked_and_shown(cli: Cli) -> None:
    """Without a file the codebook in use is meant."""
    assert "12 tags" in cli("codebook", "check").stdout
    assert "Multipolar" in cli("codebook", "show").stdout
    assert cli.json("codebook", "show")["families"]


def test_agreement_of_a_labels_file(cli: Cli) -> None:
    """Agreement needs no ledger: a labels file is enough."""
    report = cli.json("agreement", "--labels", EXAMPLES / "annotations.jsonl")
    assert set(report["tags"]["un-role"]) >= {
        "percent", "alpha", "alpha_low", "alpha_high", "ac1", "kappa", "positive", "n_positive", "n_posts"
    }  # fmt: skip
    assert 0.4 < report["overall"]["alpha"] < 0.95
    assert "multipolarity" in cli("agreement", "--labels", EXAMPLES / "annotations.jsonl").stdout


def test_agreement_of_a_label_studio_export(cli: Cli, tmp_path: Path) -> None:
    """An export of any project will do, and says which of its tags are rare."""
    values = [[["War", "Aid"]], [["War", "Aid"]], [["Peace"]], [["Peace"]]]
    result = [[{"from_name": "t", "type": "taxonomy", "value": {"taxonomy": value}}] for value in values]
    tasks = [
        {
            "id": n,
            "data": {"text": "t"},
            "annotations": [{"completed_by": who, "result": result[n]} for who in (1, 2)],
        }
        for n in range(4)
    ]
    file = tmp_path / "export.json"
    file.write_text(json.dumps(tasks), encoding="utf-8")
    report = cli.json("agreement", "--labels", file, "--min-uses", "4")
    assert set(report["tags"]) == {"War > Aid", "Peace"}
    assert report["overall"]["alpha"] == 1.0
    assert cli.json("agreement", "--labels", file, "--min-uses", "5")["tags"] == {}
    assert "War > Aid" in cli("agreement", "--labels", file).stdout


def test_disagreements_are_listed_and_gold_says_where_it_comes_from(cli: Cli, tmp_path: Path) -> None:
    """The table goes to a CSV; what a majority cannot settle is not gold; gold can be trained on."""
    labels = EXAMPLES / "annotations.jsonl"
    questions = cli.json("adjudicate", "list", "--labels", labels)
    assert questions[0]["distance"] >= questions[-1]["distance"] > 0
    cli("adjudicate", "list", "--labels", labels, "--out", tmp_path / "open.csv")
    table = pd.read_csv(tmp_path / "open.csv")
    assert set(table["post_id"]) == {question["post_id"] for question in questions}
    gold = tmp_path / "gold.jsonl"
    counts = cli.json("adjudicate", "gold", "--labels", labels, "--out", gold)
    assert counts["open"] == len(questions)
    lines = [json.loads(line) for line in gold.read_text(encoding="utf-8").splitlines()]
    assert {line["provenance"] for line in lines} == {"single", "unanimous"}
    assert cli.json("agreement", "--labels", gold)["problems"]
    cli("adjudicate", "gold", "--labels", labels, "--out", gold, "--method", "dawid-skene", code=1)


def test_labels_with_a_mistake_are_refused_with_file_and_line(cli: Cli, tmp_path: Path) -> None:
    """A span outside its text is found before anything is trained."""
    lines = (EXAMPLES / "annotations.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[4])
    row["tags"] = {"un-role": [{"start": 0, "end": len(row["text"]) + 1}]}
    lines[4] = json.dumps(row)
    broken = tmp_path / "labels.jsonl"
    broken.write_text("\n".join(lines), encoding="utf-8")
    assert f"{broken}:5" in cli("train", "--labels", broken, code=1).stderr
    assert not (cli.home / "models").exists()


def test_there_is_nothing_to_train_on_before_a_pull(cli: Cli) -> None:
    """Without labels the way out is said."""
    assert "talkingpoints pull" in cli("train", code=1).stderr
    assert "talkingpoints train" in cli("tag", EXAMPLES / "posts.csv", "out.csv", code=1).stderr


def test_training_is_repeatable_and_the_model_becomes_active(trained: Cli) -> None:
    """The same labels and seed give the same version, on one process or two."""
    (version,) = trained.json("models")["versions"]
    again = trained("train", "--labels", EXAMPLES / "annotations.jsonl", "--jobs", "2").stdout
    assert version in again
    assert trained.json("models") == {"active": version, "previous": None, "versions": [version]}
    trained("activate", version)
    assert "no model" in trained("activate", "0123456789ab", code=1).stderr


def test_a_model_has_cards_and_plots_and_can_be_exported(trained: Cli, tmp_path: Path) -> None:
    """The card is shown, both cards and the plots are written, and the estimator comes with a warning."""
    assert trained("card").stdout.startswith("# Model card: ")
    assert trained("card", "--dataset").stdout.startswith("# Dataset card: ")
    trained("card", "--out", tmp_path / "cards")
    written = sorted(path.name for path in (tmp_path / "cards").iterdir())
    assert written[:2] == ["card.md", "dataset.md"]
    assert all(f"({name})" in trained("card").stdout for name in written if name.endswith(".svg"))
    done = trained("export-sklearn", tmp_path / "model.joblib")
    assert "loading it runs code" in done.stderr
    assert (tmp_path / "model.joblib").stat().st_size > 0


def test_a_worse_model_is_stored_and_not_activated_unless_it_is_asked_for(cli: Cli, tmp_path: Path) -> None:
    """Labels shifted from post to post teach nothing; on the good labels that shows."""
    good = EXAMPLES / "annotations.jsonl"
    lines = [json.loads(line) for line in good.read_text(encoding="utf-8").splitlines()]
    tags = [line["tags"] for line in lines]
    for line, others in zip(lines, [*tags[40:], *tags[:40]], strict=True):
        line["tags"] = {tag: [] for tag in others}
        line.pop("origin", None)
    bad = tmp_path / "bad.jsonl"
    bad.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    worse = cli.json("train", "--labels", bad)
    assert (worse["active"], worse["comparison"]) == (True, None)
    better = cli.json("train", "--labels", good)
    assert (better["active"], better["comparison"]["verdict"]) == (True, "better")
    refused = cli("train", "--labels", good, "--min-support", "21")
    assert "stored, not active" in refused.stdout
    compared = cli.json("models", "compare", better["version"], worse["version"], "--labels", good)
    assert compared["verdict"] == "worse"
    assert set(compared["figures"]) == {"mean_average_precision", "micro_f1", "macro_f1"}
    assert cli.json("rollback")["active"] == worse["version"]
    assert len(cli.json("models", "prune", "--keep", "0")["removed"]) == 2
    assert cli.json("models")["versions"] == [worse["version"]]


def test_evaluate_gives_the_figures_by_tag(trained: Cli, tmp_path: Path) -> None:
    """The keys that scripts rely on are there."""
    bundle = tmp_path / "bundle"
    trained("train", "--labels", EXAMPLES / "annotations.jsonl", "--out", bundle)
    figures = trained.json("evaluate", "--model", bundle, "--labels", EXAMPLES / "annotations.jsonl")
    assert set(figures) >= {
        "n_posts", "micro_f1", "macro_f1", "mean_average_precision", "brier", "expected_calibration_error",
        "coverage", "evidence_hit_rate", "tags",
    }  # fmt: skip
    assert set(figures["tags"]["multipolarity"]) >= {
        "n_positive", "precision", "recall", "f1", "average_precision", "threshold"
    }  # fmt: skip
    assert "--labels" in trained("evaluate", "--model", bundle, code=2).stderr
    for option in (["--quick"], ["--scheduler", "tcp://127.0.0.1:1"]):
        refused = trained("evaluate", "--labels", EXAMPLES / "annotations.jsonl", *option, code=2)
        assert f"{option[0]} goes with a cross-validation" in refused.stderr


def test_training_itself_can_be_judged_on_a_labels_file(cli: Cli) -> None:
    """Cross-validation needs no model and no ledger, and shows the baseline beside."""
    figures = cli.json("evaluate", "--labels", EXAMPLES / "annotations.jsonl", "--cross-validate")
    assert figures["n_folds"] == 5
    assert figures["mean_average_precision"] > figures["text_only"]["mean_average_precision"]
    assert set(figures["splits"]) == {"time", "random"}
    assert set(figures["parts"]) == {"language", "source", "length"}
    assert len(figures["annotators"]) == 2


def test_an_evaluation_is_shown_as_tables(trained: Cli, tmp_path: Path) -> None:
    """Of a training and of a model: by tag, over all, beside the baselines, and what changed texts cost."""
    quick = ["--cross-validate", "--quick", "--robustness"]
    shown = trained("evaluate", "--labels", EXAMPLES / "annotations.jsonl", *quick).stdout
    for words in (
        "multipolarity",
        "micro F1",
        "codebook cues alone",
        "gold (a strict majority)",
        "emoji removed",
    ):
        assert words in shown
    assert "random folds" not in shown
    shown = trained("evaluate", "--labels", EXAMPLES / "annotations.jsonl", "--robustness").stdout
    for words in ("always yes", "By length", "footers masked", "on the posts of the file"):
        assert words in shown


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_tag_writes_a_row_a_post(trained: Cli, tmp_path: Path, suffix: str) -> None:
    """The output has an id, a version, and a decision and a score a tag."""
    out = tmp_path / f"tags.{suffix}"
    assert "53 posts tagged" in trained("tag", EXAMPLES / "posts.csv", out).stdout
    readers = {
        "parquet": pd.read_parquet,
        "csv": pd.read_csv,
        "jsonl": lambda path: pd.read_json(path, lines=True),
    }
    table = readers[suffix](out)
    assert len(table) == 53
    assert list(table.columns[:4]) == ["post_id", "model_version", "multipolarity", "multipolarity_score"]
    assert set(table["multipolarity"]) <= {"yes", "no", "abstain"}


def test_tag_to_an_unknown_format_is_refused(trained: Cli, tmp_path: Path) -> None:
    """Nothing is written under a suffix that means no format."""
    out = tmp_path / "tags.xlsx"
    assert ".parquet" in trained("tag", EXAMPLES / "posts.csv", out, code=1).stderr
    assert not out.exists()


def test_status_and_settings_say_what_is_where(trained: Cli) -> None:
    """A human and a script can both ask what is where; a secret is not shown."""
    trained.environment["TALKINGPOINTS_STUDIO_TOKEN"] = "do-not-show"
    assert "Active model" in trained("status").stdout
    assert trained.json("status")["models"]["active"]
    shown = trained("settings").stdout
    assert "TALKINGPOINTS_HOME" in shown
    assert "do-not-show" not in shown + trained("settings", "--json").stdout


def test_push_without_a_label_studio_says_how_to_start_one(cli: Cli) -> None:
    """The local Label Studio that does not run is named with the way out."""
    assert "talkingpoints studio up" in cli("push", code=1).stderr
    assert "not running" in cli("studio", "down").stdout


def test_a_label_studio_that_does_not_answer_is_named(cli: Cli) -> None:
    """An address where nobody listens is an error of one sentence, without the token."""
    cli.environment["TALKINGPOINTS_STUDIO_URL"] = "http://127.0.0.1:9"
    assert "TALKINGPOINTS_STUDIO_TOKEN" in cli("pull", code=1).stderr
    cli.environment["TALKINGPOINTS_STUDIO_TOKEN"] = "do-not-show"
    message = cli("pull", code=1).stderr
    assert "http://127.0.0.1:9" in message
    assert "do-not-show" not in message


def test_a_port_in_use_is_a_clear_message(trained: Cli) -> None:
    """The port is named, and the option that chooses another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = trained("serve", "--port", port, code=1).stderr
    assert str(port) in message
    assert "--port" in message
