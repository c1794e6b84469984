"""``thawline resume``: go on where a run stopped, in whichever stage, or extend one that has ended.

Nothing but the journal says where that is. Every stage asks it what is still to be done, so that
resuming is carrying out the study again: what stands is not done twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.clock import USED, Clock
from search.errors import require_run, unwritable
from search.layering import OVERRIDE, Resolved, dump, resolve
from search.lock import hold
from search.static_checks import check_files
from search.study_file import read_study_file
from spaces.errors import BadInput, Problem
from trainables.files import Unwritable, put
from trainables.remote import RemotePath, is_uri

if TYPE_CHECKING:
    from search.progress import Progress
    from search.results.run import Results
    from search.setup import Checked, Setup

# Not finalists.resplit: seeds on one split and seeds on many do not go together.
MAY_CHANGE = ("budget.trials", "budget.hours", "finalists.count", "finalists.seeds", "finalists.margin", "resources")
LAST_FACT = "warnings"  # of those that are written down before the first trial


def resume(
    run_dir: str | Path,
    overrides: Sequence[str] = (),
    *,
    to: str | Path | None = None,
    json: bool = False,
    quiet: bool = False,
) -> Results:
    """Go on with a run that was stopped, killed or is to be extended, to its report.

    Trials that have ended stay. Those that had not go on from their last checkpoint, under the same
    number; what they had reported is not written again.

    Args:
        run_dir: The run folder; or the URI of a mirrored one, which is copied here first and goes on being mirrored.
        to: Where such a copy is made: a new or empty folder; default: ``runs/<its name>`` in the current folder.
        overrides: ``key=value`` strings as after ``-o``: ``budget.trials``, ``budget.hours``, ``resources.*``,
            ``finalists.count``, ``.seeds`` and ``.margin``. They are written into the run's study file.
        json: Write one JSON line per event to standard output instead of plain lines to standard error.
        quiet: Write the result only.

    Raises:
        BadInput: there is nothing to go on with, the data or the space changed, or another process has the run.
        StudyFailed: no trial could be used, Ray could not be reached, or the run folder could not be written.
    """
    from search.mirror import MIRROR
    from search.progress import Progress
    from search.setup import check
    from search.storage import repair
    from search.study import finish

    target, run_dir = _here(run_dir, to)
    resolved, facts = reread(run_dir, overrides)
    checked = check(resolved)
    _same_study(checked, facts, run_dir)
    with hold(run_dir):
        try:
            repair(run_dir)
            if overrides:
                put(_rewritten(resolved).encode(), run_dir / "study.yaml")
        except (OSError, Unwritable) as error:
            raise unwritable(run_dir, error) from error
        template = checked.template
        progress = Progress(total=0, metric=template.metric, mode=template.mode, as_json=json, quiet=quiet)
        return finish(_setup(checked, facts, run_dir, progress, target or facts.get(MIRROR)))


def _here(run_dir: str | Path, to: str | Path | None) -> tuple[str | None, Path]:
    """Return the URI that the run is mirrored to, where it was named by it, and its folder on this machine."""
    if not is_uri(str(run_dir)):
        if to is not None:
            raise BadInput.at("--run-dir", f"is for a mirrored run, named by its URI; {run_dir} is here already")
        return None, Path(run_dir)
    from search.mirror import pull

    source = RemotePath(str(run_dir))
    return source.uri, pull(source, Path(to) if to else Path("runs") / source.name)


def reread(run_dir: Path, overrides: Sequence[str]) -> tuple[Resolved, Mapping[str, Any]]:
    """Read a run's study file under ``overrides``, and what its journal holds of the whole study.

    Raises:
        BadInput: it is no run folder, no trial was begun in it, or a key may not change any more.
    """
    require_run(run_dir)
    keys = [text.partition("=")[0].strip() for text in overrides]
    allowed = f"resume takes {', '.join(MAY_CHANGE)}.*"
    message = f"cannot change in a run that has begun; {allowed}: start a new run for another study"
    fixed = [key for key in keys if not any(key == may or key.startswith(f"{may}.") for may in MAY_CHANGE)]
    if fixed:
        raise BadInput(Problem(f"-o {key}", message) for key in fixed)

    from search.results.load import attributes

    facts = attributes(run_dir)
    if LAST_FACT not in facts:
        message = "stopped before its first trial, so there is nothing to go on with; delete it and run the study again"
        raise BadInput.at(str(run_dir), message)
    # Modules that the study names lie beside the file it was resolved from; on another machine, where one stands.
    home = Path(facts["folder"])
    home = home if home.is_dir() else Path.cwd()
    resolved = replace(resolve(run_dir / "study.yaml", overrides, look=False), home=home)
    missing = check_files(resolved.config, resolved.folder)
    if missing:
        raise resolved.placed(BadInput(missing))
    return resolved, facts


def _same_study(checked: Checked, facts: Mapping[str, Any], run_dir: Path) -> None:
    """Refuse to go on with other data or another space: old and new trials could not be compared."""
    now = {"split_hash": ("data", checked.dataset.hash), "space_hash": ("space", checked.space.hash)}
    changed = [
        Problem(place, f"is not what {run_dir} began with: hash {found} now, {facts[name]} then; {_way_out(place)}")
        for name, (place, found) in now.items()
        if facts[name] != found
    ]
    if changed:
        raise BadInput(changed)


def _way_out(place: str) -> str:
    back = "put the files back as split.csv lists them" if place == "data" else "put the network and its version back"
    return f"{back}, or start a new run"


def _setup(checked: Checked, facts: Mapping[str, Any], run_dir: Path, progress: Progress, target: str | None) -> Setup:
    from search.mirror import Mirror
    from search.results.load import load
    from search.setup import Setup, control_strategies

    config = checked.resolved.config
    trials, _ = load(run_dir)
    complete = trials[(trials["stage"] == "search") & (trials["state"] == "complete")]
    if len(complete):
        progress.best = float(complete["score"].max() if config.metric.mode == "max" else complete["score"].min())
    controls = control_strategies(config, checked.blocks)
    clock = Clock(config.budget.hours, before=facts.get(USED, 0.0))
    mirror = Mirror(run_dir, RemotePath(target), progress) if target else None
    return Setup(config, checked.template, checked.space, controls, run_dir, progress, clock, mirror)


def _rewritten(resolved: Resolved) -> str:
    """Return the run's study file with the overrides; every other value keeps the layer that once set it."""
    old = resolved.path.read_text(encoding="utf-8").splitlines()
    written = read_study_file(resolved.path).lines
    layers = {
        key: layer if layer == OVERRIDE or key not in written else old[written[key] - 1].rpartition("  # ")[2]
        for key, layer in resolved.layers.items()
    }
    return "\n".join([old[0], *dump(replace(resolved, layers=layers)).splitlines()[1:]]) + "\n"
