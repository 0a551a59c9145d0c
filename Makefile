# Everything a person or a machine needs, from a fresh clone with Python 3.11 or newer and git.
#
#   make up      set up what running needs, then start a demo family and its watcher
#   make test    set up everything, then run every test, here and on every other Python found
#   make check   what to run before every commit: under a minute
#   make faults  every fault in full, for an hour: killed, cut off, full, damaged, flooded; docs/faults.md
#   make storms  flooded, frozen, robbed, and offered five times too much: 25 minutes; SMALL=1 for a quick look
#   make bench   measure, and write build/bench.json

SHELL := /bin/bash
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= nightbell-data
BASE := $(shell sh tools/find_python.sh | head -n 1 | cut -d' ' -f2-)
JOBS ?= auto

.DEFAULT_GOAL := help
.PHONY: help up test check faults storms bench setup setup-dev lock clean format lint types contracts quick

help:
	@sed -n 's/^#   //p' Makefile

# --- setting up: each stamp is newer than the lock it was made from -------------------------------------------

$(VENV)/.ready-run: requirements.lock requirements-build.lock pyproject.toml tools/setup.sh
	@test -n "$(BASE)" || { echo "Nightbell needs Python 3.11 or newer with venv (on Debian: apt install python3-venv)"; exit 1; }
	@tools/setup.sh "$(BASE)" $(VENV) requirements.lock
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock requirements-build.lock pyproject.toml tools/setup.sh
	@test -n "$(BASE)" || { echo "Nightbell needs Python 3.11 or newer with venv (on Debian: apt install python3-venv)"; exit 1; }
	@tools/setup.sh "$(BASE)" $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/.ready-run

setup: $(VENV)/.ready-run
setup-dev: $(VENV)/.ready-dev

lock:
	tools/lock.sh

# --- the four commands ----------------------------------------------------------------------------------------

up: $(VENV)/.ready-run
	@exec $(BIN)/nightbell up --demo --data $(DATA) $(if $(LISTEN),--listen $(LISTEN))

test: $(VENV)/.ready-dev
	@$(BIN)/python tools/test_all.py --jobs $(JOBS)

check: $(VENV)/.ready-dev
	@$(MAKE) --no-print-directory -j2 --output-sync=target format lint types contracts
	@$(MAKE) --no-print-directory quick

faults: $(VENV)/.ready-dev
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) $(if $(MINUTES),--minutes $(MINUTES))

storms: $(VENV)/.ready-dev
	@$(BIN)/python -m benchmarks.storm $(if $(SMALL),--small) $(if $(ONLY),--only $(ONLY))

bench: $(VENV)/.ready-dev
	@$(BIN)/nightbell bench

# --- the parts of check ---------------------------------------------------------------------------------------

format:
	@$(BIN)/ruff format --check .

lint:
	@$(BIN)/ruff check .

types:
	@$(BIN)/mypy

contracts:
	@$(BIN)/lint-imports

quick:
	@$(BIN)/pytest tests/tidy tests/unit tests/machines -q -n $(JOBS)

clean:
	rm -rf build .venvs .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
