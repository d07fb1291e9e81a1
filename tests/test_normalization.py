"""BatchNormalization, LayerNormalization and Normalization, beside what Keras says (tests/test_keras_layers.py)."""

import numpy as np
import pytest
from harness import ISAS, bounds, kernel, reference, same_bits, shifted
from nets import THREADS, class_patterns, force, plan_lines, spy_on_calls, state
from test_assignments import as_stepwise

import fastnn
from fastnn import config, layers, losses, ops, optimizers
from fastnn.errors import NonFiniteError
from fastnn.layers import Activation, BatchNormalization, Dense, LayerNormalization, Normalization, Reshape
from fastnn.ops.table import OPS

X, Y = class_patterns(83, width=20, classes=5)  # batches of eight, the last of three


def net(*between, optimizer="adam"):
    fastnn.set_random_seed(4)
    made = between or (
        Dense(33),
        BatchNormalization(momentum=0.9),
        Activation("relu"),
        Dense(24),
        Reshape((4, 6)),
        LayerNormalization(),
        BatchNormalization(momentum=0.5),
        layers.Flatten(),
    )
    model = fastnn.Sequential([layers.Input((20,)), *made, Dense(5, activation="softmax", name="last")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, x=X, y=Y, **arguments):
    return model.fit(x, y, **{"batch_size": 8, "shuffle": False, "verbose": 0, **arguments}).history


# Bits


@pytest.fixture(scope="module")
def trained():
    """State and history with the settings that are usual here."""
    model = net()
    return model, state(model), fit(model, epochs=2), state(model)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("isa", ISAS)
def test_a_training_gives_the_same_bits_everywhere(isa, threads, trained, monkeypatch):
    force(monkeypatch, isa, threads)
    calls, model = spy_on_calls(monkeypatch), net()
    history = fit(model, epochs=2)
    assert {(call.isa, call.team) for call in calls} == {(isa, threads)}
    assert (history, state(model)) == trained[2:]
    assert state(model)[0] != trained[1][0]


# More than one chunk of rows, more than one panel of columns
LARGE = [(1000, 37), (130, 1040), (67, 513)]


def large(name, rows, width):
    """Arrays with means far from 0."""
    rng = np.random.default_rng(rows)
    x, dy = rng.standard_normal((2, rows, width))
    x += rng.uniform(-9, 9, width)
    mean, variance = x.mean(0), x.var(0)
    row_mean, scale = x.mean(1), 1 / x.std(1)
    gamma, beta, plain, products = rng.standard_normal((4, width))
    return {
        "moments": ((x,), {"samples": 0}),
        "column_sums": ((dy, x, mean, None), {"samples": 0}),
        "standardize": ((x, mean, variance, gamma, beta), {"epsilon": 0.001, "own": 1}),
        "standardize_grad": ((dy, x, mean, variance, gamma, plain, products), {"epsilon": 0.001}),
        "layer_norm": ((x, gamma, beta), {"epsilon": 0.001}),
        "layer_norm_grad": ((dy, x, gamma, row_mean, scale), {}),
    }[name]


@pytest.mark.parametrize(("rows", "width"), LARGE)
@pytest.mark.parametrize(
    "name", ["moments", "column_sums", "standardize", "standardize_grad", "layer_norm", "layer_norm_grad"]
)
def test_large_arrays(name, rows, width):
    args, attrs = large(name, rows, width)
    row = OPS[name]
    wanted, first = reference(row, args, attrs), kernel(row, args, attrs)
    for found, want, bound in zip(first, wanted, bounds(row, args, attrs, wanted), strict=True):
        assert (np.abs(found - want) <= bound).all()
    for isa in ISAS:
        for threads in (2, 3):
            again = kernel(row, args, attrs, isa, threads, lambda a: shifted(a, 1))
            assert all(map(same_bits, first, again))


def test_moments_of_many_rows_are_accurate():
    """Where a chain of float32 additions would lose a fifth of the digits, and a mean of squares all of them."""
    rng = np.random.default_rng(5)
    x = (1000 + rng.standard_normal((200_000, 3))).astype(np.float32)
    mean, variance = kernel(OPS["moments"], (x,), {"samples": 0})
    np.testing.assert_allclose(mean, x.mean(0, dtype=float), rtol=2e-7)
    np.testing.assert_allclose(variance, x.var(0, dtype=float), rtol=1e-5)


# State of batch normalization


def test_moving_averages_follow_the_batches():
    model = net(BatchNormalization(momentum=0.75))
    fit(model)
    mean, variance = np.zeros(20), np.ones(20)
    for low in range(0, len(X), 8):
        batch = X[low : low + 8].astype(float)
        mean = mean * 0.75 + batch.mean(0) * 0.25
        variance = variance * 0.75 + batch.var(0) * 0.25
    layer = model.layers[0]
    # Eleven steps of three roundings each, of moments that are off by some ten themselves.
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean, rtol=50 * 2.0**-24, atol=50 * 2.0**-24)
    np.testing.assert_allclose(layer.moving_variance.numpy(), variance, rtol=50 * 2.0**-24)


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("threads", THREADS[:2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_a_batch_that_is_not_finite_leaves_the_averages(policy, value, threads, stepwise, monkeypatch):
    force(monkeypatch, ISAS[0], threads)
    if stepwise:
        as_stepwise(monkeypatch)
    x, model, twin = X.copy(), net(), net()
    x[8 * 6 + 3, 7] = value
    fit(twin, X[:48], Y[:48])
    if policy == "raise":
        with pytest.raises(NonFiniteError) as caught:
            fit(model, x)
        assert caught.value.step == 6
    else:
        fit(model, x, on_nonfinite="skip")
        twin.optimizer.iterations += 1
        fit(twin, X[56:], Y[56:])
    assert state(model) == state(twin)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_batches_that_cannot_be_proved_finite_are_normalized_the_same(monkeypatch):
    """The second plan takes them over: huge inputs of a weight that is tiny."""
    x = X.copy()
    x[16:32:2, 0], x[17:32:2, 0] = 3e38, -3e38

    def run(stepwise):
        with monkeypatch.context() as patch:
            if stepwise:
                as_stepwise(patch)
            calls = spy_on_calls(patch)
            fastnn.set_random_seed(4)
            model = net(Dense(7), BatchNormalization(momentum=0.5), optimizer=optimizers.SGD(1e-3))
            kernel, *rest = model.get_weights()
            kernel[0] = 1e-38
            model.set_weights([kernel, *rest])
            history = fit(model, x, on_nonfinite="skip")
            return state(model), history, sum(call.batches for call in calls)

    swept, stepwise = run(False), run(True)
    assert swept[:2] == stepwise[:2]
    assert swept[2] > stepwise[2] == 11  # of those that were taken over, one more each


def test_a_variance_that_overflows_is_not_finite_even_if_the_loss_is():
    model = net(BatchNormalization())
    before = state(model)
    with pytest.raises(NonFiniteError):
        fit(model, X * np.float32(1e25))
    assert state(model) == before


def test_one_row_has_variance_0():
    layer = BatchNormalization(momentum=0.5, beta_initializer="ones")
    assert layer(X[:1], training=True).tolist() == [[1.0] * 20]
    np.testing.assert_array_equal(layer.moving_mean.numpy(), X[0] / 2)
    np.testing.assert_array_equal(layer.moving_variance.numpy(), np.full(20, 0.5))
    model = net(BatchNormalization(momentum=0.5))
    model.train_on_batch(X[:1], Y[:1])
    for ours, at_once in zip(model.layers[0].get_weights()[2:], layer.get_weights()[2:], strict=True):
        np.testing.assert_array_equal(ours, at_once)


def test_a_shared_layer_takes_in_both_of_its_batches():
    class Both(layers.Layer):
        def __init__(self):
            super().__init__()
            self.norm = BatchNormalization(momentum=0.5)

        def call(self, x, training=None):
            return self.norm(x, training=training) * self.norm(3 * x, training=training)

    model = net(Both())
    model.train_on_batch(X[:8], Y[:8])
    norm = model.layers[0].norm
    alone = BatchNormalization(momentum=0.5)
    alone(X[:8], training=True)
    alone(3 * X[:8], training=True)
    for found, want in zip(norm.get_weights()[2:], alone.get_weights()[2:], strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-7)


# Frozen


@pytest.mark.parametrize("arguments", [{}, {"center": False, "scale": False}])
def test_frozen_it_trains_as_it_predicts(arguments):
    norm = BatchNormalization(momentum=0.5, **arguments)
    model = net(Dense(6), norm, optimizer=optimizers.SGD(0.1))
    fit(model)
    kept = norm.get_weights()
    norm.trainable = False
    fit(model)
    assert all(np.array_equal(a, b) for a, b in zip(kept, norm.get_weights(), strict=True))
    h = model.layers[0](X)
    np.testing.assert_array_equal(norm(h, training=True), norm(h, training=False))
    scores = model.evaluate(X[:8], Y[:8], verbose=0)
    assert model.train_on_batch(X[:8], Y[:8]) == scores  # computed before the step
    norm.trainable = True
    fit(model)
    assert not np.array_equal(kept[-1], norm.get_weights()[-1])


def test_a_frozen_model_freezes_what_is_in_it():
    inner = fastnn.Sequential([layers.Input((20,)), Dense(6), BatchNormalization()])
    outer = net(inner)
    inner.trainable = False
    assert not inner.layers[1].trainable
    before = inner.get_weights()
    fit(outer)
    assert all(np.array_equal(a, b) for a, b in zip(before, inner.get_weights(), strict=True))
    inner.trainable = True
    assert inner.layers[1].trainable
    fit(outer)
    assert not any(np.array_equal(a, b) for a, b in zip(before, inner.get_weights(), strict=True))


def test_penalties_of_frozen_weights_do_not_count():
    """As in Keras."""
    model = net(BatchNormalization(gamma_regularizer="l2", gamma_initializer=initial(10.0)))
    trained = model.evaluate(X, Y, verbose=0)[0]
    model.layers[0].trainable = False
    assert trained - model.evaluate(X, Y, verbose=0)[0] == pytest.approx(0.01 * 20 * 100, rel=1e-5)


def initial(value):
    return fastnn.initializers.Constant(value)


# Plans


def test_the_threads_meet_before_and_behind_the_moments():
    """And the sums of their gradient; the rest goes with the sweeps over the rows, and an activation is one with it."""
    text = net(Dense(200), BatchNormalization(), Activation("relu"), Dense(100), LayerNormalization()).describe(
        batch_size=390
    )
    lines = plan_lines(text)
    assert "6 phases, 5 barriers" in text  # of which a dense network has two phases
    operations = [line["operation"] for line in lines]
    assert operations.count("standardize+relu") == 1
    together = {line["operation"]: line["threads"] for line in lines if line["rows"] == "-"}
    assert together["moments"] == together["column_sums"] == "shared"
    assert not {"layer_norm", "layer_norm_grad", "standardize_grad", "standardize+relu"} & set(together)


def test_samples_with_several_rows_are_summed_up_where_they_are():
    text = net(Dense(200), Reshape((10, 20)), BatchNormalization(), layers.Flatten()).describe()
    assert text.count("samples=1") == 2


# Normalization


RAW = np.random.default_rng(2).uniform(3, 9, (5000, 2, 3)).astype(np.float32)


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), (2, 1), None])
def test_adapt_takes_moments_in_float64(axis):
    whole, parts = Normalization(axis=axis), Normalization(axis=axis)
    whole.adapt(RAW)
    parts.adapt(batch for batch in (RAW[:1], RAW[1:4500], (RAW[4500:], None)))
    kept = () if axis is None else np.sort(np.atleast_1d(axis) % 3)
    axes = tuple(i for i in range(3) if i not in kept)
    for layer in (whole, parts):
        np.testing.assert_array_equal(layer.mean.numpy(), RAW.mean(axes, dtype=float).astype(np.float32))
        np.testing.assert_array_equal(layer.variance.numpy(), RAW.var(axes, dtype=float).astype(np.float32))
    y = whole(RAW)
    np.testing.assert_allclose(y.mean(axes, dtype=float), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(axes, dtype=float), 1, rtol=1e-6)
    inverse = Normalization(axis=axis, invert=True)
    inverse.adapt(RAW)
    np.testing.assert_allclose(inverse(y), RAW, rtol=1e-6)


def test_a_model_may_be_adapted_again_after_training():
    norm = Normalization()
    model = net(norm)
    assert norm.trainable_variables == [] and norm.count_params() == 2 * 20 + 1
    norm.adapt(X)
    fit(model)
    first = model.predict(X)
    norm.adapt(10 * X + 3)
    np.testing.assert_allclose(model.predict(10 * X + 3), first, rtol=1e-4)
    assert not np.allclose(model.predict(X), first)


def test_what_does_not_vary_becomes_0():
    norm = Normalization()
    norm.adapt(np.full((4, 2), 7.0))
    assert norm(np.full((1, 2), 7.0)).tolist() == [[0.0, 0.0]]
    assert norm.variance.numpy().tolist() == [0.0, 0.0]


def test_lists_of_numbers_are_data_and_lists_of_arrays_batches():
    rows = [[0.0, 7.0], [2.0, 9.0], [4.0, 5.0]]
    made = []
    for data in (rows, np.array(rows), [np.array(rows)], [np.array(rows[:1]), np.array(rows[1:])]):
        made.append(Normalization())
        made[-1].adapt(data)
    assert all(layer.mean.numpy().tolist() == [2.0, 7.0] for layer in made)


def test_given_numbers_are_no_weights():
    norm = Normalization(mean=[1.0, 2.0], variance=4.0 * np.ones(2))
    assert norm(np.array([[3.0, 4.0]])).tolist() == [[1.0, 1.0]] and norm.variables == []


def test_float64():
    config.set_floatx("float64")
    try:
        wide = net(optimizer=optimizers.SGD(0.1))
        history = fit(wide, epochs=2)
    finally:
        config.set_floatx("float32")
    narrow = net(optimizer=optimizers.SGD(0.1))
    for name, values in fit(narrow, epochs=2).items():
        np.testing.assert_allclose(values, history[name], rtol=1e-4)
    for a, b in zip(wide.get_weights(), narrow.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_gradients_by_the_inputs_of_a_batch_do_not_move_its_mean():
    """They add up to 0 in each column, and so do their products with what was normalized."""
    norm = BatchNormalization(epsilon=1e-9)
    norm.build((None, 20))
    loss = losses.MeanSquaredError()
    step = fastnn.value_and_grad(lambda x, y: ops.sum(loss.call(y, norm(x, training=True))), [0])
    targets = np.random.default_rng(1).standard_normal(X.shape).astype(np.float32)
    _, (dx,) = step(X, targets)
    h = (X - X.mean(0, dtype=float)) / X.std(0, dtype=float)
    size = np.abs(dx).sum(0)
    assert (np.abs(dx.sum(0)) <= 100 * 2.0**-24 * size).all()
    assert (np.abs((dx * h).sum(0)) <= 1000 * 2.0**-24 * size).all()
