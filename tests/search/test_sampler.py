"""Our searcher over ask and tell, driven without a cluster: what Optuna holds afterwards."""

from __future__ import annotations

import errno
import math
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from ray.exceptions import RayActorError

from search.clock import Clock
from search.errors import StudyFailed
from search.faults import stopped_by
from search.progress import Event
from search.proposals import Proposal, for_confirmation, for_control
from search.results.load import load
from search.rungs import Rungs
from search.sampler import StudySearcher
from search.sampling import DUPLICATES_IN_A_ROW, Sampling
from search.storage import load_study
from spaces.check import outside
from spaces.domain import Choice, Float
from spaces.every import every
from spaces.presets import Setting, build
from spaces.strategy import Full, Probe, Strategy, from_point
from trainables import checkpoint
from trainables.config import DataConfig, TrialConfig
from trainables.files import Unwritable, put

TEMPLATE = TrialConfig(
    task="image-classification",
    metric="accuracy",
    model="torchvision:resnet18",
    data=DataConfig(path="images"),
    epochs=3,
    strategy={},
    seed=0,
)
SPACE = build("standard", Setting("image", "adamw", 4))


def searcher(run_dir: Path, *, budget: int = 0, queue: list[Proposal] | None = None, **options: Any) -> StudySearcher:
    sampling = Sampling(options.pop("space", SPACE), budget, seed=options.pop("seed", 0))
    name = options.pop("name", "search")
    return StudySearcher(run_dir, name, TEMPLATE, queue or [], sampling, Rungs(3), **options)


def epoch(number: int, score: float, **more: Any) -> dict[str, Any]:
    return {"epoch": number, "score": score, "train_loss": 1.0, "val_loss": 1.0, "seconds": 2.0, "cost": 5.0, **more}


def finish(search: StudySearcher, trial_id: str, scores: list[float], **last: Any) -> None:
    for number, score in enumerate(scores[:-1], start=1):
        search.on_trial_result(trial_id, epoch(number, score))
    search.on_trial_complete(trial_id, epoch(len(scores), scores[-1], **last))


def held(run_dir: Path, name: str = "search") -> list[optuna.trial.FrozenTrial]:
    study = load_study(run_dir, name)
    assert study is not None
    return study.get_trials()


def test_a_trial_is_told_after_which_epochs_it_may_be_stopped(tmp_path: Path) -> None:
    control = Proposal(Strategy(Probe(), head_lr=1e-3), "control", 0, "control")
    for name in ("rungs", "time"):
        (tmp_path / name).mkdir()
    search = searcher(tmp_path / "rungs", budget=1, queue=[control])
    orders = [search.suggest(name) for name in "ab"]
    assert [order["ends"] for order in orders if isinstance(order, dict)] == [[], list(Rungs(3).milestones("direct"))]
    timed = searcher(tmp_path / "time", budget=1, queue=[control], clock=Clock(hours=1.0))
    order = timed.suggest("a")
    assert isinstance(order, dict)
    assert order["ends"] is None


def test_a_trial_that_reached_the_last_epoch_is_complete_with_every_epoch(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=1)
    search.suggest("a")
    finish(search, "a", [0.1, 0.2, 0.3])
    [trial] = held(tmp_path)
    assert trial.state == TrialState.COMPLETE
    assert trial.value == 0.3
    assert trial.intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}
    assert trial.user_attrs["epoch/2"] == {"train_loss": 1.0, "val_loss": 1.0, "seconds": 2.0, "cost": 5.0}
    assert trial.user_attrs["seconds"] == 6.0


def test_what_stays_the_same_from_epoch_to_epoch_is_written_once(tmp_path: Path) -> None:
    facts = {"host": "here", "threads": 1, "cache": "hit", "boundary": "layer4", "certificate": "ok"}
    journal = tmp_path / "optuna.journal"

    def entries(search: StudySearcher, number: int, **more: Any) -> int:
        before = journal.read_bytes().count(b"\n")
        search.on_trial_result("a", epoch(number, 0.1 * number, **facts, **more))
        return journal.read_bytes().count(b"\n") - before

    search = searcher(tmp_path, queue=[Proposal(Strategy(Probe(), head_lr=1e-3), "control", 0, "control")])
    search.suggest("a")
    assert entries(search, 1, peak_memory_mb=1.0) == 3 + len(facts) + 1  # the numbers, the seconds so far, the step
    assert entries(search, 2, peak_memory_mb=2.0) == 3 + 1
    again = searcher(tmp_path)  # after a kill
    again.suggest("a")
    assert entries(again, 3, peak_memory_mb=2.0) == 3
    [trial] = held(tmp_path)
    assert {name: trial.user_attrs[name] for name in facts} == facts
    assert (trial.user_attrs["peak_memory_mb"], trial.user_attrs["seconds"]) == (2.0, 6.0)


def test_a_stopped_trial_is_pruned_and_never_complete(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=1)
    search.suggest("a")
    finish(search, "a", [0.1, 0.2])
    [trial] = held(tmp_path)
    assert trial.state == TrialState.PRUNED
    assert trial.intermediate_values == {1: 0.1, 2: 0.2}


def test_a_trial_that_diverged_is_failed_with_its_reason(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=1)
    search.suggest("a")
    finish(search, "a", [0.1, math.nan], failure="diverged: the training loss is nan in epoch 2, step 1")
    [trial] = held(tmp_path)
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["reason"] == "diverged: the training loss is nan in epoch 2, step 1"
    assert trial.intermediate_values == {1: 0.1}


def test_a_trial_that_raised_is_failed_with_the_error_and_its_traceback_is_kept(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=1)
    search.suggest("a")
    try:
        raise ZeroDivisionError("in the user's layer")
    except ZeroDivisionError as error:
        search.note_error("a", error)
    search.on_trial_complete("a", error=True)
    [trial] = held(tmp_path)
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["reason"] == "ZeroDivisionError: in the user's layer"
    assert "Traceback" in (tmp_path / "logs" / "trial-0.txt").read_text()


def test_an_error_without_words_still_has_a_reason(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=1)
    search.suggest("a")
    search.on_trial_complete("a", error=True)
    assert held(tmp_path)[0].user_attrs["reason"] == "the worker died"


def test_nothing_unknown_raises_into_the_loop(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=1)
    search.on_trial_result("stranger", epoch(1, 0.5))
    search.on_trial_complete("stranger", epoch(1, 0.5))
    search.note_error("stranger", None)
    assert held(tmp_path) == []


def strike(search: StudySearcher, trial_id: str, error: Exception) -> None:
    search.note_error(trial_id, error)
    search.on_trial_complete(trial_id, error=True)


def test_a_trial_whose_worker_died_is_handed_out_again_once_after_its_last_epoch(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=1)
    search.suggest("a")
    search.on_trial_result("a", epoch(1, 0.1))
    put(b"", checkpoint.progress(tmp_path / "checkpoints" / "0", 1))
    strike(search, "a", RayActorError())
    again = search.suggest("b")
    assert isinstance(again, dict)
    assert (again["label"], again["after"], again["config"]["accumulate"]) == ("0", 1, 1)
    assert search.suggest("c") is None  # not the end: trial b may need another try
    strike(search, "b", RayActorError())
    [trial] = held(tmp_path)
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["reason"] == "the worker died (tried twice; the first time: the worker died)"
    assert search.suggest("d") == "FINISHED"


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("no room"), MemoryError("no room")])
def test_a_trial_that_ran_out_of_memory_is_tried_once_more_with_half_batches(tmp_path: Path, error: Exception) -> None:
    search = searcher(tmp_path, budget=1)
    search.suggest("a")
    strike(search, "a", error)
    again = search.suggest("b")
    assert isinstance(again, dict)
    assert (again["after"], again["config"]["accumulate"]) == (0, 2)
    # A killed driver does not give it a third try, nor whole batches again.
    resumed = searcher(tmp_path, budget=1)
    once_more = resumed.suggest("a")
    assert isinstance(once_more, dict)
    assert once_more["config"]["accumulate"] == 2
    strike(resumed, "a", error)
    [trial] = held(tmp_path)
    assert trial.state == TrialState.FAIL
    kind = type(error).__name__
    assert trial.user_attrs["reason"] == f"{kind}: no room (tried twice; the first time: {kind}: no room)"


def test_what_a_trial_raised_itself_is_not_tried_again(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=1)
    search.suggest("a")
    strike(search, "a", ValueError("wrong shape"))
    assert search.suggest("b") == "FINISHED"
    assert held(tmp_path)[0].user_attrs["reason"] == "ValueError: wrong shape"


def test_when_progress_cannot_be_kept_nothing_more_is_handed_out_or_told(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=3)
    search.suggest("a")
    search.suggest("b")
    strike(search, "a", Unwritable("progress-1.pt: No space left on device"))
    search.on_trial_result("b", epoch(1, 0.1))
    search.on_trial_complete("b", epoch(2, 0.1))
    assert search.suggest("c") == "FINISHED"
    assert [trial.state for trial in held(tmp_path)] == [TrialState.RUNNING] * 2
    assert [trial.intermediate_values for trial in held(tmp_path)] == [{}, {}]
    assert isinstance(stopped_by(search.fault or Exception(), tmp_path), StudyFailed)


@pytest.mark.parametrize("method", ["on_trial_result", "on_trial_complete"])
def test_a_journal_that_cannot_be_written_is_a_fault_and_no_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    search = searcher(tmp_path, budget=2)
    search.suggest("a")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JournalFileBackend, "append_logs", full)
    getattr(search, method)("a", epoch(1, 0.1))
    assert isinstance(search.fault, OSError)
    assert search.suggest("b") == "FINISHED"


def test_every_proposal_lies_inside_the_space_and_no_key_comes_twice(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=40)
    for number in range(40):
        assert search.suggest(str(number)) != "FINISHED"
        finish(search, str(number), [0.1, 0.2, number / 40])
    assert search.suggest("40") == "FINISHED"
    trials = [trial for trial in held(tmp_path) if "reused_of" not in trial.user_attrs]
    assert len(trials) == 40
    assert all(outside(SPACE, from_point(trial.user_attrs["strategy"])) == [] for trial in trials)
    assert len({trial.user_attrs["key"] for trial in trials}) == 40


def test_the_same_seed_proposes_the_same_and_another_seed_does_not(tmp_path: Path) -> None:
    def proposals(folder: str, seed: int) -> list[dict[str, Any]]:
        (tmp_path / folder).mkdir()
        search = searcher(tmp_path / folder, budget=15, seed=seed)
        for number in range(15):
            search.suggest(str(number))
            finish(search, str(number), [0.1, 0.2, (number * 7 % 5) / 5])
        return [trial.user_attrs["strategy"] for trial in held(tmp_path / folder)]

    first = proposals("a", 0)
    assert proposals("b", 0) == first
    assert proposals("c", 1) != first


def small_space() -> Any:
    domains = {"head_lr": Choice((0.001, 0.01)), "freezing": Choice(("probe", "full")), "lr_ratio": Choice((0.1,))}
    return build("quick", Setting("image", "adamw", 4), domains | {"reinit": Choice(("none",))})


def middling_space() -> Any:
    domains = {"head_lr": Choice((0.001, 0.01)), "lr_ratio": Choice((0.1, 1.0)), "reinit": Choice(("none",))}
    return build("quick", Setting("image", "adamw", 4), domains | {"freezing": Choice(("probe", "top", "lp_ft"))})


def test_a_duplicate_repeats_the_earlier_score_and_costs_no_budget(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=20, space=middling_space())
    for number in range(20):
        search.suggest(str(number))
        finish(search, str(number), [0.1, 0.2, number / 20])
    assert search.suggest("20") == "FINISHED"
    reused = [trial for trial in held(tmp_path) if "reused_of" in trial.user_attrs]
    assert reused
    trained = {str(t.number): t for t in held(tmp_path) if "reused_of" not in t.user_attrs}
    assert len(trained) == 20
    for trial in reused:
        twin = trained[trial.user_attrs["reused_of"]]
        assert trial.user_attrs["key"] == twin.user_attrs["key"]
        assert trial.state == TrialState.PRUNED
        assert trial.intermediate_values == {3: twin.value}
    trials, _ = load(tmp_path)
    assert (trials["state"] == "reused").sum() == len(reused)


def all_of(space: Any, tmp_path: Path, **options: Any) -> StudySearcher:
    """Search until nothing is left."""
    search = searcher(tmp_path, space=space, budget=1000, **options)
    trained = 0
    while search.suggest(str(trained)) != "FINISHED":
        finish(search, str(trained), [0.1, 0.2, 0.3])
        trained += 1
    return search


def test_a_space_of_so_many_strategies_is_searched_to_the_last_with_few_repeats(tmp_path: Path) -> None:
    told: list[Event] = []
    space = middling_space()
    known = every(space)
    assert known is not None
    search = all_of(space, tmp_path, tell=told.append)
    assert search.exhausted
    kept = [trial.user_attrs for trial in held(tmp_path)]
    assert sorted(attributes["key"] for attributes in kept if "reused_of" not in attributes) == sorted(known)
    most = [1 + math.ceil(DUPLICATES_IN_A_ROW * left / len(known)) for left in range(1, len(known) + 1)]
    assert len(kept) <= sum(most)
    assert told[-1]["message"] == f"space exhausted: all of its {len(known)} strategies were tried already"


def test_a_space_without_an_end_is_given_up_after_fifty_repeats_in_a_row(tmp_path: Path) -> None:
    told: list[Event] = []
    # Two learning rates to three digits, but to the search a range like any other.
    domains = {"head_lr": Float(0.001, 0.00101), "freezing": Choice(("probe",))}
    all_of(build("quick", Setting("image", "adamw", 4), domains), tmp_path, tell=told.append)
    assert len({trial.user_attrs["key"] for trial in held(tmp_path)}) == 2
    assert told[-1]["message"] == "space exhausted: 50 draws in a row were tried already"


def test_controls_come_first_and_do_not_count(tmp_path: Path) -> None:
    controls = [Strategy(Probe(), 1e-3), Strategy(Full(), 1e-3)]
    search = searcher(tmp_path, budget=2, queue=for_control(controls, seed=0))
    for number in range(4):
        search.suggest(str(number))
        finish(search, str(number), [0.1, 0.2, 0.3])
    assert search.suggest("4") == "FINISHED"
    assert [trial.user_attrs["stage"] for trial in held(tmp_path)] == ["control", "control", "search", "search"]


def test_the_sampler_learns_from_a_control_that_the_space_holds(tmp_path: Path) -> None:
    inside, beyond = Strategy(Full(), 1e-3, weight_decay=1e-4), Strategy(Full(), 5.0, weight_decay=1e-4)
    search = searcher(tmp_path, budget=0, queue=for_control([inside, beyond], seed=0))
    for trial_id in "ab":
        search.suggest(trial_id)
        finish(search, trial_id, [0.1, 0.2, 0.3])
    known, unknown = held(tmp_path)
    assert known.params["freezing"] == "full"
    assert known.params["lr_ratio"] == 0.1
    assert unknown.params == {}
    assert [from_point(trial.user_attrs["strategy"]) for trial in (known, unknown)] == [inside, beyond]


def test_a_draw_that_repeats_a_control_is_not_trained_again(tmp_path: Path) -> None:
    controls = [from_point({"freezing": kind, "head_lr": 0.001, "weight_decay": 1e-4}) for kind in ("probe", "full")]
    search = searcher(tmp_path, budget=9, space=small_space(), queue=for_control(controls, seed=0))
    trained = 0
    while search.suggest(str(trained)) != "FINISHED":
        finish(search, str(trained), [0.1, 0.2, 0.3])
        trained += 1
    assert trained == 4  # two controls, and the two points of the space they leave


def test_a_control_competes_in_no_stratum(tmp_path: Path) -> None:
    search = searcher(tmp_path, budget=1, queue=for_control([Strategy(Probe(), 1e-3)], seed=0))
    search.suggest("control")
    search.suggest("searched")
    assert search.place("control") == (0, None)
    assert search.place("searched")[1] is not None


def test_confirmations_are_told_only_after_the_test_set_was_opened(tmp_path: Path) -> None:
    queue = for_confirmation([(Strategy(Probe(), 1e-3), "finalist", 2)], seed=7)
    search = StudySearcher(tmp_path, "confirm", TEMPLATE, queue)
    orders = [search.suggest("a"), search.suggest("b")]
    assert [order["config"]["seed"] for order in orders if isinstance(order, dict)] == [8, 9]
    finish(search, "a", [0.1, 0.2, 0.3])
    search.on_trial_complete("b", error=True)
    complete, failed = held(tmp_path, "confirm")
    assert complete.state == TrialState.RUNNING
    assert complete.user_attrs["end"] == {"state": "COMPLETE", "value": 0.3, "epoch": 3}
    assert failed.state == TrialState.FAIL
    trials, _ = load(tmp_path)
    assert trials["state"].tolist() == ["complete", "failed"]
    assert trials["trial"].tolist() == ["c0", "c1"]


@pytest.mark.parametrize("result", [None, {}, {"epoch": 0}, {"score": 0.5}])
def test_a_trial_that_ends_without_an_epoch_is_failed(tmp_path: Path, result: dict[str, Any] | None) -> None:
    search = searcher(tmp_path, budget=1)
    search.suggest("a")
    search.on_trial_complete("a", result)
    [trial] = held(tmp_path)
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["reason"] == "ended without a score"


def test_how_far_each_block_moved_is_kept_though_tune_joins_the_names(tmp_path: Path) -> None:
    from ray.tune.utils import flatten_dict

    search = searcher(tmp_path, budget=1)
    search.suggest("a")
    last = flatten_dict(epoch(3, 0.3, weight_change={"units.0": 0.1, "head": 0.5}))
    search.on_trial_result("a", epoch(1, 0.1))
    search.on_trial_complete("a", last)
    [trial] = held(tmp_path)
    assert trial.user_attrs["weight_change"] == {"units.0": 0.1, "head": 0.5}
