"""Keras trains with the same constraints, on jax in float32: equal weights to some roundings."""

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
pytest.importorskip("jax")
keras = pytest.importorskip("keras")

import fastnn  # noqa: E402
from fastnn import constraints, initializers, regularizers  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras, about NumPy

RNG = np.random.default_rng(7)
X = RNG.standard_normal((60, 6)).astype(np.float32)
Y = np.tanh(X[:, :2] - X[:, 2:4]).astype(np.float32)

CONSTRAINTS = {
    "max_norm": lambda c: c.MaxNorm(0.4),
    "min_max_norm": lambda c: c.MinMaxNorm(0.7, 0.9, 0.3),
    "non_neg": lambda c: c.NonNeg(),
    "unit_norm": lambda c: c.UnitNorm(),
}
OPTIMIZERS = {
    "sgd": lambda o: o.SGD(0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda o: o.RMSprop(0.002),
    "adamw": lambda o: o.AdamW(0.005, weight_decay=0.1),
    "clipped": lambda o: o.SGD(0.2, global_clipnorm=0.1),
    "averaged": lambda o: o.SGD(0.1, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3),
    "gathered": lambda o: o.SGD(0.1, gradient_accumulation_steps=2),
}


def network(library, constraint, optimizer):
    made = constraint(library.constraints)
    model = library.Sequential(
        [
            library.layers.Input((6,)),
            library.layers.Dense(8, use_bias=False, kernel_constraint=made),  # a bias would have gradients of roundings
            library.layers.BatchNormalization(gamma_constraint=made, beta_constraint=made),
            library.layers.PReLU(alpha_constraint=made),
            library.layers.LayerNormalization(gamma_constraint=made),
            library.layers.Dense(2, kernel_constraint=made, bias_constraint=made),
        ]
    )
    model.compile(optimizer(library.optimizers), "mse")
    return model


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_training(constraint, optimizer):
    ours, theirs = (network(lib, CONSTRAINTS[constraint], OPTIMIZERS[optimizer]) for lib in (fastnn, keras))
    weights = [RNG.uniform(0.2, 0.8, w.shape) * (-1) ** np.arange(w.size).reshape(w.shape) for w in ours.get_weights()]
    weights = [np.abs(w) if "variance" in v.name else w for w, v in zip(weights, ours.variables, strict=True)]
    for model in (ours, theirs):
        model.set_weights(weights)
    logs = [model.fit(X, Y, batch_size=12, epochs=2, shuffle=False, verbose=0) for model in (ours, theirs)]
    # Ten steps in float32 through statistics of batches: Keras' own float32 differs from float64 by as much.
    np.testing.assert_allclose(*(log.history["loss"] for log in logs), rtol=1e-4)
    for variable, theirs_now in zip(ours.variables, theirs.get_weights(), strict=True):
        np.testing.assert_allclose(variable.numpy(), theirs_now, rtol=2e-4, atol=2e-5, err_msg=variable.path)


W = RNG.standard_normal((7, 5)) * np.array([0.0, 0.1, 0.5, 1.0, 3.0])


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_values(constraint):
    expected = np.asarray(CONSTRAINTS[constraint](keras.constraints)(W.astype(np.float32)))
    found = CONSTRAINTS[constraint](constraints)(W.astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # some ten roundings of 2^-24


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal_regularizer(mode):
    w = W[:, 1:].astype(np.float32)
    expected = float(keras.regularizers.OrthogonalRegularizer(0.3, mode)(keras.ops.convert_to_tensor(w)))
    assert float(regularizers.OrthogonalRegularizer(0.3, mode)(w)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 2, 5)])
def test_orthogonal_matrices_of_both_are_alike(shape):
    """Other numbers, since generators differ; the same products of rows and columns."""
    ours = initializers.Orthogonal(gain=2.0, seed=1)(shape).reshape(-1, shape[-1])
    theirs = np.asarray(keras.initializers.Orthogonal(gain=2.0, seed=1)(shape)).reshape(-1, shape[-1])
    smaller = (lambda m: m.T @ m) if ours.shape[0] >= ours.shape[1] else (lambda m: m @ m.T)
    np.testing.assert_allclose(smaller(ours), smaller(theirs), atol=1e-5)


def test_fans_along_axes():
    ours = initializers.GlorotUniform(seed=1, input_axes=[0], output_axes=[1, 2])((40, 30, 20))
    theirs = np.asarray(keras.initializers.GlorotUniform(seed=1, input_axes=[0], output_axes=[1, 2])((40, 30, 20)))
    assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)  # the limit of both
