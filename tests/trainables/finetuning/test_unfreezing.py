"""When which block begins to train: hand-written tables."""

from __future__ import annotations

import pytest

from spaces.strategy import Freezing, Full, Gradual, LpFt, NormBias, Probe, Top, Window
from trainables.finetuning.unfreezing import starts
from trainables.network.blocks import Block

KINDS = ("stem", "block", "block", "block", "block", "head")
BLOCKS = tuple(
    Block(index, f"part{index}", kind, (f"part{index}.weight", f"part{index}.bias"), (), (f"part{index}",), 2)  # type: ignore[arg-type]
    for index, kind in enumerate(KINDS)
)

# freezing -> index of a block -> the epoch, from 0, in which it begins; the head is 5, the stem 0. E = 12.
TABLE: list[tuple[Freezing, dict[int, int]]] = [
    (Probe(), {5: 0}),
    (Top(1), {5: 0, 4: 0}),
    (Top(3), {5: 0, 4: 0, 3: 0, 2: 0}),
    (Full(), {5: 0, 4: 0, 3: 0, 2: 0, 1: 0, 0: 0}),
    (Window(2, 2), {5: 0, 2: 0, 3: 0}),
    (NormBias(), {5: 0, 4: 0, 3: 0, 2: 0, 1: 0, 0: 0}),
    # P = ceil(0.25 * 12) = 3.
    (LpFt(2, 0.25), {5: 0, 4: 3, 3: 3}),
    (LpFt(4, 0.25), {5: 0, 4: 3, 3: 3, 2: 3, 1: 3, 0: 3}),
    # block j from the top at 3 + floor((j - 1) * 9 / 3).
    (Gradual(2, 0.25), {5: 0, 4: 3, 3: 6}),
    # 3 + floor((j - 1) * 9 / 5): 3, 4, 6, 8; the stem joins with the last block.
    (Gradual(4, 0.25), {5: 0, 4: 3, 3: 4, 2: 6, 1: 8, 0: 8}),
    # P = ceil(0.1 * 12) = 2; 2 + floor((j - 1) * 10 / 4): 2, 4, 7.
    (Gradual(3, 0.1), {5: 0, 4: 2, 3: 4, 2: 7}),
]


@pytest.mark.parametrize(
    ("freezing", "expected"), TABLE, ids=lambda value: str(value) if not isinstance(value, dict) else ""
)
def test_every_block_begins_when_the_table_says(freezing: Freezing, expected: dict[int, int]) -> None:
    assert starts(freezing, BLOCKS, 12) == expected


@pytest.mark.parametrize("freezing", [Gradual(4, 0.5), LpFt(4, 0.5)])
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_even_the_shortest_study_trains_the_backbone(freezing: Freezing, epochs: int) -> None:
    begins = starts(freezing, BLOCKS, epochs)
    assert set(begins) == set(range(6))
    assert max(begins.values()) < epochs
