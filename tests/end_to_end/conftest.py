"""One Ray with four slots and one finished study, shared by every module of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock

from tests.end_to_end.tiny import write_project


@pytest.fixture(scope="package")
def local_ray() -> Iterator[None]:
    """Start a Ray that every study finds running: four slots, whatever the machine has."""
    import search.tuner  # sets what Ray reads when it is imported  # noqa: F401, I001
    import ray

    ray.init(num_cpus=4, address="local", include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="package")
def finished(local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder of the tiny study, run once through the Python API, however many processes test."""
    import thawline

    ours = tmp_path_factory.getbasetemp()
    done = (ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours) / "finished.txt"
    with FileLock(f"{done}.lock"):
        if not done.exists():
            study = write_project(tmp_path_factory.mktemp("tiny"))
            run = thawline.Study.from_yaml(study).run(study.parent / "run", quiet=True)
            done.write_text(str(run.run_dir))
    return Path(done.read_text())


@pytest.fixture(scope="package")
def trials(finished: Path) -> pd.DataFrame:
    return pd.read_parquet(finished / "tables" / "trials.parquet")


@pytest.fixture(scope="package")
def searched(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the search trials that trained."""
    return trials[(trials["stage"] == "search") & (trials["state"] != "reused")]


@pytest.fixture(scope="package")
def confirmed(trials: pd.DataFrame) -> pd.DataFrame:
    return trials[trials["stage"] == "confirm"]


@pytest.fixture(scope="package")
def report(finished: Path) -> dict[str, Any]:
    import json

    return dict(json.loads((finished / "report" / "report.json").read_text()))
