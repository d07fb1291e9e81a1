"""Every kernel of the table of operations at one size, many repetitions in one call of C."""

import functools
import time
from itertools import pairwise

import numpy as np
import pytest
from bounds import LEVELS, Bounds, prepare
from bounds import cases as bounded_cases
from workloads import FIVE_LAYERS

from fastnn import get_num_threads
from fastnn.execute import NativeExecutor
from fastnn.ops.table import OPS
from fastnn.plan import plan
from fastnn.program import DATA
from fastnn.record import Recorder

BATCH = 128
CALL_SECONDS = 0.005  # of one call of C, in which a kernel runs as often as fits

# (rows, width) that a row's own example is made for: 2^17 elements, or 2^14 rows of ten classes.
SIZES = dict.fromkeys(("loss", "loss_grad", "softmax", "metric"), (1 << 14, 10)) | {"data": (BATCH, FIVE_LAYERS[0])}
DEFAULT_SIZE = (BATCH, 1024)
BEYOND_CACHE = {"norm": (1 << 16, 256)}  # measured as well

# Inputs of the dense rows for a layer of i inputs and o outputs.
DENSE = {
    "dense": lambda i, o: [(BATCH, i), (i, o), (o,)],
    "dense_grad_input": lambda i, o: [(BATCH, o), (i, o)],
    "dense_grad_kernel": lambda i, o: [(BATCH, i), (BATCH, o)],
    "dense_grad_bias": lambda i, o: [(BATCH, o)],
}


def cases():
    """Name, row, inputs and attributes of each measurement; the arrays are made when it runs."""
    for name, row in OPS.items():
        if row.kernel is None or row.view:  # views have no work of their own
            continue
        if name not in DENSE:
            for size in filter(None, (SIZES.get(row.kind, DEFAULT_SIZE), BEYOND_CACHE.get(row.kind))):
                rows, width = size
                yield f"{name} {rows}x{width}", row, lambda rng, row=row, size=size: row.example(rng, *size)
        else:
            for i, o in pairwise(FIVE_LAYERS):
                shapes = DENSE[name](i, o)
                yield (
                    f"{name} {BATCH}x{i}x{o}",
                    row,
                    lambda rng, shapes=shapes: ([rng.standard_normal(shape) for shape in shapes], {}),
                )


def executor(row, arrays, attrs):
    """What runs one row on arrays, the arrays by name, and the shapes and bytes of inputs and outputs."""
    recorder, data, ins = Recorder(rows=1), {}, []
    for i, array in enumerate(arrays):
        if array is None:
            ins.append(None)
            continue
        data[f"in{i}"] = np.array(array, np.float32 if array.dtype == np.float64 else None)
        ins.append(recorder._area(DATA, f"in{i}", array.shape, str(data[f"in{i}"].dtype)))
    made = recorder.record(row, tuple(ins), attrs)
    outs = made if isinstance(made, tuple) else () if made is None else (made,)
    for i, out in enumerate(() if row.inplace else outs):
        recorder.output(out, f"out{i}", DATA)
        data[f"out{i}"] = np.empty(out.shape, out.dtype)
    ins = [s for s in ins if s is not None]
    moved = sum(int(np.prod(s.shape)) * np.dtype(s.dtype).itemsize for s in (*ins, *outs))
    flops = row.flops([s.shape for s in ins], [s.shape for s in outs])
    return NativeExecutor(plan(recorder.program()), recorder.variables), data, flops, moved


@pytest.mark.parametrize(("name", "row", "example"), [pytest.param(*c, id=c[0]) for c in cases()])
def test_kernel(name, row, example, timed):
    native, data, flops, moved = executor(row, *example(np.random.default_rng(0)))

    def call(repetitions):
        zeros = np.zeros(repetitions, np.int64)
        assert native.run(data, zeros, zeros + 1).batches == repetitions

    call(1)
    start = time.perf_counter()
    call(10)
    repetitions = max(1, int(10 * CALL_SECONDS / (time.perf_counter() - start)))
    amounts = {"GFLOP/s": flops / 1e9, "GB/s": moved / 1e9}
    timed("kernels", name, lambda: call(repetitions), repetitions, "us", amounts)


# How near the kernels of single elements and rows come to the limits of the machine


@pytest.fixture(scope="module")
def bounds():
    with Bounds() as machine:
        yield machine


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("row", "width"), [pytest.param(*c, id=f"{c[0].name} n={c[1]}") for c in bounded_cases()])
def test_bounds(row, width, level, threads, bounds, timed):
    if threads > get_num_threads():
        pytest.skip(f"fastnn has {get_num_threads()} threads")
    found = prepare(row, width, bounds.nbytes(level, threads))
    found.call(1, threads)
    start = time.perf_counter()
    found.call(2, threads)
    repetitions = max(1, int(2 * CALL_SECONDS / (time.perf_counter() - start)))
    name = f"{row.name} n={width} {level} {threads}T"
    figures = functools.partial(bounds.figures, row, width, level, threads, found)
    timed("bounds", name, lambda: found.call(repetitions, threads), repetitions, figures=figures, rounds=7)
