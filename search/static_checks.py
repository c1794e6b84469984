"""What can be said of a study before torch is imported: reserved keys, names, files, ranges of the space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from search.config import Modality, StudyConfig, read_domains
from search.model_names import MODALITY_OF_FORM, form_of, function_complaint, model_complaint
from search.passwords import holds_password, without_password
from spaces.check import check_space, did_you_mean
from spaces.errors import Problem
from spaces.presets import DIMENSION_NAMES, Setting, build
from trainables.config import DataConfig

# The network's own block count is known only once it is built; until then any depth may be right.
MANY_BLOCKS = 10_000
WEIGHT_SUFFIXES = (".safetensors", ".pth")


@dataclass(frozen=True)
class Reserved:
    """A key of the contract that nothing reads yet: refused, lest it be silently ignored."""

    key: str
    asked: Callable[[StudyConfig], bool]
    sentence: str


RESERVED = (Reserved("tracking", lambda c: bool(c.tracking), "is reserved and not built yet; leave the list empty"),)


def check_values(config: StudyConfig, modality: Modality | None) -> list[Problem]:
    """Return what is wrong with the values themselves; ``modality`` is None where the task is not known."""
    reserved = [Problem(row.key, row.sentence) for row in RESERVED if row.asked(config)]
    matched = [*_check_modality(config, modality), *_check_views(config, modality)] if modality else []
    kept = [*_check_storage(config), *_check_gpus(config)]
    return reserved + matched + kept + _check_metric(config) + _check_space(config, modality or "text")


def check_files(config: StudyConfig, folder: Path) -> list[Problem]:
    """Return which files and modules that ``config`` names, as seen from ``folder``, do not exist."""
    complaints = {"model": model_complaint(config.model, folder), "weights": _weights_complaint(config.weights)}
    if config.data.source is not None:
        complaints["data.source"] = function_complaint(config.data.source, folder)
    return [Problem(key, message) for key, message in complaints.items() if message]


def _weights_complaint(weights: str) -> str | None:
    if weights in ("default", "none"):
        return None
    if not weights.endswith(WEIGHT_SUFFIXES):
        return f"must be default, none or a {' or '.join(WEIGHT_SUFFIXES)} file, got {weights!r}"
    return None if Path(weights).is_file() else f"no such file: {weights}"


def _check_modality(config: StudyConfig, modality: Modality) -> list[Problem]:
    takes = MODALITY_OF_FORM.get(form_of(config.model), modality)
    if takes == modality:
        return []
    return [Problem("model", f"{config.model} takes {takes} data, the task needs a network for {modality} data")]


def _check_views(config: StudyConfig, modality: Modality) -> list[Problem]:
    """Refuse what would silently do nothing."""
    if config.data.augment != "none":
        if modality == "image":
            return []
        return [
            Problem("data.augment", f"must be none for {modality} data, got {config.data.augment}: it is for images")
        ]
    if config.data.augment_views == DataConfig.model_fields["augment_views"].default:
        return []
    message = "has no effect without augmentation; set data.augment to crop or flip_crop, or leave it out"
    return [Problem("data.augment_views", message)]


def _check_storage(config: StudyConfig) -> list[Problem]:
    """Check what is said of the two places; a password in either would be copied with every run."""
    problems = []
    study = urlsplit(config.storage.study)
    if config.storage.study != "journal" and study.scheme.partition("+")[0] not in ("postgresql", "postgres"):
        message = f"must be journal or postgresql://USER@HOST/DATABASE, got {without_password(config.storage.study)}"
        problems.append(Problem("storage.study", message))
    for key in ("study", "runs"):
        if holds_password(getattr(config.storage, key)):
            out = (
                "~/.pgpass or PGPASSWORD" if key == "study" else "the environment, as the file system's client reads it"
            )
            message = f"holds a password, which would be copied with every run; leave it out, it is taken from {out}"
            problems.append(Problem(f"storage.{key}", message))
    return problems


def _check_gpus(config: StudyConfig) -> list[Problem]:
    """Refuse parts of several GPUs, which Ray does not give, and several workers on one: NCCL does not connect them."""
    workers, gpus = config.resources.workers_per_trial, config.resources.gpus_per_trial
    if gpus == "auto" or gpus == int(gpus) or (workers == 1 and gpus < 1):
        return []
    if workers == 1:
        message = f"must be a fraction below 1, a whole number or auto, got {gpus:g}: several GPUs are given whole"
        return [Problem("resources.gpus_per_trial", message)]
    message = f"must be a whole number where workers_per_trial is {workers}, got {gpus:g}: each worker needs a GPU"
    return [Problem("resources.gpus_per_trial", f"{message} of its own; use 1, 0 or auto, or workers_per_trial: 1")]


def _check_metric(config: StudyConfig) -> list[Problem]:
    if config.metric.mode == "max":
        return []
    return [Problem("metric.mode", f"must be max: {config.metric.name} is better when it is higher")]


def _check_space(config: StudyConfig, modality: Modality) -> list[Problem]:
    given = config.space.dimensions
    unknown = [
        Problem(
            f"space.{name}",
            f"unknown dimension{did_you_mean(name, DIMENSION_NAMES)}; known: {', '.join(DIMENSION_NAMES)}",
        )
        for name in given
        if name not in DIMENSION_NAMES
    ]
    setting = Setting(modality, config.optimizer, MANY_BLOCKS)
    domains, problems = read_domains(given, setting)
    seen = {problem.place for problem in problems}
    whole = check_space(build(config.space.preset, setting, domains))
    return unknown + problems + [problem for problem in whole if problem.place not in seen]
