"""The live view: it shows what the events say, and leaves the terminal as it was."""

from __future__ import annotations

import io
import math
import sys
from typing import Any

import pytest
from rich.console import Console

from search import live
from search.live import Board, rendered, shown
from search.progress import Event, Progress

STRATEGY = "top 2, head LR 0.001, backbone LR x0.1 [not markup]"
BASE: Event = {
    **{"stage": "search", "stratum": "direct", "strategy": STRATEGY, "epoch": 0, "epochs": 6, "score": math.nan},
    **{"rung": None, "rungs": 2, "reason": None},
}


def event(kind: str, trial: str, **more: Any) -> Event:
    return {**BASE, "event": kind, "trial": trial, **more}


EVENTS = (
    event("trial_begin", "0"),
    event("trial_begin", "1"),
    event("epoch", "0", epoch=1, score=0.5),
    event("rung", "0", epoch=2, score=0.625, rung=1),
    event("trial_end", "1", epoch=2, score=0.3, rung=1, state="pruned"),
    event("trial_end", "0", epoch=6, score=0.75, state="complete"),
    event("trial_begin", "2", stratum="head", strategy="probe, head LR 0.01"),
    event("trial_end", "3", stratum="head", state="failed", reason="out of memory"),
    event("epoch", "2", stratum="head", strategy="probe, head LR 0.01", epoch=4, score=0.8125),
)


def fed(events: tuple[Event, ...] = EVENTS) -> Board:
    """Return the board after ``events``, as the one writer hands them on."""
    board = Board("flowers", "accuracy")
    progress = Progress(0, "accuracy", workers=2, reader=board.read)
    progress.begin("search", 8)
    for each in events:
        progress(each)
    return board


def picture(board: Board, width: int = 110) -> str:
    console = Console(file=io.StringIO(), record=True, width=width, force_terminal=True)
    console.print(rendered(board))
    return console.export_text()


def test_it_shows_the_stage_the_best_the_workers_and_the_time_left() -> None:
    text = picture(fed())
    assert "flowers" in text
    assert "search 3/8" in text
    assert "best accuracy 0.7500" in text
    assert "1 of 2 workers busy" in text
    assert "left" in text


def test_a_trial_that_trains_has_a_row_with_its_epoch_and_its_score() -> None:
    row = next(line for line in picture(fed()).splitlines() if "4/6" in line)
    assert row.split()[1:3] == ["2", "probe,"]
    assert "0.8125" in row


def test_a_trial_that_ended_has_none() -> None:
    assert set(fed().running) == {"2"}


def test_each_stratum_counts_its_rungs_and_its_ends() -> None:
    board = fed()
    assert board.outcomes["direct"] == {"past rung 1": 1, "pruned": 1, "complete": 1}
    assert board.outcomes["head"] == {"failed": 1}
    heads = next(line for line in picture(board).splitlines() if "stratum" in line)
    assert heads.split("│")[1].split() == ["stratum", "past", "rung", "1", "pruned", "complete", "failed"]


def test_the_last_events_stand_below_as_plain_lines_say_them() -> None:
    text = picture(fed())
    assert "trial 3 head: probe" not in text  # the event above names the strategy of its own
    assert "failed: out of memory" in text
    assert "stopped at rung 1/2 epoch 2/6" in text


def test_how_a_trial_ended_fits_the_line_whatever_its_strategy_is_called() -> None:
    long = "from blocks 1 to 9, head LR 0.000832, backbone LR x0.188, layer decay 0.75, top 1 re-initialised"
    told = fed((*EVENTS, event("trial_end", "4", strategy=long, epoch=2, score=0.3, rung=1, state="pruned")))
    assert told.last[-1] == "[4/8] trial 4 direct: stopped at rung 1/2 epoch 2/6 accuracy 0.3000"
    assert told.last[-1] in picture(told, 80)


def test_before_the_first_stage_nothing_is_counted_and_no_table_is_empty() -> None:
    text = picture(Board("flowers", "accuracy"))
    assert "starting" in text
    assert "0/0" not in text
    assert "strategy" not in text


def test_only_the_last_events_are_kept() -> None:
    board = fed(EVENTS * 5)
    assert len(board.last) == live.LAST


def test_the_time_left_runs_down_between_events() -> None:
    now = [100.0]
    board = Board("flowers", "accuracy", clock=lambda: now[0])
    board.read({"event": "note", "seconds_left": 60.0, "total": 4, "ended": 1, "workers": 1, "best": None}, "")
    now[0] = 115.0
    assert board.seconds_left() == 45.0
    now[0] = 500.0
    assert board.seconds_left() == 0.0


def test_another_stage_starts_anew() -> None:
    board = fed()
    progress = Progress(0, "accuracy", reader=board.read)
    progress.begin("confirmation", 12)
    assert (board.stage, board.total, board.running, board.outcomes) == ("confirmation", 12, {}, {})


@pytest.mark.parametrize("width", [20, 60, 200])
def test_every_line_fits_the_terminal(width: int) -> None:
    assert all(len(line) <= width for line in picture(fed(), width).splitlines())


def test_more_running_trials_than_rows_are_counted() -> None:
    board = fed(tuple(event("trial_begin", str(number)) for number in range(live.MOST_RUNNING + 5)))
    assert "and 5 more" in picture(board)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return what stands in for the terminal; not a fixture, as pytest takes standard error again after those."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    return screen


SHOW, HIDE = "\x1b[?25h", "\x1b[?25l"


def test_on_a_terminal_the_events_become_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    progress = Progress(2, "accuracy")
    with shown(progress, "flowers"):
        progress(event("trial_end", "0", epoch=6, score=0.75, state="complete"))
    assert progress.reader is None
    assert "flowers" in terminal.getvalue()
    assert "0.7500" in terminal.getvalue()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_whatever_ends_it_the_terminal_is_left_clean(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    terminal = terminal_of(monkeypatch)
    progress = Progress(2, "accuracy")

    def interrupted() -> None:
        with shown(progress, "flowers"):
            progress(event("trial_begin", "0"))
            raise error

    with pytest.raises(error):
        interrupted()
    written = terminal.getvalue()
    assert written.count(HIDE) == written.count(SHOW) == 1
    assert written.rindex(SHOW) > written.rindex(HIDE)
    assert sys.stderr is terminal
    progress(event("trial_end", "0", epoch=6, score=0.75, state="complete"))
    assert "[1/2] trial 0" in terminal.getvalue().rpartition(SHOW)[2]


@pytest.mark.parametrize("options", [{"as_json": True}, {"quiet": True}])
def test_json_and_quiet_have_no_picture(monkeypatch: pytest.MonkeyPatch, options: dict[str, bool]) -> None:
    terminal = terminal_of(monkeypatch)
    progress = Progress(2, "accuracy", **options)
    with shown(progress, "flowers"):
        assert progress.reader is None
    assert terminal.getvalue() == ""


def test_elsewhere_the_events_stay_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(2, "accuracy")
    with shown(progress, "flowers"):
        progress(event("trial_end", "0", epoch=6, score=0.75, state="complete"))
    told = capsys.readouterr().err
    assert told.startswith("[1/2] trial 0 direct: top 2")
    assert "\x1b" not in told


def test_the_begin_of_a_trial_and_its_epochs_make_no_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(2, "accuracy")
    progress(event("trial_begin", "0"))
    progress(event("epoch", "0", epoch=1, score=0.5))
    assert capsys.readouterr().err == ""
