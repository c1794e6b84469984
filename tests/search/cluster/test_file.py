"""Cluster files: the shipped ones are right but for placeholders, and every kind of mistake is told with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search.cli import main
from search.cluster.file import check, notes
from search.cluster.providers import AZURE, PROVIDERS
from search.cluster.schema import ray_folder
from search.cluster.yaml_lines import read
from spaces.errors import BadInput
from tests.search.cluster.conftest import ROOT, SHIPPED, Edit

HEAD = "RAY_AUTH_MODE=token ~/env/bin/ray start --head"
WORKER = "RAY_AUTH_MODE=token ~/env/bin/ray start --address"


def problems(path: Path) -> list[str]:
    with pytest.raises(BadInput) as found:
        check(path)
    return [str(problem).removeprefix(f"{path}:") for problem in found.value.problems]


@pytest.mark.parametrize("shipped", SHIPPED)
def test_a_shipped_file_is_right_but_for_its_placeholders(shipped: str) -> None:
    lines = (ROOT / shipped).read_text().splitlines()
    told = problems(Path(shipped))
    marked = [number for number, line in enumerate(lines, start=1) if "REPLACE" in line and not line.startswith("#")]
    assert [int(line.partition(":")[0]) for line in told] == marked
    assert all("is a placeholder; put a value of your own there" in line for line in told)


@pytest.mark.parametrize("shipped", SHIPPED)
def test_a_shipped_file_that_is_filled_in_passes_with_ray_too(shipped: str, edited: Edit) -> None:
    first, *more = notes(edited(shipped=shipped))
    assert "are fine: head " in first
    assert more == []


def test_the_summary_says_what_is_started_and_what_it_may_grow_to(edited: Edit) -> None:
    assert notes(edited())[0].endswith("head m7i.xlarge, 0 to 4 g6.2xlarge on spot")
    assert notes(edited(shipped="examples/cluster.local.yaml"))[0].endswith("head filled-in, 2 workers")


MISTAKES = {
    "unknown key": ("idle_timeout_minutes", "idle_timeout_mins", "17: idle_timeout_mins: unknown key (did you mean"),
    "kind": ("GPU: 1}", "GPU: 0.5}", "42: available_node_types.gpu.resources.GPU: must be a whole number, got 0.5"),
    "needed": ("cluster_name: thawline\n", "", " cluster_name: is missing"),
    "head type": ("head_node_type: driver", "head_node_type: drivre", "28: head_node_type: must be one of driver, gpu"),
    "head types": ("head_node_type: driver", "head_node_type: [driver]", "28: head_node_type: must be"),
    "name of a kind": ("  gpu:\n", "  4:\n", '39: available_node_types.4: must be text; write it in quotes: "4"'),
    "placeholder": ("ImageId: filled-in", "ImageId: ami-xxxxxxxx", "ami-xxxxxxxx is a placeholder"),
    "other placeholder": ("ImageId: filled-in", "ImageId: <your-image>", "<your-image> is a placeholder"),
    "provider": ("type: aws", "type: awz", "20: provider.type: must be one of aws, gcp, azure, local"),
    "kubernetes": ("type: aws", "type: kuberay", "20: provider.type: Kubernetes has no cluster file"),
    "region": ("region: filled-in", "region:", "21: provider.region: is empty; it must be text"),
    "machine's key": (
        "InstanceType: g6",
        "InstanceTyp: g6",
        "45: available_node_types.gpu.node_config.InstanceTyp: is no",
    ),
    "machine": (
        "      InstanceType: g6.2xlarge\n",
        "",
        "44: available_node_types.gpu.node_config.InstanceType: is missing",
    ),
    "other cloud": (
        "InstanceType: m7i",
        "machineType: m7i",
        "34: available_node_types.driver.node_config.machineType: is a",
    ),
    "market": ("MarketType: spot", "MarketTyp: spot", "available_node_types.gpu.node_config.InstanceMarketOptions"),
    "own sum": (
        "    max_workers: 4",
        "    max_workers: 9",
        "41: available_node_types.gpu.max_workers: must be at most",
    ),
    "whole sum": ("max_workers: 4  ", "max_workers: 9  ", "15: max_workers: can never be reached"),
    "least": ("min_workers: 0", "min_workers: 5", "40: available_node_types.gpu.min_workers: must be at most"),
    "fewer than none": (
        "min_workers: 0",
        "min_workers: -1",
        "40: available_node_types.gpu.min_workers: must be a whole number, 0 or more, got -1",
    ),
    "two heads": ("GPU: 0}", "GPU: 0}\n    max_workers: 1", "33: available_node_types.driver.max_workers: must be 0"),
    "dashboard": (
        "--dashboard-host=127.0.0.1",
        "--dashboard-host=0.0.0.0",
        "--dashboard-host must be 127.0.0.1, got 0.0.0.0",
    ),
    "second dashboard": (
        "--dashboard-host=127.0.0.1",
        "--dashboard-host=127.0.0.1 --dashboard-host='0.0.0.0'",
        "--dashboard-host must be 127.0.0.1, got 0.0.0.0",
    ),
    "no head": (HEAD, "true", ": head_start_ray_commands: must hold ray start --head"),
    "no autoscaling": (
        "--autoscaling-config=~/ray_bootstrap_config.yaml",
        "",
        "head_start_ray_commands[1]: lacks --auto",
    ),
    "token of the head": (
        HEAD,
        HEAD.replace("token ", "disabled "),
        "head_start_ray_commands[1]: asks for no token, got",
    ),
    "token of a worker": (WORKER, WORKER.partition(" ")[2], "76: worker_start_ray_commands[1]: asks for no token;"),
    "token in the file": (HEAD, f"RAY_AUTH_TOKEN=abc {HEAD}", "head_start_ray_commands[1]: holds the token itself"),
    "token in an earlier command": (
        "  - ~/env/bin/python -m pip install -q uv",
        "  - export RAY_AUTH_TOKEN=abc",
        "setup_commands[2]: holds the token itself",
    ),
    "token that is not exported": (
        HEAD,
        HEAD.replace("token ", "token; "),
        "head_start_ray_commands[1]: asks for no token; write RAY_AUTH_MODE=token right before",
    ),
    "token not brought": ('  "~/.ray/auth_token": "~/.ray/auth_token"\n', "", "file_mounts: must bring the token"),
    "mount": ('"~/thawline": "."', '"~/thawline": "./gone"', "file_mounts.~/thawline: no such file or folder here"),
    "home of nobody": (
        '"~/thawline": "."',
        '"~/thawline": "~nobody-here/x"',
        "no such file or folder here: ~nobody-here",
    ),
    "versions": (" -c ~/thawline/constraints.txt", "", ": setup_commands: must install the versions of here (ray"),
    "constraints": (
        "-c ~/thawline/constraints.txt",
        "-c ~/constraints.txt",
        "lies below nothing that file_mounts brings",
    ),
    "other ray": ("-e ~/thawline", "-e ~/thawline ray==2.9.0", "setup_commands[3]: installs ray 2.9.0, here is 2.60.0"),
    "image": (
        "auth:\n",
        "docker: {image: 'rayproject/ray:2.9.0-gpu'}\nauth:\n",
        "docker.image: holds ray 2.9.0, here is",
    ),
    "client": ("boto3\nworker_setup", "true\nworker_setup", "head_setup_commands: must install boto3 beside Ray"),
    "twice": (
        "upscaling_speed: 1.0",
        "upscaling_speed: 1.0\nupscaling_speed: 2.0",
        "17: upscaling_speed: stands twice (also",
    ),
}


@pytest.mark.parametrize(("old", "new", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place(edited: Edit, old: str, new: str, told: str) -> None:
    assert any(told in line for line in problems(edited((old, new)))), problems(edited((old, new)))


def test_a_mode_that_is_exported_in_the_same_command_counts(edited: Edit) -> None:
    check(edited((HEAD, HEAD.replace("RAY_AUTH_MODE=token ", "export RAY_AUTH_MODE=token; "))))


LOCAL_MISTAKES = {
    "types": ("auth:\n", "head_node_type: a\nauth:\n", "head_node_type: is not for provider local"),
    "head": ("head_ip: filled-in", "head_ip:", "17: provider.head_ip: is empty; it must be text"),
    "twice": ("10.0.0.3", "10.0.0.2", "provider.worker_ips[1]: 10.0.0.2 is named twice"),
    "many": ("auth:\n", "max_workers: 3\nauth:\n", "max_workers: must be at most the number of worker_ips (2), got 3"),
    "user": ("ssh_user: filled-in", "ssh_user:", "auth.ssh_user: "),
}


@pytest.mark.parametrize(("old", "new", "told"), LOCAL_MISTAKES.values(), ids=LOCAL_MISTAKES)
def test_a_mistake_about_machines_of_one_s_own_is_told(edited: Edit, old: str, new: str, told: str) -> None:
    found = problems(edited((old, new), shipped="examples/cluster.local.yaml"))
    assert any(told in line for line in found), found


def test_several_mistakes_are_told_at_once_in_the_order_of_the_file(
    edited: Edit, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = ("unknown key", "kind", "machine's key", "dashboard", "token of a worker")
    path = edited(*(MISTAKES[name][:2] for name in chosen))
    assert main(["cluster", "validate", str(path)]) == 2
    told = capfd.readouterr().err.splitlines()
    assert told[-1] == "6 problems; nothing was started."  # a kind of machine lacks what its wrong key meant
    numbers = [int(line.removeprefix(f"error: {path}:").partition(":")[0]) for line in told[:-1]]
    assert numbers == sorted(numbers)
    assert all(any(MISTAKES[name][2].partition(": ")[2] in line for line in told) for name in chosen)


def test_a_token_that_others_can_read_is_refused(edited: Edit, home: Path) -> None:
    (home / ".ray" / "auth_token").chmod(0o644)
    assert "can be read by others of this machine: chmod 600" in problems(edited())[0]
    (home / ".ray" / "auth_token").unlink()
    assert "no such file or folder here: ~/.ray/auth_token; ray get-auth-token --generate" in problems(edited())[0]


@pytest.mark.parametrize("excluded", ["", ', "**/.envrc"'])
@pytest.mark.parametrize("name", [".env", "services/.env.local"])
def test_secrets_beside_the_code_are_not_copied(
    edited: Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, excluded: str
) -> None:
    path = edited((', "**/.env*"', excluded))
    (tmp_path / "constraints.txt").write_text((ROOT / "constraints.txt").read_text())
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("PASSWORD=x")
    monkeypatch.chdir(tmp_path)
    assert any(f"file_mounts.~/thawline: would copy {name} to every node" in line for line in problems(path))
    path = edited(("**/.env*", ".env*"))
    check(path)


def test_what_costs_more_than_was_meant_is_noted_and_allowed(edited: Edit) -> None:
    market = "      InstanceMarketOptions: {MarketType: spot}\n"
    told = notes(edited((market, ""), ("GPU: 0}", "GPU: 1}"), ("minutes: 10 ", "minutes: 1 ")))
    assert [line.split(":")[0] for line in told[1:]] == ["note"] * 3
    assert "not on the spot market" in " ".join(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [("a: [", "is not valid YAML"), ("- a\n", "does not hold a mapping"), ("", "does not hold a mapping")],
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(BadInput, match=told):
        read(tmp_path / "c.yaml")
    with pytest.raises(BadInput, match="no such file"):
        read(tmp_path / "gone.yaml")


def test_the_keys_of_azure_are_those_that_ray_hands_on() -> None:
    template = json.loads((ray_folder() / "autoscaler/_private/_azure/azure-vm-template.json").read_text())
    made_by_ray = {"vmName", "vmTags", "vmCount", "msi", "nsg", "subnet", "adminUsername", "publicKey"}
    assert set(template["parameters"]) - made_by_ray == set(AZURE.node_takes) - {"availability_zone"}


@pytest.mark.parametrize("name", ["aws", "gcp", "azure"])
def test_the_machines_of_ray_s_own_defaults_are_known(name: str) -> None:
    import yaml

    defaults = yaml.safe_load((ray_folder() / f"autoscaler/{name}/defaults.yaml").read_text())
    provider = PROVIDERS[name]
    for kind in defaults["available_node_types"].values():
        machine = kind["node_config"]
        for key in provider.section:
            machine = machine[key]
        assert set(machine) <= provider.node_takes
