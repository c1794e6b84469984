"""Where the samples of each split lie, judged by names alone: opens no file, needs no torch and no pandas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spaces.check import did_you_mean
from spaces.errors import Problem
from trainables.config import SPLITS, DataConfig, Split
from trainables.data.words import listed

Modality = Literal["image", "text"]
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
NEARLY = {"valid": "val", "validation": "val", "dev": "val", "training": "train", "testing": "test"}
COLUMNS: tuple[Literal["input", "target", "group"], ...] = ("input", "target", "group")


@dataclass(frozen=True)
class Layout:
    """The file or folder of each split that is given, and what ids are relative to."""

    paths: dict[Split, Path]
    root: Path
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def kind(self) -> Modality | None:
        """What the places hold: tables are texts, folders are images; None for a mixture or nothing."""
        kinds: set[Modality] = {
            "text" if path.suffix.lower() in TABLES and path.is_file() else "image" for path in self.paths.values()
        }
        return kinds.pop() if len(kinds) == 1 else None


def visible(folder: Path) -> list[Path]:
    """List a folder in order of names, without what operating systems and notebooks leave behind."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name != "__MACOSX")


def is_image(path: Path) -> bool:
    """Tell by its ending whether a file is an image."""
    return path.suffix.lower() in IMAGES


def place_of(data: DataConfig, split: Split) -> str:
    """Return the key of the study file that says where ``split`` lies."""
    if data.source is not None:
        return "data.source"
    return "data.path" if data.path is not None else f"data.{split}"


def locate(data: DataConfig, modality: Modality | None) -> Layout:
    """Find the file or folder of each split. A single file or folder is all train, to be split."""
    if data.path is None:
        given = {split: Path(path) for split in SPLITS if (path := getattr(data, split)) is not None}
        parents = [path.parent for path in given.values()]
        root = next(
            (up for up in (parents[0], *parents[0].parents) if all(p.is_relative_to(up) for p in parents)), Path()
        )
        return Layout(given, root, tuple(_missing(given, data)))
    path = Path(data.path)
    if not path.exists():
        return Layout({}, path, tuple(_missing({"train": path}, data)))
    if path.is_file():
        return Layout({"train": path}, path.parent)
    return _inside(path, modality)


def _missing(paths: dict[Split, Path], data: DataConfig) -> list[Problem]:
    problems = []
    for split, path in paths.items():
        if not path.exists():
            near = [each.name for each in visible(path.parent)] if path.parent.is_dir() else []
            problems.append(Problem(place_of(data, split), f"{path} does not exist{did_you_mean(path.name, near)}"))
    return problems


def _inside(folder: Path, modality: Modality | None) -> Layout:
    """Look into ``data.path``: one table per split, one folder per split, or class folders."""
    entries = visible(folder)
    tables = [path for path in entries if path.is_file() and path.suffix.lower() in TABLES]
    by_split: dict[Split, list[Path]] = {split: [path for path in tables if path.stem == split] for split in SPLITS}
    folders: dict[Split, Path] = {split: folder / split for split in SPLITS if (folder / split).is_dir()}
    if modality == "text" or (modality is None and any(by_split.values()) and not folders):
        return _tables(folder, tables, by_split)
    if not folders:
        return Layout({"train": folder}, folder)
    beside = [path.name for path in entries if path.is_dir() and path.name not in SPLITS]
    return Layout(folders, folder, *_judged(folder, folders, beside, "folder"))


def _tables(folder: Path, tables: Sequence[Path], by_split: dict[Split, list[Path]]) -> Layout:
    problems = [
        Problem(
            "data.path", f"{folder} holds more than one table for {split}: {listed([p.name for p in paths])}; keep one"
        )
        for split, paths in by_split.items()
        if len(paths) > 1
    ]
    found: dict[Split, Path] = {split: paths[0] for split, paths in by_split.items() if paths}
    beside = [path.name for path in tables if path.stem not in SPLITS]
    more, warnings = _judged(folder, found, beside, f"table ({', '.join(TABLES)})")
    return Layout(found, folder, (*problems, *more), warnings)


def _judged(
    folder: Path, found: dict[Split, Path], beside: Sequence[str], what: str
) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    """Return problems and warnings about what is missing and about what would be passed over."""
    if "train" not in found:
        there = f"; there is {listed(beside)}" if beside else ""
        return (Problem("data.path", f"{folder} holds no {what} named train{there}"),), ()
    mistaken = [name for name in beside if NEARLY.get(Path(name).stem.lower()) not in (None, *found)]
    problems = tuple(
        Problem(
            "data.path",
            f"{folder} holds {name}, but only train, val and test are read: "
            f"name it {NEARLY[Path(name).stem.lower()]}{Path(name).suffix}, or move it away",
        )
        for name in mistaken
    )
    ignored = [name for name in beside if name not in mistaken]
    return problems, (f"not read, beside train: {listed(ignored)}",) if ignored else ()


def check_static(data: DataConfig, modality: Modality | None) -> list[Problem]:
    """Return what is wrong with the places the data is said to lie at, without opening any file."""
    split_keys = [split for split in SPLITS if getattr(data, split) is not None]
    ways = [key for key in ("path", "source") if getattr(data, key) is not None] + split_keys[:1]
    if not ways:
        return [Problem("data", "names no samples; set path, or train (with val and test), or source")]
    if len(ways) > 1:
        keys = [key for key in (*SPLITS, "path", "source") if getattr(data, key) is not None]
        return [Problem("data", f"has {', '.join(keys)}; keep path, or train (with val and test), or source")]
    if data.source is not None:
        return _check_source(data.source) + _check_columns(data, "a function")
    if split_keys and "train" not in split_keys:
        return [Problem("data.train", f"is missing, but {' and '.join(split_keys)} is set; name the training data too")]
    layout = locate(data, modality)
    if layout.problems:
        return list(layout.problems)
    problems = [] if modality is None else _check_kind(data, layout, modality)
    return problems + (_check_columns(data, "a folder of images") if (modality or layout.kind) == "image" else [])


def _check_source(source: str) -> list[Problem]:
    if re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", source):
        return []
    return [Problem("data.source", f"must be module:function, such as digits_data:load, got {source!r}")]


def _check_columns(data: DataConfig, instead: str) -> list[Problem]:
    named = [name for name in COLUMNS if getattr(data, name) is not None]
    return [
        Problem(f"data.{name}", f"names a column of a table, but the data is {instead}; remove it") for name in named
    ]


def _check_kind(data: DataConfig, layout: Layout, modality: Modality) -> list[Problem]:
    problems = []
    for split, path in layout.paths.items():
        if modality == "image" and not path.is_dir():
            message = f"must be a folder of class folders, because the task reads images, got the file {path}"
            problems.append(Problem(place_of(data, split), message))
        if modality == "text" and (path.is_dir() or path.suffix.lower() not in TABLES):
            message = f"must be a table ({', '.join(TABLES)}), because the task reads texts, got {path}"
            problems.append(Problem(place_of(data, split), message))
    return problems


def infer_task(data: DataConfig) -> str | None:
    """Return the task where the data leaves no doubt: class folders of images, or a table; else None."""
    if data.source is not None or check_static(data, None):
        return None
    layout = locate(data, None)
    if layout.kind == "text":
        return "text-classification"
    folders = list(layout.paths.values())
    if (
        layout.kind == "image"
        and folders[0].is_dir()
        and not any(_has_train_table(path) for path in (layout.root, *folders))
    ):
        holds_images = any(is_image(file) for each in visible(folders[0]) if each.is_dir() for file in each.rglob("*"))
        return "image-classification" if holds_images else None
    return None


def _has_train_table(folder: Path) -> bool:
    return any((folder / f"train{ending}").is_file() for ending in TABLES)
