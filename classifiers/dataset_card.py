"""The card of the labelled posts that a model was trained on.

Sections as in Gebru, Morgenstern, Vecchione, Vaughan, Wallach, Daume III and Crawford, "Datasheets for Datasets",
Communications of the ACM 64 (2021).  What only people know is said to be missing; nothing is made up.  The card
has numbers alone: no text, no post id and no annotator.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from annotations.codebook import Codebook
from classifiers.dataset import Dataset, Provenance
from classifiers.languages import identify

_UNKNOWN = "Not known to the program; to be filled in by who shares the data:"


def dataset_card(dataset: Dataset, codebook: Codebook) -> str:
    """Return the card in Markdown; the same dataset gives the same card."""
    sections = {
        "Motivation": [
            f"Labelled for training and testing a classifier of the codebook {codebook.title!r}, version "
            f"{codebook.version} (digest `{codebook.digest}`).",
            f"{_UNKNOWN} who had it made, and who paid for it.",
        ],
        "Composition": _composition(dataset),
        "Collection Process": [
            "Posts were imported from exports of channels, or came with a labels file; a post that was edited counts",
            "once a revision. They are not a random sample unless they were drawn as one: see how the queue was made",
            "(`talkingpoints sample`).",
            f"{_UNKNOWN} from which channels and times, by whom, and whether anybody was asked.",
        ],
        "Preprocessing/cleaning/labeling": _labeling(dataset),
        "Uses": [
            "For the model beside this card and its comparison with others. Not for judging a person or account, and",
            "not for estimating how frequent a tag is in a channel unless the posts were drawn at random.",
        ],
        "Distribution": [
            "Not part of the bundle: it holds digests of the texts, from which a text at hand can be recognised, and",
            "words and weights. `talkingpoints export` writes the posts themselves, with pseudonyms of annotators.",
            f"{_UNKNOWN} to whom, under which licence and terms of the platform.",
        ],
        "Maintenance": [
            f"This is the state with the digest `{dataset.digest}`. Labels are added by `talkingpoints pull`,",
            "posts are erased on request by `talkingpoints erase`; a model trained before keeps what it learnt.",
            f"{_UNKNOWN} who answers questions.",
        ],
    }
    lines = [f"# Dataset card: {codebook.title}", ""]
    for title, content in sections.items():
        lines += [f"## {title}", "", *content, ""]
    return "\n".join(lines)


def _composition(dataset: Dataset) -> list[str]:
    lengths = [len(text) for text in dataset.texts]
    low, middle, high = np.quantile(lengths, [0.1, 0.5, 0.9])
    languages = Counter(identify(text) or "not identified" for text in dataset.texts)
    listed = ", ".join(f"{name} {n}" for name, n in sorted(languages.items(), key=lambda x: (-x[1], x[0])))
    n_groups, gold = len(np.unique(dataset.groups)), dataset.gold
    tagged = gold.any(axis=1)
    mean = gold.sum() / max(1, tagged.sum())
    n_spans = sum(len(spans) for marked in dataset.evidence for spans in marked.values())
    marked = [
        sum(bool(dataset.evidence[row].get(tag)) for row in np.flatnonzero(dataset.shares[:, k] > 0))
        for k, tag in enumerate(dataset.tag_ids)
    ]
    return [
        f"- {len(dataset)} posts in {n_groups} groups of near-duplicates.",
        f"- Length in characters: median {middle:.0f}, a tenth below {low:.0f}, a tenth above {high:.0f}.",
        f"- Languages as identified: {listed}.",
        f"- {int((~tagged).sum())} posts bear no tag; the others {mean:.2f} on average.",
        f"- {n_spans} passages are marked as evidence.",
        "",
        "| tag | posts by majority | posts by any annotator | of these with evidence |",
        "|---|---|---|---|",
        *[
            f"| `{tag}` | {int(gold[:, k].sum())} | {int((dataset.shares[:, k] > 0).sum())} | {marked[k]} |"
            for k, tag in enumerate(dataset.tag_ids)
        ],
    ]


def _labeling(dataset: Dataset) -> list[str]:
    readers = Counter(int(n) for n in dataset.n_annotators)
    listed = ", ".join(f"{n} by {k}" for k, n in sorted(readers.items()))
    several = dataset.n_annotators > 1
    kinds = Counter(int(kind) for kind in dataset.provenance[several].ravel())
    total = max(1, sum(kinds.values()))
    agreed = ", ".join(f"{kind.name.lower()} {kinds[int(kind)] / total:.1%}" for kind in Provenance)
    codebooks = ", ".join(f"`{digest}`" for digest in dataset.codebooks) or "not named by the labels"
    return [
        "Texts are cleaned on import; the text as received is kept in the ledger. Skipped posts and those flagged as",
        "not analysable are left out. Training sees the share of a post's annotators that gave a tag; judging takes a",
        "strict majority, a tie being no.",
        "",
        f"- {int(dataset.n_annotators.sum())} annotations; posts by number of annotators: {listed}.",
        f"- Answers on posts read by several: {agreed}."
        if several.any()
        else "- No post was read by several annotators.",
        f"- Codebooks of the labels: {codebooks}.",
    ]
