"""The corpora of ``benchmarks.queue``, read from files outside the project: posts, tags, evidence rows, groups."""

from __future__ import annotations

import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from annotations.codebook import Codebook, Family, Tag, default_codebook_path, load_codebook
from annotations.cues import cue_pattern
from annotations.labels import read_labels
from classifiers.dataset import Dataset
from classifiers.documents import passage_targets, quotes
from classifiers.groups import near_duplicate_groups

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts with their tags.

    ``gold`` is (n_posts, n_tags), of bool. ``quotes`` are evidence rows: text, the post each comes from,
    and weights (n_quotes, n_tags) for and against each tag. ``cues`` (n_posts, n_tags) counts the
    codebook's cue phrases, None where there is no codebook. ``groups`` are near-duplicates. ``budgets`` are the
    numbers of labelled posts at which the learner is judged.
    """

    name: str
    texts: tuple[str, ...]
    gold: npt.NDArray[np.bool_]
    quotes: tuple[str, ...]
    quote_post: Ints
    quote_yes: Floats
    quote_no: Floats
    groups: Ints
    budgets: tuple[int, ...]
    cues: Floats | None = None


def labelled(path: Path, codebook: Codebook | None = None) -> Corpus:
    """Read a labels.jsonl; tags by strict majority. Cues only with a codebook that has them."""
    annotations = read_labels(path)
    tags = sorted({tag for each in annotations for tag in each.tags})
    book = codebook or _plain_codebook(tags)
    dataset = Dataset.from_annotations(annotations, book, mixed_codebooks=True)
    texts, spans, post_of = quotes(dataset)
    targets = passage_targets(dataset, spans, post_of)
    cues = None
    if codebook is not None:
        patterns = [cue_pattern(tag.cues) for tag in codebook.active_tags]
        cues = np.array([[len(p.findall(text)) for p in patterns] for text in dataset.texts], dtype=float)
    return _corpus(
        path.parent.name, dataset.texts, dataset.gold, (texts, post_of, targets.yes, targets.no), cues
    )


def mfa(folder: Path) -> Corpus:
    """Read ``mfa`` of the shared data with the default codebook and its cues."""
    return labelled(folder / "mfa" / "labels.jsonl", load_codebook(default_codebook_path()))


def unlp(folder: Path) -> Corpus:
    """Read ``unlp2025``: its spans do not say which technique they show, so a quote bears all of its post's."""
    table = pd.read_parquet(folder / "unlp2025" / "train.parquet")
    found = [list(each) if each is not None else [] for each in table.techniques]
    names = sorted({name for each in found for name in each})
    gold = np.array([[name in each for name in names] for each in found])
    rows = [row for row, spans in enumerate(table.trigger_words) if spans is not None and gold[row].any()]
    texts = [
        " … ".join(table.content[row][start:end] for start, end in table.trigger_words[row]) for row in rows
    ]
    post_of = np.array(rows, dtype=np.int64)
    yes = gold[post_of].astype(float)
    return _corpus("unlp2025", tuple(table.content), gold, (texts, post_of, yes, 1 - yes), None)


def debian(lists: Path | None, n_posts: int = 6_000, least: int = 60) -> Corpus:
    """Read Debian's package descriptions as a topical corpus: what a program is for and works with (debtags).

    One package a source, programs only, a random ``n_posts`` of them; tags on at least ``least``. The package
    lists need their English translations: ``apt-get -o Acquire::Languages=en update``.
    """
    chosen = [(text, tags) for text, tags, _ in _programs(lists, "role::program")][:n_posts]
    topical = re.compile(r"(field|use|works-with|game|sound|mail|web|security)::[^:]+$")
    counted = Counter(tag for _, tags in chosen for tag in tags if topical.match(tag))
    names = sorted(tag for tag, count in counted.items() if count >= least)
    return _topical("debian", [(text, tags) for text, tags in chosen], names)


def sections(lists: Path | None, n_posts: int = 6_000, least: int = 10) -> Corpus:
    """Read the same descriptions, of any package, with the section that each is in, one tag a post.

    Sections that say nothing of the subject are left out.
    """
    vague = {"libs", "libdevel", "misc", "oldlibs", "doc", "devel", "utils", "admin", "debug", "metapackages"}
    vague |= {"introspection", "localization", "translations"}
    found = [(text, {section}) for text, _, section in _programs(lists, "") if section not in vague][:n_posts]
    counted = Counter(section for _, names in found for section in names)
    return _topical("sections", found, sorted(name for name, count in counted.items() if count >= least))


def _programs(lists: Path | None, tag: str) -> list[tuple[str, set[str], str]]:
    """Return (description, debtags, section) of one package a source, in random order."""
    packages = list(_packages(lists))
    random.Random(0).shuffle(packages)
    by_source: dict[str, tuple[str, set[str], str]] = {}
    for source, text, tags, section in packages:
        if (not tag or tag in tags) and len(text) > 200:
            by_source.setdefault(source, (text, tags, section))
    return list(by_source.values())


def _topical(name: str, posts: Sequence[tuple[str, set[str]]], names: Sequence[str]) -> Corpus:
    gold = np.array([[each in tags for each in names] for _, tags in posts])
    empty = np.zeros((0, len(names)))
    nothing: tuple[list[str], Ints, Floats, Floats] = ([], np.zeros(0, dtype=np.int64), empty, empty)
    return _corpus(name, tuple(text for text, _ in posts), gold, nothing, None)


def _packages(lists: Path | None) -> Iterator[tuple[str, str, set[str], str]]:
    """Yield (source, description, debtags, section) of the packages in apt's lists."""
    folder = lists or Path("/var/lib/apt/lists")
    described: dict[str, str] = {}
    for path in sorted(folder.glob("*_Translation-en*")):
        for entry in _entries(path):
            described[entry.get("Description-md5", "")] = entry.get("Description-en", "")
    for path in sorted(folder.glob("*_Packages*")):
        for entry in _entries(path):
            text = described.get(entry.get("Description-md5", ""), "")
            if text:
                tags = {tag.strip() for tag in entry.get("Tag", "").split(",")}
                section = entry.get("Section", "misc").rpartition("/")[2]
                yield entry.get("Source", entry["Package"]).split()[0], text, tags, section


def _entries(path: Path) -> Iterator[dict[str, str]]:
    content = subprocess.run(
        ["/usr/lib/apt/apt-helper", "cat-file", str(path)], check=True, capture_output=True, text=True
    ).stdout
    for block in content.split("\n\n"):
        found: dict[str, str] = {}
        key = ""
        for line in block.split("\n"):
            if line[:1] in " \t" and key:
                found[key] += "\n" + line.strip().removeprefix(".")
            elif ":" in line:
                key, _, value = line.partition(":")
                found[key] = value.strip()
        yield found


def _plain_codebook(tags: Sequence[str]) -> Codebook:
    family = Family(id="claims", title="Claims")
    known = tuple(Tag(id=tag, title=tag, family="claims", definition=tag) for tag in tags)
    return Codebook(version="1", title="Tags", families=(family,), tags=known)


def _corpus(
    name: str,
    texts: Sequence[str],
    gold: npt.NDArray[np.bool_],
    evidence: tuple[Sequence[str], Ints, Floats, Floats],
    cues: Floats | None,
) -> Corpus:
    groups = near_duplicate_groups(texts, [str(number) for number in range(len(texts))])
    quoted, post_of, yes, no = evidence
    return Corpus(
        name, tuple(texts), gold, tuple(quoted), post_of, yes, no, groups, _budgets(len(texts)), cues
    )


def _budgets(n_posts: int) -> tuple[int, ...]:
    """Return the sizes at which a curve is measured: closer at the beginning, 80 % of the posts at the end."""
    last = int(0.8 * n_posts)
    if n_posts < 1_000:
        steps = [20, 30, 40, 50, 60, 75, 90, 110, 130, 160]
    else:
        steps = [50, 100, 150, 200, 300, 400, 600, 800, 1_100, 1_500, 2_000, 2_700, 3_500]
    return tuple(step for step in steps if step < 0.9 * last)
