"""Predictions on single batches, which are prepared once: the same bits as `predict`, and never out of date."""

import threading

import numpy as np
import pytest
from harness import ISAS, same_bits
from nets import THREADS, force, small_net

import fastnn
from fastnn import config, execute
from fastnn.layers import Dense

WIDTH = 20


def batch(rows, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, WIDTH), np.float32)


@pytest.fixture
def answered(monkeypatch):
    """The rows of each batch that needed no preparation any more."""
    rows, call = [], execute.OneBatch.__call__

    def spied(self, x):
        y = call(self, x)
        if y is not None:
            rows.append(len(x))
        return y

    monkeypatch.setattr(execute.OneBatch, "__call__", spied)
    return rows


@pytest.mark.parametrize("threads", THREADS[:2])
@pytest.mark.parametrize("isa", ISAS)
def test_the_same_bits_as_predict(isa, threads, monkeypatch, answered):
    force(monkeypatch, isa, threads)
    model = small_net()
    for rows in (1, 2, 31, 32, 33, 200):
        x = batch(rows, rows)
        wanted = model.predict(x, batch_size=7)
        for _ in range(3):
            assert same_bits(model(x), wanted)
    assert answered.count(1) >= 2 and answered.count(33) >= 2 and answered.count(200) >= 2


def test_each_call_has_a_result_of_its_own(answered):
    model, x = small_net(), batch(4)
    first = model(x)
    kept = first.copy()
    second = model(-x)
    assert answered and not np.shares_memory(first, second)
    assert same_bits(first, kept) and not np.array_equal(first, second)


def test_batches_that_have_to_be_converted(answered):
    model, x = small_net(), batch(6)
    wanted = model(x)
    others = (x.astype(np.float64), x.tolist(), np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2])
    for other in others:
        assert same_bits(model(other), wanted)
    assert same_bits(model(x[:1][0][np.newaxis]), model.predict(x[:1]))
    assert set(answered) <= {1}  # a row of its own is contiguous
    for wrong in (x[:, 1:], x[:0], x[0, 0], x[np.newaxis]):
        with pytest.raises((ValueError, TypeError)):
            model(wrong)


def test_what_is_prepared_stays_so_beside_batches_that_have_to_be_converted(monkeypatch):
    made, prepare = [], execute.OneBatch.__init__
    monkeypatch.setattr(execute.OneBatch, "__init__", lambda self, *args: (made.append(self), prepare(self, *args))[1])
    model, x = small_net(), batch(6)
    for _ in range(3):
        assert same_bits(model(x.astype(np.float64)), model(x))
    assert len(made) == 1


def test_weights_are_those_of_now(answered):
    model, x = small_net(), batch(3)
    before = model(x)
    model.set_weights([2 * w for w in model.get_weights()])
    after = model(x)
    assert answered == [3] and not np.array_equal(before, after)
    assert same_bits(after, model.predict(x))


def test_layers_are_those_of_now(answered):
    fastnn.set_random_seed(1)
    model, x = fastnn.Sequential([Dense(4, input_shape=(WIDTH,))]), batch(3)
    assert model(x).shape == model(x).shape == (3, 4)
    model.add(Dense(2))
    assert model(x).shape == (3, 2)
    model.pop()
    assert model(x).shape == (3, 4)
    model.layers.append(Dense(4, input_shape=(4,)))
    model.layers[-1].build((None, 4))
    assert same_bits(model(x), model.predict(x))


def test_settings_are_those_of_now(monkeypatch, capfd):
    model, x = small_net(), batch(3)
    wanted = model(x)
    for isa in ISAS:
        monkeypatch.setenv("FASTNN_ISA", isa)
        assert same_bits(model(x), wanted)
        assert {key[8] for key in model._executors} >= {isa}
    monkeypatch.setenv("FASTNN_DEBUG", "1")
    model(x)
    assert "predict" in capfd.readouterr().err
    monkeypatch.delenv("FASTNN_DEBUG")
    monkeypatch.setenv("FASTNN_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="FASTNN_NUM_THREADS"):
        model(x)
    monkeypatch.delenv("FASTNN_NUM_THREADS")
    config.set_floatx("float64")
    try:
        assert model(x).dtype == np.float64
    finally:
        config.set_floatx("float32")
    assert same_bits(model(x), wanted)


def test_several_threads_of_python_at_once():
    model = small_net()
    batches = [batch(rows, rows) for rows in (1, 5, 20, 32)]
    wanted, wrong = [model(x) for x in batches], []

    def call():
        for _ in range(300):
            for x, y in zip(batches, wanted, strict=True):
                if not same_bits(model(x), y):
                    wrong.append(len(x))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong
