"""What a trial's error was, in a line, and what is to be done about it."""

from __future__ import annotations

import re
import traceback
from enum import Enum
from pathlib import Path

import torch
from ray.exceptions import ActorUnavailableError, NodeDiedError, RayError

from search.database import lost
from search.errors import unwritable
from trainables.files import Unwritable

COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # Ray colours its tracebacks
DIED, GONE = "the worker died", "its machine went away"
# Of errors that torch has no class for: the CPU's memory, and CUDA's libraries that ask for some of their own.
OUT_OF_MEMORY = re.compile(
    r"DefaultCPUAllocator: (can't allocate|not enough) memory|CUDA error: out of memory|_STATUS_ALLOC_FAILED"
)
NODE_DIED = re.compile(r"\bnode (has died|was terminated)")  # Ray's words for it, in errors of several classes


class Lost(Exception):
    """A trial ended for a reason that is neither its code's nor its worker's; Tune's own words are all there is."""


class Remedy(Enum):
    """What is done about a trial's error. Whenever it is tried again, it goes on from its last checkpoint."""

    FAIL = "it would fail again in the same way"
    RETRY = "its worker died, of which the trial may be innocent: once again"
    HALVE = "memory ran out: once again, each batch in twice as many parts"
    MOVE = "its machine went away, as spot machines do: again elsewhere, as long as it gets further"
    STOP = "nothing can be kept: the study stops, the trial stays as it was"


def remedy(error: BaseException | None) -> Remedy:
    """Choose what to do about what a trial's worker raised, or died of."""
    match cause_of(error):
        case Unwritable():
            return Remedy.STOP
        case torch.OutOfMemoryError() | MemoryError():
            return Remedy.HALVE
        case RuntimeError() as cause if OUT_OF_MEMORY.search(str(cause)):
            return Remedy.HALVE
        case RayError() | Lost() as cause:
            return Remedy.MOVE if _machine_is_gone(cause) else Remedy.RETRY
    return Remedy.FAIL


def reason(error: BaseException | None) -> str:
    """Return the error's kind and its first line."""
    cause = cause_of(error)
    if cause is None or isinstance(cause, RayError | Lost):
        return GONE if cause and _machine_is_gone(cause) else DIED
    first = (str(cause).strip() or "no message").splitlines()[0]
    return f"{type(cause).__name__}: {first}"


def _machine_is_gone(cause: BaseException) -> bool:
    """Tell a lost machine from a lost worker, whose death its machine reports within a second.

    Until Ray takes a silent machine for lost, what ran there is `ActorUnavailableError` to it.
    """
    return isinstance(cause, NodeDiedError | ActorUnavailableError) or bool(NODE_DIED.search(str(cause)))


def stopped_by(fault: Exception, run_dir: Path) -> Exception:
    """Return the error of a study that had to stop: a sentence where the run folder is why, else the fault itself."""
    cause = cause_of(fault)
    if isinstance(cause, OSError | Unwritable):
        return unwritable(run_dir, cause)
    return lost(fault, run_dir) or fault


def cause_of(error: BaseException | None) -> BaseException | None:
    """Return what the user's code raised, below what Ray wraps around it."""
    cause: BaseException | None = getattr(error, "cause", None) or error
    return cause


def keep_traceback(run_dir: Path, label: str, error: BaseException | None) -> None:
    """Write ``logs/trial-<label>.txt``."""
    log = run_dir / "logs" / f"trial-{label}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    told = "".join(traceback.format_exception(error)) if error else "no traceback\n"
    log.write_text(COLOUR.sub("", told), encoding="utf-8")
