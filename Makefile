# `make demo` and `make test` are the two commands of the README; each does all its set-up.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test interop lint types bench clean

$(READY): pyproject.toml requirements.lock
	@echo "Setting up $(VENV), once ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $(READY)

demo: $(READY)  ## one order, end to end, on loopback
	@$(BIN)/tradelane demo

test: $(READY)  ## everything that is promised, proved
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

interop: $(READY) build/pyas2lib/bin/python  ## every kind of message with every peer; ARGS=--long adds 100 MiB
	$(BIN)/python tests/interop/interop_run.py $(ARGS)

build/pyas2lib/bin/python:
	@$(PYTHON) -m venv build/pyas2lib
	@$@ -m pip install --quiet --disable-pip-version-check pyas2lib==1.4.4 || { rm -rf build/pyas2lib; exit 1; }

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

bench: $(READY)  ## figures, as ratios inside one run
	@for script in tests/bench/*.py; do $(BIN)/python -P $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
