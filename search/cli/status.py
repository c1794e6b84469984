"""``thawline status``: the jobs of a cluster, or one of them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from search.cli.options import Address, AsJson


def status(
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="One job; default: all of them.")] = None,
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Show how the studies on a cluster stand."""
    from search.cluster import jobs

    found = jobs.status(job, address=address)
    if as_json:
        typer.echo(json.dumps([each.plain for each in found], indent=2))
    elif job is not None:
        typer.echo(found[0].summary)
    elif found:
        typer.echo("\n".join(each.line for each in found))
    else:
        typer.echo("no study was sent to this cluster", err=True)
