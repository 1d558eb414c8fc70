"""Stable names that stand for people and channels: keyed, so that nobody without the key can try names out."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotations.errors import FileError
from annotations.exporting.entries import Entry
from annotations.files import write_private

_KEY = re.compile(r"[0-9a-f]{64}")
_DIGITS = 12


def workspace_key(path: Path) -> bytes:
    """Return the key of a workspace's pseudonyms, made at the first call and private (mode 0600).

    Raises
    ------
    FileError
        The key cannot be read or written, or the file holds something else.
    """
    if not path.exists():
        # Two exports that both find no key: one of them makes it, and both use that one.
        candidate = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        write_private(candidate, secrets.token_hex(32) + "\n")
        try:
            path.hardlink_to(candidate)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            candidate.replace(path)
        finally:
            candidate.unlink(missing_ok=True)
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"the key of the pseudonyms cannot be read: {error}", where=str(path)) from error
    if not _KEY.fullmatch(text):
        raise FileError(
            "is not a key of pseudonyms",
            where=str(path),
            hint="Restore it from a backup; without it (delete the file) everybody gets another pseudonym.",
        )
    return bytes.fromhex(text)


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Pseudonyms under one key: of annotators, and with ``channels`` of channels and sources of forwards too."""

    key: bytes = field(repr=False)
    channels: bool = False

    def name(self, kind: str, name: str) -> str:
        """Return ``<kind>-<12 hex digits>``: HMAC-SHA256 of the kind and the name under the key."""
        digest = hmac.new(self.key, f"{kind}\0{name}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"{kind}-{digest.hexdigest()[:_DIGITS]}"

    def post_id(self, post_id: str) -> str:
        """Return a post id whose channel is a pseudonym; one without a channel is replaced as a whole."""
        channel, slash, rest = post_id.rpartition("/")
        return f"{self.name('channel', channel)}/{rest}" if slash else self.name("post", post_id)

    def entry(self, entry: Entry) -> Entry:
        """Return an entry with pseudonyms in place of names; the texts stay as they are."""
        annotations = tuple(
            replace(each, annotator=self.name("annotator", each.annotator)) for each in entry.annotations
        )
        if not self.channels:
            return replace(entry, annotations=annotations)
        post_id = self.post_id(entry.post_id)
        return replace(
            entry,
            post_id=post_id,
            channel=self.name("channel", entry.channel) if entry.channel else "",
            forwarded_from=_mapped(entry.forwarded_from, lambda name: self.name("source", name)),
            duplicate_of=_mapped(entry.duplicate_of, self.post_id),
            links=(),  # they lead to the channel
            annotations=tuple(replace(each, post_id=post_id) for each in annotations),
        )


def _mapped(value: str | None, of: Callable[[str], str]) -> str | None:
    return None if value is None else of(value)
