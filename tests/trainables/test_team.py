"""Several workers train a trial as one does: the same epochs within float tolerance, the same certificate."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, multiprocessing

from tests.support import tiny_trials
from tests.support.tiny_trials import FULL, PROBE, TOP
from tests.trainables.test_loop import CALM
from trainables import checkpoint
from trainables.config import TrialConfig
from trainables.loop import train
from trainables.run import build
from trainables.team import ALONE, Team, TeamBroken

COUNTS = (50, 18, 12)  # three batches of 16 and one of 2, which is not divided: one worker has all of it
HEAD_FIRST = {"freezing": "lp_ft", "unfrozen_depth": 1, "probe_share": 0.5} | {
    name: TOP[name] for name in ("head_lr", "lr_ratio", "weight_decay", "batch_size")
}


def _worker(rank: int, size: int, store: str, out: str, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    torch.save(work(Team(rank, size), *given), f"{out}-{rank}.pt")
    distributed.destroy_process_group()


def together(folder: Path, size: int, work: Callable[..., Any], *given: Any) -> list[Any]:
    """Return what each of so many processes, joined to a team, got from ``work``."""
    out = folder / f"out-{os.urandom(4).hex()}"
    multiprocessing.start_processes(
        _worker, (size, f"{out}.store", str(out), work, given), nprocs=size, start_method="fork"
    )
    return [torch.load(f"{out}-{rank}.pt", weights_only=False) for rank in range(size)]


def numbers(team: Team, config: TrialConfig, after: int = 0, kept: Path | None = None, until: int = 99) -> Any:
    """Train in a team; return what each epoch measured, and the weights. Progress is read from and left in ``kept``."""
    run = build(config, team=team)
    if after and kept:
        after = checkpoint.load_progress(run, kept, after)
    epochs = []
    for epoch in train(run, after=after):
        epochs.append(epoch)
        if kept and team.leads:
            checkpoint.save_progress(run, epoch.epoch, kept)
        if epoch.epoch == until:
            break
    weights = {name: tensor.clone() for name, tensor in run.network.state_dict().items()}
    return epochs, weights


def measured(epochs: list[Any]) -> list[tuple[float, float, float]]:
    return [(epoch.train_loss, epoch.val_loss, epoch.score) for epoch in epochs]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def calm(folder: Path, **values: Any) -> TrialConfig:
    return tiny_trials.of_function(tiny_trials.images(folder, CALM, COUNTS, **values), "calm")


@pytest.fixture(params=[2, 3])
def size(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.mark.parametrize(
    ("strategy", "values"),
    [
        (TOP, {}),
        (FULL, {"class_weights": "balanced"}),
        (HEAD_FIRST, {"epochs": 4}),
        (FULL | {"l2_sp": 0.1}, {"accumulate": 2}),
    ],
    ids=["top", "full", "lp_ft", "l2_sp in parts"],
)
def test_a_team_gives_one_worker_s_numbers(
    tmp_path: Path, size: int, strategy: dict[str, Any], values: dict[str, Any]
) -> None:
    config = calm(tmp_path, strategy=strategy, **values)
    alone, weights = numbers(ALONE, config)
    for epochs, own in together(tmp_path, size, numbers, config):
        for one, other in zip(measured(alone), measured(epochs), strict=True):
            assert other == pytest.approx(one, rel=1e-4)
        assert [epoch.certificate for epoch in epochs] == [epoch.certificate for epoch in alone]
        assert all(torch.allclose(tensor, own[name], atol=1e-4) for name, tensor in weights.items())


def test_texts_of_any_length_too(tmp_path: Path) -> None:
    config = tiny_trials.texts(tmp_path, strategy=TOP)
    (first, one), (second, other) = together(tmp_path, 2, numbers, config)
    assert measured(first) == measured(second)
    assert same(one, other)


def test_every_worker_ends_with_the_same_weights_and_statistics(tmp_path: Path, size: int) -> None:
    """With batch normalisation and dropout, of which each worker sees its own part."""
    (first, weights), *others = together(tmp_path, size, numbers, tiny_trials.images(tmp_path, counts=COUNTS))
    for epochs, own in others:
        assert measured(epochs) == measured(first)
        assert same(weights, own)


def test_a_team_goes_on_from_its_progress_with_the_same_numbers(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path, counts=COUNTS, epochs=4)
    ((whole, weights), _) = together(tmp_path, 2, numbers, config)
    together(tmp_path, 2, numbers, config, 0, tmp_path / "kept", 2)
    ((rest, again), _) = together(tmp_path, 2, numbers, config, 2, tmp_path / "kept")
    assert measured(rest) == measured(whole)[2:]
    assert same(weights, again)


def moved_on_the_second(team: Team, config: TrialConfig) -> Any:
    run = build(config, team=team)
    told = []
    for epoch in train(run, ends=(2,)):
        told.append((epoch.epoch, epoch.certificate, epoch.failure))
        with torch.no_grad():
            run.network.get_parameter(run.plan.frozen[0]).data.add_(1e-3 * team.rank)
    return told


def test_a_frozen_tensor_that_moves_on_one_worker_breaks_the_trial_on_all(tmp_path: Path) -> None:
    first, second = together(tmp_path, 2, moved_on_the_second, calm(tmp_path, strategy=PROBE, epochs=3))
    assert first == second
    assert [state for _, state, _ in first] == [None, "broken"]


def epochs_of(team: Team, config: TrialConfig) -> Any:
    return [(epoch.epoch, epoch.failure) for epoch in train(build(config, team=team))]


def test_a_training_that_diverges_stops_all_alike(tmp_path: Path) -> None:
    wild = calm(tmp_path, strategy=FULL | {"head_lr": 1e30, "lr_ratio": 1.0}, optimizer="sgd", epochs=5)
    first, second = together(tmp_path, 2, epochs_of, wild)
    assert first == second
    assert first[-1][1].startswith("diverged: the ")


def own_weights(team: Team, config: TrialConfig) -> Any:
    torch.manual_seed(team.rank)
    network = build(config, team=team).network
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_a_team_starts_from_one_network_whatever_the_function_draws(tmp_path: Path) -> None:
    drawn = """

def drawn():
    import os
    net = Net()
    with torch.no_grad():
        net.stem.weight.fill_(os.getpid())
        net.register_buffer("odd", torch.tensor([os.getpid() % 2 == 0, True]))
    return net
"""
    first, second = together(
        tmp_path, 2, own_weights, tiny_trials.of_function(tiny_trials.images(tmp_path, drawn), "drawn")
    )
    assert same(first, second)


def sums(team: Team) -> Any:
    parameters = [torch.nn.Parameter(torch.zeros(2, 2)) for _ in range(4)]
    parameters[3].requires_grad_(False)
    parameters[0].grad = torch.full((2, 2), float(team.rank + 1))
    if team.rank == 1:
        parameters[1].grad = torch.ones(2, 2)
    return team.sum_gradients(parameters, 0.5), [p.grad if p.grad is None else p.grad.tolist() for p in parameters]


def test_gradients_are_summed_and_what_nobody_has_stays_away(tmp_path: Path) -> None:
    for found in together(tmp_path, 2, sums):
        assert found == (1.0, [[[3, 3], [3, 3]], [[1, 1], [1, 1]], None, None])


def averages(team: Team) -> Any:
    values = [torch.tensor([0.1, float(team.rank)]), torch.tensor(0.7), torch.tensor(5 - team.rank)]
    team.average(values)
    return [value.tolist() for value in values], team.any(team.rank == 1), team.any(False)


def test_statistics_are_averaged_and_what_is_the_same_keeps_its_bits(tmp_path: Path) -> None:
    expected = [torch.tensor([0.1, 1.0]).tolist(), torch.tensor(0.7).item(), 5]
    for found in together(tmp_path, 3, averages):
        assert found == (expected, True, False)


def leaves(team: Team) -> Any:
    if team.rank == 1:
        os._exit(0)
    try:
        while True:
            team.sum(torch.zeros(1))
    except TeamBroken as error:
        return str(error)


def test_whoever_is_left_alone_is_told(tmp_path: Path) -> None:
    out = tmp_path / "left"
    multiprocessing.start_processes(_worker, (2, f"{out}.store", str(out), leaves, ()), nprocs=2, start_method="fork")
    assert torch.load(f"{out}-0.pt").startswith("another worker of the team is gone: ")


def test_a_team_shares_out_every_item_once() -> None:
    items = list(range(7))
    assert sorted(each for rank in range(3) for each in Team(rank, 3).own(items)) == items
    assert Team(2, 3).own(items[:1]) == []
    assert ALONE.own(items) == items


def test_workers_draw_numbers_of_their_own_and_the_same_after_a_kill() -> None:
    seeds = {Team(rank, 2).seed(seed, epoch) for rank in range(2) for seed in range(3) for epoch in range(3)}
    assert len(seeds) == 18
    assert Team(1, 2).seed(0, 1) == Team(1, 2).seed(0, 1)
