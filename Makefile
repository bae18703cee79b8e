# Two commands matter: `make run` and `make test`. The README shows the plain commands behind each target.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := $(VENV)/.installed-extras

# uv, where it is there, installs, and brings a Python 3.11 where the host has none; otherwise pip does.
UV ?= $(shell command -v uv 2>/dev/null)
IS_3_11 := import sys; sys.exit(sys.version_info[:2] != (3, 11))
PYTHON ?= $(firstword $(shell for p in python3.11 python3; do $$p -c '$(IS_3_11)' 2>/dev/null && echo $$p; done))
ifneq ($(UV),)
NEW_VENV = $(UV) venv --quiet --python $(or $(PYTHON),3.11) $(VENV)
PIP_INSTALL = $(UV) pip install --quiet --python $(BIN)/python
else
NEW_VENV = $(PYTHON) -m venv $(VENV)
# Only what runs import is compiled, at the end.
PIP_INSTALL = $(BIN)/python -m pip install --quiet --no-compile
# What is run in one line after it may not begin with a blank.
USES_PIP := import pip._internal.cli.main;
endif
NAME_ONE := Name one that is not found: make install PYTHON=/path/to/python3.11
# The only platform that BigDL has wheels for.
HAS_BIGDL := $(filter Linux-x86_64,$(shell uname -s)-$(shell uname -m))
# What `make run` is given: another engine for the CNN where there is no BigDL.
STUDY := --params-of animals$(if $(HAS_BIGDL),, --params bigdl_cnn.engines=torch_distributor)
NO_BIGDL := BigDL has wheels for Linux on x86_64 alone: everything but the engine bigdl works here.

# A CUDA build of torch names CUDA's libraries, a build for CPUs none.
IS_CUDA_BUILD := import importlib.metadata as m, sys; sys.exit(not any(name.startswith("nvidia-") for name in m.requires("torch") or ()))
# GPU=1 installs for another host that has one.
HAS_GPU := $(or $(GPU),$(firstword $(wildcard /dev/nvidia0 /dev/dxg)))
# The mark of an environment from which was removed what only a GPU needs. Installers take its packages for whole: they come anew.
NO_GPU := $(VENV)/.without-gpu
ANEW := $(and $(HAS_GPU),$(wildcard $(NO_GPU)))

# What no proxy is asked for: `kedro viz` waits for its own server.
LOOPBACK := localhost,127.0.0.1,::1

# What `make run` is given instead of conf/animals, such as train_size=1000,test_size=200.
RUN_PARAMS ?=
export RUN_PARAMS  # the shell would part it at blanks

.PHONY: help install install-extras run test test-fast lint format viz bench clean anew

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

install: $(STAMP) ## Create .venv and install what `make run` needs, pinned; GPU=1 for a host with a GPU

# An environment that cannot install, because its own installation was cut short or it is of another Python, is made anew.
$(STAMP): requirements.lock requirements-cuda.lock requirements-gpu.lock requirements-bigdl.txt pyproject.toml $(if $(ANEW),anew)
	@test -n "$(UV)$(PYTHON)" || { echo "Neither uv nor Python 3.11 was found: install one of them. $(NAME_ONE)"; exit 1; }
	@$(BIN)/python -c '$(USES_PIP)$(IS_3_11)' 2>/dev/null || { rm -rf $(VENV) && echo "$(NEW_VENV)" && $(NEW_VENV); }
	@$(BIN)/python -c '$(IS_3_11)' || { echo "$(PYTHON) is not Python 3.11, which BigDL and Spark need here. $(NAME_ONE)"; exit 1; }
	$(PIP_INSTALL) --no-deps -r requirements.lock
	@if $(BIN)/python -c '$(IS_CUDA_BUILD)'; then \
	    echo "torch is a build for CUDA, so its libraries are installed."; \
	    $(PIP_INSTALL) $(if $(ANEW),--force-reinstall )--no-deps -r requirements-cuda.lock$(if $(HAS_GPU), -r requirements-gpu.lock && rm -f $(NO_GPU)); fi
	$(if $(HAS_BIGDL),$(PIP_INSTALL) --no-deps -r requirements-bigdl.txt,@echo "$(NO_BIGDL)")
	$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	$(if $(HAS_GPU),,@if $(BIN)/python -c '$(IS_CUDA_BUILD)'; then \
	    touch $(NO_GPU) && $(BIN)/python -m cifar_pipelines.training.gpu_libraries; fi)
	@$(BIN)/python -m cifar_pipelines.common.never_loaded
	-@$(BIN)/python -m cifar_pipelines.common.byte_code
	-$(BIN)/python -m cifar_pipelines.spark.class_archive
	@touch $@

install-extras: $(EXTRAS) ## Install kedro viz, variants for deployment, encoders of texts, and what tests need

$(EXTRAS): $(STAMP) requirements-extras.lock
	$(PIP_INSTALL) --no-deps -r requirements-extras.lock
	-@$(BIN)/python -m cifar_pipelines.common.byte_code
	@touch $@

anew:

run: $(STAMP) ## Measure every family on images of animals under three settings, 6 to 10 minutes
	$(BIN)/kedro experiment $(if $(RUN_PARAMS),--params "$$RUN_PARAMS",$(STUDY))

test: $(EXTRAS) ## Run all tests
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

test-fast: $(EXTRAS) ## Run the tests that start no processes of their own
	$(BIN)/python -m pytest -n 2 -m "not e2e" $(PYTEST_ARGS)

lint: $(EXTRAS) ## Check style, format and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

format: $(EXTRAS) ## Correct style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

viz: $(EXTRAS) ## Open the lineage in a browser
	@near="$${no_proxy:-$$NO_PROXY},$(LOOPBACK)"; no_proxy="$$near" NO_PROXY="$$near" $(BIN)/kedro viz

bench: $(STAMP) ## Measure speed as ratios in one run
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean: ## Remove the environment, logs and everything that runs have made
	rm -rf $(VENV) logs bench .pytest_cache .ruff_cache .hypothesis
	git clean -qfdX data
