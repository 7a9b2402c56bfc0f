# Every target sets up what it needs; `make demo` and `make test` work from a fresh clone.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
  && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Tests wait for others a third of their time: one process more than cores.
PROCESSES ?= 3

.PHONY: help install demo test test-fast test-faults check audit format kafka bench bench-full \
  bench-quick clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 12

install: $(INSTALLED) ## Set up .venv with everything.

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "riverrun needs Python 3.11, 3.12 or 3.13; found none (set PYTHON=...)"; exit 2; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version) (about a minute, once)" >&2
	@$(PYTHON) -m venv --clear $(VENV) || { echo "on Debian: apt-get install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[demo,postgres,parquet,otel,librdkafka,quix,minibatch,dev]'
	@touch $@

demo: $(INSTALLED) ## A year of New York departures, predicted and learned while you watch.
	@$(BIN)/riverrun demo $(ARGS)

test: $(INSTALLED) ## All tests; Apache Kafka needs Java 17 and Maven, and is skipped without them.
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --ignore tests/faults $(ARGS)

test-fast: $(INSTALLED) ## The tests that need no broker and no faults.
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --ignore tests/faults --ignore tests/kafka \
	  -k 'not kafka' $(ARGS)

test-faults: $(INSTALLED) ## Every promise under every fault; ARGS=--all for those that take minutes too.
	$(BIN)/python -m pytest tests/faults -n $(PROCESSES) --dist loadfile $(ARGS)

check: $(INSTALLED) ## Lint, types, and the import rule.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit -q -c pyproject.toml -r monitor stream serve deploy
	$(BIN)/python -m pytest -q tests/architecture

audit: $(INSTALLED) ## Bandit, licences, and what is known against dependencies (asks the package index).
	$(BIN)/python -m tests.security.audit

format: $(INSTALLED) ## Format the code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

kafka: $(INSTALLED) ## The pinned Apache Kafka on 127.0.0.1:9092, without Docker (Java 17 and Maven).
	$(BIN)/python -m tests.kafka.broker $(ARGS)

bench: $(INSTALLED) ## The line against a bare River loop, start-up, memory, and the monitor beside its peers.
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.stages
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python -m benchmarks.monitor_bench --only speed cost real

bench-full: $(INSTALLED) ## All of it: Kafka, peers, latency, growth, false alarms and power too (an hour).
	$(BIN)/python -m benchmarks.peers --install
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.peers --events 100000
	$(BIN)/python -m benchmarks.mini_batch
	$(BIN)/python -m benchmarks.sharing
	$(BIN)/python -m benchmarks.latency --broker local
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.stages
	$(BIN)/python -m benchmarks --broker local $(ARGS)
	$(BIN)/python -m benchmarks.monitor_bench

bench-quick: $(INSTALLED) ## A minute: fails where the line is far below what docs/benchmarks.json states.
	$(BIN)/python -m benchmarks --quick

clean: ## Remove what was set up and cached.
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
