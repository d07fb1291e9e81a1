"""Keras says what layers compute: outputs, gradients and penalties at equal weights, in float64."""

import os
from inspect import signature

import numpy as np
import pytest
from layer_table import CASES

os.environ.setdefault("KERAS_BACKEND", "jax")
jax = pytest.importorskip("jax")
keras = pytest.importorskip("keras")

import fastnn  # noqa: E402
from fastnn import config, layers, ops  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras, about NumPy

SAMPLES = 7
# Both compute in float64, in another order and with other libraries: some hundred roundings of 2^-53 are 1e-14, and
# gradients that cancel keep 1e-11 of the largest.
CLOSE = {"rtol": 1e-11, "atol": 1e-11}
# Keras' trainer passes losses through float32: after a few steps some ten roundings of 2^-24.
TRAINED = {"rtol": 1e-6, "atol": 1e-6}
# Keras computes statistics and what follows from them in float32 in any case: some hundred roundings of 2^-24.
SINGLE = {"rtol": 1e-5, "atol": 1e-5}


def closeness(case, usual):
    """How near to Keras a layer should be."""
    return SINGLE if case.name in ("BatchNormalization", "LayerNormalization") else usual


COMPARED = [case for case in CASES if case.oracle and hasattr(keras.layers, case.name)]


@pytest.fixture(autouse=True)
def float64():
    """Both libraries in float64."""
    before = config.floatx(), keras.config.floatx(), jax.config.jax_enable_x64, keras.config.dtype_policy()
    config.set_floatx("float64")
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")  # which Keras derives from floatx only once
    jax.config.update("jax_enable_x64", True)
    yield
    config.set_floatx(before[0])
    keras.config.set_floatx(before[1])
    jax.config.update("jax_enable_x64", before[2])
    keras.config.set_dtype_policy(before[3])


def drawn_weights(weights):
    """Weights that differ from those that layers begin with, and may be variances; integers stay."""
    rng = np.random.default_rng(3)
    return [w if w.dtype.kind in "iu" else rng.uniform(0.5, 1.5, w.shape) for w in weights]


def pair(case):
    """The layer, and Keras' with its weights."""
    ours, theirs = case.make(), getattr(keras.layers, case.name)(**case.kwargs)
    ours.ensure_built(case.batch_shape)
    theirs.build(case.batch_shape)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    for layer in (ours, theirs):
        layer.set_weights(drawn_weights(layer.get_weights()))
    return ours, theirs


def test_most_layers_are_compared():
    """Those that Keras does not have, and those that it cannot be asked about."""
    alone = {case.name for case in CASES} - {case.name for case in COMPARED}
    assert alone <= {"InputLayer", "Lambda", "Maxout", "RBF"}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", COMPARED, ids=str)
def test_outputs_gradients_and_state(case, training):
    """Of a layer by itself: what it gives, gradients by its inputs and weights, and what it keeps of the batch."""
    if training and case.random:
        pytest.skip("random in training")
    close, (ours, theirs) = closeness(case, CLOSE), pair(case)
    x = case.draw(SAMPLES)
    upstream = np.random.default_rng(5).standard_normal((SAMPLES, *ours.output_shape[1:]))
    mode = {"training": training} if "training" in signature(theirs.call).parameters else {}
    fixed = [v.value for v in theirs.non_trainable_variables]

    def value(trainable, x):
        y, kept = theirs.stateless_call(trainable, fixed, x, **mode)[:2]
        return (y * upstream).sum(), (y, kept)

    assert tuple(theirs.compute_output_shape(case.batch_shape)) == ours.output_shape
    trainable = [v.value for v in theirs.trainable_variables]
    (total, (wanted, kept)), (by_weights, by_x) = jax.value_and_grad(value, (0, 1), has_aux=True)(trainable, x)
    if not training:
        np.testing.assert_allclose(ours(x), wanted, **close)
    several = isinstance(x, list)
    arrays, by_arrays = (x, by_x) if several else ([x], [by_x])

    def loss(upstream, *arrays):
        return ops.sum(ours(list(arrays) if several else arrays[0], training=training) * upstream)

    by = [*range(1, len(arrays) + 1), *ours.trainable_variables]
    found, gradients = fastnn.value_and_grad(loss, by)(upstream, *arrays)
    np.testing.assert_allclose(found, total, **close)
    for gradient, expected in zip(gradients, [*by_arrays, *by_weights], strict=True):
        np.testing.assert_allclose(gradient, np.asarray(expected), **close)
    kept = [] if case.random else kept  # the states of generators
    for variable, expected in zip(ours.non_trainable_variables, kept, strict=True):
        np.testing.assert_allclose(variable.numpy(), np.asarray(expected), **close)


@pytest.mark.parametrize("case", [c for c in COMPARED if not c.random], ids=str)
def test_two_epochs_of_training(case):
    """With a dense layer behind it: losses, all weights, and predictions. Three full batches and a short one."""
    rng, x = np.random.default_rng(7), case.draw(50)
    y = np.tanh(rng.standard_normal((50, 2)))
    results = []
    for library in (fastnn, keras):
        inputs = case.each(library.layers.Input)
        behind = library.layers.Flatten()(getattr(library.layers, case.name)(**case.kwargs)(inputs))
        model = library.Model(inputs, library.layers.Dense(2)(behind))
        model.set_weights(drawn_weights(model.get_weights()))
        model.compile(library.optimizers.SGD(0.005), "mean_squared_error")
        history = model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0).history
        results.append([np.array(history["loss"]), *model.get_weights(), model.predict(x, verbose=0)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, **closeness(case, TRAINED))


@pytest.mark.parametrize("axis", [-1, 2, (1, 2), None])
def test_adapted_normalization(axis):
    """To an array, and to batches of it."""
    x = np.random.default_rng(8).standard_normal((50, 3, 4)) * 2 + 1

    def adapted(library, data):
        layer = library.layers.Normalization(axis=axis)
        layer.adapt(data)
        return [np.asarray(a) for a in (*layer.get_weights(), layer(x))]

    for data in (x, [x[:7], x[7:40], x[40:]], iter([(x[:7], 0), (x[7:], 0)])):
        for found, expected in zip(adapted(fastnn, data), adapted(keras, x), strict=True):
            np.testing.assert_allclose(found, expected, **TRAINED)


class Spread:
    """A penalty that a layer adds by itself; the same text for both libraries."""

    def call(self, x):
        self.add_loss(0.3 * self.ops.mean(self.ops.square(x)))
        return x


class OurSpread(Spread, layers.Layer):
    ops = ops


class TheirSpread(Spread, keras.layers.Layer):
    ops = keras.ops


STACKS = {
    "activities of a dense layer": lambda lib, spread: [
        lib.Dense(3, "sigmoid", activity_regularizer="l2"),
        lib.Dense(2),
    ],
    "a layer for them": lambda lib, spread: [lib.Dense(3), lib.ActivityRegularization(l1=0.1, l2=0.05), lib.Dense(2)],
    "a layer that adds one": lambda lib, spread: [lib.Dense(3), spread(), lib.Dense(2)],
    "activities and weights": lambda lib, spread: [
        lib.Dense(3, kernel_regularizer="l1", activity_regularizer="l1"),
        lib.LeakyReLU(activity_regularizer="l2"),
        lib.Dense(2, bias_regularizer="l2"),
    ],
}


@pytest.mark.parametrize("name", STACKS)
def test_penalties_in_training_and_evaluation(name):
    """Batches of 3, 3 and 1 samples; weights of the samples do not weight the penalties."""
    rng = np.random.default_rng(6)
    x, y, weights = rng.standard_normal((7, 4)), rng.standard_normal((7, 2)), rng.uniform(0.5, 2, 7)
    options = {"sample_weight": weights} if name == "activities and weights" else {}
    models = []
    for library, lib, spread in ((fastnn, layers, OurSpread), (keras, keras.layers, TheirSpread)):
        model = library.Sequential([lib.Input((4,)), *STACKS[name](lib, spread)])
        model.compile(library.optimizers.SGD(0.125), "mse")
        models.append(model)
    ours, theirs = models
    theirs.set_weights(ours.get_weights())
    for _ in range(2):
        losses = [m.fit(x, y, batch_size=3, shuffle=False, verbose=0, **options).history["loss"] for m in models]
        np.testing.assert_allclose(*losses, **TRAINED)
        np.testing.assert_allclose(*[m.evaluate(x, y, batch_size=3, verbose=0) for m in models], **TRAINED)
    for found, expected in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(found.value, np.asarray(expected.value), **TRAINED)
    ours(x), theirs(x)
    np.testing.assert_allclose(ours.losses, [float(loss) for loss in theirs.losses], **TRAINED)
    for layer, their_layer in zip(ours.layers, theirs.layers, strict=True):
        np.testing.assert_allclose(layer.losses, [float(loss) for loss in their_layer.losses], **TRAINED)
