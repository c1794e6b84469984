"""Turn pydantic's complaints about a study file into our sentences: key, value, what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from search.config import SpaceConfig, StudyConfig
from spaces.check import did_you_mean
from spaces.errors import Problem
from spaces.presets import DIMENSION_NAMES

# Where a key takes more than one type, pydantic's errors name each type apart.
ALLOWED = {
    "version": "1, the only version of the study file",
    "name": "letters, digits, dots, dashes and underscores: a folder is named after it",
    "data.input": "a column or a list of two columns",
    "data.augment_views": "a whole number of 1 or more, or fresh",
    "resources.gpus_per_trial": "auto or a number of 0 or more",
    "resources.concurrent": "auto or a whole number of 1 or more",
    "resources.nodes": "auto or a whole number of 1 or more",
}
KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of sensible size",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "model_type": "a section of key: value lines",
    "model_attributes_type": "a section of key: value lines",
    "dict_type": "a section of key: value lines",
    "finite_number": "a finite number",
}
BOUNDS = {
    "greater_than_equal": "{ge} or more",
    "greater_than": "above {gt}",
    "less_than": "below {lt}",
    "less_than_equal": "{le} or less",
    "string_too_long": "text of at most {max_length} letters",
}


def known_keys(key: str) -> list[str]:
    """Return the keys that the section ``key`` takes; the top level is the empty key."""
    model: type[BaseModel] = StudyConfig
    for name in filter(None, key.split(".")):
        field = model.model_fields.get(name)
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return []
        model = field.annotation
    extra = DIMENSION_NAMES if model is SpaceConfig else ()
    return [*model.model_fields, *extra]


def all_keys(key: str = "") -> Iterator[str]:
    """Yield the dotted name of every key of the study file below the section ``key``."""
    for name in known_keys(key):
        dotted = f"{key}.{name}" if key else name
        yield dotted
        yield from all_keys(dotted)


def unknown_key(key: str) -> Problem:
    """Return the problem of a key that does not exist, with the nearest one that does."""
    section, _, name = key.rpartition(".")
    known = known_keys(section)
    moved = [dotted for dotted in all_keys() if dotted.rpartition(".")[2] == name]
    guess = f" (did you mean {moved[0]}?)" if moved else did_you_mean(name, known)
    return Problem(key, f"unknown key{guess}; {section or 'a study file'} takes: {', '.join(known)}")


def problems_of(error: ValidationError, tree: Mapping[str, Any]) -> list[Problem]:
    """Return one problem for every key of ``tree`` that pydantic refused, placed at the dotted key."""
    by_key: dict[str, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        by_key.setdefault(_key(detail, tree), []).append(detail)
    return [_problem(key, details, tree) for key, details in by_key.items()]


def _key(detail: ErrorDetails, tree: Mapping[str, Any]) -> str:
    """Return the dotted key of an error: pydantic's location less what it adds for unions and list items."""
    names: list[str] = []
    value: Any = tree
    for name in map(str, detail["loc"]):
        if not isinstance(value, Mapping) or (name not in value and detail["type"] != "missing"):
            break
        names.append(name)
        value = value.get(name)
    return ".".join(names)


def _problem(key: str, details: list[ErrorDetails], tree: Mapping[str, Any]) -> Problem:
    first = details[0]
    if first["type"] == "missing" and key not in ALLOWED:
        return Problem(key, "is missing")
    if first["type"] == "extra_forbidden":
        return unknown_key(key)
    value: Any = tree
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else value
    allowed = ALLOWED.get(key) or " or ".join(dict.fromkeys(_allowed(detail) for detail in details))
    guess = did_you_mean(value, _words(first)) if isinstance(value, str) else ""
    return Problem(key, f"must be {allowed}, got {_shown(value)}{guess}")


def _allowed(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "literal_error":
        return f"one of {', '.join(_words(detail))}"
    if kind in BOUNDS:
        return BOUNDS[kind].format(**{name: f"{bound:.12g}" for name, bound in detail["ctx"].items()})
    where = f"a list where item {detail['loc'][-1]} is " if isinstance(detail["loc"][-1], int) else ""
    return where + KINDS.get(kind, detail["msg"])


def _words(detail: ErrorDetails) -> list[str]:
    expected = str(detail.get("ctx", {}).get("expected", ""))
    return expected.replace("'", "").replace(" or ", ", ").split(", ") if expected else []


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
