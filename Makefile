# Everything runs from .venv/, which `make install` makes and keeps up to date.

VENV := .venv
BIN := $(VENV)/bin
LOCK := deploy/requirements.lock
STAMP := $(VENV)/.installed
PEERS := tests/bench/peers/requirements.txt
PEERS_STAMP := .cache/bench/.installed
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test check memory bench simulate chaos lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) \
		| while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

install: $(STAMP) ## .venv/ with the locked dependencies and the `pipeline` command in it

demo: $(STAMP) ## the main job on the sample data, in under a minute
	@$(BIN)/pipeline demo

test: $(STAMP) ## everyday tests; ARGS="-k consent" chooses
	@$(BIN)/pytest $(ARGS)

check: $(STAMP) ## format, lint, types, import walls, speed guard, everyday tests: what CI runs
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.bench guard
	$(BIN)/pytest

memory: $(STAMP) ## bytes in Redis per contact, open wait and messageId
	@$(BIN)/python -m tests.bench.memory

bench: $(STAMP) $(PEERS_STAMP) ## speed beside our peers, long; ARGS=latency, flat, catchup, scale, profile, --help
	@$(BIN)/python -m tests.bench $(ARGS)

simulate: $(STAMP) ## 100,000 seeds of the simulated world, long; ARGS="--seeds 5000"
	@$(BIN)/python -m tests.simulation $(or $(ARGS),--seeds 100000)

chaos: $(STAMP) ## faults on the real parts, long; ARGS="--minutes 10 --seed 7"
	@$(BIN)/python -m tests.chaos $(or $(ARGS),--minutes 5 --seed 1)

lock: ## pins the newest dependencies that pyproject.toml allows into deploy/requirements.lock
	@test -x .cache/lock/bin/uv || { python3 -m venv .cache/lock && .cache/lock/bin/pip install -q uv; }
	.cache/lock/bin/uv pip compile pyproject.toml --upgrade --all-extras --universal \
		--python-version 3.11 --generate-hashes --no-annotate --no-header --quiet -o $(LOCK)
	@printf '%s\n%s\n' '# All dependencies with all extras. Made by `make lock` from pyproject.toml.' \
		"$$(cat $(LOCK))" > $(LOCK)

clean: ## removes what was built
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
		dist build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first Python that is new enough and has what a venv needs; PYTHON=... chooses another.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)

$(STAMP): $(LOCK) pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer with venv on PATH: install" \
		"python3.11 and python3.11-venv, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies into $(VENV)/"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(PEERS_STAMP): $(PEERS) | $(STAMP)
	@echo "installing the peers of the benchmark into .cache/bench/"
	@$(BIN)/python -m venv .cache/bench
	@.cache/bench/bin/python -m pip install --quiet --disable-pip-version-check -r $(PEERS)
	@touch $@
