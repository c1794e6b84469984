"""Between a trial and the workers of its team: what they are told, in order, and what comes back. No torch, no Ray.

Lives in a process of its own, in which Ray makes its methods callable from the others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Failure:
    """What a worker raised: pickled, and in words for where its class is not known."""

    pickled: bytes
    words: str


@dataclass
class Mailbox:
    """Messages are numbered from 0; each is read by every worker and answered once."""

    _told: list[Any] = field(default_factory=list)
    _answers: dict[int, Any] = field(default_factory=dict)
    _failure: Failure | None = None
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def tell(self, message: Any) -> int:
        """Leave a message for the workers; return its number."""
        async with self._news:
            self._told.append(message)
            self._news.notify_all()
            return len(self._told) - 1

    async def read(self, number: int) -> Any:
        """Return a message, as soon as there is one of that number."""
        async with self._news:
            await self._news.wait_for(lambda: len(self._told) > number)
            return self._told[number]

    async def answer(self, number: int, answer: Any) -> None:
        """Leave the answer to a message."""
        async with self._news:
            self._answers[number] = answer
            self._news.notify_all()

    async def fail(self, failure: Failure) -> None:
        """Leave word of why there will be no more answers; the first one stands."""
        async with self._news:
            self._failure = self._failure or failure
            self._news.notify_all()

    async def answer_to(self, number: int) -> Any:
        """Return the answer to a message, once and as soon as it is there, or the failure that came in its place."""
        async with self._news:
            await self._news.wait_for(lambda: number in self._answers or self._failure is not None)
            return self._answers.pop(number, self._failure)
