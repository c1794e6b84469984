"""Resolve a study: defaults < preset < file < ``-o``. A value knows the layer that set it, a problem its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from search.config import MODALITY_OF_TASK, SHORTHANDS, Modality, StudyConfig, preset_values, with_absolute_paths
from search.static_checks import check_files, check_values
from search.study_file import StudyFile, Tree, read_study_file, read_value, write_value
from search.wording import all_keys, problems_of
from spaces.errors import BadInput, Problem
from spaces.presets import PRESETS

DEFAULT, PRESET, INFERRED, FILE, OVERRIDE = "default", "preset", "inferred", "file", "-o"
TASKS = tuple(MODALITY_OF_TASK)
KNOWN = frozenset(all_keys())
# What is required is stood in for while the other problems are looked for.
STAND_INS: Mapping[str, Any] = {"task": TASKS[0], "model": "torchvision:resnet18", "data": {}, "name": "study"}


@dataclass(frozen=True)
class Resolved:
    """A study ready to run: its configuration, the layer and the place of every dotted key, and its file."""

    config: StudyConfig
    layers: Mapping[str, str]
    path: Path
    places: Mapping[str, str]
    home: Path | None = None  # where the study file lay, for one that was copied into a run folder

    @property
    def folder(self) -> Path:
        """Where the study file lies: modules named in it are found there."""
        return self.home or self.path.absolute().parent

    def placed(self, error: BadInput) -> BadInput:
        """Return what a later look at the study found wrong, with the lines of the study file."""
        return BadInput(Problem(_place(found.place, self.places, self.path), found.message) for found in error.problems)


@dataclass(frozen=True)
class Layered:
    """The values of file and ``-o`` together, and where each dotted key was written."""

    tree: Tree
    layers: dict[str, str]
    places: dict[str, str]
    path: Path


def resolve(path: Path | str, overrides: Sequence[str] = (), *, look: bool = True) -> Resolved:
    """Resolve the study file at ``path`` under ``overrides``, each ``dotted.key=value``.

    With ``look`` off the files, folders and modules that the study names are not looked for, as when an
    old run is read again.

    Raises:
        BadInput: every problem that can be found without torch, each with its place.
    """
    file = read_study_file(Path(path))
    layered, override_problems = _layered(file, overrides)
    folder = file.path.absolute().parent
    key_problems = _refused(layered.tree)
    draft = with_absolute_paths(_draft(layered.tree, key_problems), folder)
    refused = {problem.place for problem in key_problems}

    task, task_problems = _task(draft, layered, look, refused)
    modality = MODALITY_OF_TASK.get(task or "")
    found = check_values(draft, modality)
    if look:
        found += check_files(draft, folder) + _check_data(draft, modality, refused)
    if not any(_within(problem.place, "data") for problem in [*key_problems, *found]):
        found += task_problems
    problems = [*key_problems, *_news(found, refused)]
    if problems or override_problems:
        placed = [Problem(_place(problem.place, layered.places, file.path), problem.message) for problem in problems]
        raise BadInput([*sorted(placed, key=lambda problem: _line(problem.place)), *override_problems])

    _put(layered.tree, ["task"], task)
    config = with_absolute_paths(_validated(layered.tree), folder)
    layers = {key: layered.layers.get(key, DEFAULT) for key, _ in leaves(as_tree(config))}
    return Resolved(config, layers, file.path, layered.places)


def as_written(path: Path | str, overrides: Sequence[str] = ()) -> Tree:
    """Return the values of the study file under ``overrides`` as they were written; what is wrong stays in them.

    Raises:
        BadInput: the file cannot be read.
    """
    return _layered(read_study_file(Path(path)), overrides)[0].tree


def dump(resolved: Resolved) -> str:
    """Return the resolved study file, each value with the layer that set it. It reads back to an equal study."""
    origin = write_value(str(resolved.path))
    lines = [f"# Resolved from {origin}; behind each value stands the layer that set it."]
    lines += _dumped(as_tree(resolved.config), "", resolved.layers)
    return "\n".join(lines) + "\n"


def _dumped(tree: Tree, prefix: str, layers: Mapping[str, str]) -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if key in layers:
            yield f"{indent}{name}: {write_value(value)}  # {layers[key]}"
        else:
            yield f"{indent}{name}:"
            yield from _dumped(value, f"{key}.", layers)


def as_tree(config: StudyConfig) -> Tree:
    """Return ``config`` as the plain values of a study file."""
    tree: Tree = config.model_dump(mode="json")
    return tree


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every dotted key with its value; the domain of a dimension counts as one value."""
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and prefix != "space.":
            yield from leaves(value, f"{key}.")
        else:
            yield key, value


def _layered(file: StudyFile, overrides: Sequence[str]) -> tuple[Layered, list[Problem]]:
    """Merge the layers above the defaults, and return what is wrong with the overrides."""
    tree = _spelled_out(file.tree)
    layers = {key: FILE for key, _ in leaves(_without_nulls(tree))}
    layered = Layered(tree, layers, {key: f"{file.path}:{line}: {key}" for key, line in file.lines.items()}, file.path)
    problems = [problem for text in overrides for problem in _override(layered, text)]
    tree = _spelled_out(_without_nulls(layered.tree))
    if "name" not in tree and (stem := re.sub(r"[^A-Za-z0-9_.-]+", "-", file.path.stem).lstrip(".-")[:100]):
        tree["name"], layers["name"] = stem, INFERRED
    space = tree.get("space", {})
    preset = space.get("preset") if isinstance(space, Mapping) else None
    for section, values in preset_values(str(preset) if str(preset) in PRESETS else "standard").items():
        for name, value in values.items():
            here = tree.setdefault(section, {})
            if isinstance(here, dict) and name not in here:
                here[name], layers[f"{section}.{name}"] = value, PRESET
    return Layered(tree, layers, layered.places, file.path), problems


def _override(layered: Layered, text: str) -> list[Problem]:
    """Write one ``key=value`` into ``layered``; return what is wrong with it."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not all(key.split(".")):
        return [Problem(f"-o {text}", "must be key=value, such as budget.trials=8")]
    try:
        read = read_value(value, f"-o {key}")
    except BadInput as error:
        return list(error.problems)
    names = key.split(".")
    if not _put(layered.tree, names, read):
        return [Problem(f"-o {key}", f"{key.rpartition('.')[0]} is no section of the study file")]
    for old in [old for old in (*layered.layers, *layered.places) if _within(old, key)]:
        layered.layers.pop(old, None)
        layered.places.pop(old, None)
    layered.places[key] = f"-o {key}"
    flat = _spelled_out({key: read}) if key in SHORTHANDS else {key: read}
    # The domain of a dimension is one value, however much of it was overridden.
    layered.layers.update({".".join(k.split(".")[:2]) if _within(k, "space") else k: OVERRIDE for k, _ in leaves(flat)})
    return []


def _put(tree: Tree, names: list[str], value: Any) -> bool:
    """Set the value at the path ``names``; tell whether the path leads through sections only."""
    here = tree
    for name in names[:-1]:
        below = here.get(name)
        if below is None:
            below = here[name] = {}
        if not isinstance(below, dict):
            return False
        here = below
    here[names[-1]] = value
    return True


def _spelled_out(tree: Tree) -> Tree:
    """Return ``tree`` with `metric: accuracy` and `space: quick` as the sections they stand for."""
    words = {key: {inner: tree[key]} for key, inner in SHORTHANDS.items() if isinstance(tree.get(key), str)}
    return {**tree, **words}


def _without_nulls(tree: Tree, prefix: str = "") -> Tree:
    """Return ``tree`` without the known keys that are left empty: they count as left out."""
    kept: Tree = {}
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if value is not None or key not in KNOWN:
            kept[name] = _without_nulls(value, f"{key}.") if isinstance(value, dict) else value
    return kept


def _validated(tree: Tree) -> StudyConfig:
    # As JSON, because strict checks of Python values would refuse a list where a tuple is meant.
    return StudyConfig.model_validate_json(json.dumps(tree), strict=True)


def _refused(tree: Tree) -> list[Problem]:
    """Return what is wrong with keys and types; a missing task may still be told from the data."""
    try:
        _validated({"task": STAND_INS["task"], **tree})
    except ValidationError as error:
        return problems_of(error, tree)
    return []


def _draft(tree: Tree, refused: Sequence[Problem]) -> StudyConfig:
    """Return the study without the refused keys, so that the rest can still be checked."""
    kept: Tree = json.loads(json.dumps(tree))
    for problem in refused:
        *parents, name = problem.place.split(".")
        here: Any = kept
        for parent in parents:
            here = here.get(parent, {})
        here.pop(name, None)
    for section, values in preset_values("standard").items():
        kept[section] = {**values, **kept.get(section, {})}
    return _validated({**STAND_INS, **kept})


def _task(draft: StudyConfig, layered: Layered, look: bool, refused: set[str]) -> tuple[str | None, list[Problem]]:
    """Return the task, told from the data where the file does not name it, and the problem if it cannot be told."""
    if "task" in refused:
        return None, []
    if "task" in layered.tree:
        return draft.task, []
    if look:
        from trainables.data.source import infer_task

        if task := infer_task(draft.data):
            layered.layers["task"] = INFERRED
            return task, []
    return None, [Problem("task", f"is missing and cannot be told from the data; name it: {' or '.join(TASKS)}")]


def _check_data(draft: StudyConfig, modality: Modality | None, refused: set[str]) -> list[Problem]:
    from trainables.data.source import check_static

    if "data" in refused:
        return []
    found = check_static(draft.data, modality)
    # A key refused within the section explains that nothing is named there.
    explained = any(_within(key, "data") for key in refused)
    return [problem for problem in found if not (explained and problem.place == "data")]


def _news(found: Sequence[Problem], refused: set[str]) -> list[Problem]:
    """Return the first problem of each place, without those of keys that were refused already."""
    first: dict[str, Problem] = {}
    for problem in found:
        if not any(_within(problem.place, key) for key in refused):
            first.setdefault(problem.place, problem)
    return list(first.values())


def _within(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")


def _place(key: str, places: Mapping[str, str], path: Path) -> str:
    """Return where ``key`` was written: line of the file or ``-o``; a place that is no key stays as it is."""
    nearest = key
    while nearest:
        if nearest in places:
            return f"{places[nearest].removesuffix(nearest)}{key}"
        nearest = nearest.rpartition(".")[0]
    below = [place for inner, place in places.items() if _within(inner, key)]
    if below:
        return below[0]
    return f"{path}: {key}" if key.partition(".")[0] in StudyConfig.model_fields else key


def _line(place: str) -> tuple[bool, int]:
    """Sort by line, what has none after them."""
    found = re.search(r":(\d+): ", place)
    return (found is None, int(found[1]) if found else 0)
