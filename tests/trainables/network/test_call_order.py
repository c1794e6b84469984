"""The order of calls is found by one forward call that leaves no trace."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables.network.call_order import call_order


class Winding(nn.Module):
    """Calls its parts in another order than it registers them, one twice and one never."""

    def __init__(self) -> None:
        super().__init__()
        self.never = nn.Linear(4, 4)
        self.last = nn.Linear(4, 4)
        self.often = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.often(self.often(x)))


def run(network: nn.Module) -> object:
    return network(torch.ones(2, 4))


def test_modules_are_numbered_by_their_first_call() -> None:
    order = call_order(Winding(), run)
    assert sorted(order, key=order.__getitem__) == ["", "often", "often.0", "often.1", "often.2", "last"]


def test_modes_hooks_gradients_and_statistics_stay_as_they_were() -> None:
    network = Winding().train()
    network.often.eval()
    network.last.register_forward_pre_hook(lambda module, given: None)
    modes = {name: module.training for name, module in network.named_modules()}
    hooks = {name: len(module._forward_pre_hooks) for name, module in network.named_modules()}
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    call_order(network, run)
    assert {name: module.training for name, module in network.named_modules()} == modes
    assert {name: len(module._forward_pre_hooks) for name, module in network.named_modules()} == hooks
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_call_itself_runs_in_eval_mode_and_without_gradients() -> None:
    seen = []
    call_order(Winding().train(), lambda network: seen.append((network.training, run(network).requires_grad)))
    assert seen == [(False, False)]


def test_a_forward_call_that_fails_leaves_no_trace_either() -> None:
    network = Winding().train()
    with pytest.raises(RuntimeError):
        call_order(network, lambda net: net(torch.ones(2, 5)))
    assert all(module.training and not module._forward_pre_hooks for module in network.modules())
