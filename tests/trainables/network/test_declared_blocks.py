"""Blocks that a network's author declares take the place of the structural rule, and every tensor still has one."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from spaces.errors import BadInput
from spaces.strategy import Full, Probe, Strategy, Top
from trainables.finetuning import apply
from trainables.finetuning.plan import plan
from trainables.network.blocks import Block, depth
from trainables.network.call_order import call_order
from trainables.network.declared import Declared, cut, read
from trainables.run import names_of

LAYERS = 5


class Net(nn.Module):
    """Layers, a norm after each, a parameter of its own, a module that is never called, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.fc = nn.Linear(4, 2)
        self.norms = nn.ModuleList(nn.BatchNorm1d(4) for _ in range(LAYERS))
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(LAYERS))
        self.unused = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(layer(x * self.scale))
        return self.fc(x)


def cut_as(given: object) -> tuple[Block, ...]:
    network = Net()
    order = call_order(network, lambda net: net(torch.zeros(2, 4)))
    return cut(network, ("fc",), order, read(given))


def owners(given: object) -> list[list[str]]:
    return [sorted({name.rpartition(".")[0] for name in block.parameters}) for block in cut_as(given)]


def complaint(given: object) -> str:
    with pytest.raises(BadInput) as caught:
        cut_as(given)
    return str(caught.value)


def test_what_is_not_declared_joins_the_next_block_and_the_last() -> None:
    assert owners(["layers.1", ["layers.2", "norms.2"], "layers.4"]) == [
        ["", "layers.0", "norms.0", "unused"],
        ["layers.1"],
        ["layers.2", "norms.1", "norms.2"],
        ["layers.3", "layers.4", "norms.3", "norms.4"],
        ["fc"],
    ]


def test_a_stem_may_be_empty_but_for_what_belongs_to_no_block() -> None:
    blocks = cut_as([[f"layers.{i}", f"norms.{i}"] for i in range(LAYERS)])
    assert [block.name for block in blocks] == ["stem", *(f"layers.{i}" for i in range(LAYERS)), "head"]
    assert blocks[0].parameters == ("scale", "unused.weight", "unused.bias")


@given(st.sets(st.integers(0, LAYERS - 1), min_size=1))
def test_any_declaration_gives_every_tensor_exactly_one_block(chosen: set[int]) -> None:
    blocks = cut_as([f"layers.{i}" for i in sorted(chosen)])
    network = Net()
    assert depth(blocks) == len(chosen)
    held = Counter(name for block in blocks for name in (*block.parameters, *block.buffers))
    assert held == Counter(network.state_dict().keys())
    assert sum(block.count for block in blocks) == sum(p.numel() for p in network.parameters())


def test_full_fine_tuning_holds_nothing_in_eval_mode_where_the_stem_is_empty() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 4), nn.Linear(4, 2))
    order = call_order(network, lambda net: net(torch.zeros(2, 4)))
    blocks = cut(network, ("3",), order, (("0",), ("2",)))
    assert blocks[0].parameters == ()
    names = names_of(network)
    apply.freeze(network, plan(Strategy(Full(), 1e-3), blocks, names, epochs=1).phase(0))
    network.train()
    assert all(module.training for module in network.modules())
    top = plan(Strategy(Top(1), 1e-3), blocks, names, epochs=1).phase(0)
    assert top.frozen == ("0.weight", "0.bias")
    probe = plan(Strategy(Probe(), 1e-3), blocks, names, epochs=1).phase(0)
    assert probe.frozen == ("0.weight", "0.bias", "2.weight", "2.bias")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["layer.1"], "no module 'layer.1' to be a block (did you mean layers.1?)"),
        (["layers.1", "layers.1"], "'layers.1' is declared twice"),
        (["layers", "layers.3"], "'layers.3' lies inside the block 'layers'"),
        (["layers.1", "fc"], "the block 'fc' holds the head 'fc'"),
        (["unused"], "'unused' is never called"),
        (["layers.2", "layers.1"], "'layers.1' is called before 'layers.2' has ended"),
        ([["layers.0", "layers.2"], "layers.1"], "'layers.1' is called before 'layers.0' has ended"),
        ([], "the declared blocks must be a list of blocks"),
        ("layers.0", "the declared blocks must be a list of blocks"),
        ([3], "got [3]"),
        ([["layers.0", 3]], "the declared blocks must be a list of blocks"),
    ],
)
def test_a_declaration_that_does_not_fit_is_told(given: object, expected: str) -> None:
    assert expected in complaint(given)


def test_a_declaration_is_read_in_one_shape() -> None:
    expected: Declared = (("a",), ("b", "c"))
    assert read(["a", ("b", "c")]) == expected
