"""A user's own network needs no lists, no order of registration and no names of ours."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn

from tests.trainables.network.traced import Traced, traced
from trainables.network.blocks import depth


class Unit(nn.Module):
    """A residual unit."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm(self.linear(x))


def cut_up(network: nn.Module, *head: str) -> Traced:
    return traced(network, head, lambda net: net(torch.zeros(2, 4)))


def members(network: nn.Module, *head: str) -> list[list[str]]:
    """Return the parameters of every block, after checking that each lies in one only."""
    blocks = cut_up(network, *head).blocks
    assert Counter(n for b in blocks for n in b.parameters) == Counter(n for n, _ in network.named_parameters())
    return [sorted({name.rpartition(".")[0] for name in block.parameters}) for block in blocks]


def test_blocks_follow_the_calls_and_not_the_registration() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 2)
            self.units = nn.ModuleList(Unit() for _ in range(3))
            self.embedding = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.embedding(x)
            for unit in reversed(self.units):
                x = unit(x)
            return self.head(x)

    blocks = cut_up(Backwards(), "head").blocks
    assert [block.name for block in blocks] == ["stem", "units.2", "units.1", "units.0", "head"]
    assert blocks[0].modules == ("embedding",)


def test_where_nothing_repeats_every_layer_is_a_block() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4), nn.Linear(4, 2))
    assert members(network, "5") == [["0"], ["2"], ["4"], ["5"]]


def test_layers_without_a_list_are_found_by_their_calls() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(4, 2)
            self.second = nn.Linear(4, 4)
            self.first = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.second(self.first(x)).relu())

    assert members(Plain(), "last") == [["first"], ["second"], ["last"]]


def test_a_norm_in_a_flat_network_freezes_with_the_layer_before_it() -> None:
    network = nn.Sequential(
        nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(),
        nn.Linear(4, 4), nn.ReLU(), nn.BatchNorm1d(4),
        nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(),
        nn.Linear(4, 2),
    )  # fmt: skip
    assert members(network, "9") == [["0", "1"], ["3", "5"], ["6", "7"], ["9"]]
    blocks = cut_up(network, "9").blocks
    assert "4" in blocks[1].modules  # the activation that the norm comes after
    assert "5.running_mean" in blocks[1].buffers


def test_a_dropout_before_the_head_stays_with_the_head() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 2))
    blocks = cut_up(network, "3").blocks
    assert not any("2" in block.modules for block in blocks)


def test_stages_named_one_by_one_are_blocks() -> None:
    class Staged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Linear(4, 4)
            self.conv2_x = Unit()
            self.conv3_x = Unit()
            self.fc = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.conv3_x(self.conv2_x(self.conv1(x))))

    assert [block.name for block in cut_up(Staged(), "fc").blocks] == ["stem", "conv2_x", "conv3_x", "head"]


def test_the_first_of_the_repeated_parts_is_the_stem_if_nothing_comes_before() -> None:
    network = nn.Sequential(Unit(), Unit(), Unit(), nn.Linear(4, 2))
    assert [block.name for block in cut_up(network, "3").blocks] == ["stem", "1", "2", "head"]
    assert cut_up(network, "3").blocks[0].count > 0


def test_a_single_listed_part_does_not_hide_the_layers_after_it() -> None:
    network = nn.Sequential(nn.Sequential(Unit()), nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    assert members(network, "3") == [["0.0.linear", "0.0.norm"], ["1"], ["2"], ["3"]]


def test_a_module_used_twice_counts_once_in_the_first_block_that_uses_it() -> None:
    class Sharing(nn.Module):
        def __init__(self, inner: nn.Linear) -> None:
            super().__init__()
            self.own = nn.Linear(4, 4)
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            return self.own(self.inner(x))

    shared = nn.Linear(4, 4)
    network = nn.Sequential(nn.Linear(4, 4), Sharing(shared), Sharing(shared), nn.Linear(4, 2))
    blocks = cut_up(network, "3").blocks
    assert blocks[1].parameters == ("1.own.weight", "1.own.bias", "1.inner.weight", "1.inner.bias")
    assert blocks[2].parameters == ("2.own.weight", "2.own.bias")
    assert [block.count for block in blocks] == [20, 40, 20, 10]


def test_a_tied_weight_counts_once_in_the_first_block_that_uses_it() -> None:
    network = nn.Sequential(nn.Linear(4, 4), Unit(), Unit(), Unit(), nn.Linear(4, 2))
    network[3].linear.weight = network[1].linear.weight
    blocks = cut_up(network, "4").blocks
    assert "1.linear.weight" in blocks[1].parameters
    assert [block.count for block in blocks] == [20, 28, 28, 12, 10]


def test_what_a_container_owns_itself_belongs_to_the_stem() -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(4))
            self.register_buffer("seen", torch.zeros(()))
            self.first = nn.Linear(4, 4)
            self.units = nn.Sequential(Unit(), Unit())
            self.fc = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.units(self.first(x) + self.shift))

    stem = cut_up(Shifted(), "fc").blocks[0]
    assert set(stem.parameters) == {"shift", "first.weight", "first.bias"}
    assert stem.buffers == ("seen",)


def test_a_layer_that_is_never_called_belongs_to_the_stem() -> None:
    """Any block may read its weights, as every layer of DeBERTa reads the relative positions."""

    class WithSpare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.units = nn.Sequential(Unit(), Unit())
            self.spare = nn.Linear(4, 4)
            self.fc = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.units(self.first(x)))

    stem, *rest = members(WithSpare(), "fc")
    assert sorted(stem) == ["first", "spare"]
    assert "spare" not in [name for block in rest for name in block]


def test_several_modules_may_be_the_head() -> None:
    network = nn.Sequential(nn.Linear(4, 4), Unit(), Unit(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    assert members(network, "3", "5")[-1] == ["3", "5"]
    assert depth(cut_up(network, "3", "5").blocks) == 2
