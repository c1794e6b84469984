"""What a study says while it runs."""

from __future__ import annotations

import json
import math

import pytest

from search.progress import Event, Progress

END: Event = {
    "event": "trial_end",
    "state": "complete",
    "stage": "search",
    "trial": "4",
    "stratum": "direct",
    "strategy": "top 2",
    "epoch": 6,
    "epochs": 6,
    "score": 0.75,
    "rung": None,
    "rungs": 2,
    "reason": None,
}


def test_a_trial_s_end_is_one_line_with_number_stratum_score_and_best(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(0, "accuracy")
    progress.begin("search", 2)
    progress(END)
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first == "search: 2 trials"
    assert second.startswith("[1/2] trial 4 direct: top 2; epoch 6/6 accuracy 0.7500 | best 0.7500 | ")
    assert second.endswith(" left")


def test_a_stopped_trial_names_its_rung_and_is_never_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(2, "accuracy")
    progress(END)
    progress({**END, "state": "pruned", "epoch": 1, "rung": 1, "score": 0.9})
    line = capsys.readouterr().err.splitlines()[1]
    assert "stopped at rung 1/2 epoch 1/6 accuracy 0.9000 | best 0.7500" in line


def test_a_failed_trial_names_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(2, "accuracy")({**END, "state": "failed", "reason": "diverged", "score": math.nan})
    assert "failed: diverged" in capsys.readouterr().err


def test_the_best_is_the_lowest_where_lower_is_better() -> None:
    progress = Progress(2, "loss", mode="min", quiet=True)
    for score in (0.5, 0.3, 0.4):
        progress({**END, "score": score})
    assert progress.best == 0.3


def test_json_lines_carry_the_version_and_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(2, "accuracy", as_json=True)
    progress({**END, "state": "failed", "score": math.nan})
    out, err = capsys.readouterr()
    assert err == ""
    line = json.loads(out)
    assert line["v"] == 1
    assert line["event"] == "trial_end"
    assert line["score"] is None


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(2, "accuracy", quiet=True)(END)
    assert capsys.readouterr() == ("", "")
