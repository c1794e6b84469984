"""`finalists.resplit`: every fresh seed deals train and validation anew, test stays, and the run says so."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

import thawline
from search.results.load import load
from spaces.errors import BadInput
from tests.end_to_end.tiny import STUDY, write_project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dealt(local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = STUDY.replace("finalists: {count: 2, seeds: 2}", "finalists: {count: 2, seeds: 3, resplit: true}")
    path = write_project(tmp_path_factory.mktemp("dealt"), name="dealt", study=study)
    return Path(thawline.Study.from_yaml(path).run(path.parent / "run", quiet=True).run_dir)


@pytest.fixture(scope="module")
def ids(dealt: Path) -> pd.DataFrame:
    """Return which ids each confirmation measured, by trial and split, with its seed."""
    kept = pd.read_parquet(dealt / "tables" / "predictions.parquet")
    found = kept.groupby(["trial", "split"])["id"].agg(lambda each: tuple(sorted(each))).unstack()
    trials, _ = load(dealt)
    return found.join(trials.set_index("trial")["seed"])


def test_a_seed_has_its_own_validation_split_the_same_for_every_strategy(ids: pd.DataFrame) -> None:
    of_seed = ids.groupby("seed")["val"].agg(set)
    assert len(of_seed) == 3
    assert all(len(splits) == 1 for splits in of_seed)
    assert len(set.union(*of_seed)) == 3


def test_the_test_set_is_one_and_no_validation_sample_is_in_it(dealt: Path, ids: pd.DataFrame) -> None:
    (test,) = set(ids["test"])
    split = pd.read_csv(dealt / "split.csv")
    assert set(test) == set(split.loc[split["split"] == "test", "id"])
    pool = set(split.loc[split["split"] != "test", "id"])
    assert all(set(each) < pool for each in ids["val"])
    labels = split.set_index("id")["label"]
    wanted = split.loc[split["split"] == "val", "label"].value_counts()
    for val in ids["val"]:
        pd.testing.assert_series_equal(labels[list(val)].value_counts().sort_index(), wanted.sort_index())


def test_the_board_is_the_mean_of_what_each_seed_measured_on_its_own_split(dealt: Path) -> None:
    trials, _ = load(dealt)
    board = pd.read_parquet(dealt / "tables" / "leaderboard.parquet").set_index("key")
    means = trials[trials["stage"] == "confirm"].groupby("key")["score"].mean()
    for key, mean in means.items():
        assert board.loc[key, "val_mean"] == pytest.approx(mean)
    assert board["test_low"].notna().all()


def test_the_report_says_so_in_every_form(dealt: Path) -> None:
    for name in ("report/report.md", "report/report.html", "tables/leaderboard.tex"):
        assert "dealt train and validation anew" in (dealt / name).read_text()
    told = json.loads((dealt / "report" / "report.json").read_text())
    assert told["resplit"] is True
    [check] = [each for each in told["checks"] if each["name"] == "one split"]
    assert "The test set is one" in check["text"]


def test_a_confirmation_trained_again_comes_out_the_same(dealt: Path) -> None:
    assert [epoch.same for epoch in thawline.trial(dealt, "c1")] == [True] * 3


def test_a_run_goes_on_as_it_began(dealt: Path) -> None:
    with pytest.raises(BadInput, match=r"finalists.resplit: cannot change in a run that has begun"):
        thawline.resume(dealt, ["finalists.resplit=false"])
    before = (dealt / "optuna.journal").read_bytes()
    thawline.resume(dealt, quiet=True)
    assert (dealt / "optuna.journal").read_bytes() == before
    assert yaml.safe_load((dealt / "study.yaml").read_text())["finalists"]["resplit"] is True
