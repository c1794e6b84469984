"""What goes wrong, as the user sees it: a sentence on stderr and an exit code."""

from __future__ import annotations

from enum import IntEnum

from spaces.errors import BadInput


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
