"""The model card of a bundle: what the model is, what it learnt from, how good it is, what it does not predict."""

from __future__ import annotations

from classifiers.model import Model
from classifiers.thresholds import TagRule


def model_card(model: Model) -> str:
    """Return the card in Markdown; the same model gives the same card."""
    codebook, training = model.codebook, model.training
    lines = [
        f"# Model card: {codebook.title}",
        "",
        "Tags posts by the codebook's tags; every score is a calibrated probability with the passages behind it.",
        "Made for posts like those it was trained on: another channel, language or time needs a test of its own.",
        "It suggests; people decide.",
        "",
        "## Training",
        "",
        f"- Codebook version {codebook.version} (digest `{codebook.digest}`), {len(model.rules)} tags.",
        f"- {training.get('n_posts', '?')} posts in {training.get('n_groups', '?')} groups of near-duplicates, "
        f"{training.get('n_annotations', '?')} annotations; digest `{model.dataset_digest}`.",
        f"- Views: {', '.join(view.name for view in model.linear.views)}.",
        f"- Features: {', '.join(f'{block.kind} ({len(block.terms):,})' for block in model.linear.blocks)}.",
        f"- Languages: {', '.join(model.linear.languages) or 'none identified'}.",
        "",
        "## Decisions",
        "",
        _policy(model),
        "",
        "## Quality on the training posts, out of fold",
        "",
        "Near-duplicates were never parted. Every post was scored by views and a second stage that had not seen it;",
        "`talkingpoints evaluate` judges decisions and evidence as well.",
        "",
        *[f"- {name}: {value:.4g}" for name, value in sorted(model.metrics.get("out_of_fold", {}).items())],
        "",
        "## Tags",
        "",
        "| tag | positives in training | prevalence | threshold |",
        "|---|---|---|---|",
        *[_row(rule) for rule in model.rules],
        "",
    ]
    refused = [rule for rule in model.rules if not rule.predicted]
    if refused:
        lines += ["## Not predicted", "", *[f"- `{rule.tag_id}`: {rule.reason}." for rule in refused], ""]
    return "\n".join(lines)


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


def _row(rule: TagRule) -> str:
    threshold = "not predicted" if rule.threshold is None else f"{rule.threshold:.3f}"
    return f"| `{rule.tag_id}` | {rule.support:g} | {rule.prevalence:.3f} | {threshold} |"
