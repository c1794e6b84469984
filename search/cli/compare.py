"""``thawline compare``: several runs in one table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import AsJson
from search.errors import require_run


def compare(
    run_dirs: Annotated[list[Path], typer.Argument(metavar="RUN_DIR RUN_DIR...", help="The run folders.")],
    as_json: AsJson = False,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Also write compare.csv, .md, .tex and .html there.")
    ] = None,
) -> None:
    """Join finished runs into one table: datasets, kinds of strategies, average rank, where each wins."""
    for folder in run_dirs:
        require_run(folder)
    from search.compare import compare as twin

    found = twin(run_dirs)
    typer.echo(json.dumps(found.as_json(), indent=2) if as_json else str(found))
    if to:
        for path in found.write(to):
            typer.echo(f"wrote {path}", err=True)
