"""Jobs as the command sees them: exit codes, a log that is followed through lost connections, a head that starts.

A small stand-in for Ray's client shows what a real one shows rarely; ``test_real_head.py`` has a real one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

from search.cluster import connection, jobs
from search.cluster.address import Door
from search.cluster.connection import Cluster, Job, send, tail
from search.cluster.staging import parcel
from search.errors import ExitCode, StudyFailed
from spaces.errors import BadInput

ROOT = Path(__file__).resolve().parents[3]
URL = "http://127.0.0.1:8265"
LOG = ["starting\n", "[1/3] trial 0\n", "[2/3] trial 1\n", "done\n"]


def job(state: str, code: int | None = None, message: str = "") -> Job:
    return Job("tiny-1", "tiny", state, "~/thawline-runs/tiny-1", URL, "2026-01-01 00:00:00", "", code, message)


class Client:
    """Answers as Ray's client does; ``losses`` are the places in the log where the connection breaks."""

    def __init__(
        self, *, losses: tuple[int, ...] = (), refusals: tuple[str, ...] = (), state: str = "SUCCEEDED"
    ) -> None:
        self.losses, self.refusals, self.state = list(losses), list(refusals), state
        self.sent: list[dict[str, Any]] = []
        self.readings = 0

    def get_job_info(self, name: str) -> Any:
        if name != "tiny-1":
            raise RuntimeError(f"Request failed with status code 404: Job {name} does not exist.")
        return SimpleNamespace(
            submission_id=name,
            status=self.state,
            metadata={"thawline": "0.1", "study": "tiny", "run_dir": "~/x"},
            start_time=1_700_000_000_000,
            end_time=None,
            driver_exit_code=0,
            message="",
        )

    async def tail_job_logs(self, name: str) -> AsyncIterator[str]:
        self.readings += 1
        stop = self.losses.pop(0) if self.losses else None
        for index, text in enumerate(LOG):
            if index == stop:
                raise ConnectionError("lost")
            yield text

    def submit_job(self, **asked: Any) -> str:
        if self.refusals:
            raise RuntimeError(self.refusals.pop(0))
        self.sent.append(asked)
        return str(asked["submission_id"])


def cluster(client: Client) -> Cluster:
    return Cluster(Door(URL, {}), client)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        (job("SUCCEEDED", 0), 0),
        *((job("FAILED", own), own) for own in (1, 2, 3, 4, 130)),
        (job("FAILED", -9), 1),  # killed
        (job("FAILED"), 4),  # never ran
        (job("STOPPED"), 130),
    ],
    ids=lambda each: each if isinstance(each, int) else f"{each.state}-{each.code}",
)
def test_following_exits_as_the_job_does(ended: Job, code: int) -> None:
    assert ended.exit_code == code


def test_a_python_that_lacks_our_packages_is_explained() -> None:
    assert "--uv" in job("FAILED", 1, "ModuleNotFoundError: No module named 'typer'").summary
    assert "--uv" not in job("FAILED", 3, "no usable trial").summary
    assert "thawline fetch tiny-1" in job("FAILED", 3).summary
    assert "thawline fetch" not in job("FAILED", None, "runtime_env setup failed").summary
    assert "thawline fetch" not in job("FAILED", 2, "no such file").summary
    assert "thawline fetch" not in job("FAILED", 1, "No module named 'typer'").summary
    assert "runtime_env setup failed" in job("FAILED", None, "runtime_env setup failed").summary


@pytest.mark.parametrize("losses", [(), (0,), (2,), (1, 3), (2, 2, 1)], ids=str)
def test_a_log_is_read_once_to_its_end_however_often_the_connection_breaks(losses: tuple[int, ...]) -> None:
    client = Client(losses=losses)
    assert "".join(tail(cluster(client), "tiny-1")) == "".join(LOG)
    assert client.readings == len(losses) + 1


def test_a_cluster_that_stays_away_ends_the_following_and_not_the_job() -> None:
    with pytest.raises(StudyFailed, match="the job goes on: thawline logs tiny-1 --follow") as caught:
        list(tail(cluster(Client(losses=(0,) * 50)), "tiny-1"))
    assert caught.value.code == ExitCode.CLUSTER


def test_a_head_that_is_still_starting_is_waited_for_and_that_is_said_once(tmp_path: Path) -> None:
    client, said = Client(refusals=("500: No available agent to submit job, please try again later.",) * 3), []
    send(cluster(client), "tiny-1", "true", str(tmp_path), {"study": "tiny"}, tell=said.append)
    assert said == ["the cluster is still starting and takes no jobs yet; waiting"]
    (sent,) = client.sent
    assert (sent["submission_id"], sent["entrypoint"]) == ("tiny-1", "true")
    assert sent["runtime_env"] == {"working_dir": str(tmp_path), "env_vars": {}}


def test_patience_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.0)
    client = Client(refusals=("500: No available agent",) * 100)
    with pytest.raises(StudyFailed, match="No available agent") as caught:
        send(cluster(client), "tiny-1", "true", str(tmp_path), {})
    assert caught.value.code == ExitCode.CLUSTER
    assert client.sent == []


def test_any_other_refusal_is_told_at_once(tmp_path: Path) -> None:
    client = Client(refusals=("Request failed with status code 500: disk full",))
    with pytest.raises(StudyFailed, match="disk full"):
        send(cluster(client), "tiny-1", "true", str(tmp_path), {})


def test_an_unknown_job_is_the_user_s_mistake() -> None:
    with pytest.raises(BadInput, match=r"is no job of the cluster at .*; thawline status lists them"):
        cluster(Client()).job("tiny-2")


@pytest.mark.parametrize("name", ["", " ", "?", "../jobs"])
def test_a_name_that_no_job_has_is_the_user_s_mistake(name: str) -> None:
    with pytest.raises(BadInput, match=r"JOB: must be a job's name, got .*; thawline status lists them"):
        cluster(Client()).job(name)


def test_ctrl_c_detaches_and_leaves_the_job_running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from search.cli import main

    class Interrupted(Client):
        async def tail_job_logs(self, name: str) -> AsyncIterator[str]:
            yield "[1/3] trial 0\n"
            raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "connect", lambda *asked, **more: cluster(Interrupted(state="RUNNING")))
    assert main(["logs", "tiny-1", "--follow"]) == 130
    printed = capsys.readouterr()
    assert printed.out == "[1/3] trial 0\n"
    assert printed.err.strip() == "detached; the job goes on: thawline logs tiny-1 --follow, thawline stop tiny-1"


def test_following_a_job_prints_it_and_exits_as_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from search.cli import main

    monkeypatch.setattr(jobs, "connect", lambda *asked, **more: cluster(Client(state="STOPPED")))
    assert main(["logs", "tiny-1", "--follow"]) == 130
    printed = capsys.readouterr()
    assert printed.out == "".join(LOG)
    assert "tiny-1: stopped" in printed.err


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "my study.yaml").write_text("name: tiny\ntask: image-classification\nmodel: m:n\ndata: {source: m:d}\n")
    (tmp_path / "m.py").write_text("n = d = None\n")
    return tmp_path / "my study.yaml"


def test_the_command_line_of_a_job_survives_the_shell(study: Path, tmp_path: Path) -> None:
    sent = parcel(study, ["space={preset: quick, head_lr: [0.1, 1]}", "name=tiny"])
    command = jobs.entrypoint(sent, "~/thawline-runs/tiny-1", "~/env/bin/python", uv=False)
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    (tmp_path / "env/bin/python").chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", command], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        *("-m", "search", "run", "study/my study.yaml", "--run-dir", f"{tmp_path}/thawline-runs/tiny-1"),
        *("-o", "space={preset: quick, head_lr: [0.1, 1]}", "-o", "name=tiny"),
    ]


@pytest.mark.parametrize(
    ("runs", "begins", "ends"),
    [
        ("runs", "~/thawline-runs/tiny-", ""),
        ("/mnt/shared/runs/", "/mnt/shared/runs/tiny-", ""),
        ("s3://runs/team/?region=us-east-1&scheme=http", "s3://runs/team/tiny-", "?region=us-east-1&scheme=http"),
    ],
)
def test_the_run_folder_of_a_job_has_its_name(
    study: Path, monkeypatch: pytest.MonkeyPatch, runs: str, begins: str, ends: str
) -> None:
    client = Client()
    monkeypatch.setattr(jobs, "connect", lambda *asked, **more: cluster(client))
    monkeypatch.setattr(Cluster, "job", lambda self, name: job("PENDING"))
    jobs.submit(study, [f"storage.runs={runs}"], tell=lambda line: None)
    (sent,) = client.sent
    run_dir = sent["metadata"]["run_dir"]
    assert run_dir == begins + sent["submission_id"].removeprefix("tiny-") + ends
    assert jobs.in_shell(run_dir) in sent["entrypoint"]


def test_with_uv_the_nodes_install_what_is_here(study: Path) -> None:
    from search.cluster.staging import with_requirements

    sent = with_requirements(parcel(study), "2.60.0")
    assert "ray[default,train,tune]==2.60.0" in sent.texts[PurePosixPath("requirements.txt")]
    command = jobs.entrypoint(sent, "/runs/tiny-1", None, uv=True)
    words = command.partition('"$PPID"')[2].split()
    assert words[:6] == ["uv", "run", "--no-project", "--python", "python3", "--with-requirements"]
    assert words[6:11] == ["requirements.txt", "python", "-m", "search", "run"]


def test_the_environment_of_ray_comes_first_whatever_the_path_was() -> None:
    script = ROOT / "search" / "cluster" / "environment.sh"
    code = f"""
import ray._raylet, subprocess
shell = 'exec sh {script} "$PPID" python3 -c "import sys; print(sys.prefix)"'
subprocess.run(shell, shell=True, check=True, env={{"PATH": "/usr/bin:/bin"}})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sys.prefix
    plain = subprocess.run(["sh", str(script), "0", "echo", "a b"], capture_output=True, text=True, check=True)
    assert plain.stdout == "a b\n"
