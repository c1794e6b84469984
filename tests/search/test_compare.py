"""``thawline compare``: one table of several runs, and one clear error where they cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import thawline
from search.cli import main
from search.report.compare import scores_table
from search.results.run import report
from spaces.errors import BadInput
from tests.search.report.reading import read, rows
from tests.support import made_up_run
from tests.support.latex import compiles


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [made_up_run.write(folder / name, trials=trials) for name, trials in (("one", 7), ("two", 11))]


def test_a_kind_has_one_score_a_study_that_of_its_best_on_validation(runs: list[Path]) -> None:
    found = thawline.compare(runs)
    assert list(found.studies["study"]) == ["made-up (one)", "made-up (two)"]
    for folder, (_, scores) in zip(runs, found.scores.groupby("study"), strict=True):
        report(folder)
        board = pd.read_csv(folder / "tables" / "leaderboard.csv")
        kinds = board["freezing"].mask(board["reinit"] == "all", "scratch")
        best = board.assign(kind=kinds).groupby("kind").first()
        for row in scores.to_dict("records"):
            assert row["test_mean"] == pytest.approx(best.loc[row["kind"], "test_mean"])
            assert row["test_low"] <= row["test_mean"] <= row["test_high"]


def test_ranks_are_averaged_over_the_kinds_that_every_study_has(runs: list[Path]) -> None:
    found = thawline.compare(runs)
    common = found.scores.groupby("kind")["study"].nunique() == 2
    ranked = found.scores[found.scores["rank"].notna()]
    assert set(ranked["kind"]) == set(common[common].index)
    for _, own in ranked.groupby("study"):
        assert sorted(own["rank"]) == list(range(1, len(own) + 1))
        assert own.sort_values("test_mean", ascending=False)["rank"].is_monotonic_increasing
    means = ranked.groupby("kind")["rank"].mean()
    for row in found.kinds.to_dict("records"):
        if row["kind"] in means:
            assert row["average_rank"] == means[row["kind"]]


def test_a_win_is_a_study_s_own_verdict(runs: list[Path]) -> None:
    found = thawline.compare(runs)
    assert found.kinds["wins"].sum() == len(runs)
    for row in found.studies.to_dict("records"):
        (told,) = [kind["won"] for kind in found.kinds.to_dict("records") if kind["kind"] == row["winner"]]
        assert any(name.startswith(row["study"]) for name in told)


def test_json_holds_the_three_tables(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *map(str, runs), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) == {"metric", "studies", "scores", "kinds"}
    assert printed == thawline.compare(runs).as_json()


def test_every_form_says_the_same(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *map(str, runs), "--to", str(tmp_path / "to")]) == 0
    printed, _ = capsys.readouterr()
    table = scores_table(thawline.compare(runs))
    (page_table, _) = read((tmp_path / "to" / "compare.html").read_text()).all("table")
    assert rows(page_table) == table.to_dict("records")
    latex, markdown = ((tmp_path / "to" / f"compare.{form}").read_text() for form in ("tex", "md"))
    for row in table.to_dict("records"):
        for cell in row.values():
            assert all(cell in text for text in (printed, latex, markdown))
    kept = pd.read_csv(tmp_path / "to" / "compare.csv")
    assert len(kept) == len(thawline.compare(runs).scores)


@pytest.mark.slow
def test_the_latex_compiles(runs: list[Path], tmp_path: Path) -> None:
    assert main(["compare", *map(str, runs), "--to", str(tmp_path)]) == 0
    compiles(tmp_path, (tmp_path / "compare.tex").read_text())


def changed(folder: Path, target: Path, old: str, new: str) -> Path:
    import shutil

    shutil.copytree(folder, target)
    study = (target / "study.yaml").read_text()
    assert old in study
    (target / "study.yaml").write_text(study.replace(old, new))
    return target


def test_studies_that_share_their_name_and_their_folder_s_are_kept_apart(tmp_path: Path) -> None:
    twins = [made_up_run.write(tmp_path / place / "run", trials=7) for place in ("here", "there")]
    found = thawline.compare(twins)
    assert list(found.studies["study"]) == ["made-up (here/run)", "made-up (there/run)"]
    assert set(found.scores["study"]) == set(found.studies["study"])


def test_runs_of_different_metrics_are_refused(runs: list[Path], tmp_path: Path) -> None:
    other = changed(runs[1], tmp_path / "other", "name: accuracy", "name: macro_f1")
    with pytest.raises(BadInput, match=r"metric.*the same in every run.*accuracy.*macro_f1"):
        thawline.compare([runs[0], other])


def test_an_unfinished_run_is_refused_with_the_way_out(runs: list[Path], tmp_path: Path) -> None:
    cut = made_up_run.write(tmp_path / "cut", confirmed=0)
    with pytest.raises(BadInput, match=r"cut.*has no verdict yet.*thawline resume"):
        thawline.compare([runs[0], cut])


def test_one_run_or_the_same_twice_is_no_comparison(runs: list[Path]) -> None:
    with pytest.raises(BadInput, match="two runs or more"):
        thawline.compare(runs[:1])
    with pytest.raises(BadInput, match="named twice"):
        thawline.compare([runs[0], runs[0] / "." / ""])


def test_a_folder_without_a_run_is_refused(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(runs[0]), str(tmp_path)]) == 2
    assert "is no run folder" in capsys.readouterr().err
