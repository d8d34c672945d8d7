# Everything a newcomer needs: `make up` runs the fleet, `make test` proves it. `make help` lists the rest.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv may be a command of the system or a module of the bootstrap environment below.
UV = $$(command -v uv || echo $(VENV)-uv/bin/uv)
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help up down status test check format unit bench bench-peers bench-floor backlog chaos memory overload lock clean

help: ## Explain the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(VENV)/.local ## Run the whole fleet on this machine (Ctrl-C stops it); ARGS="--detach --port 9000"
	@exec $(BIN)/penstock up $(ARGS)

down: $(VENV)/.local ## Stop the fleet that `make up ARGS=--detach` started
	@$(BIN)/penstock down $(ARGS)

status: $(VENV)/.local ## Say what runs and how it does
	@$(BIN)/penstock status $(ARGS)

check: $(VENV)/.dev ## Format, lint, types, import rules, unit and contract tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest tests/unit tests/contract tests/architecture $(ARGS)

test: $(VENV)/.dev ## Every test, on real engines
	$(BIN)/python -m pytest $(ARGS)

unit: $(VENV)/.dev ## The fast tests only
	$(BIN)/python -m pytest tests/unit $(ARGS)

format: $(VENV)/.dev ## Format the code and apply safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## Measure; docs/benchmarks.md has the figures. ARGS="--only sync --broker rabbitmq"
	$(BIN)/python -m tests.benchmarks $(ARGS)

bench-peers: $(VENV)/.dev ## Compare with other gateways, installed below .peers/
	$(BIN)/python -m tests.benchmarks.peers $(ARGS)

bench-floor: $(VENV)/.dev ## The least that one sync chat can cost, part by part
	$(BIN)/python -m tests.benchmarks.floor $(ARGS)

memory: $(VENV)/.dev ## Ingress under 100,000 requests and 10,000 aborted streams (make test runs a tenth)
	PENSTOCK_TEST_MEMORY_REQUESTS=100000 $(BIN)/python -m pytest -s tests/faults/test_ingress_memory.py $(ARGS)

chaos: $(VENV)/.dev ## Kill everything at random under load; PENSTOCK_TEST_KILLS=60 PENSTOCK_TEST_SEED=7, ARGS="-k embedded"
	PENSTOCK_TEST_KILLS=$${PENSTOCK_TEST_KILLS:-30} $(BIN)/python -m pytest tests/faults/test_campaign.py $(ARGS)

backlog: $(VENV)/.dev ## Accept and drain 100,000 jobs on either broker, and watch the memory; ARGS="-k embedded"
	PENSTOCK_TEST_BACKLOG=$${PENSTOCK_TEST_BACKLOG:-100000} $(BIN)/python -m pytest tests/faults/test_backlog.py -s $(ARGS)

overload: $(VENV)/.dev ## Offer three times the capacity for 300 s on either broker; PENSTOCK_TEST_OVERLOAD_S=60, ARGS="-k embedded"
	PENSTOCK_TEST_OVERLOAD_S=$${PENSTOCK_TEST_OVERLOAD_S:-300} $(BIN)/python -m pytest tests/faults/test_overload.py -s $(ARGS)

LOCK = uv pip compile pyproject.toml -q --universal --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --python-version 3.11
lock: ## Resolve the dependencies again; ARGS=--upgrade takes the newest
	$(LOCK) $(ARGS) --extra local --extra litellm --group dev -o requirements/dev.lock
	$(LOCK) -c requirements/dev.lock -o requirements/service.lock
	$(LOCK) -c requirements/dev.lock --extra litellm -o requirements/worker.lock
	$(LOCK) -c requirements/dev.lock --extra litellm --extra local -o requirements/local.lock

clean: ## Remove the environment and every cache; the fleet's data stays
	rm -rf $(VENV) $(VENV)-uv .peers .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# --- the environment: one virtualenv, installed from a lock with hashes -----------------------------

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Penstock needs Python 3.11 or newer; name one: make PYTHON=python3.12 up"; exit 1; }
	@command -v uv >/dev/null || test -x $(VENV)-uv/bin/uv || ./deploy/bootstrap-uv $(PYTHON) $(VENV)-uv
	@$(UV) venv -q --python $(PYTHON) $(VENV)

$(VENV)/.local: requirements/local.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing (once)" && $(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/local.lock
	@$(call install_penstock)
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing with the development tools (once)" \
		&& $(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@$(call install_penstock)
	@touch $@ $(VENV)/.local

# The project itself is two import roots and one command: a path file and a script, no build step.
define install_penstock
$(BIN)/python deploy/link_checkout.py
endef
