"""What a study file may say of the two places where a run is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.database import Database, database_of, point
from search.errors import ExitCode, StudyFailed, require_run
from search.layering import resolve
from spaces.errors import BadInput

STUDY = "task: image-classification\nmodel: torchvision:resnet18\ndata: {path: .}\n"


def resolved(folder: Path, storage: str) -> dict[str, str]:
    (folder / "study.yaml").write_text(f"{STUDY}storage: {storage}\n")
    return resolve(folder / "study.yaml", look=False).config.storage.model_dump()


def test_a_uri_stays_as_it_is_and_a_path_is_taken_from_the_study_file(tmp_path: Path) -> None:
    assert resolved(tmp_path, "{runs: 's3://bucket/runs'}")["runs"] == "s3://bucket/runs"
    assert resolved(tmp_path, "{runs: shared}")["runs"] == str(tmp_path / "shared")
    assert resolved(tmp_path, "{study: 'postgresql://me@db/thawline'}")["study"] == "postgresql://me@db/thawline"


def test_an_option_with_a_colon_is_no_password(tmp_path: Path) -> None:
    uri = "s3://runs/team?endpoint_override=localhost:9000&user=a@b"
    assert resolved(tmp_path, f"{{runs: '{uri}'}}")["runs"] == uri


@pytest.mark.parametrize(
    ("storage", "told"),
    [
        ("{study: 'mysql://db/x'}", "storage.study: must be journal or postgresql://USER@HOST/DATABASE, got mysql"),
        ("{study: 'postgresql://me:secret@db/x'}", "storage.study: holds a password, which would be copied"),
        ("{study: 'postgresql://me@db/x?password=secret'}", "storage.study: holds a password, which would be copied"),
        ("{study: 'mysql://me@db/x?a=b&password=secret'}", "got mysql://me@db/x?a=b&password=***"),
        ("{runs: 's3://key:secret@bucket/runs'}", "storage.runs: holds a password, which would be copied"),
    ],
)
def test_a_password_or_another_database_is_refused(tmp_path: Path, storage: str, told: str) -> None:
    with pytest.raises(BadInput) as found:
        resolved(tmp_path, storage)
    assert told in str(found.value)
    assert "secret" not in str(found.value)


def test_a_run_in_a_database_is_known_by_its_pointer(tmp_path: Path) -> None:
    assert database_of(tmp_path) is None
    database = point(tmp_path, "postgresql://me@db/thawline")
    assert database_of(tmp_path) == database
    assert database.study("search").startswith(f"{tmp_path.name}-")
    assert point(tmp_path, database.url).run != database.run
    require_run(tmp_path)


def test_a_database_that_does_not_answer_is_one_sentence() -> None:
    with pytest.raises(StudyFailed) as found:
        Database("postgresql://nobody@127.0.0.1:1/none", "run").open()
    assert found.value.code == ExitCode.CLUSTER
    assert found.value.message.startswith("storage.study: postgresql://nobody@127.0.0.1:1/none cannot be used: ")
    assert "\n" not in found.value.message
