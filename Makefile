# Everything is installed in .venv and nothing outside it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# PRODUCT: only the product, for the demo. STAMP: also the tools for tests and checks.
PRODUCT := $(VENV)/.product
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install
# Many tests wait for processes that they killed, so run twice as many workers as there are cores.
TESTERS = $(shell $(BIN)/python -c 'import os; print(2 * (os.cpu_count() or 1))')

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(PRODUCT): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Install Python 3.11 or newer, or run: make demo PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else 0'
	@echo "Setting up $(VENV). This takes about half a minute, only once." >&2
	@$(PYTHON) -m venv $(VENV)
# Do not compile modules in advance: most are never imported.
	@$(PIP) --no-compile --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(STAMP): requirements-dev.lock $(PRODUCT)
	@echo "Installing the tools for tests and checks into $(VENV)." >&2
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: setup
setup: $(STAMP) ## Create .venv with the locked dependencies, the tools and the sitrep command

.PHONY: demo
demo: export PYTHONDONTWRITEBYTECODE =
demo: $(PRODUCT) ## Start the bot with a local Slack workspace, and print its address
	@$(BIN)/sitrep demo

.PHONY: test
# Write bytecode: otherwise each of hundreds of processes compiles the same modules.
test: export PYTHONDONTWRITEBYTECODE =
test: $(STAMP) ## Run all tests; tests that measure time run alone at the end
	$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal -m "not timing and not soak"
	$(BIN)/python -m pytest -m timing

.PHONY: fuzz
fuzz: $(STAMP) ## Try new examples in the property tests (make test draws the same ones each time)
	$(BIN)/python -m pytest -n $(TESTERS) -m hypothesis --hypothesis-profile=fuzz

.PHONY: texts
texts: $(STAMP) ## Print every text that a person reads, by where it is read, for a review
	@$(BIN)/python -m tests.texts

.PHONY: soak
soak: $(STAMP) ## Kill replicas for a minute while Slack fails, then count messages (SITREP_SOAK_SEED repeats a run)
	$(BIN)/python -m pytest -m soak tests/soak

.PHONY: bench
bench: $(STAMP) ## Measure the service and print one table (20 minutes on an idle machine)
	@$(BIN)/python -m tests.bench

.PHONY: check
check: $(STAMP) ## Lint, type-check, check import rules and runbooks
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
lock: ## Update the dependencies and write both lock files (needs uv)
	$(UV_LOCK) --upgrade --output-file requirements.lock pyproject.toml build-requirements.in
	$(UV_LOCK) --constraint requirements.lock --group dev --output-file requirements-dev.lock pyproject.toml build-requirements.in

.PHONY: clean
clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
