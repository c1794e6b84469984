"""``thawline ls``: what there is to choose from, and the runs so far."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import AsJson
from search.config import MODALITY_OF_TASK
from search.errors import RECORDS
from search.model_names import FORMS, torchvision_names
from spaces.presets import PRESETS
from spaces.strategy import FREEZING_KINDS, REINIT_KINDS

Row = dict[str, str]


class What(StrEnum):
    """What can be listed."""

    MODELS = "models"
    STRATEGIES = "strategies"
    SPACES = "spaces"
    TASKS = "tasks"
    RUNS = "runs"


def ls(
    what: Annotated[What, typer.Argument(help="What to list.")],
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="For runs: where they lie.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List models, strategies, spaces, tasks or runs."""
    rows = LISTS[what](folder)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        typer.echo(f"no {what} in {folder}")
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        typer.echo(f"{row['name']:<{width}}  {row['about']}".rstrip())


def models() -> list[Row]:
    """Return the forms of ``model``, then torchvision's networks."""
    forms = [{"name": form, "about": about} for form, about in FORMS.items()]
    return forms + [{"name": f"torchvision:{name}", "about": ""} for name in torchvision_names()]


def strategies() -> list[Row]:
    """Return the kinds of freezing and of re-initialisation."""
    kinds = {"freezing": FREEZING_KINDS, "reinit": REINIT_KINDS}
    return [
        {"name": f"{field}: {kind}", "about": about} for field, table in kinds.items() for kind, about in table.items()
    ]


def spaces() -> list[Row]:
    """Return the presets with their size and dimensions."""
    return [
        {"name": name, "about": f"{row.trials} trials of {row.epochs} epochs over {', '.join(row.dimensions)}"}
        for name, row in PRESETS.items()
    ]


def tasks() -> list[Row]:
    """Return the tasks."""
    return [{"name": task, "about": f"one label for each {data}"} for task, data in MODALITY_OF_TASK.items()]


def runs(folder: Path) -> list[Row]:
    """Return the run folders in ``folder`` by name, each with its verdict where there is one."""
    found = folder.iterdir() if folder.is_dir() else ()
    held = [run for run in found if any((run / name).is_file() for name in ("study.yaml", *RECORDS))]
    return [{"name": run.name, "about": _verdict(run)} for run in sorted(held)]


def _verdict(run: Path) -> str:
    try:
        return str(json.loads((run / "report" / "report.json").read_text(encoding="utf-8"))["verdict"]["sentence"])
    except (OSError, ValueError, KeyError, TypeError):
        return "no report yet"


LISTS: dict[What, Callable[[Path], list[Row]]] = {
    What.MODELS: lambda _: models(),
    What.STRATEGIES: lambda _: strategies(),
    What.SPACES: lambda _: spaces(),
    What.TASKS: lambda _: tasks(),
    What.RUNS: runs,
}
