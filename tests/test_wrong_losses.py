"""Every wrong call of a loss: the right type, a message of four parts, and nothing changed by it."""

import math

import numpy as np
import pytest
from test_wrong_calls import HOT, MODELS, PARTS, X, Y, state

import fastnn
from fastnn import layers, losses, ops

VALUES = X[:, :3]


def fit(loss, y=HOT, activation="softmax", units=3, **options):
    """Train a model of its own; state() of the other one says that nothing else changed."""
    made = fastnn.Sequential([layers.Dense(units, activation, input_shape=(4,), name="d")])
    made.compile("sgd", loss)
    weights = made.get_weights()
    try:
        made.fit(X, y, verbose=0, **options)
    finally:
        assert all(map(np.array_equal, weights, made.get_weights())) and made.optimizer.iterations == 0


def positions(loss, y):
    """Train a model with outputs of shape (3, 3), of which axis 1 holds the classes."""
    made = fastnn.Sequential([layers.Dense(9, input_shape=(4,)), layers.Reshape((3, 3))])
    made.compile("sgd", loss)
    made.fit(X, y, verbose=0)


# Title, the call, the error's type, and how its message begins.
CALLS = [
    ("training with zero-one", lambda: fit("zero_one"), ValueError, "loss: received 'zero_one'; expected a loss with"),
    ("with labels", lambda: fit("sparse_zero_one", Y), ValueError, "loss: received 'sparse_zero_one'"),
    ("softmax and hinge", lambda: fit("hinge"), ValueError, "loss 'hinge': received the output of a softmax"),
    ("softmax and squared hinge", lambda: fit("squared_hinge"), ValueError, "loss 'squared_hinge': received the"),
    ("an unknown name", lambda: losses.get("hubber"), ValueError, "loss: received 'hubber'"),
    ("a number as name", lambda: losses.get(3), TypeError, "loss: received 3"),
    ("an unknown class", lambda: losses.get({"class_name": "Hubber"}), ValueError, "loss: received 'Hubber'"),
    (
        "an unknown function",
        lambda: losses.get({"class_name": "LossFunction", "config": {"function": "f"}}),
        ValueError,
        "loss function: received 'f'",
    ),
    ("no configuration", lambda: losses.get({"class_name": "Huber", "config": 3}), TypeError, "config of Huber"),
    ("custom objects", lambda: losses.deserialize("mse", ["mse"]), TypeError, "custom_objects: received ['mse']"),
    ("an own function", lambda: losses.serialize(len), ValueError, "loss function: received"),
    ("a name to serialize", lambda: losses.serialize("mse"), TypeError, "loss: received 'mse'"),
    ("a class to serialize", lambda: losses.serialize(losses.Huber), TypeError, "loss: received <class"),
    ("a reduction", lambda: losses.Huber(reduction="average"), ValueError, "reduction: received 'average'"),
    ("a number as reduction", lambda: losses.Poisson(3), TypeError, "reduction: received 3"),
    ("half precision", lambda: losses.MeanSquaredError(dtype="float16"), ValueError, "dtype: received 'float16'"),
    ("integers as dtype", lambda: losses.MeanSquaredError(dtype=np.int32), ValueError, "dtype: received 'int32'"),
    ("no name", lambda: losses.LogCosh(name=""), TypeError, "name: received ''"),
    ("delta of zero", lambda: losses.Huber(0), ValueError, "delta: received 0"),
    ("negative delta", lambda: losses.huber(VALUES, VALUES, -1.0), ValueError, "delta: received -1.0"),
    ("infinite delta", lambda: losses.huber(VALUES, VALUES, math.inf), ValueError, "delta: received inf"),
    ("delta as text", lambda: losses.Huber("1"), TypeError, "delta: received '1'"),
    ("quantile of 1", lambda: losses.Quantile(1), ValueError, "quantile: received 1"),
    ("quantile of 0", lambda: losses.quantile(VALUES, VALUES, 0.0), ValueError, "quantile: received 0.0"),
    ("quantile in percent", lambda: losses.Quantile(quantile=90), ValueError, "quantile: received 90"),
    ("smoothing", lambda: losses.CategoricalCrossentropy(label_smoothing=1.5), ValueError, "label_smoothing: received"),
    ("negative smoothing", lambda: losses.BinaryFocalCrossentropy(label_smoothing=-0.1), ValueError, "label_smoothing"),
    ("alpha above 1", lambda: losses.BinaryFocalCrossentropy(alpha=2), ValueError, "alpha: received 2"),
    ("negative gamma", lambda: losses.CategoricalFocalCrossentropy(gamma=-1), ValueError, "gamma: received -1"),
    (
        "gamma NaN",
        lambda: losses.binary_focal_crossentropy(HOT, HOT, gamma=math.nan),
        ValueError,
        "gamma: received nan",
    ),
    ("balancing", lambda: losses.BinaryFocalCrossentropy("yes"), TypeError, "apply_class_balancing: received 'yes'"),
    ("from logits", lambda: losses.SparseCategoricalCrossentropy("no"), TypeError, "from_logits: received 'no'"),
    (
        "half a class",
        lambda: losses.SparseCategoricalCrossentropy(ignore_class=0.5),
        TypeError,
        "ignore_class: received",
    ),
    ("q of 1", lambda: losses.CategoricalGeneralizedCrossEntropy(1.0), ValueError, "q: received 1.0"),
    ("factors of overlaps", lambda: losses.Tversky(-1), ValueError, "alpha: received -1"),
    ("beta as text", lambda: losses.tversky(HOT, HOT, beta="a"), TypeError, "beta: received 'a'"),
    (
        "an array as axis",
        lambda: losses.sparse_categorical_crossentropy([0], [[1.0]], axis=np.zeros(0)),
        TypeError,
        "axis: received",
    ),
    ("axis as text", lambda: losses.Dice(axis="all"), TypeError, "axis: received 'all'"),
    ("half an axis", lambda: losses.CosineSimilarity(0.5), TypeError, "axis: received 0.5"),
    ("no such axis", lambda: losses.CosineSimilarity(2)(VALUES, VALUES), ValueError, "axis: received 2"),
    ("a flag as axis", lambda: losses.categorical_crossentropy(HOT, HOT, axis=True), TypeError, "axis: received True"),
    ("the axis of the batch", lambda: fit(losses.CosineSimilarity(axis=0), VALUES), ValueError, "axis: received 0"),
    ("and of classes", lambda: fit(losses.CategoricalCrossentropy(axis=0)), ValueError, "axis: received 0"),
    (
        "labels along another axis",
        lambda: positions(losses.SparseCategoricalCrossentropy(axis=1), Y[:, None] % 2 + [0, 0, 0]),
        ValueError,
        "axis of loss",
    ),
    ("the threshold", lambda: losses.ZeroOne(threshold="half"), TypeError, "threshold: received 'half'"),
    (
        "an odd number of columns",
        lambda: losses.GaussianNLL()(HOT, HOT),
        ValueError,
        "predictions: received shape (12, 3)",
    ),
    ("an odd number of units", lambda: fit("gaussian_nll", VALUES, None), ValueError, "predictions: received shape"),
    (
        "targets of the size of predictions",
        lambda: losses.gaussian_nll(X, X),
        ValueError,
        "y_true: received targets of 4",
    ),
    ("the constant", lambda: losses.GaussianNLL(full=2), TypeError, "full: received 2"),
    ("other weights", lambda: losses.Huber()(VALUES, VALUES, np.ones(3)), ValueError, "sample_weight: received"),
    (
        "weights of columns",
        lambda: losses.Huber()(VALUES, VALUES, np.ones((12, 3))),
        ValueError,
        "sample_weight: received",
    ),
    ("weights as text", lambda: losses.Huber()(VALUES, VALUES, "ones"), TypeError, "sample_weight: received"),
    (
        "negative weights of classes",
        lambda: fit("mse", class_weight={0: -1.0}),
        ValueError,
        "class_weight: received -1",
    ),
    (
        "negative weights of samples",
        lambda: fit("mse", sample_weight=-np.ones(12)),
        ValueError,
        "sample_weight: received a",
    ),
    (
        "an ignored class of others",
        lambda: fit(losses.SparseCategoricalCrossentropy(ignore_class=-1), Y - 2),
        ValueError,
        "y: received labels from -2",
    ),
    ("weights of a batch", lambda: fit("dice", sample_weight=np.ones(12)), TypeError, "loss 'dice': received"),
    ("more rows than predictions", lambda: losses.log_cosh(VALUES, VALUES[:5]), ValueError, "shape: received"),
    ("no numbers", lambda: losses.poisson("a", VALUES), TypeError, "y_true: received 'a'"),
    (
        "no axis of classes",
        lambda: losses.categorical_generalized_cross_entropy(1, 0.5),
        ValueError,
        "y_pred: received array(0.5)",
    ),
    ("half a label", lambda: losses.sparse_zero_one([0.5] * 12, HOT), ValueError, "y_true: received"),
    ("text as attribute", lambda: ops.huber(VALUES, VALUES, delta="1"), TypeError, "delta: received '1'"),
]


@pytest.mark.parametrize(("call", "error", "begins"), [pytest.param(*c[1:], id=c[0]) for c in CALLS])
def test_wrong_calls(call, error, begins):
    model = MODELS["model"]()
    before = state(model)
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is error and PARTS.fullmatch(message) and begins in message, message
    assert state(model) == before


def test_one_class_is_warned_of():
    for function in (losses.categorical_crossentropy, losses.categorical_focal_crossentropy):
        with pytest.warns(SyntaxWarning, match="of a single class; for two classes with one output use"):
            function(HOT[:, :1], HOT[:, :1])
