"""annotations.codebook: reading, checking, naming and writing codebooks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from annotations.codebook import (
    Codebook,
    Family,
    Tag,
    codebook_schema,
    default_codebook_path,
    describe,
    dump_codebook,
    load_codebook,
    parse_codebook,
    problems,
)
from annotations.errors import CodebookError

SMALL = """\
version: 1
title: Small
families:
  - id: claims
    title: Claims
    tags:
      - id: un-role
        title: Role of the UN
        definition: On the place of the UN.
        hotkey: q
      - id: trade
        title: Trade
        definition: On trade.
"""
TAG = SMALL[SMALL.index("      - id: trade") :]


def with_tag(lines: str) -> str:
    """Return the small codebook with further lines in its second tag."""
    return SMALL + "".join(f"        {line}\n" for line in lines.splitlines())


def errors_of(text: str) -> list[str]:
    """Return the problems of a codebook's text, without the file name."""
    with pytest.raises(CodebookError) as caught:
        parse_codebook(text, where="book.yaml")
    return re.findall(r"book\.yaml:(\d+: .+)", str(caught.value))


@pytest.fixture(scope="module")
def default() -> Codebook:
    """Return the packaged codebook."""
    return load_codebook(default_codebook_path())


def test_default_has_the_23_tags(default: Codebook, shared_data: Path) -> None:
    """The default codebook has the ids of the reference codebook, in its order and families."""
    reference = (shared_data / "mfa" / "CODEBOOK.md").read_text(encoding="utf-8")
    ids = re.findall(r"^\| ([a-z-]+) \|", reference, re.MULTILINE)
    assert default.tag_ids == tuple(i for i in ids if i != "id" and not i.startswith("--"))
    assert [len(default.members(f.id)) for f in default.families] == [12, 11]


def test_default_wording_is_its_own(default: Codebook, shared_data: Path) -> None:
    """No rule of the default codebook repeats seven words in a row of the reference codebook."""

    def runs(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", text.lower())
        return {tuple(words[i : i + 7]) for i in range(len(words) - 6)}

    reference = (shared_data / "mfa" / "CODEBOOK.md").read_text(encoding="utf-8")
    assert runs(describe(default)) & runs(reference) == set()


def test_default_is_complete(default: Codebook) -> None:
    """Every default tag has its rule, examples of both kinds, cues in three scripts, a key and a colour."""
    for tag in default.tags:
        assert tag.definition, tag.id
        assert tag.include, tag.id
        assert tag.exclude, tag.id
        assert 1 <= len(tag.positive) <= 2, tag.id
        assert 1 <= len(tag.negative) <= 2, tag.id
        assert sum(bool(re.search("[а-я]", cue)) for cue in tag.cues) >= 2, tag.id
        assert len(tag.cues) >= 10, tag.id
        assert tag.hotkey, tag.id
        assert tag.color, tag.id


def test_default_rules_name_no_speaker(default: Codebook) -> None:
    """The rules speak of the speaker's country, whichever it is."""
    rules = " ".join(
        [*default.rules, *(" ".join((t.definition, *t.include, *t.exclude)) for t in default.tags)]
    )
    assert "Russia" not in rules
    assert "speaker's country" in rules


def test_schema_is_a_valid_schema() -> None:
    """The packaged JSON Schema meets draft 2020-12."""
    assert codebook_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(codebook_schema())


def test_to_dict_meets_the_schema(default: Codebook) -> None:
    """The content of a codebook is JSON that meets the schema."""
    assert list(Draft202012Validator(codebook_schema()).iter_errors(default.to_dict())) == []


def test_load_reads_the_small_codebook() -> None:
    """A minimal codebook gives its families and tags, everything optional being empty."""
    tags = (
        Tag(
            id="un-role",
            title="Role of the UN",
            family="claims",
            definition="On the place of the UN.",
            hotkey="q",
        ),
        Tag(id="trade", title="Trade", family="claims", definition="On trade."),
    )
    families = (Family(id="claims", title="Claims"),)
    assert parse_codebook(SMALL) == Codebook(version="1", title="Small", families=families, tags=tags)


def test_values_are_text_as_written() -> None:
    """What YAML would take for a number, a truth value or a date stays the text it is."""
    tag = parse_codebook(with_tag("cues: [no, yes, 1.10, 2026-01-01, 0x10]\nhotkey: 1")).tag("trade")
    assert tag.cues == ("no", "yes", "1.10", "2026-01-01", "0x10")
    assert tag.hotkey == "1"


@pytest.mark.parametrize("prefix", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_load_accepts_what_editors_write(tmp_path: Path, prefix: str, newline: str) -> None:
    """A byte order mark and CRLF change nothing."""
    path = tmp_path / "book.yaml"
    path.write_bytes((prefix + SMALL.replace("\n", newline)).encode())
    assert load_codebook(path) == parse_codebook(SMALL)


PROBLEMS: Mapping[str, tuple[str, list[str]]] = {
    "unknown field": (
        with_tag("definiton: x"),
        ["14: tag 'trade', field 'definiton': is not a field of a codebook; did you mean 'definition'?"],
    ),
    "missing field": (
        SMALL.replace("        definition: On trade.\n", ""),
        ["11: tag 'trade', field 'definition': is missing"],
    ),
    "bad id": (
        SMALL.replace("id: trade", "id: Trade_1"),
        [
            "11: tag 'Trade_1', field 'id': 'Trade_1' is not an id: use small letters, digits and single "
            "hyphens, e.g. 'un-role'"
        ],
    ),
    "text for a list": (
        with_tag("include: one"),
        ["14: tag 'trade', field 'include': must be a list (lines that begin with '- '), not text"],
    ),
    "list for a text": (
        SMALL.replace("definition: On trade.", "definition: [a]"),
        ["13: tag 'trade', field 'definition': must be text, not a list (lines that begin with '- ')"],
    ),
    "empty value": (
        with_tag("parent:"),
        ["14: tag 'trade', field 'parent': is empty: give a value or remove the line"],
    ),
    "blank text": (
        SMALL.replace("On trade.", "' '"),
        ["13: tag 'trade', field 'definition': is empty: give a value or remove the line"],
    ),
    "repeated item": (with_tag("cues: [a, b, a]"), ["14: tag 'trade', field 'cues', item 3: repeats item 1"]),
    "nested field": (
        with_tag("examples: {positive: [''] }"),
        ["14: tag 'trade', field 'examples.positive', item 1: is empty: give a value or remove the line"],
    ),
    "unquoted colour": (
        with_tag("color: #aabbcc"),
        [
            "14: tag 'trade', field 'color': is empty: give a value or remove the line "
            '(a colour needs quotes: "#4bb4e1")'
        ],
    ),
    "bad colour": (
        with_tag("color: red"),
        [
            "14: tag 'trade', field 'color': 'red' is not a colour: write '#' and six digits from 0 to f, "
            "in quotes"
        ],
    ),
    "long hotkey": (
        with_tag("hotkey: ctrl"),
        ["14: tag 'trade', field 'hotkey': 'ctrl' is not one small letter or digit"],
    ),
    "capital hotkey": (
        with_tag("hotkey: Q"),
        [
            "14: tag 'trade', field 'hotkey': 'Q' is not one small letter or digit",
            "14: tag 'trade', field 'hotkey': 'Q' is also the hotkey of tag 'un-role'",
        ],
    ),
    "equal hotkeys": (
        with_tag("hotkey: q"),
        ["14: tag 'trade', field 'hotkey': 'q' is also the hotkey of tag 'un-role'"],
    ),
    "reserved n": (
        with_tag("hotkey: n"),
        ["14: tag 'trade', field 'hotkey': 'n' is taken by the choice 'Not analysable'"],
    ),
    "reserved u": (
        with_tag("hotkey: U"),
        ["14: tag 'trade', field 'hotkey': 'U' is taken by the choice 'Unclear'"],
    ),
    "reserved shift+n": (
        with_tag("hotkey: Shift+N"),
        ["14: tag 'trade', field 'hotkey': 'Shift+N' is taken by the choice 'None of these'"],
    ),
    "repeated id": (
        SMALL.replace("id: trade", "id: un-role"),
        ["11: tag 'un-role', field 'id': another tag has the id 'un-role'"],
    ),
    "repeated family": (
        SMALL + "  - id: claims\n    title: More\n    tags:\n" + TAG.replace("rade", "alk"),
        ["14: family 'claims', field 'id': another family has the id 'claims'"],
    ),
    "empty family": (
        SMALL + "  - id: more\n    title: More\n    tags: []\n",
        ["16: family 'more', field 'tags': is empty: it needs at least one entry"],
    ),
    "equal titles": (
        SMALL.replace("title: Trade", "title: role of  the UN"),
        ["12: tag 'trade', field 'title': 'role of  the UN' is also the title of tag 'un-role'"],
    ),
    "reserved title": (
        SMALL.replace("title: Trade", "title: none of these"),
        [
            "12: tag 'trade', field 'title': 'none of these' is the name of a choice that every "
            "labelling page has"
        ],
    ),
    "title that Label Studio would replace": (
        SMALL.replace("title: Trade", "title: $text"),
        [
            "12: tag 'trade', field 'title': must be a single line that does not begin with '$' or "
            "with a space, nor end with a space"
        ],
    ),
    "unknown parent": (
        with_tag("parent: un-rolle"),
        ["14: tag 'trade', field 'parent': there is no tag 'un-rolle'; did you mean 'un-role'?"],
    ),
    "unknown successor": (
        with_tag("replaced_by: x"),
        ["14: tag 'trade', field 'replaced_by': there is no tag 'x'"],
    ),
    "own successor": (
        with_tag("replaced_by: trade"),
        ["14: tag 'trade', field 'replaced_by': names the tag itself"],
    ),
    "circle": (
        with_tag("parent: un-role").replace("hotkey: q", "parent: trade"),
        [
            "10: tag 'un-role', field 'parent': goes round in a circle: un-role -> trade -> un-role",
            "14: tag 'trade', field 'parent': goes round in a circle: trade -> un-role -> trade",
        ],
    ),
    "replaced parent": (
        with_tag("parent: un-role").replace("hotkey: q", "replaced_by: trade"),
        ["14: tag 'trade', field 'parent': the tag 'un-role' has been replaced by 'trade'"],
    ),
    "parent in another family": (
        SMALL
        + "  - id: more\n    title: More\n    tags:\n"
        + TAG.replace("rade", "alk")
        + "        parent: trade\n",
        ["20: tag 'talk', field 'parent': the tag 'trade' is in another family"],
    ),
    "repeated key": (
        with_tag("title: Commerce"),
        ["14: tag 'trade', field 'title': is given twice (first on line 12)"],
    ),
    "unprintable": (
        with_tag('cues: ["a\\x01"]'),
        ["14: tag 'trade', field 'cues', item 1: holds the unprintable character U+0001"],
    ),
    "text for the families": (
        "version: 1\ntitle: x\nfamilies: none\n",
        ["3: field 'families': must be a list (lines that begin with '- '), not text"],
    ),
    "a list": ("- a\n", ["1: must be a mapping (field: value), not a list (lines that begin with '- ')"]),
    "a text": ("hello\n", ["1: must be a mapping (field: value), not text"]),
    "nothing": ("# only a comment\n", ["1: is empty"]),
    "an alias": (
        with_tag("cues: &a [x]\ninclude: *a"),
        ["15: the alias '*a' is not allowed here: write the text out"],
    ),
    "a Python object": (
        "version: !!python/name:os.getcwd x\n" + SMALL.split("\n", 1)[1],
        [
            "1: field 'version': has the YAML type 'tag:yaml.org,2002:python/name:os.getcwd', "
            "which is not allowed: write plain text"
        ],
    ),
    "depth": ("[" * 10_000, ["1: is nested too deeply to be a codebook"]),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_problem_is_named(case: str) -> None:
    """Each mistake is reported once, with line, tag and field, in plain words."""
    text, expected = PROBLEMS[case]
    assert errors_of(text) == expected


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [\n", 2, "check the indentation"),
        ("title: Trade: a history\n", 1, "needs quotes"),
        ("title: @x\n", 1, "put quotes"),
        ("\ttitle: x\n", 1, "indent with spaces"),
        ("a: 1\n---\nb: 2\n", 2, "only one"),
        ('title: "\\ud83d"', 1, "Unicode"),
    ],
)
def test_yaml_mistakes_have_a_line_and_a_way_out(text: str, line: int, words: str) -> None:
    """A YAML mistake names its line and what to try."""
    (found,) = errors_of(text)
    assert found.startswith(f"{line}: is not valid YAML")
    assert words in found


def test_all_problems_come_at_once() -> None:
    """One run shows every problem, in the order of the lines."""
    text = with_tag("color: red\nhotkey: q").replace("version: 1\n", "").replace("On the place", "''  # ")
    assert [line.split(":")[0] for line in errors_of(text)] == ["1", "8", "13", "14"]


def test_problems_lists_what_load_raises(tmp_path: Path) -> None:
    """``problems`` gives the lines of the error that ``load_codebook`` raises, and none for a good file."""
    path = tmp_path / "book.yaml"
    path.write_text(with_tag("color: red\nhotkey: q"), encoding="utf-8")
    found = problems(path)
    assert len(found) == 2
    assert all(line.startswith(f"{path}:1") and "tag 'trade', field '" in line for line in found)
    with pytest.raises(CodebookError) as caught:
        load_codebook(path)
    assert all(line in str(caught.value) for line in found)
    assert problems(default_codebook_path()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such file"),
        (b"\xff\xfe\x00\x01", "is not UTF-8 text"),
        (b"title: \x00\x01\x02", "text file"),
        (b"", "is empty"),
    ],
)
def test_unreadable_files_are_explained(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A missing, binary or empty file is a codebook error that names the file."""
    path = tmp_path / "book.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CodebookError, match=words) as caught:
        load_codebook(path)
    assert str(path) in str(caught.value)
    assert len(problems(path)) == 1


def test_folder_is_explained(tmp_path: Path) -> None:
    """A folder in the place of a file is a codebook error."""
    assert problems(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory"]


def test_digest_ignores_form_and_looks() -> None:
    """Comments, quotes, the order of keys, hotkeys and colours leave the digest as it is."""
    book = parse_codebook(SMALL)
    reordered = yaml.safe_dump(book.to_dict(), sort_keys=True, default_flow_style=True)
    assert parse_codebook("# note\n" + reordered).digest == book.digest
    assert parse_codebook(with_tag('color: "#112233"\nhotkey: w')).digest == book.digest
    assert re.fullmatch("[0-9a-f]{16}", book.digest)


@pytest.mark.parametrize(
    "change", ["include: [x]", "cues: [x]", "examples: {negative: [x]}", "parent: un-role"]
)
def test_digest_follows_the_meaning(change: str) -> None:
    """A change of what a tag says is a change of the digest."""
    assert parse_codebook(with_tag(change)).digest != parse_codebook(SMALL).digest


def test_replaced_tags_are_no_longer_offered() -> None:
    """A replaced tag stays known, leads to its successor, and is not among the active ones."""
    book = parse_codebook(with_tag("replaced_by: un-role"))
    assert book.tag_ids == ("un-role",)
    assert book.tag("trade").is_active is False
    assert book.successor("trade") == book.tag("un-role")
    assert [tag.id for tag in book.members("claims")] == ["un-role"]


def test_unknown_tag_is_an_error() -> None:
    """Asking for a tag that is not there names it."""
    with pytest.raises(CodebookError, match="has no tag 'x'"):
        parse_codebook(SMALL).tag("x")


def test_describe_shows_every_rule(default: Codebook) -> None:
    """The plain text has each tag's id, title, definition, cases and examples."""
    text = describe(default)
    for tag in default.tags:
        for part in (tag.title, tag.definition, *tag.include, *tag.exclude, *tag.positive, *tag.negative):
            assert part in text
    assert default.digest in text


def test_default_round_trips(default: Codebook) -> None:
    """Writing the default codebook and reading it gives the same codebook and digest."""
    again = parse_codebook(dump_codebook(default))
    assert again == default
    assert again.digest == default.digest


printable = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=20)
prose = st.one_of(
    printable, st.sampled_from(["no", "1.10", "a: b", "# x", "null", "~", "- x", "'", '"', "{a}", "a\nb"])
)
prose = prose.filter(lambda text: text.strip() != "").map(str.strip)
texts = st.lists(prose, max_size=3, unique=True).map(tuple)


@st.composite
def codebooks(draw: st.DrawFn) -> Codebook:
    """Make codebooks with any printable text in their prose."""
    tags = [
        Tag(
            id=f"tag-{number}",
            title=f"Tag {number} & <{number}>",
            family=f"family-{number % 2}",
            definition=draw(prose),
            include=draw(texts),
            exclude=draw(texts),
            positive=draw(texts),
            negative=draw(texts),
            cues=draw(texts),
            color=draw(st.none() | st.just("#aabbcc")),
            hotkey=draw(st.none() | st.just(str(number))),
            replaced_by=draw(st.none() | st.just("tag-0")) if number > 1 else None,
        )
        for number in range(draw(st.integers(2, 5)))
    ]
    families = [
        Family(id=f"family-{n}", title=f"F {n}", description=draw(st.just("") | prose)) for n in (0, 1)
    ]
    ordered = tuple(sorted(tags, key=lambda tag: (tag.family, tag.id)))
    return Codebook(version="2.10", title="T", families=tuple(families), tags=ordered, rules=draw(texts))


@given(codebooks())
def test_any_codebook_round_trips(book: Codebook) -> None:
    """Whatever an author writes comes back as it was."""
    assert parse_codebook(dump_codebook(book)) == book


@given(codebooks(), st.data())
def test_digest_depends_on_every_text(book: Codebook, data: st.DataObject) -> None:
    """Changing the definition of any tag changes the digest."""
    number = data.draw(st.integers(0, len(book.tags) - 1))
    tags = list(book.tags)
    tags[number] = replace(tags[number], definition=tags[number].definition + "x")
    assert replace(book, tags=tuple(tags)).digest != book.digest


keys = st.sampled_from(
    ["version", "title", "families", "tags", "id", "parent", "replaced_by", "hotkey", "cues", "examples", "x"]
)
nests: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["", "a", "claims", None, 1, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(nests)
def test_nothing_but_a_codebook_error(content: Any) -> None:
    """However wrong the structure, the outcome is a codebook or a list of problems, never another error."""
    text = yaml.safe_dump(
        {"version": "1", "title": "t", "families": [{"id": "f", "title": "F", "tags": content}, content]}
    )
    with pytest.raises(CodebookError):
        parse_codebook(text)


@given(st.text(max_size=60))
@example("title: \ud83d")
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text at all is refused with a codebook error."""
    with pytest.raises(CodebookError):
        parse_codebook(text)


def _lab(color: str) -> tuple[float, float, float]:
    red, green, blue = (_linear(color, i) for i in (1, 3, 5))
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def _linear(color: str, start: int) -> float:
    value = int(color[start : start + 2], 16) / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def test_default_colors_can_be_told_apart_and_read(default: Codebook) -> None:
    """Colours lie 20 or more apart in CIELAB; dark text on them has a contrast of 7 (WCAG 2.2, AAA)."""
    colors = [tag.color for tag in default.tags if tag.color]
    for first, second in itertools.combinations(colors, 2):
        assert sum((a - b) ** 2 for a, b in zip(_lab(first), _lab(second), strict=True)) >= 20**2
    for color in colors:
        luminance = sum(weight * _linear(color, i) for weight, i in ((0.2126, 1), (0.7152, 3), (0.0722, 5)))
        assert (luminance + 0.05) / (_linear("#111111", 1) + 0.05) >= 7
