"""Metrics, predictions, seeds and devices: small parts that every number rests on."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from trainables import devices, predictions
from trainables.metrics import METRICS
from trainables.seeds import seed_everything

ROOT = Path(__file__).parents[2]
LABELS, PREDICTED = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("accuracy", 3 / 4), ("macro_f1", (4 / 5 + 2 / 3) / 2)],
)
def test_a_metric_is_what_its_name_says(metric: str, expected: float) -> None:
    assert METRICS[metric](LABELS, PREDICTED) == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS)
def test_a_weight_counts_a_sample_as_often(metric: str) -> None:
    weights = np.array([1.0, 2.0, 0.0, 1.0])
    repeated = [0, 1, 1, 3]
    assert METRICS[metric](LABELS, PREDICTED, weights) == pytest.approx(
        METRICS[metric](LABELS[repeated], PREDICTED[repeated])
    )


@pytest.mark.parametrize("metric", METRICS)
def test_perfect_is_one_and_a_class_never_predicted_is_no_error(metric: str) -> None:
    assert METRICS[metric](LABELS, LABELS) == 1
    assert 0 <= METRICS[metric](LABELS, np.zeros(4, dtype=np.int64)) < 1


def test_predictions_come_back_in_the_order_of_the_split(tmp_path: Path) -> None:
    predictions.write(tmp_path / "new", "val", ["b", "a"], [1, 0], [1, 1])
    frame = predictions.read(tmp_path / "new", "val")
    assert frame.to_dict("list") == {"id": ["b", "a"], "label": [1, 0], "prediction": [1, 1]}


def drawn() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_a_seed_fixes_every_source_of_chance() -> None:
    draws = []
    for seed in (3, 3, 4, 2**40):
        seed_everything(seed)
        draws.append(drawn())
    assert draws[0] == draws[1]
    assert all(one != other for one, other in zip(draws[0], draws[2], strict=True))


def test_what_was_assigned_decides_and_not_what_is_visible() -> None:
    assert devices.choose(0).type == "cpu"
    assert devices.choose(1).type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("precision", "expected"), [("auto", torch.float32), ("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_a_cpu_computes_in_the_precision_asked_for(precision: str, expected: torch.dtype) -> None:
    with devices.autocast(precision, torch.device("cpu")):
        assert torch.nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == expected


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "expected"), [("auto", torch.bfloat16), ("fp32", torch.float32)])
def test_a_gpu_computes_in_bfloat16_unless_told_otherwise(precision: str, expected: torch.dtype) -> None:
    device = torch.device("cuda")
    with devices.autocast(precision, device):
        assert torch.nn.Linear(2, 2, device=device)(torch.zeros(1, 2, device=device)).dtype == expected


MEASURED = """
import torch
from trainables import devices

cpu = torch.device("cpu")
devices.forget_peak_memory(cpu)
before = devices.peak_memory_mb(cpu)
large = torch.ones(2**29, dtype=torch.uint8)
with_it = devices.peak_memory_mb(cpu)
del large
devices.forget_peak_memory(cpu)
print(before, with_it, devices.peak_memory_mb(cpu), devices.FORGET.exists())
"""


def test_peak_memory_is_in_megabytes_and_of_the_trial_at_hand() -> None:
    # In a process of its own: one that has freed much before would take the tensor's memory from that.
    done = subprocess.run([sys.executable, "-c", MEASURED], cwd=ROOT, capture_output=True, text=True, check=True)
    before, with_it, after, forgets = done.stdout.split()
    assert 20 < float(before) < 2**20
    assert float(with_it) > float(before) + 400
    if forgets == "True":
        assert float(after) < float(before) + 400
