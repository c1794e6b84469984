"""``thawline doctor``: what would stop a study from running on this machine."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from search.cli.options import AsJson
from search.errors import ExitCode


def doctor(
    as_json: AsJson = False,
    no_ray: Annotated[bool, typer.Option("--no-ray", help="Do not try whether Ray starts (seconds).")] = False,
) -> None:
    """Look at Python, packages, devices, memory, disk and Ray; exits 1 if something would stop a study."""
    from search.doctor import doctor as examine

    findings = examine(start_ray=not no_ray)
    if as_json:
        typer.echo(json.dumps([finding.plain for finding in findings], indent=2))
    else:
        typer.echo("\n".join(map(str, findings)))
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(ExitCode.FAILED)
