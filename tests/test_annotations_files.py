"""Files are written whole or not at all, secrets for their owner alone, cells without formulas."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from annotations.errors import FileError
from annotations.files import atomic_path, atomic_text, neutral_cell, write_private


def test_a_file_appears_whole(tmp_path: Path) -> None:
    """The folder is made, the content is there, no temporary file is left."""
    path = tmp_path / "new" / "file.txt"
    with atomic_text(path) as stream:
        stream.write("Мир\n")
        assert not path.exists()
    assert path.read_bytes() == "Мир\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    """An error in the block leaves what was there, and no temporary file."""
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")

    def fail() -> None:
        with atomic_text(path) as stream:
            stream.write("new")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that cannot be made is a FileError that names the file."""
    (tmp_path / "file").write_text("x")
    path = tmp_path / "file" / "inside.txt"
    with pytest.raises(FileError, match="cannot be written") as error, atomic_path(path):
        pass
    assert error.value.where == str(path)


@pytest.mark.skipif(os.name == "nt", reason="needs permission bits")
def test_permissions(tmp_path: Path) -> None:
    """A secret is readable by its owner alone; other files follow the umask."""
    write_private(tmp_path / "secret", "key")
    with atomic_text(tmp_path / "open") as stream:
        stream.write("x")
    plain = tmp_path / "plain"
    plain.write_text("x")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "open").stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+x", "'+x"),
        ("-x", "'-x"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("a=b", "a=b"),
        (-5, -5),
        ("", ""),
    ],
)
def test_neutral_cells(value: object, expected: object) -> None:
    """Text that a spreadsheet would run gets a quote before it; all else is as it was."""
    assert neutral_cell(value) == expected
