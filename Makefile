# Two commands matter: `make run` and `make test`. The README shows the plain commands behind each target.
PYTHON ?= $(firstword $(shell for p in python3.11 python3.10 python3; do \
	$$p -c 'import sys; sys.exit(not (3,10) <= sys.version_info[:2] <= (3,11))' 2>/dev/null && echo $$p; done))
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# What `make run` is given instead of the small sizes of conf/test, such as train_size=1000,test_size=200.
RUN_PARAMS ?=

.PHONY: help install run test test-fast lint format viz bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## Create .venv and install everything pinned

$(STAMP): requirements.lock requirements-bigdl.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.10 or 3.11 found. Install one, or name it: make run PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -r requirements.lock
	$(BIN)/pip install --quiet --no-deps -r requirements-bigdl.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	-$(BIN)/python -m cifar_pipelines.spark.class_archive
	@touch $@

run: $(STAMP) ## Run the study on synthetic images under three settings, then compare
	$(BIN)/kedro experiment $(if $(RUN_PARAMS),--params $(RUN_PARAMS),--params-of test)

test: $(STAMP) ## Run all tests
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

test-fast: $(STAMP) ## Run the tests that start no processes of their own
	$(BIN)/python -m pytest -n 2 -m "not e2e" $(PYTEST_ARGS)

lint: $(STAMP) ## Check style, format and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

format: $(STAMP) ## Correct style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

viz: $(STAMP) ## Open the lineage in a browser
	$(BIN)/kedro viz

bench: $(STAMP) ## Measure speed as ratios in one run
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean: ## Remove the environment, logs and everything that runs have made
	rm -rf $(VENV) logs bench .pytest_cache .ruff_cache .hypothesis
	git clean -qfdX data
