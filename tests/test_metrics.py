"""Metrics against scikit-learn, against Keras, and through training."""

import warnings

import numpy as np
import pytest

import fastnn
from fastnn import layers, metrics

sk = pytest.importorskip("sklearn.metrics")

RNG = np.random.default_rng(7)
N = 300
TRUE = RNG.integers(0, 2, N)
SCORE = np.clip(0.3 * TRUE + RNG.random(N) * 0.7, 0, 1).astype(np.float32)
WEIGHT = RNG.random(N)
LABEL = RNG.integers(0, 4, N)
HOT = np.eye(4)[LABEL]
P = RNG.random((N, 4)).astype(np.float32) + HOT.astype(np.float32) * 0.4
P /= P.sum(axis=1, keepdims=True)


def halves(metric, y, p, w=None):
    """The result after two batches."""
    for part in (slice(0, 100), slice(100, None)):
        metric.update_state(y[part], p[part], *(() if w is None else (w[part],)))
    return metric.result()


@pytest.mark.parametrize("weights", [None, WEIGHT], ids=["plain", "weighted"])
def test_counts_at_a_threshold(weights):
    positive = SCORE > 0.5
    tn, fp, fn, tp = sk.confusion_matrix(TRUE, positive, sample_weight=weights).ravel()
    kinds = (metrics.TrueNegatives, metrics.FalsePositives, metrics.FalseNegatives, metrics.TruePositives)
    found = [halves(kind(), TRUE, SCORE, weights) for kind in kinds]
    np.testing.assert_allclose(found, [tn, fp, fn, tp], rtol=1e-12)
    for kind, reference in ((metrics.Precision, sk.precision_score), (metrics.Recall, sk.recall_score)):
        expected = reference(TRUE, positive, sample_weight=weights)
        np.testing.assert_allclose(halves(kind(), TRUE, SCORE, weights), expected, rtol=1e-12)


def test_thresholds_in_any_order_and_at_predictions():
    thresholds = [0.7, 0.3, float(SCORE[0]), 0.3]
    found = halves(metrics.TruePositives(thresholds), TRUE, SCORE)
    expected = [np.sum((np.float32(t) < SCORE) & (TRUE == 1)) for t in thresholds]
    assert found.tolist() == expected


@pytest.mark.parametrize("weights", [None, WEIGHT], ids=["plain", "weighted"])
def test_area_under_the_roc_curve_in_the_limit(weights):
    found = halves(metrics.AUC(num_thresholds=20000), TRUE, SCORE, weights)
    # two scores in one of the 20000 intervals count as equal: at most one pair in 20000, here far fewer
    assert abs(found - sk.roc_auc_score(TRUE, SCORE, sample_weight=weights)) < 1e-4


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
def test_f_beta(average):
    found = halves(metrics.FBetaScore(average, beta=2.0), HOT, P)
    expected = sk.fbeta_score(LABEL, P.argmax(axis=1), beta=2.0, average=average)
    np.testing.assert_allclose(found, expected, rtol=2e-6)  # Keras' 1e-7 below the line, four times


def test_r2_and_matrix():
    y, p = RNG.normal(size=(N, 2)), RNG.normal(size=(N, 2))
    expected = sk.r2_score(y, p, sample_weight=WEIGHT)
    np.testing.assert_allclose(halves(metrics.R2Score(), y, p, WEIGHT), expected, rtol=1e-10)
    expected = sk.confusion_matrix(LABEL, P.argmax(axis=1), sample_weight=WEIGHT)
    for y in (LABEL, HOT):
        np.testing.assert_allclose(halves(metrics.ConfusionMatrix(4), y, P, WEIGHT), expected, rtol=1e-12)
    expected = sk.jaccard_score(LABEL, P.argmax(axis=1), average="macro")
    found = halves(metrics.OneHotMeanIoU(4), HOT, P)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


SCORERS = {
    "balanced_accuracy": lambda y, w: sk.balanced_accuracy_score(y, P.argmax(1), sample_weight=w),
    "f1_macro": lambda y, w: sk.f1_score(y, P.argmax(1), average="macro", sample_weight=w),
    "roc_auc_ovr": lambda y, w: sk.roc_auc_score(y, P, multi_class="ovr", sample_weight=w),
    "neg_log_loss": lambda y, w: -sk.log_loss(y, P, sample_weight=w),
}


@pytest.mark.parametrize("name", SCORERS)
@pytest.mark.parametrize("y", [LABEL, HOT], ids=["labels", "one-hot"])
@pytest.mark.parametrize("weights", [None, WEIGHT], ids=["plain", "weighted"])
def test_scorers_of_several_classes(name, y, weights):
    found = halves(metrics.get(name), y, P, weights)
    np.testing.assert_allclose(found, SCORERS[name](LABEL, weights), rtol=1e-12)


def test_scorers_of_two_classes_and_of_numbers():
    assert halves(metrics.get("roc_auc"), TRUE, SCORE[:, None]) == sk.roc_auc_score(TRUE, SCORE)
    two = np.stack([1 - SCORE, SCORE], axis=1)
    assert halves(metrics.get("roc_auc"), TRUE, two) == sk.roc_auc_score(TRUE, SCORE)
    expected = -sk.mean_squared_error(TRUE, SCORE)
    assert halves(metrics.get("neg_mean_squared_error"), TRUE, SCORE) == expected


def test_training_reports_what_the_metrics_say_of_the_predictions():
    names = ["AUC", "precision", "balanced_accuracy", "top_k_categorical_accuracy", metrics.ConfusionMatrix(4)]
    model = fastnn.Sequential([layers.Dense(4, activation="softmax", input_shape=(4,))])
    model.compile("sgd", "categorical_crossentropy", metrics=names, weighted_metrics=["f1_macro"])
    history = model.fit(P, HOT, batch_size=64, epochs=2, verbose=0, sample_weight=WEIGHT, validation_split=0.2)
    assert {"balanced_accuracy", "val_balanced_accuracy", "f1_macro", "val_f1_macro"} <= set(history.history)
    logs = model.evaluate(P, HOT, verbose=0, return_dict=True, sample_weight=WEIGHT)
    predicted = model.predict(P, verbose=0)
    labels = predicted.argmax(axis=1)
    assert logs["balanced_accuracy"] == sk.balanced_accuracy_score(LABEL, labels)
    assert logs["f1_macro"] == pytest.approx(
        sk.f1_score(LABEL, labels, average="macro", sample_weight=WEIGHT.astype(np.float32)), rel=1e-6
    )
    np.testing.assert_array_equal(logs["confusion_matrix"], sk.confusion_matrix(LABEL, labels))


@pytest.mark.parametrize("weights", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    "name, function",
    [
        ("MeanSquaredError", lambda y, p: ((p - y) ** 2).mean(1)),
        ("MeanAbsoluteError", lambda y, p: abs(p - y).mean(1)),
        ("MeanAbsolutePercentageError", lambda y, p: 100 * (abs(p - y) / np.maximum(abs(y), 1e-7)).mean(1)),
        ("MeanSquaredLogarithmicError", lambda y, p: ((np.log1p(p) - np.log1p(y)) ** 2).mean(1)),
        ("LogCoshError", lambda y, p: np.log(np.cosh(p - y)).mean(1)),
        ("Hinge", lambda y, p: np.maximum(1 - (2 * y - 1) * p, 0).mean(1)),
        ("SquaredHinge", lambda y, p: (np.maximum(1 - (2 * y - 1) * p, 0) ** 2).mean(1)),
        ("CategoricalHinge", lambda y, p: np.maximum(1 + ((1 - y) * p).max(1) - (y * p).sum(1), 0)),
        ("KLDivergence", lambda y, p: np.where(y > 0, -np.log(p), 1e-7 * np.log(1e-7 / p)).sum(1)),
        ("Poisson", lambda y, p: (p - y * np.log(p)).mean(1)),
        ("CategoricalCrossentropy", lambda y, p: -(y * np.log(p)).sum(1)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_metrics_of_losses_are_weighted_means(name, function, weights):
    p = P.astype(np.float64)
    expected = np.average(function(HOT, p), weights=weights)
    bound = 1e-7 / float(P.min())  # of log(p + 1e-7), as Keras writes it, against log(p)
    np.testing.assert_allclose(halves(getattr(metrics, name)(), HOT, p, weights), expected, rtol=bound)
    model = fastnn.Sequential([layers.Activation("linear", input_shape=(4,))])
    model.compile("sgd", "mse", weighted_metrics=[name])
    found = model.evaluate(P, HOT, sample_weight=weights, verbose=0, return_dict=True)
    np.testing.assert_allclose(found[metrics.get(name).name], expected, rtol=bound)


@pytest.mark.parametrize("name", ["cosine_similarity", "pearson_correlation", "concordance_correlation"])
def test_numbers_whose_squares_are_not_finite_warn_of_nothing(name):
    found = getattr(metrics, name)(np.array([[1e300, -1e300], [1.0, 2.0]]), np.array([[1e300, 1e300], [2.0, 4.0]]))
    assert found.shape == (2,) and np.isfinite(found[1])


def test_ignored_classes_count_with_the_loss_0():
    found = halves(metrics.SparseCategoricalCrossentropy(ignore_class=2), LABEL, P.astype(np.float64))
    expected = np.where(LABEL == 2, 0, -np.log(P[np.arange(N), LABEL])).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_one_sample_without_an_axis_of_samples():
    each = [metrics.Precision(top_k=2)(HOT[i], P[i]) for i in range(20)]
    assert each == [metrics.Precision(top_k=2)(HOT[i : i + 1], P[i : i + 1]) for i in range(20)]
    assert 0 in each and 0.5 in each


@pytest.mark.parametrize(
    "made",
    [
        metrics.AUC(curve="PR", thresholds=[0.2, 0.4], name="a"),
        metrics.Precision([0.2, 0.4], class_id=1),
        metrics.F1Score("macro", 0.5),
        metrics.PrecisionAtRecall(0.5),
        metrics.MeanIoU(3),
        metrics.BinaryAccuracy(threshold=0.4),
        metrics.R2Score(None, 2),
        metrics.ConfusionMatrix(3),
        metrics.SparseTopKCategoricalAccuracy(3),
        metrics.SparseCategoricalCrossentropy(ignore_class=-1),
    ],
    ids=lambda made: type(made).__name__,
)
def test_configurations(made):
    again = metrics.deserialize(metrics.serialize(made))
    assert type(again) is type(made) and again.get_config() == made.get_config()


KERAS = {
    "AUC": [
        {"curve": curve, "summation_method": method, "num_thresholds": 50}
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
    ]
    + [
        {"multi_label": True},
        {"multi_label": True, "label_weights": [0.1, 0.2, 0.3, 0.4]},
        {"label_weights": [0.1, 0.2, 0.3, 0.4]},
        {"from_logits": True},
        {"thresholds": [0.1, 0.15, 0.6]},
    ],
    "Precision": [{}, {"thresholds": [0.2, 0.6]}, {"top_k": 2}, {"class_id": 1}, {"top_k": 2, "class_id": 3}],
    "Recall": [{}, {"thresholds": [0.2, 0.6]}, {"top_k": 2}, {"class_id": 1}],
    "TruePositives": [{"thresholds": [0.25, 0.5, 0.75]}],
    "SensitivityAtSpecificity": [{"specificity": 0.6}],
    "SpecificityAtSensitivity": [{"sensitivity": 0.6, "num_thresholds": 1}],
    "PrecisionAtRecall": [{"recall": 0.6}],
    "RecallAtPrecision": [{"precision": 0.3, "class_id": 2}],
    "FBetaScore": [{"beta": 0.5, "average": a, "threshold": t} for a in (None, "micro") for t in (None, 0.3)],
    "R2Score": [{}, {"class_aggregation": "variance_weighted_average"}, {"num_regressors": 3}],
    "RootMeanSquaredError": [{}],
    "CosineSimilarity": [{}],
    "PearsonCorrelation": [{}],
    "ConcordanceCorrelation": [{}],
    "TopKCategoricalAccuracy": [{"k": 2}],
    "BinaryAccuracy": [{"threshold": 0.3}],
    "CategoricalAccuracy": [{}],
    "OneHotIoU": [{"num_classes": 4, "target_class_ids": [0, 2]}],
}


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype")  # of JAX, by Keras' metrics of whole numbers
@pytest.mark.parametrize("weights", [None, WEIGHT.astype(np.float32)], ids=["plain", "weighted"])
@pytest.mark.parametrize("name, options", [(n, o) for n, each in KERAS.items() for o in each], ids=str)
def test_as_keras(name, options, weights):
    keras = pytest.importorskip("keras")
    if name == "OneHotIoU" and weights is not None:
        options = options | {"dtype": "float32"}  # whole numbers else
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    y = HOT.astype(np.float32)
    found = halves(ours, y, P, weights)
    np.testing.assert_allclose(found, np.asarray(halves(theirs, y, P, weights)), rtol=2e-5, atol=2e-5)  # float32 sums


def digits_net(hidden, optimizer):
    """Five layers as in 784-200-100-60-30-10 with binary cross-entropy on one-hot labels."""
    fastnn.set_random_seed(1)
    made = fastnn.Sequential([fastnn.Input((784,))] + [layers.Dense(n, activation=hidden) for n in (200, 100, 60, 30)])
    made.add(layers.Dense(10, activation="softmax"))
    made.compile(optimizer, "binary_crossentropy", metrics=["binary_accuracy", "categorical_accuracy"])
    return made


@pytest.fixture(scope="module")
def digits():
    (x, y), (x_test, y_test) = fastnn.datasets.mnist.load_data()
    x, x_test = (a.reshape(len(a), 784).astype(np.float32) / 255 for a in (x, x_test))
    return x, np.eye(10, dtype=np.float32)[y], x_test, np.eye(10, dtype=np.float32)[y_test]


def test_binary_accuracy_of_classes_looks_better_than_it_is(digits):
    x, y, x_test, y_test = digits
    model = digits_net("relu", "adam")
    with pytest.warns(UserWarning, match="categorical_accuracy"):
        model.fit(x, y, batch_size=128, epochs=5, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once for each compile()
        model.fit(x[:128], y[:128], epochs=1, verbose=0)
    logs = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
    assert logs["binary_accuracy"] == pytest.approx(0.996, abs=1e-3)
    assert logs["categorical_accuracy"] == pytest.approx(0.98, abs=8e-3)


def test_binary_accuracy_of_outputs_below_the_threshold_is_nine_tenths(digits):
    x, y, x_test, y_test = digits
    model = digits_net("sigmoid", "sgd")
    with pytest.warns(UserWarning, match="it is 0.9 even if every output"):
        model.fit(x, y, batch_size=128, epochs=1, verbose=0)
    logs = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
    assert model.predict(x_test, verbose=0).max() < 0.5
    assert logs["binary_accuracy"] == pytest.approx(0.9, abs=1e-7)  # 0.9 in float32
    assert logs["categorical_accuracy"] < 0.2


@pytest.mark.parametrize(
    "loss, metric, y",
    [
        ("binary_crossentropy", "binary_accuracy", RNG.integers(0, 2, (N, 4))),  # several labels
        ("binary_crossentropy", "categorical_accuracy", HOT),
        ("categorical_crossentropy", "binary_accuracy", HOT),
        ("binary_crossentropy", "accuracy", HOT),  # categorical by its shape
    ],
)
def test_no_warning(loss, metric, y):
    model = fastnn.Sequential([layers.Dense(4, activation="sigmoid", input_shape=(4,))])
    model.compile("sgd", loss, metrics=[metric])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(P, y.astype(np.float32), verbose=0)
