"""Reading a codebook's YAML: plain text values, and the line on which each value stands.

YAML would read ``no`` as false, ``1.10`` as 1.1 and silently keep the last of two equal keys; a codebook is
prose, so here every value is the text that its author wrote, and what is ambiguous is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_CHARACTERS = 2_000_000
_MAX_DEPTH = 20
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the top of the document."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a codebook: where (path and line, counted from 1) and what."""

    path: Path
    message: str
    line: int | None = None


@dataclass(slots=True)
class Document:
    """What a YAML text holds: dicts, lists and strings (``data``), and the line of every value."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, path: Path) -> int | None:
        """Return the line of the value at ``path``, or of the nearest value around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


def read_document(text: str) -> Document:
    """Read a YAML text; what is wrong with it as YAML ends in ``problems``, never in an exception."""
    document = Document()
    if len(text) > MAX_CHARACTERS:
        document.problems.append(Problem((), f"is larger than {MAX_CHARACTERS:,} characters: not a codebook"))
        return document
    try:
        refusal = _refusal(text)
        if refusal is not None:
            document.problems.append(refusal)
            return document
        root = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        document.problems.append(_explained(error))
        return document
    if root is None:
        document.problems.append(Problem((), "is empty", 1))
        return document
    document.data = _value(root, (), document)
    return document


def _refusal(text: str) -> Problem | None:
    """Look for what could blow up in memory before anything is built: aliases, and nesting without end."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.AliasEvent):
            return Problem((), f"the alias '*{event.anchor}' is not allowed here: write the text out", line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                return Problem((), "is nested too deeply to be a codebook", line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _explained(error: yaml.YAMLError | UnicodeEncodeError) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        what = str(error.problem or error.context or "a mistake")
        return Problem((), f"is not valid YAML: {what}{_yaml_hint(what)}", mark.line + 1 if mark else None)
    if isinstance(error, yaml.reader.ReaderError | UnicodeEncodeError):
        return Problem((), "holds a character that YAML does not allow (is it a text file?)")
    return Problem((), f"is not valid YAML: {error}")


def _yaml_hint(what: str) -> str:
    if "mapping values are not allowed" in what:
        return " (a text that contains ': ' needs quotes around it)"
    if "cannot start any token" in what:
        return " (indent with spaces, and put quotes around a text that begins with @, % or `)"
    if "another document" in what:
        return " (only one '---' document is read)"
    return " (check the indentation, the quotes and the brackets here and just above)"


def _value(node: yaml.Node, path: Path, document: Document) -> Any:
    document.lines[path] = node.start_mark.line + 1
    if not node.tag.startswith("tag:yaml.org,2002:") or node.tag.startswith("tag:yaml.org,2002:python"):
        document.problems.append(
            Problem(path, f"has the YAML type '{node.tag}', which is not allowed: write plain text")
        )
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, position), document) for position, item in enumerate(node.value)]
    if node.tag == "tag:yaml.org,2002:null":
        return None
    return str(node.value)


def _mapping(node: yaml.MappingNode, path: Path, document: Document) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.problems.append(
                Problem(path, "has a list or a mapping where the name of a field belongs", line)
            )
            continue
        key = str(key_node.value)
        if key in result:
            document.problems.append(
                Problem((*path, key), f"is given twice (first on line {document.lines[(*path, key)]})", line)
            )
            continue
        result[key] = _value(value_node, (*path, key), document)
        document.lines[(*path, key)] = line
    return result
