"""What no schema can see: the parts of a codebook that contradict each other or the labelling page."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from annotations.codebook_yaml import Path, Problem

NONE_OF_THESE = "None of these"
UNCLEAR = "Unclear"
NOT_ANALYSABLE = "Not analysable"
RESERVED_HOTKEYS: Mapping[str, str] = {"shift+n": NONE_OF_THESE, "u": UNCLEAR, "n": NOT_ANALYSABLE}
"""Keys of the labelling page that no tag may have, and the choice that has each."""

Tags = list[tuple[Path, dict[str, Any]]]


def contradictions(data: Any) -> Iterator[Problem]:
    """Find what contradicts itself in a codebook's data, which may be broken in any other way as well."""
    tags = _tags(data)
    yield from _repeated_ids(data, tags)
    yield from _title_clashes(tags)
    yield from _hotkey_clashes(tags)
    yield from _broken_parents(tags)
    yield from _broken_links(tags, "replaced_by")
    yield from _broken_splits(tags)


def _tags(data: Any) -> Tags:
    families = data.get("families") if isinstance(data, dict) else None
    found: Tags = []
    for f, family in enumerate(families if isinstance(families, list) else []):
        tags = family.get("tags") if isinstance(family, dict) else None
        for t, tag in enumerate(tags if isinstance(tags, list) else []):
            if isinstance(tag, dict):
                found.append((("families", f, "tags", t), tag))
    return found


def _repeated_ids(data: Any, tags: Tags) -> Iterator[Problem]:
    families = data.get("families") if isinstance(data, dict) else None
    entries: Tags = [
        (("families", f), family)
        for f, family in enumerate(families if isinstance(families, list) else [])
        if isinstance(family, dict)
    ]
    for kind, group in (("family", entries), ("tag", tags)):
        seen: set[str] = set()
        for path, entry in group:
            name = entry.get("id")
            if isinstance(name, str) and name:
                if name in seen:
                    yield Problem((*path, "id"), f"another {kind} has the id '{name}'")
                seen.add(name)


def folded(title: str) -> str:
    """Return a title as it is compared with others: without regard to case and runs of spaces."""
    return " ".join(title.casefold().split())


def _title_clashes(tags: Tags) -> Iterator[Problem]:
    reserved = {folded(title): title for title in (NONE_OF_THESE, UNCLEAR, NOT_ANALYSABLE)}
    seen: dict[str, str] = {}
    for path, tag in tags:
        title = tag.get("title")
        if not isinstance(title, str) or not title.strip():
            continue
        key = folded(title)
        if key in reserved:
            yield Problem(
                (*path, "title"), f"'{title}' is the name of a choice that every labelling page has"
            )
        elif key in seen:
            yield Problem((*path, "title"), f"'{title}' is also the title of tag '{seen[key]}'")
        seen.setdefault(key, str(tag.get("id")))


def reserved_key(value: str, choice: str) -> str:
    """Say that a key belongs to a choice of every labelling page."""
    return f"'{value}' is taken by the choice '{choice}'"


def _hotkey_clashes(tags: Tags) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for path, tag in tags:
        key = tag.get("hotkey")
        if not isinstance(key, str) or not key or _is_retired(tag):
            continue
        place, pressed = (*path, "hotkey"), key.casefold()
        if pressed in RESERVED_HOTKEYS:
            yield Problem(place, reserved_key(key, RESERVED_HOTKEYS[pressed]))
        elif pressed in seen:
            yield Problem(place, f"'{key}' is also the hotkey of tag '{seen[pressed]}'")
        seen.setdefault(pressed, str(tag.get("id")))


def _links(tags: Tags, field: str) -> dict[str, str]:
    return {
        tag["id"]: tag[field]
        for _, tag in tags
        if isinstance(tag.get("id"), str) and isinstance(tag.get(field), str)
    }


def _broken_links(tags: Tags, field: str) -> Iterator[Problem]:
    """Report ids that do not exist, a tag that names itself, and circles."""
    ids = {tag.get("id") for _, tag in tags if isinstance(tag.get("id"), str)}
    links = _links(tags, field)
    for path, tag in tags:
        name, target = tag.get("id"), tag.get(field)
        if not isinstance(target, str) or not target or not isinstance(name, str):
            continue
        place = (*path, field)
        if target == name:
            yield Problem(place, "names the tag itself")
        elif target not in ids:
            near = difflib.get_close_matches(target, [str(i) for i in ids], n=1)
            yield Problem(
                place, f"there is no tag '{target}'" + (f"; did you mean '{near[0]}'?" if near else "")
            )
        elif name in (circle := _chain(name, links)):
            yield Problem(place, f"goes round in a circle: {' -> '.join([name, *circle])}")


def _is_retired(tag: Mapping[str, Any]) -> bool:
    return bool(tag.get("replaced_by") or tag.get("split_into"))


def _broken_splits(tags: Tags) -> Iterator[Problem]:
    """Report parts of a split that do not exist or lead back to it, and a split beside a replacement."""
    ids = {tag["id"] for _, tag in tags if isinstance(tag.get("id"), str)}
    replaced = _links(tags, "replaced_by")
    parts = {
        tag["id"]: [part for part in tag["split_into"] if isinstance(part, str)]
        for _, tag in tags
        if isinstance(tag.get("id"), str) and isinstance(tag.get("split_into"), list)
    }
    for path, tag in tags:
        name = tag.get("id")
        if not isinstance(name, str) or name not in parts:
            continue
        place = (*path, "split_into")
        if tag.get("replaced_by"):
            yield Problem(place, "a tag is either split or replaced, not both")
        for part in parts[name]:
            if part not in ids:
                near = difflib.get_close_matches(part, [str(i) for i in ids], n=1)
                yield Problem(
                    place, f"there is no tag '{part}'" + (f"; did you mean '{near[0]}'?" if near else "")
                )
            elif part == name:
                yield Problem(place, "names the tag itself")
            elif name in _reached(part, replaced, parts):
                yield Problem(place, f"'{part}' leads back to the tag")


def _reached(name: str, replaced: Mapping[str, str], parts: Mapping[str, list[str]]) -> set[str]:
    """Return every tag that stands for a tag, however many steps away."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        at = waiting.pop()
        new = {*parts.get(at, ()), *([replaced[at]] if at in replaced else ())} - found
        found |= new
        waiting += new
    return found


def _chain(name: str, links: Mapping[str, str]) -> list[str]:
    """Follow the links from a tag until they end or come back to a tag already met."""
    chain: list[str] = []
    while name in links and links[name] not in chain:
        name = links[name]
        chain.append(name)
    return chain


def _broken_parents(tags: Tags) -> Iterator[Problem]:
    yield from _broken_links(tags, "parent")
    by_id = {tag["id"]: (path, tag) for path, tag in tags if isinstance(tag.get("id"), str)}
    for path, tag in tags:
        parent = tag.get("parent")
        if not isinstance(parent, str) or parent not in by_id or _is_retired(tag):
            continue
        parent_path, parent_tag = by_id[parent]
        if parent_path[:2] != path[:2]:
            yield Problem((*path, "parent"), f"the tag '{parent}' is in another family")
        elif parent_tag.get("replaced_by"):
            yield Problem(
                (*path, "parent"), f"the tag '{parent}' has been replaced by '{parent_tag['replaced_by']}'"
            )
