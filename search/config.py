"""The study file as data: every key, its type and its default. Reads no file and imports no torch.

The figures that come from the preset (``budget``, ``search.grace``, ``finalists``) have no default here:
`search.layering` fills them in.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spaces.check import read_domain
from spaces.domain import Domain
from spaces.errors import BadInput, Problem
from spaces.param import Space
from spaces.presets import PRESETS, Setting, build, widest
from trainables.config import DataConfig, Frozen

TaskName = Literal["image-classification", "text-classification"]
Modality = Literal["image", "text"]
MODALITY_OF_TASK: dict[str, Modality] = {"image-classification": "image", "text-classification": "text"}
UP_TO_DEPTH = ("space.unfrozen_depth", "space.window_start")  # at most as many as the network has blocks
SHORTHANDS = {"metric": "name", "space": "preset"}  # `metric: accuracy` means `metric: {name: accuracy}`


class MetricConfig(Frozen):
    """What is measured on validation and test, and which way is better."""

    name: Literal["accuracy", "macro_f1"] = "accuracy"
    mode: Literal["max", "min"] = "max"

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given


class SpaceConfig(BaseModel):
    """A preset, and the dimensions whose domain the user gives; those are the extra keys."""

    model_config = ConfigDict(extra="allow", frozen=True)

    preset: Literal["quick", "standard", "thorough"] = "standard"

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, given: Any) -> Any:
        return {"preset": given} if isinstance(given, str) else given

    @property
    def dimensions(self) -> dict[str, Any]:
        """The user's own domains by dimension, as written in the file."""
        return dict(self.model_extra or {})


class BudgetConfig(Frozen):
    """How many search trials train, and for how many epochs at most."""

    trials: int = Field(ge=1)
    epochs: int = Field(ge=1)
    hours: float | None = Field(default=None, gt=0)


class SearchConfig(Frozen):
    """How points are proposed and stopped early."""

    seed: int = Field(default=0, ge=0, lt=2**32)
    sampler: Literal["freezing_first", "tpe", "tpe_flat", "random"] = "freezing_first"
    scheduler: Literal["stratified", "asha", "none"] = "stratified"
    reduction: int = Field(default=3, ge=2)
    grace: int = Field(ge=1)


class FinalistsConfig(Frozen):
    """How many strategies are confirmed, over how many fresh seeds, and what counts as a tie.

    With ``resplit`` every fresh seed deals train and validation anew; test stays.
    """

    count: int = Field(ge=1)
    seeds: int = Field(ge=1)
    margin: float = Field(default=0.01, ge=0, lt=1)
    resplit: bool = False


class ResourcesConfig(Frozen):
    """What one worker may use, how many trials run at once, how many workers train each, how many machines to count on.

    A machine counts where it is up; ``nodes`` names their number where some are yet to come.
    """

    gpus_per_trial: Literal["auto"] | Annotated[float, Field(ge=0)] = "auto"
    cpus_per_trial: float = Field(default=1, gt=0)
    concurrent: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    workers_per_trial: int = Field(default=1, ge=1)
    nodes: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"


class StorageConfig(Frozen):
    """Where run folders are made, and what Optuna writes to."""

    runs: str = "runs"
    study: str = "journal"


class StudyConfig(Frozen):
    """Everything a study file says. Paths are absolute here.

    ``optimizer`` is fixed per study, not searched: it sets the range of ``head_lr``.
    ``gradient_checkpointing`` trades time for memory and leaves what is computed as it is. ``activations`` is how what
    frozen blocks computed is stored: exactly, or in half the bytes.
    """

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)
    task: TaskName
    metric: MetricConfig = MetricConfig()
    model: str
    weights: str = "default"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    optimizer: Literal["adamw", "sgd"] = "adamw"
    gradient_checkpointing: bool = False
    activations: Literal["exact", "half"] = "exact"
    data: DataConfig
    class_weights: Literal["none", "balanced"] = "none"
    space: SpaceConfig = SpaceConfig()
    budget: BudgetConfig
    search: SearchConfig
    finalists: FinalistsConfig
    resources: ResourcesConfig = ResourcesConfig()
    storage: StorageConfig = StorageConfig()
    tracking: tuple[str, ...] = ()

    @property
    def modality(self) -> Modality:
        """The kind of data the task reads: image or text."""
        return MODALITY_OF_TASK[self.task]


def preset_values(preset: str) -> dict[str, dict[str, int]]:
    """Return the keys that ``preset`` sets when the study file leaves them out."""
    row = PRESETS[preset]
    return {
        "budget": {"trials": row.trials, "epochs": row.epochs},
        "search": {"grace": row.grace},
        "finalists": {"count": row.finalists, "seeds": row.seeds},
    }


def study_space(config: StudyConfig, blocks: int) -> Space:
    """Return the space of the study on a network of ``blocks`` blocks.

    Raises:
        BadInput: a domain of the study file does not fit such a network.
    """
    setting = Setting(config.modality, config.optimizer, blocks)
    domains, problems = read_domains(config.space.dimensions, setting)
    if problems:
        has = f"{config.model} has {blocks} blocks: thawline blocks {config.model}"
        raise BadInput(
            replace(each, message=f"{each.message}; {has}") if each.place in UP_TO_DEPTH else each for each in problems
        )
    return build(config.space.preset, setting, domains)


def read_domains(given: dict[str, Any], setting: Setting) -> tuple[dict[str, Domain], list[Problem]]:
    """Read the user's domains of known dimensions; return those that are fine, and what is wrong with the rest."""
    domains: dict[str, Domain] = {}
    problems: list[Problem] = []
    for name, default in widest(setting).items():
        if name in given:
            read = read_domain(name, given[name], default)
            if isinstance(read, list):
                problems += read
            else:
                domains[name] = read
    return domains, problems


def with_absolute_paths(config: StudyConfig, folder: Path) -> StudyConfig:
    """Return ``config`` with every path taken from ``folder``, where the study file lies."""
    named = {key: getattr(config.data, key) for key in ("path", "train", "val", "test")}
    data = config.data.model_copy(update={k: absolute(path, folder) for k, path in named.items() if path is not None})
    weights = config.weights if config.weights in ("default", "none") else absolute(config.weights, folder)
    runs = config.storage.runs if "://" in config.storage.runs else absolute(config.storage.runs, folder)
    changes = {
        "data": data,
        "weights": weights,
        "model": model_with_absolute_path(config.model, folder),
        "storage": config.storage.model_copy(update={"runs": runs}),
    }
    return config.model_copy(update=changes)


def model_with_absolute_path(model: str, folder: Path) -> str:
    """Return ``model`` with its folder made absolute where it names one."""
    form, _, name = model.partition(":")
    if form == "transformers" and name and os.path.isdir(found := absolute(name, folder)):
        return f"transformers:{found}"
    return model


def absolute(path: str, folder: Path) -> str:
    """Return ``path`` as seen from ``folder``.

    Raises:
        BadInput: it lies in the home of a user that is not known here.
    """
    try:
        return os.path.abspath(folder / Path(path).expanduser())
    except RuntimeError:
        raise BadInput.at(path, "begins with the home of a user that is not known here; write the whole path") from None
