"""The winner as files: weights under the library's own names, strategy and plan, preprocessing, labels."""

from __future__ import annotations

import json

import yaml

from search.results.evidence import DECISION, confirmed_trials
from search.results.load import attributes, strategy_of
from search.setup import Setup
from spaces.strategy import to_point
from trainables import checkpoint
from trainables.run import build


def export_best(setup: Setup) -> None:
    """Write ``best/``: the winner's confirmation run with the best validation score."""
    winner = attributes(setup.run_dir)[DECISION]["winner"]
    runs = confirmed_trials(setup.run_dir)
    runs = runs[runs["key"] == winner].sort_values("score", ascending=setup.config.metric.mode == "min")
    trial = runs.iloc[0]
    strategy = strategy_of(trial)
    config = setup.template.model_copy(update={"strategy": to_point(strategy), "seed": int(trial["seed"])})
    run = build(config)
    checkpoint.load_trained(run.network, setup.checkpoints(trial["trial"]))
    folder = setup.run_dir / "best"
    checkpoint.write(run.network.state_dict(), folder)
    told = {"trial": trial["trial"], "strategy": to_point(strategy), "in words": str(strategy), "model": config.model}
    plan = json.loads(json.dumps(run.plan.to_json()))
    (folder / "strategy.yaml").write_text(yaml.safe_dump({**told, "plan": plan}, sort_keys=False), encoding="utf-8")
    (folder / "labels.json").write_text(json.dumps(list(run.dataset.classes)) + "\n", encoding="utf-8")
    if run.model.preprocessing:
        text = json.dumps(run.model.preprocessing.to_json(), indent=2)
        (folder / "preprocessing.json").write_text(text + "\n", encoding="utf-8")
    if run.model.tokenizer:
        run.model.tokenizer.save_pretrained(folder)
        run.network.config.save_pretrained(folder)  # type: ignore[union-attr, operator]
