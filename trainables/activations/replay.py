"""The rest of the network from what is stored, in the place of the whole network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch

from trainables.activations.files import Kept
from trainables.activations.record import width
from trainables.config import Split
from trainables.data.loaders import in_order
from trainables.devices import autocast, rounds_coarsely
from trainables.network.calls import evaluating
from trainables.network.recording import Boundary, finish, replay
from trainables.run import Part, Run

ROWS = 4  # of the first batch that are computed in both ways
# Of the spread between the samples' logits: kernels for another batch size or length round differently.
TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 5e-3}


@dataclass(frozen=True)
class Rest:
    """Gives the logits of samples by their rows, from the boundary on."""

    run: Run
    boundary: Boundary
    kept: Mapping[Split, Kept]
    parts: Mapping[Split, Part]
    tail: tuple[str, ...] = ()  # the modules that make the logits of what is stored, if that is all it takes

    def __call__(self, split: Split, rows: torch.Tensor) -> torch.Tensor:
        """Return the logits of the samples at ``rows`` of ``split``, shape (b, classes)."""
        kept, run = self.kept[split], self.run
        if self.tail and not any(form.ragged for form in kept.meta.forms):
            (leaf,) = self.boundary.stored
            stored = kept.take(self._places[split][rows], None, run.device)
            return finish(run.network, self.tail, stored[leaf.key].movedim(0, leaf.axis))
        batch = self.parts[split].inputs.blank(rows, run.device)
        stored = kept.take(self._places[split][rows], width(batch), run.device)
        return replay(run.network, self.boundary, run.task.forward, batch, stored)

    @cached_property
    def _places(self) -> Mapping[Split, torch.Tensor]:
        """Where each sample lies among those recorded."""
        return {split: in_order(len(part.labels), part.inputs.lengths).argsort() for split, part in self.parts.items()}


@torch.no_grad()
def difference(rest: Rest, split: Split, rows: torch.Tensor) -> str | None:
    """Compute ``rows`` in both ways, in eval mode; return what is wrong, None where they agree."""
    run, part = rest.run, rest.parts[split]
    with evaluating(run.network), autocast(run.config.precision, run.device):
        whole = run.task.forward(run.network, part.inputs.batch(rows, run.device))
        again = rest(split, rows)
    tolerance = max(_tolerance(kept) for kept in rest.kept.values())
    if rounds_coarsely(run.device):  # TF32 has as many digits as float16
        tolerance = max(tolerance, TOLERANCES[torch.float16])
    spread, largest = float((whole.amax(0) - whole.amin(0)).max()), float(whole.abs().max())
    # What is stored, or computed, in half the bits is held against the logits themselves: it rounds what all share.
    scale = spread if tolerance == TOLERANCES[torch.float32] else largest
    rounding = 8 * torch.finfo(whole.dtype).eps * largest
    gap = float((again - whole).abs().max())
    if gap <= tolerance * scale + rounding:  # never so for NaN
        return None
    return f"the first batch differs by {gap:.2g} from the whole network's, whose logits spread over {spread:.2g}"


def rows_to_check(part: Part, rows: torch.Tensor) -> torch.Tensor:
    """Return a few of ``rows``, the shortest and the longest text among them, so that there is padding."""
    if part.inputs.lengths is None:
        return rows[:ROWS]
    by_length = rows[part.inputs.lengths[rows].argsort(stable=True)]
    return torch.cat([by_length[: ROWS // 2], by_length[ROWS // 2 :][-(ROWS // 2) :]])


def _tolerance(kept: Kept) -> float:
    return max(TOLERANCES.get(getattr(torch, form.kept), TOLERANCES[torch.float32]) for form in kept.meta.forms)
