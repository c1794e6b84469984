"""The study file: every mistake at once, each with its place, its value, what is allowed and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.config import study_space
from search.layering import resolve
from search.model_names import model_complaint
from search.setup import template
from search.static_checks import RESERVED
from search.study_file import read_value, write_value
from spaces.domain import Choice, Float
from spaces.errors import BadInput

GOOD = {
    "task": "image-classification",
    "model": "torchvision:squeezenet1_1",
    "data": "{path: images}",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with images of two classes, a table of texts and a module of one's own."""
    folder = tmp_path_factory.mktemp("study")
    for name in ("ants", "bees"):
        (folder / "images" / name).mkdir(parents=True)
        (folder / "images" / name / "1.png").write_bytes(b"")
    (folder / "texts.csv").write_text("text,label\ngood,1\nbad,0\n")
    (folder / "own_network.py").write_text("raise RuntimeError('a check imports nothing')\n")
    (folder / "weights.zip").write_bytes(b"")
    return folder


def study(folder: Path, **keys: str) -> Path:
    """Write a study file of one key a line; an empty value leaves the key out."""
    path = folder / "study.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in (GOOD | keys).items() if value))
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(BadInput) as caught:
        resolve(path)
    return [str(problem).removeprefix(f"{path.parent}/") for problem in caught.value.problems]


def only_problem(path: Path) -> str:
    found = problems(path)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("budget", "{trails: 8}", "study.yaml:4: budget.trails: unknown key (did you mean trials?); budget takes: tr"),
        ("metrics", "accuracy", "study.yaml:4: metrics: unknown key (did you mean metric?); a study file takes: ver"),
        ("trials", "8", "study.yaml:4: trials: unknown key (did you mean budget.trials?)"),
        ("budget", "{trials: many}", "study.yaml:4: budget.trials: must be a whole number, got 'many'"),
        ("budget", "{trials: true}", "study.yaml:4: budget.trials: must be a whole number, got True"),
        ("budget", "{trials: 0}", "study.yaml:4: budget.trials: must be 1 or more, got 0"),
        ("budget", "8", "study.yaml:4: budget: must be a section of key: value lines, got 8"),
        ("search", "{seed: -1}", "study.yaml:4: search.seed: must be 0 or more, got -1"),
        ("search", "{sampler: tep}", "of freezing_first, tpe, tpe_flat, random, got 'tep' (did you mean tpe?)"),
        ("precision", "fp16", "study.yaml:4: precision: must be one of auto, fp32, bf16, got 'fp16'"),
        ("optimizer", "adam", "optimizer: must be one of adamw, sgd, got 'adam' (did you mean adamw?)"),
        ("metric", "acuracy", "study.yaml:4: metric.name: must be one of accuracy, macro_f1, got 'acuracy' (did you"),
        ("metric", "{name: accuracy, mode: min}", "metric.mode: must be max: accuracy is better when it is higher"),
        ("version", "2", "study.yaml:4: version: must be 1, the only version of the study file, got 2"),
        ("name", "../up", "study.yaml:4: name: must be letters, digits, dots,"),
        ("resources", "{gpus_per_trial: all}", "gpus_per_trial: must be auto or a number of 0 or more, got 'all'"),
        ("resources", "{gpus_per_trial: {a: 1}}", "must be auto or a number of 0 or more, got {'a': 1}"),
        ("resources", "{concurrent: 0}", "resources.concurrent: must be auto or a whole number of 1 or more, got 0"),
        ("resources", "{cpus_per_trial: 0}", "resources.cpus_per_trial: must be above 0, got 0"),
        ("finalists", "{margin: .nan}", "finalists.margin: must be"),
        ("space", "quik", "study.yaml:4: space.preset: must be one of quick, standard, thorough, got 'quik' (did"),
        ("space", "{lr_rato: [1]}", "study.yaml:4: space.lr_rato: unknown dimension (did you mean lr_ratio?); known"),
        ("space", "{freezing: [probe, topp]}", "norm_bias, got 'topp' (did you mean top?)"),
        ("space", "{lr_ratio: {low: 1, high: 0.1}}", "space.lr_ratio: low must not be above high"),
        ("space", "{lr_ratio: {lo: 1}}", "study.yaml:4: space.lr_ratio.lo: unknown key"),
        ("space", "{reinit: all}", "space.reinit: has all but not none"),
        ("data", "{path: imagse}", "imagse does not exist (did you mean images?)"),
        ("data", "{path: images, input: [a]}", "data.input: must be a column or a list of two columns, got ['a']"),
        ("data", "{path: images, limit: {train: 0}}", "study.yaml:3: data.limit.train: must be 1 or more, got 0"),
        ("data", "{pth: images}", "study.yaml:3: data.pth: unknown key (did you mean path?)"),
        ("data", "{source: digit:load}", "study.yaml:3: data.source: no module 'digit' next to the study file"),
        ("data", "", "study.yaml: data: is missing"),
        ("task", "image", "study.yaml:1: task: must be one of image-classification, text-classification, got 'image'"),
        ("model", "", "study.yaml: model: is missing"),
        ("model", "resnet18", "study.yaml:2: model: must be one of torchvision:NAME, transformers:NAME_OR_FOLDER, "),
        ("model", "torchvision:resnet19", "model: torchvision has no 'resnet19' (did you mean resnet1"),
        ("model", "torchvison:resnet18", "no module 'torchvison' next to the study file"),
        ("model", "my_network:build", "study.yaml:2: model: no module 'my_network' next to the study file"),
        ("model", "own-network:build", "study.yaml:2: model: must be module:function, got 'own-network:build'"),
        ("model", "transformers:./nowhere", "./nowhere takes text data, the task needs a network for image"),
        ("weights", "gone.pth", "gone.pth"),
        ("weights", "weights.zip", "study.yaml:4: weights: must be default, none or a .safetensors or .pth file, got "),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_place_value_and_what_is_allowed(folder: Path, key: str, value: str, said: str) -> None:
    assert said in only_problem(study(folder, **{key: value}))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("transformers:./nowhere", "no such folder: ./nowhere"),
        ("package:nowhere", "no installed package 'nowhere'"),
    ],
)
def test_a_text_network_is_looked_for(folder: Path, model: str, said: str) -> None:
    path = study(folder, task="text-classification", model=model, data="{train: texts.csv, input: text, target: label}")
    assert said in only_problem(path)


def test_a_package_may_be_named_as_it_is_installed(tmp_path: Path) -> None:
    assert model_complaint("package:pytest-timeout", tmp_path) is None
    assert model_complaint("package:pytest_timeout", tmp_path) is None


def test_what_decides_how_a_trial_computes_reaches_it(folder: Path) -> None:
    shared = template(resolve(study(folder, precision="bf16", activations="half")))
    assert (shared.precision, shared.activations) == ("bf16", "half")
    shared = template(resolve(study(folder)))
    assert (shared.precision, shared.activations) == ("auto", "exact")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"data": "{path: images, augment_views: 2}"},
            "data.augment_views: has no effect without augmentation; set data.augment to crop or flip_crop",
        ),
        (
            {"data": "{path: images, augment: crop, augment_views: 0}"},
            "data.augment_views: must be a whole number of 1 or more, or fresh, got 0",
        ),
        (
            {"data": "{path: images, augment: flip}"},
            "data.augment: must be one of none, crop, flip_crop, got 'flip'",
        ),
        (
            {
                "task": "text-classification",
                "model": "package:pytest",
                "data": "{train: texts.csv, input: text, target: label, augment: crop}",
            },
            "data.augment: must be none for text data, got crop: it is for images",
        ),
    ],
    ids=["no augmentation", "no view", "no such policy", "texts"],
)
def test_an_augmentation_that_cannot_be_is_refused(folder: Path, keys: dict[str, str], said: str) -> None:
    assert said in only_problem(study(folder, **keys))


@pytest.mark.parametrize("views", ["", ", augment_views: 2", ", augment_views: fresh"])
def test_an_augmentation_reaches_the_trial(folder: Path, views: str) -> None:
    data = template(resolve(study(folder, data=f"{{path: images, augment: flip_crop{views}}}"))).data
    expected = {"": 4, ", augment_views: 2": 2, ", augment_views: fresh": "fresh"}
    assert (data.augment, data.augment_views) == ("flip_crop", expected[views])


@pytest.mark.parametrize("row", RESERVED, ids=lambda row: row.key)
def test_what_is_not_built_yet_is_refused_in_one_sentence(folder: Path, row: object) -> None:
    values = {
        "tracking": ("tracking", "[mlflow]"),
        "storage.study": ("storage", "{study: 'sqlite:///x'}"),
        "storage.runs": ("storage", "{runs: 's3://bucket'}"),
    }
    key, value = values[row.key]  # type: ignore[attr-defined]
    assert f"{row.key}: {row.sentence}" in only_problem(study(folder, **{key: value}))  # type: ignore[attr-defined]


def test_several_workers_each_need_a_gpu_of_their_own(folder: Path) -> None:
    assert resolve(study(folder, resources="{workers_per_trial: 2, gpus_per_trial: 1}"))
    assert "resources.gpus_per_trial: must be a whole number where workers_per_trial is 2, got 0.5" in only_problem(
        study(folder, resources="{workers_per_trial: 2, gpus_per_trial: 0.5}")
    )


@pytest.mark.parametrize(("gpus", "fine"), [(0, True), (0.5, True), (1, True), (2.0, True), (1.5, False)])
def test_gpus_are_shared_below_one_and_whole_above(folder: Path, gpus: float, fine: bool) -> None:
    path = study(folder, resources=f"{{gpus_per_trial: {gpus}}}")
    if fine:
        assert resolve(path).config.resources.gpus_per_trial == gpus
    else:
        assert "resources.gpus_per_trial: must be a fraction below 1, a whole number or auto" in only_problem(path)


@pytest.mark.parametrize(
    "keys",
    [
        {"storage": "{runs: ~nobody-here/x}"},
        {"data": "{path: ~nobody-here/x}"},
        {"model": "transformers:~nobody-here/x"},
    ],
    ids=["storage", "data", "model"],
)
def test_the_home_of_a_stranger_is_refused_in_a_sentence(folder: Path, keys: dict[str, str]) -> None:
    assert "~nobody-here/x: begins with the home of a user that is not known here" in only_problem(
        study(folder, **keys)
    )


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(folder: Path) -> None:
    path = folder / "many.yaml"
    path.write_text(
        "task: image-classification\nmodel: torchvision:resnet19\ndata:\n  path: gone\n  image_sise: 96\n"
        "space: {lr_rato: [1]}\nbudget: {trials: 0}\ntracking: [mlflow]\n"
    )
    places = [line.split(": ")[:2] for line in problems(path)]
    assert places == [
        ["many.yaml:2", "model"],
        ["many.yaml:4", "data.path"],
        ["many.yaml:5", "data.image_sise"],
        ["many.yaml:6", "space.lr_rato"],
        ["many.yaml:7", "budget.trials"],
        ["many.yaml:8", "tracking"],
    ]


def test_a_task_that_the_data_does_not_tell_must_be_named(folder: Path) -> None:
    path = study(folder, task="", data="{source: 'own_network:load'}")
    assert "task: is missing and cannot be told from the data; name it: image-classification or" in only_problem(path)


def test_a_missing_folder_is_not_blamed_on_the_task_as_well(folder: Path) -> None:
    assert "data.path" in only_problem(study(folder, task="", data="{path: gone}"))


def test_a_module_is_found_beside_the_study_file_and_not_run(folder: Path) -> None:
    assert resolve(study(folder, model="own_network:build")).config.model == "own_network:build"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: is empty"),
        ("# only a comment\n", ":1: is empty"),
        ("- a\n- b\n", ":1: does not hold a mapping"),
        ("just words\n", ":1: does not hold a mapping"),
        ("a: 1\nb: [1\nc: 2\n", ":3: is not valid YAML"),
        ("a: 1\n\tb: 2\n", ":2: is not valid YAML"),
        ("a: 1\n---\nb: 2\n", ":2: is not valid YAML"),
        ("name: a\nmodel: b\nname: c\n", ":3: name: stands twice (first on line 1); keep one"),
        ("data:\n  path: a\n  path: b\n", ":3: data.path: stands twice (first on line 2)"),
        ("budget.trials: 8\n", ":1: a key may not be empty or hold dots, got 'budget.trials'"),
        ("[a, b]: 1\n", ":1: a key must be a single word"),
        ("a: &x 1\nb: *x\n", ":1: anchors (&), aliases (*), tags (!) are not allowed"),
        ("a: !!python/object:os.system x\n", ":1: anchors"),
        ("a: 1\nb: \x07\n", ":2: holds a character YAML does not allow: '\\x07'"),
        ("[" * 5000, ": is nested too deeply"),
    ],
)
def test_a_file_that_is_no_study_file_gets_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    assert f"study.yaml{said}" in only_problem(path)


def test_a_file_that_cannot_be_read_gets_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("name: \xe9".encode("latin-1"))
    assert "is not UTF-8 text" in only_problem(tmp_path / "latin.yaml")
    assert "no such file (thawline init" in only_problem(tmp_path / "gone.yaml")
    assert "is a folder" in only_problem(tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1.5", 1.5), (".5", 0.5), ("8", 8), ("no", "no"), ("true", True), ("~", None), ("", None),
     ("10:20", "10:20"), ("2024-01-01", "2024-01-01"), ("'8'", "8"), ("[1, a]", [1, "a"])],
)  # fmt: skip
def test_a_scalar_reads_as_people_mean_it(text: str, value: object) -> None:
    assert read_value(text, "here") == value


@pytest.mark.parametrize(
    "value", ["1e-3", "null", "true", "8", "", " a ", "a: b", "# c", "a\nb", "é\u2028", "- x", ".inf"]
)
def test_text_is_written_so_that_it_reads_back_as_text(value: str) -> None:
    written = write_value(value)
    assert "\n" not in written
    assert read_value(written, "here") == value


def test_the_space_follows_the_networks_own_block_count(folder: Path) -> None:
    path = study(folder, space="{preset: quick, lr_ratio: {low: 1e-2}, freezing: [probe, top], unfrozen_depth: [2, 9]}")
    space = study_space(resolve(path).config, blocks=9)
    assert space["lr_ratio"].domain == Float(0.01, 1.0, log=True)
    assert space["unfrozen_depth"].domain == Choice((2, 9))
    told = r"space\.unfrozen_depth: must be a whole number between 1 and 5, got 9; .* has 5 blocks: thawline blocks "
    with pytest.raises(BadInput, match=told):
        study_space(resolve(path).config, blocks=5)
