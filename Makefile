# Every target is also a `labline` or `python -m` command; `make help` shows both. On Windows, use those.
.DEFAULT_GOAL := help
SHELL := /bin/sh
# the first of these that is 3.11 or newer; or say make PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3 python python3.13 python3.12 python3.11 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
PROBLEM ?= obesity
BIN := .venv/bin
# a compiled .pyc is made once here, so that every start after it is fast
# --no-deps: the lock names everything, and pip need not work it out again
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --no-deps --require-hashes
EDITABLE := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --no-deps --no-build-isolation --editable .

.PHONY: help setup run test lint format lock schema

help:  ## Show the targets
	@echo 'target   does                                                      the same by hand'
	@awk -F '  ## ' '/^[a-z]+:.*  ## /{split($$1, t, ":"); split($$2, d, " = "); printf "%-8s %-57s %s\n", t[1], d[1], d[2]}' Makefile

run: .venv/.run  ## Set up, then data, champion, API on 127.0.0.1:8000 = labline up obesity
	@$(BIN)/labline up $(PROBLEM)

test: .venv/.dev  ## Set up, then all tests, in parallel = python -m pytest -n 2
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

lint: .venv/.dev  ## ruff (format and check), pylint, mypy, yamllint = pre-commit run --all-files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pylint src
	@$(BIN)/yamllint --strict .

format: .venv/.dev  ## Rewrite in the house style = ruff format . && ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

setup: .venv/.dev  ## Make .venv with all that run, test and lint need = python -m pip install -r requirements-dev.txt

schema: .venv/.run  ## Write the contract's JSON Schema anew = labline schema json
	@$(BIN)/labline schema json > problems/problem.schema.json

# requirements*.txt are made from uv.lock, which is made from pyproject.toml
EXPORT := $(BIN)/uv export --quiet --frozen --format requirements-txt --no-emit-project --no-annotate --no-header --no-default-groups
STORES := --extra postgres --extra s3
lock: .venv/.dev  ## Lock the dependencies anew = uv lock, uv export
	@$(BIN)/uv lock --quiet
	@$(EXPORT) --group build --extra research --output-file requirements.txt
	@$(EXPORT) --group build --extra research $(STORES) --group dev --output-file requirements-dev.txt
	@$(EXPORT) --group build --extra research $(STORES) --extra notebook --output-file requirements-research.txt
	@$(EXPORT) --extra api $(STORES) --output-file requirements-api.txt
	@$(EXPORT) --only-group tracking --output-file requirements-mlflow.txt
	@$(EXPORT) --only-group build --output-file requirements-build.txt

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo 'error: no Python 3.11 or newer is found. Mend: install one, or say make PYTHON=/path/to/python' >&2; exit 2; }
	@echo 'making .venv with $(PYTHON)'
	@$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python requirements.txt pyproject.toml
	@test .venv/.dev -nt requirements-dev.txt || { echo 'installing the locked requirements'; $(PIP) --requirement requirements.txt; }
	@$(EDITABLE)
	@touch $@

.venv/.dev: .venv/bin/python requirements-dev.txt pyproject.toml
	@echo 'installing the locked requirements, with those of the tests'
	@$(PIP) --requirement requirements-dev.txt
	@$(EDITABLE)
	@touch $@
