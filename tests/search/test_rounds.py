"""Confirmation in rounds: the floor whatever happens, then seeds where they decide, and the same after any kill."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from search.clock import TIME_UP, Clock
from search.progress import silent
from search.proposals import Wanted, for_control, to_confirm
from search.results.compute import compute
from search.results.evidence import measured_on
from search.results.load import attributes, load
from search.rounds import RoundSearcher, SeedRounds
from search.sampler import StudySearcher
from spaces.presets import Setting, build
from spaces.strategy import Strategy, from_point
from tests.search.simulated import CONTROLS, EPOCHS, TEMPLATE, carry_out
from trainables import predictions
from trainables.order import Order

SPACE = build("standard", Setting("image", "adamw", 4))
EXAMPLES, SEEDS = 300, 6
COST = 25.0  # of one training
GOOD, CLOSE, BAD, OTHER = (Strategy(CONTROLS[0].freezing, rate) for rate in (2e-3, 3e-3, 4e-3, 5e-3))
ACCURACY = {GOOD.key: 0.9, CLOSE.key: 0.9, BAD.key: 0.5, OTHER.key: 0.55}


class Killed(BaseException):
    pass


def wanted(*finalists: Strategy) -> list[Wanted]:
    controls = {strategy.key: strategy for strategy in CONTROLS}
    return to_confirm({strategy.key: strategy for strategy in finalists}, controls, None, SEEDS)


def confirm(
    run_dir: Path, candidates: list[Wanted], *, slots: int = 1, events: int = 10**9, clock: Clock | None = None
) -> list[int]:
    """Carry out a confirmation as Tune would; die after so many events. Return the sizes of the rounds."""
    rounds = SeedRounds(run_dir, candidates, search_seed=0, seeds=SEEDS, metric="accuracy", mode="max")
    sizes: list[int] = []
    searcher = RoundSearcher(rounds, TEMPLATE, silent, clock or Clock(), sizes.append)
    running: dict[str, Order] = {}
    number = 0
    while searcher.has_work or running:
        while len(running) < slots:
            suggested = searcher.suggest(f"tune-{number}")
            if not isinstance(suggested, dict):
                break
            running[f"tune-{number}"] = Order.read(suggested)
            number, events = number + 1, events - 1
            if events == 0:
                raise Killed
        if not running:
            break
        name = next(iter(running))
        order = running.pop(name)
        searcher.on_trial_complete(name, train(order))
        events -= 1
        if events == 0:
            raise Killed
    assert searcher.fault is None
    return sizes


def train(order: Order) -> dict[str, object]:
    """Return the last epoch's record, the predictions written as a worker does."""
    key = from_point(order.config.strategy).key
    start = int(hashlib.sha256(f"{key}/{order.config.seed}".encode()).hexdigest()[:8], 16)
    right = np.random.default_rng(start).random(EXAMPLES) < ACCURACY.get(key, 0.4)
    assert order.keep is not None
    predictions.write(order.keep, "val", [str(i) for i in range(EXAMPLES)], [0] * EXAMPLES, (1 - right).tolist())
    score = float(right.mean())
    return {"epoch": EPOCHS, "score": score, "train_loss": 1.0, "val_loss": 1.0, "seconds": 1.0, "cost": COST}


def asked(run_dir: Path) -> list[tuple[str, str, int]]:
    trials, _ = load(run_dir)
    rows = trials[trials["stage"] == "confirm"]
    return list(zip(rows["trial"], rows["key"], rows["seed"], strict=True))


def counted(run_dir: Path) -> Counter[str]:
    return Counter(key for _, key, _ in asked(run_dir))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the journal of a search that cost as much as some sixty trainings."""
    folder = tmp_path_factory.mktemp("searched")
    queue = for_control([Strategy(CONTROLS[0].freezing, rate / 1e5) for rate in range(1, 80)], seed=0)
    carry_out(folder, SPACE, budget=0, searcher=StudySearcher(folder, "search", TEMPLATE, queue))
    trials, _ = load(folder)
    assert trials["cost"].sum() > 55 * COST
    return (folder / "optuna.journal").read_bytes()


@pytest.fixture
def run_dir(searched: bytes, tmp_path: Path) -> Path:
    (tmp_path / "optuna.journal").write_bytes(searched)
    return tmp_path


def test_seeds_go_to_those_that_may_still_be_the_best(run_dir: Path) -> None:
    confirm(run_dir, wanted(GOOD, CLOSE, BAD, OTHER))
    found = counted(run_dir)
    assert (found[GOOD.key], found[CLOSE.key]) == (SEEDS, SEEDS)
    assert {found[strategy.key] for strategy in (BAD, OTHER)} <= {2, 3}  # after two seeds little is known of the spread
    assert {found[strategy.key] for strategy in CONTROLS} == {3}


def test_everybody_in_a_round_has_the_same_fresh_seed(run_dir: Path) -> None:
    confirm(run_dir, wanted(GOOD, CLOSE, BAD), slots=3)
    seeds = {key: sorted(seed for _, other, seed in asked(run_dir) if other == key) for _, key, _ in asked(run_dir)}
    assert all(own == list(range(1, len(own) + 1)) for own in seeds.values())


def test_a_control_may_go_on_and_win(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACCURACY, CONTROLS[1].key, 0.9)
    confirm(run_dir, wanted(GOOD, BAD))
    assert counted(run_dir)[CONTROLS[1].key] == SEEDS
    assert counted(run_dir)[CONTROLS[0].key] == 3


def test_beyond_the_floor_confirmation_takes_no_more_than_the_search_did(run_dir: Path) -> None:
    candidates = wanted(*(Strategy(CONTROLS[0].freezing, 1e-2 + rate / 1000) for rate in range(20)))
    confirm(run_dir, candidates)  # all alike: everybody stays within reach
    trials, _ = load(run_dir)
    spent = compute(trials, search_seed=0, seeds=SEEDS)
    assert spent.floor == (2 * 3 + 20 * 2) * COST
    assert spent.floor < spent.confirmation <= spent.search
    assert spent.search - spent.confirmation < COST
    assert spent.share == pytest.approx(0.5, abs=0.02)
    assert not spent.floor_exceeded


def test_the_floor_runs_even_where_it_alone_is_more_than_half(tmp_path: Path) -> None:
    carry_out(tmp_path, SPACE, budget=2)
    assert confirm(tmp_path, wanted(GOOD, CLOSE)) == []
    trials, _ = load(tmp_path)
    spent = compute(trials, search_seed=0, seeds=SEEDS)
    assert spent.confirmation == spent.floor == 10 * COST
    assert spent.floor_exceeded
    assert spent.floor_share > 0.5


def test_killed_after_any_event_it_goes_on_with_the_same_rounds(searched: bytes, run_dir: Path, tmp_path: Path) -> None:
    candidates = wanted(GOOD, CLOSE, BAD)
    confirm(run_dir, candidates)
    whole = asked(run_dir)
    for events in range(1, 2 * len(whole), 7):
        folder = tmp_path / f"killed-{events}"
        folder.mkdir()
        (folder / "optuna.journal").write_bytes(searched)
        with pytest.raises(Killed):
            confirm(folder, candidates, events=events)
        confirm(folder, candidates)
        assert asked(folder) == whole, f"killed after event {events}"


def test_killed_again_and_again_with_three_workers_it_asks_for_the_same_seeds(
    searched: bytes, run_dir: Path, tmp_path: Path
) -> None:
    candidates = wanted(GOOD, CLOSE, BAD)
    confirm(run_dir, candidates)
    folder = tmp_path / "killed"
    folder.mkdir()
    (folder / "optuna.journal").write_bytes(searched)
    sessions = 0
    while True:
        sessions += 1
        try:
            confirm(folder, candidates, slots=3, events=7)
            break
        except Killed:
            continue
    assert sessions > 2
    assert {(key, seed) for _, key, seed in asked(folder)} == {(key, seed) for _, key, seed in asked(run_dir)}


def test_a_confirmation_that_has_ended_asks_for_nothing_more(run_dir: Path) -> None:
    candidates = wanted(GOOD, CLOSE)
    confirm(run_dir, candidates)
    before = (run_dir / "optuna.journal").read_bytes()
    assert confirm(run_dir, candidates) == []
    assert (run_dir / "optuna.journal").read_bytes() == before


def test_what_was_finished_before_stays_where_an_extension_confirms_more(run_dir: Path) -> None:
    confirm(run_dir, wanted(GOOD, BAD))
    before = asked(run_dir)
    confirm(run_dir, wanted(GOOD, CLOSE, BAD))
    assert asked(run_dir)[: len(before)] == before
    assert counted(run_dir)[CLOSE.key] == SEEDS


def test_when_time_is_up_no_round_begins_and_that_is_written_down(run_dir: Path) -> None:
    candidates = wanted(GOOD, CLOSE)
    with pytest.raises(Killed):
        confirm(run_dir, candidates, events=20)  # the floor has ended
    confirm(run_dir, candidates, clock=Clock(1.0, before=1e9))
    assert len(asked(run_dir)) == 10
    assert attributes(run_dir)[TIME_UP.format("confirm")]["not_started"] == 2
    confirm(run_dir, candidates, clock=Clock(1e9))
    assert counted(run_dir)[GOOD.key] == SEEDS


def test_no_round_is_decided_on_the_test_split(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = predictions.read
    seen: list[str] = []

    def sealed(folder: Path, split: str) -> pd.DataFrame:
        seen.append(split)
        assert split == "val", "the test split was read before the decision"
        return read(folder, split)

    monkeypatch.setattr("search.results.evidence.predictions.read", sealed)
    confirm(run_dir, wanted(GOOD, CLOSE, BAD))
    assert counted(run_dir)[GOOD.key] == SEEDS
    assert set(seen) == {"val"}
    with pytest.raises(AssertionError, match="before the decision"):
        measured_on(run_dir, "test", "accuracy")
