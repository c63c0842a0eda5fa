# Tidegate. `make serve` and `make test` are all a newcomer needs.
PYTHON ?= python3
VENV := .venv

.PHONY: setup serve test lint lock

setup: $(VENV)/.run
$(VENV)/.run: requirements/run.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q --require-hashes -r requirements/run.txt
	$(VENV)/bin/pip install -q --no-deps --no-build-isolation -e .
	@touch $@
$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(VENV)/bin/pip install -q --require-hashes -r requirements/dev.txt
	@touch $@

serve: setup
	$(VENV)/bin/tidegate serve

test: $(VENV)/.dev
	$(VENV)/bin/pytest

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy && $(VENV)/bin/lint-imports
