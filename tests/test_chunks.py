"""However many training steps one call of C does, the bits are those of one step per call."""

import numpy as np
import pytest
from harness import ISAS
from nets import THREADS, class_patterns, force, small_net, spy_on_calls, state

import fastnn
from fastnn import config
from fastnn.callbacks import Callback
from fastnn.models import loop
from fastnn.models.programs import TRAIN

SAMPLES, BATCH = 83, 8  # eleven steps, the last on three rows
X, Y = class_patterns(SAMPLES, width=20, classes=5)


def run_epoch(steps_per_call):
    """Train an epoch with the executor itself; returns the state and the sums of loss and accuracy."""
    model = small_net()
    data = model._data(model._samples(X, Y, None))
    executor = model._executor(TRAIN, BATCH, data)
    first = np.arange(0, SAMPLES, BATCH)
    sums, order = {"loss": [], "metric accuracy": []}, np.arange(SAMPLES)[::-1].copy()
    for starts in np.split(first, range(steps_per_call, len(first), steps_per_call)):
        bound = {name: np.zeros((len(starts), 2)) for name in sums}
        bound["learning rate"] = model.optimizer.step_numbers(len(starts)).astype(np.float32)
        run = executor.run(
            data | bound | {"order": order},
            starts,
            np.minimum(BATCH, SAMPLES - starts),
            seed=config.seed(),
            iteration=model.optimizer._iterations,
        )
        assert run.batches == len(starts)
        for name, rows in sums.items():
            rows.extend(bound[name].tolist())
    assert model.optimizer.iterations == len(first)
    return state(model), sums


@pytest.mark.parametrize("threads", THREADS[::2])
@pytest.mark.parametrize("isa", ISAS)
def test_steps_in_one_call_equal_calls_of_one_step(isa, threads, monkeypatch):
    force(monkeypatch, isa, threads)
    calls = spy_on_calls(monkeypatch)
    together, alone = run_epoch(11), run_epoch(1)
    assert [call.batches for call in calls] == [11] + 11 * [1]
    assert {call.team for call in calls} == {threads}
    assert together == alone == run_epoch(4)


class EachBatch(Callback):
    """Overriding a batch hook makes every batch a call of its own."""

    def __init__(self):
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])


def fit(monkeypatch, callbacks=(), seconds=loop.CHUNK_SECONDS, optimizer="adam", **kwargs):
    """Train two epochs; returns the state, the history and the numbers of batches of the calls."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", seconds)
    with monkeypatch.context() as patch:
        calls, model = spy_on_calls(patch), small_net(optimizer)
        history = model.fit(X, Y, batch_size=BATCH, verbose=0, callbacks=list(callbacks), **{"epochs": 2, **kwargs})
    return state(model), history.history, [call.batches for call in calls]


def test_fit_gives_the_same_bits_in_chunks_of_any_size(monkeypatch):
    decay = fastnn.schedules.ExponentialDecay(0.01, decay_steps=3, decay_rate=0.7)
    for make in (lambda: "adam", lambda: fastnn.optimizers.SGD(decay, momentum=0.9)):
        each = EachBatch()
        alone = fit(monkeypatch, [each], optimizer=make(), epochs=1)
        long = fit(monkeypatch, seconds=1e9, optimizer=make(), epochs=1)
        short = fit(monkeypatch, seconds=0, optimizer=make(), epochs=1)
        assert alone[2] == short[2] == 11 * [1] and long[2] == [1, 4, 6]
        assert alone[:2] == long[:2] == short[:2]
        assert len(each.losses) == 11 and each.losses[-1] == alone[1]["loss"][0]


def test_fit_with_validation_and_shuffling_does_not_depend_on_chunks(monkeypatch):
    runs = [
        fit(monkeypatch, callbacks, seconds, validation_split=0.2, epochs=3)
        for callbacks, seconds in (([EachBatch()], 0.03), ([], 1e9))
    ]
    assert runs[0][:2] == runs[1][:2] and runs[0][2] != runs[1][2]


def test_train_on_batch_in_a_loop_equals_fit(monkeypatch):
    wanted, history, _ = fit(monkeypatch, seconds=1e9, epochs=1, shuffle=False)
    model = small_net()
    batches = [slice(first, min(first + BATCH, SAMPLES)) for first in range(0, SAMPLES, BATCH)]
    values = [model.train_on_batch(X[rows], Y[rows]) for rows in batches]
    assert state(model) == wanted
    means = np.average(values, axis=0, weights=[rows.stop - rows.start for rows in batches])
    assert np.allclose(means, [history["loss"][0], history["accuracy"][0]], rtol=1e-12)
