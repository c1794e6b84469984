"""What a study says while it runs: one writer of events; plain lines, JSON lines or a live view read them."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

VERSION = 1
Event = dict[str, Any]
Tell = Callable[[Event], None]
Reader = Callable[[Event, str], None]  # an event with where the stage stands, and its plain line


def silent(_event: Event) -> None:
    """Say nothing."""


@dataclass
class Progress:
    """Turns events into lines; keeps the best score so far and the time left."""

    total: int
    metric: str
    mode: str = "max"
    as_json: bool = False
    quiet: bool = False
    best: float | None = None
    ended: int = 0
    before: int = 0  # ended in an earlier session
    stage: str = ""
    workers: int = 0  # trials at once
    reader: Reader | None = None  # takes the events in the place of plain lines
    started: float = field(default_factory=time.monotonic)

    def begin(self, stage: str, total: int, ended: int = 0) -> None:
        """Start counting a stage of ``total`` trials, of which an earlier session has ``ended`` some."""
        self.stage, self.total, self.ended, self.before = stage, total, ended, ended
        self.started = time.monotonic()
        self({"event": "stage", "stage": stage, "total": total, "ended": ended})

    def expect(self, more: int) -> None:
        """Count ``more`` trials of the stage that is going on: how many there are shows only as it goes."""
        self.total += more
        self({"event": "note", "message": f"{self.stage}: {more} more trials for what may still be the best"})

    def __call__(self, event: Event) -> None:
        """Write one event."""
        self._count(event)
        if self.quiet:
            return
        stands = {"best": self.best, "seconds_left": self._left()}
        if self.as_json:
            clean = {k: (None if isinstance(v, float) and not math.isfinite(v) else v) for k, v in event.items()}
            print(json.dumps({"v": VERSION, **clean, **stands}), flush=True)
        elif self.reader:
            counts = {"total": self.total, "ended": self.ended, "workers": self.workers}
            self.reader({**event, **stands, **counts}, self._line(event))
        elif line := self._line(event):
            print(line, file=sys.stderr, flush=True)

    def _count(self, event: Event) -> None:
        self.ended += event["event"] == "trial_end"
        score = event.get("score")
        full = event["event"] == "trial_end" and event.get("state") == "complete" and event.get("stage") == "search"
        if full and score is not None and math.isfinite(score):
            better = self.best is None or (score > self.best if self.mode == "max" else score < self.best)
            self.best = score if better else self.best

    def _left(self) -> float | None:
        here = self.ended - self.before
        if not here:
            return None
        return round((time.monotonic() - self.started) / here * max(0, self.total - self.ended), 1)

    def _line(self, event: Event) -> str:
        match event["event"]:
            case "stage":
                ended = f", {event['ended']} of them ended before" if event.get("ended") else ""
                return f"{event['stage']}: {event['total']} trials{ended}"
            case "rung":
                return f"  trial {event['trial']} {event['stratum']} {self._where(event)} goes on"
            case "trial_end":
                return f"{self._head(event)} {self._outcome(event)}{self._tail()}"
            case "warning":
                return f"warning: {event['message']}"
            case "note":
                return str(event["message"])
        return ""

    def _head(self, event: Event) -> str:
        return f"[{self.ended}/{self.total}] trial {event['trial']} {event['stratum']}: {event['strategy']};"

    def _outcome(self, event: Event) -> str:
        match event["state"]:
            case "failed":
                return f"failed: {event['reason']}"
            case "pruned":
                return f"stopped at {self._where(event)}"
        return self._where(event)

    def _where(self, event: Event) -> str:
        rung = f"rung {event['rung']}/{event['rungs']} " if event.get("rung") else ""
        return f"{rung}epoch {event['epoch']}/{event['epochs']} {self.metric} {event['score']:.4f}"

    def _tail(self) -> str:
        best = f" | best {self.best:.4f}" if self.best is not None else ""
        left = self._left()
        return best + (f" | {duration(left)} left" if left is not None and self.ended < self.total else "")


def duration(seconds: float) -> str:
    """Return a time left, in seconds or minutes."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
