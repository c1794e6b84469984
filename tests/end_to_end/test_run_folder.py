"""What a study leaves behind: every file, every column, and nothing that contradicts another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from search.config import study_space
from search.layering import resolve
from search.report.content import gather
from search.results.load import strategy_of
from spaces.check import outside
from tests.support.agreement import TABLES, check_contract, check_page

TRIALS, EPOCHS, CONTROLS, SEEDS = 6, 3, 3, 2


def test_the_run_folder_holds_every_file_column_and_field_that_others_rely_on(finished: Path) -> None:
    check_contract(finished)


def test_the_page_says_what_the_tables_say(finished: Path) -> None:
    check_page(finished)


def test_every_confirmation_keeps_its_weights_and_nothing_else_does(finished: Path, confirmed: pd.DataFrame) -> None:
    kept = {path.parent.name for path in finished.glob("checkpoints/*/weights.safetensors")}
    assert kept == set(confirmed["trial"])
    assert {path.name for path in (finished / "checkpoints").iterdir()} == kept


def test_nothing_half_written_is_left(finished: Path) -> None:
    names = [path.name for path in finished.rglob("*") if path.is_file()]
    assert [name for name in names if name.endswith((".part", ".tmp")) or name.startswith(".split")] == []
    assert not (finished / "logs").exists()  # no trial failed, so there is no traceback to keep


@pytest.mark.parametrize("table", TABLES)
def test_csv_and_parquet_agree(finished: Path, table: str) -> None:
    parquet = pd.read_parquet(finished / "tables" / f"{table}.parquet")
    read = pd.read_csv(finished / "tables" / f"{table}.csv", dtype=parquet.dtypes.to_dict())
    assert len(parquet) > 0
    pd.testing.assert_frame_equal(read, parquet)


def test_every_search_trial_lies_inside_the_space(finished: Path, searched: pd.DataFrame) -> None:
    config = resolve(finished / "study.yaml", look=False).config
    space = study_space(config, blocks=3)
    strategies = [strategy_of(row) for _, row in searched.iterrows()]
    assert len(strategies) == TRIALS
    assert [problem for strategy in strategies for problem in outside(space, strategy)] == []
    assert [strategy.key for strategy in strategies] == list(searched["key"])


def test_no_key_is_trained_twice(searched: pd.DataFrame, trials: pd.DataFrame) -> None:
    assert searched["key"].is_unique
    key_of = dict(zip(trials["trial"], trials["key"], strict=True))
    reused = trials[trials["state"] == "reused"]
    assert [key_of[earlier] for earlier in reused["reused_of"]] == list(reused["key"])


def test_frozen_stayed_frozen_in_every_trial(trials: pd.DataFrame) -> None:
    trained = trials[trials["state"] != "reused"]
    partly = trained["trainable_params"] < trained["total_params"]
    assert partly.any()
    assert not partly.all()
    assert set(trained.loc[partly, "certificate"]) == {"ok"}
    assert set(trained.loc[~partly, "certificate"]) == {"none"}


def test_every_trial_says_where_it_begins_and_whether_what_lies_before_was_read(trials: pd.DataFrame) -> None:
    trained = trials[trials["epochs"] > 0]
    assert set(trained["cache"]) <= {"hit", "built", "off"}
    assert trained["cache_reason"].str.len().min() > 10
    assert trained.loc[trained["freezing"] == "full", "boundary"].eq(0).all()
    assert trained.loc[trained["freezing"] == "probe", "boundary"].gt(0).all()


def test_a_control_is_never_stopped_and_not_counted(trials: pd.DataFrame, report: dict[str, Any]) -> None:
    controls = trials[trials["stage"] == "control"]
    assert list(controls["freezing"]) == ["probe", "full", "full"]
    assert (controls["state"] == "complete").all()
    assert (controls["epochs"] == EPOCHS).all()
    assert report["search"]["trials"] == TRIALS


def test_a_trial_is_complete_exactly_when_it_reached_the_last_epoch(searched: pd.DataFrame) -> None:
    assert set(searched["state"]) == {"complete", "pruned"}
    assert (searched.loc[searched["state"] == "complete", "epochs"] == EPOCHS).all()
    assert (searched.loc[searched["state"] == "pruned", "epochs"] < EPOCHS).all()


def test_optuna_knows_a_stopped_trial_as_pruned(finished: Path, trials: pd.DataFrame) -> None:
    from search.storage import load_study

    study = load_study(finished, "search")
    assert study is not None
    told = {str(trial.number): trial.state.name for trial in study.get_trials()}
    wanted = {"complete": "COMPLETE", "pruned": "PRUNED", "reused": "PRUNED"}
    rows = trials[trials["stage"] != "confirm"]
    assert told == {row.trial: wanted[row.state] for row in rows.itertuples()}


def test_every_epoch_of_a_trial_is_written_down_once(finished: Path, trials: pd.DataFrame) -> None:
    epochs = pd.read_parquet(finished / "tables" / "epochs.parquet")
    for trial in trials[trials["state"] != "reused"].itertuples():
        own = epochs[epochs["trial"] == trial.trial]
        assert list(own["epoch"]) == list(range(1, trial.epochs + 1))
        assert own["score"].iloc[-1] == trial.score
        assert own["seconds"].sum() == pytest.approx(trial.seconds)


def test_finalists_and_controls_are_confirmed_on_the_same_fresh_seeds(confirmed: pd.DataFrame) -> None:
    seeds = {key: set(rows["seed"]) for key, rows in confirmed.groupby("key")}
    assert len({frozenset(each) for each in seeds.values()}) == 1
    assert all(len(each) == SEEDS and 0 not in each for each in seeds.values())
    assert (confirmed["state"] == "complete").all()


def test_the_leaderboard_repeats_what_the_trials_say(finished: Path, confirmed: pd.DataFrame) -> None:
    board = pd.read_parquet(finished / "tables" / "leaderboard.parquet")
    assert list(board["rank"]) == list(range(1, len(board) + 1))
    assert board["val_mean"].is_monotonic_decreasing
    for row in board.itertuples():
        own = confirmed[confirmed["key"] == row.key]
        assert row.val_mean == pytest.approx(own["score"].mean())
        assert row.test_mean == pytest.approx(own["test_score"].mean())
        assert row.seeds == len(own)
        assert row.test_low <= row.test_mean <= row.test_high
    assert board["p_best"].sum() == pytest.approx(1)
    full = board[(board["role"] == "control") & (board["freezing"] == "full") & (board["reinit"] == "none")]
    assert np.allclose(board["delta_full"], board["test_mean"] - full["test_mean"].item())


def test_kept_predictions_make_the_scores(finished: Path, confirmed: pd.DataFrame) -> None:
    predictions = pd.read_parquet(finished / "tables" / "predictions.parquet")
    right = (predictions["label"] == predictions["prediction"]).groupby([predictions["trial"], predictions["split"]])
    assert right.size().unstack().drop_duplicates().to_dict("records") == [{"test": 60, "val": 48}]
    for trial in confirmed.itertuples():
        assert right.mean()[trial.trial, "val"] == pytest.approx(trial.score)
        assert right.mean()[trial.trial, "test"] == pytest.approx(trial.test_score)


def test_every_trial_at_its_last_epoch_says_how_far_its_blocks_moved(finished: Path) -> None:
    from search.storage import load_study

    for name in ("search", "confirm"):
        study = load_study(finished, name)
        assert study is not None
        for trial in study.get_trials():
            if trial.state.name == "COMPLETE":
                change = trial.user_attrs["weight_change"]
                assert list(change)[-1] == "head"
                assert all(value >= 0 for value in change.values())


def test_a_run_shows_itself_in_a_notebook_and_leads_to_its_page(finished: Path) -> None:
    from search.results.run import Results

    assert Results(finished).report() == finished / "report" / "report.html"
    assert "thawline-run" in Results(finished)._repr_html_()


def test_report_json_says_what_it_must(report: dict[str, Any]) -> None:
    verdict = report["verdict"]
    assert verdict["label"] in ("clear", "tie", "not enough evidence")
    assert set(verdict["test"]) == {"mean", "low", "high", "seeds"}
    assert verdict["metric"] == "accuracy"
    assert set(report["controls"]) == {"probe", "full", "scratch"}
    assert set(report["optimism"]) == {"val", "test"}
    assert {"trials", "pruned", "failed", "seconds"} <= set(report["search"])


def test_report_json_says_how_much_of_the_space_was_tried(report: dict[str, Any], searched: pd.DataFrame) -> None:
    whole, *rest = report["explored"]
    assert (whole["name"], whole["tried"], whole["trials"]) == ("all", TRIALS, TRIALS)
    assert whole["of"] > TRIALS  # a space of lists has an end
    strata = {row["name"]: row for row in rest if row["scope"] == "space"}
    assert sum(row["tried"] for row in strata.values()) == TRIALS
    assert sum(row["of"] for row in strata.values()) == whole["of"]
    dimensions = {row["name"]: row for row in rest if row["scope"] == "dimension"}
    assert dimensions["head_lr"]["tried"] == searched["head_lr"].nunique()
    assert dimensions["head_lr"]["of"] == 2


def test_report_json_says_what_it_ran_with(report: dict[str, Any], trials: pd.DataFrame) -> None:
    from importlib.metadata import version

    versions = report["versions"]
    assert versions["torch"] == version("torch")
    assert set(versions["commits"]) == {"study", "thawline"}
    assert versions["commits"]["study"] is None  # a folder that is under no git
    (way,) = versions["computing"]
    assert way["trials"] == (trials["state"] != "reused").sum()
    assert (way["device"], way["threads"], way["deterministic_algorithms"]) == ("cpu", 1, False)
    assert {"matmul_precision", "cudnn_deterministic", "cudnn_benchmark"} <= set(way)


def test_the_rule_is_measured_tried_first_confirmed_and_compared(
    finished: Path, searched: pd.DataFrame, confirmed: pd.DataFrame, report: dict[str, Any]
) -> None:
    rule = report["rule"]
    assert {"quadrant", "size", "similarity", "strategy", "delta"} <= set(rule)
    assert (rule["size"], rule["samples"], rule["classes"]) == ("small", 96, 3)
    assert rule["quadrant"] == f"small, {rule['similarity']}"
    tried = list(searched["role"] == "rule")
    assert 0 < sum(tried) <= TRIALS // 2
    assert tried == sorted(tried, reverse=True)
    board = pd.read_parquet(finished / "tables" / "leaderboard.parquet").set_index("strategy")
    assert board.loc[rule["strategy"], "role"] == "rule"
    assert set(confirmed["role"]) <= {"control", "rule", "finalist"}
    gained = board.loc[report["verdict"]["strategy"], "test_mean"] - board.loc[rule["strategy"], "test_mean"]
    assert rule["delta"] == pytest.approx(gained)
    assert 0 < rule["share"] < 1
    assert "## The textbook rule" in (finished / "report" / "report.md").read_text()


def test_the_report_has_all_that_its_views_draw_from(finished: Path, confirmed: pd.DataFrame) -> None:
    content = gather(finished)
    board = content.leaderboard.set_index("key")
    winner = content.leaderboard.iloc[0]["key"]
    assert set(content.lost["key"]) == set(board.index) - {winner}
    assert set(content.pareto["key"]) == set(board.index)
    assert [pick.purpose for pick in content.picks] == ["accuracy", "cost", "size"]
    assert set(content.gains) <= {"searching", "strategy"}
    assert content.confusion["count"].sum() == 60 * board.loc[content.verdict["key"], "seeds"]
    assert content.funnel["reached"].max() <= TRIALS
    assert set(content.borders["dimension"]) <= {"head_lr", "lr_ratio", "unfrozen_depth"}
    moved = content.weight_change
    assert set(moved["trial"]) == set(confirmed.loc[confirmed["key"] == content.verdict["key"], "trial"])
    assert (moved["change"] > 0).any()
    assert content.missing == ()
    assert content.next_step.command.startswith("thawline ")
    assert {check.name for check in content.checks} >= {"test set", "frozen stayed frozen", "seeds", "versions"}
    assert content.facts["versions"]["torch"].startswith("2.")
    assert content.compute.confirmation == confirmed["cost"].sum()


def test_every_trial_that_trained_says_how_far_its_blocks_moved(finished: Path) -> None:
    from search.storage import load_study

    for name in ("search", "confirm"):
        study = load_study(finished, name)
        assert study is not None
        ended = [trial.user_attrs for trial in study.get_trials() if trial.state.name == "COMPLETE"]
        assert len(ended) > 0
        for kept in ended:
            trained = kept["weight_change"]
            assert ("stem" in trained) == (kept["trainable_params"] == kept["total_params"])
            assert "head" in trained


def test_the_resolved_study_reads_back(finished: Path) -> None:
    written = resolve(finished.parent / "study.yaml")
    again = resolve(finished / "study.yaml", look=False)
    assert again.config == written.config
    layers = {
        line.rpartition("# ")[2] for line in (finished / "study.yaml").read_text().splitlines()[1:] if "#" in line
    }
    assert layers == {"default", "file"}


def test_best_is_the_winners_best_run_and_predicts_as_recorded(finished: Path, confirmed: pd.DataFrame) -> None:
    import json
    import sys

    import torch
    from safetensors.torch import load_file
    from torch import nn

    told = yaml.safe_load((finished / "best" / "strategy.yaml").read_text())
    winner = pd.read_parquet(finished / "tables" / "leaderboard.parquet").iloc[0]
    runs = confirmed[confirmed["key"] == winner["key"]]
    best = runs[runs["trial"] == told["trial"]].iloc[0]
    assert best["score"] == runs["score"].max()

    sys.path.insert(0, str(finished.parent))
    import tiny  # type: ignore[import-not-found]

    network = tiny.network()
    network.head = nn.Linear(network.head.in_features, len(json.loads((finished / "best" / "labels.json").read_text())))
    network.load_state_dict(load_file(finished / "best" / "weights.safetensors"), strict=True)
    images, labels = tiny.data()["val"]
    preprocessing = json.loads((finished / "best" / "preprocessing.json").read_text())
    mean, std = (torch.tensor(preprocessing[name]).view(3, 1, 1) for name in ("mean", "std"))
    pixels = torch.tensor(images).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        predicted = network.eval()((pixels - mean) / std).argmax(1)
    kept = pd.read_parquet(finished / "tables" / "predictions.parquet")
    kept = kept[(kept["trial"] == told["trial"]) & (kept["split"] == "val")]
    assert predicted.tolist() == kept["prediction"].tolist()
    assert labels == kept["label"].tolist()
    assert len(set(predicted.tolist())) > 1


def test_the_plan_of_best_names_every_parameter_once(finished: Path) -> None:
    from safetensors.torch import load_file

    plan = yaml.safe_load((finished / "best" / "strategy.yaml").read_text())["plan"]
    trained = [name for group in plan["groups"] for name in group["parameters"]]
    last = plan["phases"][-1]
    held = {*last["frozen"], *last["frozen_buffers"]}
    assert len(set(trained)) == len(trained)
    assert not held & set(trained)
    assert {*trained, *last["frozen"]} <= set(load_file(finished / "best" / "weights.safetensors"))
