"""The sample: it is read whole, its annotations fit posts and codebook, and it says that it is invented."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from annotations.agreement import agreement
from annotations.codebook import Codebook, load_codebook
from annotations.codebook import problems as codebook_problems
from annotations.importing import import_file
from annotations.labels import read_labels
from annotations.ledger.posts import current_posts
from annotations.ledger.store import open_ledger
from annotations.readers import EmptyItem, Item, PostItem, ReadOptions, RefusedItem, ServiceItem, read_posts
from annotations.records import Annotation, Post

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
FILES = ("dump.txt", "posts.csv", "result.json")
SPANISH = re.compile(r"\b(?:de|del|el)\b", re.IGNORECASE)
ENGLISH = re.compile(r"\bthe\b", re.IGNORECASE)
CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)


@pytest.fixture(scope="module")
def items() -> dict[str, list[Item]]:
    """Return what the readers make of each raw file."""
    return {name: list(read_posts(EXAMPLES / name, ReadOptions()).items) for name in FILES}


@pytest.fixture(scope="module")
def posts(items: dict[str, list[Item]]) -> dict[str, Post]:
    """Return all posts of the sample by id, in the order of the files."""
    found = [item.post for name in FILES for item in items[name] if isinstance(item, PostItem)]
    by_id = {post.post_id: post for post in found}
    assert len(by_id) == len(found)
    return by_id


@pytest.fixture(scope="module")
def codebook() -> Codebook:
    """Return the codebook of the sample."""
    return load_codebook(EXAMPLES / "codebook.yaml")


@pytest.fixture(scope="module")
def annotations(codebook: Codebook) -> list[Annotation]:
    """Return the annotations of the sample, checked against its codebook."""
    return read_labels(EXAMPLES / "annotations.jsonl", codebook.tag_ids)


def by(annotations: list[Annotation], annotator: str) -> list[Annotation]:
    """Return one annotator's share."""
    return [annotation for annotation in annotations if annotation.annotator == annotator]


def language(post: Post) -> str:
    """Tell English, Russian and Spanish apart well enough for the sample."""
    if len(CYRILLIC.findall(post.text)) > len(post.text) // 3:
        return "ru"
    return "es" if SPANISH.search(post.text) and not ENGLISH.search(post.text) else "en"


@pytest.mark.parametrize(
    ("name", "file_format", "expected"),
    [
        ("dump.txt", "text-dump", {PostItem: 21}),
        ("posts.csv", "csv", {PostItem: 53, EmptyItem: 2}),
        ("result.json", "telegram-desktop", {PostItem: 86, EmptyItem: 7, ServiceItem: 4}),
    ],
)
def test_every_message_is_accounted_for(
    items: dict[str, list[Item]], name: str, file_format: str, expected: dict[type, int]
) -> None:
    """Each raw file is recognised, and each of its messages is a post, a service message or empty."""
    assert read_posts(EXAMPLES / name, ReadOptions()).format == file_format
    assert Counter(type(item) for item in items[name]) == Counter(expected)


def test_nothing_is_refused(items: dict[str, list[Item]]) -> None:
    """The sample holds no message that cannot be read."""
    assert [item for name in FILES for item in items[name] if isinstance(item, RefusedItem)] == []


def test_the_ledger_takes_the_sample(tmp_path: Path, annotations: list[Annotation]) -> None:
    """Imported in the README's order, 159 posts are new, and the cross-post is a duplicate."""
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    try:
        reports = [import_file(ledger, EXAMPLES / name) for name in FILES]
        distinct = {stored.post.post_id for stored in current_posts(ledger, include_duplicates=False)}
    finally:
        ledger.close()
    assert sum(report.counts["new"] for report in reports) == 159
    assert [report.counts["duplicate"] for report in reports] == [0, 0, 1]
    assert sum(report.counts["refused"] for report in reports) == 0
    assert distinct == {annotation.post_id for annotation in annotations}


def test_three_languages(posts: dict[str, Post]) -> None:
    """Most posts are in English, some in Russian and some in Spanish."""
    counts = Counter(language(post) for post in posts.values())
    assert counts == {"en": 114, "ru": 26, "es": 20}


def test_lengths_vary(posts: dict[str, Post]) -> None:
    """There are posts of a line and statements of 200 words, and only the cross-post repeats a text."""
    words = [len(post.text.split()) for post in posts.values()]
    assert min(words) <= 12
    assert max(words) >= 200
    texts = Counter(post.text for post in posts.values())
    assert sum(count - 1 for count in texts.values()) == 1


def test_edges_are_there(posts: dict[str, Post]) -> None:
    """Forwards, edits, replies, reactions, links, photos and views in thousands occur."""
    values = list(posts.values())
    assert sum(post.forwarded_from is not None for post in values) >= 20
    assert sum(post.edited_at is not None for post in values) == 2
    assert sum(post.reply_to is not None for post in values) == 2
    assert sum(bool(post.reactions) for post in values) >= 20
    assert sum(bool(post.links) for post in values) >= 5
    assert sum(bool(post.media) for post in values) >= 20
    assert max(post.views or 0 for post in values) > 1000


def test_the_dump_repeats_bodies_and_the_reader_does_not() -> None:
    """Bodies stand twice in the dump, and an app line after them is nobody's text."""
    raw = (EXAMPLES / "dump.txt").read_text(encoding="utf-8").splitlines()
    read = [
        line
        for item in read_posts(EXAMPLES / "dump.txt", ReadOptions()).items
        if isinstance(item, PostItem)
        for line in item.post.text.splitlines()
    ]
    bodies = [line for line in raw if not line.startswith("Forwarded from ")]
    assert len(bodies) > 1.5 * len(read)
    assert "VIEW IN TELEGRAM" in bodies
    assert set(bodies) - set(read) == {"Please open Telegram to view this post", "VIEW IN TELEGRAM"}


def test_the_codebook_is_valid(codebook: Codebook) -> None:
    """The sample's codebook has 12 tags in two families, each with limits, examples and a hotkey."""
    assert codebook_problems(EXAMPLES / "codebook.yaml") == []
    assert len(codebook.tag_ids) == 12
    assert {"multipolarity", "un-role"} <= set(codebook.tag_ids)
    assert [family.id for family in codebook.families] == ["claims", "rhetoric"]
    assert len({tag.hotkey for tag in codebook.tags} - {None}) == 12
    assert all(tag.definition and tag.exclude and tag.positive and tag.negative for tag in codebook.tags)


def test_annotated_texts_are_the_imported_ones(annotations: list[Annotation], posts: dict[str, Post]) -> None:
    """Every annotation speaks of a post of the sample, of its text and its revision."""
    assert [a for a in annotations if a.post_id not in posts] == []
    assert [a.post_id for a in annotations if a.text != posts[a.post_id].text] == []
    assert [a.post_id for a in annotations if a.revision != posts[a.post_id].revision] == []


def test_spans_are_quotes(annotations: list[Annotation]) -> None:
    """Evidence lies inside the text, begins and ends with a character that is not a space, and is sorted."""
    for annotation in annotations:
        for spans in annotation.tags.values():
            assert list(spans) == sorted(spans)
            for span in spans:
                assert span.fits(annotation.text)
                assert span.quote(annotation.text) == span.quote(annotation.text).strip()


def test_who_annotated_what(annotations: list[Annotation], posts: dict[str, Post]) -> None:
    """annotator-1 read all but the cross-post, annotator-2 about 70 %; nobody read a post twice."""
    assert Counter(a.annotator for a in annotations) == {"annotator-1": 159, "annotator-2": 115}
    assert len({(a.annotator, a.post_id) for a in annotations}) == len(annotations)
    (missing,) = set(posts) - {a.post_id for a in by(annotations, "annotator-1")}
    assert [post_id for post_id, post in posts.items() if post.text == posts[missing].text] != [missing]


def test_all_kinds_of_annotation_occur(annotations: list[Annotation]) -> None:
    """Reviewed-with-none, skipped, flagged, commented and tags without evidence all occur."""
    assert sum(not a.tags and not a.skipped for a in by(annotations, "annotator-1")) >= 35
    assert sum(a.skipped for a in annotations) == 2
    assert {flag for a in annotations for flag in a.flags} == {"Unclear", "Not analysable"}
    assert sum(bool(a.comment) for a in annotations) >= 5
    assert sum(spans == () for a in annotations for spans in a.tags.values()) == 4
    assert all(a.date is not None and a.lead_time and set(a.origin) == set(a.tags) for a in annotations)


def test_every_tag_can_be_learnt(annotations: list[Annotation], codebook: Codebook) -> None:
    """By annotator-1 each tag has between 15 and 60 posts."""
    counts = Counter(tag for a in by(annotations, "annotator-1") for tag in a.tags)
    assert set(counts) == set(codebook.tag_ids)
    assert all(15 <= count <= 60 for count in counts.values()), counts


def test_the_annotators_really_differ(annotations: list[Annotation], codebook: Codebook) -> None:
    """Agreement is fair to good on every tag and perfect on none, and evidence differs too."""
    report = agreement(annotations, codebook.tag_ids)
    alphas = {tag: figures.alpha.value for tag, figures in report.tags.items()}
    assert all(alpha is not None and 0.4 <= alpha <= 0.9 for alpha in alphas.values()), alphas
    second = {a.post_id: a for a in by(annotations, "annotator-2")}
    both = [(a, second[a.post_id]) for a in by(annotations, "annotator-1") if a.post_id in second]
    other_spans = sum(a.tags[tag] != b.tags[tag] for a, b in both for tag in a.tags.keys() & b.tags.keys())
    assert other_spans >= 15


def test_the_sample_says_that_it_is_invented(items: dict[str, list[Item]]) -> None:
    """The README, the codebook and the first post of every raw file say so, with the licence."""
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    first = [next(item.post.text for item in items[name] if isinstance(item, PostItem)) for name in FILES]
    for text in (readme, *first):
        assert re.search("invented|does not exist", text)
        assert "MIT" in text
    assert "do not exist" in (EXAMPLES / "codebook.yaml").read_text(encoding="utf-8")
