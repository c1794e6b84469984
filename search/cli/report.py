"""``thawline report``: write a run's report anew and show its summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spaces.errors import BadInput


def report(run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The run folder.")]) -> None:
    """Write the report of a run folder again, and print its summary."""
    if not (run_dir / "optuna.journal").is_file():
        raise BadInput.at(str(run_dir), "is no run folder: it holds no optuna.journal (thawline ls runs lists them)")
    from search.study import report as write_report

    typer.echo(write_report(run_dir))
