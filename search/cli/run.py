"""``thawline run``: the search, the confirmation, the report."""

from __future__ import annotations

from typing import Annotated

import typer

from search.cli.options import Overrides, StudyPath


def run(
    study: StudyPath,
    o: Overrides = None,
    run_dir: Annotated[
        str | None, typer.Option(help="The run folder, or a URI; default: <storage.runs>/<name>-<UTC time>.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line per event.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the result only.")] = False,
) -> None:
    """Run a study from the search to the report."""
    from search.layering import resolve

    resolved = resolve(study, o or [])
    from search.study import Study

    Study(resolved).run(run_dir=run_dir, json=json, quiet=quiet)
