"""The command that judges a model, or the training itself; its tables are in evaluation_tables.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict, Unpack

import click

from annotations.progress import Progress
from annotations.records import Annotation
from classifiers.baselines import always, never
from classifiers.dataset import Dataset
from classifiers.evaluation import summarise
from classifiers.outcomes import Outcomes, outcomes
from classifiers.robustness import answers, check, variants
from classifiers.scorer import Scorer
from classifiers.slices import by_annotator, by_part
from classifiers.training import TrainingOptions
from classifiers.validation import Plan, cross_validate
from service.cli import console
from service.cli.evaluation_tables import print_evaluation
from service.cli.learning import labels_in_use, scheduler_option, workers_of
from service.cli.models import chosen_scorer, model_option
from service.settings import Settings


class _Ways(TypedDict):
    """What is judged besides, and how."""

    quick: bool
    robustness: bool
    seed: int
    jobs: int
    scheduler: str | None


@click.command("evaluate")
@model_option
@console.labels_option
@click.option(
    "--cross-validate", is_flag=True, help="Judge the training itself on --labels instead of a model."
)
@click.option(
    "--quick", is_flag=True, help="Cross-validate by group alone: no time-ordered hold-out, no random folds."
)
@click.option(
    "--robustness",
    is_flag=True,
    help="Also without footers, casing, emoji, hashtags, quoted words: what each of them costs.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the folds of a cross-validation.")
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes; the figures are the same.")
@scheduler_option
@console.json_option
def evaluate_command(
    model: Path | None, labels: Path | None, cross_validate: bool, as_json: bool, **ways: Unpack[_Ways]
) -> None:
    """Judge the model on the posts of --labels, which it must not have been trained on.

    Without --labels, or with --cross-validate, the training itself is judged: cross-validated in five folds,
    near-duplicates kept together, beside what any model must beat, a time-ordered hold-out and folds drawn at random.
    """
    settings = console.settings()
    if labels is None or cross_validate:
        if model is not None:
            raise click.UsageError("--model needs --labels: posts that this model was not trained on.")
        annotations = labels_in_use(settings, labels, console.codebook(settings))
        plan = Plan(splits=not ways["quick"], robustness=ways["robustness"], n_jobs=ways["jobs"])
        with workers_of(ways["scheduler"]):
            figures = validate(settings, annotations, ways["seed"], plan)
    else:
        for name in ("scheduler", "quick"):
            if ways[name]:
                raise click.UsageError(f"--{name} goes with a cross-validation; a model is judged here.")
        scorer = chosen_scorer(settings, model)
        annotations = labels_in_use(settings, labels, scorer.codebook)
        with console.progress("Evaluating") as progress:
            figures = judge(scorer, annotations, progress, robustness=ways["robustness"])
    if as_json:
        console.print_json(figures)
    else:
        print_evaluation(figures)


def validate(
    settings: Settings, annotations: list[Annotation], seed: int = 0, plan: Plan | None = None
) -> dict[str, Any]:
    """Cross-validate training on these annotations and return the figures; by group alone without a ``plan``."""
    codebook = console.codebook(settings)
    dataset = Dataset.from_annotations(annotations, codebook)
    with console.progress("Cross-validating", "steps") as progress:
        found = cross_validate(dataset, codebook, TrainingOptions(seed=seed), progress, plan)
    return found.to_dict() | parts(found.outcomes, dataset, annotations)


def judge(
    scorer: Scorer, annotations: list[Annotation], progress: Progress, *, robustness: bool = False
) -> dict[str, Any]:
    """Judge a model on labelled posts that it was not trained on and return the figures."""
    dataset = Dataset.from_annotations(annotations, scorer.codebook, mixed_codebooks=True)
    said = outcomes(scorer, dataset, progress)
    plain = {"always": always, "never": never}
    found = summarise(said).to_dict()
    found["baselines"] = {
        name: summarise(baseline(dataset, dataset, scorer.codebook)).to_dict()
        for name, baseline in plain.items()
    }
    if robustness:
        texts = variants(dataset)
        checks = check(said, answers(scorer, texts), dataset, texts)
        found["robustness"] = {name: each.to_dict() for name, each in checks.items()}
    return found | parts(said, dataset, annotations)


def parts(said: Outcomes, dataset: Dataset, annotations: list[Annotation]) -> dict[str, Any]:
    """Return the figures by language, source and length, and against every annotator, over all tags."""
    return {
        "parts": {
            kind: {name: each.headline() for name, each in of.items()}
            for kind, of in by_part(said, dataset).items()
        },
        "annotators": {
            name: each.headline() for name, each in by_annotator(said, dataset, annotations).items()
        },
    }


COMMANDS: tuple[click.Command, ...] = (evaluate_command,)
