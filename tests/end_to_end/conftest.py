"""One Ray with four slots and one finished study, shared by every module of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

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
    """Return the run folder of the tiny study, run once through the Python API."""
    import thawline

    study = write_project(tmp_path_factory.mktemp("tiny"))
    return Path(thawline.Study.from_yaml(study).run(study.parent / "run", quiet=True).run_dir)


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
