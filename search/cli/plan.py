"""``thawline plan``: what a study would do and cost; no trial is run."""

from __future__ import annotations

import typer

from search.cli.options import Overrides, StudyPath


def plan(study: StudyPath, o: Overrides = None) -> None:
    """Show what a study would do and cost, and what the textbook rule advises; runs no trial."""
    from search.layering import resolve

    resolved = resolve(study, o or [])
    from search.planning import plan as plan_study

    typer.echo(str(plan_study(resolved)))
