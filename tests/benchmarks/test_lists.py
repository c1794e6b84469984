"""The fixed lists that are compared with plain scripts: the same trials on the same files, measured from outside."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import jobs, legs
from benchmarks.experiments import overhead, study
from benchmarks.kept import Kept
from benchmarks.legs import CLASS, FUNCTION, OWN, Leg, List
from benchmarks.metering import Meter, Spent
from benchmarks.plain.job import Job, Outcome

BURNING = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\ntime.sleep(60)"


def leg(wall: float, workers: float, *scores: float) -> Leg:
    return Leg(Spent(wall, workers, workers, 2), Outcome(list(scores), [1.0] * len(scores), 2, wall / 2))


def test_every_trial_of_the_list_is_another_one_at_its_share_of_the_depth() -> None:
    for network in (jobs.MINILM, jobs.MOBILENET):
        points = jobs.points(jobs.DEPTHS, network.blocks, seed=3)
        assert len(set(points)) == len(jobs.DEPTHS) == 16
        assert [point.depth for point in points[:4]] == [0] * 4
        assert [point.depth for point in points[-3:]] == [network.blocks] * 3
    assert len(set(jobs.points((0,) * 60, 6, seed=0))) == 60


def test_a_job_survives_its_file_and_both_sides_read_the_same_samples(tmp_path: Path) -> None:
    from benchmarks.plain.training import load_data
    from search.layering import resolve
    from trainables.data.source import load

    job = jobs.write(jobs.MINILM, jobs.points((0,), 6, 0), 20, 1, tmp_path)
    assert Job.read(job.write(tmp_path / "job.json")) == job
    resolved = resolve(jobs.study_file(jobs.MINILM, job, "fp32", tmp_path / "study.yaml"))
    ours, theirs = load(resolved.config.data, "text"), load_data(job)
    for split, count in (("train", 20), ("val", 5)):
        assert list(getattr(ours, split).labels) == theirs[split].tensors[-1].tolist()
        assert theirs[split].tensors[0].shape == (count, jobs.MINILM.size)


def test_what_a_worker_spends_is_counted_and_what_lies_elsewhere_is_not() -> None:
    name = "'default_' + 'worker.py'"  # not in the command of the process that starts it
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURNING!r}, {name}])"
    process = subprocess.Popen([sys.executable, "-c", script])
    other = subprocess.Popen([sys.executable, "-c", BURNING, "default_worker.py"])
    meter = Meter(process.pid)
    try:
        until = time.monotonic() + 60
        while meter.spent(0.0).workers < 0.5 and time.monotonic() < until:
            meter.look()
            time.sleep(0.05)
    finally:
        for number in sorted({number for number, _ in meter._spent} - {process.pid}):
            subprocess.run(["kill", str(number)], check=False)
        process.kill()
        other.kill()
        process.wait()
        other.wait()
    spent = meter.spent(0.0)
    assert spent.started == 1
    assert 0.5 <= spent.workers < 0.9
    assert spent.everything > spent.workers


def test_a_finished_leg_is_kept_and_another_list_is_measured(tmp_path: Path) -> None:
    asked: list[tuple[Any, str]] = []
    file = Kept(tmp_path / "legs.json")

    def measure(wanted: List, way: str) -> Leg:
        asked.append((wanted, way))
        return leg(1.0, 2.0, 0.5)

    one, other = (List(jobs.MINILM, (0,), 20, 1, seed) for seed in (0, 1))
    for wanted in (one, one, other):
        assert legs.kept(wanted, OWN, measure, file) == leg(1.0, 2.0, 0.5)
    assert asked == [(one, OWN), (other, OWN)]
    file.forget()
    legs.kept(one, OWN, measure, file)
    assert len(asked) == 3


def test_the_rows_hold_ratios_against_their_goals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "has_bf16", lambda: False)
    took = {FUNCTION: leg(30, 60, 0.5, 0.7), CLASS: leg(20, 30, 0.5, 0.7), OWN: leg(10, 20, 0.49, 0.72)}
    told = study.measured(jobs.MINILM, "small", lambda _, way: took[way])
    values = {row["metric"].partition(": ")[2]: row for row in told}
    assert values["worker CPU of (a)"]["value"] == 3
    assert values["worker CPU of (a)"]["goal"] == ">= 2.5 times"
    assert values["wall of (b)"]["value"] == 2
    assert values["wall of (a)"]["note"].endswith("; 15 and 5 s outside of Tune, 3 times within")
    medium = {
        row["metric"].partition(": ")[2]: row for row in study.measured(jobs.MINILM, "medium", lambda _, way: took[way])
    }
    possible = study.limit(jobs.MINILM, jobs.DEPTHS)
    assert 1.5 < possible < 1.6
    assert medium["worker CPU of (b)"]["goal"] == f">= {0.85 * possible:.3f} times"


@pytest.mark.parametrize(
    ("scores", "value", "ok"),
    [
        ([(0.52, 0.72), (0.45, 0.65), (0.53, 0.73)], 0.0, True),
        # Every trial of every round is better by about as much: that is no chance.
        ([(0.52, 0.72), (0.521, 0.721), (0.519, 0.719)], 0.02, False),
        # One round is off, with all its trials: they count once, not sixteen times.
        ([(0.56, 0.76), (0.5, 0.7), (0.5, 0.7)], 0.02, True),
        ([(0.49, 0.72)], 0.005, True),
        ([(0.6, 0.801)], 0.1005, False),
    ],
)
def test_scores_are_held_against_chance_by_rounds(scores: list[tuple[float, ...]], value: float, ok: bool) -> None:
    row = study._scores("score", [leg(30, 60, 0.5, 0.7)] * len(scores), [leg(10, 20, *each) for each in scores])
    assert row["value"] == pytest.approx(value, abs=1e-5)
    assert row["ok"] is ok, row


def test_sixty_trials_are_reckoned_from_twelve() -> None:
    took = {FUNCTION: leg(40, 60, 0.5), OWN: leg(10, 20, 0.5)}  # half of each lies in Tune
    ratio, workers = overhead.measured(jobs.MINILM, lambda _, way: took[way])
    assert ratio["value"] == (20 + 5 * 20) / 10
    assert workers["ok"]


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("network", [jobs.MINILM, jobs.MOBILENET], ids=lambda network: network.kind)
def test_every_way_trains_the_list(network: jobs.Network) -> None:
    wanted = List(network, (0, 1), 32, 1, seed=0)
    for way in (FUNCTION, CLASS, OWN):
        found = legs.leg(wanted, way)
        assert len(found.outcome.scores) == len(found.outcome.losses) == 2
        assert 0 < found.outcome.seconds < found.spent.wall
        assert found.spent.started >= found.outcome.workers >= 1
        assert found.spent.everything > found.spent.workers > 1
