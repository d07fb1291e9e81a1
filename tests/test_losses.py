"""Losses mean what their formulas say, reduce and weight as Keras, and train the same in C and in NumPy."""

import math

import numpy as np
import pytest
from harness import ISAS, kernel, reference, same_bits

import fastnn
from fastnn import config, layers, losses, metrics, ops, optimizers
from fastnn.ops.table import OPS

RNG = np.random.default_rng(11)
SMALL = 1e-7  # below which Keras clips

# Each loss: the options of its class, targets and predictions it is made for, and its values by a formula in float64.


def numbers(shape):
    return RNG.standard_normal(shape), RNG.standard_normal(shape)


def positive(shape):
    return RNG.uniform(0.5, 5, shape), RNG.uniform(0.1, 5, shape)


def one_hot(shape):
    return np.eye(shape[-1])[RNG.integers(0, shape[-1], shape[:-1])]


def probabilities(shape):
    p = RNG.uniform(0.05, 1, shape)
    return one_hot(shape), p / p.sum(-1, keepdims=True)


def labelled(shape):
    t, p = probabilities(shape)
    return t.argmax(-1), p


def signed(shape):
    return 2.0 * RNG.integers(0, 2, shape) - 1, RNG.standard_normal(shape)


def bits(shape):
    return 1.0 * RNG.integers(0, 2, shape), RNG.uniform(0.05, 0.95, shape)


def normal(shape):
    return RNG.standard_normal(shape), RNG.standard_normal((*shape[:-1], 2 * shape[-1]))


def mean(x):
    return x.mean(-1)


def at(p, t):
    return np.take_along_axis(p, t[..., None], -1)[..., 0]


def entropy(t, p):
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def cosine(t, p, axis=-1):
    return -(t * p).sum(axis) / np.sqrt((t**2).sum(axis) * (p**2).sum(axis))


def categorical_hinge(t, p):
    return np.array([max(0.0, 1 + max((1 - a) * b) - a @ b) for a, b in zip(t, p, strict=True)])


def tversky(t, p, alpha, beta, axis=1):
    common = (t * p).sum(axis)
    return 1 - common / (common + alpha * (t * (1 - p)).sum(axis) + beta * (p * (1 - t)).sum(axis) + SMALL)


def gaussian(t, p):
    m, v = p[..., : t.shape[-1]], np.exp(p[..., t.shape[-1] :])
    return mean(-np.log(np.exp(-((t - m) ** 2) / (2 * v)) / np.sqrt(2 * math.pi * v)))


CASES = [
    ("MeanSquaredError", {}, numbers, lambda t, p: mean((t - p) ** 2)),
    ("MeanAbsoluteError", {}, numbers, lambda t, p: mean(abs(t - p))),
    ("MeanAbsolutePercentageError", {}, positive, lambda t, p: mean(100 * abs(t - p) / t)),
    ("MeanSquaredLogarithmicError", {}, positive, lambda t, p: mean(np.log((1 + t) / (1 + p)) ** 2)),
    (
        "Huber",
        {"delta": 0.7},
        numbers,
        lambda t, p: mean(np.where(abs(t - p) < 0.7, (t - p) ** 2 / 2, 0.7 * abs(t - p) - 0.245)),
    ),
    ("LogCosh", {}, numbers, lambda t, p: mean(np.log(np.cosh(p - t)))),
    ("Quantile", {"quantile": 0.8}, numbers, lambda t, p: mean(np.where(t > p, 0.8 * (t - p), 0.2 * (p - t)))),
    ("GaussianNLL", {"full": True}, normal, gaussian),
    ("CosineSimilarity", {}, numbers, cosine),
    ("Hinge", {}, signed, lambda t, p: mean(np.maximum(0, 1 - t * p))),
    ("SquaredHinge", {}, signed, lambda t, p: mean(np.maximum(0, 1 - t * p) ** 2)),
    ("CategoricalHinge", {}, probabilities, categorical_hinge),
    ("BinaryCrossentropy", {}, bits, lambda t, p: mean(entropy(t, p))),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, bits, lambda t, p: mean(entropy(0.8 * t + 0.1, p))),
    ("BinaryCrossentropy", {"from_logits": True}, signed, lambda t, z: mean(np.log(1 + np.exp(z)) - z * t)),
    (
        "BinaryFocalCrossentropy",
        {"gamma": 1.5, "alpha": 0.3, "apply_class_balancing": True},
        bits,
        lambda t, p: mean(np.where(t == 1, 0.3 * -((1 - p) ** 1.5) * np.log(p), 0.7 * -(p**1.5) * np.log(1 - p))),
    ),
    ("CategoricalCrossentropy", {}, probabilities, lambda t, p: -(t * np.log(p)).sum(-1)),
    (
        "CategoricalCrossentropy",
        {"label_smoothing": 0.3},
        probabilities,
        lambda t, p: -((0.7 * t + 0.1) * np.log(p)).sum(-1),
    ),
    (
        "CategoricalFocalCrossentropy",
        {"gamma": 2.5, "alpha": 0.4},
        probabilities,
        lambda t, p: -(t * 0.4 * (1 - p) ** 2.5 * np.log(p)).sum(-1),
    ),
    ("SparseCategoricalCrossentropy", {}, labelled, lambda t, p: -np.log(at(p, t))),
    (
        "SparseCategoricalCrossentropy",
        {"from_logits": True},
        labelled,
        lambda t, z: np.log(np.exp(z).sum(-1)) - at(z, t),
    ),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.6}, labelled, lambda t, p: (1 - at(p, t) ** 0.6) / 0.6),
    (
        "KLDivergence",
        {},
        probabilities,
        lambda t, p: (np.clip(t, SMALL, 1) * np.log(np.clip(t, SMALL, 1) / p)).sum(-1),
    ),
    ("Poisson", {}, positive, lambda t, p: mean(p - t * np.log(p + SMALL))),
    ("Dice", {"axis": 1}, bits, lambda t, p: 1 - 2 * (t * p).sum(1) / (t.sum(1) + p.sum(1) + SMALL)),
    ("Tversky", {"alpha": 0.3, "beta": 0.8, "axis": 1}, bits, lambda t, p: tversky(t, p, 0.3, 0.8)),
    ("ZeroOne", {}, probabilities, lambda t, p: 1.0 * (t.argmax(-1) != p.argmax(-1))),
    ("SparseZeroOne", {}, labelled, lambda t, p: 1.0 * (t != p.argmax(-1))),
]
IDS = [f"{name}-{options}" for name, options, *_ in CASES]
EACH = pytest.mark.parametrize(("name", "options", "draw", "formula"), CASES, ids=IDS)


def test_every_loss_has_a_formula():
    classes = {c for c in losses.NAMES.values() if isinstance(c, type)}
    assert {c.__name__ for c in classes} == {name for name, *_ in CASES}


@EACH
def test_values_in_float64(name, options, draw, formula):
    """Keras' bound 1e-7 is that of float32 here, which is 1e-15 away: it moves logarithms of it by 1e-8."""
    t, p = draw((7, 3))
    found = getattr(losses, name)(**options, reduction="none", dtype="float64")(t, p)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, formula(t, p), rtol=1e-7, atol=1e-12)


@EACH
def test_functions_and_classes_agree_in_either_type(name, options, draw, formula):
    t, p = draw((6, 3))
    for dtype in (np.float32, np.float64):
        made = getattr(losses, name)(**options, reduction=None, dtype=dtype)
        values = made.function(t, p.astype(dtype), **options)
        assert values.dtype == dtype and values.shape == (6,)
        assert np.array_equal(values, made(t, p.astype(dtype)))
    wanted = getattr(losses, name)(**options)(t, p)  # in the type of config.floatx()
    assert wanted.dtype == np.float32 and np.isclose(wanted, formula(t, p).mean(), rtol=1e-5)


ALONG = [
    ("CosineSimilarity", {}, numbers, lambda t, p: cosine(t, p, 1)),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, bits, lambda t, p: entropy(0.8 * t + 0.1, p).mean(1)),
    ("BinaryFocalCrossentropy", {"gamma": 0}, bits, lambda t, p: entropy(t, p).mean(1)),
    ("Dice", {}, bits, lambda t, p: 1 - 2 * (t * p).sum(1) / (t.sum(1) + p.sum(1) + SMALL)),
    ("Tversky", {}, bits, lambda t, p: tversky(t, p, 0.5, 0.5)),
]


@pytest.mark.parametrize(("name", "options", "draw", "formula"), ALONG, ids=[case[0] for case in ALONG])
def test_other_axes(name, options, draw, formula):
    t, p = draw((4, 5, 3))
    made = getattr(losses, name)(**options, axis=1, reduction="none")
    np.testing.assert_allclose(made(t, p), formula(t, p), rtol=1e-6)
    model = fastnn.Sequential([layers.Lambda(lambda x: x * 1.0, input_shape=(5, 3))])
    model.compile("sgd", getattr(losses, name)(**options, axis=1))
    assert np.isclose(model.evaluate(p, t, verbose=0), formula(t, p).mean(), rtol=1e-5)


@pytest.mark.parametrize("name", ["CategoricalCrossentropy", "CategoricalFocalCrossentropy"])
@pytest.mark.parametrize("axis", [0, 1, -2])
def test_classes_along_another_axis(name, axis):
    t, p = probabilities((4, 5, 3))
    wanted = getattr(losses, name)(reduction="none", dtype="float64")(t, p)
    t, p = np.moveaxis(t, -1, axis), np.moveaxis(p, -1, axis)
    found = getattr(losses, name)(axis=axis, reduction="none").call(t, p)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    if axis:
        softmax = layers.Softmax(axis, input_shape=p.shape[1:])
        model = fastnn.Sequential([softmax])
        model.compile("sgd", getattr(losses, name)(axis=axis))
        assert np.isclose(model.evaluate(np.log(p), t, verbose=0), wanted.mean(), rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_labels_along_another_axis_on_arrays(axis):
    t, p = labelled((4, 5, 3))
    found = losses.SparseCategoricalCrossentropy(axis=axis, reduction="none")(t, np.moveaxis(p, -1, axis))
    np.testing.assert_allclose(found, -np.log(at(p, t)), rtol=1e-6)


# Reductions and weights

T, P = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 3))
V = ((T - P) ** 2).mean(-1)
W = np.array([0.5, 2.0, 0.0, 3.0])
REDUCED = {
    "sum_over_batch_size": lambda v, w: (v * w).sum() / 4,
    "mean": lambda v, w: (v * w).sum() / 4,
    "sum": lambda v, w: (v * w).sum(),
    "mean_with_sample_weight": lambda v, w: (v * w).sum() / w.sum(),
    "none": lambda v, w: v * w,
    None: lambda v, w: v * w,
}


@pytest.mark.parametrize("reduction", REDUCED)
@pytest.mark.parametrize("weights", [None, W, W[:, None], 2.5], ids=["none", "vector", "column", "number"])
def test_reductions(reduction, weights):
    w = np.ones(4) if weights is None else np.broadcast_to(np.ravel(weights), 4)
    found = losses.MeanSquaredError(reduction, dtype="float64")(T, P, weights)
    np.testing.assert_allclose(found, REDUCED[reduction](V, w), rtol=1e-12)


def test_weights_of_positions():
    """Of values of shape (samples, positions): one for each, or one for each sample."""
    t, p = RNG.standard_normal((4, 5, 3)), RNG.standard_normal((4, 5, 3))
    values, each = ((t - p) ** 2).mean(-1), RNG.uniform(0, 2, (4, 5))
    made = losses.MeanSquaredError("mean_with_sample_weight")
    assert np.isclose(made(t, p, each), (values * each).sum() / each.sum())
    assert np.isclose(made(t, p, W), (values * W[:, None]).sum() / (5 * W.sum()))
    assert np.isclose(losses.MeanSquaredError()(t, p, each[:, :, None]), (values * each).mean())


def test_weights_of_zero_give_a_loss_of_zero():
    assert losses.MeanSquaredError("mean_with_sample_weight")(T, P, np.zeros(4)) == 0


def test_a_last_axis_of_one_more_or_less():
    t, p = RNG.standard_normal(5), RNG.standard_normal(5)
    for a, b in ((t, p[:, None]), (t[:, None], p)):
        assert np.isclose(losses.MeanAbsoluteError()(a, b), abs(t - p).mean())
        np.testing.assert_allclose(losses.mean_absolute_error(a, b), abs(t - p))
    labels = np.array([[0], [2], [1], [1]])
    p = RNG.uniform(0.1, 1, (4, 3))
    wanted = losses.sparse_categorical_crossentropy(labels[:, 0], p)
    assert np.array_equal(losses.sparse_categorical_crossentropy(labels, p), wanted)


# Training


def data_of(draw, rows=40):
    """Inputs, and targets of the kind that a loss is made for, three columns or labels of three classes."""
    return RNG.standard_normal((rows, 4)).astype(np.float32), draw((rows, 3))[0]


OUTPUTS = {  # activation and number of units of the layer before the loss, by the kind of data
    numbers: ("linear", 3),
    positive: ("softplus", 3),
    probabilities: ("softmax", 3),
    labelled: ("softmax", 3),
    signed: ("linear", 3),
    bits: ("sigmoid", 3),
    normal: ("linear", 6),
}
TRAINED = [case for case in CASES if "ZeroOne" not in case[0]]


def trained(loss, activation, units, x, y, eagerly=False, rate=0.05, **options):
    """Losses of two epochs, and the weights after them."""
    fastnn.set_random_seed(2)
    hidden = layers.Dense(5, "tanh", input_shape=(4,))
    model = fastnn.Sequential([hidden, layers.Dense(units, activation)])
    model.compile(optimizers.SGD(rate), loss, run_eagerly=eagerly)
    history = model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0, **options).history["loss"]
    return np.concatenate([history, *map(np.ravel, model.get_weights())])


@pytest.mark.parametrize(("name", "options", "draw", "formula"), TRAINED, ids=[f"{c[0]}-{c[1]}" for c in TRAINED])
def test_each_loss_trains_in_c_as_in_numpy_and_float64(name, options, draw, formula):
    """Six steps; the float64 run says how far roundings carry, which are some tens of 2^-24 a step."""
    x, y = data_of(draw)
    activation = "linear" if options.get("from_logits") else OUTPUTS[draw][0]
    runs = []
    for eagerly in (False, True):
        loss = getattr(losses, name)(**options)
        runs.append(trained(loss, activation, OUTPUTS[draw][1], x, y, eagerly, 0.001 if "Perc" in name else 0.05))
    config.set_floatx("float64")
    try:
        loss = getattr(losses, name)(**options)
        exact = trained(loss, activation, OUTPUTS[draw][1], x, y, True, 0.001 if "Perc" in name else 0.05)
    finally:
        config.set_floatx("float32")
    for run in runs:
        np.testing.assert_allclose(run, exact, rtol=2e-5, atol=2e-5)
    fastnn.set_random_seed(2)
    assert np.abs(exact[2:] - trained_start(OUTPUTS[draw][1], activation)).max() > 1e-3  # something was learned


def trained_start(units, activation):
    fastnn.set_random_seed(2)
    model = fastnn.Sequential([layers.Dense(5, "tanh", input_shape=(4,)), layers.Dense(units, activation)])
    return np.concatenate([np.ravel(w) for w in model.get_weights()])


@pytest.mark.parametrize(("name", "options", "draw", "formula"), TRAINED, ids=[f"{c[0]}-{c[1]}" for c in TRAINED])
def test_gradients_by_differences(name, options, draw, formula):
    """At random weights, none of the kinks is as near as a difference reaches."""
    x, y = data_of(draw, 8)
    activation = "linear" if options.get("from_logits") else OUTPUTS[draw][0]
    fastnn.set_random_seed(4)
    hidden = layers.Dense(5, "tanh", input_shape=(4,))
    model = fastnn.Sequential([hidden, layers.Dense(OUTPUTS[draw][1], activation)])
    model.compile("sgd", getattr(losses, name)(**options))
    report = fastnn.gradient_check(model, x, y)
    assert report.ok, report


def step_of(loss, weights=None, mask=slice(None)):
    """The bias of a layer after one step from zero with rate 1 on targets, which is minus the gradient."""
    x, y = np.zeros((4, 2), np.float32), T
    model = fastnn.Sequential([layers.Dense(3, kernel_initializer="zeros", input_shape=(2,))])
    model.compile(optimizers.SGD(1.0), loss)
    logged = model.fit(x[mask], y[mask], sample_weight=weights, shuffle=False, verbose=0).history["loss"][0]
    return logged, model.get_weights()[1]


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
def test_reductions_in_training(reduction, weights):
    """Of squared errors of predictions of 0: the mean of T^2, with the slope -2 T / 3."""
    w = np.ones(4) if weights is None else weights
    logged, bias = step_of(losses.MeanSquaredError(reduction), weights)
    assert np.isclose(logged, REDUCED[reduction]((T**2).mean(-1), w), rtol=1e-6)
    seeds = w / {"sum": 1, "mean_with_sample_weight": w.sum()}.get(reduction, 4)
    np.testing.assert_allclose(bias, (seeds[:, None] * 2 * T / 3).sum(0), rtol=1e-5, atol=1e-7)


def test_weights_of_zero_train_nothing():
    logged, bias = step_of(losses.MeanSquaredError("mean_with_sample_weight"), np.zeros(4))
    assert logged == 0 and not bias.any()


def test_weighted_means_of_several_batches():
    """Each batch has the mean of its own weights; the epoch weights batches by their samples, as Keras does."""
    model = fastnn.Sequential([layers.Dense(3, kernel_initializer="zeros", input_shape=(2,))])
    model.compile(optimizers.SGD(0.0), losses.MeanSquaredError("mean_with_sample_weight"))
    x, v = np.zeros((4, 2), np.float32), (T**2).mean(-1)
    wanted = (3 * (v[:3] * W[:3]).sum() / W[:3].sum() + v[3]) / 4
    for run in (model.fit(x, T, 3, sample_weight=W, shuffle=False, verbose=0).history["loss"][0],):
        assert np.isclose(run, wanted, rtol=1e-6)
    assert np.isclose(model.evaluate(x, T, 3, sample_weight=W, verbose=0), wanted, rtol=1e-6)


@pytest.mark.parametrize("ignored", [-1, 1, 255])
@pytest.mark.parametrize("logits", [False, True], ids=["softmax", "logits"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_ignored_labels_are_as_if_they_were_not_there(ignored, logits, reduction):
    """One step on all samples, and on those alone that are not ignored: the same loss, the same weights."""
    x = RNG.standard_normal((12, 4)).astype(np.float32)
    y, weights = RNG.integers(0, 2, 12) * 2, RNG.uniform(0.5, 2, 12)
    y[[1, 4, 5]] = ignored
    kept = y != ignored
    results = []
    for label, use in ((ignored, np.full(12, True)), (None, kept)):
        fastnn.set_random_seed(1)
        model = fastnn.Sequential([layers.Dense(3, None if logits else "softmax", input_shape=(4,))])
        loss = losses.SparseCategoricalCrossentropy(logits, label, reduction)
        model.compile(optimizers.SGD(0.5), loss)
        given = weights if reduction == "mean_with_sample_weight" else None
        options = {"sample_weight": None if given is None else given[use]}
        before = loss(y[use], model.predict(x[use], verbose=0), **options)
        logged = model.fit(x[use], y[use], batch_size=12, verbose=0, **options).history["loss"][0]
        assert np.isclose(logged, before, rtol=1e-5)
        results.append(np.concatenate([[logged], *map(np.ravel, model.get_weights())]))
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)


def test_all_labels_ignored():
    model = fastnn.Sequential([layers.Dense(3, "softmax", input_shape=(4,))])
    model.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=-1))
    before = model.get_weights()
    assert model.fit(np.ones((4, 4)), np.full(4, -1), verbose=0).history["loss"][0] == 0
    assert all(map(np.array_equal, before, model.get_weights()))


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("eagerly", [False, True])
def test_hinge_reads_zeros_and_ones_as_signs(name, eagerly):
    """Where all are 0 or 1; a single other number leaves them."""
    x, y = RNG.standard_normal((16, 4)).astype(np.float32), 1.0 * RNG.integers(0, 2, (16, 1))
    runs = [trained(name, "linear", 1, x, target, eagerly) for target in (y, 2 * y - 1)]
    assert np.array_equal(*runs)
    mixed = y.copy()
    mixed[0] = 0.5
    function = getattr(losses, name)
    np.testing.assert_allclose(function(mixed, y), np.maximum(0, 1 - mixed * y)[:, 0] ** (1 + ("squ" in name)))


def test_a_normal_distribution_is_learned():
    """Noise whose size depends on the sign of x: means and variances of both halves are found."""
    x = np.where(np.arange(400) % 2, 1.0, -1.0)[:, None].astype(np.float32)
    y = (3 * x + np.where(x > 0, 2.0, 0.5) * RNG.standard_normal((400, 1))).astype(np.float32)
    fastnn.set_random_seed(0)
    model = fastnn.Sequential([layers.Dense(2, input_shape=(1,))])
    model.compile(optimizers.Adam(0.05), "gaussian_nll")
    model.fit(x, y, epochs=60, verbose=0)
    (m1, v1), (m0, v0) = model.predict(np.array([[1.0], [-1.0]]), verbose=0)
    for m, v, part in ((m1, v1, y[x > 0]), (m0, v0, y[x < 0])):
        assert abs(m - part.mean()) < 0.2 and abs(np.exp(v / 2) - part.std()) < 0.2


@pytest.mark.parametrize("q", [0.1, 0.5, 0.8])
def test_a_quantile_is_learned(q):
    y = RNG.exponential(1, (500, 1)).astype(np.float32)
    model = fastnn.Sequential([layers.Dense(1, input_shape=(1,))])
    model.compile(optimizers.Adam(0.02), losses.Quantile(q))
    model.fit(np.zeros((500, 1)), y, epochs=60, verbose=0)
    below = (y < model.get_weights()[1]).mean()
    assert abs(below - q) < 0.05


# Zero-one


def test_zero_one_evaluates_and_is_a_metric():
    x, y = RNG.standard_normal((50, 4)).astype(np.float32), RNG.integers(0, 3, 50)
    model = fastnn.Sequential([layers.Dense(3, "softmax", input_shape=(4,))])
    wrong = (model.predict(x, verbose=0).argmax(-1) != y).mean()
    for loss, target in (("zero_one", np.eye(3)[y]), ("sparse_zero_one", y)):
        model.compile("sgd", loss, metrics=[loss])
        assert np.allclose(model.evaluate(x, target, verbose=0), [wrong, wrong])
        assert np.isclose(losses.get(loss)(target, model.predict(x, verbose=0)), wrong)
        assert np.isclose(metrics.get(loss)(target, model.predict(x, verbose=0)), wrong)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["sparse_zero_one", "accuracy"])
    history = model.fit(x, y, verbose=0).history
    assert np.isclose(history["sparse_zero_one"][0], 1 - history["accuracy"][0])


def test_zero_one_of_one_column():
    t, p = np.array([[0.0], [1.0], [1.0]]), np.array([[0.3], [0.6], [0.4]])
    assert losses.zero_one(t, p).tolist() == [0, 0, 1]
    assert losses.zero_one(t, p, threshold=0.7).tolist() == [0, 1, 1]


def test_scikit_learn_agrees():
    scores = pytest.importorskip("sklearn.metrics")
    t, p = labelled((60, 3))
    assert np.isclose(losses.SparseZeroOne()(t, p), scores.zero_one_loss(t, p.argmax(-1)))
    t, p = numbers((60, 2))
    for q in (0.1, 0.5, 0.9):
        assert np.isclose(losses.Quantile(q)(t, p), scores.mean_pinball_loss(t, p, alpha=q), rtol=1e-12)
    t, p = signed((60, 1))
    assert np.isclose(losses.Hinge()(t, p), scores.hinge_loss(t[:, 0], p[:, 0]))


@pytest.mark.parametrize("full", [False, True])
def test_torch_agrees_about_normal_distributions(full):
    """Values and gradients; PyTorch takes variances, of which it raises none above 1e-6."""
    torch = pytest.importorskip("torch")
    t, p = normal((6, 3))
    predicted = torch.tensor(p, requires_grad=True)
    loss = torch.nn.GaussianNLLLoss(full=full)(predicted[:, :3], torch.tensor(t), torch.exp(predicted[:, 3:]))
    loss.backward()
    config.set_floatx("float64")
    try:
        made = losses.GaussianNLL(full)
        assert np.isclose(made(t, p), loss.item(), rtol=1e-12)
        found, (gradient,) = fastnn.value_and_grad(made, [1])(t, p)
    finally:
        config.set_floatx("float32")
    assert np.isclose(found, loss.item(), rtol=1e-12)
    np.testing.assert_allclose(gradient, predicted.grad.numpy(), rtol=1e-10, atol=1e-12)


# Names and configurations


def test_names():
    for name, made in losses.NAMES.items():
        assert type(losses.get(name)) is made and isinstance(metrics.get(name), metrics.Metric)
    for short, name in {"MSE": "mean_squared_error", "mape": "mean_absolute_percentage_error"}.items():
        assert getattr(losses, short) is getattr(losses, name)
    for short in ("mae", "msle", "bce", "kld", "logcosh", "KLD", "BCE", "kullback_leibler_divergence"):
        assert losses.get(short).function is getattr(losses, short)


@EACH
def test_configurations(name, options, draw, formula):
    made = getattr(losses, name)(**options, reduction="sum", name="mine", dtype="float64")
    again = losses.deserialize(losses.serialize(made))
    assert type(again) is type(made) and again.get_config() == made.get_config()
    assert made.get_config() == made.get_config() | options | {"name": "mine", "reduction": "sum", "dtype": "float64"}
    t, p = draw((5, 3))
    assert again(t, p) == made(t, p)
    plain = getattr(losses, name)()
    assert "dtype" not in plain.get_config() and losses.get({"class_name": name}).get_config() == plain.get_config()


def test_configurations_of_functions():
    made = losses.LossFunction(losses.huber, "mine", delta=0.3)
    again = losses.deserialize(losses.serialize(made))
    assert again.function is losses.huber and again.arguments == {"delta": 0.3} and again.name == "mine"
    assert losses.serialize(losses.hinge) == "hinge" and losses.deserialize("hinge").function is losses.hinge
    assert losses.deserialize({"class_name": "function", "config": "hinge"}).function is losses.hinge

    def own(y_true, y_pred):
        return ops.mean(ops.square(y_pred - y_true), axis=-1) * 3.0

    found = losses.deserialize("own", custom_objects={"own": own})
    assert np.isclose(found(T, P), 3 * V.mean())


# Kernels

MEANS = [name for name, row in OPS.items() if row.kind == "loss" and "categorical" not in name]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", MEANS)
def test_rows_of_one_element_are_done_like_others(name, isa):
    """Sixteen at a time, one of them NaN, which stays alone; a sum has no -0."""
    row = OPS[name]
    (y, t), attrs = row.example(np.random.default_rng(0), 37, 1)
    y[5] = np.nan
    found = kernel(row, (y, t), attrs, isa, threads=2)[0]
    pairs = kernel(row, (np.repeat(y, 2, 1), np.repeat(t, 2, 1)), attrs, isa)[0]
    np.testing.assert_allclose(found, pairs, rtol=1e-6)
    assert np.isnan(found[5]) and np.isnan(found).sum() == 1
    alone = [kernel(row, (y[i : i + 1], t[i : i + 1]), attrs, isa)[0] for i in range(37)]
    assert same_bits(found, np.concatenate(alone))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("width", [1, 2, 17])
def test_no_loss_is_a_negative_zero(width, isa):
    """Of the products q e and (q - 1) e of e = 0 one is -0, to which lanes add +0."""
    zeros = np.zeros((20, width))
    assert not np.signbit(kernel(OPS["pinball"], (zeros, zeros), {"quantile": 0.5}, isa)[0]).any()


def test_log_cosh_keeps_digits_near_zero_and_far_away():
    """Of e = 1e-4 the value is 5e-9 (e^2 / 2 - e^4 / 12), where e + log1p(e^-2e) - log 2 has no digit in float32."""
    e = np.array([[1e-6], [1e-4], [0.01], [0.9], [1.1], [50.0], [1e30]], np.float32)
    exact = [5e-13, 5e-9, *(math.log(math.cosh(a)) for a in e[2:5, 0].tolist()), 50 - math.log(2), 1e30]
    for found in (kernel(OPS["log_cosh"], (e, 0 * e), {})[0], reference(OPS["log_cosh"], (e, 0 * e), {})[0]):
        np.testing.assert_allclose(found, exact, rtol=2e-5)


def test_predictions_beyond_float32_are_infinite_without_a_warning():
    assert losses.MeanSquaredError()(np.zeros((1, 1)), np.full((1, 1), 1e300)) == np.inf
