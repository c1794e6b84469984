# Every target sets up what it needs; a machine with Python 3.11 or later and make is enough.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON3 := $(shell command -v python3.11 || command -v python3)

.PHONY: help .venv demo test test-all lint bench constraints clean
.DEFAULT_GOAL := help

help:
	@echo "make demo         the main job on handwritten digits: offline, on a CPU, in minutes"
	@echo "make test         the tests that a change must pass (minutes)"
	@echo "make test-all     every test, the 20 slowest named at the end"
	@echo "make lint         ruff and mypy"
	@echo "make bench        every benchmark, or those in NAMES; writes benchmarks/results/"
	@echo "make constraints  pin the dependencies anew from pyproject.toml"
	@echo "make clean        remove caches and build products; runs/ and .venv/ stay"

.venv: $(READY)

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON3)" || { echo "thawline needs Python 3.11 or later: no python3 found"; exit 2; }
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "thawline needs Python 3.11 or later: $(PYTHON3) is older"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON3) -m venv $(VENV)
	@echo "installing into $(VENV) (several GB, once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv
	@$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e ".[dev]"
	@touch $(READY)

demo: $(READY)
	@folder=runs/demo; \
	if [ -e $$folder ]; then folder=runs/demo-$$(date -u +%Y%m%dT%H%M%SZ); fi; \
	$(BIN)/thawline demo --run-dir $$folder

# Two files of tests at a time; in the order of the folders, so that the longest do not come last.
test: $(READY)
	@$(BIN)/python -m pytest -m "not slow and not gpu" -n 2 --dist loadfile --no-loadscope-reorder

test-all: $(READY)
	@$(BIN)/python -m pytest --durations=20

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY)
	@$(BIN)/python -m benchmarks.run $(NAMES)

constraints:
	@test -x $(BIN)/uv || { $(PYTHON3) -m venv $(VENV) && $(BIN)/python -m pip install -q uv; }
	@$(BIN)/uv pip compile -q --universal --no-header --no-annotate --python-version 3.11 --all-extras \
		--upgrade -o constraints.txt pyproject.toml

clean:
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
