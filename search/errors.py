"""What goes wrong, as the user sees it: a sentence on stderr and an exit code."""

from __future__ import annotations

import errno
import shlex
from enum import IntEnum
from pathlib import Path

from spaces.errors import BadInput

RECORDS = ("optuna.journal", "optuna.json")  # what a run folder is known by: its journal, or where its database is


def again(verb: str, place: object, more: str = "") -> str:
    """Return the command that does ``verb`` with a run or a study file, as it can be pasted into a shell."""
    return " ".join(filter(None, ("thawline", verb, shlex.quote(str(place)), more)))


class ExitCode(IntEnum):
    """What the command returns to the shell."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NO_TRIAL = 3
    CLUSTER = 4
    INTERRUPTED = 130


class StudyFailed(Exception):
    """A study that cannot go on, for a reason the user can act on."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def __reduce__(self) -> tuple[type[StudyFailed], tuple[str, ExitCode]]:
        """Survive the way from a worker process to the driver."""
        return type(self), (self.message, self.code)


def concerns(error: OSError, run_dir: Path) -> bool:
    """Tell whether ``error`` is about writing ``run_dir``, and not about a file of the user's."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
    return full or Path(str(error.filename)).absolute().is_relative_to(run_dir.absolute())


def unwritable(run_dir: Path, error: BaseException) -> StudyFailed:
    """Return the one sentence about a run folder that cannot be written."""
    error = getattr(error, "cause", None) or error  # below what Ray wraps around it
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    kept = "what is recorded stays readable; make room or make it writable, then"
    return StudyFailed(f"the run folder {run_dir} cannot be written: {why}; {kept} {again('resume', run_dir)}")


def explain(error: BaseException) -> tuple[str, ExitCode] | None:
    """Return the text for stderr and the exit code; None for an error that is ours and needs its traceback."""
    match error:
        case BadInput(problems=problems):
            lines = [f"error: {problem}" for problem in problems]
            count = [f"{len(problems)} problems; nothing was started."] if len(problems) > 1 else []
            return "\n".join([*lines, *count]), ExitCode.USAGE
        case StudyFailed(message=message, code=code):
            return f"error: {message}", code
        case KeyboardInterrupt():
            return "interrupted", ExitCode.INTERRUPTED
    return None


def require_run(run_dir: Path) -> None:
    """Refuse a folder that holds no run.

    Raises:
        BadInput: it has neither a journal nor the pointer to a database.
    """
    if not any((run_dir / name).is_file() for name in RECORDS):
        raise BadInput.at(str(run_dir), "is no run folder: it holds no optuna.journal (thawline ls runs lists them)")
