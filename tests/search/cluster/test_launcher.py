"""The launcher's verbs: what they refuse before anything starts; a cluster that is started, used and ended."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from search.cli import main
from tests.end_to_end.tiny import write_project
from tests.search.cluster.conftest import ROOT, Edit

OWN_MACHINE = ["unshare", "--pid", "--fork", "--mount", "--net", "--mount-proc", "--kill-child", "bash"]
BIN = Path(sys.executable).parent


def test_machines_are_not_started_without_being_asked_for(edited: Edit, capfd: pytest.CaptureFixture[str]) -> None:
    for verb in ("up", "down"):
        assert main(["cluster", verb, str(edited())]) == 2
        assert "error: --yes: is needed where nobody can be asked" in capfd.readouterr().err


def test_a_cloud_whose_client_is_not_installed_is_named(edited: Edit, capfd: pytest.CaptureFixture[str]) -> None:
    path = edited(shipped="examples/cluster.gcp.yaml")
    assert main(["cluster", "status", str(path)]) == 4
    assert "is not installed: pip install google-api-python-client" in capfd.readouterr().err


def test_a_file_with_a_mistake_starts_nothing(edited: Edit, capfd: pytest.CaptureFixture[str]) -> None:
    path = edited(("--dashboard-host=127.0.0.1", "--dashboard-host=0.0.0.0"))
    assert main(["cluster", "up", "--yes", str(path)]) == 2
    assert "--dashboard-host must be 127.0.0.1" in capfd.readouterr().err


def on_its_own_machine(folder: Path, script: str) -> str:
    """Run a script where it sees no process, network or home but its own; return what it printed."""
    tools = ("unshare", "ip", "rsync", "/usr/sbin/sshd")
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(missing or tools)} (apt-get install openssh-server rsync)")
    folder.mkdir()
    (folder / "script.sh").write_text(f"set -euxo pipefail\ncd {ROOT}\nmkdir ~/env\nln -s {BIN} ~/env/bin\n{script}")
    command = [
        *OWN_MACHINE,
        str(Path(__file__).with_name("own_machine.sh")),
        str(folder),
        "bash",
        f"{folder}/script.sh",
    ]
    with (folder / "log").open("w") as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, timeout=1500)
    told = (folder / "log").read_text()
    assert done.returncode == 0, told[-6000:]
    return told


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_local_cluster_starts_runs_and_ends(edited: Edit, tmp_path: Path) -> None:
    text = edited(shipped="examples/cluster.local.yaml").read_text()
    text = text.replace("head_ip: filled-in", "head_ip: 127.0.0.1").replace("[10.0.0.2, 10.0.0.3]", "[]")
    text = text.replace("ssh_user: filled-in", "ssh_user: root")
    before, _, rest = text.partition("setup_commands:\n")
    # The packages are here already; everything else is as it is shipped.
    ready = "setup_commands:\n  - test -x ~/env/bin/ray || uv pip install -c ~/thawline/constraints.txt -e ~/thawline\n"
    file = tmp_path / "local.yaml"
    file.write_text(before + ready + rest[rest.index("head_setup_commands") :])
    verb = f"{BIN}/python -m search cluster"
    told = on_its_own_machine(
        tmp_path / "own",
        f"""
        ~/env/bin/ray get-auth-token --generate >/dev/null
        chmod 600 ~/.ray/auth_token
        {verb} up --yes {file}
        test -f ~/thawline/cluster.yaml
        test ! -e ~/thawline/.git
        {verb} status {file}
        export RAY_AUTH_MODE=token
        ~/env/bin/ray status --address 127.0.0.1:6379 >/dev/null && echo "the token opens"
        RAY_AUTH_TOKEN={"f" * 64} ~/env/bin/ray status --address 127.0.0.1:6379 || echo "another is refused"
        {verb} down --yes {file}
        ! pgrep gcs_server
        """,
    )
    assert "the head is up (head 127.0.0.1, 0 workers)" in told
    assert "Autoscaler status" in told
    assert "\nthe token opens" in told
    assert "\nanother is refused" in told


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_script_of_slurm_runs_a_study_and_stops_ray(tmp_path: Path) -> None:
    study = write_project(tmp_path / "project", study=TRIALS)
    (study.parent / ".venv").mkdir()
    (study.parent / ".venv" / "bin").symlink_to(BIN)
    tools = tmp_path / "slurm"
    tools.mkdir()
    (tools / "scontrol").write_text("#!/bin/bash\nprintf '127.0.0.1\\n'\n")
    (tools / "srun").write_text('#!/bin/bash\nshift\nexec "$@"\n')  # one node: the option, then the command
    for tool in tools.iterdir():
        tool.chmod(0o755)
    told = on_its_own_machine(
        tmp_path / "own",
        f"""
        export SLURM_SUBMIT_DIR={study.parent} SLURM_JOB_ID=12345 SLURM_JOB_NODELIST=node1 SLURM_JOB_NUM_NODES=1
        export SLURM_CPUS_PER_TASK=2 PYTHONPATH={ROOT}
        PATH={tools}:$PATH bash {ROOT}/deploy/slurm.sbatch study.yaml --run-dir run
        test "$(stat -c %a ~/.ray/auth_token)" = 600
        ! pgrep gcs_server
        """,
    )
    assert "On head node. Starting Ray cluster head" in told
    assert (study.parent / "run" / "report" / "report.html").is_file()


TRIALS = """\
name: tiny
task: image-classification
model: tiny:network
data: {source: "tiny:data"}
space: {preset: quick, head_lr: [0.01, 0.03], lr_ratio: [0.1, 1.0], reinit: [none, all]}
budget: {trials: 2, epochs: 2}
finalists: {count: 1, seeds: 2}
resources: {concurrent: 1}
"""
