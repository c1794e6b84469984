"""What the epochs of a phase call for their logits: the whole network, or its rest from the activation cache.

Refused, not worth it, no room, different: the whole network then, and the trial's row says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from trainables.activations import folder, worth
from trainables.activations.files import Kept, Unavailable
from trainables.activations.key import key, structure, weights
from trainables.activations.nearness import near
from trainables.activations.record import Recipe, fill, forms_of, width
from trainables.activations.replay import Rest, difference, rows_to_check
from trainables.activations.store import Store
from trainables.config import Split
from trainables.data.loaders import batches
from trainables.data.views import View
from trainables.devices import autocast, spare_memory
from trainables.evaluate import Logits, whole
from trainables.finetuning.plan import Phase, frozen_prefix
from trainables.network.boundary import Refused, plan_boundary
from trainables.network.calls import evaluating
from trainables.network.recording import Boundary, Stored, finish, record, replay, tail
from trainables.run import Part, Run

State = Literal["hit", "built", "off"]


@dataclass(frozen=True)
class Caching:
    """What a trial's row says: the first block that runs at first, whether what lies before was read, why (not)."""

    boundary: int
    cache: State
    cache_reason: str


@dataclass(frozen=True)
class Source:
    """Where the logits of a phase come from."""

    logits: Logits
    caching: Caching


def source(
    run: Run,
    phase: Phase,
    epochs: int,
    splits: Sequence[Split] = ("train", "val"),
    view: View | None = None,
) -> Source:
    """Return where the logits of ``splits`` come from in a phase; everything is frozen already.

    They are read in so many epochs, in which training images are seen in ``view``. Draws no random number that the
    training would draw.
    """
    index = frozen_prefix(run.blocks, phase)
    devices = [run.device] if run.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            parts = {split: run.part(split, view if split == "train" else None) for split in splits}
            rest, state, reason = _rest(run, index, epochs, parts)
        except Unavailable as refusal:
            return Source(whole(run, view), Caching(index, "off", str(refusal)))
        except OSError as error:
            reason = f"the cache cannot be used: {error.strerror or error}"
            return Source(whole(run, view), Caching(index, "off", reason))
        except RuntimeError as error:  # whatever a network makes of a batch that it was not planned with
            reason = f"the network fails without its first part: {(str(error) or 'no message').splitlines()[0]}"
            return Source(whole(run, view), Caching(index, "off", reason))
    return Source(rest, Caching(index, state, reason))


def together(begins: int, sources: Sequence[tuple[int, Caching]]) -> Caching:
    """Return what a trial's row says of its sources so far, each with its first epoch (from 1).

    ``begins`` is the boundary of its first epoch, also where it was interrupted and this session began later. The
    views of a phase are one to it, unless one of them is not read.
    """
    told = list(sources[:1])
    for epoch, caching in sources[1:]:
        start, last = told[-1]
        if (caching.boundary, caching.cache_reason) != (last.boundary, last.cache_reason):
            told.append((epoch, caching))
        elif "built" in (caching.cache, last.cache):
            told[-1] = start, replace(last, cache="built")
    first = told[0][1]
    if len(told) == 1 and first.boundary == begins:
        return first
    states = {caching.cache for _, caching in told}
    state: State = "built" if "built" in states else "hit" if "hit" in states else "off"
    return Caching(begins, state, "; ".join(f"from epoch {epoch} on {_said(each)}" for epoch, each in told))


def _said(caching: Caching) -> str:
    return f"{caching.cache} at block {caching.boundary} ({caching.cache_reason})"


def _rest(run: Run, index: int, epochs: int, parts: dict[Split, Part]) -> tuple[Rest, State, str]:
    place = folder.location()
    if place is None:
        raise Unavailable(f"{folder.SWITCH} is off")
    if index == 0:
        raise Unavailable("the network trains from its first layers on")
    if "train" in parts and run.config.data.augment != "none" and run.config.data.augment_views == "fresh":
        raise Unavailable("data.augment_views is fresh: no image is seen twice")
    shape = structure(run)
    recipe = recipe_of(run, index, shape)
    use = _use(run, recipe, epochs, parts)
    verdict = worth.judge(use, run.device, torch.get_num_threads())
    if not verdict.pays:
        raise Unavailable(verdict.reason)
    store = Store(place, folder.budget(place))
    values = weights(run.network, run.blocks[:index])
    kept: dict[Split, Kept] = {}
    built = False
    for split, part in parts.items():
        share = len(part.labels) / use.samples
        about = {
            "network": run.config.model,
            "block": run.blocks[index].name,
            "boundary": index,
            "split": split,
            "samples": len(part.labels),
        }
        found, new = store.open_or_build(
            key(run, recipe.boundary, split, part, shape=shape, values=values),
            int(use.bytes * len(part.labels)),
            share * verdict.seconds,
            lambda place, split=split, part=part, about=about: fill(run, recipe, split, part, about, place),  # type: ignore[misc]
        )
        kept[split] = near(found, run.device, spare_memory(run.device))
        built |= new
    rest = Rest(run, recipe.boundary, kept, parts, recipe.tail)
    _check(run, rest, next(iter(parts)))
    return rest, "built" if built else "hit", verdict.reason


def _check(run: Run, rest: Rest, split: Split) -> None:
    """Hold the first batch of the trial against the whole network."""
    part = rest.parts[split]
    size, lengths = run.strategy.batch_size, part.inputs.lengths
    first = next(iter(batches(len(part.labels), size, seed=run.config.seed, epoch=1, lengths=lengths)))
    if wrong := difference(rest, split, rows_to_check(part, first)):
        raise Unavailable(wrong)


def _use(run: Run, recipe: Recipe, epochs: int, parts: dict[Split, Part]) -> worth.Use:
    samples = sum(len(part.labels) for part in parts.values())
    lengths = [part.inputs.lengths for part in parts.values()]
    positions = sum(float(each.sum()) for each in lengths if each is not None) / samples if recipe.varies else 1.0
    before = {name for block in run.blocks[: recipe.boundary.index] for name in (*block.parameters, *block.buffers)}
    return worth.Use(
        operations=recipe.operations * positions,
        total=recipe.total * positions,
        bytes=recipe.bytes(positions),
        samples=samples,
        batch_size=run.strategy.batch_size,
        epochs=epochs,
        # What the trial's seed drew, no other has.
        shared=run.config.weights != "none" and before.isdisjoint(run.plan.reinit),
    )


_RECIPES: dict[tuple[str | int | None, ...], Recipe | str] = {}


def recipe_of(run: Run, index: int, shape: str) -> Recipe:
    """Return what is to be recorded before block ``index``; planned once per process for a `structure` and image size.

    Raises:
        Unavailable: the network cannot start at this block.
    """
    config = run.config
    known = (shape, index, config.data.image_size, config.precision, run.device.type, config.activations)
    if known not in _RECIPES:
        try:
            _RECIPES[known] = _planned(run, index)
        except Unavailable as refusal:
            _RECIPES[known] = str(refusal)
    found = _RECIPES[known]
    if isinstance(found, str):
        raise Unavailable(found)
    return found


def _planned(run: Run, index: int) -> Recipe:
    network, forward = run.network, run.task.forward
    one, other = (_moved(probe, run.device) for probe in run.task.probes(run.model))
    with autocast(run.config.precision, run.device), evaluating(network):
        boundary = plan_boundary(network, run.blocks, index, forward, (one, other))
        if isinstance(boundary, Refused):
            raise Unavailable(f"refused: {boundary.reason}")
        records = record(network, boundary, forward, one), record(network, boundary, forward, other)
        end = tail(network, boundary, forward, one)
        end = end if end and _holds_in_training(run, boundary, end, one, records[0]) else ()
        with torch.no_grad():
            before = worth.operations(network, lambda: record(network, boundary, forward, one))
            total = worth.operations(network, lambda: forward(network, one))
    length = width(one)
    positions = len(next(iter(records[0].values()))) * (length or 1)
    forms = forms_of(boundary, records, (one, other), half=run.config.activations == "half")
    return Recipe(boundary, forms, before / positions, total / positions, varies=length is not None, tail=end)


@torch.no_grad()
def _holds_in_training(run: Run, boundary: Boundary, names: Sequence[str], batch: Any, stored: Stored) -> bool:
    """Tell whether a tail, found in eval mode, gives what the forward gives in training too.

    A dropout that is no module shows only there. The caller gives the modules their modes back.
    """
    if any(list(run.network.get_submodule(name).buffers()) for name in names):  # statistics that this would update
        return False
    run.network.train()
    (leaf,) = boundary.stored
    with torch.random.fork_rng([run.device] if run.device.type == "cuda" else []):
        torch.manual_seed(0)
        whole = replay(run.network, boundary, run.task.forward, batch, {leaf.key: stored[leaf.key].clone()})
        torch.manual_seed(0)
        short = finish(run.network, names, stored[leaf.key].clone().movedim(0, leaf.axis))
    run.network.eval()
    return torch.equal(whole, short)


def _moved(batch: Any, device: torch.device) -> Any:
    return {name: tensor.to(device) for name, tensor in batch.items()} if isinstance(batch, dict) else batch.to(device)
