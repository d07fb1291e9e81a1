"""Dropout scaled while training and at prediction: two ways to write one thing."""

import itertools
import math

import numpy as np
import pytest
from harness import ISAS
from nets import THREADS, force

import fastnn
from fastnn import layers
from fastnn.layers import Dense, Dropout
from fastnn.ops.philox import WORD, random_bits

RNG = np.random.default_rng(12)
FORMS = ("training", "prediction")


def masks(rows, width, stream, seed, iteration, rate):
    return random_bits(rows, width, seed=seed, stream=stream, iteration=iteration) >= round(rate * WORD)


def test_both_forms_draw_the_same_mask_and_scale_where_they_say():
    x, rate = RNG.standard_normal((7, 90)).astype(np.float32), 0.3
    fastnn.set_random_seed(4)
    made = {form: Dropout(rate, seed=9, scale_at=form) for form in FORMS}
    kept = masks(7, 90, 9, 4, 1, rate)
    assert made["prediction"](x, training=True).tobytes() == np.where(kept, x, np.float32(0)).tobytes()
    scaled = np.where(kept, x * np.float32(1 / (1 - rate)), np.float32(0))
    assert made["training"](x, training=True).tobytes() == scaled.tobytes()
    assert made["training"](x).tobytes() == x.tobytes()
    assert made["prediction"](x).tobytes() == (x * np.float32(1 - rate)).tobytes()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("form", FORMS)
def test_predictions_are_the_mean_of_training(form, rate):
    """Of 200,000 masks, within six standard deviations of the mean."""
    ones, layer = np.ones((400, 500), np.float32), Dropout(rate, seed=5, scale_at=form)
    fastnn.set_random_seed(1)
    y, wanted = layer(ones, training=True).astype(np.float64), float(layer(ones)[0, 0])
    largest = 1 / (1 - rate) if form == "training" else 1
    assert abs(y.mean() - wanted) <= 6 * largest * math.sqrt(rate * (1 - rate) / y.size)


def deep(form, rate, scale, optimizer, activation="tanh"):
    """Each kernel behind dropout, no biases; kernels that begin `scale` times as large."""
    fastnn.set_random_seed(3)
    model = fastnn.Sequential(
        [
            Dropout(rate, scale_at=form, input_shape=(12,)),
            Dense(20, activation, use_bias=False),
            Dropout(rate, scale_at=form),
            Dense(9, "relu", use_bias=False),
            Dropout(rate, scale_at=form),
            Dense(4, "softmax", use_bias=False),
        ]
    )
    model.set_weights([w * np.float32(scale) for w in model.get_weights()])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def trained(form, rate, optimizer):
    keep = 1 - rate
    scale, factor = (1, 1) if form == "training" else (1 / keep, 1 / keep**2)
    model = deep(form, rate, scale, optimizer(factor))
    x = np.random.default_rng(1).standard_normal((100, 12)).astype(np.float32)
    history = model.fit(x, np.arange(100) % 4, epochs=4, batch_size=16, verbose=0)
    weights = [w / np.float32(scale) for w in model.get_weights()]
    return history.history["loss"], weights, model.predict(x)


OPTIMIZERS = {
    "sgd": lambda factor: fastnn.optimizers.SGD(0.05 * factor),
    "momentum": lambda factor: fastnn.optimizers.SGD(0.02 * factor, momentum=0.5),
    "nesterov": lambda factor: fastnn.optimizers.SGD(0.02 * factor, momentum=0.5, nesterov=True),
}


@pytest.mark.parametrize("rate", [0.5, 0.75])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_kernels_larger_by_the_factor_train_to_the_same_bits(optimizer, rate):
    """With W' = W / q the outputs are the same, the gradient is q times as large, and a rate of 1 / q^2 times as much
    makes the step 1 / q times as large. These factors are powers of two here, so nothing is rounded differently."""
    one, other = (trained(form, rate, OPTIMIZERS[optimizer]) for form in FORMS)
    assert one[0] == other[0] and one[0][0] != one[0][-1]
    assert [w.tobytes() for w in one[1]] == [w.tobytes() for w in other[1]]
    assert one[2].tobytes() == other[2].tobytes()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_and_up_to_rounding_for_other_rates(optimizer):
    """28 steps of float32, some tens of roundings each, in a network that is smooth but for a few ReLU units."""
    one, other = (trained(form, 0.3, OPTIMIZERS[optimizer]) for form in FORMS)
    np.testing.assert_allclose(one[0], other[0], rtol=1e-5)
    for found, wanted in zip([*one[1], one[2]], [*other[1], other[2]], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("rate", [0.5, 0.3, 0.9])
@pytest.mark.parametrize("form", FORMS)
def test_one_softmax_layer_predicts_the_geometric_mean_of_all_its_networks(form, rate):
    """Of all 2^9, each weighted with its probability (Hinton et al. 2012, section 3)."""
    n = 9
    fastnn.set_random_seed(2)
    model = fastnn.Sequential([Dropout(rate, scale_at=form, input_shape=(n,)), Dense(5, "softmax")])
    kernel, bias = RNG.standard_normal((n, 5)), RNG.standard_normal(5)
    model.set_weights([kernel, bias])
    kernel, bias = (w.astype(np.float64) for w in model.get_weights())
    x = RNG.standard_normal((6, n)).astype(np.float32)
    mean = np.zeros((6, 5))
    for mask in itertools.product((0, 1), repeat=n):
        chance = math.prod(1 - rate if kept else rate for kept in mask)
        scale = 1 / (1 - rate) if form == "training" else 1
        mean += chance * np.log(softmax((x * np.array(mask) * scale) @ kernel + bias))
    wanted = np.exp(mean) / np.exp(mean).sum(-1, keepdims=True)
    # Eleven roundings of each logit, of at most |x| |kernel| + |bias|, which softmax makes relative, and its own five.
    size = (np.abs(x) @ np.abs(kernel) + np.abs(bias)).max()
    np.testing.assert_allclose(model.predict(x), wanted, rtol=2 * 2**-24 * (11 * size + 5))


@pytest.mark.parametrize("form", FORMS)
def test_the_same_bits_for_any_number_of_threads(form, monkeypatch):
    x = np.random.default_rng(1).standard_normal((100, 12)).astype(np.float32)
    found = set()
    for isa, threads in itertools.product(ISAS, THREADS):
        force(monkeypatch, isa, threads)
        model = deep(form, 0.4, 1, "adam")
        model.fit(x, np.arange(100) % 4, epochs=2, batch_size=33, verbose=0)
        found.add((model.predict(x).tobytes(), *(w.tobytes() for w in model.get_weights())))
    assert len(found) == 1


def test_accuracy_is_that_of_the_other_form():
    """On 797 handwritten digits with Adam, for which the two forms are different paths: within three standard
    deviations of the difference of two such shares."""
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    x, y = (digits.data / 16).astype(np.float32), digits.target
    found = []
    for form in FORMS:
        fastnn.set_random_seed(1)
        made = [Dense(64, "relu", input_shape=(64,)), Dropout(0.4, scale_at=form), Dense(10, "softmax")]
        model = fastnn.Sequential(made)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x[:1000], y[:1000], epochs=40, verbose=0)
        found.append(model.evaluate(x[1000:], y[1000:], verbose=0)[1])
    share = sum(found) / 2
    assert share > 0.9
    assert abs(found[0] - found[1]) <= 3 * math.sqrt(2 * share * (1 - share) / 797)


def test_the_form_goes_through_the_configuration():
    layer = Dropout(0.25, seed=3, scale_at="prediction")
    again = Dropout.from_config(layer.get_config())
    assert (again.rate, again.seed, again.scale_at) == (0.25, 3, "prediction")
    assert "scale_at" not in Dropout(0.25).get_config()  # Keras would not know it
    x = np.ones((2, 3))
    model = fastnn.Sequential([layers.Input((3,)), layer])
    assert (fastnn.models.clone_model(model).predict(x) == 0.75).all()
