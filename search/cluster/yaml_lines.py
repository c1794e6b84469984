"""Read a YAML file as Ray reads it (YAML 1.1), and keep the line of every key. Knows nothing of what the keys mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from spaces.errors import BadInput, Problem

Keys = tuple[str | int, ...]
TEXT = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


@dataclass(frozen=True)
class Lines:
    """The values of a YAML file, the line on which each stands, and the text of each line."""

    path: Path
    tree: dict[str, Any]
    lines: Mapping[Keys, int]
    text: tuple[str, ...]

    def problem(self, keys: Keys, message: str) -> Problem:
        """Return the problem of the value at ``keys``, placed at its line or at that of the nearest section."""
        near = keys
        while near and near not in self.lines:
            near = near[:-1]
        line = f":{self.lines[near]}" if near else ""
        name = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
        return Problem(f"{self.path}{line}: {name}" if name else f"{self.path}", message)

    def get(self, *keys: str | int) -> Any:
        """Return the value at ``keys``, None where there is none."""
        here: Any = self.tree
        for key in keys:
            if isinstance(here, Mapping):
                here = here.get(key)
            elif isinstance(here, list) and isinstance(key, int) and key < len(here):
                here = here[key]
            else:
                return None
        return here

    def section(self, *keys: str | int) -> dict[str, Any]:
        """Return the mapping at ``keys``, an empty one where there is none."""
        found = self.get(*keys)
        return found if isinstance(found, dict) else {}

    def texts(self, *keys: str | int) -> list[str]:
        """Return the list at ``keys``, each item as text; an empty one where there is none."""
        found = self.get(*keys)
        return [str(item) for item in found] if isinstance(found, list) else []

    def comment(self, keys: Keys) -> str:
        """Return the comment on the line of ``keys``, without its mark."""
        line = self.text[self.lines[keys] - 1] if keys in self.lines else ""
        return line.partition(" # ")[2].strip() or line.partition("\t# ")[2].strip()

    def leaves(self) -> Iterator[tuple[Keys, Any]]:
        """Yield every value that holds no others."""
        yield from _leaves(self.tree, ())


def read(path: Path) -> Lines:
    """Read the mapping in ``path``.

    Raises:
        BadInput: the file cannot be read, is not YAML, is not a mapping, repeats keys, or has some that are no text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        message = "no such file; cluster.yaml and examples/cluster.*.yaml of the checkout are files to start from"
        raise BadInput.at(str(path), message) from None
    except (OSError, ValueError) as error:
        raise BadInput.at(str(path), f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        tree = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise BadInput.at(place, f"is not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadInput.at(str(path), f"is not valid YAML: {error}") from None
    if not isinstance(tree, dict) or node is None:
        raise BadInput.at(str(path), "does not hold a mapping; a cluster file holds key: value lines")
    lines: dict[Keys, int] = {}
    wrong = list(_note(node, (), lines))
    found = Lines(path, tree, lines, tuple(text.splitlines()))
    if wrong:
        raise BadInput(found.problem(keys, message) for keys, message in wrong)
    return found


def _note(node: yaml.Node, keys: Keys, lines: dict[Keys, int]) -> Iterator[tuple[Keys, str]]:
    """Write the line of every key and item below ``node`` into ``lines``; yield the keys that are wrong, and why."""
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[*keys, number] = item.start_mark.line + 1
            yield from _note(item, (*keys, number), lines)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[Keys, int] = {}
        for name, value in node.value:
            inner = (*keys, str(name.value))
            if inner in seen and name.value != "<<":
                yield inner, f"stands twice (also on line {seen[inner]}); keep one"
            if name.tag not in TEXT:
                yield inner, f'must be text; write it in quotes: "{name.value}"'
            seen[inner] = lines[inner] = name.start_mark.line + 1
            yield from _note(value, inner, lines)


def _leaves(value: Any, keys: Keys) -> Iterator[tuple[Keys, Any]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        inner = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        yield keys, value
    for key, item in inner:
        yield from _leaves(item, (*keys, key))
