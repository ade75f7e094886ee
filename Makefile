# Konsilium: `make run` from a bare clone starts the chat; `make test` proves it.
SHELL := /bin/sh
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := .venv/bin

# The tests start some two hundred programs: each would compile the app anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check bench soak clients format lock fresh pythons pictures

run: .venv/.runtime .venv/.model  ## the app on http://127.0.0.1:8000; BROWSER_OPENS=no leaves the browser shut
	@$(BIN)/python -m app run --host $(HOST) --port $(PORT) \
		$(if $(filter no,$(BROWSER_OPENS)),--no-browser)

# Those that measure a time come first, one by one. The others wait now and then: more workers than cores
# run them, those with a browser beside those without, the long ones first, so that none is left alone at the end.
# With five and three it takes 4 % less on two cores, and pages are so slow at times that tests wait in vain.
WORKERS ?= 4
BROWSERS ?= 2
test: .venv/.tests .venv/.model  ## everything: format, lint, types, unit, integration and browser tests
	@sh tests/system-packages.sh
	@$(BIN)/python -m pytest -m timing
	@$(MAKE) -s -k -j3 --output-sync=target .plain .browser lint

.PHONY: .plain .browser
.plain:
	@$(BIN)/python -m pytest tests/attack tests/integration tests/unit -m "not timing" -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.browser:
	@$(BIN)/python -m pytest tests/e2e -m "not timing" -n $(BROWSERS) --dist loadfile

check: .venv/.tests  ## the fast part of it
	@$(MAKE) -s -j2 lint unit

.PHONY: lint unit style types layers
lint: style types layers

style: .venv/.tests
	@$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q .

types: .venv/.tests
	@$(BIN)/mypy

layers: .venv/.tests
	@$(BIN)/lint-imports --no-cache

unit: .venv/.tests
	@$(BIN)/python -m pytest tests/unit -q -n 2

format: .venv/.tests
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

bench: .venv/.tests  ## the benchmark: a table, and JSON under bench/results/
	@sh tests/system-packages.sh
	@$(BIN)/python -m bench

soak: .venv/.tests  ## the long runs with faults
	@sh tests/system-packages.sh
	@$(BIN)/python -m bench --soak
	@ATTACK_KILLS=200 ATTACK_TURNS=14000 $(BIN)/python -m pytest tests/attack
	@REPLICA_KILLS=20 REPLICA_PAGES=200 REPLICA_REDIS_AWAY=30 $(BIN)/python -m pytest tests/integration/replicas --timeout 1800

# With OLLAMA_REAL=http://127.0.0.1:11434 it tries that Ollama instead: what the app relies on, with its smallest
# model or OLLAMA_REAL_MODEL.
clients: .venv/.tests  ## real programs and packages against the app: Codex, Claude Code, Open WebUI, the AI SDK, …; needs npm, minutes, 3 GB
	@$(BIN)/python -m tests.clients

fresh:  ## the README's commands on a bare Debian, as root; minutes
	@sh tools/fresh.sh

pictures: .venv/.tests  ## the README's pictures anew; look at them before they go in
	@$(BIN)/python -m tools.pictures

pythons:  ## the unit tests on Python 3.11, 3.12 and 3.13
	@sh tools/pythons.sh

lock:  ## requirements.txt and tests/requirements.txt anew from pyproject.toml
	@$(BIN)/python -m pip install -q uv==0.13.9
	@sh tools/lock.sh $(BIN)/uv

.venv/.runtime: requirements.txt tools/install.sh
	@PYTHON=$(PYTHON) sh tools/install.sh .venv requirements.txt
	@touch $@

# Tried once; where it cannot be had the start goes on without it.
.venv/.model: app/providers/embedded/bundled.py .venv/.runtime
	@$(BIN)/python -m app models bring || true
	@touch $@

.venv/.tests: tests/requirements.txt .venv/.runtime
	@PYTHON=$(PYTHON) sh tools/install.sh .venv tests/requirements.txt
	@touch $@

.PHONY: chainlit-drill
chainlit-drill: .venv/.tests  ## what an upgrade would move: make chainlit-drill VERSION=2.13.0
	@rm -rf .venv/.drill && $(BIN)/python -m pip install -q --no-deps --target .venv/.drill chainlit==$(VERSION)
	@CHAINLIT_UNDER_TEST=.venv/.drill/chainlit $(BIN)/python -m pytest -q --tb=line tests/unit/view/test_chainlit_contract.py
