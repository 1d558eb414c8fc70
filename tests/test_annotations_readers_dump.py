"""The text dump: each post once and whole, its source kept, nothing made up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.errors import FileError
from annotations.readers import EmptyItem, PostItem, ReadOptions, RefusedItem, read_posts
from annotations.readers.dump import without_repetition
from annotations.records import Post

_BODY = ["Title", "First point", "Second point", "Third point", "#Tag"]


def _posts(tmp_path: Path, content: str | bytes) -> list[Post]:
    path = tmp_path / "dump.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    reading = read_posts(path)
    assert reading.format == "text-dump"
    return [item.post for item in reading.items if isinstance(item, PostItem)]


def test_the_seven_seed_posts(shared_data: Path) -> None:
    """The dump that the project started from has 7 posts, each once and whole."""
    (path,) = (shared_data / "seeds").iterdir()
    items = list(read_posts(path).items)
    posts = [item.post for item in items if isinstance(item, PostItem)]
    assert len(items) == len(posts) == 7
    assert {post.forwarded_from for post in posts} == {"Russian MFA 🇷🇺"}
    assert {post.date for post in posts} == {None}
    assert len({post.post_id for post in posts}) == 7
    dump = path.read_text(encoding="utf-8")
    for post in posts:
        lines = [line for line in post.text.split("\n") if line != "<...>"]
        assert len(lines) == len(set(lines))
        assert post.text in dump
        assert "TELEGRAM" not in post.text
    assert posts[3].text.startswith("🎙 Foreign Minister")
    assert "Key talking points:\n🔵 This is not the first time" in posts[3].text
    assert posts[3].text.endswith("across the board.\nRead in full\n#DiplomatsDay")


@pytest.mark.parametrize(
    "repetition",
    [
        [],
        _BODY,
        _BODY[1:],
        ["First point", "", "Second point", " Third point ", "#Tag"],
        ["First point", "#Tag", "VIEW IN TELEGRAM"],
        ["VIEW IN TELEGRAM", "First point", "#Tag"],
        ["First point", "Second point", "Third point", "VIEW IN TELEGRAM"],
        ["Please open Telegram to view this post", "VIEW IN TELEGRAM", *_BODY[1:]],
        [*_BODY[1:], "Please open Telegram to view this post", "VIEW IN TELEGRAM"],
    ],
)
def test_a_repetition_is_dropped_however_complete(repetition: list[str]) -> None:
    """Cut are a complete, a headless, and, where the app says that it could not show all, an incomplete one."""
    assert without_repetition([*_BODY, *repetition]) == _BODY


@pytest.mark.parametrize(
    "lines",
    [
        ["Verse 1", "Refrain", "Verse 2", "Refrain"],
        ["Song", "Verse 1", "Refrain", "Verse 2", "Refrain", "Refrain"],
        ["Verse 1", "R1", "R2", "Verse 2", "R1", "R2"],
        ["Title", "R1", "R2", "Verse", "R1", "R2"],
        ["***", "First", "***", "Second", "***", "Third"],
        ["Yes", "No", "Yes"],
        ["Title", "Verse 1", "Verse 2", "R1", "R2", "R1", "R2"],
        ["Title", "Verse 1", "R1", "R2", "R3", "R1", "R2", "R3"],
        ["Title", "Verse 1", "R1", "R2", "Verse 2", "R1", "R2", "R1", "R2"],
        ["Title", "Verse 1", "Verse 2", "Peace!", "Peace!"],
    ],
)
def test_lines_that_an_author_repeats_stay(lines: list[str]) -> None:
    """A refrain is no repetition of the post, and a post with a refrain is found with its repetition too."""
    assert without_repetition(lines) == lines
    assert without_repetition([*lines, *lines[1:]]) == lines
    assert without_repetition([*lines, *lines]) == lines


def test_a_couplet_at_the_end_stays_where_the_app_could_not_show_something() -> None:
    """An app line makes no repetition of two lines that the author wrote twice."""
    lines = ["Title", "Verse", "R1", "R2", "R1", "R2"]
    assert without_repetition([*lines, "VIEW IN TELEGRAM"]) == lines


def test_in_a_dump_without_repetitions_a_short_post_keeps_its_refrain(tmp_path: Path) -> None:
    """Whether "A, B, B" is a post or a post with its repetition is told by the other posts of the file."""
    short = "Forwarded from X\nPeace\nNow!\nNow!\n"
    once = "Forwarded from X\nTitle\nFirst\nSecond\nThird\n"
    twice = f"{once}First\nSecond\nThird\n"
    assert [post.text for post in _posts(tmp_path, short)] == ["Peace\nNow!"]
    assert _posts(tmp_path, short + twice)[0].text == "Peace\nNow!"
    assert _posts(tmp_path, short + once + twice)[0].text == "Peace\nNow!"
    assert _posts(tmp_path, short + once)[0].text == "Peace\nNow!\nNow!"


@given(st.lists(st.text("abcdefgh ", min_size=1), unique_by=str.strip, min_size=2), st.data())
def test_a_run_of_lines_is_cut_only_with_a_reason(lines: list[str], data: st.DataObject) -> None:
    """Of a post without repeated lines: complete runs always, incomplete ones only beside an app line."""
    lines = [line for line in lines if line.strip()]
    chosen = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    run = [line for line, wanted in zip(lines, chosen, strict=True) if wanted]
    complete = bool(run) and run in (lines, lines[1:])
    assert without_repetition(lines) == lines
    assert without_repetition(lines + run) == (lines if complete else lines + run)
    if len(run) > 1 and run[-1] == lines[-1] and run != lines[-len(run) :]:
        assert without_repetition([*lines, *run, "VIEW IN TELEGRAM"]) == lines


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))))
def test_no_line_is_lost(lines: list[str]) -> None:
    """Every line of a post that is not the app's own is still in it once."""
    kept = {line.strip() for line in without_repetition(lines)}
    assert kept >= {line.strip() for line in lines if line.strip()}


@pytest.mark.parametrize(
    ("heading", "source"),
    [
        ("Forwarded from Ministry X:", "Ministry X"),
        ("Forwarded from: Ministry X", "Ministry X"),
        ("Переслано из МИД России", "МИД России"),
        ("Reenviado de Cancillería", "Cancillería"),
        ("Weitergeleitet von Amt", "Amt"),
        ("转发自外交部", "外交部"),
    ],
)
def test_headings_of_other_languages(tmp_path: Path, heading: str, source: str) -> None:
    """The heading of the app in another language starts a post as well, and names its source."""
    posts = _posts(tmp_path, f"{heading}\nA\nB\nB\n{heading}\nC\n")
    assert [(post.forwarded_from, post.text) for post in posts] == [(source, "A\nB"), (source, "C")]


def test_windows_line_endings_and_byte_order_mark(tmp_path: Path) -> None:
    """CRLF and a byte order mark change nothing."""
    content = "Forwarded from X\r\nTitle\r\nBody\r\nBody\r\n"
    assert [post.text for post in _posts(tmp_path, b"\xef\xbb\xbf" + content.encode())] == ["Title\nBody"]
    assert [post.text for post in _posts(tmp_path, content.encode("utf-16"))] == ["Title\nBody"]


def test_text_before_the_first_heading_is_a_post(tmp_path: Path) -> None:
    """No text is lost: what stands above the first heading is a post without a source."""
    posts = _posts(tmp_path, "Own words\nForwarded from X\nA\n")
    assert [(post.forwarded_from, post.text) for post in posts] == [(None, "Own words"), ("X", "A")]


def test_a_sentence_is_no_heading(tmp_path: Path) -> None:
    """A sentence that begins like a heading does not cut a post."""
    posts = _posts(tmp_path, "Forwarded from X\nTitle\nForwarded from our archive, this letter is new.\n")
    assert [post.text for post in posts] == ["Title\nForwarded from our archive, this letter is new."]


def test_empty_and_damaged_posts_are_reported(tmp_path: Path) -> None:
    """A heading without a text is an empty message; bytes that are not UTF-8 are refused with their line."""
    path = tmp_path / "dump.txt"
    path.write_bytes(
        "Forwarded from МИД\nForwarded from МИД\nTitle ".encode() + b"\xff\nForwarded from X\nB\n"
    )
    kinds = [(type(item), item.position) for item in read_posts(path).items]
    assert kinds == [(EmptyItem, "line 1"), (RefusedItem, "line 2"), (PostItem, "line 4")]


def test_the_channel_is_the_one_asked_for_else_the_file(tmp_path: Path) -> None:
    """A dump has no channel of its own: the option names it, or the file's name."""
    path = tmp_path / "my dump.txt"
    path.write_text("Forwarded from X\nA\n")
    channels = [next(read_posts(path, ReadOptions(channel=name)).items) for name in (None, "Y")]
    assert [item.post.channel for item in channels if isinstance(item, PostItem)] == ["my-dump", "Y"]


def test_plain_text_is_refused(tmp_path: Path) -> None:
    """A text without headings or app lines is refused, with the formats that are read."""
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary,\ntoday nothing happened.\n")
    with pytest.raises(FileError, match=r"no known format[\s\S]*Telegram Desktop[\s\S]*Forwarded from"):
        read_posts(path)
