"""What a study does right now, on a terminal: one more reader of the events that `search.progress` writes.

Shown only where standard error is a terminal; elsewhere the events stay plain lines. Whatever ends the
study, the terminal is left as it was, with the last picture above what is printed next.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.progress import Event, Progress, duration

LAST = 6  # events
MOST_RUNNING = 8  # rows
REFRESHES = 2  # a second


@dataclass
class Board:
    """Where the study stands, by the events so far."""

    title: str
    metric: str
    clock: Callable[[], float] = time.monotonic
    stage: str = "starting Ray, measuring for the rule"
    total: int = 0
    ended: int = 0
    workers: int = 0
    best: float | None = None
    best_words: str = ""
    left: float | None = None  # seconds, when the last event came
    at: float = 0.0
    running: dict[str, Event] = field(default_factory=dict)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)  # by stratum
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST))

    def read(self, event: Event, line: str) -> None:
        """Take in one event and the line that says it."""
        self.at, self.left = self.clock(), event["seconds_left"]
        self.total, self.ended, self.workers = event["total"], event["ended"], event["workers"]
        if event["best"] != self.best and "strategy" in event:
            self.best_words = event["strategy"]
        self.best = event["best"]
        match event["event"]:
            case "stage":
                self.stage = event["stage"]
                self.running.clear()
                self.outcomes.clear()
            case "trial_begin" | "epoch":
                self.running[event["trial"]] = event
            case "rung":
                self.running[event["trial"]] = event
                self._count(event, f"past rung {event['rung']}")
            case "trial_end":
                self.running.pop(event["trial"], None)
                self._count(event, event["state"])
        if line:
            self.last.append(_short(line.strip(), event))

    def seconds_left(self) -> float | None:
        """Return the time left by now."""
        return None if self.left is None else max(0.0, self.left - (self.clock() - self.at))

    def _count(self, event: Event, outcome: str) -> None:
        self.outcomes.setdefault(event["stratum"], Counter())[outcome] += 1


def rendered(board: Board) -> RenderableType:
    """Return the picture of a board."""
    parts = [_head(board)]
    if board.running:
        parts.append(_running(board))
    if board.outcomes:
        parts.append(_outcomes(board))
    if board.last:
        parts.append(Text("\n".join(board.last), style="dim", no_wrap=True, overflow="ellipsis"))
    return Panel(Group(*parts), title=Text(board.title), title_align="left", border_style="dim", padding=(0, 1))


@contextmanager
def shown(progress: Progress, title: str) -> Iterator[None]:
    """Show the events on the terminal while the block runs, if they are for people and there is a terminal."""
    console = Console(stderr=True)
    if progress.quiet or progress.as_json or not console.is_terminal or console.is_dumb_terminal:
        yield
        return
    board, lock = Board(title, progress.metric), threading.Lock()

    def read(event: Event, line: str) -> None:
        with lock:
            board.read(event, line)

    def picture() -> RenderableType:
        with lock:
            return rendered(board)

    # What is printed in between goes above the picture; standard output only if it is this terminal too.
    same = sys.stdout.isatty()
    with Live(console=console, get_renderable=picture, refresh_per_second=REFRESHES, redirect_stdout=same):
        progress.reader = read
        try:
            yield
        finally:
            progress.reader = None


def _head(board: Board) -> RenderableType:
    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    left = board.seconds_left()
    told = "" if left is None or board.ended >= board.total else f"about {duration(left)} left"
    counted = f"{board.stage} {board.ended}/{board.total}" if board.total else board.stage
    bar = ProgressBar(total=board.total, completed=min(board.ended, board.total)) if board.total else Text()
    grid.add_row(Text(counted, style="bold"), bar, Text(told))
    busy = f"{len(board.running)} of {board.workers} workers busy" if board.workers else ""
    best = f"best {board.metric} {board.best:.4f}" if board.best is not None else "no trial at the last epoch yet"
    grid.add_row(Text(best, style="green" if board.best is not None else "dim"), _brief(board.best_words), Text(busy))
    return grid


def _running(board: Board) -> RenderableType:
    table = _table("trial", "strategy", "epoch", board.metric)
    rows = list(board.running.values())
    for event in rows[:MOST_RUNNING]:
        score = event.get("score")
        reached = f"{score:.4f}" if isinstance(score, float) and score == score else "-"
        table.add_row(
            Text(str(event["trial"])),
            _brief(event["strategy"]),
            Text(f"{event['epoch']}/{event['epochs']}"),
            Text(reached),
        )
    if len(rows) > MOST_RUNNING:
        table.add_row(Text("…"), Text(f"and {len(rows) - MOST_RUNNING} more", style="dim"), Text(), Text())
    return table


def _outcomes(board: Board) -> RenderableType:
    names = sorted({name for counted in board.outcomes.values() for name in counted}, key=_order)
    table = _table("stratum", *names)
    for stratum, counted in board.outcomes.items():
        table.add_row(Text(stratum), *(Text(str(counted[name] or "·")) for name in names))
    return table


def _order(name: str) -> tuple[int, str]:
    known = {"pruned": 1, "complete": 2, "failed": 3}
    return known.get(name, 0), name


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    table.add_column(Text(first), no_wrap=True)
    for name in others:
        table.add_column(Text(name), justify="left" if name == "strategy" else "right", no_wrap=True)
    return table


def _short(line: str, event: Event) -> str:
    """Return an event's line without what the picture shows elsewhere: how it ended would be cut off else."""
    if event["event"] != "trial_end":
        return line
    return line.replace(f": {event['strategy']};", ":").partition(" | ")[0]


def _brief(words: Any) -> Text:
    return Text(str(words), no_wrap=True, overflow="ellipsis")
