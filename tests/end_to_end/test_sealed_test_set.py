"""Selection never sees the test set: the order of events, as the journal recorded them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import thawline
from search.layering import resolve
from search.results.intervals import sample
from search.results.load import attributes, load
from search.results.verdict import decide, read_decision
from tests.end_to_end.test_repeat import TIMES
from tests.end_to_end.tiny import MODULE, write_project


@pytest.fixture(scope="module")
def journal(finished: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (finished / "optuna.journal").read_text().splitlines()]


def lines_with(journal: list[dict[str, Any]], attribute: str) -> list[int]:
    return [number for number, entry in enumerate(journal) if attribute in entry.get("user_attr", {})]


def test_finalists_then_decision_then_opening_then_test_scores(
    journal: list[dict[str, Any]], confirmed: pd.DataFrame
) -> None:
    finalists, decision, opening = (lines_with(journal, name) for name in ("finalists", "decision", "test_opened"))
    scores = lines_with(journal, "test_score")
    assert [len(found) for found in (finalists, decision, opening, scores)] == [1, 1, 1, len(confirmed)]
    assert finalists[0] < decision[0] < opening[0] < min(scores)


def test_the_finalists_are_named_before_the_first_confirmation_begins(journal: list[dict[str, Any]]) -> None:
    stages = [
        (number, entry["user_attr"]["stage"])
        for number, entry in enumerate(journal)
        if "stage" in entry.get("user_attr", {})
    ]
    first = min(number for number, stage in stages if stage == "confirm")
    assert lines_with(journal, "finalists")[0] < first
    assert max(number for number, stage in stages if stage != "confirm") < first


def test_the_last_confirmation_ended_before_the_decision(journal: list[dict[str, Any]]) -> None:
    assert max(lines_with(journal, "end")) < lines_with(journal, "decision")[0]


def test_the_times_say_the_same(finished: Path, report: dict[str, Any]) -> None:
    facts = attributes(finished)
    assert facts["finalists"]["at"] <= facts["decision"]["at"] <= facts["test_opened"][0]["at"]
    assert report["decided_at"] == facts["decision"]["at"]
    assert report["test_opened_at"] == facts["test_opened"][0]["at"]
    assert (
        f"opened 1 time, at {report['test_opened_at']}, after the decision"
        in (finished / "report" / "report.md").read_text()
    )
    [check] = [check for check in report["checks"] if check["name"] == "test set"]
    assert check["status"] == "pass"


def test_no_prediction_on_test_is_older_than_the_decision(finished: Path, confirmed: pd.DataFrame) -> None:
    decided = datetime.fromisoformat(attributes(finished)["decision"]["at"]).timestamp()
    written = [(finished / "checkpoints" / trial / "predictions-test.parquet").stat() for trial in confirmed["trial"]]
    assert min(file.st_mtime for file in written) >= decided
    assert list(finished.glob("checkpoints/[0-9]*/predictions-test*")) == []


@pytest.mark.slow
def test_another_test_set_leaves_all_that_comes_before_its_opening_as_it_was(
    finished: Path, tmp_path: Path, trials: pd.DataFrame
) -> None:
    """Whatever is read of the test split before the decision would show in a score, a choice or the decision."""
    module = MODULE.replace('"test": 60', '"test": 33').replace(
        "default_rng(seed)", "default_rng(seed + 1000 * (count == 33))"
    )
    assert module.count("33") == 2
    study = write_project(tmp_path, name="elsewhere", module=module)
    other = Path(thawline.Study.from_yaml(study).run(tmp_path / "run", quiet=True).run_dir)
    now, _ = load(other)
    pd.testing.assert_frame_equal(
        *(frame.drop(columns=[*TIMES, "test_score"]) for frame in (now, trials)), check_exact=True
    )
    facts = [attributes(run) for run in (finished, other)]
    assert facts[0]["split_hash"] != facts[1]["split_hash"]
    for name in ("finalists", "decision"):
        one, two = ({key: value for key, value in each[name].items() if key != "at"} for each in facts)
        assert one == two


def test_only_confirmations_have_a_test_score(trials: pd.DataFrame) -> None:
    assert set(trials.loc[trials["test_score"].notna(), "stage"]) == {"confirm"}


def test_the_finalists_are_search_trials_that_were_seen_to_the_end(finished: Path, searched: pd.DataFrame) -> None:
    named = attributes(finished)["finalists"]["keys"]
    assert len(named) == 2
    assert set(named) <= set(searched.loc[searched["state"] == "complete", "key"])


def test_the_decision_can_be_made_again_from_the_validation_predictions_alone(finished: Path) -> None:
    kept = pd.read_parquet(finished / "tables" / "predictions.parquet")
    confirmed = pd.read_parquet(finished / "tables" / "trials.parquet").query("stage == 'confirm'")
    val = kept[kept["split"] == "val"].set_index("trial")
    predicted: dict[str, dict[int, NDArray[np.int64]]] = {}
    for trial in confirmed.itertuples():
        predicted.setdefault(trial.key, {})[trial.seed] = val.loc[trial.trial, "prediction"].to_numpy()
    labels = val.loc[confirmed["trial"].iloc[0], "label"].to_numpy()
    costs = confirmed.groupby("key")["cost"].mean().to_dict()
    margin = resolve(finished / "study.yaml", look=False).config.finalists.margin
    again = decide(sample(labels, predicted, "accuracy"), costs, margin=margin, mode="max")
    assert again == read_decision(attributes(finished)["decision"])


# Whatever reads a split's inputs writes down when: before the decision stands in the journal, or after.
TRAP = """
def network(pretrained=True):
    import pathlib, time
    from trainables.run import Run

    here = pathlib.Path(__file__).parent
    if "_whole" not in vars(Run):
        Run._whole = Run.part

        def part(self, split, view=None):
            decided = b'"decision"' in (here / "run" / "optuna.journal").read_bytes()
            (here / f"{split}-{'after' if decided else 'before'}-{time.monotonic_ns()}").touch()
            return Run._whole(self, split, view)

        Run.part = part
"""


@pytest.mark.slow
def test_no_worker_touches_the_test_split_before_the_decision_stands(local_ray: None, tmp_path: Path) -> None:
    module = MODULE.replace("def network(pretrained=True):\n", TRAP[1:])
    assert module != MODULE
    study = write_project(tmp_path, name="trapped", module=module)
    thawline.Study.from_yaml(study).run(tmp_path / "run", quiet=True)
    read = Counter(path.name.rpartition("-")[0] for path in tmp_path.glob("*-*-*"))
    assert read["train-before"] > 0
    assert read["val-before"] > 0
    assert read["test-after"] > 0
    assert read["test-before"] == 0
