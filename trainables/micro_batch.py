"""How many samples go through the network at once: where memory is a device's own, as many as a step tried fits with.

A batch that is too large is halved until a step of its part fits; the gradients of all parts add up to the batch's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import ceil

import torch

from trainables import devices
from trainables.config import TrialConfig
from trainables.data.loaders import batches, in_order
from trainables.evaluate import Logits, whole
from trainables.run import Run, build
from trainables.seeds import nothing_drawn

STATES = {"adamw": 2, "sgd": 1}  # tensors that an optimiser keeps of each trained one


def fewest_parts(most: int, fits: Callable[[int], bool]) -> int:
    """Return the fewest parts of 1, 2, 4 … ``most`` that a batch ``fits`` in.

    The most is not tried: whoever cannot go on with it will say so.
    """
    count = 1
    while count < most and not fits(count):
        count = min(2 * count, most)
    return count


def divided(run: Run, logits: Logits) -> Run:
    """Return ``run`` with its batches in as many parts more as a step takes that fits into the device's memory.

    Everything is frozen already that will be. What was tried leaves no trace: not in random states, buffers or
    gradients. All workers of a team call it, and come to the same.
    """
    most = max(1, _largest(run) // 2) // (run.config.accumulate * run.team.size)

    def fits(count: int) -> bool:
        parts = count * run.config.accumulate
        rows = _longest(run, ceil(_largest(run) / (parts * run.team.size)))
        return not run.team.any(not step_fits(run, rows, logits, added_up=parts > 1))

    count = fewest_parts(most, fits)
    if count == 1:
        return run
    devices.forget_peak_memory(run.device)  # of what did not fit
    accumulate = count * run.config.accumulate
    return replace(run, config=run.config.model_copy(update={"accumulate": accumulate}))


def samples_at_once(run: Run) -> int:
    """Return how many samples of the largest batch go through the network at once."""
    most = max(1, _largest(run) // 2)
    return ceil(_largest(run) / min(run.config.accumulate * run.team.size, most))


def step_fits(run: Run, rows: torch.Tensor, logits: Logits, *, added_up: bool) -> bool:
    """Tell whether a step on the training samples at ``rows`` fits into the memory that is left.

    Forward and backward, beside all that an optimiser will keep, and beside the gradients of an earlier part where
    they are ``added_up``. The optimiser takes no step.
    """
    fits = True
    with _left_as_it_was(run):
        run.network.train()
        try:
            _step(run, rows, logits, added_up=added_up)
        except torch.OutOfMemoryError:
            fits = False  # and no more here: the error holds on to what it was raised among
    if not fits:
        devices.release(run.device)
    return fits


def step_bytes(config: TrialConfig, device: torch.device) -> int | None:
    """Return the bytes that are reserved at most for the tensors of a trial's step; None where it does not fit."""
    devices.forget_peak_memory(device)
    run = build(config, device)
    start = [parameter.detach().clone() for parameter in run.network.parameters() if parameter.requires_grad]
    fits = step_fits(run, _longest(run, _largest(run)), whole(run), added_up=False)
    del start  # a trial keeps it, to tell by how much each block has moved
    return devices.peak_reserved(device) if fits else None


def _step(run: Run, rows: torch.Tensor, logits: Logits, *, added_up: bool) -> None:
    trained = [parameter for parameter in run.network.parameters() if parameter.requires_grad]
    new = [each for each in trained if each not in run.optimizer.state]
    kept = [torch.empty_like(each) for each in new for _ in range(STATES[run.config.optimizer])]
    for parameter in trained if added_up else ():
        parameter.grad = torch.zeros_like(parameter)
    labels = run.part("train").labels[rows].to(run.device)
    with devices.autocast(run.config.precision, run.device):
        loss: torch.Tensor = run.loss(logits("train", rows).float(), labels)
    loss.backward()
    del kept


def _largest(run: Run) -> int:
    """Return the samples of the largest batch of an epoch."""
    count = len(run.part("train").labels)
    return max(map(len, batches(count, run.strategy.batch_size, seed=None, epoch=0)))


def _longest(run: Run, count: int) -> torch.Tensor:
    """Return the rows of so many training samples: the longest texts, or the first images."""
    part = run.part("train")
    return in_order(len(part.labels), part.inputs.lengths)[:count]


@contextmanager
def _left_as_it_was(run: Run) -> Iterator[None]:
    """Put buffers, random states and absent gradients back afterwards."""
    before = {name: buffer.clone() for name, buffer in run.network.named_buffers()}
    try:
        with nothing_drawn(run.device):
            yield
    finally:
        for name, buffer in run.network.named_buffers():
            buffer.copy_(before[name])
        for parameter in run.network.parameters():
            parameter.grad = None
