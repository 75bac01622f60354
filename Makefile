# Everything a developer types. `make run` needs only python3 (3.11 or newer) and this folder.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
HOME_FOLDER ?= home
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := flywheel assets checks tests benchmarks
SUITE := $(BIN)/python -m pytest -m "not browser and not fault and not nightly"
# What runs whole graphs, as long as all the rest: the two go side by side.
GRAPHS := tests/assets tests/checks tests/commands tests/coverage tests/erasure tests/quality tests/stages tests/tuning tests/test_bad_input.py

.PHONY: help env run ui test lint format typecheck clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP) ## make .venv with the exact versions of requirements.lock

# uv where it is there, else venv and pip: the same versions either way. The stamp is written last, so a broken
# installation is repeated and a finished one is not.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("flywheel needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Name another: make run PYTHON=python3.12")'
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --clear --python $(PYTHON) $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . ; \
	else \
	  echo "installing into $(VENV): this takes a few minutes, once" && \
	  $(PYTHON) -m venv --clear $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . ; \
	fi
	@touch $@

run: $(STAMP) ## make a home with the bundled sample, run the whole flywheel, print what came out
	@$(BIN)/flywheel demo --home $(HOME_FOLDER)

ui: $(STAMP) ## open Dagster's UI on 127.0.0.1, with the sensors on
	@$(BIN)/flywheel up --home $(HOME_FOLDER)

test: $(STAMP) ## the test suite, without those that need a browser or break things on purpose
	@$(SUITE) $(GRAPHS) > $(VENV)/graphs.log 2>&1 & graphs=$$!; \
	$(SUITE) tests $(addprefix --ignore=,$(GRAPHS)); rest=$$?; \
	wait $$graphs; first=$$?; cat $(VENV)/graphs.log; exit $$((first || rest))

lint: $(STAMP) ## ruff
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

format: $(STAMP) ## let ruff rewrite the layout
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

typecheck: $(STAMP) ## mypy, strict
	$(BIN)/mypy

clean: ## remove .venv and caches; homes are kept
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
