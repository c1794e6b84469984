"""Read YAML as plain JSON values and keep the line of every key. Knows nothing of what the keys mean.

Scalars follow the YAML 1.2 core schema, so that 1e-3 is a number and `no` is a word.
Anchors, aliases and tags are refused: a study file needs none of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from spaces.errors import BadInput, Problem

Tree = dict[str, Any]

NULL, BOOL, INT, FLOAT, TEXT = (f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str"))
SCALARS = (
    (NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (INT, r"[-+]?[0-9]+", list("-+0123456789")),
    (FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    (FLOAT, r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
)


class Loader(yaml.SafeLoader):
    """A loader that composes nodes with the scalars above."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own class attribute)

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        r"""Compose a scalar; JSON writes one character as two escapes, "\ud83d\ude00", which are joined here."""
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        try:
            node.value = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise yaml.MarkedYAMLError(problem="holds half a character", problem_mark=node.start_mark) from None
        return node


class Dumper(yaml.SafeDumper):
    """A dumper that quotes exactly what `Loader` would take for something else."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def ignore_aliases(self, data: object) -> bool:
        """Write every value out."""
        return True


for tag, pattern, first in SCALARS:
    for kind in (Loader, Dumper):
        kind.add_implicit_resolver(tag, re.compile(rf"(?:{pattern})\Z"), first)
Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar(TEXT, text, style=None if text.isprintable() else '"')
)


@dataclass(frozen=True)
class StudyFile:
    """The values of a YAML file, and the line on which each dotted key stands."""

    path: Path
    tree: Tree
    lines: Mapping[str, int]


def read_study_file(path: Path) -> StudyFile:
    """Read the mapping in ``path``.

    Raises:
        BadInput: the file cannot be read, is not YAML, is not a mapping, or repeats a key.
    """
    node = _compose(_text(path), str(path))
    if not isinstance(node, yaml.MappingNode):
        line = 1 if node is None else node.start_mark.line + 1
        found = "is empty" if node is None else "does not hold a mapping"
        raise BadInput.at(f"{path}:{line}", f"{found}; a study file holds key: value lines (thawline init writes one)")
    lines: dict[str, int] = {}
    problems = list(_note_lines(node, "", str(path), lines))
    if problems:
        raise BadInput(problems)
    return StudyFile(path, _value(node), lines)


def read_value(text: str, place: str) -> Any:
    """Read one value as YAML would, such as the right-hand side of ``-o key=value``."""
    node = _compose(text, place)
    if node is None:
        return None
    problems = list(_note_lines(node, "", place, {}))
    if problems:
        raise BadInput(problems)
    return _value(node)


def write_value(value: object) -> str:
    """Return ``value`` as one line of YAML that `read_value` reads back."""
    text = yaml.dump(value, Dumper=Dumper, default_flow_style=True, width=math.inf, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput.at(str(path), "no such file (thawline init writes a study file to start from)") from None
    except IsADirectoryError:
        raise BadInput.at(str(path), "is a folder; name the study file in it") from None
    except UnicodeDecodeError as error:
        raise BadInput.at(str(path), f"is not UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError) as error:
        raise BadInput.at(str(path), f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _compose(text: str, place: str) -> yaml.Node | None:
    try:
        for token in yaml.scan(text, Loader=Loader):
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken):
                line = token.start_mark.line + 1
                raise BadInput.at(
                    f"{place}:{line}", "anchors (&), aliases (*), tags (!) are not allowed; quote the text"
                )
        return yaml.compose(text, Loader=Loader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise BadInput.at(
            f"{place}:{line}", f"holds a character YAML does not allow: {chr(error.character)!r}"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadInput.at(f"{place}:{line}", f"is not valid YAML: {error.problem or error.context}") from None
    except RecursionError:
        raise BadInput.at(place, "is nested too deeply") from None


def _note_lines(node: yaml.Node, key: str, place: str, lines: dict[str, int]) -> Iterator[Problem]:
    """Write each key's line into ``lines`` and yield what is wrong with the keys."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _note_lines(item, key, place, {})
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for name, value in node.value:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            yield Problem(f"{place}:{line}", "a key must be a single word")
            continue
        if not name.value or "." in name.value:
            yield Problem(
                f"{place}:{line}",
                f"a key may not be empty or hold dots, got {name.value!r}; indent sections",
            )
            continue
        dotted = f"{key}.{name.value}" if key else name.value
        if name.value in seen:
            yield Problem(f"{place}:{line}: {dotted}", f"stands twice (first on line {seen[name.value]}); keep one")
        seen.setdefault(name.value, line)
        lines[dotted] = line
        yield from _note_lines(value, dotted, place, lines)


def _value(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {name.value: _value(value) for name, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    match node.tag:
        case tag if tag == NULL:
            return None
        case tag if tag == BOOL:
            return node.value.lower() == "true"
        case tag if tag == INT and len(node.value) < 300:
            return int(node.value)
        case tag if tag == FLOAT:
            return float(re.sub(r"\.(inf|nan)", r"\1", node.value.lower()))
    return node.value
