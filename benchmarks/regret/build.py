"""Train every point of a study's grid over several seeds and keep the curves. Goes on where it was stopped.

    python -m benchmarks.regret.build digits --processes 2
    python -m benchmarks.regret.build            all tables, within six CPU-hours

A study of `studies/` becomes `tables/NAME.parquet`: one row per strategy, seed and epoch, with the
validation and the test score, the deterministic cost and the CPU-seconds it took. Until it is
complete, what is done stands in `tables/NAME.jsonl`, which is committed too: hours went into it. Only
the replay benchmark reads test scores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: processes share the cores

import pandas as pd

from benchmarks.regret.grid import grid
from search.layering import resolve
from search.rule import plan_rule
from search.setup import Checked, check
from spaces.quadrants import Quadrant
from spaces.strata import stratum
from spaces.strategy import Strategy, to_point
from trainables.config import TrialConfig

HERE = Path(__file__).parent
STUDIES, TABLES = HERE / "studies", HERE / "tables"
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Training:
    """One strategy at one seed, still to be done."""

    config: TrialConfig
    key: str


def names() -> list[str]:
    """Return the studies that become tables."""
    return sorted(path.stem for path in STUDIES.glob("*.yaml"))


def checked(name: str) -> Checked:
    """Read and check a study."""
    return check(resolve(STUDIES / f"{name}.yaml"))


def trainings(study: Checked) -> list[Training]:
    """Return every training of the table, seed by seed, so that a part of it is a table of fewer seeds."""
    strategies = grid(study.space)
    return [Training(_config(study, strategy, seed), strategy.key) for seed in SEEDS for strategy in strategies]


def curve(training: Training) -> list[dict[str, Any]]:
    """Train, and return one row an epoch."""
    from trainables.activations.prefix import source
    from trainables.evaluate import evaluate
    from trainables.loop import train
    from trainables.run import build

    run = build(training.config)
    testing = cache(lambda phase: source(run, phase, run.config.epochs, ("test",)).logits)
    rows, started = [], time.process_time()
    for epoch in train(run):
        seconds = time.process_time() - started
        test = evaluate(run, "test", testing(run.plan.phase(epoch.epoch - 1))).score
        rows.append(
            {
                "key": training.key,
                "seed": training.config.seed,
                "epoch": epoch.epoch,
                "val": epoch.score,
                "test": test,
                "cost": epoch.cost,
                "cpu_seconds": round(seconds, 4),
            }
        )
        started = time.process_time()
    return rows


def build_table(name: str, processes: int, until: float) -> bool:
    """Do what is left of a table, until the clock stands at ``until``; tell whether it is complete."""
    study = checked(name)
    partial = TABLES / f"{name}.jsonl"
    lines = _whole_lines(partial)
    TABLES.mkdir(exist_ok=True)
    partial.write_text("".join(lines), encoding="utf-8")  # without what a kill tore
    done = set(map(_identity, lines))
    left = [t for t in trainings(study) if (t.key, t.config.seed) not in done]
    print(f"{name}: {len(done)} trainings done, {len(left)} left", file=sys.stderr, flush=True)
    with partial.open("a", encoding="utf-8") as file, ProcessPoolExecutor(processes) as pool:
        queue = iter(left)
        running = {pool.submit(curve, training) for _, training in zip(range(processes), queue, strict=False)}
        while running:
            finished = next(as_completed(running))
            running.remove(finished)
            file.write(json.dumps(finished.result()) + "\n")
            file.flush()
            if time.monotonic() < until and (following := next(queue, None)):
                running.add(pool.submit(curve, following))
        complete = next(queue, None) is None
    if complete:
        write(study, name)
    return complete


def write(study: Checked, name: str) -> None:
    """Turn the lines of a complete table into one parquet file, with each strategy's dimensions beside its curves."""
    rows = [row for line in _whole_lines(TABLES / f"{name}.jsonl") for row in json.loads(line)]
    known = {strategy.key: strategy for strategy in grid(study.space)}
    points = pd.DataFrame([{"key": k, "stratum": stratum(s), **to_point(s)} for k, s in known.items()])
    curves = pd.DataFrame(rows).sort_values(["key", "seed", "epoch"])
    facts = {
        "blocks": study.blocks,
        "quadrants": [list(quadrant) for quadrant in _quadrants(study)],
        "samples": {split: len(getattr(study.dataset, split)) for split in ("train", "val", "test")},
        "strategies": len(known),
        "cpu_hours": round(float(curves["cpu_seconds"].sum()) / 3600, 2),
    }
    (TABLES / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    curves.merge(points, on="key").to_parquet(TABLES / f"{name}.parquet", index=False)
    (TABLES / f"{name}.jsonl").unlink()


def _quadrants(study: Checked) -> list[Quadrant]:
    """Return what the rule measures on this data: both similarities, the likelier first, where it cannot tell."""
    rule = plan_rule(study, [])
    other = {"similar": "dissimilar", "dissimilar": "similar"}
    here = [rule.similarity, other[rule.similarity]] if rule.unsure else [rule.similarity]
    return [cast(Quadrant, (rule.size, similarity)) for similarity in here]


def _config(study: Checked, strategy: Strategy, seed: int) -> TrialConfig:
    return study.template.model_copy(update={"strategy": to_point(strategy), "seed": seed})


def _whole_lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith("\n")]


def _identity(line: str) -> tuple[str, int]:
    first = json.loads(line)[0]
    return first["key"], first["seed"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regret.build", description="Build replay tables.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names())} (default: all)")
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    parser.add_argument("--minutes", type=float, default=float("inf"), metavar="M", help="stop after so long")
    wanted = parser.parse_args(arguments)
    if unknown := [name for name in wanted.names if name not in names()]:
        print(f"no study {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    until = time.monotonic() + 60 * wanted.minutes
    missing = [name for name in wanted.names or names() if not (TABLES / f"{name}.parquet").exists()]
    complete = [build_table(name, wanted.processes, until) for name in missing]
    return 0 if all(complete) else 1


if __name__ == "__main__":
    sys.exit(main())
