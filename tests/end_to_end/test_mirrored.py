"""Runs that are kept elsewhere: an object store, whose driver's machine is lost, and a database that a team shares."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pandas as pd
import psycopg
import pytest

import thawline
from search.cli import main
from search.database import Database
from search.results.load import attributes, load
from tests.end_to_end.test_resume import assert_same, entries, kill_after
from tests.end_to_end.tiny import STUDY, lose, start, write_project
from trainables.remote import LOST, RemotePath

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Return a bucket of an object store that speaks S3, on this machine."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
        client.create_bucket(Bucket="runs")
        yield f"s3://runs/team?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
    server.stop()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_is_mirrored_to_an_object_store_and_goes_on_elsewhere_after_its_machine_is_lost(
    finished: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_project(tmp_path / "lost", study=f"{STUDY}storage: {{runs: '{bucket}'}}\n").parent
    kill_after(folder, entries(finished) // 3)
    mirrored = RemotePath(bucket) / "run"
    journal = (folder / "run" / "optuna.journal").read_bytes()
    known = (mirrored / "optuna.journal").read_bytes()
    assert journal.startswith(known)
    (folder / "run").rename(tmp_path / "gone")  # the machine's disk
    before = load(tmp_path / "gone")[0]

    monkeypatch.chdir(folder)
    results = thawline.resume(str(mirrored), to=tmp_path / "elsewhere", quiet=True)

    trials = pd.read_parquet(tmp_path / "elsewhere" / "tables" / "trials.parquet")
    assert set(trials["state"]) <= {"complete", "pruned", "reused"}
    # Nothing that the mirror knew to have ended was trained again; the rest came out as it would have.
    assert results.run_dir == tmp_path / "elsewhere"
    assert_same(finished, tmp_path / "elsewhere")
    assert len(before) <= len(trials)
    names = mirrored.names()
    assert {"report/report.html", "tables/leaderboard.csv", "best/weights.safetensors"} <= set(names)
    assert (mirrored / "optuna.journal").read_bytes() == (tmp_path / "elsewhere" / "optuna.journal").read_bytes()
    assert not [name for name in names if "progress-" in name]
    assert any(name.startswith("checkpoints/c0/weights") for name in names)
    assert not list((tmp_path / "elsewhere").glob("checkpoints/*/weights*"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_the_mirror_knew_to_have_ended_stays_ended(bucket: str, tmp_path: Path) -> None:
    longer = STUDY.replace("trials: 6", "trials: 24")
    study = f"{longer}storage: {{runs: '{bucket}'}}\n"
    folder = write_project(tmp_path / "slow", name="slower", study=study).parent
    command = start("run", "study.yaml", "--run-dir", "second", folder=folder)
    local, mirrored = folder / "second" / "optuna.journal", RemotePath(bucket) / "second"
    deadline = time.monotonic() + 600
    written = b""
    while time.monotonic() < deadline and b'"state":1' not in written:
        assert command.poll() is None, command.communicate()
        time.sleep(0.2)
        written = local.read_bytes() if local.exists() else b""
    time.sleep(LOST)
    assert command.poll() is None, command.communicate()
    assert {"gcs_server", "raylet"} <= set(lose(command))  # driver, head and workers
    known = _journal(mirrored)
    assert len(known) >= written.rfind(b"\n") + 1  # what was written longer ago is all there
    assert local.read_bytes().startswith(known)
    assert main(["resume", str(mirrored), "--run-dir", str(tmp_path / "again"), "--quiet"]) == 0
    assert (tmp_path / "again" / "optuna.journal").read_bytes().startswith(known)
    assert attributes(tmp_path / "again")["mirror"] == str(mirrored)


def _journal(mirrored: RemotePath) -> bytes:
    file = mirrored / "optuna.journal"
    return file.read_bytes() if file.exists() else b""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a PostgreSQL of its own."""
    if not POSTGRES or shutil.which("runuser") is None:
        pytest.skip("no PostgreSQL server (apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("postgres")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    shutil.chown(folder, "postgres")
    tools = POSTGRES[-1]

    def as_postgres(*command: str) -> None:
        subprocess.run(["runuser", "-u", "postgres", "--", *command], check=True, cwd=folder, capture_output=True)

    as_postgres(str(tools / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "team")
    options = f"-p 54329 -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    as_postgres(str(tools / "pg_ctl"), "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")
    try:
        as_postgres(str(tools / "createdb"), "-h", "127.0.0.1", "-p", "54329", "-U", "team", "thawline")
        yield "postgresql://team@127.0.0.1:54329/thawline"
    finally:
        as_postgres(str(tools / "pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "stop")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_study_in_a_database_equals_one_in_a_journal_also_after_a_kill(
    finished: Path, database: str, tmp_path: Path
) -> None:
    folder = write_project(tmp_path, study=f"{STUDY}storage: {{study: '{database}'}}\n").parent
    command = start("run", "study.yaml", "--run-dir", "run", folder=folder)
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and _ended(folder / "run") < 3:
        assert command.poll() is None, command.communicate()
        time.sleep(0.2)
    command.kill()
    command.communicate()
    assert not (folder / "run" / "optuna.journal").exists()
    thawline.resume(folder / "run", quiet=True)
    assert_same(finished, folder / "run")
    assert main(["report", str(folder / "run")]) == 0


def _ended(run_dir: Path) -> int:
    if not (run_dir / "optuna.json").exists():
        return 0
    return int((load(run_dir)[0]["state"] != "running").sum())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_runs_share_a_database_and_see_nothing_of_each_other(database: str, tmp_path: Path) -> None:
    study = STUDY.replace("trials: 6", "trials: 2").replace("epochs: 3", "epochs: 1")
    for name in ("first", "second"):
        folder = write_project(
            tmp_path / name, name=f"shared{name}", study=f"{study}storage: {{study: '{database}'}}\n"
        )
        thawline.Study.from_yaml(folder).run(folder.parent / "run", quiet=True)
    one, other = (load(tmp_path / name / "run")[0] for name in ("first", "second"))
    assert len(one) == len(other)
    assert one["trial"].tolist() == other["trial"].tolist()


@pytest.mark.slow
def test_of_many_that_come_to_an_empty_database_at_once_all_find_its_tables(database: str) -> None:
    for number in range(5):
        url = database.replace("/thawline", f"/empty{number}")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE empty{number}")
        together = Barrier(8)

        def names(url: str = url, together: Barrier = together) -> list[str]:
            together.wait()
            return [study.study_name for study in Database(url, "run").open().get_all_studies()]

        with ThreadPoolExecutor(8) as pool:
            assert [each.result() for each in [pool.submit(names) for _ in range(8)]] == [[]] * 8
