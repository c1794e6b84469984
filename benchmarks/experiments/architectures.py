"""What thawline does on every architecture: blocks, boundaries, the freeze contract, re-initialisation.

Writes docs/architectures.md beside the rows.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from pathlib import Path

import torch

from benchmarks.architectures import Built, build, names
from benchmarks.contract import freezing_violations, reinit_violations
from benchmarks.row import Row
from trainables.network.blocks import depth
from trainables.network.boundary import Refused, plan_boundaries
from trainables.network.recording import Boundary, error

PAGE = Path(__file__).parents[2] / "docs" / "architectures.md"
TOLERANCE = 1e-4  # of the spread between the samples' logits
HEADER = """# Architectures

Made by `python -m benchmarks.run architectures`: random weights, transformers networks of tiny sizes, CPU, fp32.

- **blocks**: L, what lies between stem and head; `unfrozen_depth` counts them from the head.
- **exact**: boundaries (L blocks and the head) at which the rest of the network, given what is stored, returns the
  whole network's logits on a batch that planning has not seen; **refused** ones train uncached.
- **stores**: values kept per sample at the boundary in the middle, and the most tensors any boundary keeps.
- **freezing**: for probe, top 1, half, full, a window in the middle and norm_bias, over three optimiser steps: frozen
  parameters and buffers keep their bits, what has a gradient moves, rates equal the formula.
- **reinit**: the top block, then everything, takes the values of a freshly built network.

| architecture | blocks | exact | refused | stores | freezing | reinit |
|---|---|---|---|---|---|---|
"""


def rows() -> list[Row]:
    """Check every architecture; one row each, with the share of boundaries that are exact as its value."""
    torch.manual_seed(0)
    lines: list[str] = []
    made = [_checked(name, lines) for name in names()]
    PAGE.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return made


def _checked(name: str, lines: list[str]) -> Row:
    started = time.perf_counter()
    built = build(name)
    blocks = built.blocks
    frozen = freezing_violations(built)
    anew = reinit_violations(built, build(name).network)
    plans = plan_boundaries(
        built.network, blocks, built.forward, (_batch(built, 0, 2), _batch(built, 1 if built.varies else 0, 3))
    )
    refused = [found for found in plans if isinstance(found, Refused)]
    kept = [found for found in plans if isinstance(found, Boundary)]
    wrong = [found.block for found in kept if not _exact(built, found)]
    exact = len(kept) - len(wrong)
    middle = plans[len(plans) // 2]
    stores = f"{middle.bytes_per_sample // 4} values" if isinstance(middle, Boundary) else "-"
    most = max((len(found.stored) for found in kept), default=0)
    verdicts = ["ok" if not found else found[0] for found in (frozen, anew)]
    last = depth(blocks)
    lines.append(
        f"| {name} | {last} | {exact} of {len(plans)} | {len(refused)} | {stores}, at most {most} tensors "
        f"| {verdicts[0]} | {verdicts[1]} |"
    )
    reasons = Counter(found.reason for found in refused)
    problems = [*frozen, *anew, *(f"boundary {block} is wrong" for block in wrong)]
    told = problems or [f"refused {count}: {why}" for why, count in reasons.items()] or ["all exact"]
    note = f"L = {last}; {'; '.join(told)}"
    print(f"{name}: {note} ({time.perf_counter() - started:.1f} s)", file=sys.stderr, flush=True)
    gc.collect()
    return Row(
        metric=name,
        value=round(exact / len(plans), 4),
        goal="contract holds, no boundary wrong, at least one block",
        ok=not problems and last > 0,
        note=note,
    )


def _batch(built: Built, which: int, count: int) -> object:
    return built.batch(count, built.sizes[which])


@torch.no_grad()
def _exact(built: Built, boundary: Boundary) -> bool:
    """Tell whether replay equals the whole network on a batch of another count, and length where it may vary."""
    batch = _batch(built, 2, 4) if built.varies else _batch(built, 0, 4)
    built.network.eval()
    logits = built.forward(built.network, batch)
    spread = float((logits - logits.mean(dim=0)).abs().max())
    return error(built.network, boundary, built.forward, batch) <= TOLERANCE * spread
