"""One bit of one frozen tensor breaks the certificate; what trains may change as it likes."""

from __future__ import annotations

import pytest
import torch

from spaces.strategy import Full, Strategy, Top
from tests.trainables.finetuning.thawing import KINDS, Thawed, thawed
from trainables.finetuning.certificate import certificate, digest


@pytest.fixture
def trial() -> Thawed:
    return thawed(KINDS["resnet18"], Strategy(Top(2), 1e-3))


def flip_a_bit(tensor: torch.Tensor) -> None:
    with torch.no_grad():
        tensor.view(torch.uint8 if tensor.dim() else tensor.dtype).reshape(-1)[:1] ^= 1


@pytest.mark.parametrize(
    "name",
    [
        "conv1.weight",
        "bn1.bias",
        "bn1.running_mean",
        "bn1.running_var",
        "bn1.num_batches_tracked",
        "layer3.1.bn2.weight",
    ],
)
def test_one_bit_of_a_frozen_tensor_breaks_it(trial: Thawed, name: str) -> None:
    before = certificate(trial.network, trial.plan.phase(0))
    tensor = trial.network.state_dict()[name]
    flip_a_bit(tensor)
    assert certificate(trial.network, trial.plan.phase(0)) != before
    flip_a_bit(tensor)
    assert certificate(trial.network, trial.plan.phase(0)) == before


@pytest.mark.parametrize("name", ["layer4.0.conv1.weight", "layer4.1.bn1.running_mean", "fc.weight"])
def test_what_trains_may_change(trial: Thawed, name: str) -> None:
    before = certificate(trial.network, trial.plan.phase(0))
    flip_a_bit(trial.network.state_dict()[name])
    assert certificate(trial.network, trial.plan.phase(0)) == before


def test_where_nothing_is_frozen_there_is_nothing_to_prove() -> None:
    full = thawed(KINDS["bert"], Strategy(Full(), 1e-3))
    assert certificate(full.network, full.plan.phase(0)) is None


def test_name_shape_and_type_count_as_well_as_bits() -> None:
    zeros = torch.zeros(4)
    told = [
        digest([("a", zeros)]),
        digest([("b", zeros)]),
        digest([("a", zeros.reshape(2, 2))]),
        digest([("a", zeros.to(torch.int32))]),
        digest([("a", -zeros)]),
        digest([("a", torch.zeros(5))]),
    ]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize(
    "tensor", [torch.tensor(3), torch.tensor([True]), torch.zeros(0), torch.ones(2, 3).T.bfloat16()]
)
def test_any_tensor_has_a_digest(tensor: torch.Tensor) -> None:
    assert digest([("a", tensor)]) == digest([("a", tensor.clone())])
