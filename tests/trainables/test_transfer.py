"""Similarity on small real networks: every boundary from one pass, nothing changed, known cases told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spaces.presets import PRESETS
from tests.support import tiny_trials
from tests.support.tiny_trials import BLOCKS, TRAIN, of_function
from trainables.features import OUTPUT, boundary_features, pooled
from trainables.run import Run, build
from trainables.transfer import RANDOM_NETWORKS, Transfer, measure

CPU = torch.device("cpu")
KNOWING = """

class Knowing(Net):
    # The tint is what the classes differ in: these weights hand it on, random ones of one channel cannot.
    def __init__(self, pretrained):
        super().__init__()
        self.stem = nn.Conv2d(3, 1, 3, stride=2)
        self.units = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 3, 1))
        self.fc = nn.Linear(3, 10)
        if pretrained:
            with torch.no_grad():
                self.stem.weight[:] = torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1)


def knowing(pretrained: bool = True):
    return Knowing(pretrained)


def stubborn():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Net()


class PooledAway(Net):
    def forward(self, x):
        return self.fc(0 * self.units(self.stem(x)).mean((2, 3)))


def pooled_away(pretrained: bool = True):
    return PooledAway()


class Forgets(Unit):
    def forward(self, x):
        return 0 * super().forward(x)


class Forgetting(Net):
    def __init__(self):
        super().__init__()
        self.units[2] = Forgets(6)


def forgetting(pretrained: bool = True):
    return Forgetting()
"""


def inputs_of(run: Run) -> dict[str, np.ndarray]:
    part = run.part("train")
    batches = (part.inputs.batch(rows, CPU) for rows in torch.arange(len(part.labels)).split(10))
    return boundary_features(run.network, run.blocks, run.task.forward, batches)


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_every_boundary_gives_one_vector_a_sample_and_the_network_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    run = build(getattr(tiny_trials, kind)(tmp_path))
    before = {name: tensor.clone() for name, tensor in run.network.state_dict().items()}
    modes = [module.training for module in run.network.modules()]
    found = inputs_of(run)
    assert list(found) == [*(block.name for block in run.blocks[1:]), OUTPUT]
    assert len(found) == BLOCKS + 2
    assert all(rows.shape[0] == len(run.dataset.train) and rows.ndim == 2 for rows in found.values())
    assert all(torch.equal(before[name], tensor) for name, tensor in run.network.state_dict().items())
    assert [module.training for module in run.network.modules()] == modes
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in run.network.modules())


def test_the_last_boundary_is_what_the_head_sees(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path))
    found = inputs_of(run)
    part = run.part("train")
    run.network.eval()
    with torch.no_grad():
        batch = part.inputs.batch(torch.arange(TRAIN), CPU)
        seen = run.network.units(run.network.stem(batch)).mean((2, 3))  # type: ignore[operator]
    assert np.allclose(found["head"], seen.numpy(), atol=1e-6)
    assert np.allclose(found[OUTPUT], seen.numpy(), atol=1e-6)  # nothing but the mean stands between them


def test_positions_are_averaged_and_padding_is_not_among_them() -> None:
    tokens = torch.arange(12.0).view(1, 4, 3)
    mask = torch.tensor([[1, 1, 0, 0]])
    assert pooled(tokens, mask).tolist() == [tokens[0, :2].mean(0).tolist()]
    assert pooled(tokens).tolist() == [tokens[0].mean(0).tolist()]
    maps = torch.randn(2, 5, 4, 4)
    assert torch.equal(pooled(maps), maps.mean((2, 3)))
    last = maps.permute(0, 2, 3, 1)
    assert torch.allclose(pooled(last), maps.mean((2, 3)))
    assert pooled(torch.randn(2, 7)).shape == (2, 7)


def test_padding_does_not_change_a_text_s_features(tmp_path: Path) -> None:
    run = build(tiny_trials.texts(tmp_path))
    part = run.part("train")

    def each(size: int) -> dict[str, np.ndarray]:
        batches = (part.inputs.batch(rows, CPU) for rows in torch.arange(len(part.labels)).split(size))
        return boundary_features(run.network, run.blocks, run.task.forward, batches)

    alone, together = each(1), each(36)
    assert all(np.allclose(alone[name], together[name], atol=1e-5) for name in alone)


def measured(folder: Path, function: str) -> Transfer:
    return measure(of_function(tiny_trials.images(folder, KNOWING, counts=(180, 12, 12)), function), CPU)


def test_a_network_that_hands_on_what_matters_gains_over_random_ones(tmp_path: Path) -> None:
    found = measured(tmp_path, "knowing")
    assert found.gain is not None
    assert found.gain.low > 0.25
    assert found.pretrained > max(found.random)
    assert len(found.random) == 3
    assert (found.samples, found.classes, found.probed) == (180, 3, 180)
    assert found.seconds > 0


def test_a_network_without_pretraining_gains_nothing_that_could_be_shown(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path, weights="none", counts=(180, 12, 12))
    found = measure(config, CPU)
    assert found.gain is not None
    assert found.gain.low < 0.25


def test_an_earlier_boundary_leads_where_the_last_one_forgot(tmp_path: Path) -> None:
    found = measured(tmp_path, "forgetting")
    assert found.lead is not None
    assert found.lead.low > 0
    assert found.profile["units.1"] > max(found.profile["head"], found.profile[OUTPUT])


def test_a_pooler_that_loses_what_the_last_block_gives_makes_no_data_dissimilar(tmp_path: Path) -> None:
    found = measured(tmp_path, "pooled_away")
    assert found.profile["head"] < 0.6 < found.profile[OUTPUT]
    assert found.pretrained == found.profile[OUTPUT]
    assert found.lead is not None
    assert found.lead.low <= 0


def test_a_network_that_is_always_the_same_has_no_gain_and_says_why(tmp_path: Path) -> None:
    found = measured(tmp_path, "stubborn")
    assert found.gain is None
    assert found.note is not None
    assert "same weights" in found.note
    assert found.profile


def test_the_same_measurement_comes_twice(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path)
    one, other = measure(config, CPU), measure(config, CPU)
    assert (one.gain, one.lead, one.profile, one.logme) == (other.gain, other.lead, other.profile, other.logme)


def test_measuring_costs_less_than_a_twentieth_of_a_standard_study_at_its_cheapest(tmp_path: Path) -> None:
    found = measure(tiny_trials.images(tmp_path), CPU)
    standard = PRESETS["standard"]
    # The least a study can train: every search trial a probe stopped at its first rung, three controls and one
    # finalist to the end. An epoch passes every sample once at the least.
    epochs = standard.trials * standard.grace + 3 * standard.epochs + 4 * standard.seeds * standard.epochs
    assert found.cost == 4 * TRAIN
    assert found.cost < 0.05 * epochs * TRAIN
    assert 0.05 * epochs > RANDOM_NETWORKS + 1
