# Needs Python 3 and make. Everything else is put into .venv, in this folder.
# uv finds or fetches the right Python.

UV := $(or $(shell command -v uv),.tools/bin/uv)
PYTHON := .venv/bin/python
PYTHON_VERSION := >=3.9,<3.12

# Python then compiles a module once, and not again in each of the many processes of a run.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(UV) pip install --quiet --compile-bytecode --python $(PYTHON) \
    --constraint constraints.txt

.PHONY: bench test test-fast test-slow test-all lint docs clean

bench: .venv/ready
	$(PYTHON) -m bench all

PYTEST := $(PYTHON) -m pytest
WORKERS := --numprocesses 2 --dist worksteal

# Every promise that README makes has a test here.
test: .venv/ready
	$(PYTEST) $(WORKERS) -m "not slow"

# For the loop of somebody who edits: no TensorFlow, no processes.
test-fast: .venv/ready
	$(PYTEST) -m fast

# What `make test` leaves out.
test-slow: .venv/ready
	$(PYTEST) $(WORKERS) -m slow

test-all: .venv/ready
	$(PYTEST) $(WORKERS)

lint: .venv/lint
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy

# RESULTS=results takes the measured tables from a new run; without it they come from docs/measured.
docs: .venv/ready
	$(PYTHON) -m docs.make $(RESULTS)

.venv/ready: pyproject.toml constraints.txt $(filter .tools/%,$(UV))
	$(UV) venv --quiet --allow-existing --python '$(PYTHON_VERSION)' .venv
	$(INSTALL) --editable '.[test]'
	touch $@

.venv/lint: .venv/ready
	$(INSTALL) --editable '.[lint]'
	touch $@

.tools/bin/uv:
	python3 -m venv .tools || { \
	    echo "error: python3 has no venv module: install it" \
	        "(Debian: apt install python3-venv), or install uv" >&2; exit 2; }
	.tools/bin/pip install --quiet --disable-pip-version-check uv

clean:
	rm -rf .venv .tools
