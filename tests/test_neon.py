"""NEON gives the bits of x86-64: what C did here is recorded, and repeated by an emulated AArch64.

A cross-compiler builds csrc/ with `neon/driver.c`, which repeats runs of `fnn_execute` from a file. Everything is
there before a run: the steps, and all memory that they may use.
"""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from harness import ALONE, ISAS, KERNEL_ROWS, ROOT, build_flags, kernel, same_bits, ways
from nets import class_patterns, force, state
from test_rows import LARGE, SHAPES, examples

import fastnn
from fastnn import _native, execute
from fastnn.layers import Dense, Dropout
from fastnn.models import loop
from fastnn.ops.table import OPS

COMPILER = "aarch64-linux-gnu-gcc"
EMULATOR = next(filter(shutil.which, ("qemu-aarch64", "qemu-aarch64-static")), None)
# The instruction set, and what else the compiler is told: the reference need not be fast.
EMULATED = {"neon": [], "portable": ["-O1"]}
pytestmark = pytest.mark.skipif(
    not (shutil.which(COMPILER) and EMULATOR),
    reason=f"needs {COMPILER} and qemu-aarch64 (Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user)",
)

STEPS, BATCH = 50, 16


def block(content):
    """As the driver reads and writes it: the length, then the bytes."""
    content = bytes(content)
    return np.int64(len(content)).tobytes() + content


def blocks(file):
    """The blocks of a file."""
    while file:
        end = 8 + int(np.frombuffer(file, np.int64, 1)[0])
        yield file[8:end]
        file = file[end:]


@dataclass
class Recorded:
    """A call of C."""

    before: bytes  # as the driver reads it
    done: list[int]  # batches, of them skipped, iteration
    arrays: list[np.ndarray | None]  # the areas afterwards; None for the memory of single threads


class Recorder:
    """Records the calls of C while it is in use."""

    def __init__(self, monkeypatch):
        self.found, self.calls = {}, []
        self.address, self.execute = _native.address, _native.execute
        monkeypatch.setattr(_native, "address", self.note)
        monkeypatch.setattr(_native, "execute", self.record)

    def note(self, array):
        """Whose address it is; an empty array may have that of another one."""
        at = self.address(array)
        if at not in self.found or self.found[at].nbytes < array.nbytes:
            self.found[at] = array
        return at

    def record(self, *args, **options):
        """In place of `_native.execute`."""
        _, _, steps, sweeps, areas, first_rows, row_counts, _, _, skip, seed, iteration = args
        areas_there = areas.view(execute.AREA_DTYPE)
        arrays = [self.found[at] for at in areas_there["base"].tolist()]
        numbers = np.array([skip, seed, iteration[0]], np.int64)
        before = b"".join(map(block, (steps, sweeps, areas, *arrays, first_rows, row_counts, numbers)))
        result = self.execute(*args, **options)
        own = areas_there["per_thread"].tolist()  # memory of one thread: nobody reads what it leaves there
        after = [None if size else array.copy() for array, size in zip(arrays, own, strict=True)]
        self.calls.append(Recorded(before, [*result[:2], int(iteration[0])], after))
        return result


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Repeats recorded calls on an emulated instruction set; what each call did, and the memory afterwards."""
    folder, nothing = tmp_path_factory.mktemp("neon"), "int main(void) { return 0; }"
    common, variants = build_flags("aarch64")
    assert set(variants) == set(EMULATED)
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    defines = [f"-DFNN_BUILD_{isa.upper()}" for isa in variants]

    def run(*command, **options):
        options = {"env": environment, "stdout": subprocess.PIPE, "check": True, "timeout": 300} | options
        return subprocess.run(command, **options).stdout

    def links(*flags):
        try:
            run(COMPILER, "-static", *flags, "-x", "c", "-", "-o", folder / "nothing", input=nothing, text=True)
        except subprocess.CalledProcessError:
            return False
        return True

    if not links():
        pytest.skip(f"{COMPILER} finds no C library to link with (Debian: libc6-dev-arm64-cross)")
    openmp = ["-fopenmp"] * links("-fopenmp")

    def compiled(source):
        made, isa = folder / f"{source.stem}.o", source.stem
        flags = [*variants[isa], *EMULATED[isa]] if source.parent.name == "isa" else [*defines, *openmp]
        run(COMPILER, *common, *flags, f"-I{ROOT / 'csrc'}", "-c", source, "-o", made)
        return made

    sources = [ROOT / f"csrc/isa/{isa}.c" for isa in variants]
    sources += [*(ROOT / "csrc").glob("*.c"), ROOT / "tests/neon/driver.c"]
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, sources))
    run(COMPILER, "-static", *openmp, *objects, "-lm", "-o", folder / "driver")

    def repeat(calls, isa, threads):
        names = b"".join(name.encode() + b"\0" for name in _native.kernels(ISAS[0]))
        recorded = block(names) + b"".join(call.before for call in calls)
        results = blocks(memoryview(run(EMULATOR, folder / "driver", isa, str(threads), input=recorded)))
        for call in calls:
            *done, team = np.frombuffer(next(results), np.int64).tolist()
            assert team == (threads if openmp else 1)
            after = [(a, next(results)) for a in call.arrays]
            yield call, done, [a if a is None else np.frombuffer(b, a.dtype).reshape(a.shape) for a, b in after]
        assert not list(results)

    return repeat


def one_chunk(samples, batch_size, pace, first):
    """In place of `chunks`: all batches in one call of C."""
    starts = np.arange(0, samples, batch_size)
    yield 0, samples, starts, np.minimum(batch_size, samples - starts)


@pytest.mark.parametrize("isa, threads", [("neon", 1), ("neon", 2), ("portable", 1)])
def test_50_steps_of_training_give_the_same_bits(driver, isa, threads, monkeypatch):
    force(monkeypatch, ISAS[0], 1)
    monkeypatch.setattr(loop, "chunks", one_chunk)
    recorder = Recorder(monkeypatch)
    fastnn.set_random_seed(7)
    model = fastnn.Sequential([Dense(16, "relu", input_shape=(20,)), Dropout(0.25), Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    start = state(model)
    model.fit(*class_patterns(STEPS * BATCH - 5, 20), batch_size=BATCH, verbose=0)

    assert len(recorder.calls) == 1 and model.optimizer.iterations == STEPS
    assert all(a != b for a, b in zip(start[0], state(model)[0], strict=True))
    for call, done, arrays in driver(recorder.calls, isa, threads):
        assert done == call.done == [STEPS, 0, STEPS]
        assert sum(a is None for a in arrays) == 1
        emulated, here = ([a.tobytes() for a in given if a is not None] for given in (arrays, call.arrays))
        assert emulated == here
        assert set(emulated).issuperset(state(model)[0])


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 1e-38, 3e38, -3e38, 1.0, -1.0, 0.5, -88.0, 20.0])


def special(args, rng):
    """The arguments with special values in half of the places."""
    for a in args:
        if a is None or np.asarray(a).dtype != np.float64:
            yield a
        else:
            yield np.where(rng.integers(0, 2, np.shape(a)), rng.choice(SPECIAL, np.shape(a)), a)


def large_products(rng):
    """More than one block of k and of rows, and rows that are packed."""
    b, i, o = LARGE[0]
    x, w, bias, dz = (rng.standard_normal(shape) for shape in ((b, i), (i, o), (o,), (b, o)))
    return {"dense": (x, w, bias), "dense_grad_input": (dz, w), "dense_grad_kernel": (x, dz)}


@pytest.mark.parametrize("isa", EMULATED)
def test_every_kernel_gives_the_same_bits(driver, isa, monkeypatch):
    recorder, rng, labels = Recorder(monkeypatch), np.random.default_rng(1), []

    def run(name, args, attrs, way=ALONE):
        kernel(OPS[name], args, attrs, way=way)
        labels.append((name, [None if a is None else np.shape(a) for a in args]))

    for name in KERNEL_ROWS:
        for row, args, attrs in examples(name, SHAPES):
            for way in ways(row, args, attrs):
                run(name, args, attrs, way)
            run(name, list(special(args, rng)), attrs)
    for name, args in large_products(rng).items():
        run(name, args, {})

    assert len(recorder.calls) == len(labels)
    wrong = [
        label
        for label, (call, done, arrays) in zip(labels, driver(recorder.calls, isa, 1), strict=True)
        if done != call.done or not all(a is b or same_bits(a, b) for a, b in zip(call.arrays, arrays, strict=True))
    ]
    assert not wrong
