"""The benchmarks of speed run, on networks so small that their figures say nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import frozen
from benchmarks.experiments import bf16, breakeven, exact, fusion, layout, prefix, warm
from benchmarks.experiments.checkpoint import measured as checkpoint_rows
from benchmarks.frozen import NotCached, Subject, cache_in, every_depth, most
from benchmarks.row import Row
from trainables.activations import worth
from trainables.models.vision import CHANNELS_LAST_FROM
from trainables.run import build

SMALL = Subject("small", "torchvision:resnet18", "parity", 64, image_size=32)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_an_epoch_from_the_cache_is_shorter_and_its_goal_a_share_of_what_is_possible(tmp_path: Path) -> None:
    row = prefix.row(SMALL, "1 block", 1, tmp_path, rounds=1)
    assert row["value"] > 1
    assert row["goal"] == f">= {round(0.8 * most(build(SMALL.config(1, 1))), 3):g} times"
    row = prefix.row(SMALL, "probe", 0, tmp_path, rounds=1)
    assert row["value"] > 5
    assert row["goal"] == ">= 400 times"


def test_the_most_that_is_possible_follows_from_the_share_that_is_frozen() -> None:
    deep, shallow = (most(build(SMALL.config(blocks, 1))) for blocks in (6, 1))
    assert 1 < deep < shallow < most(build(SMALL.config(0, 1)))


@pytest.mark.parametrize("pixels", [32, CHANNELS_LAST_FROM])
@pytest.mark.parametrize(("size", "stored", "goal"), exact.KINDS)
def test_the_cache_is_as_exact_as_it_must_be(tmp_path: Path, size: int, stored: str, goal: float, pixels: int) -> None:
    row = exact.row(replace(SMALL, image_size=pixels), "2 blocks", size, stored, goal, tmp_path)
    assert row["ok"], row
    if size == exact.EQUAL:
        assert (row["value"] > 0) == (stored == "half")


def test_a_recording_costs_something(tmp_path: Path) -> None:
    row = breakeven.row(SMALL, "1 block", 1, tmp_path, rounds=1, builds=1)
    assert row["value"] > 0.1
    assert "CPU-s to build" in row["note"]


def test_both_layouts_are_trained_and_every_batch_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "ROUNDS", 1)
    step, evaluation = layout.step("resnet18", 32, 0.01), layout.evaluation("resnet18", 32)
    assert step["ok"]
    assert evaluation["value"] >= 1
    assert all(f"{batch}: " in evaluation["note"] for batch in layout.BATCHES)


def test_fused_heads_are_as_accurate_and_faster() -> None:
    ratio, gap = fusion.measured(8, rounds=1)
    assert ratio["value"] > 1
    assert gap["ok"]


def test_a_probe_keeps_less_than_a_block_and_both_less_than_everything() -> None:
    probe, _, block, going = checkpoint_rows(SMALL)
    assert 0 < probe["value"] < block["value"] < going["value"] < 1


def test_a_warm_trial_starts(tmp_path: Path) -> None:
    assert warm.row(SMALL, tmp_path, trials=1)["value"] > 0


def test_what_is_done_once_is_held_against_doing_it_again(tmp_path: Path) -> None:
    assert warm.build_row(SMALL, trials=1)["value"] > 1
    assert warm.images_row(tmp_path, count=160, rounds=1)["value"] > 0.5  # so few, once: near what is decoded anyway


def test_the_cache_s_folder_is_set_for_a_while_and_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainables.activations.folder import location

    monkeypatch.setenv("THAWLINE_CACHE", str(tmp_path))
    before = location()
    with cache_in(None):
        assert location() is None
    with cache_in(tmp_path / "other"):
        assert location() == tmp_path / "other" / "thawline" / "activations"
    assert location() == before


def test_a_gpu_that_computes_is_told_and_a_processor_that_does_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "SUBJECTS", (SMALL,))

    def refuse(_subject: Subject, metric: str, _blocks: int, _folder: Path, _device: torch.device) -> Row:
        raise NotCached(f"{metric}: cheaper to compute")

    told = every_depth(refuse, "cuda", uncached=1.0)
    assert [row["metric"] for row in told] == [f"small, {depth}" for depth in ("probe", "1 block", "2 blocks", "half")]
    assert {(row["value"], row["ok"]) for row in told} == {(1.0, None)}
    assert told[0]["note"] == "small, probe: cheaper to compute"
    with pytest.raises(NotCached, match="cheaper to compute"):
        every_depth(refuse, "cpu", uncached=1.0)


@pytest.mark.gpu
def test_the_speed_of_a_gpu_is_measured_too(tmp_path: Path) -> None:
    cuda = torch.device("cuda")
    assert prefix.row(SMALL, "probe", 0, tmp_path, rounds=1, device=cuda)["value"] > 0
    assert breakeven.row(SMALL, "1 block", 1, tmp_path, rounds=1, builds=1, device=cuda)["note"]
    assert bf16.step(SMALL, 1, cuda)["value"] > 0
    assert fusion.measured(8, rounds=1, device=cuda)[1]["ok"]


@pytest.mark.gpu
@pytest.mark.parametrize(("size", "stored", "goal"), exact.KINDS)
def test_the_cache_is_as_exact_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, stored: str, goal: float
) -> None:
    monkeypatch.setattr(worth, "SPEEDS", {"cpu": worth.Speed(operations=1, read=1e15, written=1e15, call=0)})
    row = exact.row(SMALL, "2 blocks", size, stored, goal, tmp_path, torch.device("cuda"))
    bound = 0.0 if goal == 0 else 1e-2  # convolutions round to TF32
    assert row["value"] <= bound, row
