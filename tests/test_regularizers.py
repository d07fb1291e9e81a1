"""Penalties on arrays, and what `get` understands."""

import json

import numpy as np
import pytest

import fastnn
from fastnn import layers, ops, regularizers
from fastnn.regularizers import L1, L1L2, L2, OrthogonalRegularizer, Regularizer

X = np.array([[1.0, -2.0], [0.0, 0.5]])


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (L1(2.0), 7.0),
        (L2(2.0), 10.5),
        (L1L2(l1=2.0, l2=4.0), 28.0),
        (L1L2(l1=2.0), 7.0),
        (L1L2(l2=2.0), 10.5),
        (L1L2(), 0.0),
        (L1(0), 0.0),
        (L2(0), 0.0),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(regularizer, expected, dtype):
    penalty = regularizer(X.astype(dtype))
    assert np.shape(penalty) == ()
    assert float(penalty) == expected


def test_defaults_are_those_of_keras():
    assert (L1().l1, L2().l2, L1L2().l1, L1L2().l2) == (0.01, 0.01, 0.0, 0.0)
    assert float(L2()(np.ones((5, 5)))) == pytest.approx(0.25)  # no half


@pytest.mark.parametrize("made", [L1, L2, L1L2])
@pytest.mark.parametrize("factor", [-1e-3, float("nan"), float("inf"), np.float32("-inf")])
def test_factors_are_finite_and_not_negative(made, factor):
    with pytest.raises(ValueError, match=r"^l[12]: received .*; expected a non-negative float; to fix it"):
        made(factor)


@pytest.mark.parametrize("factor", ["0.1", True, [0.1]])
def test_factors_are_numbers(factor):
    """Another type is a ValueError too, as in Keras."""
    with pytest.raises(ValueError, match=r"^l2: received .*; expected a non-negative float; to fix"):
        L1L2(l2=factor)


def test_none_is_the_default():
    assert (L1(None).l1, L2(None).l2) == (0.01, 0.01)
    assert L1L2(None, None).get_config() == {"l1": 0.0, "l2": 0.0}


@pytest.mark.parametrize(
    ("identifier", "made", "config"),
    [
        ("l1", L1, {"l1": 0.01}),
        ("l2", L2, {"l2": 0.01}),
        ("l1_l2", L1L2, {"l1": 0.01, "l2": 0.01}),
        ("l1l2", L1L2, {"l1": 0.01, "l2": 0.01}),
        ("orthogonal_regularizer", OrthogonalRegularizer, {"factor": 0.01, "mode": "rows"}),
        ("OrthogonalRegularizer", OrthogonalRegularizer, {"factor": 0.01, "mode": "rows"}),
        ("L1", L1, {"l1": 0.01}),
        ("L2", L2, {"l2": 0.01}),
        ("L1L2", L1L2, {"l1": 0.01, "l2": 0.01}),
        (L1, L1, {"l1": 0.01}),
        (L1L2, L1L2, {"l1": 0.0, "l2": 0.0}),
        ({"class_name": "L2", "config": {"l2": 0.5}}, L2, {"l2": 0.5}),
        ({"class_name": "l1_l2", "config": {"l1": 0.5, "l2": 1.0}}, L1L2, {"l1": 0.5, "l2": 1.0}),
        ({"class_name": "L1"}, L1, {"l1": 0.01}),
    ],
)
def test_get(identifier, made, config):
    regularizer = regularizers.get(identifier)
    assert type(regularizer) is made
    assert regularizer.get_config() == config
    assert made.from_config(config).get_config() == config


def test_get_passes_instances_and_functions_through():
    penalty, own = L2(0.5), lambda x: 0.0
    assert regularizers.get(penalty) is penalty
    assert regularizers.get(own) is own
    assert regularizers.get(None) is None
    assert (regularizers.l1, regularizers.l2, regularizers.l1_l2) == (L1, L2, L1L2)
    assert regularizers.orthogonal_regularizer is OrthogonalRegularizer


def test_get_names_the_nearest():
    with pytest.raises(ValueError, match=r"^regularizer: received 'l1-l2'; .*; to fix it, use .*'l1_l2'"):
        regularizers.get("l1-l2")
    with pytest.raises(
        TypeError,
        match=r"regularizer: received 3; expected one of 'l1', 'l1_l2', 'l1l2', 'l2', 'orthogonal_regularizer'; to",
    ):
        regularizers.get(3)


def angles(w, factor, mode):
    """The penalty pair by pair."""
    vectors = [np.asarray(v, np.float64) for v in (w if mode == "rows" else w.T)]
    unit = [v / max(np.sqrt(np.sum(v * v)), 1e-7) for v in vectors]
    pairs = [abs(np.sum(unit[i] * unit[j])) for i in range(len(unit)) for j in range(i)]
    return factor * np.mean(pairs) if pairs else 0.0


@pytest.mark.parametrize("mode", ["rows", "columns"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (4, 4), (3, 7), (7, 3)])
def test_orthogonal_regularizer(mode, shape):
    w = np.random.default_rng(5).standard_normal(shape)
    regularizer = OrthogonalRegularizer(0.3, mode)
    np.testing.assert_allclose(regularizer(w), angles(w, 0.3, mode), rtol=1e-13, atol=1e-17)
    single = regularizer(w.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, angles(w, 0.3, mode), rtol=1e-5, atol=1e-8)


def test_orthogonal_regularizer_of_special_matrices():
    rows = OrthogonalRegularizer(1.0)
    assert float(rows(np.eye(4))) == 0.0
    assert float(rows(np.ones((2, 3)))) == pytest.approx(1.0, rel=1e-15)  # parallel
    assert float(rows(np.array([[0.0, 0.0], [1.0, 0.0]]))) == 0.0  # a vector without a direction
    assert float(rows([[1, 0], [1, 1]])) == pytest.approx(np.sqrt(0.5), rel=1e-15)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4), ()])
def test_orthogonal_regularizer_takes_matrices(shape):
    with pytest.raises(ValueError, match=r"^input of OrthogonalRegularizer: received .*; expected two axes"):
        OrthogonalRegularizer()(np.ones(shape))


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_gradient_of_the_orthogonal_regularizer(mode):
    """In C, against differences of the penalty pair by pair."""
    w = np.random.default_rng(6).standard_normal((4, 5)).astype(np.float32)
    variable = fastnn.Variable(w)
    step = fastnn.value_and_grad(lambda x: OrthogonalRegularizer(2.0, mode)(variable) + 0 * ops.sum(x), [variable])
    value, (gradient,) = step(np.ones((1, 1)))
    np.testing.assert_allclose(value, angles(w, 2.0, mode), rtol=1e-5)
    for i in np.ndindex(w.shape):
        moved = [w.astype(np.float64), w.astype(np.float64)]
        for sign, one in zip((1, -1), moved, strict=True):
            one[i] += sign * 1e-6
        expected = (angles(moved[0], 2.0, mode) - angles(moved[1], 2.0, mode)) / 2e-6
        assert gradient[i] == pytest.approx(expected, abs=1e-5)


def test_orthogonal_regularizer_of_activities():
    """The columns of a batch; its rows, whose number the layer does not know, are refused."""
    fastnn.set_random_seed(3)
    x = np.random.default_rng(7).standard_normal((12, 4)).astype(np.float32)
    model = fastnn.Sequential(
        [layers.Dense(3, input_shape=(4,), activity_regularizer=OrthogonalRegularizer(0.5, "columns"))]
    )
    model.compile("sgd", "mse")
    y = model.predict(x)
    expected = np.mean(np.square(y)) + angles(y, 0.5, "columns") / 12
    assert model.evaluate(x, 0 * y, batch_size=12, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert fastnn.gradient_check(model, x.astype(np.float64), 0.0 * y)
    with pytest.raises(ValueError, match=r"OrthogonalRegularizer: .*; expected a number of rows that is known"):
        layers.Dense(3, name="d", activity_regularizer=OrthogonalRegularizer())(fastnn.Input((4,)))


@pytest.mark.parametrize("made", [L1(0.5), L2(0.25), L1L2(0.5, 0.25), OrthogonalRegularizer(0.5, "columns")])
def test_serialize(made):
    described = json.loads(json.dumps(regularizers.serialize(made)))
    again = regularizers.deserialize(described)
    assert type(again) is type(made) and again.get_config() == made.get_config()


def test_penalties_are_told_apart_from_the_loss_of_the_data():
    """`losses` has them alone, kernels, biases and activities each for itself; the loss of training has all."""
    fastnn.set_random_seed(4)
    x = np.random.default_rng(8).standard_normal((6, 4)).astype(np.float32)
    kernel, bias, activity = OrthogonalRegularizer(0.5), L1(0.25), L2(0.125)
    dense = layers.Dense(
        3,
        "tanh",
        bias_initializer="ones",
        kernel_regularizer=kernel,
        bias_regularizer=bias,
        activity_regularizer=activity,
    )
    model = fastnn.Sequential([fastnn.Input((4,)), dense])
    model.compile("sgd", "mse", metrics=["mse"])
    y = model(x)
    w = dense.get_weights()[0]
    expected = [0.125 * np.sum(y.astype(np.float64) ** 2) / 6, angles(w, 0.5, "rows"), 0.75]
    np.testing.assert_allclose([float(loss) for loss in model.losses], expected, rtol=1e-5)
    loss, data = model.evaluate(x, np.zeros((6, 3)), batch_size=6, verbose=0)
    assert data == pytest.approx(np.mean(y.astype(np.float64) ** 2), rel=1e-6)
    assert loss - data == pytest.approx(sum(expected), rel=1e-5)


def test_base_class_asks_for_the_methods():
    with pytest.raises(NotImplementedError, match="Regularizer has no __call__"):
        Regularizer()(X)
    with pytest.raises(NotImplementedError, match="Regularizer has no get_config"):
        Regularizer().get_config()
