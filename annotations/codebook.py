"""The codebook: which tags there are, what each means, and how it is decided.

A codebook is a YAML file written by people.  Everything else (the labelling page, the annotators'
guideline, the columns of tables, the API's answer) is derived from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from annotations.codebook_check import check_document, codebook_schema, described
from annotations.codebook_yaml import read_document
from annotations.errors import CodebookError

__all__ = [
    "Codebook",
    "Family",
    "Tag",
    "codebook_schema",
    "default_codebook_path",
    "describe",
    "dump_codebook",
    "load_codebook",
    "parse_codebook",
    "problems",
]

# How a tag looks and is reached on the labelling page; it does not change what a tag means.
_PRESENTATION = ("hotkey", "color")
_OPTIONAL = ("parent", "hotkey", "color", "replaced_by", "split_into")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One tag and its rule.

    ``color`` (``#rrggbb``) and ``hotkey`` are None where the author left the choice to the labelling page:
    see ``tag_colors`` and ``tag_hotkeys`` in ``annotations.labeling_config``.  A tag with ``replaced_by``
    or ``split_into`` is retired; only a person can say which part of a split tag a label means.
    """

    id: str
    title: str
    family: str
    definition: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    cues: tuple[str, ...] = ()
    parent: str | None = None
    hotkey: str | None = None
    color: str | None = None
    replaced_by: str | None = None
    split_into: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        """Tell whether annotators can still give the tag."""
        return self.replaced_by is None and not self.split_into

    def to_dict(self) -> dict[str, Any]:
        """Return the tag as the YAML has it; what is empty is left out."""
        content: dict[str, Any] = {"id": self.id, "title": self.title, "definition": self.definition}
        examples = {
            name: list(getattr(self, name)) for name in ("positive", "negative") if getattr(self, name)
        }
        content |= {name: list(getattr(self, name)) for name in ("include", "exclude") if getattr(self, name)}
        content |= {"examples": examples} if examples else {}
        content |= {"cues": list(self.cues)} if self.cues else {}
        optional = {name: getattr(self, name) for name in _OPTIONAL if getattr(self, name) not in (None, ())}
        return content | {name: list(v) if isinstance(v, tuple) else v for name, v in optional.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A group of tags that are shown together."""

    id: str
    title: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Codebook:
    """All tags in the order of the file, in families, with the rules that hold for every tag."""

    version: str
    title: str
    families: tuple[Family, ...]
    tags: tuple[Tag, ...]
    rules: tuple[str, ...] = ()

    @cached_property
    def tag_ids(self) -> tuple[str, ...]:
        """The ids of the active tags."""
        return tuple(tag.id for tag in self.active_tags)

    @property
    def active_tags(self) -> tuple[Tag, ...]:
        """The tags that annotators can give: those that are not replaced."""
        return tuple(tag for tag in self.tags if tag.is_active)

    def tag(self, tag_id: str) -> Tag:
        """Return a tag, active or replaced.

        Raises
        ------
        CodebookError
            The codebook has no such tag.
        """
        try:
            return self._by_id[tag_id]
        except KeyError:
            raise CodebookError(f"the codebook '{self.title}' has no tag '{tag_id}'") from None

    def successor(self, tag_id: str) -> Tag:
        """Return what stands for ``tag_id`` today: itself or its replacement, active unless it has been split."""
        tag = self.tag(tag_id)
        while tag.replaced_by is not None:
            tag = self.tag(tag.replaced_by)
        return tag

    def members(self, family_id: str) -> tuple[Tag, ...]:
        """Return the active tags of a family."""
        return tuple(tag for tag in self.active_tags if tag.family == family_id)

    @cached_property
    def digest(self) -> str:
        """What names this content: 16 hex digits of SHA-256 over canonical JSON.

        Hotkeys and colours do not count, as they change nothing of what a tag means.
        """
        content = self.to_dict()
        for family in content["families"]:
            for tag in family["tags"]:
                for name in _PRESENTATION:
                    tag.pop(name, None)
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("utf-8")).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return the content in the shape of the YAML, ready for JSON."""
        content: dict[str, Any] = {"version": self.version, "title": self.title}
        content |= {"rules": list(self.rules)} if self.rules else {}
        content["families"] = [
            {"id": family.id, "title": family.title}
            | ({"description": family.description} if family.description else {})
            | {"tags": [tag.to_dict() for tag in self.tags if tag.family == family.id]}
            for family in self.families
        ]
        return content

    @cached_property
    def _by_id(self) -> dict[str, Tag]:
        return {tag.id: tag for tag in self.tags}


def default_codebook_path() -> Path:
    """Return the codebook that comes with the package."""
    return Path(str(resources.files("annotations"))) / "codebooks" / "default.yaml"


def load_codebook(path: Path) -> Codebook:
    """Read and check a codebook file.

    Raises
    ------
    CodebookError
        The file cannot be read, breaks the schema or contradicts itself; the message lists everything found.
    """
    return parse_codebook(_read(path), where=str(path))


def parse_codebook(text: str, where: str = "codebook") -> Codebook:
    """Check the YAML text of a codebook and return it; ``where`` names its source in errors.

    Raises
    ------
    CodebookError
        As :func:`load_codebook`.
    """
    data, found = _checked(text, where)
    if found:
        listing = (
            found[0].removeprefix(f"{where}: ")
            if len(found) == 1
            else "\n  ".join([f"{len(found)} problems in the codebook", *found])
        )
        raise CodebookError(listing, where="" if listing.startswith(where) else where)
    return _built(data)


def problems(path: Path) -> list[str]:
    """Return everything that is wrong with a codebook file, as ``file:line: tag 'x', field 'y': ...``."""
    try:
        text = _read(path)
    except CodebookError as error:
        return [str(error).replace("\n  ", " ")]
    return _checked(text, str(path))[1]


def dump_codebook(codebook: Codebook) -> str:
    """Return a codebook as YAML; reading it gives an equal codebook."""
    return yaml.safe_dump(codebook.to_dict(), allow_unicode=True, sort_keys=False, width=100)


def describe(codebook: Codebook) -> str:
    """Return a codebook as plain text for a terminal."""
    active = len(codebook.tag_ids)
    lines = [f"{codebook.title} (version {codebook.version}, digest {codebook.digest}, {active} tags)"]
    lines += [f"  - {rule}" for rule in codebook.rules]
    for family in codebook.families:
        lines += ["", f"{family.title}: {family.description}".removesuffix(": "), "=" * len(family.title)]
        for tag in (tag for tag in codebook.tags if tag.family == family.id):
            lines += ["", *_described_tag(tag)]
    return "\n".join(lines) + "\n"


def _described_tag(tag: Tag) -> list[str]:
    notes = [f"key {tag.hotkey}"] if tag.hotkey else []
    notes += [f"part of {tag.parent}"] if tag.parent else []
    notes += [f"replaced by {tag.replaced_by}"] if tag.replaced_by else []
    notes += [f"split into {', '.join(tag.split_into)}"] if tag.split_into else []
    lines = [f"{tag.id}: {tag.title}" + (f" ({', '.join(notes)})" if notes else ""), f"  {tag.definition}"]
    for mark, texts in (
        ("+", tag.include),
        ("-", tag.exclude),
        ("yes:", tag.positive),
        ("no:", tag.negative),
    ):
        lines += [f"  {mark} {text}" for text in texts]
    return lines


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CodebookError(
            "there is no such file", where=str(path), hint="Name a codebook in YAML."
        ) from None
    except OSError as error:
        raise CodebookError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CodebookError(
            "is not UTF-8 text",
            where=f"{path}:{line}",
            hint="Save the codebook as UTF-8, with any text editor.",
        ) from None


def _checked(text: str, where: str) -> tuple[Any, list[str]]:
    document = read_document(text)
    return document.data, [described(p, document.data, where) for p in check_document(document)]


def _built(data: Mapping[str, Any]) -> Codebook:
    return Codebook(
        version=data["version"],
        title=data["title"],
        rules=tuple(data.get("rules", ())),
        families=tuple(
            Family(id=f["id"], title=f["title"], description=f.get("description", ""))
            for f in data["families"]
        ),
        tags=tuple(_built_tag(tag, family["id"]) for family in data["families"] for tag in family["tags"]),
    )


def _built_tag(data: Mapping[str, Any], family: str) -> Tag:
    examples = data.get("examples", {})
    return Tag(
        id=data["id"],
        title=data["title"],
        family=family,
        definition=data["definition"].strip(),
        include=tuple(data.get("include", ())),
        exclude=tuple(data.get("exclude", ())),
        positive=tuple(examples.get("positive", ())),
        negative=tuple(examples.get("negative", ())),
        cues=tuple(data.get("cues", ())),
        parent=data.get("parent"),
        hotkey=data.get("hotkey"),
        color=data.get("color"),
        replaced_by=data.get("replaced_by"),
        split_into=tuple(data.get("split_into", ())),
    )
