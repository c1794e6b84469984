"""The one way to tell a user that the input is wrong: place, value, what is allowed, the way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands and a whole sentence about it."""

    place: str
    message: str

    def __str__(self) -> str:
        """Return ``place: message``, or the message alone where there is no place."""
        return f"{self.place}: {self.message}" if self.place else self.message


class BadInput(ValueError):
    """The user's input cannot be used. Carries every problem found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[BadInput], tuple[tuple[Problem, ...]]]:
        """Survive the way from a worker process to the driver."""
        return type(self), (self.problems,)

    @classmethod
    def at(cls, place: str, message: str) -> BadInput:
        """Build the error of a single problem."""
        return cls([Problem(place, message)])
