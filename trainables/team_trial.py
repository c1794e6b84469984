"""One trial trained by several workers together, as Ray Tune sees it: `torch.distributed`, brought up by Ray Train.

One run of Ray Train serves all trials of a slot, one after the other: its workers stay warm. They train an epoch
when they are told to, so that a trial that is stopped costs nothing beyond its last epoch.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import ray
from ray import cloudpickle, tune
from ray.exceptions import RayError, RayTaskError

from trainables import devices
from trainables.mailbox import Failure, Mailbox
from trainables.order import Order, Result, results
from trainables.team import Team, TeamBroken
from trainables.trial import forget

LOOK = 1.0  # seconds between two looks at whether the team is still there
GOODBYE = 15.0  # seconds in which workers may end by themselves
LONGEST_WAIT = 24 * 3600  # seconds for a slower worker; of one that is gone Ray Train tells within seconds
GO_ON = "go on"
# Read by Ray Train where a run of it begins.
ENVIRONMENT = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # it would start the workers anew; the search hands a trial out again
    "RAY_TRAIN_METRICS_ENABLED": "0",
}


class WorkerLost(RayError):
    """A worker of the team died; the words are Ray's."""


@dataclass(frozen=True)
class Members:
    """How many workers train a trial, and what each of them gets."""

    workers: int
    cpus: float
    gpus: float


class TeamTrial(tune.Trainable):
    """Trains one strategy, an epoch a step, with a team that goes on to the next trial when it is done."""

    def setup(self, config: dict[str, Any], members: Members) -> None:
        """Take the order; the team is started with the first step, where an error belongs to the trial."""
        self._members = members
        self._team: Running | None = None
        self._message: dict[str, Any] | str = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next order; the team forgets the finished trial with it."""
        self._message = new_config
        return True

    def step(self) -> Result:
        """Have one epoch trained."""
        self._team = self._team or Running(self._members)
        result = self._team.do(self._message)
        self._message = GO_ON
        return result | {"should_checkpoint": False}

    def cleanup(self) -> None:
        """Send the team home."""
        if self._team:
            self._team.end()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Keep nothing: Tune's own checkpoints are not used."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Load nothing, as nothing was kept."""


class Running:
    """A team at work, in a run of Ray Train that a thread of this process waits for."""

    def __init__(self, members: Members) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._members = members
        self._box = ray.remote(num_cpus=0)(Mailbox).remote()
        self._failed = False
        self._end: BaseException | None = None
        self._thread = threading.Thread(target=self._attend, name="team", daemon=True)
        self._thread.start()

    def do(self, message: dict[str, Any] | str) -> Result:
        """Hand the team a message and return its answer, the epoch's result.

        Raises:
            WorkerLost: a worker died. What a worker raised is raised here as Ray raises what a task did.
        """
        answer = self._box.answer_to.remote(ray.get(self._box.tell.remote(message)))
        while not ray.wait([answer], timeout=LOOK)[0]:
            if not self._thread.is_alive() and not ray.wait([answer], timeout=0)[0]:
                self._failed = True
                raise WorkerLost(f"a worker of the team died: {self._end}")
        found = ray.get(answer)
        if isinstance(found, Failure):
            self._failed = True
            self._thread.join(GOODBYE)  # Ray Train ends the others, and clears up behind them
            raise _raised(found)
        return dict(found)

    def end(self) -> None:
        """Let the workers end; what is left of a team that failed ends with this process."""
        if not self._failed:
            self._box.tell.remote(None)
            self._thread.join(GOODBYE)

    def _attend(self) -> None:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        gpus = self._members.gpus
        folder = tempfile.mkdtemp(prefix="thawline-team-")  # Train insists on one; nothing in it is ever read
        try:
            TorchTrainer(
                work,
                train_loop_config={"box": self._box, "gpus": gpus},
                torch_config=TorchConfig(backend="nccl" if gpus else "gloo", timeout_s=LONGEST_WAIT),
                scaling_config=ScalingConfig(
                    num_workers=self._members.workers,
                    use_gpu=gpus > 0,
                    resources_per_worker={"CPU": self._members.cpus} | ({"GPU": gpus} if gpus else {}),
                ),
                # What befalls a trial is dealt with by the search, in one way for one worker and for several.
                run_config=RunConfig(
                    name="team",
                    storage_path=folder,
                    failure_config=FailureConfig(max_failures=0, max_preemption_failures=0),
                ),
            ).fit()
        except BaseException as error:
            self._end = error
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def work(given: dict[str, Any]) -> None:
    """Train an epoch for every message: of a new trial where it is an order, else of the one at hand; None ends it."""
    from ray.train import get_context

    device = devices.choose(given["gpus"])
    team = Team(get_context().get_world_rank(), get_context().get_world_size(), device)
    box, epochs = given["box"], _none()
    for number in count():
        message = ray.get(box.read.remote(number))
        if message is None:
            return
        try:
            if message != GO_ON:
                epochs = _none()
                forget()
                epochs = results(Order.read(message), device, team)
            result = next(epochs)
        except TeamBroken:  # whoever is to blame has said why, or died
            raise
        except Exception as error:
            failure = _failure(error)
            ray.get(box.fail.remote(failure))
            team.leave()
            raise RuntimeError(failure.words) from None
        if team.leads:
            ray.get(box.answer.remote(number, result))


def _none() -> Iterator[Result]:
    return iter(())


def _failure(error: Exception) -> Failure:
    words = f"{type(error).__name__}: {error}"
    told = RayTaskError("work", traceback.format_exc(), error)
    try:
        return Failure(cloudpickle.dumps(told), words)
    except Exception:  # whatever a class of the user's own makes of being pickled
        return Failure(b"", words)


def _raised(failure: Failure) -> BaseException:
    """Return the worker's error; one of its kind in words alone where it cannot be made again here."""
    try:
        told: RayTaskError = cloudpickle.loads(failure.pickled)
    except Exception:  # its class is known on the worker's machine alone, or was not pickled
        return RuntimeError(failure.words)
    error: BaseException = told.as_instanceof_cause()
    return error
