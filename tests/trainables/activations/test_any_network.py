"""What any network stores at any boundary goes through the files: mixed anew, cropped, padded, exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.network.cut_networks import FAST, SLOW, Cut
from trainables.activations.files import Kept, Unavailable, Writer
from trainables.activations.record import MASK, forms_of, lengths_of, width
from trainables.network.boundary import plan_boundaries
from trainables.network.recording import Boundary, record, replay

ROWS = torch.tensor([4, 0, 2])
ROUNDING = 1e-5  # of the logits' size: sums over thousands of numbers, in batches of another size
MANY = {"t5": 2, "bart": 2, "densenet121": 1}  # tensors at the boundary that stores most


def taken(batch: Any, rows: torch.Tensor) -> Any:
    """Return the samples at ``rows``, the texts among them padded to the longest of these."""
    if isinstance(batch, torch.Tensor):
        return batch[rows]
    longest = int(batch[MASK][rows].sum(1).max())
    return {name: tensor[rows, :longest] for name, tensor in batch.items()}


def gap(made: Cut, boundary: Boundary, path: Path) -> float:
    """Return how far the logits from files are from the whole network's, as a share of their size."""
    records = tuple(record(made.network, boundary, made.forward, probe) for probe in made.probes)
    forms = forms_of(boundary, (records[0], records[1]), made.probes)
    batch = made.probes[1] if isinstance(made.probes[1], dict) else torch.cat([*made.probes, made.third])
    texts = width(batch) is not None
    with Writer(path, forms, "right") as writer:
        stored = record(made.network, boundary, made.forward, batch)
        writer.add(stored, lengths_of(batch, "right") if texts else None)
    kept = Kept(path, writer.meta({}, seconds=0.0))
    mixed = taken(batch, ROWS)
    whole = made.forward(made.network, mixed)
    read = kept.take(ROWS, width(mixed), torch.device("cpu"))
    again = replay(made.network, boundary, made.forward, mixed, read)
    return float((again - whole).abs().max() / whole.abs().max())


@torch.no_grad()
def exact_everywhere(made: Cut, path: Path) -> list[Boundary]:
    made.network.eval()
    plans = plan_boundaries(made.network, made.blocks, made.forward, made.probes)
    boundaries = [plan for plan in plans if isinstance(plan, Boundary)]
    assert len(boundaries) == len(made.blocks) - 1
    gaps = {each.block: gap(made, each, path / str(each.index)) for each in boundaries}
    assert {block: found for block, found in gaps.items() if not found <= ROUNDING} == {}
    return boundaries


@pytest.mark.parametrize("name", sorted(set(FAST) - {"xlnet"}))
def test_the_logits_from_files_are_the_whole_network_s(tmp_path: Path, name: str) -> None:
    boundaries = exact_everywhere(FAST[name](), tmp_path)
    assert max(len(each.stored) for each in boundaries) >= MANY.get(name, 1)


@torch.no_grad()
def test_what_grows_with_twice_the_length_is_refused(tmp_path: Path) -> None:
    made = FAST["xlnet"]()  # stores its relative positions, which are none of a single text's
    made.network.eval()
    boundary = plan_boundaries(made.network, made.blocks, made.forward, made.probes)[0]
    assert isinstance(boundary, Boundary)
    with pytest.raises(Unavailable, match="varies otherwise than with the length of the text"):
        gap(made, boundary, tmp_path / "kept")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SLOW))
def test_the_logits_of_a_larger_network_from_files_are_its_own(tmp_path: Path, name: str) -> None:
    exact_everywhere(SLOW[name](), tmp_path)
