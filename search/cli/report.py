"""``thawline report``: write a run's report anew and show its summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.errors import require_run


def report(run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The run folder.")]) -> None:
    """Write the report of a run folder again, and print its summary."""
    require_run(run_dir)
    from search.study import report as write_report

    typer.echo(write_report(run_dir))
