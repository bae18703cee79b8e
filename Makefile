# Two commands matter: `make run` and `make test`. The README shows the plain commands behind each target.
PYTHON ?= $(firstword $(shell for p in python3.11 python3.10 python3; do \
	$$p -c 'import sys; sys.exit(not (3,10) <= sys.version_info[:2] <= (3,11))' 2>/dev/null && echo $$p; done))
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# What `make run` has smaller than the configuration: images, models, and one engine instead of two.
SIZES := train_size=1000 \
	features.options.kmeans_patches.centroids=100 \
	spark_ml.classifiers.logistic_regression.params.max_iter=20 \
	spark_ml.classifiers.multilayer_perceptron.params.max_iter=20 \
	spark_ml.classifiers.random_forest.params.trees=20 \
	bigdl_cnn.models.airbench.options.width=32 \
	bigdl_cnn.models.airbench.recipe.epochs=3 \
	bigdl_cnn.models.airbench.recipe.batch_size=100 \
	bigdl_cnn.engines=bigdl
comma := ,
empty :=
RUN_PARAMS ?= $(subst $(empty) ,$(comma),$(strip $(SIZES)))

.PHONY: help install run test lint format viz bench clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## Create .venv and install everything pinned

$(STAMP): requirements.lock requirements-bigdl.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.10 or 3.11 found. Install one, or name it: make run PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -r requirements.lock
	$(BIN)/pip install --quiet --no-deps -r requirements-bigdl.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

run: $(STAMP) ## Run the study on synthetic images under three settings, then compare
	$(BIN)/kedro experiment --params $(RUN_PARAMS)

test: $(STAMP) ## Run all tests
	$(BIN)/python -m pytest -n 2

lint: $(STAMP) ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

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
