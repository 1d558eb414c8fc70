"""For tests of what learns and scores: an invented codebook and corpus, small enough to train on in a second."""

from __future__ import annotations

import random
from collections.abc import Sequence

from annotations.codebook import Codebook, Family, Tag
from annotations.records import Annotation, Span
from classifiers.dataset import Dataset
from classifiers.scorer import Scorer
from classifiers.training import TrainingOptions, train

_CLAIMS = {
    "shared-water": (
        "the river belongs to every village",
        "water must be shared by all",
        "fair rights to the river",
    ),
    "old-glory": (
        "our fathers built the great bridge",
        "the glorious days of the old league",
        "heroes of the league",
    ),
    "blame": (
        "the coast council lies again",
        "those swindlers of the coast",
        "shameless tricks of the council",
    ),
    "rare": ("the moon is ours",),
}
_FILLERS = (
    "The minister met the delegation of traders",
    "A briefing will be held on {day} at noon",
    "The talks in the capital lasted {n} hours",
    "Read the full text on the website",
    "The {n} participants thanked the hosts",
    "Questions of transport were on the agenda of {day}",
    "Office {n} of the ministry opens on {day}",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def invented_codebook() -> Codebook:
    """Return a codebook of four tags; ``rare`` is too rare in the invented corpus to be predicted."""
    return Codebook(
        version="1",
        title="Invented",
        families=(Family(id="claims", title="Claims"), Family(id="rhetoric", title="Rhetoric")),
        tags=tuple(
            Tag(
                id=tag,
                title=tag.replace("-", " ").capitalize(),
                family="rhetoric" if tag == "blame" else "claims",
                definition=f"The post says: {phrases[0]}.",
            )
            for tag, phrases in sorted(_CLAIMS.items(), key=lambda item: item[0] == "blame")
        ),
    )


def invented_annotations(
    n_posts: int = 60, seed: int = 0, annotators: Sequence[str] = ("A", "B")
) -> list[Annotation]:
    """Return annotations of invented posts; the second annotator overlooks every tenth tag."""
    random_ = random.Random(seed)  # noqa: S311 - no secret
    found: list[Annotation] = []
    for number in range(n_posts):
        text, tags = _post(random_, number)
        for rank, annotator in enumerate(annotators):
            kept = {tag: spans for tag, spans in tags.items() if rank == 0 or random_.random() > 0.1}
            found.append(
                Annotation(post_id=f"ministry/{seed}-{number}", annotator=annotator, text=text, tags=kept)
            )
    return found


def quick_options(**changes: object) -> TrainingOptions:
    """Return options that train fast: three folds."""
    values: dict[str, object] = {"n_folds": 3}
    return TrainingOptions(**(values | changes))  # type: ignore[arg-type]


def invented_scorer(n_posts: int = 80, **changes: object) -> Scorer:
    """Return a scorer trained on the invented corpus; ``changes`` are training options."""
    codebook = invented_codebook()
    data = Dataset.from_annotations(invented_annotations(n_posts), codebook)
    return Scorer(train(data, codebook, quick_options(**changes)).model, "0123456789ab")


def _post(random_: random.Random, number: int) -> tuple[str, dict[str, tuple[Span, ...]]]:
    parts = [
        (filler.format(day=random_.choice(_DAYS), n=random_.randint(2, 99)), "")
        for filler in random_.sample(_FILLERS, 3)
    ]
    wanted = [
        tag
        for tag in _CLAIMS
        if (tag == "rare" and number == 0) or (tag != "rare" and random_.random() < 0.35)
    ]
    for tag in wanted:
        parts.insert(random_.randint(0, len(parts)), (random_.choice(_CLAIMS[tag]), tag))
    text = ""
    tags: dict[str, tuple[Span, ...]] = {}
    for part, tag in parts:
        if tag:
            tags[tag] = (Span(len(text), len(text) + len(part)),)
        text += f"{part}. "
    return text.rstrip(), tags
