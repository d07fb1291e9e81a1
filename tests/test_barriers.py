"""The places where the threads of a team meet: leaving one out shows.

More threads than cores run a program on many small batches, so that in most of them some thread is late. The
program is made so that whoever runs ahead of another one, at any of the places, changes a result: its first
steps draw random numbers, which depend on the count of batches, and look for NaN, which every third batch
has somewhere; others read what the whole team has written.
"""

import numpy as np
import pytest
from harness import same_bits
from nets import class_patterns, spy_on_calls, state

import fastnn
from fastnn import ops
from fastnn.contention import Contention
from fastnn.execute import NativeExecutor, has_openmp
from fastnn.layers import Dense, Dropout
from fastnn.optimizers import SGD
from fastnn.plan import plan
from fastnn.record import Recorder
from fastnn.variable import Variable

ROWS, WIDTH, BATCHES, TEAM, BAD = 24, 48, 300, 6, 3


def train(threads, stepwise=False):
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
    program = plan(recorder.program(), force_threads=True, stepwise=stepwise)
    run = NativeExecutor(program, recorder.variables).run(
        data, first, np.full(BATCHES, ROWS), seed=1, iteration=iteration, on_nonfinite="skip", threads=threads
    )
    assert run.team == (threads if has_openmp() else 1)
    assert (run.batches, run.skipped, iteration[0]) == (BATCHES, len(range(0, BATCHES, BAD)), BATCHES)
    return weights.numpy(), data["y"]


@pytest.fixture(scope="module")
def alone():
    return train(1, stepwise=True)


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("threads", [2, 3, TEAM])
def test_nobody_runs_ahead(threads, stepwise, alone):
    assert np.isfinite(alone[0]).all()
    assert all(map(same_bits, train(threads, stepwise), alone))


SAMPLES, BATCH = 64 * 60, 64


def mixed(on_nonfinite):
    """A net whose phases are partly for all threads, partly for one, and partly for one each."""
    fastnn.set_random_seed(4)
    model = fastnn.Sequential(
        [
            Dense(250, activation="relu", input_shape=(70,)),
            Dropout(0.2),
            Dense(6, activation="tanh"),
            Dense(5, activation="tanh"),
            Dense(4, activation="tanh"),
            Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = class_patterns(SAMPLES, 70, 3)
    if on_nonfinite == "skip":
        x[5 : 25 * BATCH : 3 * BATCH + 7, 2] = np.nan
        x[30 * BATCH :: 3 * BATCH, 2] = 1e38  # which cannot be proved finite, or is not
    history = model.fit(x, y, batch_size=BATCH, epochs=2, verbose=0, on_nonfinite=on_nonfinite)
    (executor,) = model._executors.values()
    return executor, state(model), repr(history.history)


@pytest.mark.parametrize("on_nonfinite", ["raise", "skip"])
def test_phases_for_one_thread_and_for_all_in_turn(on_nonfinite, monkeypatch):
    """The cost decides who does what; the bits are those of one thread, and nobody waits for ever."""
    monkeypatch.delenv("FASTNN_FORCE_THREADS", raising=False)
    with fastnn.threads(1):
        executor, *alone = mixed(on_nonfinite)
    kinds = {(bool(s.shape), s.serial, s.leader > 0) for s in executor.program.sweeps}
    assert kinds >= {(True, False, False), (True, True, False), (False, True, True)}
    monkeypatch.setattr(Contention, "team", lambda self, most: most)
    for threads in (2, 3, 4):
        calls = spy_on_calls(monkeypatch)
        with fastnn.threads(threads):
            _, *shared = mixed(on_nonfinite)
        assert shared == alone
        assert {call.team for call in calls} >= {threads if has_openmp() else 1}
