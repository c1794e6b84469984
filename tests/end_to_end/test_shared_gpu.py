"""Two trials on one GPU, by the fraction that the study names or by what a step was measured to take."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.end_to_end.tiny import STUDY, thawline, write_project


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.parametrize("resources", ["{gpus_per_trial: 0.5, concurrent: 2}", "{concurrent: 2}"])
def test_two_trials_share_a_gpu(tmp_path: Path, resources: str) -> None:
    import torch

    if torch.cuda.device_count() > 1:
        pytest.skip("more than one GPU: two trials would have one each")
    study = STUDY.replace("resources: {concurrent: 1}", f"resources: {resources}")
    write_project(tmp_path, name="shared", study=study)
    done = thawline("run", "study.yaml", "--run-dir", "run", folder=tmp_path)
    assert done.code == 0, done.told
    if "gpus_per_trial" not in resources:
        assert "2 trials share one" in done.told
    trials = pd.read_parquet(tmp_path / "run" / "tables" / "trials.parquet")
    trained = trials[trials["state"].isin(["complete", "pruned"])]
    assert (trained["micro_batch"] == 32).all()
    assert not (trials["state"] == "failed").any()
