"""What a study needs to know once it was checked: configuration, network's block count, space, controls."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from search.clock import Clock
from search.config import StudyConfig, study_space
from search.layering import Resolved
from search.mirror import Mirror, checkpoints
from search.model_names import PREFIXES
from search.progress import Progress
from search.proposals import fresh_seed
from search.rungs import Rungs
from spaces.check import check_space
from spaces.controls import controls
from spaces.errors import BadInput, Problem
from spaces.param import Space
from spaces.presets import Setting, defaults, longest_probe
from spaces.strategy import Strategy
from trainables.config import TrialConfig
from trainables.data.source import Dataset
from trainables.remote import Place

COMPUTING = ("thawline", "torch", "torchvision", "transformers", "ray", "optuna", "numpy")


@dataclass(frozen=True)
class Checked:
    """A study whose data and network were looked at, and found usable."""

    resolved: Resolved
    template: TrialConfig
    dataset: Dataset
    blocks: int
    space: Space
    dropped: tuple[str, ...]  # pretrained tensors the task's head replaced


@dataclass(frozen=True)
class Setup:
    """A study about to run."""

    config: StudyConfig
    template: TrialConfig
    space: Space
    controls: Mapping[str, Strategy]
    run_dir: Path
    progress: Progress
    clock: Clock = field(default_factory=Clock)
    mirror: Mirror | None = None  # where the run folder is a second time, and its checkpoints

    def checkpoints(self, label: str) -> Place:
        """Return where a trial's checkpoints lie."""
        return checkpoints(self.run_dir, self.mirror, label)


def template(resolved: Resolved) -> TrialConfig:
    """Return what all trials of a study share; strategy and seed are each trial's own."""
    config = resolved.config
    return TrialConfig(
        task=config.task,
        metric=config.metric.name,
        mode=config.metric.mode,
        model=config.model,
        weights=config.weights,
        precision=config.precision,
        data=config.data,
        class_weights=config.class_weights,
        optimizer=config.optimizer,
        gradient_checkpointing=config.gradient_checkpointing,
        activations=config.activations,
        epochs=config.budget.epochs,
        strategy={},
        seed=config.search.seed,
        code_path=str(resolved.folder),
    )


def check(resolved: Resolved) -> Checked:
    """Read the data and build the network once, before anything is written.

    Raises:
        BadInput: every problem of the data, the weights, the blocks and the space.
    """
    from trainables.data.source import load
    from trainables.network.blocks import depth
    from trainables.run import blocks_of, network
    from trainables.tasks.catalogue import TASKS

    shared = template(resolved)
    problems: list[Problem] = []
    data = None
    try:
        data = load(shared.data, TASKS[shared.task].modality, shared.code_path)
        problems += check_resplit(resolved.config, data)
    except BadInput as error:
        problems += error.problems
    try:
        model = network(shared, weights=shared.weights, classes=len(data.classes) if data else 2)
        blocks = depth(blocks_of(model, TASKS[shared.task]))
        space = study_space(resolved.config, blocks)
        problems += check_space(space)
    except BadInput as error:
        problems += error.problems
    if problems or data is None:
        raise resolved.placed(BadInput(problems))
    return Checked(resolved, shared, data, blocks, space, model.dropped)


def check_resplit(config: StudyConfig, data: Dataset) -> list[Problem]:
    """Return what is wrong with the splits of the fresh seeds: each needs every class, in train as in val."""
    if not config.finalists.resplit:
        return []
    from trainables.data.split import redivide

    for number in range(config.finalists.seeds):
        seed = fresh_seed(config.search.seed, number)
        dealt = redivide(data, seed)
        for split in ("train", "val"):
            lacking = set(getattr(data, split).labels) - set(getattr(dealt, split).labels)
            if lacking:
                name = data.classes[min(lacking)]
                message = (
                    f"seed {seed} would leave {split} without a sample of class {name}: its samples come in too few"
                )
                return [Problem("finalists.resplit", f"{message} groups or duplicates; use false")]
    return []


def control_strategies(config: StudyConfig, blocks: int) -> dict[str, Strategy]:
    """Return the controls for this network, in canonical form."""
    setting = Setting(config.modality, config.optimizer, blocks)
    return {name: strategy.canonical(blocks) for name, strategy in controls(defaults(setting)).items()}


def names_functions(config: StudyConfig) -> bool:
    """Tell whether the study names functions of the user's own, found beside the study file."""
    kind, _, _ = config.model.partition(":")
    return config.data.source is not None or kind not in PREFIXES


def versions() -> dict[str, str]:
    """Return what the study runs on: Python, the packages that decide what a trial computes, the machine."""
    packages = {name: _version(name) for name in COMPUTING}
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    return {"python": platform.python_version(), **packages, "machine": machine, "environment": _environment()}


def _environment() -> str:
    """Return the number of packages that are installed, and a hash over their versions: equal where all are equal."""
    names = sorted({f"{each.name.lower()}=={each.version}" for each in distributions() if each.name})
    return f"{len(names)} packages, hash {hashlib.sha256(chr(10).join(names).encode()).hexdigest()[:12]}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def rungs_of(config: StudyConfig, space: Space) -> Rungs:
    """Return the study's rungs, still empty; for Ray's ASHA those it has in every stratum."""
    wait = longest_probe(space, config.budget.epochs) if config.search.scheduler == "stratified" else 0
    return Rungs(config.budget.epochs, config.search.grace, config.search.reduction, config.metric.mode, wait)
