"""The arguments that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        metavar="KEY=VALUE",
        help="Set one value, such as budget.trials=8; paths as in the study file. Repeatable.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's name, as submit printed it.")]
Force = Annotated[bool, typer.Option("--force", help="Take a cluster beyond this machine that asks for no token.")]
Address = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The cluster's dashboard; default: http://127.0.0.1:8265, the end of a tunnel."),
]
