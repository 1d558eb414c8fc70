"""The model card of a bundle: what the model is, what it learnt from, how good it is, what it does not predict.

Sections as in Mitchell, Wu, Zaldivar, Barnes, Vasserman, Hutchinson, Spitzer, Raji and Gebru, "Model Cards for
Model Reporting", FAT* 2019.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classifiers.curves import Unseen, confusions, judged
from classifiers.model import Model
from classifiers.plots import alternative_texts
from classifiers.thresholds import TagRule

_MOST_CONFUSIONS = 10
_LEAST_CONFUSION = 0.05


def model_card(model: Model, unseen: Unseen | None = None, plots: Sequence[str] = ()) -> str:
    """Return the card in Markdown; the same model gives the same card.

    Parameters
    ----------
    unseen
        The out-of-fold scores, for the figures of every tag.
    plots
        The file names of the plots beside the card.
    """
    sections = {
        "Model Details": _details(model),
        "Intended Use": _use(),
        "Factors": _factors(model),
        "Metrics": _metrics(model),
        "Evaluation Data": _evaluation_data(),
        "Training Data": _training_data(model),
        "Quantitative Analyses": _analyses(model, unseen, plots),
        "Ethical Considerations": _ethics(),
        "Caveats and Recommendations": _caveats(model),
    }
    lines = [f"# Model card: {model.codebook.title}", ""]
    for title, content in sections.items():
        lines += [f"## {title}", "", *content, ""]
    return "\n".join(lines)


def _details(model: Model) -> list[str]:
    linear = model.linear
    return [
        "Tags posts by the codebook's tags; every score is a calibrated probability with the passages behind it.",
        "Made and trained by Talking Points; `manifest.json` beside this card has date, libraries, options.",
        "",
        f"- Codebook version {model.codebook.version} (digest `{model.codebook.digest}`), {len(model.rules)} tags.",
        "- Logistic regressions over words, added up by a second stage that makes probabilities of them.",
        f"- Views: {', '.join(view.name for view in linear.views)}.",
        f"- Features: {', '.join(f'{block.kind} ({len(block.terms):,})' for block in linear.blocks)}.",
        f"- Languages: {', '.join(linear.languages) or 'none identified'}.",
    ]


def _use() -> list[str]:
    return [
        "For analysts who look through many posts of channels like those it was trained on: finding, counting,",
        "choosing what to read and what to annotate next. It suggests; people decide.",
        "",
        "Out of scope: deciding on a person or an account; telling whether a claim is true, or who is behind it;",
        "another channel, kind of text, language or time without a test of its own.",
    ]


def _factors(model: Model) -> list[str]:
    return [
        "Quality differs by tag (below), and is to be expected to differ by language, channel, length and time.",
        f"The model knows the words of: {', '.join(model.linear.languages) or 'no language that was identified'}.",
        "Words of other languages count only as strings of characters.",
    ]


def _metrics(model: Model) -> list[str]:
    return [
        "Average precision needs no threshold; precision, recall and F1 are those of the decisions; the Brier score",
        "and the calibration error judge the probabilities. Over all tags that occur; a tag that is not predicted",
        "counts with its base rate.",
        "",
        _policy(model),
    ]


def _evaluation_data() -> list[str]:
    return [
        "The training posts themselves, out of fold: every post is scored by a model fitted without it.",
        "Near-duplicates were never parted. The thresholds were chosen on these same scores, so precision, recall and",
        "F1 are a little too good; `talkingpoints evaluate` gives honest ones.",
    ]


def _training_data(model: Model) -> list[str]:
    training = model.training
    return [
        f"- {training.get('n_posts', '?')} posts in {training.get('n_groups', '?')} groups of near-duplicates, "
        f"{training.get('n_annotations', '?')} annotations; digest `{model.dataset_digest}`.",
        "- `dataset.md`, where it lies beside this card, describes them.",
    ]


def _analyses(model: Model, unseen: Unseen | None, plots: Sequence[str]) -> list[str]:
    figures = model.metrics.get("out_of_fold", {})
    lines = [f"- {name}: {value:.4g}" for name, value in sorted(figures.items())]
    header = "| tag | positives in training | prevalence | threshold |"
    if unseen is None:
        lines += ["", header, "|---|---|---|---|", *[_row(rule) for rule in model.rules]]
    else:
        column = {rule.tag_id: k for k, rule in enumerate(unseen.rules)}
        lines += ["", f"{header} average precision | precision | recall | F1 | Brier |", "|" + "---|" * 9]
        lines += [_row(rule) + _judged(unseen, column.get(rule.tag_id)) for rule in model.rules]
        lines += _confused(unseen)
    said = alternative_texts()
    for name in plots:
        lines += ["", f"![{said[name]}]({name})"]
    return lines


def _row(rule: TagRule) -> str:
    threshold = "not predicted" if rule.threshold is None else f"{rule.threshold:.3f}"
    return f"| `{rule.tag_id}` | {rule.support:g} | {rule.prevalence:.3f} | {threshold} |"


def _judged(unseen: Unseen, k: int | None) -> str:
    if k is None:
        return " - |" * 5
    of = judged(unseen, k)
    values = (of.average_precision, of.precision, of.recall, of.f1, of.brier)
    return "".join(" - |" if np.isnan(value) else f" {value:.3f} |" for value in values)


def _confused(unseen: Unseen) -> list[str]:
    """List the most frequent wrong predictions by tag borne."""
    table = np.nan_to_num(confusions(unseen))
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    pairs = [divmod(int(place), table.shape[1]) for place in order]
    ids = [rule.tag_id for rule in unseen.rules]
    lines = [
        f"- posts with `{ids[i]}`: `{ids[j]}` wrongly predicted in {table[i, j]:.0%}"
        for i, j in pairs
        if table[i, j] >= _LEAST_CONFUSION
    ]
    return ["", "Tags most often given beside another, wrongly:", "", *lines] if lines else []


def _ethics() -> list[str]:
    return [
        "The model learnt from what its annotators saw in posts, with their views and blind spots, and repeats them.",
        "A tag says that a post makes a claim, not that the claim is false or its author bad. Labelled posts are",
        "public speech of somebody: mind the law where they name private persons, and erase on request.",
    ]


def _caveats(model: Model) -> list[str]:
    lines = [
        "- Test it on labelled posts of your own before counting with it: `talkingpoints evaluate --labels FILE`.",
        "- Counting decisions gives biased shares where a tag is missed or overcalled; the table above says how often.",
        "- Train again when the codebook changes or the channel talks of other things.",
    ]
    refused = [rule for rule in model.rules if not rule.predicted]
    if refused:
        lines += ["", "Not predicted:", "", *[f"- `{rule.tag_id}`: {rule.reason}." for rule in refused]]
    return lines


def _policy(model: Model) -> str:
    how = model.options.get("thresholds", {})
    wanted = {
        "best-f1": "the best F1 that can be expected",
        "precision": f"a precision of at least {how.get('floor')}",
        "recall": f"a recall of at least {how.get('floor')}",
        "cost": f"the least cost, a false yes costing {how.get('false_yes_cost')} times a false no",
    }.get(str(how.get("policy")), "unknown")
    band = f"; `abstain` nearer than {how.get('abstain_margin')} to it" if how.get("abstain_margin") else ""
    return (
        f"Each tag's threshold is chosen for {wanted}, from probabilities of posts that the model had not seen{band}. "
        f"A tag with fewer than {how.get('min_support')} positive posts is not predicted."
    )
