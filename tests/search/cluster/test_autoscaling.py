"""A cluster that grows: nobody is up, the study waits and says so, three machines come, and go when it is over."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from search.results.load import load
from tests.end_to_end.tiny import STUDY, write_project
from tests.search.cluster.test_launcher import BIN, ROOT, on_its_own_machine

# As Ray's launcher leaves it on a head; its provider starts what it calls machines as processes of this one.
CLUSTER = {
    "cluster_name": "growing",
    "max_workers": 3,
    "upscaling_speed": 10,
    "idle_timeout_minutes": 0.4,
    "provider": {
        "type": "fake_multinode",
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    },
    "head_node_type": "ray.head.default",
    "available_node_types": {
        "ray.head.default": {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 0},
        "gpu": {"resources": {"CPU": 1, "GPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 3},
    },
    **{name: [] for name in ("initialization_commands", "setup_commands", "head_setup_commands")},
    **{name: [] for name in ("worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands")},
    **{name: {} for name in ("auth", "docker", "file_mounts")},
    **{name: [] for name in ("cluster_synced_files", "rsync_exclude", "rsync_filter")},
}
COUNT = """
import time, ray
ray.init("auto", logging_level="ERROR", log_to_driver=False)
start = time.monotonic()
while time.monotonic() - start < 240 and sum(node["Alive"] for node in ray.nodes()) > 1:
    time.sleep(1)
print("machines beside the head:", sum(node["Alive"] for node in ray.nodes()) - 1)
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_no_machine_to_three_and_back(tmp_path: Path) -> None:
    study = STUDY.replace("{concurrent: 1}", "{gpus_per_trial: 1}").replace("trials: 6", "trials: 9")
    project = write_project(tmp_path / "project", study=study).parent
    (project / "count.py").write_text(COUNT)
    (project / "cluster.yaml").write_text(json.dumps(CLUSTER))
    told = on_its_own_machine(
        tmp_path / "own",
        f"""
        cp {project}/cluster.yaml ~/ray_bootstrap_config.yaml
        export AUTOSCALER_UPDATE_INTERVAL_S=1 RAY_FAKE_CLUSTER=1 PYTHONPATH={ROOT}
        {BIN}/ray start --head --num-cpus=1 --autoscaling-config=$HOME/ray_bootstrap_config.yaml --disable-usage-stats
        cd {project}
        RAY_ADDRESS=auto {BIN}/python -m search run study.yaml --run-dir run
        {BIN}/python count.py
        {BIN}/ray stop
        """,
    )
    waited = re.findall(r"^(?:waiting for )?GPU nodes: (\d)/3 up$", told, re.MULTILINE)
    assert waited[0] == "0"
    assert "3" in waited
    assert "machines beside the head: 0" in told
    trials, _ = load(project / "run")
    assert ((trials["stage"] == "search") & (trials["state"] != "reused")).sum() == 9
    assert set(trials["state"]) <= {"complete", "pruned", "reused"}
    assert os.path.getsize(project / "run" / "report" / "report.html") > 0
