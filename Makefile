# Everything runs in .venv; nothing is installed on the machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The product alone, for the demo; and with the tools that test and check it.
PRODUCT := $(VENV)/.product
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install
# Many tests wait for processes that they have killed: twice as many at a time as there are cores.
TESTERS = $(shell $(BIN)/python -c 'import os; print(2 * (os.cpu_count() or 1))')

.DEFAULT_GOAL := help

.PHONY: help
help: ## List what this Makefile can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(PRODUCT): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Install Python 3.11 or newer, or say: make PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else 0'
	@echo "Setting up $(VENV); this takes half a minute, once." >&2
	@$(PYTHON) -m venv $(VENV)
# Modules are compiled when they are first imported, which most of them never are.
	@$(PIP) --no-compile --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(STAMP): requirements-dev.lock $(PRODUCT)
	@echo "Installing the tools for tests and checks into $(VENV)." >&2
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: setup
setup: $(STAMP) ## Make .venv with the locked dependencies, the tools and the sitrep command

.PHONY: demo
demo: export PYTHONDONTWRITEBYTECODE =
demo: $(PRODUCT) ## Start the bot and a local Slack workspace on loopback, and print the address
	@$(BIN)/sitrep demo

.PHONY: test
# Hundreds of processes import the same modules: each would compile them anew.
test: export PYTHONDONTWRITEBYTECODE =
test: $(STAMP) ## Run all tests, those that measure time by themselves
	$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal -m "not timing and not soak"
	$(BIN)/python -m pytest -m timing

.PHONY: soak
soak: $(STAMP) ## Kill processes for a minute while Slack fails, and count what is there (SITREP_SOAK_SEED repeats one)
	$(BIN)/python -m pytest -m soak tests/soak

.PHONY: bench
bench: $(STAMP) ## Measure the service, and print one table (20 minutes, on a machine at rest)
	@$(BIN)/python -m tests.bench

.PHONY: check
check: $(STAMP) ## Lint, type-check, hold the import rules, check the runbooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/sitrep runbooks lint --rules deploy/alerts/sitrep.rules.yml

.PHONY: format
format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

UV_LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.PHONY: lock
lock: ## Resolve the dependencies anew and write both lock files (needs uv)
	$(UV_LOCK) --upgrade --output-file requirements.lock pyproject.toml build-requirements.in
	$(UV_LOCK) --constraint requirements.lock --group dev --output-file requirements-dev.lock pyproject.toml build-requirements.in

.PHONY: clean
clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
