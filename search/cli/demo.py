"""``thawline demo``: the whole job on data that needs no download."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import Annotated

import typer

from search.errors import StudyFailed

NEXT = """
Now with your own data:
  thawline init --template image my-study     writes my-study/study.yaml (or --template text)
  edit my-study/study.yaml                    name your data and your network
  thawline validate my-study/study.yaml       says what is wrong before anything runs
  thawline run my-study/study.yaml            searches, confirms, reports"""


def demo(
    run_dir: Annotated[Path | None, typer.Option(help="The run folder; default: runs/<name>-<UTC time> here.")] = None,
) -> None:
    """Run a small study on embedded data: offline, on a CPU, in minutes."""
    from search.layering import resolve
    from search.study import Study

    # The example may lie in a read-only installation: its runs belong where the user stands.
    runs = json.dumps(str(Path.cwd() / "runs"), ensure_ascii=False)
    Study(resolve(example(), [f"storage.runs={runs}"])).run(run_dir=run_dir, json=False, quiet=False)
    typer.echo(NEXT)


def example() -> Path:
    """Return the demo's study file: in the checkout, or where the installation put it."""
    folders = (Path(__file__).parents[2] / "examples", Path(sysconfig.get_path("data"), "share/thawline/examples"))
    for folder in folders:
        if (folder / "digits.yaml").is_file():
            return folder / "digits.yaml"
    raise StudyFailed(f"the demo's digits.yaml is in neither {folders[0]} nor {folders[1]}; install thawline again")
