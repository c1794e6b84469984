"""Layers: what sets a value, where a mistake stands, and that the resolved file says all of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.config import StudyConfig
from search.layering import dump, resolve
from spaces.errors import BadInput, Problem
from spaces.presets import PRESETS

MINIMAL = """\
model: torchvision:squeezenet1_1
data:
  path: images
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with images of two classes and a table of texts."""
    folder = tmp_path_factory.mktemp("study")
    for name in ("ants", "bees"):
        (folder / "images" / name).mkdir(parents=True)
        (folder / "images" / name / "1.png").write_bytes(b"")
    (folder / "texts.csv").write_text("text,label\ngood,1\nbad,0\n")
    return folder


def write(folder: Path, text: str, name: str = "flowers.yaml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def problems(path: Path, *overrides: str) -> dict[str, str]:
    """Return the problems of a study by place."""
    with pytest.raises(BadInput) as caught:
        resolve(path, overrides)
    return {problem.place.removeprefix(f"{path.parent}/"): problem.message for problem in caught.value.problems}


def test_the_shortest_study_file_is_filled_from_preset_data_and_file_name(folder: Path) -> None:
    resolved = resolve(write(folder, MINIMAL))
    config = resolved.config
    assert (config.name, config.task, config.modality) == ("flowers", "image-classification", "image")
    assert (config.budget.trials, config.finalists.count) == (PRESETS["standard"].trials, PRESETS["standard"].finalists)
    expected = {"model": "file", "data.path": "file", "name": "inferred", "task": "inferred", "budget.trials": "preset"}
    assert {key: resolved.layers[key] for key in expected} == expected
    assert resolved.layers["search.seed"] == "default"


def test_each_layer_wins_over_the_ones_below_it(folder: Path) -> None:
    path = write(folder, MINIMAL + "space: quick\nbudget: {epochs: 3}\nsearch: {seed: 1}\n")
    resolved = resolve(path, ["search.seed=7", "budget.hours=null"])
    assert (resolved.config.budget.trials, resolved.layers["budget.trials"]) == (PRESETS["quick"].trials, "preset")
    assert (resolved.config.budget.epochs, resolved.layers["budget.epochs"]) == (3, "file")
    assert (resolved.config.search.seed, resolved.layers["search.seed"]) == (7, "-o")


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("budget.trials=8", "budget.trials", 8),
        ("space=quick", "space.preset", "quick"),
        ("space.lr_ratio={low: 1e-2, high: 1}", "space.lr_ratio", {"low": 0.01, "high": 1}),
        ("space.freezing=[probe, top]", "space.freezing", ["probe", "top"]),
        ("metric=macro_f1", "metric.name", "macro_f1"),
        ("data.limit.train=100", "data.limit.train", 100),
        ("finalists={count: 2}", "finalists.count", 2),
        ("budget={trials: 5}", "budget.trials", 5),
    ],
)
def test_an_override_sets_its_key_and_is_named_as_its_layer(
    folder: Path, override: str, key: str, value: object
) -> None:
    resolved = resolve(write(folder, MINIMAL + "metric: accuracy\nspace: {preset: thorough}\n"), [override])
    found: object = resolved.config.model_dump(mode="json")
    for name in key.split("."):
        assert isinstance(found, dict)
        found = found[name]
    assert found == value
    assert resolved.layers[key] == "-o"


def test_the_last_of_two_overrides_of_a_key_counts(folder: Path) -> None:
    assert resolve(write(folder, MINIMAL), ["search.seed=1", "search.seed=2"]).config.search.seed == 2


def test_a_null_leaves_a_key_to_the_layer_below(folder: Path) -> None:
    path = write(folder, MINIMAL + "budget: {trials: 5}\nsearch:\n")
    resolved = resolve(path, ["budget.trials=null"])
    assert (resolved.config.budget.trials, resolved.layers["budget.trials"]) == (PRESETS["standard"].trials, "preset")


@pytest.mark.parametrize(
    ("override", "place", "said"),
    [
        ("budget.trails=4", "-o budget.trails", "did you mean trials?"),
        ("budget.trails=null", "-o budget.trails", "unknown key"),
        ("budgets.trials=4", "-o budgets.trials", "unknown key"),
        ("trials=4", "-o trials", "did you mean budget.trials?"),
        ("budget.trials", "-o budget.trials", "must be key=value"),
        ("=4", "-o =4", "must be key=value"),
        ("budget.trials=[", "-o budget.trials:1", "is not valid YAML"),
        ("model.name=x", "-o model.name", "model is no section"),
        ("budget.trials=0", "-o budget.trials", "must be 1 or more, got 0"),
        ("space.lr_ratio={low: -1}", "-o space.lr_ratio.low", "got -1"),
    ],
)
def test_a_mistake_in_an_override_is_placed_there(folder: Path, override: str, place: str, said: str) -> None:
    found = problems(write(folder, MINIMAL), override)
    assert list(found) == [place]
    assert said in found[place]


def test_paths_are_taken_from_the_study_files_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "w.pth").write_bytes(b"")
    (folder / "network").mkdir(exist_ok=True)
    write(folder, MINIMAL + "weights: w.pth\nstorage: {runs: ../here}\n")
    monkeypatch.chdir(folder.parent)
    config = resolve(Path(folder.name) / "flowers.yaml").config
    assert config.data.path == str(folder / "images")
    assert config.weights == str(folder / "w.pth")
    assert config.storage.runs == str(folder.parent / "here")
    texts = "model: transformers:network\ndata: {train: texts.csv, input: text, target: label}\n"
    config = resolve(write(folder, texts, "texts.yaml")).config
    assert config.model == f"transformers:{folder / 'network'}"
    assert config.task == "text-classification"


def test_an_old_run_is_read_again_without_its_data(folder: Path) -> None:
    path = write(folder, "task: image-classification\nmodel: gone:build\ndata: {path: gone}\n", "old.yaml")
    assert "old.yaml:3: data.path" in problems(path)
    assert resolve(path, look=False).config.data.path == str(folder / "gone")


def test_the_resolved_file_names_the_layer_of_every_value(folder: Path) -> None:
    text = dump(resolve(write(folder, MINIMAL + "space: {preset: quick, lr_ratio: [0.1]}\n"), ["budget.trials=8"]))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert "  trials: 8  # -o" in lines
    assert "  lr_ratio: [0.1]  # file" in lines
    assert "  epochs: 6  # preset" in lines
    assert all(line.endswith(":") or "  # " in line for line in lines)


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
domains = {
    "freezing": st.lists(st.sampled_from(["probe", "top", "full"]), min_size=1, unique=True),
    "lr_ratio": st.fixed_dictionaries({"low": st.floats(1e-4, 0.5), "high": st.floats(0.5, 2), "log": st.booleans()}),
    "weight_decay": st.lists(st.floats(0, 1), min_size=1, max_size=3, unique=True),
    "unfrozen_depth": st.integers(1, 9),
}
studies = st.fixed_dictionaries(
    {
        "model": words.map("transformers:a{}".format),
        "data": st.fixed_dictionaries(
            {"train": words.map("t/{}".format), "input": words | st.tuples(words, words).map(list), "target": words},
            optional={"limit": st.fixed_dictionaries({"train": st.integers(1, 99)}), "group": words},
        ),
        "task": st.just("text-classification"),
    },
    optional={
        "name": st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
        "space": st.sampled_from(list(PRESETS)) | st.fixed_dictionaries({"preset": st.just("quick")}, optional=domains),
        "budget": st.fixed_dictionaries({"trials": st.integers(1, 10**6)}),
        "finalists": st.fixed_dictionaries({"margin": st.floats(0, 0.99)}),
        "resources": st.fixed_dictionaries({"gpus_per_trial": st.sampled_from(["auto", 2, 4.0]) | st.floats(0, 1)}),
        "class_weights": st.sampled_from(["none", "balanced"]),
    },
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(study=studies, seed=st.integers(0, 2**32 - 1))
def test_any_resolved_study_is_written_and_read_back_equal(folder: Path, study: dict[str, object], seed: int) -> None:
    first = resolve(write(folder, json.dumps(study), "any.yaml"), [f"search.seed={seed}"], look=False)
    again = resolve(write(folder, dump(first), "again.yaml"), look=False)
    assert again.config == first.config
    assert again.config.search.seed == seed
    assert set(again.layers.values()) <= {"file", "default"}


def refusals(path: Path, *overrides: str) -> tuple[Problem, ...]:
    """Resolve the study; return what was wrong with it, nothing if it resolved."""
    try:
        resolved = resolve(path, overrides)
    except BadInput as error:
        return error.problems or (Problem("nowhere", "refused without a reason"),)
    assert resolved.layers
    return ()


keys = st.sampled_from([*StudyConfig.model_fields, "limit", "trials", "train", "preset", "lr_ratio", "name"]) | words
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(study=st.dictionaries(keys, values, max_size=6))
def test_whatever_the_file_holds_it_is_resolved_or_refused_with_a_place(folder: Path, study: dict[str, object]) -> None:
    path = write(folder, json.dumps(study), "wild.yaml")
    refused = refusals(path)
    assert all(str(path) in problem.place for problem in refused)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_whatever_follows_o_is_used_or_refused(folder: Path, text: str) -> None:
    path = write(folder, MINIMAL, "plain.yaml")
    assert all(problem.place.startswith("-o") and problem.message for problem in refusals(path, text))
