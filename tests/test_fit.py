"""fit, evaluate and their relatives mean what they mean in Keras; losses are computed by hand in float64."""

import functools
import threading

import numpy as np
import pytest

import fastnn
from fastnn import callbacks, config, initializers, layers, losses, metrics, ops, optimizers, regularizers, schedules
from fastnn.execute import NativeExecutor, NumpyExecutor
from fastnn.layers.base import reset_names
from fastnn.ops.philox import permutation

RNG = np.random.default_rng(8)
X = RNG.standard_normal((22, 3)).astype(np.float32)
TARGETS = RNG.standard_normal((22, 2)).astype(np.float32)
LABELS = np.arange(22) % 3
HOT = np.eye(3, dtype=np.float32)[LABELS]
WEIGHTS = RNG.uniform(0.2, 3, 22).astype(np.float32)

# Each value below is a sum of some 100 float32 products and terms of order 1.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def linear(learning_rate=0.0, loss="mse", **options):
    """x W + b with 2 outputs; the learning rate 0 keeps it as it is."""
    fastnn.set_random_seed(2)
    model = fastnn.Sequential([layers.Dense(2, input_shape=(3,), bias_initializer="random_normal")])
    model.compile(optimizers.SGD(learning_rate), loss, **options)
    return model


def classifier(learning_rate=0.0, loss="sparse_categorical_crossentropy", units=3, **options):
    fastnn.set_random_seed(2)
    activation = "softmax" if units > 1 else "sigmoid"
    model = fastnn.Sequential([layers.Dense(units, activation=activation, input_shape=(3,))])
    model.compile(optimizers.SGD(learning_rate), loss, **options)
    return model


def deep(learning_rate=0.01, **options):
    """A net with dropout, trained by Adam."""
    fastnn.set_random_seed(2)
    model = fastnn.Sequential(
        [
            layers.Dense(6, activation="relu", input_shape=(3,)),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


def outputs(model, x=X):
    """The predictions of a single dense layer, in float64."""
    w, b = (v.astype(np.float64) for v in model.get_weights())
    z = x.astype(np.float64) @ w + b
    name = model.layers[0].get_config()["activation"]
    if name == "softmax":
        e = np.exp(z - z.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)
    return 1 / (1 + np.exp(-z)) if name == "sigmoid" else z


def squares(model, rows=slice(None)):
    """Squared error of each sample."""
    return ((outputs(model, X[rows]) - TARGETS[rows]) ** 2).mean(-1)


def entropies(model, rows=slice(None)):
    """Cross-entropy of each sample."""
    return -np.log(outputs(model, X[rows])[np.arange(len(X[rows])), LABELS[rows]])


def bits(model):
    return [w.tobytes() for w in model.get_weights()]


# History


def test_history_has_the_names_in_the_order_of_keras():
    model = deep()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["sparse_top_k_categorical_accuracy", "accuracy"])
    history = model.fit(X, LABELS, epochs=2, verbose=0, validation_split=0.25)
    names = ["accuracy", "loss", "sparse_top_k_categorical_accuracy"]
    assert list(history.history) == names + [f"val_{name}" for name in names]
    assert history.epoch == [0, 1] and all(len(values) == 2 for values in history.history.values())
    assert all(type(value) is float for values in history.history.values() for value in values)
    assert model.history is history and history.model is model
    assert {"epochs": 2, "steps": 1, "verbose": 0}.items() <= history.params.items()


def test_each_fit_has_a_history_of_its_own():
    model = deep()
    first, second = (model.fit(X, LABELS, verbose=0) for _ in range(2))
    assert first.epoch == second.epoch == [0] and first.history != second.history and model.history is second


# Losses and metrics against values worked out in float64


@pytest.mark.parametrize("batch_size", [1, 4, 7, 22, None, 1000])
def test_the_loss_of_an_epoch_weights_a_short_last_batch_by_its_rows(batch_size):
    model = linear(metrics=["mae"])
    history = model.fit(X, TARGETS, batch_size=batch_size, verbose=0).history
    assert np.isclose(history["loss"][0], squares(model).mean(), **CLOSE)
    assert np.isclose(history["mae"][0], np.abs(outputs(model) - TARGETS).mean(), **CLOSE)


@pytest.mark.parametrize(
    ("loss", "y", "wanted"),
    [
        ("sparse_categorical_crossentropy", LABELS, entropies),
        ("categorical_crossentropy", HOT, entropies),
        (losses.CategoricalCrossentropy(reduction="sum"), HOT, lambda m: entropies(m) * 8),
        (losses.SparseCategoricalCrossentropy, LABELS, entropies),
        ("mean_absolute_error", HOT, lambda m: np.abs(outputs(m) - HOT).mean(-1)),
        ("binary_crossentropy", HOT, lambda m: -np.log(np.abs(outputs(m) - 1 + HOT)).mean(-1)),
        (
            losses.CategoricalCrossentropy(label_smoothing=0.3),
            HOT,
            lambda m: -((0.7 * HOT + 0.1) * np.log(outputs(m))).sum(-1),
        ),
    ],
    ids=["sparse", "categorical", "sum", "class", "mae", "binary", "smoothed"],
)
def test_losses_by_hand(loss, y, wanted):
    model, rows = classifier(loss=loss), slice(0, 16)
    history = model.fit(X[rows], y[rows], batch_size=8, verbose=0).history
    assert np.isclose(history["loss"][0], wanted(model)[rows].mean(), **CLOSE)


def test_a_loss_from_logits():
    model = linear(loss=losses.BinaryCrossentropy(from_logits=True))
    y = (TARGETS > 0).astype(np.float32)
    p = 1 / (1 + np.exp(-outputs(model)))
    wanted = -np.log(np.where(y == 1, p, 1 - p)).mean()
    assert np.isclose(model.evaluate(X, y, verbose=0), wanted, **CLOSE)


@pytest.mark.parametrize("weights", [None, WEIGHTS[:6]], ids=["plain", "weighted"])
def test_a_weight_counts_for_all_positions_of_a_sample(weights):
    """A model of shape (4, 3) has a loss per position; the mean is over samples and positions."""
    x, y = RNG.standard_normal((6, 4, 3)), np.arange(24).reshape(6, 4) % 2
    fastnn.set_random_seed(2)
    model = fastnn.Sequential([layers.Dense(2, activation="softmax", input_shape=(4, 3))])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    p = outputs(model, x)
    entropy = -np.log(np.take_along_axis(p, y[..., None], -1)[..., 0])
    scale = np.ones(6) if weights is None else weights
    loss, accuracy = model.evaluate(x, y, batch_size=4, verbose=0, sample_weight=weights)
    assert np.isclose(loss, (entropy * scale[:, None]).mean(), **CLOSE)
    assert np.isclose(accuracy, (p.argmax(-1) == y).mean(), **CLOSE)
    before = model.get_weights()
    model.train_on_batch(x, y, sample_weight=weights)
    slope = (p - np.eye(2)[y]) * scale[:, None, None] / 24
    wanted = before[0] - 0.01 * np.einsum("bti,bto->io", x, slope)
    assert np.allclose(model.get_weights()[0], wanted, **CLOSE)


def test_validation_split_takes_the_last_rows_whatever_the_order_of_training():
    model = linear()
    history = model.fit(X, TARGETS, verbose=0, validation_split=0.3, sample_weight=WEIGHTS, shuffle=True).history
    at = int(22 * 0.7)
    weighted = squares(model) * WEIGHTS
    assert np.isclose(history["loss"][0], weighted[:at].mean(), **CLOSE)
    assert np.isclose(history["val_loss"][0], weighted[at:].mean(), **CLOSE)


def test_validation_data_comes_before_validation_split():
    model = linear()
    history = model.fit(X, TARGETS, verbose=0, validation_split=0.5, validation_data=(X[:5], TARGETS[:5])).history
    assert np.isclose(history["loss"][0], squares(model).mean(), **CLOSE)
    assert np.isclose(history["val_loss"][0], squares(model)[:5].mean(), **CLOSE)


def test_validation_data_with_weights():
    model = linear(metrics=["mse"], weighted_metrics=["mae"])
    data = X[:9], TARGETS[:9], WEIGHTS[:9]
    history = model.fit(X, TARGETS, verbose=0, batch_size=4, validation_data=data).history
    distances = np.abs(outputs(model) - TARGETS).mean(-1)[:9]
    assert np.isclose(history["val_loss"][0], (squares(model)[:9] * WEIGHTS[:9]).mean(), **CLOSE)
    assert np.isclose(history["val_mse"][0], squares(model)[:9].mean(), **CLOSE)
    assert np.isclose(history["val_mae"][0], (distances * WEIGHTS[:9]).sum() / WEIGHTS[:9].sum(), **CLOSE)


def test_validation_does_not_train():
    with_validation, without = deep(), deep()
    with_validation.fit(X, LABELS, epochs=3, verbose=0, validation_data=(X, LABELS))
    without.fit(X, LABELS, epochs=3, verbose=0)
    assert bits(with_validation) == bits(without)


def test_sample_weights_and_class_weights():
    """The loss is divided by the number of samples, weighted metrics by the sum of the weights."""
    by_class = {0: 0.5, 1: 2.0, 2: 3.5}
    factors = np.array([by_class[c] for c in LABELS])
    for weights, given in (
        (WEIGHTS, {"sample_weight": WEIGHTS}),
        (WEIGHTS, {"sample_weight": WEIGHTS[:, None]}),
        (factors, {"class_weight": by_class}),
        (np.where(LABELS == 2, 3.5, 1.0), {"class_weight": {2: 3.5}}),
        (factors * WEIGHTS, {"class_weight": by_class, "sample_weight": WEIGHTS}),
    ):
        model = classifier(metrics=["accuracy"], weighted_metrics=["sparse_categorical_accuracy"])
        history = model.fit(X, LABELS, batch_size=5, verbose=0, **given).history
        hits = outputs(model).argmax(-1) == LABELS
        assert np.isclose(history["loss"][0], (entropies(model) * weights).mean(), **CLOSE)
        assert np.isclose(history["accuracy"][0], hits.mean(), **CLOSE)
        assert np.isclose(history["sparse_categorical_accuracy"][0], (hits * weights).sum() / weights.sum(), **CLOSE)
        if "class_weight" not in given:
            found = model.evaluate(X, LABELS, verbose=0, sample_weight=given["sample_weight"], return_dict=True)
            assert np.isclose(found["loss"], history["loss"][0], **CLOSE)


def test_class_weights_of_one_hot_targets():
    by_class = {0: 0.5, 1: 2.0, 2: 3.5}
    hot, sparse = classifier(0.5, "categorical_crossentropy"), classifier(0.5)
    hot.fit(X, HOT, verbose=0, class_weight=by_class)
    sparse.fit(X, LABELS, verbose=0, class_weight=by_class)
    for a, b in zip(hot.get_weights(), sparse.get_weights(), strict=True):
        assert np.allclose(a, b, **CLOSE)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("penalty", [0.0, 0.3], ids=["free", "l2"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_one_step_of_gradient_descent_by_hand(weights, penalty, reduction):
    """With the penalty l2 * sum(w^2) on the kernel: in the loss, and 2 * l2 * w in its gradient."""
    fastnn.set_random_seed(2)
    regularizer = regularizers.L2(penalty) if penalty else None
    model = fastnn.Sequential([layers.Dense(2, input_shape=(3,), kernel_regularizer=regularizer)])
    model.compile(optimizers.SGD(0.5), losses.MeanSquaredError(reduction), metrics=["mse"])
    w, b = (v.astype(np.float64) for v in model.get_weights())
    scale = np.ones(22) if weights is None else weights.astype(np.float64)
    scale *= 22 if reduction == "sum" else 1
    error = outputs(model) - TARGETS
    wanted = ((error**2).mean(-1) * scale).mean() + penalty * (w**2).sum()
    plain = (error**2).mean()
    slope = 2 * error * scale[:, None] / error.size
    loss, mse = model.train_on_batch(X, TARGETS, sample_weight=weights)
    assert np.isclose(loss, wanted, **CLOSE) and np.isclose(mse, plain, **CLOSE)
    found = model.get_weights()
    assert np.allclose(found[0], w - 0.5 * (X.T.astype(np.float64) @ slope + 2 * penalty * w), **CLOSE)
    assert np.allclose(found[1], b - 0.5 * slope.sum(0), **CLOSE)


def test_penalties_are_part_of_the_loss_of_evaluate_and_fit():
    fastnn.set_random_seed(2)
    model = fastnn.Sequential(
        [
            layers.Dense(
                2,
                input_shape=(3,),
                kernel_regularizer="l2",
                bias_regularizer=regularizers.L1(0.5),
                bias_initializer="ones",
            ),
        ]
    )
    model.compile(optimizers.SGD(0.0), "mse")
    w, b = (v.astype(np.float64) for v in model.get_weights())
    wanted = squares(model).mean() + 0.01 * (w**2).sum() + 0.5 * np.abs(b).sum()
    assert np.isclose(model.evaluate(X, TARGETS, batch_size=5, verbose=0), wanted, **CLOSE)
    assert np.isclose(model.fit(X, TARGETS, batch_size=5, verbose=0).history["loss"][0], wanted, **CLOSE)


def test_own_losses_and_metrics_are_written_with_ops():
    """They may return a value per sample or, as here, per element, of which the mean is taken as in Keras."""

    def quartic(y_true, y_pred):
        return ops.square(ops.square(y_pred - y_true))

    def log_distance(y_true, y_pred):
        return ops.log1p(ops.abs(y_pred - y_true))

    model = linear(0.1, loss=quartic, metrics=[log_distance, metrics.MeanMetricWrapper(log_distance, name="other")])
    error = outputs(model) - TARGETS
    w, b = (v.astype(np.float64) for v in model.get_weights())
    history = model.fit(X, TARGETS, batch_size=22, shuffle=False, verbose=0).history
    assert list(history) == ["log_distance", "loss", "other"]
    assert np.isclose(history["loss"][0], (error**4).mean(), **CLOSE)
    assert np.isclose(history["log_distance"][0], np.log1p(np.abs(error)).mean(), **CLOSE)
    assert history["other"] == history["log_distance"]
    slope = 4 * error**3 / error.size
    assert np.allclose(model.get_weights()[0], w - 0.1 * X.T.astype(np.float64) @ slope, **CLOSE)
    assert np.allclose(model.get_weights()[1], b - 0.1 * slope.sum(0), **CLOSE)


# Metrics by name


@pytest.mark.parametrize(
    ("units", "loss", "y", "wanted"),
    [
        (1, "binary_crossentropy", LABELS > 0, lambda p: (p[:, 0] > 0.5) == (LABELS > 0)),
        (1, "binary_crossentropy", (LABELS > 0)[:, None], lambda p: (p[:, 0] > 0.5) == (LABELS > 0)),
        (1, "mse", (LABELS > 0).astype(float), lambda p: (p[:, 0] > 0.5) == (LABELS > 0)),
        (3, "sparse_categorical_crossentropy", LABELS, lambda p: p.argmax(-1) == LABELS),
        (3, "sparse_categorical_crossentropy", LABELS[:, None], lambda p: p.argmax(-1) == LABELS),
        (3, "categorical_crossentropy", HOT, lambda p: p.argmax(-1) == LABELS),
        (3, "binary_crossentropy", HOT, lambda p: p.argmax(-1) == LABELS),
    ],
    ids=["binary", "binary-column", "binary-mse", "sparse", "sparse-column", "categorical", "one-hot-binary"],
)
@pytest.mark.parametrize("name", ["accuracy", "acc"])
def test_accuracy_picks_its_kind_by_shape(units, loss, y, wanted, name):
    model = classifier(loss=loss, units=units, metrics=[name])
    found = model.evaluate(X, y, verbose=0, return_dict=True)
    assert found[name] == wanted(outputs(model)).mean()


def test_accuracy_is_resolved_anew_after_compile():
    model = classifier(metrics="accuracy")
    model.evaluate(X, LABELS, verbose=0)
    model.compile("sgd", "categorical_crossentropy", metrics="accuracy")
    assert model.evaluate(X, HOT, verbose=0)[1] == (outputs(model).argmax(-1) == LABELS).mean()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("mse", "mse"),
        ("mae", "mae"),
        ("mean_squared_error", "mean_squared_error"),
        (metrics.MeanSquaredError(), "mean_squared_error"),
        (metrics.MeanSquaredError, "mean_squared_error"),
        (metrics.MeanAbsoluteError(name="distance"), "distance"),
        (losses.mean_squared_error, "mean_squared_error"),
        (losses.MeanAbsoluteError(), "mean_absolute_error"),
        ("binary_accuracy", "binary_accuracy"),
    ],
    ids=str,
)
def test_metrics_by_alias_class_and_function(given, name):
    model = linear(metrics=[given])
    found = model.evaluate(X, TARGETS, verbose=0, return_dict=True)
    assert list(found) == sorted([name, "loss"])
    error = outputs(model) - TARGETS
    if name == "binary_accuracy":
        wanted = ((outputs(model) > 0.5) == TARGETS).mean()
    else:
        wanted = (error**2).mean() if "sq" in name or name == "mse" else np.abs(error).mean()
    assert np.isclose(found[name], wanted, **CLOSE)


def test_what_evaluate_returns():
    model = linear()
    loss = model.evaluate(X, TARGETS, verbose=0)
    assert type(loss) is float
    assert model.evaluate(X, TARGETS, verbose=0, return_dict=True) == {"loss": loss}
    model = linear(metrics=["mse", "mae"], weighted_metrics=["binary_accuracy"])
    values = model.evaluate(X, TARGETS, verbose=0)
    named = model.evaluate(X, TARGETS, verbose=0, return_dict=True)
    assert values == [named[name] for name in ("loss", "mse", "mae", "binary_accuracy")]
    assert values[0] == loss and list(named) == sorted(named)


@pytest.mark.parametrize("batch_size", [1, 5, 22, 500])
def test_evaluate_does_not_depend_on_the_batch_size(batch_size):
    model = deep()
    loss, accuracy = model.evaluate(X, LABELS, batch_size=batch_size, verbose=0)
    wanted = model.evaluate(X, LABELS, batch_size=32, verbose=0)
    assert np.isclose(loss, wanted[0], rtol=1e-12) and accuracy == wanted[1]


# Order of the samples, epochs


def test_without_shuffling_the_batches_follow_the_data():
    model, by_hand = deep(), deep()
    model.fit(X, LABELS, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for _ in range(2):
        for first in (0, 8, 16):
            by_hand.train_on_batch(X[first : first + 8], LABELS[first : first + 8])
    assert bits(model) == bits(by_hand)


def test_the_order_of_an_epoch_is_a_function_of_seed_and_number():
    model, by_hand, unshuffled = deep(), deep(), deep()
    model.fit(X, LABELS, batch_size=8, epochs=2, verbose=0)
    for epoch in range(2):
        order = permutation(22, 2, epoch)
        assert sorted(order) == list(range(22))
        for first in (0, 8, 16):
            rows = order[first : first + 8]
            by_hand.train_on_batch(X[rows], LABELS[rows])
    assert bits(model) == bits(by_hand)
    unshuffled.fit(X, LABELS, batch_size=8, epochs=2, verbose=0, shuffle=False)
    assert bits(model) != bits(unshuffled)


def test_initial_epoch_continues_a_run():
    whole, parts = deep(), deep()
    whole.fit(X, LABELS, epochs=5, verbose=0)
    parts.fit(X, LABELS, epochs=3, verbose=0)
    history = parts.fit(X, LABELS, initial_epoch=3, epochs=5, verbose=0)
    assert history.epoch == [3, 4] and bits(whole) == bits(parts)
    assert parts.optimizer.iterations == 5
    assert parts.fit(X, LABELS, initial_epoch=5, epochs=5, verbose=0).history == {}
    assert parts.fit(X, LABELS, epochs=0, verbose=0).epoch == [] and bits(whole) == bits(parts)


def test_train_on_batch_returns_the_values_of_its_batch():
    model = linear(metrics=["mae"])
    loss, mae = model.train_on_batch(X[:4], TARGETS[:4])
    distances = np.abs(outputs(model) - TARGETS).mean(-1)
    assert np.isclose(loss, squares(model)[:4].mean(), **CLOSE) and np.isclose(mae, distances[:4].mean(), **CLOSE)
    found = model.train_on_batch(X[4:], TARGETS[4:], return_dict=True)
    assert list(found) == ["loss", "mae"]
    assert np.isclose(found["loss"], squares(model)[4:].mean(), **CLOSE)
    assert np.isclose(found["mae"], distances[4:].mean(), **CLOSE)
    assert np.isclose(model.test_on_batch(X[:2], TARGETS[:2])[0], squares(model)[:2].mean(), **CLOSE)
    assert model.optimizer.iterations == 2
    model.compile("sgd", "mse")
    loss = model.test_on_batch(X[4:9], TARGETS[4:9])
    assert type(loss) is float and np.isclose(loss, squares(model)[4:9].mean(), **CLOSE)


def test_predict_on_batch_and_calls_are_predict():
    model = deep()
    wanted = model.predict(X, batch_size=5)
    assert wanted.dtype == np.float32 and wanted.shape == (22, 3)
    assert model.predict_on_batch(X).tobytes() == model(X).tobytes() == wanted.tobytes()
    dropped = model(X, training=True)
    assert dropped.shape == (22, 3) and not np.allclose(dropped, wanted)


# Output


def test_verbose_0_prints_nothing(capsys):
    model = deep()
    model.fit(X, LABELS, epochs=2, verbose=0, validation_split=0.2)
    model.evaluate(X, LABELS, verbose=0)
    model.predict(X, verbose=0)
    model.predict(X)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [2, "auto"])
def test_a_line_per_epoch(verbose, capsys):
    """ "auto" is 2 because the captured output is no terminal."""
    model = deep()
    history = model.fit(X, LABELS, epochs=2, verbose=verbose, validation_split=0.2).history
    model.evaluate(X, LABELS, verbose=verbose)
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith("Epoch 1/2 - ") and second.startswith("Epoch 2/2 - ") and last.startswith("Evaluate - ")
    assert " samples/s - " in first
    assert second.endswith(" - ".join(f"{name}: {values[1]:.4f}" for name, values in history.items()))


def test_a_bar(capsys):
    model = deep()
    model.fit(X, LABELS, epochs=2, verbose=1, batch_size=2)
    model.evaluate(X, LABELS, verbose=1)
    model.predict(X, verbose=1)
    out, err = capsys.readouterr()
    assert err == "" and "11/11, ETA 00:00" in out and out.count("\n") == 4
    for title in ("Epoch 1/2", "Epoch 2/2", "Evaluate", "Predict"):
        assert f"{title} |" in out and f"{title} - " in out


def test_an_error_removes_the_bar(capsys):
    def fail(epoch, logs):
        raise ArithmeticError("in a callback")

    with pytest.raises(ArithmeticError):
        deep().fit(X, LABELS, verbose=1, callbacks=callbacks.LambdaCallback(on_epoch_end=fail))
    out = capsys.readouterr().out
    assert "Epoch 1/1 |" in out and out.endswith(" \r")


# Callbacks inside a real run


class Calls(callbacks.Callback):
    """Keeps every call with a copy of its logs."""

    def __init__(self):
        self.calls = []


for _hook in callbacks.base.HOOKS:
    if _hook not in ("on_batch_begin", "on_batch_end"):
        setattr(Calls, _hook, lambda self, *a, _hook=_hook: self.calls.append((_hook[3:], *a[:-1], dict(a[-1]))))


def test_batch_hooks_are_called_once_per_batch_with_running_logs():
    model, recorder = linear(metrics=["mae"]), Calls()
    model.fit(X, TARGETS, batch_size=8, shuffle=False, verbose=0, callbacks=recorder)
    names = [(name, *rest[:-1]) for name, *rest in recorder.calls]
    assert names == [
        ("train_begin",),
        ("epoch_begin", 0),
        *((f"train_batch_{end}", i) for i in range(3) for end in ("begin", "end")),
        ("epoch_end", 0),
        ("train_end",),
    ]
    for _, i, logs in (call for call in recorder.calls if call[0] == "train_batch_end"):
        seen = slice(0, 8 * (i + 1))
        assert list(logs) == ["loss", "mae"]
        assert np.isclose(logs["loss"], squares(model, seen).mean(), **CLOSE)
    assert recorder.calls[-2][2] == recorder.calls[-1][1] == {k: v[0] for k, v in model.history.history.items()}


def test_hooks_of_evaluate_and_predict():
    model, recorder = linear(), Calls()
    model.evaluate(X, TARGETS, batch_size=8, verbose=0, callbacks=[recorder])
    assert [(name, *rest[:-1]) for name, *rest in recorder.calls] == [
        ("test_begin",),
        *((f"test_batch_{end}", i) for i in range(3) for end in ("begin", "end")),
        ("test_end",),
    ]
    recorder.calls.clear()
    wanted = model.predict(X)
    found = model.predict(X, batch_size=8, callbacks=[recorder])
    parts = [logs["outputs"] for name, *_, logs in recorder.calls if name == "predict_batch_end"]
    assert found.tobytes() == wanted.tobytes() == b"".join(part.tobytes() for part in parts) and len(parts) == 3


def test_batch_hooks_change_no_bit():
    hooked, plain = deep(), deep()
    a = hooked.fit(X, LABELS, epochs=3, batch_size=4, verbose=0, validation_split=0.2, callbacks=[Calls()])
    b = plain.fit(X, LABELS, epochs=3, batch_size=4, verbose=0, validation_split=0.2)
    assert bits(hooked) == bits(plain) and a.history == b.history


@pytest.mark.parametrize(
    ("hook", "steps", "epochs"),
    [
        ("on_train_batch_end", 2, 1),
        ("on_epoch_end", 6, 1),
        ("on_epoch_begin", 1, 1),
    ],
)
def test_stop_training(hook, steps, epochs):
    """Within an epoch the batch is the last one; the epoch still ends with its validation."""
    model, ended = deep(), []

    def stop(number, logs):
        model.stop_training = number == 1 or hook != "on_train_batch_end"

    hooks = callbacks.LambdaCallback(**{hook: stop}), callbacks.LambdaCallback(on_train_end=ended.append)
    history = model.fit(X, LABELS, batch_size=4, epochs=9, verbose=0, validation_data=(X, LABELS), callbacks=hooks)
    assert model.optimizer.iterations == steps and history.epoch == list(range(epochs))
    assert "val_loss" in history.history and len(ended) == 1 and "val_loss" in ended[0]
    model.fit(X, LABELS, batch_size=4, verbose=0)
    assert model.optimizer.iterations == steps + 6


def test_lambda_callback_sees_the_epochs():
    seen = []
    deep().fit(
        X,
        LABELS,
        epochs=3,
        verbose=0,
        callbacks=[
            callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: seen.append(epoch),
                on_epoch_end=lambda epoch, logs: seen.append(sorted(logs)),
            )
        ],
    )
    assert seen == [0, ["accuracy", "loss"], 1, ["accuracy", "loss"], 2, ["accuracy", "loss"]]


def test_entries_that_a_callback_adds_to_the_logs_are_in_the_history():
    add = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(twice=2 * epoch))
    history = deep().fit(X, LABELS, epochs=3, verbose=0, callbacks=[add]).history
    assert list(history) == ["accuracy", "loss", "twice"] and history["twice"] == [0, 2, 4]


def test_early_stopping_restores_the_best_weights():
    model, kept = linear(), []
    rates = callbacks.LearningRateScheduler(lambda epoch: 0.1 if epoch < 3 else 3.0)  # diverges from epoch 3 on
    stop = callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(bits(model)))
    history = model.fit(X, TARGETS, epochs=20, verbose=0, validation_data=(X, TARGETS), callbacks=[keep, rates, stop])
    assert history.epoch == [0, 1, 2, 3, 4] and stop.stopped_epoch == 4
    values = history.history["val_loss"]
    assert values[0] > values[1] > values[2] < values[3]
    assert bits(model) == kept[2] != kept[4]


def test_reduce_lr_on_plateau_lowers_the_rate_of_the_steps_after_it():
    """At first the rate is so high that the loss grows."""
    model, by_hand = linear(1.5), linear(1.5)
    reduce = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_lr=0.5)
    history = model.fit(X, TARGETS, batch_size=22, shuffle=False, epochs=5, verbose=0, callbacks=[reduce]).history
    rates, best = [1.5], np.inf
    for loss in history["loss"]:
        rates.append(rates[-1] if loss < best - 1e-4 else max(rates[-1] / 2, 0.5))
        best = min(best, loss) if loss < best - 1e-4 else best
    assert history["learning_rate"] == rates[:5] and len(set(rates)) > 1
    assert model.optimizer.learning_rate == rates[5]
    for rate in rates[:5]:
        by_hand.optimizer.learning_rate = rate
        by_hand.train_on_batch(X, TARGETS)
    assert bits(model) == bits(by_hand)


def test_learning_rate_scheduler():
    model, by_hand = linear(0.2), linear(0.2)
    halve = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = model.fit(X, TARGETS, batch_size=22, shuffle=False, epochs=3, verbose=0, callbacks=[halve]).history
    assert history["learning_rate"] == [0.1, 0.05, 0.025]
    for rate in (0.1, 0.05, 0.025):
        by_hand.optimizer.learning_rate = rate
        by_hand.train_on_batch(X, TARGETS)
    assert bits(model) == bits(by_hand)


@pytest.mark.parametrize("optimizer", [optimizers.SGD, optimizers.Adam, optimizers.RMSprop])
def test_learning_rates_as_a_schedule_and_as_a_function(optimizer):
    """Both are asked before each step, although many steps run in one call."""
    decay = schedules.ExponentialDecay(0.1, decay_steps=4, decay_rate=0.5)
    calls = []

    def rate():
        calls.append(len(calls))
        return decay(len(calls) - 1)

    models = [linear() for _ in range(3)]
    for model, given in zip(models, (decay, rate, 0.1), strict=True):
        model.compile(optimizer(given), "mse")
    for model in models[:2]:
        model.fit(X, TARGETS, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for step in range(12):
        models[2].optimizer.learning_rate = decay(step)
        rows = slice(step % 6 * 4, step % 6 * 4 + 4)
        models[2].train_on_batch(X[rows], TARGETS[rows])
    assert bits(models[0]) == bits(models[1]) == bits(models[2])
    assert calls == list(range(12))
    assert models[0].optimizer.learning_rate == decay(12)


def test_a_callback_may_evaluate_and_predict():
    model, plain, seen = deep(), deep(), []

    def look(epoch, logs):
        seen.append((model.evaluate(X, LABELS, verbose=0)[0], len(model.predict(X[:3]))))

    history = model.fit(
        X,
        LABELS,
        epochs=2,
        verbose=0,
        validation_data=(X, LABELS),
        callbacks=[callbacks.LambdaCallback(on_epoch_end=look)],
    )
    assert [loss for loss, _ in seen] == history.history["val_loss"]
    assert plain.fit(X, LABELS, epochs=2, verbose=0, validation_data=(X, LABELS)).history == history.history


def test_only_one_thread_trains_a_model():
    model, errors, outcomes = deep(), [], []

    def elsewhere():
        for call in (model.fit, model.evaluate, model.train_on_batch):
            try:
                call(X, LABELS)
            except RuntimeError as error:
                errors.append(str(error))
        outcomes.append(model.predict(X).shape)  # predicting is allowed

    def start(epoch, logs):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    history = model.fit(X, LABELS, verbose=0, callbacks=callbacks.LambdaCallback(on_epoch_begin=start))
    assert len(errors) == 3 and outcomes == [(22, 3)] and model.history is history
    assert all("received a call while another one trains" in e and "; to fix it, wait for" in e for e in errors)
    other = deep()
    other.fit(X, LABELS, verbose=0)
    assert bits(model) == bits(other)
    model.fit(X, LABELS, verbose=0)


# Models


def stack():
    return [layers.Dense(5, activation="tanh"), layers.Dropout(0.2), layers.Dense(3, activation="softmax")]


def compiled(model):
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_three_ways_to_build_a_sequential_model():
    fastnn.set_random_seed(3)
    listed = compiled(fastnn.Sequential([layers.Input((3,)), *stack()]))
    fastnn.set_random_seed(3)
    added = fastnn.Sequential()
    added.add(layers.Input(shape=(3,)))
    for layer in stack():
        added.add(layer)
    compiled(added)
    fastnn.set_random_seed(3)
    deferred = compiled(fastnn.Sequential(stack()))
    assert listed.built and added.built and not deferred.built and deferred.get_weights() == []
    for model in (listed, added, deferred):
        model.fit(X, LABELS, verbose=0)
    assert bits(listed) == bits(added) == bits(deferred)
    assert listed.input_shape == deferred.input_shape == (None, 3) and deferred.output_shape == (None, 3)
    assert listed.count_params() == 4 * 5 + 6 * 3


def test_layers_added_or_removed_after_training_count():
    model = compiled(fastnn.Sequential([layers.Dense(3, input_shape=(3,))]))
    before = model.predict(X)
    model.evaluate(X, LABELS, verbose=0)
    model.add(layers.Activation("relu"))
    assert np.array_equal(model.predict(X), np.maximum(before, 0))
    assert isinstance(model.pop(), layers.Activation)
    assert np.array_equal(model.predict(X), before)


def test_frozen_layers_keep_their_weights():
    model = deep()
    model.layers[0].trainable = False
    before = bits(model)
    model.fit(X, LABELS, verbose=0)
    assert bits(model)[:2] == before[:2] and bits(model)[2:] != before[2:]
    model.layers[0].trainable = True
    model.fit(X, LABELS, verbose=0)
    assert bits(model)[0] != before[0]


def test_weights_go_out_and_in():
    model, other = deep(), deep()
    model.fit(X, LABELS, verbose=0)
    weights = model.get_weights()
    other.set_weights(weights)
    assert bits(other) == bits(model) and other.predict(X).tobytes() == model.predict(X).tobytes()
    weights[0][...] = 7  # copies
    assert bits(other) == bits(model)
    other.set_weights([w.tolist() for w in model.get_weights()])
    assert bits(other) == bits(model)
    assert [w.shape for w in model.layers[0].get_weights()] == [(3, 6), (6,)]
    names = [f"{model.layers[i].name}/{weight}" for i in (0, 2) for weight in ("kernel", "bias")]
    assert [v.path for v in model.weights] == names


CONFIGURED = [
    layers.InputLayer((4, 2)),
    layers.Dense(
        4,
        activation="elu",
        use_bias=False,
        kernel_initializer=initializers.HeNormal(seed=3),
        name="d",
        kernel_regularizer=regularizers.L1L2(0.1, 0.2),
        trainable=False,
        input_shape=(7,),
    ),
    layers.Dense(2),
    layers.Activation("gelu"),
    layers.Dropout(0.25, seed=4),
    layers.Flatten(input_shape=(2, 2)),
    layers.Reshape((2, -1)),
    layers.Rescaling(0.5, offset=-1),
    layers.Add(),
    layers.Subtract(),
    layers.Multiply(),
    layers.Average(),
    layers.Maximum(),
    layers.Minimum(),
    layers.Concatenate(axis=1),
    layers.Dot(axes=(1, 2), normalize=True),
    layers.BatchNormalization(momentum=0.5, beta_initializer=initializers.HeNormal(seed=3), gamma_regularizer="l2"),
    layers.LayerNormalization([2], center=False, name="l", trainable=False),
    layers.Normalization((1, 2), mean=[0.5], variance=[4.0], invert=True),
    layers.Normalization(None),
]


@pytest.mark.parametrize("layer", CONFIGURED, ids=lambda layer: type(layer).__name__)
def test_layers_go_through_their_configuration(layer):
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert type(again) is type(layer) and again.get_config() == config
    assert (again.name, again.trainable, again.given_input_shape) == (
        layer.name,
        layer.trainable,
        layer.given_input_shape,
    )


def test_a_model_goes_through_its_configuration():
    model = fastnn.Sequential([layers.Input((4, 2)), layers.Rescaling(0.5), layers.Flatten(), *stack()], name="net")
    again = fastnn.Sequential.from_config(model.get_config())
    assert repr(again.get_config()) == repr(model.get_config()) and again.name == "net"
    assert again.built and [w.shape for w in again.get_weights()] == [w.shape for w in model.get_weights()]
    again.set_weights(model.get_weights())
    x = RNG.standard_normal((3, 4, 2))
    assert again.predict(x).tobytes() == model.predict(x).tobytes()
    deferred = fastnn.Sequential.from_config(fastnn.Sequential(stack()).get_config())
    assert not deferred.built and len(deferred.layers) == 3


def test_automatic_names():
    reset_names()
    made = [layers.Dense(1), layers.Dense(1), layers.Dropout(0.1), layers.Dense(1, name="mine"), layers.Dense(1)]
    assert [layer.name for layer in made] == ["dense", "dense_1", "dropout", "mine", "dense_2"]
    assert [fastnn.Sequential().name for _ in range(2)] == ["sequential", "sequential_1"]
    assert layers.Input((1,)).name == "input_layer"
    model = fastnn.Sequential(made)
    assert model.get_layer("mine") is made[3] and model.get_layer(index=-1) is made[4]


def test_summary_counts_and_names():
    lines = []
    model = deep()
    model.layers[0].trainable = False
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    first, _, last = (layer.name for layer in model.layers)
    assert f'Model: "{model.name}"' in text and f"{first} (Dense)" in text and f"{last} (Dense)" in text
    assert "(None, 6)" in text and "Total params: 45 (180.00 B)" in text
    assert "Trainable params: 21 (84.00 B)" in text and "Non-trainable params: 24 (96.00 B)" in text
    unbuilt = fastnn.Sequential(stack())
    unbuilt.summary(print_fn=lines.append)
    assert lines[-1].count("0 (unbuilt)") == 3


@pytest.mark.parametrize(
    ("optimizer", "kept"),
    [("sgd", 2), ("rmsprop", 10), ("adam", 18), (optimizers.SGD(schedules.ExponentialDecay(0.1, 9, 0.5), 0.9), 9)],
    ids=["sgd", "rmsprop", "adam", "schedule"],
)
def test_summary_counts_what_a_used_optimizer_keeps(optimizer, kept):
    """As Keras: the iteration, a rate that is no schedule, and the slots."""
    lines, model = [], linear()
    model.compile(optimizer, "mse")
    model.summary(print_fn=lines.append)
    assert "Optimizer" not in lines[-1]
    model.fit(X, TARGETS, verbose=0)
    model.summary(print_fn=lines.append)
    assert f" Optimizer params: {kept} ({4 * kept}.00 B)" in lines[-1]
    assert f" Total params: {8 + kept} " in lines[-1]


def product(y_true, y_pred):
    return ops.square(y_true - y_pred)


class Product:
    def __call__(self, y_true, y_pred):
        return product(y_true, y_pred)


def test_any_callable_is_a_loss_or_a_metric():
    for function, name in ((functools.partial(product), "partial"), (Product(), "product")):
        model = linear(loss=function, metrics=[function])
        found = model.evaluate(X, TARGETS, verbose=0, return_dict=True)
        assert list(found) == ["loss", name]
        assert found["loss"] == found[name] and np.isclose(found["loss"], squares(model).mean(), **CLOSE)


@pytest.mark.parametrize(
    "function",
    [
        metrics.sparse_categorical_accuracy,
        metrics.sparse_top_k_categorical_accuracy,
        losses.sparse_categorical_crossentropy,
    ],
)
def test_functions_that_compare_with_labels_are_metrics(function):
    model = classifier(metrics=[function])
    by_name = classifier(metrics=[function.__name__])
    assert model.evaluate(X, LABELS, verbose=0) == by_name.evaluate(X, LABELS, verbose=0)
    assert list(model.fit(X, LABELS, verbose=0).history) == sorted(["loss", function.__name__])


def test_capital_names_of_keras():
    model = linear(loss="MSE", metrics=["MAE", "MSE"])
    found = model.evaluate(X, TARGETS, verbose=0, return_dict=True)
    assert list(found) == ["MAE", "MSE", "loss"] and np.isclose(found["MSE"], found["loss"], **CLOSE)


def test_names_where_keras_has_them():
    assert fastnn.utils.set_random_seed is fastnn.set_random_seed
    assert optimizers.schedules.ExponentialDecay is schedules.ExponentialDecay
    assert layers.Input((3,), dtype="float32").shape == (None, 3)


# float64


@pytest.fixture
def double():
    config.set_floatx("float64")
    yield
    config.set_floatx("float32")


def executors(model):
    return {type(executor) for executor in model._executors.values()}


def run():
    model = deep()
    history = model.fit(X, LABELS, batch_size=8, epochs=3, verbose=0, validation_split=0.2)
    return model, history.history, model.predict(X)


def test_float64_runs_in_numpy_and_agrees_with_float32(double):
    wide, history, outputs = run()
    assert executors(wide) == {NumpyExecutor} and outputs.dtype == np.float64
    assert all(w.dtype == np.float64 for w in wide.get_weights())
    config.set_floatx("float32")
    narrow, expected, predictions = run()
    assert executors(narrow) == {NativeExecutor} and predictions.dtype == np.float32
    # Nine steps of Adam amplify the roundings of float32 (6e-8) where a gradient is small beside its terms;
    # none is so small here that its sign would differ, which would show as a difference of 0.01.
    for a, b in zip(wide.get_weights(), narrow.get_weights(), strict=True):
        assert np.allclose(a, b, rtol=1e-4, atol=1e-5)
    assert np.allclose(outputs, predictions, rtol=1e-4, atol=1e-5)
    assert list(history) == list(expected)
    for name, values in history.items():
        assert np.allclose(values, expected[name], rtol=1e-4)


def test_dropout_of_everything_leaves_only_the_bias_to_learn():
    x, y = np.ones((8, 4), np.float32), np.ones((8, 2), np.float32)
    model = fastnn.Sequential([layers.Dropout(1, input_shape=(4,)), layers.Dense(2)])
    model.compile(optimizers.SGD(0.25), "mse")
    kernel, _ = model.get_weights()
    assert model.layers[0](x, training=True).tolist() == np.zeros((8, 4)).tolist()
    model.fit(x, y, verbose=0)
    # The outputs are 0: the gradient of the mean of (b - 1)^2 over two outputs is b - 1 = -1.
    assert model.get_weights()[0].tobytes() == kernel.tobytes()
    assert model.get_weights()[1].tolist() == [0.25, 0.25]
    np.testing.assert_allclose(model.predict(x), x @ kernel + 0.25, rtol=1e-6)
