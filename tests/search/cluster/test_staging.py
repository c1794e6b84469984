"""What is sent: our packages, the study, its code; data only if asked; secrets and too much never."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import pytest

from search.cluster import staging
from search.cluster.staging import in_shell, parcel, requirements
from search.layering import resolve
from spaces.errors import BadInput

OWN_FUNCTIONS = "name: tiny\ntask: image-classification\nmodel: my_net:build\ndata: {source: my_data:load}\n"
IMAGES = "name: tiny\ntask: image-classification\nmodel: torchvision:resnet18\ndata: {path: images}\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A study that names functions of its own, with other things beside it."""
    (tmp_path / "study.yaml").write_text(OWN_FUNCTIONS)
    for name in ("my_net.py", "my_data.py", "deeper/more.py", "notes.md", ".hidden/secret.py", "venv/lib/other.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("build = load = None\n")
    (tmp_path / "venv/pyvenv.cfg").write_text("")
    return tmp_path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A study on a folder of images beside it."""
    (tmp_path / "study.yaml").write_text(IMAGES)
    for name in ("ant", "bee"):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "1.png").write_bytes(b"1")
    return tmp_path


def sent_for_study(folder: Path, *overrides: str, **asked: object) -> set[str]:
    files = parcel(folder / "study.yaml", overrides, **asked).files  # type: ignore[arg-type]
    return {str(target.relative_to("study")) for target in files if target.parts[0] == "study"}


def complaint(folder: Path, *overrides: str, **asked: object) -> str:
    with pytest.raises(BadInput) as caught:
        parcel(folder / "study.yaml", overrides, **asked)  # type: ignore[arg-type]
    return str(caught.value)


def test_our_packages_are_sent_whole_and_without_what_python_compiled(own: Path) -> None:
    targets = {str(target) for target in parcel(own / "study.yaml").files}
    assert {"thawline.py", "search/__main__.py", "trainables/trial.py", "spaces/strategy.py"} <= targets
    assert {"search/report/templates/report.css", "search/cli/templates/image.yaml"} <= targets
    assert not any("__pycache__" in target or target.startswith("tests") for target in targets)


def test_the_study_and_its_python_files_are_sent_and_nothing_else_beside_it(own: Path) -> None:
    assert sent_for_study(own) == {"study.yaml", "my_net.py", "my_data.py", "deeper/more.py"}


def test_code_that_git_ignores_stays_here(own: Path) -> None:
    (own / ".gitignore").write_text("my_data.py\nvenv\n.hidden\n")
    subprocess.run(["git", "init", "-q", str(own)], check=True)
    assert sent_for_study(own) == {"study.yaml", "my_net.py", "deeper/more.py"}


def test_code_is_sent_from_a_folder_that_git_ignores_whole(own: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("repository")
    (root / ".gitignore").write_text("work/\n")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    own.rename(root / "work")
    assert sent_for_study(root / "work") == {"study.yaml", "my_net.py", "my_data.py", "deeper/more.py"}


def test_a_study_without_functions_of_its_own_is_sent_alone(images: Path) -> None:
    (images / "stray.py").write_text("")
    assert sent_for_study(images, data=True) == {
        "study.yaml",
        "sent/data.path/images/ant/1.png",
        "sent/data.path/images/bee/1.png",
    }


def test_data_beside_the_study_is_sent_only_if_asked_and_the_refusal_says_how(images: Path) -> None:
    message = complaint(images)
    assert message.startswith(f"data.path: {images / 'images'} is on this machine and is not sent; --data sends it")


def test_data_that_is_sent_is_found_where_it_goes(images: Path, tmp_path: Path) -> None:
    sent = parcel(images / "study.yaml", ["budget.trials=3"], data=True)
    assert sent.overrides == ("budget.trials=3", 'data.path="sent/data.path/images"')
    staged = tmp_path / "staged"
    sent.write(staged)
    there = resolve(staged / sent.study, sent.overrides).config
    assert there.data.path == str(staged / "study/sent/data.path/images")
    assert there.budget.trials == 3


@pytest.mark.parametrize("name", ["my #1 images", "a: b", "it's"])
def test_data_is_found_whatever_its_name(images: Path, tmp_path: Path, name: str) -> None:
    (images / "images").rename(images / name)
    (images / "study.yaml").write_text(IMAGES.replace("images}", f'"{name}"}}'))
    sent = parcel(images / "study.yaml", data=True)
    sent.write(tmp_path / "staged")
    there = resolve(tmp_path / "staged" / sent.study, sent.overrides).config
    assert there.data.path == str(tmp_path / "staged/study/sent/data.path" / name)


def test_a_link_that_leads_back_ends(images: Path) -> None:
    (images / "images/ant/up").symlink_to("..")
    (images / "images/bee/other").symlink_to("../ant")
    (images / "images/ant/other").symlink_to("../bee")
    sent = {name.removeprefix("sent/data.path/images/") for name in sent_for_study(images, data=True)}
    assert sent == {"study.yaml", "ant/1.png", "ant/other/1.png", "bee/1.png", "bee/other/1.png"}


def test_what_git_ignores_is_sent_where_data_was_asked_for(images: Path) -> None:
    (images / "images/.gitignore").write_text("*\n")
    assert sent_for_study(images, data=True) == {
        *("study.yaml", "sent/data.path/images/ant/1.png", "sent/data.path/images/bee/1.png")
    }


def test_data_at_an_absolute_path_is_the_nodes_business(images: Path) -> None:
    assert sent_for_study(images, "data.path=/mnt/images") == {"study.yaml"}


def test_weights_and_network_folders_count_as_data(images: Path) -> None:
    (images / "net").mkdir()
    (images / "net/config.json").write_text("{}")
    (images / "texts.csv").write_text("text,label\na,1\n")
    (images / "w.safetensors").write_bytes(b"1")
    (images / "study.yaml").write_text(
        "task: text-classification\nmodel: transformers:net\nweights: w.safetensors\n"
        "data: {train: texts.csv, input: text, target: label}\n"
    )
    assert [line.partition(":")[0] for line in complaint(images).splitlines()] == ["data.train", "weights", "model"]
    sent = parcel(images / "study.yaml", data=True)
    assert sent.overrides == (
        *('data.train="sent/data.train/texts.csv"', 'weights="sent/weights/w.safetensors"'),
        'model="transformers:sent/model/net"',
    )


@pytest.mark.parametrize("key", ["storage.runs", "data.path"])
def test_the_home_of_a_stranger_is_refused_in_a_sentence(images: Path, key: str) -> None:
    told = complaint(images, "data.path=/mnt", f"{key}=~nobody-here/x")
    assert "~nobody-here/x: begins with the home of a user that is not known here" in told


def test_what_is_included_goes_beside_the_study(own: Path) -> None:
    assert "notes.md" in sent_for_study(own, include=["notes.md"])
    assert "deeper/more.py" in sent_for_study(own, include=["deeper"])
    for outside in ("../other", "/etc/hostname", "gone"):
        assert "must be a file or folder beside or beneath the study file" in complaint(own, include=[outside])


@pytest.mark.parametrize("name", [".env", ".env.local", "prod.env", "key.pem", ".netrc", "id_rsa", "auth_token"])
def test_a_file_that_may_hold_secrets_is_refused_by_its_name(images: Path, name: str) -> None:
    (images / "images/ant" / name).write_text("A=1")
    assert complaint(images, data=True) == (
        f"{images}/images/ant/{name}: is never sent: it may hold secrets; "
        "move it out of what is sent, or rename it if it holds none"
    )


@pytest.mark.parametrize("name", ["plain.txt", ".envs"])
def test_a_link_to_a_secret_and_a_folder_of_secrets_are_refused_too(images: Path, name: str) -> None:
    (images / ".env").write_text("A=1")
    (images / "plain.txt").symlink_to(".env")
    (images / ".envs").mkdir()
    (images / ".envs/prod").write_text("A=1")
    assert "is never sent: it may hold secrets" in complaint(images, "data.path=/mnt", include=[name])


def test_a_python_file_that_is_a_link_to_a_secret_is_refused(own: Path) -> None:
    (own / ".env").write_text("A=1")
    (own / "env.py").symlink_to(".env")
    assert complaint(own).startswith(f"{own}/env.py: is never sent")


def test_a_file_that_holds_the_token_is_refused(own: Path) -> None:
    (own / "my_net.py").write_text("TOKEN = '0123456789abcdef'\n")
    assert complaint(own, secret="0123456789abcdef").startswith(f"{own / 'my_net.py'}: holds the cluster's token")
    assert sent_for_study(own, secret="TOKEN")  # a token that is a word is found in any text


def test_an_address_with_a_password_is_refused_in_the_study_and_after_o(own: Path) -> None:
    address = "postgresql://me:hunter2@db/studies"
    assert "hunter2" not in complaint(own, f"storage.runs=/x/{address}")
    (own / "study.yaml").write_text(OWN_FUNCTIONS + f"# {address}\n")
    assert complaint(own).startswith("study: holds an address with a password")


def test_more_than_the_limit_is_refused_with_the_largest_files_first(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (images / "images/ant/2.png").write_bytes(bytes(3 * 2**20))
    (images / "images/bee/2.png").write_bytes(bytes(5 * 2**20))
    monkeypatch.setattr(staging, "LIMIT", 4 * 2**20)
    message = complaint(images, data=True)
    assert re.search(
        r"would send \d+\.\d MiB, a cluster takes 4\.0 MiB; the largest: \S+bee/2\.png \(5\.0 MiB\), \S+ant", message
    )
    assert "put large files where every node reads them" in message
    assert "0.0 MiB" not in message


def test_the_size_is_that_of_ray_s_own_package(own: Path, tmp_path: Path) -> None:
    from ray._private.runtime_env.packaging import create_package

    sent = parcel(own / "study.yaml")
    sent.write(tmp_path / "staged")
    create_package(str(tmp_path / "staged"), tmp_path / "package.zip", include_gitignore=True)
    packed = (tmp_path / "package.zip").stat().st_size
    assert packed <= sent.size <= 1.1 * packed


def test_run_folders_outlast_the_folder_of_a_job(own: Path) -> None:
    assert parcel(own / "study.yaml").runs == "~/thawline-runs"
    assert parcel(own / "study.yaml", ["storage.runs=/mnt/shared/runs/"]).runs == "/mnt/shared/runs"


def test_requirements_are_what_is_installed_here_and_ray_is_the_cluster_s() -> None:
    lines = requirements("2.60.9").splitlines()
    assert "ray[default,train,tune]==2.60.9" in lines
    assert f"optuna=={version('optuna')}" in lines
    assert all(re.fullmatch(r"[a-z0-9-]+(\[[a-z,]+\])?==[0-9a-z.]+", line) for line in lines)
    assert not any(line.startswith(("pytest", "ruff")) for line in lines)


def test_a_path_is_quoted_for_a_shell_that_knows_the_home() -> None:
    home = "/home/somebody"
    for path, meant in {"~/a b/c": f"{home}/a b/c", "/mnt/$x": "/mnt/$x", "plain": "plain"}.items():
        done = subprocess.run(
            ["sh", "-c", f"printf %s {in_shell(path)}"], env={"HOME": home}, capture_output=True, text=True, check=True
        )
        assert done.stdout == meant


def test_every_target_lies_in_the_job_s_folder(own: Path) -> None:
    assert not any(target.is_absolute() or ".." in target.parts for target in parcel(own / "study.yaml").files)
    assert isinstance(parcel(own / "study.yaml").study, PurePosixPath)
