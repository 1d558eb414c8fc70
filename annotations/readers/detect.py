"""Looking at a file's first bytes: is it there, is it text, in which encoding."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import IO

import charset_normalizer

from annotations.errors import FileError
from annotations.readers.base import Meter, Sample

HEAD_BYTES = 64 * 1024
_LEGACY_ENCODINGS = (  # those that exports still come in; where two fit alike, the first
    "cp1251",
    "cp1252",
    "koi8_r",
    "cp866",
    "gb18030",
    "big5",
    "shift_jis",
    "euc_jp",
    "euc_kr",
    "cp1256",
    "cp1250",
    "cp1253",
    "cp1254",
    "cp1255",
)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, None),
    (codecs.BOM_UTF32_BE, None),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def sample(path: Path, named: str | None = None) -> Sample:
    """Return the beginning of a file, in the encoding that was named, or else in the one it seems to have.

    Raises
    ------
    FileError
        The file is missing, a folder, unreadable, empty, text in an encoding that cannot be told, or not in
        the encoding that was named.
    """
    if path.is_dir():
        raise FileError(
            "is a folder", where=str(path), hint="Name the files in it, for example FOLDER/result.json."
        )
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            size = stream.seek(0, io.SEEK_END)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    encoding = _encoding(head, path) if named is None else _checked(head, known_encoding(named), path)
    text = head.decode(encoding, _errors(encoding)) if encoding else ""
    if not head or (encoding and not text.strip()):
        raise FileError("is empty", where=str(path), hint="Export it again, or name another file.")
    return Sample(path, head, encoding, text, Meter(size))


def known_encoding(name: str) -> str:
    """Return an encoding's name as Python writes it.

    Raises
    ------
    FileError
        There is no such encoding of text.
    """
    try:
        "".encode(name)  # a codec that is not of text is a LookupError as well
        return codecs.lookup(name).name
    except (LookupError, UnicodeError, ValueError):
        raise FileError(
            f"'{name}' is no encoding",
            where="--encoding",
            hint="Write, for example, utf-8, cp1251 or koi8-r.",
        ) from None


def guessed_encoding(source: Sample) -> str | None:
    """Return the file's encoding where it was guessed, None where there is no doubt."""
    certain = {None, "utf-8", *(encoding for _, encoding in _BYTE_ORDER_MARKS)}
    return None if source.encoding in certain else source.encoding


def open_text(source: Sample, *, newline: str | None = "") -> IO[str]:
    """Open a text file in its encoding; bytes that are not of the encoding come as lone surrogates.

    Raises
    ------
    FileError
        The file cannot be opened any more.
    """
    return io.TextIOWrapper(
        open_bytes(source), encoding=source.encoding, errors=_errors(source.encoding), newline=newline
    )


def open_bytes(source: Sample) -> IO[bytes]:
    """Open a file and let its meter tell how far it is read.

    Raises
    ------
    FileError
        The file cannot be opened any more.
    """
    try:
        source.meter.stream = stream = source.path.open("rb", buffering=1 << 20)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(source.path)) from error
    return stream


def _errors(encoding: str | None) -> str:
    # In UTF-16 a byte that does not fit cannot come as a lone surrogate.
    return "replace" if encoding and encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"


def _checked(head: bytes, encoding: str, path: Path) -> str | None:
    """Return the encoding that was named, if the bytes can be in it; None for a Parquet file, which has none."""
    if head.startswith(b"PAR1"):
        return None
    try:
        codecs.getincrementaldecoder(encoding)().decode(head, len(head) < HEAD_BYTES)
    except UnicodeError as error:
        place = f": byte {error.start + 1:,} does not fit" if isinstance(error, UnicodeDecodeError) else ""
        raise FileError(
            f"is not in the encoding {encoding}{place}",
            where=str(path),
            hint="Name another with --encoding, or leave it out to have it found.",
        ) from None
    if head.startswith(codecs.BOM_UTF8) and encoding == "utf-8":
        return "utf-8-sig"
    is_marked = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if is_marked and encoding in ("utf-16-le", "utf-16-be") else encoding


def _encoding(head: bytes, path: Path) -> str | None:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    if head.count(0) > len(head) // 10:
        return None
    text = _without_cut_character(head).decode("utf-8", "surrogateescape")
    bad = sum("\udc80" <= character <= "\udcff" for character in text)
    if bad == 0:
        return "utf-8"
    controls = sum(byte < 32 and byte not in b"\t\n\r\x0b\x0c\x1b" for byte in head)
    good = sum(character > "\x7f" for character in text) - bad
    if bad <= good and controls <= len(head) // 10:  # damaged UTF-8: rows are refused, not the file
        return "utf-8"
    if controls > len(head) // 50:
        return None
    return _guessed(head, path)


def _guessed(head: bytes, path: Path) -> str:
    """Return the encoding that the bytes most likely have: a guess, which the report names."""
    likely = charset_normalizer.from_bytes(head, cp_isolation=list(_LEGACY_ENCODINGS))
    found = [match for match in likely if match.encoding in _LEGACY_ENCODINGS]
    if not found:
        raise FileError(
            "is text in an encoding that cannot be told",
            where=str(path),
            hint="Save it as UTF-8, for example: iconv -f WINDOWS-1251 -t UTF-8 OLD > NEW",
        )
    best = min(
        found, key=lambda match: (match.chaos, -match.coherence, _LEGACY_ENCODINGS.index(match.encoding))
    )
    return best.encoding


def _without_cut_character(head: bytes) -> bytes:
    if len(head) < HEAD_BYTES:
        return head
    for back in range(1, 4):
        if head[-back] >= 0xC0:
            return head[:-back]
        if head[-back] < 0x80:
            break
    return head
