"""Each figure from little or odd data: it is drawn, or says why it is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.report.content import Report, gather
from search.report.figures import winner
from search.report.figures.catalogue import FIGURES, draw_all
from search.report.figures.figure import Axis, Bar, Drawing, Figure, Line, Missing, Points
from search.report.figures.history import rung_funnel
from search.report.figures.maps import cost_map, half_decades
from search.report.svg.axes import extent, ticks
from search.report.svg.draw import standalone, svg
from search.results.winner import confusion
from tests.support import made_up_run

CHANGES = pd.DataFrame(
    [("c0", "features.0", 0.1), ("c0", "head", 0.5), ("c1", "features.0", 0.3), ("c1", "head", 0.7)],
    columns=["trial", "block", "change"],
)
Change = Callable[[Report], Report]


@pytest.fixture(scope="module")
def content(reported: Path) -> Report:
    return gather(reported)


def nothing(content: Report) -> Report:
    frames = ("trials", "epochs", "leaderboard", "pareto", "funnel", "weight_change", "confusion")
    return replace(content, **{name: getattr(content, name).iloc[:0] for name in frames})


def one_trial(content: Report) -> Report:
    trials = content.trials[(content.trials["stage"] == "search") & (content.trials["state"] == "complete")].iloc[:1]
    epochs = content.epochs[content.epochs["trial"].isin(trials["trial"])]
    return replace(nothing(content), trials=trials, epochs=epochs)


def no_numbers(content: Report) -> Report:
    trials = content.trials.assign(score=math.nan, test_score=math.nan, seconds=math.nan)
    board = content.leaderboard.assign(test_low=math.nan, test_high=math.nan)
    epochs, pareto = content.epochs.assign(score=math.nan), content.pareto.assign(score=math.nan)
    return replace(content, trials=trials, epochs=epochs, leaderboard=board, pareto=pareto)


def same_score(content: Report) -> Report:
    return replace(
        content, trials=content.trials.assign(score=0.5, seconds=3.0), pareto=content.pareto.assign(score=0.5)
    )


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("change", [nothing, one_trial, no_numbers, same_score], ids=lambda f: f.__name__)
def test_a_figure_of_odd_data_is_whole_or_says_why_not(content: Report, name: str, change: Change) -> None:
    drawing = FIGURES[name](change(content))
    if isinstance(drawing, Missing):
        assert drawing.why
        return
    drawn = ElementTree.fromstring(standalone(drawing))
    assert drawn.attrib["viewBox"]
    assert "nan" not in svg(drawing)
    assert len(drawing.table) > 0


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_to_show_is_said(content: Report, name: str) -> None:
    assert isinstance(FIGURES[name](nothing(content)), Missing)


def test_the_files_are_the_figures_and_stand_alone(reported: Path) -> None:
    drawings = draw_all(gather(reported))
    there = {path.stem for path in (reported / "report" / "figures").glob("*.svg")}
    assert there == {name for name, drawing in drawings.items() if isinstance(drawing, Figure)} == set(FIGURES)
    for path in (reported / "report" / "figures").glob("*.svg"):
        text = path.read_text()
        assert "var(" not in text
        root = ElementTree.fromstring(text)
        names = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
        used = {use.attrib["href"].lstrip("#") for use in root.iter("{http://www.w3.org/2000/svg}use")}
        assert used <= names


def test_a_report_that_cannot_draw_a_figure_removes_the_old_one(reported: Path, tmp_path: Path) -> None:
    from search.report.figures.catalogue import write

    drawings: dict[str, Drawing] = dict(draw_all(gather(reported)))
    write(drawings, tmp_path / "figures")
    write(drawings | {"cost": Missing("cost", "Cost", "gone")}, tmp_path / "figures")
    assert "cost.svg" not in {path.name for path in (tmp_path / "figures").iterdir()}


def test_the_front_of_the_cost_map_is_that_of_the_content(content: Report) -> None:
    costs = [3.0, 1.0, 4.0, 2.0]
    pareto = content.pareto.assign(cost=costs, score=[0.8, 0.5, 0.7, 0.9], on_front=[False, True, False, True])
    drawing = cost_map(pareto, content.leaderboard, "accuracy")
    assert isinstance(drawing, Figure)
    (line,) = [layer for layer in drawing.layers if isinstance(layer, Line)]
    assert line.points == ((1.0, 0.5), (2.0, 0.9))
    marks = [layer for layer in drawing.layers if isinstance(layer, Points)]
    assert [(mark.points[0].x, mark.dim) for mark in marks] == [(3.0, True), (1.0, False), (4.0, True), (2.0, False)]


def test_the_ratios_are_binned_by_half_decades() -> None:
    trials = pd.DataFrame({"lr_ratio": [0.1, 0.2, 0.4, 1.0], "score": [0.5, 0.7, 0.9, 0.4]})
    bins = half_decades(trials)
    assert [each.title.split(",")[0] for each in bins] == ["2 trials", "1 trials", "1 trials"]
    assert [each.middle for each in bins] == pytest.approx([0.6, 0.9, 0.4])
    assert [each.at for each in bins] == pytest.approx([10**-0.75, 10**-0.25, 10**0.25])


def test_the_funnel_has_a_bar_for_every_rung_of_the_content(content: Report) -> None:
    drawing = rung_funnel(content.funnel)
    assert isinstance(drawing, Figure)
    assert [layer.length for layer in drawing.layers if isinstance(layer, Bar)] == list(content.funnel["reached"])
    ends = content.funnel.loc[content.funnel["epoch"] == content.funnel["epoch"].max(), "reached"]
    searched = content.trials[(content.trials["stage"] == "search") & (content.trials["state"] == "complete")]
    assert ends.sum() == len(searched)


def test_the_confusion_shows_every_prediction_of_what_is_recommended(content: Report) -> None:
    own = content.predictions[content.predictions["trial"].isin(["c0", "c1", "c2"])]
    own = own[own["split"] == "test"]
    drawing = winner.confusion(content.confusion, "top 2")
    assert isinstance(drawing, Figure)
    counts = drawing.table.set_index(winner.ACTUAL).to_numpy()
    assert counts.sum() == len(own)
    assert counts.trace() == (own["label"] == own["prediction"]).sum()


def test_a_class_may_have_any_name(tmp_path: Path) -> None:
    folder = made_up_run.write(tmp_path / "run", classes=("class", "index", "predicted"))
    drawing = FIGURES["confusion"](gather(folder))
    assert isinstance(drawing, Figure)
    assert list(drawing.table.columns) == [winner.ACTUAL, "class", "index", "predicted"]
    assert drawing.table.set_index(winner.ACTUAL).to_numpy().sum() == 3 * made_up_run.TEST


def test_many_classes_are_cut_to_those_with_most_errors() -> None:
    labels = np.arange(300) % 30
    wrong = np.where(labels < 3, (labels + 1) % 30, labels)
    frame = pd.DataFrame({"trial": "c0", "split": "test", "label": labels, "prediction": wrong})
    drawing = winner.confusion(confusion(frame, ["c0"], [f"class {index}" for index in range(30)]), "top 2")
    assert isinstance(drawing, Figure)
    assert len(drawing.table) == winner.MOST_CLASSES
    assert list(drawing.table[winner.ACTUAL][:4]) == ["class 0", "class 1", "class 2", "class 3"]


def test_the_weight_change_is_the_mean_over_seeds_from_input_to_output() -> None:
    drawing = winner.weight_change(CHANGES, "top 1")
    assert isinstance(drawing, Figure)
    assert drawing.table["block"].tolist() == ["features.0", "head"]
    assert drawing.table["mean"].tolist() == pytest.approx([0.2, 0.6])


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.booleans())
def test_ticks_lie_on_their_axis(low: float, span: float, log: bool) -> None:
    axis = Axis("x", log=log)
    start, end = extent(axis, [abs(low) + 1e-6 if log else low, (abs(low) if log else low) + span])
    found = ticks(axis, start, end)
    assert start < end
    assert len(found) <= 20
    assert all((start <= mark * (1 + 1e-9) and mark <= end * (1 + 1e-9)) or not log for mark, _ in found)
