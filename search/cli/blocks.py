"""``thawline blocks``: how a network is cut, and what share trains at each depth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any

import typer

from search.cli.options import AsJson
from search.config import absolute, model_with_absolute_path
from search.model_names import FORMS, model_complaint
from spaces.errors import BadInput


def blocks(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=f"One of {', '.join(FORMS)}.")],
    weights: Annotated[str, typer.Option(metavar="W", help="default, none, or a .safetensors/.pth file.")] = "none",
    as_json: AsJson = False,
) -> None:
    """List the blocks of a network from input to output."""
    here = Path.cwd()
    if complaint := model_complaint(model, here):
        raise BadInput.at("MODEL", complaint)
    if weights not in ("default", "none"):
        weights = absolute(weights, here)
        if not Path(weights).is_file():
            raise BadInput.at("--weights", f"must be default, none or a file, no such file: {weights}")
    from trainables.network.describe import describe

    entries = describe(model_with_absolute_path(model, here), weights)
    typer.echo(json.dumps(entries) if as_json else table(entries))


def table(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the blocks as lines; the last column is what trains when this block and all above it do."""
    total = sum(entry["count"] for entry in entries) or 1
    from_top = list(accumulate(entry["count"] for entry in reversed(entries)))[::-1]
    width = max((len(entry["name"]) for entry in entries), default=4)
    lines = [f"{'index':>5}  {'kind':<5}  {'name':<{width}}  {'parameters':>12}  {'share':>6}  {'from here up':>12}"]
    lines += [
        f"{entry['index']:>5}  {entry['kind']:<5}  {entry['name']:<{width}}  {entry['count']:>12,}  "
        f"{entry['count'] / total:>6.1%}  {trains / total:>12.1%}"
        for entry, trains in zip(entries, from_top, strict=True)
    ]
    return "\n".join(lines)
