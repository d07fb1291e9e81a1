"""Layers against those of Keras: outputs, gradients, and weights after several steps of training.

To add a layer, add a line to the table.
"""

import os
from inspect import signature

import numpy as np
import pytest
from own import assert_rounds_like, in_float64

import fastnn

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")
if keras.backend.backend() != "jax":
    pytest.skip("compares with Keras on JAX", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras, about NumPy

# Name of the class, its arguments, shape of a sample.
LAYERS = [
    ("BatchNormalization", {}, (5,)),
    ("BatchNormalization", {"momentum": 0.7, "epsilon": 0.1}, (4, 17)),
    ("BatchNormalization", {"momentum": 0.5, "center": False}, (3, 2, 6)),
    ("BatchNormalization", {"scale": False, "axis": 1}, (33,)),
    ("BatchNormalization", {"scale": False, "center": False}, (7,)),
    ("BatchNormalization", {"trainable": False}, (5,)),
    ("BatchNormalization", {"gamma_regularizer": "l2", "beta_regularizer": "l1"}, (6,)),
    ("LayerNormalization", {}, (5,)),
    ("LayerNormalization", {"epsilon": 0.1, "axis": [2]}, (4, 17)),
    ("LayerNormalization", {"center": False}, (3, 2, 6)),
    ("LayerNormalization", {"scale": False, "axis": 1}, (33,)),
    ("LayerNormalization", {"scale": False, "center": False}, (7,)),
    ("LayerNormalization", {"trainable": False, "gamma_regularizer": "l2"}, (5,)),
    ("Normalization", {"mean": 0.5, "variance": 4.0}, (5,)),
    ("Normalization", {"mean": [0.5, 1.5], "variance": [4.0, 0.0], "invert": True}, (3, 2)),
    ("Normalization", {"axis": (1, 2)}, (3, 2)),
    ("Normalization", {"axis": None}, (3, 2)),
]
IDS = [f"{name} {' '.join(f'{k}={v}' for k, v in arguments.items())} {shape}" for name, arguments, shape in LAYERS]

SAMPLES, BATCH = 50, 16  # three full batches and a short one
LOSS, RATE, EPOCHS = "mean_squared_error", 0.005, 2


def drawn(shape, seed):
    """Features with means and spreads of their own, in float32."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((SAMPLES, *shape)) * rng.uniform(0.5, 2, shape) + rng.uniform(-1, 1, shape)
    return x.astype(np.float32)


def drawn_weights(weights):
    """Weights that differ from those that layers begin with, and may be variances; integers stay."""
    rng = np.random.default_rng(3)
    return [w if w.dtype.kind in "iu" else rng.uniform(0.5, 1.5, w.shape).astype(np.float32) for w in weights]


def prepared(library, name, arguments, shape):
    """A layer of either library, with the same weights, which both have in the same order."""
    layer = getattr(library.layers, name)(**arguments)
    layer.build((None, *shape))
    layer.set_weights(drawn_weights(layer.get_weights()))
    if library is keras and name == "Normalization":
        layer.finalize_state()  # else it goes on with the weights that it had
    return layer


def assert_equal(keras, ours, exact):
    """Array by array, both in float32 are about as far from ours in float64; zeros are zeros.

    That Keras is near to what is exact here shows that both compute the same, and that ours is as near shows how much
    rounding there is.
    """
    assert [a.shape for a in keras] == [b.shape for b in ours] == [c.shape for c in exact]
    for theirs, own, true in zip(keras, ours, exact, strict=True):
        if np.any(true):
            assert_rounds_like([theirs], [own], [true])
            assert_rounds_like([own], [theirs], [true])
        else:
            assert not np.any(theirs) and not np.any(own)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("name", "arguments", "shape"), LAYERS, ids=IDS)
def test_outputs_gradients_and_state(name, arguments, shape, training):
    """Of a layer by itself: outputs, gradients by its input and its weights, and what it keeps of the batch."""
    x = drawn(shape, 1)

    def ours():
        layer = prepared(fastnn, name, arguments, shape)
        upstream = drawn(layer.compute_output_shape((None, *shape))[1:], 2)
        step = fastnn.value_and_grad(lambda x, u: layer(x, training=training) * u, [0, *layer.trainable_variables])
        y, gradients = step(x, upstream)
        return [y, *gradients, *(v.numpy() for v in layer.non_trainable_variables)]

    def theirs():
        layer = prepared(keras, name, arguments, shape)
        fixed = [v.value for v in layer.non_trainable_variables]
        mode = {"training": training} if "training" in signature(layer.call).parameters else {}

        def weighted(x, *trained):
            y, kept = layer.stateless_call(list(trained), fixed, x, **mode)
            y = y * drawn(y.shape[1:], 2)
            return y.sum(), (y, kept)

        arrays = [jax.numpy.asarray(x), *(v.value for v in layer.trainable_variables)]
        gradients, (y, kept) = jax.grad(weighted, tuple(range(len(arrays))), has_aux=True)(*arrays)
        return [np.asarray(a) for a in (y, *gradients, *kept)]

    assert_equal(theirs(), ours(), in_float64(ours))


@pytest.mark.parametrize(("name", "arguments", "shape"), LAYERS, ids=IDS)
def test_training(name, arguments, shape):
    """Behind it a dense layer: losses, all weights, and predictions after two epochs."""
    x, y = drawn(shape, 1), np.tanh(drawn((2,), 4))

    def trained(library):
        layer = getattr(library.layers, name)(**arguments)
        stack = [library.layers.Input(shape), layer, library.layers.Flatten(), library.layers.Dense(2)]
        model = library.Sequential(stack)
        model.set_weights(drawn_weights(model.get_weights()))
        if library is keras and name == "Normalization":
            layer.finalize_state()
        model.compile(library.optimizers.SGD(RATE), LOSS)
        history = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0).history
        return [np.array(history["loss"]), *model.get_weights(), model.predict(x, verbose=0)]

    assert_equal(trained(keras), trained(fastnn), in_float64(trained, fastnn))


@pytest.mark.parametrize("axis", [-1, 2, (1, 2), None])
def test_adapted_normalization(axis):
    """To an array, and to batches of it."""
    x = drawn((3, 4), 5)

    def adapted(library, data):
        layer = library.layers.Normalization(axis=axis)
        layer.adapt(data)
        return [np.asarray(a) for a in (*layer.get_weights(), layer(x))]

    expected, exact = adapted(keras, x.astype(np.float64)), in_float64(adapted, fastnn, x)
    for data in (x, [x[:7], x[7:40], x[40:]], iter([(x[:7], 0), (x[7:], 0)])):
        assert_equal(expected, adapted(fastnn, data), exact)
