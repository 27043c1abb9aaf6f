VENV := .venv
PY := $(VENV)/bin/python
WORKERS ?= 2
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-servers demo test test-servers test-all check bench docs

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv and install everything; does nothing when nothing changed
	@VENV=$(VENV) bash tools/setup.sh

setup-servers: setup ## add the servers that are too big for every set-up, such as OpenBao
	@VENV=$(VENV) bash tools/setup.sh servers

demo: setup ## run the example application as a real server, and show what it did
	@$(PY) -m examples.demo

test: setup ## run every test; ARGS='-k cache' chooses, WORKERS=8 spreads
	@$(PY) -m pytest -n $(WORKERS) $(ARGS)

test-servers: setup ## run every test, with the servers of tests/loopback.env
	@set -a && . ./tests/loopback.env && set +a && $(PY) -m pytest -n $(WORKERS) $(ARGS)

test-all: ## run every test on each of Python 3.11, 3.12 and 3.13 that is installed, in .venv-3.11 and so on
	@bash tools/test_all.sh

check: setup ## format, lint, types, import contracts, house rules
	@$(PY) -m ruff format --check --quiet . || { echo 'make check: run .venv/bin/ruff format .' >&2; exit 1; }
	@$(PY) -m ruff check .
	@$(PY) -m mypy --strict src $(wildcard tests/typing)
	@$(VENV)/bin/lint-imports --no-logo
	@$(PY) tools/house.py --strict

bench: setup ## measure the speed budgets beside other libraries, print them, write build/bench.json
	@VENV=$(VENV) bash tools/setup.sh bench
	@$(PY) -m benches

docs: setup ## write the generated reference pages anew
	@$(PY) tools/docs.py
