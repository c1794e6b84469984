"""What Ray itself says of a cluster file: its schema first, every error of it; then its own reading, which stops early.

The schema is read from Ray's folder without importing Ray.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from search.cluster.yaml_lines import Keys, Lines
from spaces.check import did_you_mean
from spaces.errors import BadInput, Problem

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a section of key: value lines",
    "null": "empty",
}


def ray_folder() -> Path:
    """Return where Ray is installed; it is not imported."""
    spec = find_spec("ray")
    if spec is None or not spec.submodule_search_locations:
        raise BadInput.at("ray", "is not installed, so that its schema cannot be read: make .venv")
    return Path(spec.submodule_search_locations[0])


def check_schema(file: Lines) -> list[Problem]:
    """Return every error against Ray's schema."""
    schema = json.loads((ray_folder() / "autoscaler" / "ray-schema.json").read_text(encoding="utf-8"))
    tree = dict(file.tree)
    if file.section("provider").get("type") == "local":
        tree.pop("min_workers", None)  # Ray takes it out before it looks at the rest
    found: dict[Keys, Problem] = {}
    for error in sorted(Draft7Validator(schema).iter_errors(tree), key=lambda error: list(map(str, error.path))):
        for keys, message in _told(error):
            found.setdefault(keys, file.problem(keys, message))
    return list(found.values())


def check_with_ray(file: Lines) -> list[Problem]:
    """Return what Ray's launcher would refuse the file for; it names one reason only."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            validate_config(prepare_config(copy.deepcopy(file.tree)))
    except Exception as error:  # of many classes, those of its command line among them
        reason = (str(error).strip() or said.getvalue().strip() or type(error).__name__).splitlines()[0]
        return [Problem(str(file.path), f"Ray refuses it: {reason}")]
    return []


def _told(error: ValidationError) -> Iterator[tuple[Keys, str]]:
    keys: Keys = tuple(error.absolute_path)
    match error.validator:
        case "additionalProperties":
            known = sorted(error.schema.get("properties", {}))
            for name in sorted(set(map(str, error.instance)) - set(known)):
                where = ".".join(map(str, keys)) or "a cluster file"
                yield (*keys, name), f"unknown key{did_you_mean(name, known)}; {where} takes: {', '.join(known)}"
        case "required":
            for name in error.validator_value:
                if isinstance(error.instance, Mapping) and name not in error.instance:
                    yield (*keys, name), "is missing; Ray's launcher needs it"
        case "type":
            kinds = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
            allowed = " or ".join(KINDS[str(kind)] for kind in kinds)
            if error.instance is None:
                yield keys, f"is empty; it must be {allowed}"
                return
            yield keys, f"must be {allowed}, got {_shown(error.instance)}{_whole(error.instance, kinds)}"
        case "minimum":
            yield keys, f"must be {error.validator_value} or more, got {_shown(error.instance)}"
        case "enum":
            yield keys, f"must be one of {', '.join(map(str, error.validator_value))}, got {_shown(error.instance)}"
        case _:
            yield keys, str(error.message)


def _whole(value: object, kinds: list[str]) -> str:
    if isinstance(value, float) and kinds == ["integer"]:
        return "; a node has whole ones, a trial takes its share by resources.gpus_per_trial of the study"
    return ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
