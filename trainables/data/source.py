"""Load the data of a study: read, split, limit and check it, with every problem found in one error. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from spaces.errors import BadInput, Problem
from trainables.config import SPLITS, DataConfig, Split
from trainables.data import folders, functions, tables
from trainables.data.layout import Modality, check_static, infer_task, locate, place_of
from trainables.data.samples import Dataset, Examples, Reading, Sample, to_examples
from trainables.data.split import divide, doubts, limited, split_hash, too_small
from trainables.data.words import listed

__all__ = ["Dataset", "Examples", "Modality", "check_static", "infer_task", "load"]


def load(data: DataConfig, modality: Modality, code_path: str | None = None, *, verify: bool = True) -> Dataset:
    """Return the data set that ``data`` names, split and limited.

    ``code_path`` is the folder in which the module of ``data.source`` is looked for. Without ``verify``, image files
    are hashed but not decoded: for a second reading of data that was found sound. Raises ``BadInput`` with every
    problem there is.
    """
    problems = check_static(data, modality)
    if problems:
        raise BadInput(problems)
    classes = None
    warnings: tuple[str, ...] = ()
    if data.source is not None:
        readings, classes = functions.read(data.source, modality, code_path)
    else:
        layout = locate(data, modality)
        warnings = layout.warnings
        readings = {split: _read(path, layout.root, data, split, verify) for split, path in layout.paths.items()}
    return _dataset(readings, classes, data, warnings)


def _read(path: Path, root: Path, data: DataConfig, split: Split, verify: bool) -> Reading:
    place = place_of(data, split)
    if path.is_dir():
        return folders.read(path, root, place, verify=verify)
    return tables.read(path, path.relative_to(root).as_posix(), data, place)


def _dataset(
    readings: Mapping[Split, Reading], classes: tuple[str, ...] | None, data: DataConfig, warnings: tuple[str, ...]
) -> Dataset:
    problems = [problem for reading in readings.values() for problem in reading.problems]
    given = {split: reading.samples for split, reading in readings.items()}
    missing = [split for split in SPLITS if split not in given]
    parts = divide(given["train"], missing)
    if given["train"]:
        problems += _check_classes(given, classes, data)
        small = too_small(parts) if missing else None
        problems += [] if small is None else [Problem(place_of(data, "train"), small)]
    names = classes or tables.sorted_classes({sample.label for sample in given["train"]})
    whole = {**given, **parts}
    problems += _check_limits(whole, data)
    if problems:
        raise BadInput(problems)
    splits = {split: _limited(to_examples(whole[split], names), getattr(data.limit, split)) for split in SPLITS}
    return Dataset(
        train=splits["train"],
        val=splits["val"],
        test=splits["test"],
        classes=names,
        warnings=(*warnings, *(text for reading in readings.values() for text in reading.warnings), *doubts(given)),
        hash=split_hash(splits, names),
    )


def _limited(examples: Examples, most: int | None) -> Examples:
    return examples if most is None else limited(examples, most)


def _check_classes(
    given: Mapping[Split, Sequence[Sample]], classes: Sequence[str] | None, data: DataConfig
) -> list[Problem]:
    known = {sample.label for sample in given["train"]}
    problems = []
    if len(known) < 2:
        message = f"holds the single class {next(iter(known))}; a classification needs two or more"
        problems.append(Problem(place_of(data, "train"), message))
    lacking = [name for name in classes or () if name not in known]
    if lacking:
        problems.append(Problem(place_of(data, "train"), f"names classes without a sample in train: {listed(lacking)}"))
    for split, samples in given.items():
        first: dict[str, str] = {}
        for sample in samples:
            if sample.label not in known:
                first.setdefault(sample.label, sample.id)
        if first:
            unknown = listed([f"{label} (first at {name})" for label, name in first.items()])
            message = f"{split} has a class that train lacks: {unknown}; train has {listed(sorted(known), 10)}"
            problems.append(Problem(place_of(data, split), message))
    return problems


def _check_limits(splits: Mapping[Split, Sequence[Sample]], data: DataConfig) -> list[Problem]:
    problems = []
    for split, samples in splits.items():
        most, classes = getattr(data.limit, split), len({sample.label for sample in samples})
        if most is not None and most < classes:
            message = f"must be at least {classes}, one per class, got {most}"
            problems.append(Problem(f"data.limit.{split}", message))
    return problems
