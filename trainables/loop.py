"""The training loop: a generator of Epoch records. No callbacks, no Ray; the caller decides what to do with them."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainables import micro_batch
from trainables.activations.prefix import Caching, Source, source, together
from trainables.data.loaders import batch_count, batches
from trainables.data.views import View, view_of
from trainables.devices import autocast, has_own_memory
from trainables.evaluate import Logits, evaluate
from trainables.finetuning.apply import freeze
from trainables.finetuning.certificate import certificate
from trainables.finetuning.plan import Phase, frozen_prefix
from trainables.network.blocks import depth
from trainables.run import Part, Run
from trainables.seeds import seed_everything
from trainables.team import Team

WARM_UP = 0.1  # of all steps
CLIP = 1.0  # gradient norm


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. ``failure`` says why the trial cannot go on, and ends it."""

    epoch: int  # from 1
    train_loss: float
    val_loss: float
    score: float
    seconds: float
    cost: float  # forward passes of the whole network, see `cost`
    certificate: str | None  # of the trial so far: ok, broken, none where nothing was frozen; None where not proven now
    caching: Caching
    micro_batch: int | None = None  # samples at once, where it was found by the device's memory
    failure: str | None = None
    predictions: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)  # on validation


def train(run: Run, *, after: int = 0, ends: Collection[int] | None = None) -> Iterator[Epoch]:
    """Train for the configured epochs and yield each one's record.

    ``ends`` are the epochs after which the caller may stop, None for any of them: there, after the
    last one, before something thaws, and where a trial fails it is proven that frozen stayed frozen.

    The same for every trial: 10 % warm-up, then cosine to 0 over all epochs whether or not the
    caller stops earlier; gradient norm clipped at 1. A run whose progress was loaded goes on
    ``after`` the epochs it has behind it. Where the device has a memory of its own, each phase
    divides its batches until a step fits.
    """
    part = run.part("train")
    per_epoch = batch_count(len(part.labels), run.strategy.batch_size)
    before: str | None = None
    entered: Phase | None = None
    sources: dict[View | None, Source] = {}  # of the phase, by the view that an epoch shows
    told: list[tuple[int, Caching]] = []
    begins = frozen_prefix(run.blocks, run.plan.phase(0))
    for epoch in range(after + 1, run.config.epochs + 1):
        started = time.perf_counter()
        phase = run.plan.phase(epoch - 1)
        if phase is not entered:
            freeze(run.network, phase)
            before, entered, sources = certificate(run.network, phase), phase, {}
            at_once: int | None = None
        view = view_of(run.config.data, seed=run.config.seed, epoch=epoch)
        if view not in sources:
            sources[view] = source(run, phase, _epochs_of(run, phase), view=view)
            told.append((epoch, _told(run.team, sources[view].caching)))
        here = sources[view]
        if at_once is None and has_own_memory(run.device):
            run = micro_batch.divided(run, here.logits)
            at_once = micro_batch.samples_at_once(run)
        if run.team.size > 1:  # what each worker drew before depends on its share
            seed_everything(run.team.seed(run.config.seed, epoch))
        run.network.train()
        losses: list[float] = []
        for step, rows in enumerate(_batches(run, part, epoch), start=(epoch - 1) * per_epoch):
            _set_rates(run, step, per_epoch)
            losses.append(_train_step(run, part, rows, here.logits))
            if not math.isfinite(losses[-1]):
                break
        run.team.average(_statistics(run, phase))
        due = ends is None or epoch in ends or epoch == _end(run, phase)
        record = _record(run, epoch, losses, before, started, here.logits, together(begins, told), due=due)
        yield replace(record, micro_batch=at_once)
        if record.failure:
            return


def schedule(step: int, steps: int) -> float:
    """Return the multiplier that all groups share at ``step`` of ``steps``: linear warm-up, then cosine to 0."""
    warm = max(1, math.ceil(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def rise(step: int, start: int, steps: int) -> float:
    """Return the further multiplier of a group that thaws at step ``start`` > 0: a short linear warm-up of its own."""
    if start == 0:
        return 1.0
    return min(1.0, max(0, step - start + 1) / max(1, math.ceil(WARM_UP * (steps - start))))


def cost(run: Run, epoch: int) -> float:
    """Return an epoch's work in forward passes of the whole network through one sample.

    Counted by blocks: 1 forward, and 2 backward for the share of blocks that trains; validation is
    one forward. Deterministic, so that two runs of a study agree on it.
    """
    frozen = set(run.plan.phase(epoch - 1).frozen)
    trained = sum(1 for block in run.blocks[:-1] if not set(block.parameters) <= frozen)
    share = trained / (depth(run.blocks) + 1)
    return len(run.dataset.train) * (1 + 2 * share) + len(run.dataset.val)


def _batches(run: Run, part: Part, epoch: int) -> list[torch.Tensor]:
    size, lengths = run.strategy.batch_size, part.inputs.lengths
    return list(batches(len(part.labels), size, seed=run.config.seed, epoch=epoch, lengths=lengths))


def _set_rates(run: Run, step: int, per_epoch: int) -> None:
    steps = run.config.epochs * per_epoch
    for group in run.optimizer.param_groups:
        group["lr"] = group["peak_lr"] * schedule(step, steps) * rise(step, group["start"] * per_epoch, steps)


def _epochs_of(run: Run, phase: Phase) -> int:
    """Return in how many epochs of a phase what is recorded would be read; each shows one view."""
    data = run.config.data
    views = data.augment_views if data.augment != "none" and isinstance(data.augment_views, int) else 1
    return math.ceil((_end(run, phase) - phase.start) / views)


def _end(run: Run, phase: Phase) -> int:
    """Return the last epoch of a phase, from 1."""
    return min((each.start for each in run.plan.phases if each.start > phase.start), default=run.config.epochs)


def _train_step(run: Run, part: Part, rows: torch.Tensor, logits: Logits) -> float:
    run.optimizer.zero_grad(set_to_none=True)
    whole = 0.0
    for rows_of_part, share in run.team.own(parts(run, part.labels, rows)):
        with autocast(run.config.precision, run.device):
            found = logits("train", rows_of_part)
            loss: torch.Tensor = share * run.loss(found.float(), part.labels[rows_of_part].to(run.device))
        loss.backward()
        whole += loss.item()
    trained = [parameter for group in run.optimizer.param_groups for parameter in group["params"]]
    whole = run.team.sum_gradients(trained, whole)
    run.anchor.add_to_gradients()
    nn.utils.clip_grad_norm_(trained, CLIP)
    run.optimizer.step()
    return whole


def parts(run: Run, labels: torch.Tensor, rows: torch.Tensor) -> list[tuple[torch.Tensor, float]]:
    """Divide a batch into the parts it goes through the network in, each with its share of the batch's mean loss.

    Equal to the whole batch but for rounding, dropout's random numbers, and batch normalisation,
    whose statistics are then those of a part; it cannot train on a part of one sample.
    """
    count = min(run.config.accumulate * run.team.size, max(1, len(rows) // 2))
    if count == 1:
        return [(rows, 1.0)]
    weights = torch.ones(len(rows)) if run.loss.weight is None else run.loss.weight.cpu()[labels[rows]]
    total = float(weights.sum())
    return [
        (part, float(weight.sum()) / total if total else 1 / count)
        for part, weight in zip(rows.tensor_split(count), weights.tensor_split(count), strict=True)
    ]


def _record(
    run: Run,
    epoch: int,
    losses: list[float],
    before: str | None,
    started: float,
    logits: Logits,
    caching: Caching,
    *,
    due: bool,
) -> Epoch:
    mean_loss = sum(losses) / len(losses)
    failure = None
    val_loss, score, predictions = math.nan, math.nan, None
    if math.isfinite(mean_loss):
        measured = evaluate(run, "val", logits)
        val_loss, score, predictions = measured.loss, measured.score, measured.predictions
        if not math.isfinite(val_loss):
            failure = f"diverged: the validation loss is {val_loss} in epoch {epoch}"
    else:
        failure = f"diverged: the training loss is {losses[-1]} in epoch {epoch}, step {len(losses)}"
    kept = _proof(run, epoch, before) if due or failure else None
    if kept == "broken":
        failure = f"certificate broken: a frozen parameter or buffer changed up to epoch {epoch}"
    return Epoch(
        epoch=epoch,
        train_loss=mean_loss,
        val_loss=val_loss,
        score=math.nan if failure else score,
        seconds=time.perf_counter() - started,
        cost=cost(run, epoch),
        certificate=kept,
        caching=caching,
        failure=failure,
        predictions=predictions,
    )


def _proof(run: Run, epoch: int, before: str | None) -> str:
    """Hold what is frozen against its hash at the start of the phase."""
    first = run.plan.phase(0)  # freezes the most: what has thawed since had stayed as it was until then
    if not (first.frozen or first.frozen_buffers):
        return "none"
    moved = certificate(run.network, run.plan.phase(epoch - 1)) != before
    return "broken" if run.team.any(moved) else "ok"


def _statistics(run: Run, phase: Phase) -> list[torch.Tensor]:
    """Return the buffers of what trains, in which each worker of a team gathers what its own share shows it."""
    frozen = set(phase.frozen_buffers)
    return [each for name, each in run.network.named_buffers() if name not in frozen]


def _told(team: Team, caching: Caching) -> Caching:
    """Return what the trial's row says: one worker of a node builds, the others read what it built."""
    return replace(caching, cache="built") if team.any(caching.cache == "built") else caching
