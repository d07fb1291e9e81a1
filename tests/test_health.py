"""model.health(): exact counts of units that are dead or saturated by construction, norms against plain NumPy."""

import math

import numpy as np
import pytest
from nets import class_patterns, small_net
from own import float64
from plain_trainer import loss_and_gradients
from test_wrong_calls import WEIGHTS, X, Y, model, state, train

import fastnn
from fastnn import activations, config, layers, ops, regularizers

RNG = np.random.default_rng(11)


def made_of(weights, *parts, **options):
    """A compiled Sequential with these weights."""
    made = fastnn.Sequential([*parts], **options)
    made.compile("sgd", "mse")
    made.set_weights([np.asarray(w, np.float32) for w in weights])
    return made


def one_input(biases, slopes, activation):
    """A layer of units ``activation(slope x + bias)``, for x from -1 to 1."""
    weights = [[slopes], biases]
    return made_of(weights, layers.Dense(len(biases), activation, input_shape=(1,), name="units"))


LINE = np.linspace(-1, 1, 21)


# Units by construction


def test_relu():
    health = one_input([-2, -1, 0, 2, -3], [1, 1, 1, 1, 0], "relu").health(LINE).layers["units"]
    assert (health.kind, health.units, health.dead, health.saturated) == ("Dense", 5, [0, 1, 4], [])
    assert health.active == (10 + 21) / (5 * 21)  # x > 0, and all


def test_sigmoid_and_tanh_beyond_6_and_3():
    for activation, bound in (("sigmoid", 6), ("tanh", 3)):
        biases = [0, bound + 1.1, -bound - 1.1, bound - 1.1, 50, -1000]
        health = one_input(biases, [1, 1, 1, 1, 0, 1], activation).health(LINE).layers["units"]
        dead = [4] if activation == "sigmoid" else [4, 5]  # tanh(-1000 + x) is -1 for all x, sigmoid 0 or denormal
        assert set(dead) <= set(health.dead) <= {4, 5}
        assert health.saturated == [i for i in (1, 2, 5) if i not in health.dead]
        assert health.active == 2 / 6


def test_softmax():
    """Three classes of which the last one never has a chance; the slope is p (1 - p)."""
    made = made_of([[[1, -1, 0]], [0, 0, -9]], layers.Dense(3, "softmax", input_shape=(1,), name="classes"))
    health = made.health(LINE).layers["classes"]
    assert (health.dead, health.saturated, health.active) == ([], [2], 2 / 3)


def test_constant_outputs_are_dead_whatever_the_activation():
    health = one_input([0, 1, 2], [0, 1, 0], None).health(LINE).layers["units"]
    assert (health.dead, health.saturated, health.active) == ([0, 2], None, None)


def test_step_units_are_saturated_everywhere():
    health = one_input([0.05, 7], [1, 1], "step").health(LINE).layers["units"]
    assert (health.dead, health.saturated, health.active) == ([1], [0], 0)


def test_rescaling_is_not_saturated_though_its_slope_is_small():
    made = fastnn.Sequential([layers.Rescaling(1 / 255, input_shape=(2,), name="scale")])
    health = made.health([[0, 3], [255, 3]]).layers["scale"]
    assert (health.dead, health.saturated, health.active) == ([1], [], 1)
    assert health.norm == pytest.approx((3 / 255 + math.hypot(1, 3 / 255)) / 2)


@pytest.mark.parametrize("name", [name for name in activations.PUBLIC if name != "threshold"])
def test_every_activation_by_its_own_value_and_derivative(name):
    """Unit i sees inputs near z_i; expected from differences in float64."""
    function = activations.get(name)
    z = np.linspace(-9.95, 9.95, 200)
    near = np.array([-0.01, 0.0, 0.013])
    made = fastnn.Sequential([layers.Activation(name, input_shape=(200,), name="all")])
    health = made.health(z + near[:, np.newaxis]).layers["all"]

    def slope(at):
        quotient = np.abs(function(at + 1e-6) - function(at - 1e-6)) / 2e-6
        return np.where(quotient < 1e5, quotient, 0)  # over a step it is none of the slopes

    grid = np.linspace(-8, 8, 4001) + 1e-5
    limit = 0.01 * (min(1, slope(grid).max()) or 1)
    inputs = (z + near[:, np.newaxis]).astype(np.float32).astype(np.float64)
    slopes, outputs = slope(inputs), function(inputs).astype(np.float32)
    dead, close = np.ptp(outputs, axis=0) == 0, np.ptp(outputs, axis=0) < 1e-6  # which float32 may round to one number
    unsure = np.abs(slopes.max(0) - limit) <= 0.02 * limit
    assert {*health.dead} ^ {*np.flatnonzero(dead)} <= {*np.flatnonzero(close)}
    expected = {*np.flatnonzero((slopes < limit).all(0))} - {*health.dead}
    assert {*health.saturated} ^ expected <= {*np.flatnonzero(unsure)}
    assert health.active == pytest.approx(np.mean(slopes >= limit), abs=0.02)


def test_activations_made_of_operations_and_own_layers():
    class Gate(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.value = layers.Dense(2, name="value")
            self.gate = layers.Dense(2, "sigmoid", name="gate")

        def call(self, x):
            return self.value(x) * self.gate(x)

    def soft(x):
        return x * ops.tanh(ops.softplus(x))  # mish, whose inner tanh is saturated where it is steep itself

    class Sloped(layers.Layer):
        def build(self, input_shape):
            self.alpha = self.add_weight(input_shape[1:], "zeros", name="alpha")

        def call(self, x):
            return ops.maximum(x, 0) + self.alpha * ops.minimum(x, 0)

    made = made_of(
        [[[1, 1]], [0, 5], [[1, 0]], [0, 20], [0, 0.5], np.eye(2), [9, -20]],
        Gate(input_shape=(1,), name="gated"),
        Sloped(name="sloped"),
        layers.Dense(2, soft, name="mish"),
    )
    found = made.health(LINE).layers
    assert [*found] == ["value", "gate", "gated", "sloped", "mish"]
    assert found["value"].saturated is None and found["gated"].saturated is None
    assert found["gate"].dead == [1] and found["gate"].saturated == [] and found["gate"].active == 0.5
    assert found["gated"].dead == [] and found["sloped"].saturated == []
    assert found["mish"].saturated == [1] and found["mish"].dead == [] and found["mish"].active == 0.5


def test_units_are_along_the_last_axis():
    made = fastnn.Sequential([layers.Reshape((3, 2), input_shape=(6,)), layers.Dense(2, "relu", name="units")])
    made.set_weights([np.eye(2), [0, -9]])
    x = RNG.uniform(-1, 1, (40, 6)).astype(np.float32)
    health = made.health(x).layers["units"]
    assert (health.units, health.dead) == (2, [1])
    assert health.active == (x[:, ::2] > 0).sum() / (40 * 3 * 2)


# Numbers against plain NumPy


def test_norms_and_active_parts_of_a_whole_net():
    made = small_net()
    x, _ = class_patterns(700, 20, 5)  # several batches
    w1, b1, w2, b2, w3, b3 = (w.astype(np.float64) for w in made.get_weights())
    h1 = np.maximum(x @ w1 + b1, 0)
    h2 = np.tanh(h1 @ w2 + b2)
    logits = h2 @ w3 + b3
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    health = made.health(x)
    for name, outputs in (("first", h1), ("middle", h2), ("last", p)):
        found = health.layers[name]
        assert found.norm == pytest.approx(np.linalg.norm(outputs, axis=1).mean(), rel=1e-6)
        assert found.dead == np.flatnonzero(np.ptp(outputs, axis=0) == 0).tolist()
    assert health.layers["first"].active == pytest.approx((h1 > 0).mean(), abs=1e-4)
    assert health.layers["middle"].active == pytest.approx((1 - h2 * h2 > 0.01).mean(), abs=1e-4)
    assert health.layers["last"].active == pytest.approx((p * (1 - p) > 0.0025).mean(), abs=1e-4)
    assert (health.samples, health.model, health.variables) == (700, made.name, {})


def test_gradients():
    made = fastnn.Sequential(
        [layers.Dense(6, "tanh", input_shape=(4,), name="hidden"), layers.Dense(3, "softmax", name="output")]
    )
    made.compile("adam", "sparse_categorical_crossentropy")
    _, gradients = loss_and_gradients([w.astype(np.float64) for w in made.get_weights()], X, Y, "tanh")
    found = made.health(X, Y).variables
    assert [*found] == ["hidden/kernel", "hidden/bias", "output/kernel", "output/bias"]
    for each, gradient, weight in zip(found.values(), gradients, made.get_weights(), strict=True):
        norms = np.linalg.norm(gradient), np.linalg.norm(weight)
        assert (each.gradient, each.weight) == pytest.approx(norms, rel=1e-5)
        assert each.ratio == (each.gradient / each.weight if norms[1] else math.inf)


def test_gradients_with_weights_penalties_and_frozen_layers():
    made = fastnn.Sequential(
        [
            layers.Dense(4, input_shape=(4,), trainable=False),
            layers.Dense(1, name="last", use_bias=False, kernel_regularizer=regularizers.L2(0.1)),
        ]
    )
    made.compile("sgd", "mse")
    y = np.linspace(0, 1, 12)
    w1, b1, w2 = (w.astype(np.float64) for w in made.get_weights())
    h = X @ w1 + b1
    gradient = 2 * h.T @ ((h @ w2 - y[:, None]) * WEIGHTS[:, None]) / 12 + 0.2 * w2
    found = made.health(X, y, WEIGHTS).variables
    assert [*found] == ["last/kernel"]
    assert found["last/kernel"].gradient == pytest.approx(np.linalg.norm(gradient), rel=1e-5)


def test_in_float64_and_with_images():
    with float64():
        made = one_input([0, -2], [1, 1], "relu")
        assert made.health(LINE).layers["units"].dead == [1]
    image = fastnn.Sequential([layers.Rescaling(1 / 255, input_shape=(4, 4)), layers.Flatten(name="pixels")])
    pictures = np.zeros((5, 4, 4), np.uint8)
    pictures[1, 2, 3] = 255
    found = image.health(pictures).layers["pixels"]
    assert found.units == 16 and found.dead == [i for i in range(16) if i != 11]
    assert found.saturated is None and found.norm == pytest.approx(1 / 5)


def test_outputs_that_are_not_finite_are_neither_dead_nor_saturated():
    health = one_input([0, np.inf, np.nan], [1, 1, 1], "relu").health(LINE).layers["units"]
    assert 1 in health.dead and 2 not in health.dead + health.saturated


# Whatever it is called with


def test_layers_in_models_in_models_and_a_layer_used_twice():
    inner = fastnn.Sequential([layers.Dense(3, "relu", input_shape=(3,), name="one")], name="inner")
    outer = fastnn.Sequential([layers.Dense(3, input_shape=(4,), name="two"), inner], name="outer")
    made = fastnn.Sequential([outer, layers.Dense(2, name="two")])
    assert [*made.health(X).layers] == ["two", "one", "inner", "outer", "two (2)"]


def test_the_threshold():
    made = one_input([0, 2, 4], [0.1, 0.1, 0.1], "tanh")
    found = {t: made.health(LINE, threshold=t).layers["units"].saturated for t in (0, 0.01, 0.5, 1)}
    assert found == {0: [], 0.01: [2], 0.5: [1, 2], 1: [1, 2]}  # unit 0 is at its steepest for x = 0


def test_nothing_changes():
    made, twin = model(), model()
    before = state(made), config.seed(), config._stream, np.random.get_state()[1].tobytes()
    made.health(X)
    made.health(X, Y, WEIGHTS)
    assert (state(made), config.seed(), config._stream, np.random.get_state()[1].tobytes()) == before
    for each in (made, twin):
        train(each)
    assert [w.tobytes() for w in made.get_weights()] == [w.tobytes() for w in twin.get_weights()]


def test_it_prints_as_a_table():
    made = one_input([0, -2], [1, 1], "relu")
    text = str(made.health(LINE, np.zeros((21, 2))))
    assert text == repr(made.health(LINE, np.zeros((21, 2))))
    head, columns, units, empty, names, *variables = text.splitlines()
    assert head == f"Health of {made.name!r} on 21 samples" and empty == ""
    assert columns.split() == ["layer", "units", "norm", "dead", "saturated", "active"]
    assert units.split() == ["units", "(Dense)", "2", "0.2619", "1", "0", "23.8%"]
    assert names.split() == ["variable", "shape", "gradient", "weight", "ratio"] and len(variables) == 2


def test_an_uncompiled_and_an_unbuilt_model():
    made = fastnn.Sequential([layers.Dense(2, "relu", name="units")])
    assert made.health(X).layers["units"].units == 2 and made.built
