"""What is done about a trial's error, and how often."""

from __future__ import annotations

import optuna
import pytest
import torch
from ray.exceptions import ActorDiedError, ActorUnavailableError, NodeDiedError, OutOfMemoryError

from search import record
from search.faults import Lost, Remedy, reason, remedy
from search.proposals import Proposal
from search.record import MOST_MOVES, Live
from spaces.strategy import Probe, Strategy

RESULT = {"score": 0.5, "seconds": 1.0, "train_loss": 1.0, "val_loss": 1.0, "cost": 1.0}


def out_of_cpu_memory() -> RuntimeError:
    """Return what torch raises where it gets no memory: not its class for that, which is CUDA's alone."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**16)
    return caught.value


@pytest.mark.parametrize(
    ("error", "wanted", "told"),
    [
        (ValueError("a\nb"), Remedy.FAIL, "ValueError: a"),
        (torch.OutOfMemoryError("CUDA out of memory"), Remedy.HALVE, "OutOfMemoryError: CUDA out of memory"),
        (out_of_cpu_memory(), Remedy.HALVE, "RuntimeError: [enforce fail at alloc_cpu.cpp"),
        (RuntimeError("CUDA error: out of memory"), Remedy.HALVE, "RuntimeError: CUDA error: out of memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), Remedy.HALVE, "RuntimeError: CUDA error: CUBLAS"),
        (RuntimeError("CUDA error: invalid device ordinal"), Remedy.FAIL, "RuntimeError: CUDA error: invalid"),
        (OutOfMemoryError("killed by the node"), Remedy.RETRY, "the worker died"),
        (ActorDiedError(), Remedy.RETRY, "the worker died"),
        (Lost("actor never started"), Remedy.RETRY, "the worker died"),
        (NodeDiedError("lost"), Remedy.MOVE, "its machine went away"),
        (ActorUnavailableError("Socket closed", None), Remedy.MOVE, "its machine went away"),
        (Lost("The actor's node was terminated expectedly"), Remedy.MOVE, "its machine went away"),
        (Lost("The actor died because its node has died"), Remedy.MOVE, "its machine went away"),
    ],
)
def test_an_error_has_its_remedy_and_its_words(error: Exception, wanted: Remedy, told: str) -> None:
    assert remedy(error) is wanted
    assert reason(error).startswith(told)


def live(what: Remedy) -> Live:
    trial = optuna.create_study().ask()
    return Live(trial, Proposal(Strategy(Probe(), head_lr=1e-3), "search", 0), remedy=what)


def test_a_trial_that_loses_its_machines_goes_on_as_long_as_it_gets_further() -> None:
    trial = live(Remedy.MOVE)
    for epoch in range(1, 3 * MOST_MOVES):
        assert record.may_go_on(trial)
        record.retry(trial)
        record.epoch(trial, RESULT | {"epoch": epoch})
    for _ in range(MOST_MOVES):
        assert record.may_go_on(trial)
        record.retry(trial)
    assert not record.may_go_on(trial)
    assert trial.trial.user_attrs["moved"] == {"after": 3 * MOST_MOVES - 1, "times": MOST_MOVES}
    assert "retried" not in trial.trial.user_attrs


@pytest.mark.parametrize(("what", "times"), [(Remedy.RETRY, 1), (Remedy.HALVE, 1), (Remedy.FAIL, 0), (Remedy.STOP, 0)])
def test_other_errors_are_tried_again_once_or_not_at_all(what: Remedy, times: int) -> None:
    trial, tried = live(what), 0
    while record.may_go_on(trial):
        record.retry(trial)
        record.epoch(trial, RESULT | {"epoch": tried + 1})
        tried += 1
    assert tried == times
