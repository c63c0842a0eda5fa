# Tidegate. `make serve` and `make test` are all that a newcomer needs; each does its own set-up.
#
#   make setup   .venv with .venv/bin/tidegate, everything pinned and hashed
#   make serve   the gateway, for the sources of this host         (ARGS="--listen 0.0.0.0:3142")
#   make test    the whole suite, slow ones included                (ARGS="tests/trust -k expired")
#   make lint    ruff, mypy, the layers
#   make check   lint and test: what CI runs
#   make bench   against nginx, apt-cacher-ng and squid             (ARGS="--only hits --rounds 7")
#   make demo    the outage of 2026-04-30 in 70 seconds, with the real apt: pages, picture, post-mortem in demo/
#   make faults  every fault of a source, and what each client makes of it  (ARGS="--quick --fault reset")
#   make soak    half an hour under constant load: memory, journal, answers: docs/soak.md (MINUTES=3 for a trial)
#   make histories  the deciding code in virtual time, from seeds     (SEEDS=5000, or ARGS="--seed 17 -v")
#   make clickhouse  docs/clickhouse.md, in the embedded ClickHouse (180 MB to fetch)
#   make man     dist/tidegate.1
#   make lock    requirements/*.txt anew from pyproject.toml        (ARGS="--upgrade")
#   make clean   all of the above gone, the store untouched
#
# PYTHON=python3.12 chooses the interpreter.

export PYTHON
VENV := .venv
# Eight workers at most: each makes keys and archives of its own before its first test.
# Two for each core, so that waiting (time limits, disks, children) overlaps; two cores are nine tenths busy then.
WORKERS := $(shell echo $$(($$(nproc) * 2)))
PYTEST := $(VENV)/bin/pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal
ARGS ?=
SEEDS ?= 1000
MINUTES ?= 30

.PHONY: setup serve test lint check bench faults histories clickhouse man lock clean
.NOTPARALLEL:

setup:
	@packaging/setup.sh run

.PHONY: setup-dev
setup-dev:
	@packaging/setup.sh dev

serve: setup
	@exec $(VENV)/bin/tidegate serve $(ARGS)

test: setup-dev
	$(PYTEST) $(ARGS)

lint: setup-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

check: lint test

bench: setup-dev
	$(VENV)/bin/python -m bench $(ARGS)

demo: setup
	@rm -rf demo
	@$(VENV)/bin/tidegate drill canonical-2026 --lab --out demo $(ARGS)
	@echo "Open it: file://$(CURDIR)/demo/index.html"

# The pictures in the README, in a real Chromium, of a drill made just now.
demo-pictures: setup-dev demo
	$(VENV)/bin/python -m tests.docs.drill_pictures demo

faults: setup-dev
	$(VENV)/bin/python -m tests.lab $(ARGS)

.PHONY: soak
soak: setup-dev
	$(VENV)/bin/python -m tests.soak --minutes $(MINUTES) $(if $(filter 30,$(MINUTES)),--write) $(ARGS)

histories: setup-dev
	$(VENV)/bin/python -m tests.histories --seeds $(SEEDS) $(ARGS)

# docs/img/dashboard.png anew, of a real gateway in a real Chromium
.PHONY: dashboard-picture
dashboard-picture: setup-dev
	$(VENV)/bin/python -m tests.docs.dashboard_picture

clickhouse: setup-dev
	$(VENV)/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements/clickhouse.txt
	$(VENV)/bin/pytest -q tests/fleet/test_clickhouse.py $(ARGS)

man: setup
	@mkdir -p dist
	$(VENV)/bin/tidegate man > dist/tidegate.1

lock:
	packaging/lock.sh $(ARGS)

clean:
	rm -rf $(VENV) dist demo .*_cache .hypothesis .coverage .coverage.*
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
