"""Memory: when there is none, while training, and after it."""

import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
from nets import THREADS, class_patterns, small_net, state
from out_of_memory import ARRAY, CALLS

import fastnn
from fastnn import config
from fastnn.ops.table import OPS

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def preload(tmp_path_factory):
    """`preload.c` as a library."""
    compiler = shutil.which("cc")
    if not compiler or platform.libc_ver()[0] != "glibc":
        pytest.skip("needs a C compiler and glibc")
    library = tmp_path_factory.mktemp("preload") / "preload.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, HERE / "preload.c"], check=True)
    return str(library)


def python(*arguments, **environment):
    """What Python prints in a process of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])} | environment
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("least", "calls"),
    [
        pytest.param(ARRAY, [name for name in CALLS if name != "compile"], id="arrays"),
        pytest.param(1, ["compile"], id="compile"),
        pytest.param(1, list(CALLS), id="all", marks=pytest.mark.long),
    ],
)
def test_an_allocation_that_fails_raises_memory_error_and_changes_nothing(least, calls, preload):
    """On one thread: libgomp ends the process when it cannot allocate what a first team of threads needs."""
    script = str(HERE / "out_of_memory.py")
    lines = python(script, str(least), *calls, LD_PRELOAD=preload, FASTNN_NUM_THREADS="1").splitlines()
    failed = [line.removesuffix(" allocations failed").rpartition(": ") for line in lines]
    assert [name for name, _, _ in failed] == calls, lines
    assert all(int(number) > 0 for _, _, number in failed), lines


def test_a_step_with_numpy_is_taken_wholly_or_not_at_all(monkeypatch):
    """The second of six updates of the sixth step fails."""
    x, y = class_patterns(80, width=20, classes=5)
    monkeypatch.setattr(config, "_floatx", "float64")
    model, twin = small_net(), small_net()
    called, adam = [], OPS["adam"]

    def failing(*args, **kwargs):
        called.append(None)
        if len(called) == 5 * 6 + 2:
            raise MemoryError
        return adam.reference(*args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setitem(OPS, "adam", replace(adam, reference=failing))
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    twin.fit(x[: 5 * 8], y[: 5 * 8], batch_size=8, shuffle=False, verbose=0)
    assert model.optimizer.iterations == 5
    assert state(model) == state(twin)


# Every allocation counts here, those of Python's small objects too.
CALLS_OF_C = """
import ctypes, json, os
import numpy as np
from fastnn.execute import available_isas
from fastnn.models.programs import EVALUATE, PREDICT, TRAIN
from fastnn.program import ROWS, STEP
from nets import THREADS, small_net

preload = ctypes.CDLL(None)

def allocations(executor, batches):
    sizes = {ROWS: 2, STEP: batches}
    data = {a.name: np.zeros((sizes.get(a.kind, 1), *(n for n in a.shape if n is not None)), a.dtype)
            for a in executor.program.areas}
    first_rows, row_counts, iteration = np.zeros(batches, np.int64), np.full(batches, 2), np.zeros(1, np.int64)
    preload.preload_start(ctypes.c_size_t(1), ctypes.c_long(0))
    executor.run(data, first_rows, row_counts, iteration=iteration)
    return preload.preload_stop()

found = []
for isa in available_isas():
    for threads in THREADS[:2]:
        os.environ |= {"FASTNN_ISA": isa, "FASTNN_NUM_THREADS": str(threads), "FASTNN_FORCE_THREADS": "1"}
        model = small_net()
        prepared = model._data(model._samples(np.zeros((8, 20), np.float32), np.zeros(8, np.int32), None))
        for mode in TRAIN, EVALUATE, PREDICT:
            executor = model._executor(mode, 2, None if mode == PREDICT else prepared)
            allocations(executor, 1)
            found.append([f"{mode} {isa} {threads}", allocations(executor, 300), allocations(executor, 600)])
print(json.dumps(found))
"""


def test_a_call_of_c_allocates_the_same_for_any_number_of_steps(preload):
    found = json.loads(python("-c", CALLS_OF_C, LD_PRELOAD=preload, PYTHONMALLOC="malloc"))
    assert len(found) == 3 * len(fastnn.execute.available_isas()) * len(THREADS[:2])
    for name, few, many in found:
        assert 0 < few == many, name


EPOCHS = """
import ctypes, json
import numpy as np
from fastnn.models import loop
from nets import small_net

preload, found = ctypes.CDLL(None), {}
loop.CHUNK_SECONDS = 1e9  # calls of 1, 4, 16 ... steps
x, y, model = np.zeros((5461, 20), np.float32), np.zeros(5461, np.int32), small_net()
for name, call in {
    "fit": lambda n: model.fit(x[:n], y[:n], batch_size=1, verbose=0),
    "evaluate": lambda n: model.evaluate(x[:n], y[:n], batch_size=1, verbose=0),
    "predict": lambda n: model.predict(x[:n], batch_size=1),
}.items():
    for n in 5461, 1365, 5461:
        preload.preload_start(ctypes.c_size_t(1), ctypes.c_long(0))
        call(n)
        found.setdefault(name, []).append(preload.preload_stop())
print(json.dumps(found))
"""


def test_an_epoch_allocates_by_calls_of_c_not_by_steps(preload):
    """What Python takes from the heap: 4,096 steps more, in one call more, are less than 200 allocations more."""
    for name, (_, few, many) in json.loads(python("-c", EPOCHS, LD_PRELOAD=preload)).items():
        assert 0 < few < many < few + 200, name


def test_a_model_is_gone_when_nobody_refers_to_it():
    """At once, with all its variables: the garbage collector would find it some dozens of models later."""
    x, y = class_patterns(80, width=20, classes=5)
    gc.collect()
    gc.disable()
    try:
        model = small_net()
        model.fit(x, y, validation_split=0.2, verbose=0)
        model.evaluate(x, y, verbose=0)
        model.predict(x)
        slots = [slot for v in model.variables for slot in model.optimizer.slots(v).values()]
        rest = [weakref.ref(each) for each in (model, *model.layers, *model.variables, *slots)]
        history, known = model.history, model.history.model is model
        del model, slots
        assert [each() for each in rest if each() is not None] == []
        assert known and history.model is None
    finally:
        gc.enable()


RESIDENT = """
import gc, sys
import numpy as np
import fastnn
from fastnn.layers import Dense, Dropout

x = np.random.default_rng(0).standard_normal((320, 20)).astype(np.float32)
y = x[:, 0]

def resident():
    # Bytes in memory that are not pages of files, which are code.
    gc.collect()
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))

def net():
    model = fastnn.Sequential([Dense(16, activation="relu", input_shape=(20,)), Dropout(0.2), Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model

trained = net()

def steps(n):
    trained.fit(x, y, batch_size=32, epochs=n // 20, verbose=0)
    for _ in range(n // 2):
        trained.train_on_batch(x[:32], y[:32])

def models(n):
    for _ in range(n):
        model = net()
        model.fit(x, y, verbose=0)
        model.predict(x)

call, n = {"steps": (steps, 20_000), "models": (models, 1000)}[sys.argv[1]]
call(n // 10)
before = resident()
call(n)
print(resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc/self/status")
@pytest.mark.parametrize("what", ["steps", "models"])
def test_resident_memory_does_not_grow(what):
    """20,000 steps, or 1,000 models made, trained and dropped, add at most a megabyte."""
    assert int(python("-c", RESIDENT, what)) <= 2**20
