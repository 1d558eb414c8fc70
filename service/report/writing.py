"""The folder of a report, written beside its place and exchanged with what is there: whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from annotations.backup.swapping import exchange, fsync_tree
from annotations.errors import FileError
from annotations.files import MEDIUM_ERRORS
from annotations.labels import write_labels
from annotations.progress import Progress, silent
from service.report.content import Content
from service.report.figures import drawn
from service.report.methods import methods
from service.report.numbers import numbers
from service.report.pages import pages, style
from service.report.reading import LABELS, MANIFEST, is_report
from service.report.sheets import numbers_table, sheets


def write_report(content: Content, folder: Path, progress: Progress = silent) -> list[str]:
    """Write a report to ``folder``, in place of one that is there, and return the names of its files.

    Raises
    ------
    FileError
        The folder holds something else than a report, or cannot be written; it is then as it was.
    """
    _check_place(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        names = _fill(content, made, progress)
        made.chmod(0o755)
        fsync_tree(made)
        if folder.exists():
            exchange(made, folder)
        else:
            made.rename(folder)
    except OSError as error:
        if error.errno not in MEDIUM_ERRORS:
            raise
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return names


def _fill(content: Content, folder: Path, progress: Progress) -> list[str]:
    tables = {"numbers": numbers_table(numbers(content))} | sheets(content)
    (folder / "data").mkdir()
    (folder / "figures").mkdir()
    for name, table in tables.items():
        with (folder / "data" / f"{name}.csv").open("w", encoding="utf-8", newline="\n") as stream:
            table.dump(stream)
    texts = {"methods.txt": methods(numbers(content)) + "\n"} | dict(content.documents)
    for name, text in texts.items():
        _write(folder / "data" / name, text)
    if content.annotations:
        write_labels(folder / LABELS, content.annotations)
        texts[Path(LABELS).name] = ""
    plots = []
    for each in drawn(content):
        _write(folder / "figures" / f"{each.plot.name}.svg", each.svg)
        (folder / "figures" / f"{each.plot.name}.png").write_bytes(each.png)
        plots.append(each.plot)
        progress(len(plots), None)
    _write(folder / "report.css", style(content))
    for name, html in pages(content, tables, plots, sorted(texts)).items():
        _write(folder / f"{name}.html", html)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    _write(folder / MANIFEST, json.dumps(_manifest(content, names), indent=1) + "\n")
    return [*names, MANIFEST]


def _manifest(content: Content, names: list[str]) -> Mapping[str, object]:
    return {"format": "talking-points-report", "version": 1, "made_at": content.made_at, "files": names}


def _check_place(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise FileError(
            "is no folder", where=str(folder), hint="Name a new folder, or one with a report in it."
        )
    if folder.is_dir() and not is_report(folder) and any(folder.iterdir()):
        raise FileError(
            "holds other things than a report, and would be replaced",
            where=str(folder),
            hint="Name a new folder, or an empty one.",
        )


def _unwritable(folder: Path, error: OSError) -> FileError:
    return FileError(
        f"cannot be written: {error.strerror or error}",
        where=str(folder),
        hint="Free some space or choose another place; the report there before is unchanged.",
    )


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
