"""What can be wrong with a codebook, said in the words of its author."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from annotations.codebook_contradictions import RESERVED_HOTKEYS, contradictions, reserved_key
from annotations.codebook_yaml import Document, Path, Problem

# What XML cannot carry, or UTF-8 cannot encode.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_KINDS = {
    "object": "a mapping (field: value)",
    "array": "a list (lines that begin with '- ')",
    "string": "text",
}


def codebook_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) that every codebook meets."""
    text = resources.files("annotations").joinpath("codebook.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def check_document(document: Document) -> list[Problem]:
    """Return everything that is wrong with a document, by line: YAML, schema, then contradictions."""
    found = list(document.problems)
    if document.data is not None or not found:
        found += [*_schema_problems(document.data), *_character_problems(document.data, ())]
        found += contradictions(document.data)
    found = [Problem(p.path, p.message, p.line or document.line_of(p.path)) for p in found]
    unique = {(p.path, p.message): p for p in found}
    return sorted(unique.values(), key=lambda p: (p.line or 0, str(p.path)))


def described(problem: Problem, data: Any, where: str) -> str:
    """Return a problem as ``file:line: tag 'x', field 'y': what is wrong``."""
    place = f"{where}:{problem.line}" if problem.line else where
    subject = _subject(problem.path, data)
    return f"{place}: {subject}: {problem.message}" if subject else f"{place}: {problem.message}"


def _subject(path: Path, data: Any) -> str:
    """Name the place of a path: the tag or family by its id, then the field and the item."""
    parts: list[str] = []
    rest = path
    for kind, length in (("family", 2), ("tag", 4)):
        if len(path) >= length and isinstance(path[length - 1], int):
            entry = _at(data, path[:length])
            name = entry.get("id") if isinstance(entry, dict) else None
            parts = [
                f"{kind} '{name}'"
                if isinstance(name, str) and name
                else f"{kind} no. {int(path[length - 1]) + 1}"
            ]
            rest = path[length:]
    fields = [str(step) for step in rest if isinstance(step, str)]
    if fields:
        parts.append(f"field '{'.'.join(fields)}'")
    parts += [f"item {step + 1}" for step in rest if isinstance(step, int)]
    return ", ".join(parts)


def _at(data: Any, path: Path) -> Any:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(codebook_schema())


def _schema_problems(data: Any) -> Iterator[Problem]:
    for error in _validator().iter_errors(data):
        path: Path = tuple(error.absolute_path)
        translate = _TRANSLATIONS.get(str(error.validator))
        if translate is None:
            yield Problem(path, error.message)
        else:
            yield from translate(error, path)


def _instance(error: ValidationError) -> Any:
    return error.instance


def _rule(error: ValidationError) -> Any:
    return error.validator_value


def _wrong_type(error: ValidationError, path: Path) -> Iterator[Problem]:
    if _instance(error) is None:
        hint = ' (a colour needs quotes: "#4bb4e1")' if path[-1:] == ("color",) else ""
        yield Problem(path, f"is empty: give a value or remove the line{hint}")
    else:
        value = _instance(error)
        got = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "string"
        yield Problem(path, f"must be {_KINDS[str(_rule(error))]}, not {_KINDS[got]}")


def _missing(error: ValidationError, path: Path) -> Iterator[Problem]:
    # The validator reports each missing field on its own, in words; the names are those that are not there.
    name = next((n for n in _rule(error) if error.message.startswith(repr(n))), "")
    yield Problem((*path, name), "is missing")


def _unknown_fields(error: ValidationError, path: Path) -> Iterator[Problem]:
    schema: Any = error.schema
    known = list(schema["properties"])
    for name in _instance(error):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
            yield Problem((*path, name), f"is not a field of a codebook; {hint}")


def _wrong_form(error: ValidationError, path: Path) -> Iterator[Problem]:
    value = _instance(error)
    name = str(path[-1]) if path else ""
    if not value.strip():
        message = "is empty: give a value or remove the line"
    elif name in ("id", "parent", "replaced_by") or "split_into" in path:
        message = f"'{value}' is not an id: use small letters, digits and single hyphens, e.g. 'un-role'"
    elif name == "color":
        message = f"'{value}' is not a colour: write '#' and six digits from 0 to f, in quotes"
    elif name == "hotkey":
        taken = RESERVED_HOTKEYS.get(value.casefold())
        message = (
            f"'{value}' is not one small letter or digit" if taken is None else reserved_key(value, taken)
        )
    else:
        message = "must be a single line that does not begin with '$' or with a space, nor end with a space"
    yield Problem(path, message)


def _too_long(error: ValidationError, path: Path) -> Iterator[Problem]:
    yield Problem(path, f"has {len(_instance(error))} characters, at most {_rule(error)} are shown well")


def _too_few(_error: ValidationError, path: Path) -> Iterator[Problem]:
    yield Problem(path, "is empty: it needs at least one entry")


def _repeated_items(error: ValidationError, path: Path) -> Iterator[Problem]:
    items = _instance(error)
    for position, item in enumerate(items):
        if item in items[:position]:
            yield Problem((*path, position), f"repeats item {items.index(item) + 1}")


_TRANSLATIONS: Mapping[str, Callable[[ValidationError, Path], Iterator[Problem]]] = {
    "type": _wrong_type,
    "required": _missing,
    "additionalProperties": _unknown_fields,
    "pattern": _wrong_form,
    "maxLength": _too_long,
    "minLength": _too_few,
    "minItems": _too_few,
    "uniqueItems": _repeated_items,
}


def _character_problems(value: Any, path: Path) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _character_problems(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _character_problems(item, (*path, position))
    elif isinstance(value, str):
        bad = _UNPRINTABLE.search(value)
        if bad:
            yield Problem(path, f"holds the unprintable character U+{ord(bad.group()):04X}")
