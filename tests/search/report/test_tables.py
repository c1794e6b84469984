"""Tables for readers: rounded as their intervals allow, the winner bold, ties marked, and LaTeX that compiles."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from search.report.content import Report, gather
from search.report.latex import DAGGER, booktabs
from search.report.markdown import summary
from search.report.rounding import decimals, duration, plain, share, shared_decimals, signed
from search.report.tables import as_latex, as_markdown, shown
from search.results.intervals import Interval
from tests.support.latex import compiles


@pytest.fixture(scope="module")
def content(reported: Path) -> Report:
    return gather(reported)


@pytest.mark.parametrize(
    ("low", "high", "wanted"), [(0.90, 0.92, 3), (0.5, 0.9, 2), (0.8112, 0.8118, 5), (1.0, 5.0, 1), (math.nan, 1.0, 3)]
)
def test_two_digits_of_the_half_width_are_left(low: float, high: float, wanted: int) -> None:
    assert decimals(Interval((low + high) / 2, low, high)) == wanted


def test_a_column_has_the_decimals_of_its_narrowest_interval() -> None:
    assert (
        shared_decimals([Interval(0.7, 0.5, 0.9), Interval(0.91, 0.90, 0.92), Interval(0.9, math.nan, math.nan)]) == 3
    )
    assert shared_decimals([]) == 3


def test_a_number_has_its_interval_or_says_that_there_is_none() -> None:
    assert plain(Interval(0.912, 0.906, 0.918)) == "0.9120 [0.9060, 0.9180]"
    assert signed(Interval(0.034, 0.01, 0.06)) == "+0.034 [+0.010, +0.060]"
    assert plain(Interval(0.9, math.nan, math.nan)) == "0.900 (1 seed)"


def test_times_and_shares_are_in_the_unit_that_suits_them() -> None:
    assert [duration(value) for value in (2.34, 45, 600, 7200, math.nan)] == ["2.3 s", "45 s", "10 min", "2.0 h", "-"]
    assert [share(value) for value in (0.861, 0.0019, 0.00034, 3.4e-5, 0.0, math.nan)] == [
        *("86%", "0.2%", "0.03%", "0.003%", "0.0%", "-")
    ]


def test_the_winner_is_bold_and_what_ties_with_it_is_marked(content: Report) -> None:
    board = content.leaderboard.assign(tied_with_best=[False, True, *[False] * (len(content.leaderboard) - 2)])
    text = as_latex(replace(content, leaderboard=board))
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert body[1].startswith(r"\textbf{1} & \textbf{")
    assert body[2].startswith(f"2{DAGGER} & ")
    assert r"\textbf" not in "".join(body[2:])
    assert f"{DAGGER}: not told apart" in text


def test_the_caption_names_the_method_the_seeds_and_the_examples(content: Report) -> None:
    text = as_latex(content)
    assert "over n fresh seeds" in text
    assert "300 test examples" in text
    assert " & n & " in text


def test_markdown_has_a_row_for_every_strategy(content: Report) -> None:
    rows = as_markdown(content.leaderboard).splitlines()
    assert len(rows) == len(content.leaderboard) + 2
    assert all(str(strategy) in row for strategy, row in zip(content.leaderboard["strategy"], rows[2:], strict=True))


def test_the_summary_for_a_terminal_wraps_what_a_strategy_is_called(content: Report) -> None:
    long = content.leaderboard.assign(strategy=content.leaderboard["strategy"] + ", head LR 0.001" * 4)
    lines = summary(replace(content, leaderboard=long), Path("run")).splitlines()
    (rule,) = [number for number, line in enumerate(lines) if line.startswith("----")]
    end = lines.index("", rule)
    assert max(map(len, lines[rule - 1 : end])) <= 120
    whole = [line for line in lines[rule + 1 : end] if line.count("[")]  # an interval is never cut
    assert [line.split()[0] for line in whole] == [str(rank) for rank in long["rank"]]


def test_an_empty_leaderboard_is_an_empty_table(content: Report) -> None:
    empty = content.leaderboard.iloc[:0]
    assert list(shown(empty).columns) == list(shown(content.leaderboard).columns)
    assert r"\bottomrule" in as_latex(replace(content, leaderboard=empty))


@pytest.mark.slow
def test_the_latex_compiles(reported: Path, tmp_path: Path) -> None:
    hostile = booktabs(pd.DataFrame({"a_1 & b": [r"100 % \of {this} ~ #1 $x^2$"]}), caption="50 % _ & #", label="tab:x")
    compiles(tmp_path, hostile, (reported / "tables" / "leaderboard.tex").read_text())
