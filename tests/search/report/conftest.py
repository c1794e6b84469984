"""One made-up run with its report, shared by every module of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.results.run import report
from tests.support import made_up_run


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of 20 trials, two of them failed, with tables and report."""
    folder = made_up_run.write(tmp_path_factory.mktemp("made-up") / "run", failed=2)
    report(folder)
    return folder
