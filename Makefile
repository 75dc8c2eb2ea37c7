# Every target is also a `labline` or `python -m` command; `make help` shows both. On Windows, use those.
.DEFAULT_GOAL := help
SHELL := /bin/sh
# the first of these that is 3.11 or newer; or say make PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3 python python3.13 python3.12 python3.11 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
PROBLEM ?= obesity
# the dev container has its own, outside the workspace
VENV ?= .venv
BIN := $(VENV)/bin
# uv takes all packages at once and pip one after the other: seconds, and minutes; --no-deps: the lock names everything
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --no-deps --require-hashes
UV := UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)}}" \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes
# $(call install,FILE,OPTIONS OF UV): pip is asked where uv cannot, since proxies, mirrors and certificates may be set up for pip alone
install = $(PIP) --requirement requirements-build.txt && { $(UV) $(2) --requirement $(1) || { echo 'uv cannot install them; pip tries'; $(PIP) --requirement $(1); }; }
EDITABLE := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --no-deps --no-build-isolation --editable .
# what one process has compiled, the hundreds that the tests start need not compile again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run test test-thorough test-stack lint format lock schema env

help:  ## Show the targets
	@echo 'target        does                                                      the same by hand'
	@awk -F '  ## ' '/^[a-z-]+:.*  ## /{split($$1, t, ":"); split($$2, d, " = "); printf "%-13s %-57s %s\n", t[1], d[1], d[2]}' Makefile

run: $(VENV)/.run  ## Set up, then data, champion, API on 127.0.0.1:8000 = labline up obesity
	@$(BIN)/labline up $(PROBLEM)

# three for two cores: one of them waits now and then, for a server, a kernel or a disk
test: $(VENV)/.dev  ## Set up, then all tests, in parallel = python -m pytest -n 3
	@$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

test-thorough: $(VENV)/.dev  ## Slow tests: kills at random moments, more notebooks = python -m pytest -n 2 -m thorough
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m thorough $(ARGS)

test-stack: $(VENV)/.dev  ## The tests that bring up the Compose stack = python -m pytest -m compose
	@$(BIN)/python -m pytest -m compose tests/stack $(ARGS)

lint: $(VENV)/.dev  ## ruff, pylint, mypy; YAML, Dockerfile, scripts = pre-commit run --all-files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pylint src
	@$(BIN)/yamllint --strict .
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yaml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/shellcheck .ci/run .ci/try-run .ci/try-devcontainer .ci/lint-containers docker/postgres/init.sh

format: $(VENV)/.dev  ## Rewrite in the house style = ruff format . && ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

setup: $(VENV)/.dev  ## Make .venv with all that run, test and lint need = python -m pip install -r requirements-dev.txt

env:  ## Make .env with random passwords for Compose = python docker/env.py
	@if [ -n "$(PYTHON)" ]; then $(PYTHON) docker/env.py; \
	else docker run --rm --volume "$$PWD:/workspace" --workdir /workspace python:3.11-slim-bookworm python docker/env.py; fi

schema: $(VENV)/.run  ## Write the contract's JSON Schema anew = labline schema json
	@$(BIN)/labline schema json > problems/problem.schema.json

# requirements*.txt are made from uv.lock, which is made from pyproject.toml
EXPORT := $(BIN)/uv export --quiet --frozen --format requirements-txt --no-emit-project --no-annotate --no-header --no-default-groups
STORES := --extra postgres --extra s3
# Evidently asks for these, 60 MB together, and no page of ours loads them: statistical tests and demonstrations it has besides
UNUSED := $(foreach package,faker statsmodels patsy formulaic interface-meta,--no-emit-package $(package))
lock: $(VENV)/.dev  ## Lock the dependencies anew = uv lock, uv export
	@$(BIN)/uv lock --quiet
	@$(EXPORT) --group build --extra research --output-file requirements.txt
	@$(EXPORT) --group build --extra research $(STORES) --group dev --output-file requirements-dev.txt
	@$(EXPORT) --group build --extra research $(STORES) --extra notebook --output-file requirements-research.txt
	@$(EXPORT) --extra api $(STORES) $(UNUSED) --output-file requirements-api.txt
	@$(EXPORT) --only-group tracking --output-file requirements-mlflow.txt
	@$(EXPORT) --only-group build --output-file requirements-build.txt

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'error: no Python 3.11 or newer is found. Mend: install one, or say make PYTHON=/path/to/python' >&2; exit 2; }
	@echo 'making $(VENV) with $(PYTHON)'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python requirements.txt pyproject.toml
	@test $(VENV)/.dev -nt requirements-dev.txt || { echo 'installing the locked requirements'; $(call install,requirements.txt); }
	@$(EDITABLE)
	@touch $@

$(VENV)/.dev: $(BIN)/python requirements-dev.txt pyproject.toml
	@echo 'installing the locked requirements, with those of the tests'
	@# compiled once here, and not by each of the hundreds of processes that tests start
	@$(call install,requirements-dev.txt,--compile-bytecode)
	@$(EDITABLE)
	@touch $@
