"""TrialConfig → everything built: data, network, blocks, plan, optimiser. A trial without Ray starts here.

Example: ``list(train(build(config)))``.
"""

from __future__ import annotations

import socket
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import torch
from torch import nn
from torch.optim import Optimizer

from spaces.errors import BadInput
from spaces.strategy import Strategy, from_point
from trainables.config import DataConfig, Split, TrialConfig
from trainables.data.source import Dataset, Examples, Modality, load
from trainables.data.split import redivide
from trainables.data.views import View
from trainables.finetuning import apply
from trainables.finetuning.apply import Anchor
from trainables.finetuning.plan import Names, Plan, plan
from trainables.models import catalogue
from trainables.models.model import Model
from trainables.network import declared
from trainables.network.blocks import Block, cut, depth
from trainables.network.call_order import call_order
from trainables.pretrained import Start, stamps, started
from trainables.seeds import seed_everything
from trainables.tasks.catalogue import TASKS
from trainables.tasks.task import Inputs, Task
from trainables.team import ALONE, Team


@dataclass(frozen=True)
class Part:
    """One split, ready for the loop."""

    inputs: Inputs
    labels: torch.Tensor  # int64, shape (n,), on the CPU
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One trial, built and not yet begun."""

    config: TrialConfig
    task: Task
    model: Model
    blocks: tuple[Block, ...]
    strategy: Strategy  # canonical
    plan: Plan
    optimizer: Optimizer
    anchor: Anchor
    dataset: Dataset
    device: torch.device
    loss: nn.CrossEntropyLoss
    team: Team = ALONE  # whose worker this is

    @property
    def network(self) -> nn.Module:
        """The network, its plan applied."""
        return self.model.network

    def part(self, split: Split, view: View | None = None) -> Part:
        """Return a split's inputs, in a view or as they are, and labels; decoded or tokenised once per process."""
        examples = cast(Examples, getattr(self.dataset, split))
        key = (self.config.data, self.config.model, self.config.code_path, split)
        if key not in _PREPARED or _PREPARED[key].ids != examples.ids:  # dealt anew since, by another seed
            inputs = self.task.inputs(examples, self.model, self.config.data)
            _PREPARED[key] = Part(inputs, torch.tensor(examples.labels, dtype=torch.int64), examples.ids)
        part = _PREPARED[key]
        if view is None:
            return part
        assert self.task.viewed is not None, "the study file was checked: the task has views"
        return replace(part, inputs=self.task.viewed(part.inputs, view))

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the trial's row says of it beside scores."""
        total = sum(block.count for block in self.blocks)
        ever = set(self.plan.trainable)
        trainable = sum(p.numel() for name, p in self.network.named_parameters() if name in ever)
        return {
            "trainable_params": trainable,
            "total_params": total,
            "host": socket.gethostname(),
            "threads": torch.get_num_threads(),
        }


_PREPARED: dict[tuple[DataConfig, str, str | None, str], Part] = {}


@lru_cache(maxsize=1)
def dataset(data: DataConfig, modality: Modality, code_path: str | None) -> Dataset:
    """Return the study's data, read once per process; `search.setup` verified every image before."""
    return load(data, modality, code_path, verify=False)


@lru_cache(maxsize=1)
def _redivided(data: DataConfig, modality: Modality, code_path: str | None, seed: int) -> Dataset:
    return redivide(dataset(data, modality, code_path), seed)


def dataset_of(config: TrialConfig) -> Dataset:
    """Return the study's data as a trial has it: train and val dealt anew where its configuration says so."""
    given = (config.data, TASKS[config.task].modality, config.code_path)
    return _redivided(*given, config.seed) if config.resplit else dataset(*given)


def network(config: TrialConfig, *, weights: str, classes: int) -> Model:
    """Build the network of ``config`` with ``weights`` in place of the configured ones."""
    return catalogue.build(
        config.model,
        weights=weights,
        modality=TASKS[config.task].modality,
        classes=classes,
        image_size=config.data.image_size,
        code_path=config.code_path,
    )


def blocks_of(model: Model, task: Task) -> tuple[Block, ...]:
    """Cut the model's network into blocks, in the order of its forward call.

    Raises:
        BadInput: there is no block between the first layer and the head, or the declared ones do not fit.
    """
    order = call_order(model.network, lambda net: task.forward(net, task.sample(model)))
    if model.blocks:
        return declared.cut(model.network, model.head, order, model.blocks)
    blocks = cut(model.network, model.head, order)
    if depth(blocks) == 0:
        message = "has a single layer before its head, so there is no depth to search"
        raise BadInput.at("model", f"{message}; choose a network of two layers or more before the last")
    return blocks


def _start(config: TrialConfig, classes: int) -> Start:
    model = network(config, weights=config.weights, classes=classes)
    return Start(model, blocks_of(model, TASKS[config.task]))


def _what_decides(config: TrialConfig, classes: int) -> Hashable | None:
    """Return all that decides the network of a trial, values included; None where that cannot be known."""
    files = catalogue.files(config.model, config.weights)
    if files is None:
        return None
    return config.task, config.model, config.weights, config.data.image_size, classes, config.seed, stamps(files)


def names_of(network: nn.Module) -> Names:
    """Return the names a plan is made from; call it before anything is frozen."""
    parameters = dict(network.named_parameters())
    norms = [name for name, module in network.named_modules() if "Norm" in type(module).__name__]
    return Names(
        modules=tuple(name for name, _ in network.named_modules()),
        vectors=frozenset(name for name, parameter in parameters.items() if parameter.dim() < 2),
        norms=frozenset(name for name in parameters if name.rpartition(".")[0] in norms),
        never=frozenset(name for name, parameter in parameters.items() if not parameter.requires_grad),
    )


def build(config: TrialConfig, device: torch.device | None = None, team: Team = ALONE) -> Run:
    """Build everything one trial needs; seeds are set before construction and again after it.

    The second time makes the training's random numbers independent of how much construction drew. All workers of a
    ``team`` start from its leader's weights, also where a function of the user's own draws them as it likes.
    """
    device = device or torch.device("cpu")
    task = TASKS[config.task]
    data = dataset_of(config)
    seed_everything(config.seed)
    start = started(_what_decides(config, len(data.classes)), lambda: _start(config, len(data.classes)))
    model, blocks = start.model, start.blocks
    strategy = from_point(config.strategy).canonical(depth(blocks))
    planned = plan(strategy, blocks, names_of(model.network), epochs=config.epochs)
    if planned.reinit:
        apply.reinitialise(
            model.network,
            planned.reinit,
            lambda: network(config, weights="none", classes=len(data.classes)).network,
        )
    if config.gradient_checkpointing:
        ever = set(planned.trainable)
        trained = [block.name for block in blocks if block.kind == "block" and ever.intersection(block.parameters)]
        apply.checkpoint_gradients(model.network, trained)
    apply.freeze(model.network, planned.phase(0))
    model.network.to(device)
    team.share([*model.network.parameters(), *model.network.buffers()])
    seed_everything(config.seed)
    return Run(
        config=config,
        task=task,
        model=model,
        blocks=blocks,
        strategy=strategy,
        plan=planned,
        optimizer=apply.optimizer(model.network, planned, config.optimizer),
        anchor=apply.anchor(model.network, planned, strategy.l2_sp),
        dataset=data,
        device=device,
        loss=_loss(config, data, strategy.label_smoothing, device),
        team=team,
    )


def _loss(config: TrialConfig, data: Dataset, smoothing: float, device: torch.device) -> nn.CrossEntropyLoss:
    if config.class_weights == "none":
        return nn.CrossEntropyLoss(label_smoothing=smoothing)
    counts = torch.bincount(torch.tensor(data.train.labels), minlength=len(data.classes))
    weights = (counts.sum() / (len(counts) * counts)).to(device)
    return nn.CrossEntropyLoss(weight=weights, label_smoothing=smoothing)
