"""The public API: a study from its file to its report.

Example::

    run = Study.from_yaml("flowers.yaml").run()
    run.best, run.trials, run.leaderboard
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from search.clock import Clock
from search.commit import commits
from search.errors import ExitCode, StudyFailed, again, concerns, unwritable
from search.layering import Resolved, dump, resolve
from search.lock import hold
from search.places import new_run
from search.progress import Progress
from search.results.run import Results, report
from search.rungs import Stopping
from search.setup import Checked, Setup, check, control_strategies, names_functions, rungs_of, versions
from trainables.files import Unwritable
from trainables.remote import RemotePath

if TYPE_CHECKING:
    from search.planning import Planned

__all__ = ["Results", "Study", "check_deep", "report"]


class Study:
    """A study file, resolved and ready to run."""

    def __init__(self, resolved: Resolved) -> None:
        self.resolved = resolved

    @classmethod
    def from_yaml(cls, path: str | Path, overrides: Sequence[str] = ()) -> Study:
        """Read a study file; ``overrides`` are ``key=value`` strings as after ``-o``.

        Raises:
            BadInput: every problem that shows without looking into the data.
        """
        return cls(resolve(path, overrides))

    def plan(self) -> Planned:
        """Return what the study would do and cost, and what the textbook rule advises; no trial is run.

        Raises:
            BadInput: the study cannot be carried out as written.
        """
        from search.planning import plan

        return plan(self.resolved)

    def run(self, run_dir: str | Path | None = None, *, json: bool = False, quiet: bool = False) -> Results:
        """Search, confirm, decide, open the test set once, and write tables and report.

        Args:
            run_dir: The run folder, new or empty, or a URI; default: ``<storage.runs>/<name>-<UTC time>``.
            json: Write one JSON line per event to standard output instead of plain lines to standard error.
            quiet: Write the result only.

        Raises:
            BadInput: the study cannot be carried out as written; nothing was written.
            StudyFailed: no trial could be used, or Ray could not be reached.
        """
        checked = check(self.resolved)
        folder, target = new_run(self.resolved, run_dir)
        progress = Progress(
            total=0, metric=checked.template.metric, mode=checked.template.mode, as_json=json, quiet=quiet
        )
        with hold(folder):
            return finish(prepare(checked, folder, progress, target))


def check_deep(resolved: Resolved) -> list[str]:
    """Look into data, weights and blocks; return what was found, a line each.

    Raises:
        BadInput: every problem found.
    """
    checked = check(resolved)
    data = checked.dataset
    counts = ", ".join(f"{name} {len(getattr(data, name))}" for name in ("train", "val", "test"))
    return [
        f"data: {len(data.classes)} classes; samples: {counts}",
        *(f"warning: {warning}" for warning in data.warnings),
        f"model: {resolved.config.model} has {checked.blocks} blocks between stem and head",
        *([f"head: new; of the weights it drops {', '.join(checked.dropped)}"] if checked.dropped else []),
        f"space: {', '.join(checked.space.names)}",
    ]


def prepare(checked: Checked, folder: Path, progress: Progress, target: RemotePath | None = None) -> Setup:
    """Make the run folder and write down what is known before the first trial."""
    from search.database import point
    from search.mirror import MIRROR, Mirror
    from search.storage import SEARCH, open_study
    from trainables.data.split import write_csv

    config = checked.resolved.config
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if config.storage.study != "journal":
            point(folder, config.storage.study)
        (folder / "study.yaml").write_text(dump(checked.resolved), encoding="utf-8")
        write_csv(checked.dataset, folder / "split.csv")
        study = open_study(folder, SEARCH, config.metric.mode)
    except OSError as error:
        raise unwritable(folder, error) from error
    controls = control_strategies(config, checked.blocks)
    facts = {
        "space_hash": checked.space.hash,
        "split_hash": checked.dataset.hash,
        "blocks": checked.blocks,
        "folder": str(checked.resolved.folder),
        MIRROR: str(target) if target else None,
        "own_modules": names_functions(config),
        "classes": list(checked.dataset.classes),
        "controls": {name: strategy.key for name, strategy in controls.items()},
        "versions": versions(),
        "commits": commits(checked.resolved.path.absolute()),
        "warnings": list(checked.dataset.warnings),
    }
    for name, value in facts.items():
        study.set_user_attr(name, value)
    for warning in checked.dataset.warnings:
        progress({"event": "warning", "message": warning})
    clock, mirror = Clock(config.budget.hours), Mirror(folder, target, progress) if target else None
    return Setup(config, checked.template, checked.space, controls, folder, progress, clock, mirror)


def finish(setup: Setup) -> Results:
    """Carry out all that the run folder does not hold yet, and tell the answer.

    Raises:
        StudyFailed: no trial could be used, Ray could not be reached, or the run folder could not be written.
    """
    from search.database import FAULTS, lost
    from search.live import shown

    mirrored = setup.mirror.going() if setup.mirror else nullcontext()
    with interruptible(setup.run_dir), shown(setup.progress, setup.config.name), mirrored:
        try:
            _carry_out(setup)
        except (OSError, Unwritable) as error:
            if isinstance(error, OSError) and not concerns(error, setup.run_dir):
                raise
            raise unwritable(setup.run_dir, error) from error
        except FAULTS as error:
            raise lost(error, setup.run_dir) or error from error
    results = Results(setup.run_dir)
    setup.progress({"event": "report", "run_dir": str(setup.run_dir), "sentence": results.sentence})
    if not setup.progress.as_json:
        print(results.summary)
    return results


@contextmanager
def interruptible(folder: Path) -> Iterator[None]:
    """Turn SIGTERM into the same orderly end as Ctrl-C, and say what is kept."""

    def stop(_signal: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    on_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if on_main else None
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted; what is done is saved; to go on: {again('resume', folder)}", file=sys.stderr)
        raise
    finally:
        if on_main:
            signal.signal(signal.SIGTERM, before)


def _carry_out(setup: Setup) -> None:
    from search import confirm
    from search.tuner import cluster, machines_told, slots  # first: sets what Ray reads when it is imported
    from search.sharing import gpu_share  # isort: skip

    with cluster():
        room = slots(setup.config.resources, gpu_share(setup))
        setup.progress.workers = room.concurrent
        with machines_told(room, setup.progress):
            _search(setup, room)
            if not confirm.any_usable(setup.run_dir):
                raise _nothing_usable(setup)
            confirm.confirm(setup, room)
            if confirm.decide_on_validation(setup) is None:
                raise _nothing_usable(setup)
            confirm.open_the_test_set(setup, room)
    from search.export import native

    native.export_best(setup)
    report(setup.run_dir)


def _search(setup: Setup, room: Any) -> None:
    from search.proposals import to_search
    from search.rule import rule_of
    from search.sampler import StudySearcher
    from search.sampling import Sampling
    from search.storage import SEARCH
    from search.tuner import carry_out

    config = setup.config
    queue = to_search(rule_of(setup).strategies, list(setup.controls.values()), config.search.seed)
    sampling = Sampling(setup.space, config.budget.trials, config.search.seed, config.search.sampler)
    total = len(setup.controls) + config.budget.trials
    stopping = _stopping(setup)
    searcher = StudySearcher(
        setup.run_dir, SEARCH, setup.template, queue, sampling, stopping, setup.progress, setup.clock, setup.mirror
    )
    setup.progress.begin("search", total, searcher.ended)
    carry_out(searcher, stopping, room)


def _stopping(setup: Setup) -> Stopping | None:
    from search.asha import RayAsha

    config = setup.config
    match config.search.scheduler:
        case "stratified":
            return rungs_of(config, setup.space)
        case "asha":
            return RayAsha(config.budget.epochs, config.search.grace, config.search.reduction, config.metric.mode)
        case "none":
            return None
        case _:
            assert_never(config.search.scheduler)


def _nothing_usable(setup: Setup) -> StudyFailed:
    """Write the report and show its table of reasons; return the error that ends the study."""
    summary = report(setup.run_dir)
    if not setup.progress.as_json:
        print(summary)
    return StudyFailed(_no_usable_trial(setup.run_dir), ExitCode.NO_TRIAL)


def _no_usable_trial(folder: Path) -> str:
    from search.report.hours import cut_lines, what_was_cut
    from search.results.load import attributes, load

    trials, _ = load(folder)
    cut = cut_lines(what_was_cut(attributes(folder), trials), None)
    if cut:
        more = f"give it more: {again('resume', folder, '-o budget.hours=HOURS')}"
        return f"the study ended without a usable trial. {' '.join(cut)} {more}"
    failed = trials[trials["state"] == "failed"]
    reasons = failed["reason"].value_counts()
    listed = "; ".join(f"{count} x {reason}" for reason, count in reasons.items()) or "no trial reached its last epoch"
    logs = f". Tracebacks are in {folder / 'logs'}" if (folder / "logs").exists() else ""
    return f"the search ended without a usable trial: {listed}{logs}"
