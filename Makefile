# make demo: train on MNIST.  make test: all checks.  make bench: measure.  make bench-peers: compare with others.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers

.PHONY: demo test test-long test-mutants test-asan test-keras bench bench-peers clean

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

# Whether the suite notices wrong changes of the sources; `make test` tries a few of them.
test-mutants: $(VENV)/.test
	$(BIN)/python -m pytest tests/test_mutants.py -m "long or not long"

# The suite on a build with the address and undefined-behaviour sanitizers, in a folder of its own. Left out is what
# counts allocations, since the sanitizer has its own malloc; and the search for leaks, since Python itself has some.
ASAN := $(CURDIR)/build/asan
ASAN_PYTHON = env PYTHONPATH=$(ASAN) PYTHONSAFEPATH=1 ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" $(BIN)/python

test-asan: $(VENV)/.test
	$(BIN)/python -m pip install --quiet "cython>=3.1" "setuptools>=77"
	rm -rf $(ASAN)
	FASTNN_SANITIZE=1 $(BIN)/python setup.py --quiet build --build-base $(ASAN) --build-lib $(ASAN)
	ln -s $(addprefix $(CURDIR)/,csrc examples pyproject.toml setup.py) $(ASAN)
	$(ASAN_PYTHON) -c "from fastnn import _native; assert _native.__file__.startswith('$(ASAN)')"
	$(ASAN_PYTHON) -m pytest --ignore tests/test_memory.py

# fastnn alone: kernels, training steps, inference.
bench: $(VENV)/.test
	$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-only

# All that fastnn is compared with, in an environment of its own.
$(PEERS)/.installed: $(SOURCES)
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --upgrade pip
	$(PEERS)/bin/python -m pip install --quiet -e ".[datasets]" pytest pytest-benchmark \
		torch jax scikit-learn keras tensorflow-cpu thinc onnxruntime onnx
	touch $@

# Layers, models and programs beside Keras on JAX; `make test` leaves these tests out where Keras is not installed.
test-keras: $(PEERS)/.installed
	KERAS_BACKEND=jax $(PEERS)/bin/python -m pytest $(wildcard tests/test_keras_*.py) \
		tests/test_compat.py tests/test_metrics.py tests/test_schedules.py tests/test_streams.py
	$(PEERS)/bin/python -m pytest tests/test_lbfgs.py tests/test_optimizers.py # torch, which JAX in one process crashes

bench-peers: $(PEERS)/.installed
	$(PEERS)/bin/python -m pytest benchmarks/test_equal_work.py
	$(PEERS)/bin/python benchmarks/compare.py --one-thread --json $(PEERS)/steps.json
	$(PEERS)/bin/python benchmarks/whole_process.py --json $(PEERS)/process.json

clean:
	rm -rf $(VENV) $(PEERS) build dist *.egg-info fastnn/*.so fastnn/_native.c
