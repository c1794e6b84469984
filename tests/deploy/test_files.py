"""What is shipped for Kubernetes, SLURM and containers: parsed, and held against the versions of here."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "kuberay-rayjob.yaml").read_text()))


def test_the_job_ends_with_its_cluster(job: dict[str, Any]) -> None:
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["spec"]["shutdownAfterJobFinishes"] is True
    assert job["spec"]["ttlSecondsAfterFinished"] == 600
    assert job["spec"]["entrypoint"].startswith("thawline run ")
    assert job["spec"]["submitterConfig"]["backoffLimit"] == 0


def test_the_nodes_run_our_ray_and_ask_for_a_token(job: dict[str, Any]) -> None:
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == version("ray")
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["enableInTreeAutoscaling"] is True


def test_the_head_has_no_gpu_and_workers_come_with_the_work(job: dict[str, Any]) -> None:
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-gpus"] == "0"
    (head,) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    assert "nvidia.com/gpu" not in head["resources"]["limits"]
    (workers,) = cluster["workerGroupSpecs"]
    assert (workers["replicas"], workers["minReplicas"]) == (0, 0)
    assert workers["maxReplicas"] >= 1
    (worker,) = workers["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert worker["image"] == head["image"]


def shared() -> dict[str, Any]:
    """Return the job with the shared volume that its comments offer."""
    text = (DEPLOY / "kuberay-rayjob.yaml").read_text()
    return dict(yaml.safe_load(text.replace("# - {name: shared", "- {name: shared")))


@pytest.mark.parametrize("with_shared", [False, True])
def test_every_mount_of_a_pod_has_its_volume(job: dict[str, Any], with_shared: bool) -> None:
    cluster = (shared() if with_shared else job)["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        names = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]} <= names


def test_the_shared_folder_that_is_suggested_is_mounted_in_every_pod() -> None:
    suggested = re.search(
        r"storage\.runs=REPLACE  # such as s3://\S+ or (/\S+)", (DEPLOY / "kuberay-rayjob.yaml").read_text()
    )
    assert suggested
    cluster = shared()["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        (container,) = group["template"]["spec"]["containers"]
        mounted = [each["mountPath"] for each in container["volumeMounts"]]
        assert any(Path(suggested[1]).is_relative_to(path) for path in mounted)


def test_the_script_of_slurm_is_valid_and_asks_for_a_token() -> None:
    script = DEPLOY / "slurm.sbatch"
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    text = script.read_text()
    assert "export RAY_AUTH_MODE=token" in text
    assert "ray symmetric-run" in text
    assert re.search(r"^#SBATCH --ntasks-per-node=1$", text, re.MULTILINE)


def test_the_image_takes_the_pinned_versions_and_no_secret() -> None:
    image = (DEPLOY / "Dockerfile").read_text()
    assert "-c constraints.txt" in image
    assert "USER ray" in image
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    assert {".env*", ".git", ".venv", "runs", "*.pt"} <= set(ignored)
