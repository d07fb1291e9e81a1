"""Losses beside those of Keras on JAX: values, gradients, reductions, weights, training, configurations."""

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
jax = pytest.importorskip("jax")
keras = pytest.importorskip("keras")

import fastnn  # noqa: E402
from fastnn import losses  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras, about NumPy

RNG = np.random.default_rng(12)
SHAPE = (5, 4, 3)
# Both in float32: some ten roundings of 2^-24, relative to the terms; where these cancel, to the largest of them.
CLOSE = {"rtol": 5e-6, "atol": 2e-6}

P = RNG.uniform(0.05, 0.95, SHAPE).astype(np.float32)
Z = (3 * RNG.standard_normal(SHAPE)).astype(np.float32)
BITS = RNG.integers(0, 2, SHAPE).astype(np.float32)
LABELS = RNG.integers(0, 3, SHAPE[:-1])
HOT = np.eye(3, dtype=np.float32)[LABELS]
T = RNG.uniform(0.2, 3, SHAPE).astype(np.float32)

CASES = [
    *[(name, {}, T, Z) for name in ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError")],
    ("MeanSquaredLogarithmicError", {}, T, Z),  # negative predictions, too
    ("Huber", {}, T, Z),
    ("Huber", {"delta": 0.3}, T, Z),
    ("LogCosh", {}, T, Z),
    ("CosineSimilarity", {}, T, Z),
    ("CosineSimilarity", {"axis": 1}, T, Z),
    ("Hinge", {}, BITS, Z),
    ("Hinge", {}, 2 * BITS - 1, Z),
    ("Hinge", {}, T, Z),
    ("SquaredHinge", {}, BITS, Z),
    ("CategoricalHinge", {}, HOT, Z),
    ("KLDivergence", {}, P[::-1], P),
    ("KLDivergence", {}, HOT, P),
    ("Poisson", {}, T, P),
    ("BinaryCrossentropy", {}, BITS, P),
    ("BinaryCrossentropy", {"label_smoothing": 0.1, "axis": 1}, BITS, P),
    ("BinaryCrossentropy", {"from_logits": True}, BITS, Z),
    ("BinaryFocalCrossentropy", {}, BITS, P),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5}, BITS, P),
    ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.2, "axis": 1}, BITS, Z),
    ("CategoricalCrossentropy", {}, HOT, P),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, HOT, P),
    ("CategoricalCrossentropy", {"from_logits": True}, HOT, Z),
    ("CategoricalCrossentropy", {"axis": 1}, BITS, P),
    ("CategoricalFocalCrossentropy", {}, HOT, P),
    ("CategoricalFocalCrossentropy", {"alpha": 0.5, "gamma": 1.2, "from_logits": True}, HOT, Z),
    ("SparseCategoricalCrossentropy", {}, LABELS, P),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS, Z),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, LABELS, P),
    ("SparseCategoricalCrossentropy", {"ignore_class": -1, "from_logits": True}, LABELS - (LABELS == 0), Z),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, LABELS, P),
    ("Dice", {}, BITS, P),
    ("Dice", {"axis": (1, 2)}, BITS, P),
    ("Tversky", {"alpha": 0.3, "beta": 0.6}, BITS, P),
    ("Tversky", {"axis": (1, 2)}, BITS, P),
]
IDS = [f"{name}-{options}-{i}" for i, (name, options, *_) in enumerate(CASES)]
EACH = pytest.mark.parametrize(("name", "options", "t", "p"), CASES, ids=IDS)
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", None)


def both(name, options, **more):
    return getattr(losses, name)(**options, **more), getattr(keras.losses, name)(**options, **more)


def test_all_losses_of_keras_are_compared():
    """But the two that are not provided."""
    missing = {
        name
        for name, value in vars(keras.losses).items()
        if isinstance(value, type) and name not in {case[0] for case in CASES}
    }
    assert missing == {"CTC", "Circle", "Loss"}


@EACH
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_values(name, options, t, p, reduction):
    ours, theirs = both(name, options, reduction=reduction)
    wanted = np.asarray(theirs(t, p))
    np.testing.assert_allclose(ours(t, p), wanted, **CLOSE)
    if wanted.ndim or reduction:
        shape = np.shape(getattr(losses, name)(**options, reduction=None)(t, p))
        weights = [RNG.uniform(0, 2, shape).astype(np.float32)] if shape else []
        weights += [RNG.uniform(0, 2, (*shape, 1)).astype(np.float32)] if len(shape) > 1 else []
        for w in weights:
            np.testing.assert_allclose(ours(t, p, w), np.asarray(theirs(t, p, w)), **CLOSE)


@EACH
def test_gradients(name, options, t, p):
    ours, theirs = both(name, options)
    value, (gradient,) = fastnn.value_and_grad(ours, [1])(t, p)
    wanted, by_p = jax.value_and_grad(lambda p: theirs(t, p))(p)
    np.testing.assert_allclose(value, wanted, **CLOSE)
    largest = float(np.abs(by_p).max())
    np.testing.assert_allclose(gradient, by_p, rtol=1e-5, atol=2e-6 * max(largest, 1))


@EACH
def test_configurations(name, options, t, p):
    """What Keras writes about a loss makes the same one here."""
    theirs = getattr(keras.losses, name)(**options, name="mine", reduction="sum")
    written = theirs.get_config()
    found = losses.deserialize({"class_name": name, "config": written})
    assert found.get_config().items() >= {k: tuple(v) if isinstance(v, list) else v for k, v in written.items()}.items()
    np.testing.assert_allclose(found(t, p), np.asarray(type(theirs).from_config(written)(t, p)), **CLOSE)


FLAT = {  # targets for a network of three outputs, and its last activation
    "MeanSquaredError": (T[:, 0], "linear"),
    "Huber": (T[:, 0], "linear"),
    "Hinge": (BITS[:, 0], "tanh"),
    "Poisson": (T[:, 0], "softplus"),
    "BinaryCrossentropy": (BITS[:, 0], "sigmoid"),
    "CategoricalCrossentropy": (HOT[:, 0], "softmax"),
    "SparseCategoricalCrossentropy": (LABELS[:, 0], "softmax"),
    "CategoricalGeneralizedCrossEntropy": (LABELS[:, 0], "softmax"),
    "CosineSimilarity": (T[:, 0], "linear"),
    "KLDivergence": (HOT[:, 0], "softmax"),
}


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("weighted", [False, True])
def test_training(name, reduction, weighted):
    """Three epochs of batches of 2, 2 and 1 samples: the losses of each, the weights after them, and evaluate()."""
    y, activation = FLAT[name]
    x = np.random.default_rng(3).standard_normal((5, 4)).astype(np.float32)
    options = {"sample_weight": np.array([0.5, 2.0, 1.0, 0.25, 3.0])} if weighted else {}
    results, start = [], None
    for library in (fastnn, keras):
        model = library.Sequential([library.layers.Input((4,)), library.layers.Dense(3, activation)])
        start = start or model.get_weights()
        model.set_weights(start)
        model.compile(library.optimizers.SGD(0.1), getattr(library.losses, name)(reduction=reduction))
        history = model.fit(x, y, batch_size=2, epochs=3, shuffle=False, verbose=0, **options).history["loss"]
        found = model.evaluate(x, y, batch_size=2, verbose=0, **options)
        results.append(np.concatenate([history, [found], *map(np.ravel, model.get_weights())]))
    np.testing.assert_allclose(*results, rtol=2e-5, atol=2e-5)


def test_names():
    """Every name that Keras knows is known, and stands for the same loss."""
    from keras.src.losses import ALL_OBJECTS_DICT

    for name in ALL_OBJECTS_DICT:
        if name.lower() in ("ctc", "circle", "loss", "lossfunctionwrapper"):
            continue
        found = losses.get(name)
        theirs = keras.losses.get(name)
        own = theirs.__name__ if callable(theirs) and hasattr(theirs, "__name__") else type(theirs).__name__
        assert own in (type(found).__name__, found.function.__name__)
