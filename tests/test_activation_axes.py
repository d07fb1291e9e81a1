"""Activations along axes: softmax, its logarithm, sparsemax and the gated unit; on arrays, in C, in layers."""

import itertools
import math

import numpy as np
import pytest
from harness import ISAS, bounds, computed, gradients, kernel, reference

import fastnn
from fastnn import activations, layers, ops
from fastnn.ops.table import OPS

X = np.random.default_rng(7).standard_normal((4, 3, 2, 6)) * 3


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def projection(z):
    """Onto the simplex, by bisection: the tau at which the parts above it add up to 1."""
    low, high = z.max() - 1, z.max()
    for _ in range(200):
        tau = (low + high) / 2
        low, high = (tau, high) if np.maximum(z - tau, 0).sum() > 1 else (low, tau)
    return np.maximum(z - tau, 0)


ALONG = {
    "softmax": softmax,
    "log_softmax": lambda x: np.log(softmax(x)),
    "sparsemax": projection,
}


def one_by_one(function, x, axes):
    """A function of a vector, on each run of elements along the axes."""
    y = np.empty_like(x)
    others = [i for i in range(x.ndim) if i not in axes]
    for place in itertools.product(*(range(x.shape[i]) for i in others)):
        index = [slice(None)] * x.ndim
        for i, k in zip(others, place, strict=True):
            index[i] = k
        part = x[tuple(index)]
        y[tuple(index)] = function(part.ravel()).reshape(part.shape)
    return y


@pytest.mark.parametrize("axis", [-1, 0, 1, 2, -2, (1, 2), (3, 1), (-1, 0), (0, 1, 2, 3)])
@pytest.mark.parametrize("name", ALONG)
def test_any_axes_of_an_array(name, axis):
    if name == "sparsemax" and isinstance(axis, tuple):
        pytest.skip("sparsemax takes one axis")
    axes = [i % 4 for i in (axis if isinstance(axis, tuple) else (axis,))]
    want = one_by_one(ALONG[name], X, axes)
    np.testing.assert_allclose(activations.get(name)(X, axis), want, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(activations.get(name)(X.astype(np.float32), axis), want, rtol=3e-5, atol=3e-6)


@pytest.mark.parametrize("axis", [-1, 1, 2, -2])
@pytest.mark.parametrize("name", [*ALONG, "glu"])
def test_any_axis_of_a_batch_in_c(name, axis):
    x = X[:, :2].astype(np.float32)
    model = fastnn.Sequential([layers.Lambda(activations.get(name), arguments={"axis": axis}, input_shape=x.shape[1:])])
    np.testing.assert_allclose(model.predict(x, verbose=0), activations.get(name)(x, axis), rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("name", [*ALONG, "glu"])
def test_gradients_are_central_differences(name):
    row = np.array([0.5, 0.75, -0.25, 1.0])  # on the support of sparsemax and off it
    weights, h = np.array([1.0, -2.0, 0.5, 3.0])[: 2 if name == "glu" else 4], 1e-5
    function = activations.get(name)
    got = gradients(lambda x: ops.multiply(function(x), weights), row)[0]
    steps = h * np.eye(4)
    want = [((function(row + step) - function(row - step)) * weights).sum() / (2 * h) for step in steps]
    np.testing.assert_allclose(got, want, rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("isa", ISAS)
def test_sparsemax_in_c(isa):
    """Rows of which one element, some, all are left; ties; far ends."""
    rows = np.zeros((8, 37))
    rows[1] = np.linspace(0, 0.01, 37)
    rows[2, 5] = 1e30
    rows[3] = -1e30 * np.arange(37)
    rows[4, ::2] = -math.inf
    rows[5] = 1000 + np.arange(37) / 64
    rows[6, -1] = 1.0
    rows[7] = np.random.default_rng(1).standard_normal(37) * 1e-4
    row = OPS["sparsemax"]
    (got,), want = kernel(row, (rows,), {}, isa), reference(row, (rows,), {})
    assert (np.abs(got - want[0]) <= bounds(row, (rows,), {}, want)[0]).all()
    np.testing.assert_allclose(got.sum(-1), 1, rtol=1e-6)
    assert (got[0] == np.float32(1 / 37)).all() and got[2, 5] == 1 and got[3, 0] == 1 and got[6, -1] == 1
    assert (got[4, ::2] == 0).all() and (got >= 0).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", ALONG)
def test_special_values_along_rows(name, isa):
    row = OPS[name]
    for special in ([math.nan, 1.0, 2.0], [math.inf, 1.0, 2.0], [-math.inf] * 3):
        (got,), (want,) = kernel(row, (np.array([special]),), {}, isa), reference(row, (np.array([special]),), {})
        assert np.isnan(got).any() and np.isnan(want).any(), (special, got, want)
        (got,) = kernel(OPS[f"{name}_grad"], (np.ones((1, 3)), np.full((1, 3), math.nan)), {}, isa)
        assert np.isnan(got).all()
    for extreme in ([-math.inf, 0.0, 0.0], [1e38, -1e38, 1e-45], [-3e38, 3e38, 3e38], [1e-45, -1e-45, 0.0]):
        args = (np.array([extreme]),)
        (got,), (want,) = kernel(row, args, {}, isa), reference(row, args, {})
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(got, want.astype(np.float32), rtol=1e-6)


def test_the_gate_of_glu():
    x = np.array([[3.0, -2.0, 1000.0, -1000.0], [1.0, 5.0, 0.0, math.log(4)]])
    np.testing.assert_allclose(activations.glu(x), [[3, 0], [0.5, 4]], rtol=1e-15)
    (got,) = computed(activations.glu, x)
    np.testing.assert_allclose(got, [[3, 0], [0.5, 4]], rtol=1e-6)
    with_axis = activations.glu(x, axis=0)
    np.testing.assert_allclose(with_axis, x[:1] / (1 + np.exp(-x[1:])), rtol=1e-15)


def test_glu_halves_the_width_of_a_layer():
    fastnn.set_random_seed(1)
    model = fastnn.Sequential([layers.Dense(6, "glu", input_shape=(4,)), layers.Dense(1)])
    assert model.layers[0].compute_output_shape((None, 4)) == (None, 3)
    assert [w.shape for w in model.layers[1].weights] == [(3, 1), (1,)]
    x = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)
    z = x @ model.layers[0].kernel.numpy() + model.layers[0].bias.numpy()
    hidden = z[:, :3] / (1 + np.exp(-z[:, 3:]))
    want = hidden @ model.layers[1].kernel.numpy() + model.layers[1].bias.numpy()
    np.testing.assert_allclose(model.predict(x, verbose=0), want, rtol=1e-5, atol=1e-6)
    model.compile("adam", "mse")
    history = model.fit(x, x[:, :1] * x[:, 1:2], epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert fastnn.Sequential.from_config(model.get_config()).output_shape == (None, 1)


@pytest.mark.parametrize("name", [n for n in activations.FUNCTIONS if n != "threshold"])
def test_layers_take_every_name(name):
    x = np.random.default_rng(3).standard_normal((5, 4)).astype(np.float32)
    function = activations.get(name)
    for layer in (layers.Activation(name), layers.Dense(4, name)):
        model = fastnn.Sequential([type(layer).from_config(layer.get_config() | {"input_shape": (4,)})])
        model.set_weights([np.eye(4), np.zeros(4)][: len(model.weights)])
        np.testing.assert_allclose(model.layers[0](x), function(x), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model.predict(x, verbose=0), function(x), rtol=1e-5, atol=1e-6)
        assert model.output_shape == (None, 2 if name == "glu" else 4)


def test_layers_and_configurations_as_activations():
    x = np.array([[-2.0, 0.5, 3.0, 9.0]], np.float32)
    relu = {"class_name": "ReLU", "config": {"negative_slope": 0.5, "max_value": 4.0}}
    for made in (activations.get(relu), activations.deserialize(relu), layers.ReLU(4.0, 0.5)):
        np.testing.assert_array_equal(made(x), [[-1, 0.5, 3, 4]])
        again = activations.get(activations.serialize(made))
        assert type(again) is layers.ReLU and again.get_config() == made.get_config()
    dense = layers.Dense(4, layers.LeakyReLU(0.25), input_shape=(4,))
    model = fastnn.Sequential([dense])
    model.set_weights([np.eye(4), np.zeros(4)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), [[-0.5, 0.5, 3, 9]])
    again = layers.Dense.from_config(dense.get_config())
    assert again.activation.negative_slope == 0.25
    assert isinstance(activations.get(layers.ELU), layers.ELU)
    function = {"class_name": "function", "config": "mish", "module": "builtins", "registered_name": "function"}
    assert activations.get(function) is activations.mish
    mine = function | {"config": "mine"}
    assert activations.deserialize(mine, {"mine": len}) is len


def test_the_general_rectifier():
    """``max(0, z) + alpha min(0, z)`` for any alpha: ReLU, absolute value, leaky ReLU, and with learned slopes."""
    z = np.array([[-3.0, -0.5, 0.0, 2.0]], np.float32)
    for alpha in (0.0, -1.0, 0.01, 0.7, -2.5):
        want = np.maximum(0, z) + alpha * np.minimum(0, z)
        np.testing.assert_allclose(activations.relu(z, negative_slope=alpha), want, rtol=1e-6)
        np.testing.assert_allclose(layers.PReLU(fastnn.initializers.Constant(alpha))(z), want, rtol=1e-6)
        derivative = np.where(z > 0, 1, alpha).tolist()  # at 0 that of the left side: 0 for ReLU
        np.testing.assert_allclose(gradients(lambda x, a=alpha: activations.relu(x, a), z)[0], derivative, rtol=1e-6)
    np.testing.assert_array_equal(activations.relu(z, -1.0), activations.abs(z))
