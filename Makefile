# Konsilium: `make run` from a bare clone starts the chat; `make test` proves it.
SHELL := /bin/sh
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := .venv/bin

.PHONY: run test check bench soak format clean

# Compressing each word for a browser on the same machine costs more than it saves.
run: export UVICORN_WS_PER_MESSAGE_DEFLATE ?= false
run: .venv/.runtime .venv/.model  ## the app on http://127.0.0.1:8000
	@$(BIN)/chainlit run app/chainlit_app.py --headless --host $(HOST) --port $(PORT)

# Most of a test is waiting, so there are more of them at once than cores. Those that measure a time
# come first, one by one.
WORKERS ?= 3
test: .venv/.tests  ## everything: format, lint, types, unit, integration and browser tests
	@sh tests/system-packages.sh
	@$(MAKE) -s lint
	@$(BIN)/python -m pytest -m timing
	@$(BIN)/python -m pytest -m "not timing" -n $(WORKERS) --dist loadfile

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

.venv/.runtime: requirements.txt tests/constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt
	@touch $@

# Tried once; where it cannot be had the start goes on without it.
.venv/.model: app/providers/embedded/bundled.py .venv/.runtime
	@$(BIN)/python -m app models bring || true
	@touch $@

.venv/.tests: requirements.txt tests/requirements.txt tests/constraints.txt .venv/.runtime
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r tests/requirements.txt
	@touch $@
