"""What starts anew has the architecture's own random values, and nothing else is touched."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spaces.errors import BadInput
from spaces.strategy import Reinit, ReinitAll, ReinitTop, Strategy, Top
from tests.trainables.finetuning.thawing import KINDS, Thawed, thawed
from trainables.finetuning import apply


def reinitialised(kind: str, freezing: Top, reinit: Reinit) -> tuple[Thawed, dict[str, torch.Tensor]]:
    """Return a network whose values were all 7, after its plan's re-initialisation, and its tensors."""
    trial = thawed(KINDS[kind], Strategy(freezing, 1e-3, reinit=reinit))
    with torch.no_grad():
        for tensor in (*trial.network.parameters(), *trial.network.buffers()):
            tensor.fill_(7)
    torch.manual_seed(1)
    apply.reinitialise(trial.network, trial.plan.reinit, trial.kind.build)
    return trial, trial.tensors()


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_the_named_tensors_change(kind: str) -> None:
    trial, after = reinitialised(kind, Top(2), ReinitTop(1))
    changed = {name for name, tensor in after.items() if not (tensor == 7).all()}
    assert changed == set(trial.plan.reinit)
    assert set(trial.plan.reinit) == {*trial.blocks[-2].parameters, *trial.blocks[-2].buffers}


def test_convolutions_have_the_spread_of_the_constructor() -> None:
    _, after = reinitialised("resnet18", Top(99), ReinitAll())
    torch.manual_seed(2)
    constructed = KINDS["resnet18"].build().state_dict()
    spreads = {name: (after[name].std(), constructed[name].std()) for name in after if "conv" in name}
    assert len(spreads) == 17
    assert [name for name, (own, other) in spreads.items() if not 0.95 < own / other < 1.05] == []


def test_normalisations_start_as_the_constructor_makes_them() -> None:
    _, after = reinitialised("resnet18", Top(3), ReinitTop(2))
    for name in ("layer4.0.bn1", "layer4.1.bn2"):
        assert (after[f"{name}.weight"] == 1).all()
        assert (after[f"{name}.bias"] == 0).all()
        assert (after[f"{name}.running_mean"] == 0).all()
        assert (after[f"{name}.running_var"] == 1).all()
        assert after[f"{name}.num_batches_tracked"] == 0


def test_the_values_come_from_the_random_state() -> None:
    values = []
    for seed in (1, 1, 2):
        trial = thawed(KINDS["bert"], Strategy(Top(1), 1e-3, reinit=ReinitTop(1)))
        torch.manual_seed(seed)
        apply.reinitialise(trial.network, trial.plan.reinit, trial.kind.build)
        values.append(trial.tensors()["bert.encoder.layer.2.output.dense.weight"])
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])


def test_a_builder_that_returns_the_same_weights_is_refused() -> None:
    def pretrained() -> nn.Module:
        torch.manual_seed(0)
        return KINDS["convolutional"].build()

    trial = thawed(KINDS["convolutional"], Strategy(Top(1), 1e-3, reinit=ReinitTop(1)))
    before = trial.tensors()
    with pytest.raises(BadInput, match=r"model: built the same weights twice.*pretrained: bool"):
        apply.reinitialise(trial.network, trial.plan.reinit, pretrained)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trial.tensors().items())
