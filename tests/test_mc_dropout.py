"""Predictions with the spread of dropped units."""

import itertools
import math

import numpy as np
import pytest
from harness import ISAS
from nets import THREADS, force, spy_on_calls, state

import fastnn
from fastnn import ensembles, layers, ops
from fastnn.ensembles import mc_dropout, sampling
from fastnn.ops.philox import WORD, random_bits

X = np.random.default_rng(2).standard_normal((30, 20)).astype(np.float32)
SIGMAS = 6


def net():
    """Dropout between layers that differ between training and prediction; trained for some steps."""
    fastnn.set_random_seed(4)
    model = fastnn.Sequential(
        [
            layers.Dense(33, "tanh", input_shape=(20,)),
            layers.BatchNormalization(),
            layers.GaussianNoise(0.5),
            layers.Dropout(0.3, seed=77),
            layers.Dense(17, "relu"),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, np.arange(30) % 3, epochs=3, verbose=0)
    return model


def kept(row, samples, width, rate, stream, seed):
    """The mask of each pass of one row, as the documentation says."""
    return random_bits(samples, width, seed=seed, stream=stream, iteration=2**31 + row) >= round(rate * WORD)


def test_a_sample_is_the_prediction_of_the_network_with_these_units():
    """To the last bit: batch normalization and noise are as in predictions."""
    model = net()
    mean, std, outputs = mc_dropout(model, X, samples=12, seed=8, return_samples=True)
    assert outputs.shape == (12, 30, 3) and mean.shape == std.shape == (30, 3)
    head = fastnn.Sequential([layers.Input((20,)), *model.layers[:3]])
    tail = fastnn.Sequential([layers.Input((33,)), *model.layers[4:]])
    hidden = head.predict(X)
    for row in range(30):
        masks = kept(row, 12, 33, 0.3, 77, 8)
        dropped = np.where(masks, hidden[row] * np.float32(1 / 0.7), np.float32(0))
        assert tail.predict(dropped).tobytes() == np.ascontiguousarray(outputs[:, row]).tobytes()
    exact = outputs.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-7)
    np.testing.assert_allclose(std, exact.std(0), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("rate", [0.2, 0.5])
@pytest.mark.parametrize("form", ["training", "prediction"])
def test_mean_and_spread_of_a_linear_network(form, rate):
    """A sum of independent terms: mean and variance are known, and within six of their own standard deviations."""
    samples, keep = 40_000, 1 - rate
    model = fastnn.Sequential([layers.Dropout(rate, scale_at=form, input_shape=(20,)), layers.Dense(2)])
    kernel, bias = model.get_weights()
    model.set_weights([kernel, bias + 3])
    mean, std, outputs = mc_dropout(model, X[:4], samples=samples, seed=1, return_samples=True)
    scale = 1 / keep if form == "training" else 1.0
    terms = X[:4, :, np.newaxis].astype(np.float64) * kernel * scale
    expected, variance = keep * terms.sum(1) + 3, rate * keep * (terms**2).sum(1)
    assert (np.abs(mean - expected) <= SIGMAS * np.sqrt(variance / samples)).all()
    fourth = ((outputs.astype(np.float64) - expected) ** 4).mean(0)
    assert (np.abs(std.astype(np.float64) ** 2 - variance) <= SIGMAS * np.sqrt((fourth - variance**2) / samples)).all()
    np.testing.assert_allclose(model.predict(X[:4]), expected, rtol=1e-4)


def test_the_same_bits_for_threads_instruction_sets_and_chunks(monkeypatch):
    model, found = net(), set()
    for isa, threads in itertools.product(ISAS, THREADS):
        force(monkeypatch, isa, threads)
        for numbers in (1, 100, 1 << 20):
            monkeypatch.setattr(sampling, "CHUNK_NUMBERS", numbers)
            found.add(b"".join(a.tobytes() for a in mc_dropout(model, X, 7, seed=3, return_samples=True)))
    assert len(found) == 1


def test_the_seed_decides_and_nothing_else_changes():
    model = net()
    before = state(model), fastnn.config.seed()
    mean, _, outputs = mc_dropout(model, X, 20, seed=3, return_samples=True)
    assert mc_dropout(model, X, 20, seed=3)[0].tobytes() == mean.tobytes()
    assert mc_dropout(model, X, 20, seed=4)[0].tobytes() != mean.tobytes()
    fastnn.set_random_seed(3)
    assert mc_dropout(model, X, 20)[0].tobytes() == mean.tobytes()
    fastnn.set_random_seed(4)
    assert (state(model), fastnn.config.seed()) == before
    more = mc_dropout(model, X, 50, seed=3, return_samples=True)[2]
    assert more[:20].tobytes() == outputs.tobytes()
    fewer = mc_dropout(model, X[:5], 20, seed=3, return_samples=True)[2]
    assert fewer.tobytes() == np.ascontiguousarray(outputs[:, :5]).tobytes()
    assert len({outputs[t, i].tobytes() for t in range(20) for i in range(30)}) > 550  # masks differ
    assert len({mc_dropout(model, X[[0, 0]], 1, seed=s)[0].tobytes() for s in range(9)}) == 9


def test_all_passes_are_one_call_of_c(monkeypatch):
    model, calls = net(), spy_on_calls(monkeypatch)
    mc_dropout(model, X, 100)
    assert [call.batches for call in calls] == [30]


def test_layers_that_drop_and_one_that_was_told_not_to():
    x = fastnn.Input((20,), name="x")
    made = {
        "alpha": layers.AlphaDropout(0.3, name="alpha")(x),
        "gauss": layers.GaussianDropout(0.3, name="gauss")(x),
        "noise": layers.GaussianNoise(0.3, name="noise")(x),
        "off": layers.Dropout(0.3, name="off")(x, training=False),
    }
    mean, std, outputs = mc_dropout(fastnn.Model(x, made), X, 5, return_samples=True)
    assert {name: bool(value.any()) for name, value in std.items()} == {
        "alpha": True,
        "gauss": True,
        "noise": False,
        "off": False,
    }
    assert mean["off"].tobytes() == mean["noise"].tobytes() == X.tobytes()
    assert outputs["gauss"].shape == (5, 30, 20)


class Own(layers.Layer):
    """Drops with a layer inside; computes with a step in Python."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dropout(0.5)

    def call(self, x, training=None):
        return ops.python(np.negative, self.inner(x, training=training), shape=x.shape)


def test_layers_of_ones_own():
    model = fastnn.Sequential([Own(input_shape=(20,)), layers.Dense(2)])
    first, second = (mc_dropout(model, X[:3], 9, seed=s) for s in (1, 2))
    assert first[1].all() and first[0].tobytes() != second[0].tobytes()


def test_in_float64():
    before = fastnn.config.floatx()
    fastnn.config.set_floatx("float64")
    try:
        model = fastnn.Sequential([layers.Dropout(0.5, input_shape=(20,), seed=5), layers.Dense(1)])
        mean, std, outputs = mc_dropout(model, X[:3], 4, seed=2, return_samples=True)
        assert mean.dtype == std.dtype == np.float64
        for row in range(3):
            x = np.where(kept(row, 4, 20, 0.5, 5, 2), X[row].astype(np.float64) * 2, 0)
            np.testing.assert_allclose(outputs[:, row], model.predict(x), rtol=1e-12)
    finally:
        fastnn.config.set_floatx(before)


def test_standard_error_falls_with_the_root_of_the_samples():
    """The mean of T passes has 1/T of the variance: over 200 seeds, within six standard deviations of normal ones."""
    model = fastnn.Sequential([layers.Dropout(0.5, input_shape=(20,)), layers.Dense(1)])
    _, std = mc_dropout(model, X[:1], 20_000, seed=0)
    for samples in (4, 64):
        means = [mc_dropout(model, X[:1], samples, seed=s)[0][0, 0] for s in range(200)]
        ratio = np.var(means) / (std[0, 0] ** 2 / samples)
        assert abs(ratio - 1) <= SIGMAS * math.sqrt(2 / 200)


def test_the_public_name():
    assert ensembles.mc_dropout is fastnn.ensembles.mc_dropout is mc_dropout
