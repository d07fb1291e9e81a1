"""The places where the threads of a team meet: leaving one out shows.

More threads than cores run a program on many small batches, so that in most of them some thread is late. The
program is made so that whoever runs ahead of another one, at any of the places, changes a result: its first
steps draw random numbers, which depend on the count of batches, and look for NaN, which every third batch
has somewhere; others read what the whole team has written.
"""

import numpy as np
import pytest
from harness import same_bits

from fastnn import ops
from fastnn.execute import NativeExecutor, has_openmp
from fastnn.optimizers import SGD
from fastnn.plan import plan
from fastnn.record import Recorder
from fastnn.variable import Variable

ROWS, WIDTH, BATCHES, TEAM, BAD = 24, 48, 300, 6, 3


def train(threads):
    """The state after all batches: weights, outputs, iterations."""
    rng = np.random.default_rng(0)
    weights = Variable(rng.standard_normal((WIDTH, WIDTH)) / WIDTH)
    recorder = Recorder(rows=ROWS)
    x = recorder.rows_input("x", (WIDTH,))
    y = ops.dropout(x, rate=0.5, stream=1)
    ops.check_finite(x)
    z = ops.softmax(ops.dense(y, weights, None))
    recorder.output(y, "y")
    (gradient,) = recorder.gradients([(z, x)], [recorder.variable(weights)])
    SGD(0.1).record(recorder, [(gradient, weights)])

    data = {"x": rng.standard_normal((BATCHES * ROWS, WIDTH)).astype(np.float32)}
    for batch in range(0, BATCHES, BAD):
        data["x"][batch * ROWS + batch % ROWS, batch % WIDTH] = np.nan
    data |= {"y": np.zeros_like(data["x"]), "learning rate": np.full((BATCHES, 1), 0.1, np.float32)}
    first, iteration = np.arange(0, BATCHES * ROWS, ROWS), np.zeros(1, np.int64)
    run = NativeExecutor(plan(recorder.program(), force_threads=True), recorder.variables).run(
        data, first, np.full(BATCHES, ROWS), seed=1, iteration=iteration, on_nonfinite="skip", threads=threads
    )
    assert run.team == (threads if has_openmp() else 1)
    assert (run.batches, run.skipped, iteration[0]) == (BATCHES, len(range(0, BATCHES, BAD)), BATCHES)
    return weights.numpy(), data["y"]


@pytest.fixture(scope="module")
def alone():
    return train(1)


@pytest.mark.parametrize("threads", [2, 3, TEAM])
def test_nobody_runs_ahead(threads, alone):
    assert np.isfinite(alone[0]).all()
    assert all(map(same_bits, train(threads), alone))
