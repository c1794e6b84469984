"""Trials that two workers train together, by Ray Train: one worker's numbers, and the same end in every case."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from search.again import attributes_of
from search.layering import resolve
from search.proposals import Proposal
from search.results.load import load
from search.setup import template
from spaces.strategy import Full, Probe, Strategy, Top, to_point
from tests.end_to_end.tiny import MODULE, STUDY, write_project

# Without batch normalisation, of which each worker would see its own part.
CALM = MODULE.replace("self.norm = nn.BatchNorm2d(width)", "self.norm = nn.Identity()")
TWO = STUDY.replace("{concurrent: 1}", "{concurrent: 1, workers_per_trial: 2}")
FORWARD = "    def forward(self, x):\n        return self.head"
# What befalls a trial is told by what of its network trains, and on which worker; a mark says that it has happened.
BEFALLS = """\
    def forward(self, x):
        import os, pathlib, signal

        from torch import distributed

        second = distributed.is_initialized() and distributed.get_rank() == 1
        trains = [unit.convolution.weight.requires_grad for unit in self.units]
        mark = pathlib.Path(__file__).with_name("died")
        self.calls = getattr(self, "calls", 0) + torch.is_grad_enabled()
        if second and trains == [False, False, True] and self.calls == 5 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if second and trains == [False, True, True]:
            raise ValueError("two blocks are too many")
        if second and trains == [True, True, True] and torch.is_grad_enabled() and len(x) > 8:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\\nmore about it")
        return self.head"""
ONE, BOTH, FULL = (Strategy(freezing, 0.01, lr_ratio=1.0, weight_decay=1e-4) for freezing in (Top(1), Top(2), Full()))
PROBE = Strategy(Probe(), 0.01)


def carry_out(folder: Path, name: str, module: str, strategies: list[Strategy], rungs: Any = None) -> Any:
    """Train ``strategies`` as search trials, two workers each; return the template of their orders."""
    from search.sampler import StudySearcher
    from search.tuner import carry_out, slots

    resolved = resolve(write_project(folder, name=name, module=module, study=TWO))
    queue = [Proposal(strategy, "search", 0) for strategy in strategies]
    searcher = StudySearcher(folder, "search", template(resolved), queue, rungs=rungs)
    room = slots(resolved.config.resources)
    assert (room.concurrent, room.workers) == (1, 2)
    carry_out(searcher, rungs, room, len(queue))
    return template(resolved)


def alone(config: Any, strategy: Strategy, **changes: Any) -> list[tuple[float, float, float]]:
    """Return what each epoch measures when one worker trains the trial, here."""
    from trainables.loop import train
    from trainables.run import build

    own = config.model_copy(update={"strategy": to_point(strategy), "seed": 0, **changes})
    return [(epoch.train_loss, epoch.val_loss, epoch.score) for epoch in train(build(own))]


def recorded(folder: Path, trial: str) -> list[tuple[float, float, float]]:
    _, epochs = load(folder)
    own = epochs[epochs["trial"] == trial]
    return list(own[["train_loss", "val_loss", "score"]].itertuples(index=False, name=None))


def rows_of(folder: Path) -> pd.DataFrame:
    trials, _ = load(folder)
    return trials.set_index("key")


@pytest.mark.slow
def test_two_workers_give_the_numbers_of_one_and_stay_for_the_next_trial(local_ray: None, tmp_path: Path) -> None:
    started = time.monotonic()
    config = carry_out(tmp_path, "calm", CALM, [ONE, FULL, PROBE])
    print(f"three trials: {time.monotonic() - started:.0f} s")
    rows = rows_of(tmp_path)
    assert list(rows["state"]) == ["complete"] * 3
    assert list(rows["certificate"]) == ["ok", "none", "ok"]
    for strategy in (ONE, FULL, PROBE):
        trial = str(rows.loc[strategy.key, "trial"])
        assert attributes_of(tmp_path, trial)["computing"]["workers"] == 2
        for one, two in zip(alone(config, strategy), recorded(tmp_path, trial), strict=True):
            assert two == pytest.approx(one, rel=1e-4)
