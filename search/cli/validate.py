"""``thawline validate``: what is wrong with a study, before anything runs."""

from __future__ import annotations

from typing import Annotated

import typer

from search.cli.options import Overrides, StudyPath


def validate(
    study: StudyPath,
    o: Overrides = None,
    static: Annotated[
        bool, typer.Option("--static", help="Stop before the data, weights and blocks are read.")
    ] = False,
) -> None:
    """Check a study file, then its data, weights and blocks."""
    from search.layering import resolve

    resolved = resolve(study, o or [])
    typer.echo(f"{study}: keys, values, names and paths are fine")
    if static:
        return
    from search.study import check_deep

    typer.echo("\n".join(check_deep(resolved)))
