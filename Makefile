# make demo: train on MNIST.  make test: all checks.  make bench: measure.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-long bench clean

# Rebuilt when the sources of the extension or the requirements change.
SOURCES := pyproject.toml setup.py $(wildcard fastnn/*.pyx csrc/*.[ch] csrc/*/*)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet -e ".[demo]"
	touch $@

$(VENV)/.test: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet -e ".[test]"
	touch $@

demo: $(VENV)/.demo
	$(BIN)/python examples/mnist_mlp.py

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

test-long: $(VENV)/.test
	$(BIN)/python -m pytest -m "long or not long"

bench: $(VENV)/.test
	$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-only
	$(BIN)/python benchmarks/compare.py

clean:
	rm -rf $(VENV) build dist *.egg-info fastnn/*.so fastnn/_native.c
