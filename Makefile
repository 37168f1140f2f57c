# Everything a person types. `make help` lists it.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
USE_CASE ?= flights
ELSEWHERE := $(shell mktemp -u -d)/mlops-from-wheels
unexport PYTHONDONTWRITEBYTECODE
export BENTOML_DO_NOT_TRACK := true

.DEFAULT_GOAL := help
.PHONY: help setup demo dev serve docs wheels wheel-demo test check check-static format bench lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/.installed  ## the environment: .venv with exactly what requirements.lock pins

$(VENV)/.installed: requirements.lock pyproject.toml packages/lakefs-embedded/pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable packages/lakefs-embedded --editable .
	@touch $@

demo: setup  ## the whole loop on real data: USE_CASE=flights
	$(BIN)/mlops demo $(USE_CASE)

dev: setup  ## the Dagster UI with its daemon at http://127.0.0.1:3000
	$(BIN)/mlops dev

serve: setup  ## the champion's Bento at http://127.0.0.1:3001
	$(BIN)/mlops serve $(USE_CASE)

docs: setup  ## the reference pages from the code, and the site of docs/, in site/
	$(BIN)/python -W ignore -m mlops_assets_tests.documentation.reference
	$(BIN)/zensical build --strict --clean

wheels: setup  ## both distributions, in dist/
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist packages/lakefs-embedded .

wheel-demo: wheels  ## the demo from the wheels alone: an empty environment, outside the checkout
	rm -rf $(ELSEWHERE)
	$(PYTHON) -m venv $(ELSEWHERE)/venv
	$(ELSEWHERE)/venv/bin/python -m pip install --quiet --constraint requirements.lock --find-links dist 'mlops-assets[platform]'
	cd $(ELSEWHERE) && venv/bin/python -m pip check && MLOPS_DATA_DIR=$(ELSEWHERE)/data venv/bin/mlops demo $(USE_CASE)
	$(PYTHON) .ci/serve_from_image_environment.py $(ELSEWHERE)/data $(USE_CASE) $(ELSEWHERE)/image
	$(PYTHON) -m venv $(ELSEWHERE)/serving
	$(ELSEWHERE)/serving/bin/python -m pip install --quiet --constraint requirements.lock --find-links dist 'mlops-assets[serve]'
	cd $(ELSEWHERE) && serving/bin/python -c 'import sys; from importlib.util import find_spec; import mlops_assets.serving.service, mlops_assets.serving.predictor; sys.exit(", ".join(name for name in ("dagster", "lakefs", "lakefs_embedded", "pandas", "pandera", "sklearn") if find_spec(name)) or 0)'

test: setup  ## the whole test suite
	$(BIN)/python -m pytest -n auto

check-static: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: check-static test  ## formatting, lint, strict types, import contracts, tests

format: setup  ## write the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup  ## every benchmark against its goals
	@set -e; for each in lake validation features evaluation coverage challengers history_worth serving monitoring; do $(BIN)/python benchmarks/$$each.py; done

lock: setup  ## resolve both pyproject.toml anew into requirements.lock
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --no-header --python-version 3.11 --group dev --extra platform --extra redis --extra postgres --no-emit-package lakefs-embedded pyproject.toml packages/lakefs-embedded/pyproject.toml -o requirements.lock

clean:  ## remove the environment and everything that was generated
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist site .cache packages/*/dist *.egg-info
	find data -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
