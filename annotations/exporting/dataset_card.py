"""The card of a dataset (README.md): a header that tools read, and what a reader must know of the data."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow
import yaml

from annotations.agreement import AgreementReport
from annotations.exporting.card_figures import CardFigures
from annotations.exporting.columnar import parquet_schema
from annotations.exporting.entries import Status
from annotations.exporting.layout import Layout

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
_TYPES = {"double": "float64", "timestamp[us, tz=UTC]": "timestamp[us, tz=UTC]"}
_SHOWN_CHANNELS = 20

Sizes = Mapping[str, tuple[int, int]]
"""Rows, and their bytes in memory, by split."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the data do not say themselves.

    ``license`` is an identifier such as ``cc-by-4.0``; ``languages`` (ISO 639-1) those of the posts, found in
    the data where they name them; ``split_note`` says how the splits were made.
    """

    title: str = ""
    license: str = "unknown"
    languages: tuple[str, ...] = ()
    pseudonyms: bool = False
    split_note: str = "All annotated posts are one split."


def dataset_card(layout: Layout, figures: CardFigures, sizes: Sizes, facts: CardFacts) -> str:
    """Return the card: YAML between two lines of ``---``, then Markdown."""
    header = yaml.safe_dump(
        _header(layout, figures, sizes, facts), allow_unicode=True, sort_keys=False, width=100
    )
    sections = (
        _summary(layout, figures, facts),
        _structure(layout),
        _splits(figures, sizes, facts),
        _tags(layout, figures, sizes),
        _collection(figures),
        _annotation(layout, figures, facts),
        _agreement(figures.agreement()),
        _limits(figures, facts),
    )
    return f"---\n{header}---\n\n" + "\n\n".join(sections) + "\n"


def yaml_features(schema: pyarrow.Schema, tag_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the columns as the header of a card describes them; ``labels`` are numbers with the tags' names."""
    names = {str(number): tag for number, tag in enumerate(tag_ids)}
    features = []
    for column in schema:
        kind = (
            {"list": {"class_label": {"names": names}}} if column.name == "labels" else _feature(column.type)
        )
        features.append({"name": column.name, **kind})
    return features


def _feature(kind: pyarrow.DataType) -> dict[str, Any]:
    if pyarrow.types.is_list(kind):
        inner = _feature(kind.value_type)
        return {"list": inner.get("struct") or inner["dtype"]}
    if pyarrow.types.is_struct(kind):
        return {"struct": [{"name": part.name, **_feature(part.type)} for part in kind]}
    return {"dtype": _TYPES.get(str(kind), str(kind))}


def _header(layout: Layout, figures: CardFigures, sizes: Sizes, facts: CardFacts) -> dict[str, Any]:
    n_rows = sum(rows for rows, _ in sizes.values())
    languages = list(facts.languages or sorted(figures.languages))
    schema = parquet_schema(layout, labels=True)
    return {
        "pretty_name": _title(layout, facts),
        "license": facts.license,
        **({"language": languages} if languages else {}),
        "task_categories": ["text-classification"],
        "task_ids": ["multi-label-classification"],
        "size_categories": [next((name for size, name in _SIZES if n_rows < size), "1M<n<10M")],
        "tags": ["claims", "rhetoric", "evidence", "label-studio"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}.parquet"} for split in sizes],
            }
        ],
        "dataset_info": {
            "config_name": "default",
            "features": yaml_features(schema, layout.tag_ids),
            "splits": [
                {"name": split, "num_bytes": size, "num_examples": rows}
                for split, (rows, size) in sizes.items()
            ],
            "dataset_size": sum(size for _, size in sizes.values()),
        },
    }


def _title(layout: Layout, facts: CardFacts) -> str:
    return facts.title or layout.codebook.title


def _summary(layout: Layout, figures: CardFigures, facts: CardFacts) -> str:
    unit = "one row a post, with gold tags" if layout.gold else "one row for each post and annotator"
    counts = {status: figures.statuses[status] for status in Status if figures.statuses[status]}
    lines = [
        f"# {_line(_title(layout, facts))}",
        "",
        f"{_number(figures.posts.total(), 'post')} with the tags and the evidence that people gave them; {unit}.",
        f"The tags are those of the codebook “{_line(layout.codebook.title)}” (version"
        f" {_line(layout.codebook.version)}, digest `{layout.codebook.digest}`), which is in `codebook.yaml`.",
        "",
        _table(["status of the row", "rows"], [[status, f"{n:,}"] for status, n in counts.items()]),
    ]
    return "\n".join(lines)


_COLUMNS = {
    "post_id": "The post: `<channel>/<message id>`, or `<channel>/<digest>` where the source has no ids.",
    "revision": "Digest of the text (16 hex digits of SHA-256): an edited post is another revision.",
    "channel": "Where the post was published.",
    "date": "When it was published (UTC); null where the source does not say.",
    "lang": "The language, where the source names it.",
    "forwarded_from": "Whose post it repeats, where the source says so.",
    "duplicate_of": "An earlier post with the same text.",
    "text": "The text that was shown to the annotators. Offsets count its Unicode code points.",
    "status": "`tagged`, `none` (read, no tag applies), `undecided` (gold: a tie), `not-analysable`, `skipped`, "
    "`unseen`. Only the first three say “no” to the tags that are not named.",
    "labels": "The tags that apply, as numbers; null (not an empty list) where the row judges nothing.",
    "tags": "The tags that apply: `tag`, and `evidence`, the passages marked for it, with "
    "`text[start:end]` in `text`.",
    "annotator": "Who annotated; null for a post that nobody has seen.",
    "votes": "The tags that anybody ticked: `n_yes` of `n_annotators`, and `provenance` of that tag.",
    "n_annotators": "How many people read the post (skipped and not analysable do not count).",
    "provenance": "The weakest of its tags: `single` (one annotator), `unanimous`, `majority`, `tie`.",
    "flags": "`unclear`, `not analysable`.",
    "comment": "What the annotator wrote beside.",
    "codebook": "Digest of the codebook that the annotation was read by.",
    "lead_time": "Seconds on the labelling page.",
}


def _structure(layout: Layout) -> str:
    rows = [[f"`{name}`", _COLUMNS[name]] for name in parquet_schema(layout, labels=True).names]
    note = (
        ""
        if layout.gold
        else "\n\n`origin` of a tag is `manual`, `prediction` (a model had suggested it), or null (not known)."
    )
    return "## Columns\n\n" + _table(["column", "meaning"], rows) + note


def _splits(figures: CardFigures, sizes: Sizes, facts: CardFacts) -> str:
    rows = [[split, f"{figures.posts[split]:,}", f"{sizes[split][0]:,}"] for split in sizes]
    unseen = " `unseen` holds the posts that nobody has annotated." if "unseen" in sizes else ""
    return f"## Splits\n\n{facts.split_note}{unseen}\n\n" + _table(["split", "posts", "rows"], rows)


def _tags(layout: Layout, figures: CardFigures, sizes: Sizes) -> str:
    splits = [split for split in sizes if split != "unseen"]
    titles = layout.titles()
    rows = [
        [f"`{tag}`", _line(titles[tag]), *(f"{figures.tags[tag, split]:,}" for split in splits)]
        for tag in layout.tag_ids
        if tag not in layout.retired or any(figures.tags[tag, split] for split in splits)
    ]
    header = ["tag", "title", *(f"rows in {split}" for split in splits)]
    text = f"{figures.n_evidence:,} passages are marked as evidence. The codebook defines each tag, with examples."
    return f"## Tags\n\n{text}\n\n" + _table(header, rows)


def _collection(figures: CardFigures) -> str:
    dates = (
        f"They date from {figures.first:%Y-%m-%d} to {figures.last:%Y-%m-%d} (UTC)."
        if figures.first and figures.last
        else "Their dates are not known."
    )
    shown = figures.channels.most_common(_SHOWN_CHANNELS)
    rest = len(figures.channels) - len(shown)
    more = f"\n\nand {_number(rest, 'channel')} more." if rest > 0 else ""
    return (
        "## Collection\n\n"
        + _wrapped(
            f"Posts of {_number(len(figures.channels), 'channel')}. {dates} "
            "How the channels and the period were chosen is for the publisher of this dataset to say here."
        )
        + "\n\n"
        + _table(["channel", "posts"], [[_line(name) or "(not known)", f"{n:,}"] for name, n in shown])
        + more
    )


def _annotation(layout: Layout, figures: CardFigures, facts: CardFacts) -> str:
    rules = "\n".join(f"- {_line(rule)}" for rule in layout.codebook.rules)
    taken = (
        f"{figures.n_taken_over:,} ticks were taken over from a model's suggestion (`origin`). "
        if figures.n_taken_over
        else ""
    )
    names = " Annotators have pseudonyms." if facts.pseudonyms else ""
    made = _number(figures.annotators.total(), "annotation")
    text = (
        f"{made} by {_number(len(figures.annotators), 'annotator')}. "
        "Annotators read the whole post in Label Studio, tick every tag that applies (or “None of these”) and mark the "
        f"words that show it. {taken}A post may be skipped, or flagged as unclear or as not analysable.{names}"
    )
    gold = (
        "\n\n"
        + _wrapped(
            "Gold is what more than half of a post's readers ticked. A tie is neither yes nor no. The evidence is "
            "that of everybody who ticked the tag."
        )
        if layout.gold
        else ""
    )
    digests = ", ".join(f"`{_line(digest)}` ({n:,})" for digest, n in figures.codebooks.most_common())
    by = f"\n\nAnnotations by codebook digest: {digests}." if digests else ""
    return f"## Annotation\n\n{_wrapped(text)}{gold}{by}" + (
        f"\n\nThe general rules:\n\n{rules}" if rules else ""
    )


def _agreement(report: AgreementReport) -> str:
    if not report.tags:
        return "## Agreement\n\nNo post was read by two annotators, so agreement is not known."
    rows = []
    for name, of in [*report.tags.items(), ("mean over tags", report.overall)]:
        interval = f"{_figure(of.alpha.low)} to {_figure(of.alpha.high)}"
        share = "-" if of.percent.value is None else f"{of.percent.value:.0%}"
        rows.append(
            [name, f"{of.n_positive:,}", share, _figure(of.alpha.value), interval, _figure(of.ac1.value)]
        )
    text = (
        f"Over the {report.overall.n_posts:,} posts that two or more annotators read: the share of pairs that agree, "
        "Krippendorff's alpha with a 95 % bootstrap interval over posts, and Gwet's AC1."
    )
    header = ["tag", "ticked", "pairs that agree", "alpha", "95 % interval", "AC1"]
    return f"## Agreement\n\n{_wrapped(text)}\n\n" + _table(header, rows)


def _limits(figures: CardFigures, facts: CardFacts) -> str:
    several = len(figures.annotators) > 1
    points = [
        "The tags say what annotators found in a text by this codebook, not whether what it says is true.",
        "The posts are a selection of a few channels; frequencies in them are not those of any wider public.",
        "Where a post was read by one person, nothing shows how another would have read it."
        if several
        else "One person annotated everything, so nothing shows how another would have read it.",
        "A tag without a passage of evidence was ticked all the same; evidence is not complete.",
        "The texts are public posts and may name persons; a text can be found again by searching for its words, "
        + (
            "which pseudonyms do not prevent."
            if facts.pseudonyms
            else "and annotators are named as in the project."
        ),
        "Tags with few posts (see above) allow no firm figures.",
    ]
    return "## Limits\n\n" + "\n".join(f"- {point}" for point in points)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _line(text: str) -> str:
    """Return a text on one line, without what Markdown would take for a mark-up of its own."""
    return "".join(f"\\{char}" if char in "\\`*_[]<>|" else char for char in " ".join(text.split()))


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)
