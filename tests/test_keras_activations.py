"""Values and gradients of every activation, and its names and options, against Keras on JAX and against PyTorch."""

import inspect

import numpy as np
import pytest
from harness import gradients

from fastnn import activations, layers, ops

X = np.concatenate([np.random.default_rng(2).standard_normal(34) * 3, [-8.0, 9.5]]).reshape(6, 6)

# Options beside the defaults; all activations of Keras are called with their defaults too.
OPTIONS = {
    "celu": [{"alpha": 0.4}],
    "elu": [{"alpha": 1.7}],
    "gelu": [{"approximate": True}],
    "glu": [{"axis": 0}, {"axis": -2}],
    "hard_shrink": [{"threshold": 1.2}],
    "leaky_relu": [{"negative_slope": 0.05}],
    "log_softmax": [{"axis": 0}, {"axis": (0, 1)}],
    "relu": [
        {"negative_slope": 0.1},
        {"negative_slope": -1.0},
        {"max_value": 2.0},
        {"threshold": 1.0},
        {"negative_slope": 0.3, "max_value": 2.5, "threshold": 0.5},
    ],
    "soft_shrink": [{"threshold": 1.2}],
    "softmax": [{"axis": 0}, {"axis": (0, 1)}],
    "sparsemax": [{"axis": 0}],
    "squareplus": [{"b": 0.5}],
    "threshold": [{"threshold": 0.5, "default_value": -2.0}, {"threshold": -1.0, "default_value": 3.0}],
}
NEEDED = {"threshold"}  # has no defaults
CASES = [
    (name, options)
    for name in sorted({*activations.FUNCTIONS, *activations.ALIASES} - {"abs", "cos", "step"})
    for options in ([] if name in NEEDED else [{}]) + OPTIONS.get(name, [])
]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_keras(name, options):
    keras = pytest.importorskip("keras")
    jax = pytest.importorskip("jax")
    if keras.backend.backend() != "jax":
        pytest.skip("Keras has another backend")
    theirs, ours = getattr(keras.activations, name), getattr(activations, name)
    assert [*inspect.signature(ours).parameters] == [*inspect.signature(theirs).parameters]
    # Keras adds up all partial sums of a support of several elements; the paper does not, see test_activation_axes.py.
    x = (X * (100 if name == "sparsemax" else 1)).astype(np.float32)
    wanted = np.asarray(theirs(x, **options))
    np.testing.assert_allclose(ours(x.astype(float), **options), wanted, rtol=2e-5, atol=3e-6)
    weights = np.random.default_rng(3).standard_normal(wanted.shape).astype(np.float32)
    slope = jax.grad(lambda x: (keras.activations.get(name)(x, **options) * weights).sum())(x)
    got = gradients(lambda x: ops.multiply(ours(x, **options), weights), x)[0]
    np.testing.assert_allclose(got, slope, rtol=1e-4, atol=1e-5)


def test_all_names_of_keras_are_there():
    keras = pytest.importorskip("keras")
    own = {name for name, value in vars(keras.activations).items() if inspect.isfunction(value)}
    assert own <= {*activations.__all__}
    for name in own - {"get", "serialize", "deserialize", "threshold"}:
        ours, theirs = getattr(activations, name), getattr(keras.activations, name)
        defaults = [{k: p.default for k, p in inspect.signature(f).parameters.items()} for f in (ours, theirs)]
        assert defaults[0] == defaults[1], name
        assert activations.serialize(activations.get(name)) == keras.activations.serialize(keras.activations.get(name))


def test_configurations_of_keras():
    keras = pytest.importorskip("keras")
    x = np.array([[-3.0, 0.5, 9.0]], np.float32)
    for made in (keras.layers.ReLU(4.0, 0.5), keras.layers.LeakyReLU(0.2), keras.layers.ELU(0.7)):
        described = keras.activations.serialize(made)
        known = {"name", "max_value", "negative_slope", "threshold", "alpha"}  # the others are of all layers
        described["config"] = {k: v for k, v in described["config"].items() if k in known}
        np.testing.assert_allclose(activations.deserialize(described)(x), np.asarray(made(x)), rtol=1e-6)
        assert activations.serialize(activations.get(described))["class_name"] == described["class_name"]
    for wrong in ("typo", {"class_name": "Nothing", "config": {}}):
        for module in (keras.activations, activations):
            with pytest.raises((ValueError, TypeError)):
                module.get(dict(wrong) if isinstance(wrong, dict) else wrong)


def test_dense_with_glu_has_keras_shapes():
    keras = pytest.importorskip("keras")
    theirs = keras.layers.Dense(6, activation="glu")
    ours = layers.Dense(6, activation="glu", input_shape=(4,))
    x = np.random.default_rng(1).standard_normal((5, 4)).astype(np.float32)
    wanted = np.asarray(theirs(x))
    ours(x)
    ours.set_weights([np.asarray(w.value) for w in theirs.weights])
    np.testing.assert_allclose(ours(x), wanted, rtol=1e-5, atol=1e-6)


TORCH = {
    "celu": ("celu", {"alpha": 0.4}),
    "elu": ("elu", {"alpha": 1.7}),
    "gelu": ("gelu", {}),
    "glu": ("glu", {}),
    "hard_shrink": ("hardshrink", {}),
    "hard_sigmoid": ("hardsigmoid", {}),
    "hard_silu": ("hardswish", {}),
    "hard_tanh": ("hardtanh", {}),
    "log_sigmoid": ("logsigmoid", {}),
    "mish": ("mish", {}),
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "selu": ("selu", {}),
    "sigmoid": ("sigmoid", {}),
    "silu": ("silu", {}),
    "soft_shrink": ("softshrink", {}),
    "softplus": ("softplus", {}),
    "softsign": ("softsign", {}),
    "tanh": ("tanh", {}),
    "tanh_shrink": ("tanhshrink", {}),
}


@pytest.mark.parametrize("name", TORCH)
def test_torch(name):
    """In float64; also at the kinks, where PyTorch's slopes are ours."""
    torch = pytest.importorskip("torch")
    other, options = TORCH[name]
    kinks = {"relu": [0.0], "relu6": [0.0, 6.0], "hard_sigmoid": [-3.0, 3.0], "hard_tanh": [-1.0, 1.0]}.get(name, [])
    points = np.append(X, kinks).astype(np.float32).astype(np.float64)
    points = points[: len(points) // 2 * 2]
    x = torch.tensor(points, requires_grad=True)
    y = getattr(torch.nn.functional, other)(x, **options)
    weights = np.random.default_rng(3).standard_normal(y.shape)
    (y * torch.tensor(weights)).sum().backward()
    tolerance = {"softplus": 3e-9}.get(name, 1e-12)  # PyTorch takes softplus(x) as x from 20 on
    np.testing.assert_allclose(
        activations.get(name)(points, **options), y.detach().numpy(), rtol=tolerance, atol=tolerance
    )
    got = gradients(lambda x: ops.multiply(activations.get(name)(x, **options), weights), points)[0]
    np.testing.assert_allclose(got, x.grad.numpy(), rtol=2e-6, atol=1e-6)
