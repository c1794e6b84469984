"""The digits study on a real cluster with a token: it runs there, it comes back, and it says what it says here."""

from __future__ import annotations

import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.search.cluster.real_head import ROOT, TOKEN, Head, environment, head

pytestmark = pytest.mark.timeout(900)

SMALL = {
    "budget.trials": 4,
    "budget.epochs": 4,
    "finalists.count": 1,
    "finalists.seeds": 2,
    "resources.concurrent": 1,
}
VALUES = [part for key, value in SMALL.items() for part in ("-o", f"{key}={value}")]
NOT_REPEATED = ["seconds", "peak_memory_mb"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Head]:
    with head() as started:
        for name in ("digits.py", "digits.yaml"):
            shutil.copy(ROOT / "examples" / name, started.home / name)
        yield started


@pytest.fixture(scope="module")
def submitted(cluster: Head) -> subprocess.CompletedProcess[str]:
    """Return the command that sent the study and followed it to its end."""
    return cluster.thawline("submit", "digits.yaml", "--address", cluster.url, "--follow", *VALUES)


@pytest.fixture(scope="module")
def fetched(cluster: Head, submitted: subprocess.CompletedProcess[str]) -> Path:
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    job = submitted.stdout.splitlines()[0]
    done = cluster.thawline("fetch", job, "--address", cluster.url)
    assert done.returncode == 0, done.stderr
    return cluster.home / "runs" / job


@pytest.mark.parametrize(
    ("token", "sentence"),
    [(None, "asks for a token, and there is none here"), ("f" * 64, "does not take the token of RAY_AUTH_TOKEN")],
    ids=["no token", "a wrong token"],
)
def test_without_the_right_token_nothing_runs_and_the_way_out_is_told(
    cluster: Head, token: str | None, sentence: str
) -> None:
    before = cluster.jobs()
    done = cluster.thawline("submit", "digits.yaml", "--address", cluster.url, "--follow", *VALUES, token=token)
    assert done.returncode == 4
    assert done.stderr.startswith(f"error: the cluster at {cluster.url} {sentence}; copy the cluster's")
    assert len(done.stderr.splitlines()) == 1
    assert cluster.jobs() == before


def test_a_study_is_followed_to_its_end(cluster: Head, submitted: subprocess.CompletedProcess[str]) -> None:
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    job = submitted.stdout.splitlines()[0]
    assert submitted.stderr.startswith(f"cluster: {cluster.url} (Ray 2.60")
    assert "[7/7] trial" in submitted.stdout  # four and three controls
    assert submitted.stderr.splitlines()[-3:] == [
        f"{job}: succeeded, exit code 0",
        f"run folder on the cluster: ~/thawline-runs/{job}",
        f"to bring it here: thawline fetch {job}",
    ]
    assert job in {each["id"] for each in cluster.jobs()}


def test_the_run_folder_comes_back_whole(cluster: Head, fetched: Path) -> None:
    there = cluster.home / "thawline-runs" / fetched.name
    names = {path.relative_to(there) for path in there.rglob("*") if path.is_file()} - {Path(".driver.lock")}
    assert {path.relative_to(fetched) for path in fetched.rglob("*") if path.is_file()} == names | {Path(".fetched")}
    assert all((fetched / name).read_bytes() == (there / name).read_bytes() for name in names)
    assert "<html" in (fetched / "report" / "report.html").read_text(encoding="utf-8")
    again = cluster.thawline("fetch", fetched.name, "--address", cluster.url)
    assert ", 0.0 MiB of them new" in again.stdout
    assert cluster.thawline("report", str(fetched)).returncode == 0


@pytest.mark.slow
def test_a_cluster_says_what_this_machine_says(cluster: Head, fetched: Path) -> None:
    done = cluster.thawline("run", "digits.yaml", "--run-dir", "here", "--quiet", *VALUES)
    assert done.returncode == 0, done.stderr
    here, there = (
        pd.read_parquet(folder / "tables" / "leaderboard.parquet").drop(columns=NOT_REPEATED)
        for folder in (cluster.home / "here", fetched)
    )
    pd.testing.assert_frame_equal(there, here, check_exact=True)


@pytest.mark.slow
def test_the_job_s_own_exit_code_comes_back(cluster: Head) -> None:
    asked = [*VALUES, "-o", "resources.cpus_per_trial=64"]
    done = cluster.thawline("submit", "digits.yaml", "--address", cluster.url, "--follow", *asked)
    assert done.returncode == 2
    assert (
        "64 CPU and 0 GPU a trial are asked for, no machine of the cluster has them; those there have 1 CPU"
        in done.stdout
    )


@pytest.mark.slow
def test_a_study_is_started_by_uv_where_that_is_asked_for(cluster: Head) -> None:
    asked = [*VALUES, "-o", "budget.trials=1", "-o", "finalists.seeds=1", "--uv"]
    done = cluster.thawline("submit", "digits.yaml", "--address", cluster.url, "--follow", *asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " uv run --no-project " in done.stdout  # what it had to install is not said: here, nothing


@pytest.mark.slow
def test_ctrl_c_detaches_stop_stops_and_what_is_there_can_be_fetched(cluster: Head) -> None:
    long = [*VALUES, "-o", "budget.trials=400", "-o", "budget.epochs=400"]
    command = cluster.start("submit", "digits.yaml", "--address", cluster.url, "--follow", *long)
    assert command.stdout is not None
    job = command.stdout.readline().strip()
    for line in command.stdout:
        if line.startswith("search: "):
            break
    command.send_signal(signal.SIGINT)
    _, told = command.communicate(timeout=120)
    assert command.returncode == 130
    assert f"detached; the job goes on: thawline logs {job} --follow, thawline stop {job}" in told
    (standing,) = [each for each in cluster.jobs() if each["id"] == job]
    assert standing["state"] == "RUNNING"
    stopped = cluster.thawline("stop", job, "--address", cluster.url)
    assert (stopped.returncode, stopped.stdout.splitlines()[0]) == (0, f"{job}: stopped")
    assert cluster.thawline("logs", job, "--address", cluster.url, "--follow").returncode == 130
    part = cluster.thawline("fetch", job, "--address", cluster.url, "--to", "part")
    assert part.returncode == 0, part.stderr
    assert (cluster.home / "part" / "optuna.journal").stat().st_size > 0


def test_an_unknown_job_is_wrong_usage(cluster: Head) -> None:
    done = cluster.thawline("logs", "nobody-1", "--address", cluster.url)
    assert done.returncode == 2
    assert f"error: nobody-1: is no job of the cluster at {cluster.url}" in done.stderr


def test_the_token_is_in_no_log_no_upload_and_no_run_folder(cluster: Head, fetched: Path) -> None:
    time.sleep(1)  # the last lines of the logs
    places = [cluster.session.resolve(), cluster.home / "thawline-runs", fetched]
    files = [path for place in places for path in place.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 100
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []


@pytest.mark.slow
def test_a_ray_that_thawline_starts_asks_for_a_token_that_only_its_owner_can_read(tmp_path: Path) -> None:
    code = (
        "from search.tuner import cluster\n"
        "from ray._private.authentication.authentication_utils import is_token_auth_enabled\n"
        "with cluster(): print(is_token_auth_enabled())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path, None),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True"]
    assert stat.S_IMODE((tmp_path / ".ray" / "auth_token").stat().st_mode) == 0o600
