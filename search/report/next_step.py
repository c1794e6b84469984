"""What to do next, with the command for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from search.config import StudyConfig
from search.errors import again
from search.results.intervals import Sample, over_examples, over_seeds
from search.results.verdict import Decision


@dataclass(frozen=True)
class NextStep:
    """A sentence, and the command that does it."""

    sentence: str
    command: str


def unfinished(run_dir: Path, trials: pd.DataFrame) -> NextStep:
    """Return what to do about a run without a verdict."""
    if len(trials) and (trials["state"] == "failed").all():
        first = trials.iloc[0]["trial"]
        return NextStep("See one of the failures in this process, where a debugger can be set.", _trial(run_dir, first))
    return NextStep("Go on where the run stopped.", again("resume", run_dir))


def after(decision: Decision, val: Sample, borders: pd.DataFrame, study: StudyConfig, run_dir: Path) -> NextStep:
    """Return what to do after a verdict.

    More evidence where it lacks: of seeds or of examples, whichever the uncertainty comes from. A wider space where
    the winner lies at its border. Else what was found is to be used, and a longer search is what is left.
    """
    at = borders[(borders["border"] != "") & borders["can_widen"]]
    if decision.label == "not enough evidence" and decision.tied:
        return _more_evidence(decision, val, study, run_dir)
    if len(at):
        named = ", ".join(f"space.{name}" for name in at["dimension"])
        sentence = f"The winner lies at the border of the space: widen {named} in the study file and run it anew."
        return NextStep(sentence, again("run", run_dir / "study.yaml"))
    more = 2 * study.budget.trials
    whose = "Its weights are in best/."
    if decision.recommended != decision.winner:
        whose = "Its weights are in checkpoints/; best/ holds the winner's, which is not told apart from it."
    sentence = f"{whose} To look further (the test set is then opened a second time):"
    return NextStep(sentence, again("resume", run_dir, f"-o budget.trials={more}"))


def seed_share(val: Sample, winner: str, rivals: Sequence[str]) -> float | None:
    """Return which share of the uncertainty of the winner's differences comes from the seeds; None with a single seed.

    Differences' variances are added: a rival whose seeds differ widely weighs as much as it keeps open.
    """
    seeds = {name: over_seeds(val.scores[name], val.scale).variance for name in (winner, *rivals)}
    replicates = {name: val.scores[name].replicates.mean(axis=0) for name in seeds}
    parts = sum(seeds[winner] + seeds[rival] for rival in rivals)
    differences = (replicates[winner] - replicates[rival] for rival in rivals)
    whole = parts + sum(over_examples(each, val.scale, val.examples).variance for each in differences)
    return None if whole != whole else parts / whole


def _more_evidence(decision: Decision, val: Sample, study: StudyConfig, run_dir: Path) -> NextStep:
    share = seed_share(val, decision.winner, decision.tied)
    seeds = 2 * study.finalists.seeds
    if share is None or share > 0.5:
        why = "One seed says nothing of the spread" if share is None else "Most of the uncertainty is the seeds'"
        command = again("resume", run_dir, f"-o finalists.seeds={seeds} -o budget.trials={2 * study.budget.trials}")
        return NextStep(f"{why}: confirm on more of them, and search on, which confirmation may then match.", command)
    sentence = (
        f"Most of the uncertainty is that of {val.examples} validation examples: bring more of them, or accept a wider "
        "finalists.margin, and run the study anew."
    )
    return NextStep(sentence, again("run", run_dir / "study.yaml"))


def _trial(run_dir: Path, label: str) -> str:
    return again("trial", run_dir, label)
