"""Metrics: what training reports besides the loss.

What is one value per sample, a function of `fastnn.ops`, is summed in C while training (`MeanMetricWrapper`); the
other metrics take in the predictions of each batch in Python. Names are those of Keras; every other name that
scikit-learn knows as a scorer is one here, too.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import losses
from ..errors import invalid, show
from ..losses import VALUES
from ..ops.table import Shape
from ..registry import Names, make, registered, spellings
from ..registry import serialize as serialize_object
from .accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from .base import LossMetric, Mean, MeanMetricWrapper, Metric, Sum
from .confusion import (
    AUC,
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from .of_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from .scorers import Scorer, scorer_names
from .scores import (
    BinaryIoU,
    ConcordanceCorrelation,
    ConfusionMatrix,
    CosineSimilarity,
    F1Score,
    FBetaScore,
    IoU,
    MeanIoU,
    OneHotIoU,
    OneHotMeanIoU,
    PearsonCorrelation,
    R2Score,
    RootMeanSquaredError,
    concordance_correlation,
    cosine_similarity,
    is_sparse,
    pearson_correlation,
)


def accuracy_of(y_shape: Shape | None, prediction: Shape | None) -> Callable[[str], MeanMetricWrapper]:
    """The accuracy that goes with the shapes of targets and predictions, as Keras picks it."""
    if prediction is None or y_shape is None:
        return CategoricalAccuracy
    if prediction[-1] == 1:
        return BinaryAccuracy
    return SparseCategoricalAccuracy if is_sparse(y_shape, prediction) else CategoricalAccuracy


CLASSES = (
    *(AUC, FalseNegatives, FalsePositives, Precision, PrecisionAtRecall, Recall, RecallAtPrecision),
    *(SensitivityAtSpecificity, SpecificityAtSensitivity, TrueNegatives, TruePositives),
    *(BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy),
    *(SparseTopKCategoricalAccuracy, TopKCategoricalAccuracy),
    *(BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy),
    *(CategoricalHinge, Hinge, SquaredHinge, KLDivergence, LogCoshError, Poisson),
    *(MeanAbsolutePercentageError, MeanSquaredLogarithmicError),
    *(MeanAbsoluteError, MeanSquaredError, RootMeanSquaredError, R2Score, Mean, Sum, MeanMetricWrapper),
    *(ConcordanceCorrelation, CosineSimilarity, PearsonCorrelation, F1Score, FBetaScore),
    *(ConfusionMatrix, BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU),
)

NAMES: Names = {
    **{name: partial(LossMetric, loss, name=name) for name, loss in losses.NAMES.items()},
    **spellings(
        *CLASSES,
        mse=lambda: MeanSquaredError("mse"),
        mae=lambda: MeanAbsoluteError("mae"),
        MSE=lambda: MeanSquaredError("MSE"),
        MAE=lambda: MeanAbsoluteError("MAE"),
        bce=lambda: BinaryCrossentropy("bce"),
        BCE=lambda: BinaryCrossentropy("BCE"),
    ),
    "Accuracy": Accuracy,
}

OF_FUNCTIONS: dict[Callable[..., Any], Callable[[], Metric]] = {
    categorical_accuracy: CategoricalAccuracy,
    binary_accuracy: BinaryAccuracy,
    top_k_categorical_accuracy: TopKCategoricalAccuracy,
    sparse_top_k_categorical_accuracy: SparseTopKCategoricalAccuracy,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    cosine_similarity: CosineSimilarity,
    pearson_correlation: PearsonCorrelation,
    concordance_correlation: ConcordanceCorrelation,
}


def from_function(function: Callable[..., Any]) -> Metric:
    """The metric of a function; those of this package that compare with labels get labels."""
    if function in OF_FUNCTIONS:
        return OF_FUNCTIONS[function]()
    return MeanMetricWrapper(function, target=getattr(function, "target", VALUES))


def _needs(kind: Any) -> str:
    """The arguments without defaults of a class of metrics."""
    parameters = inspect.signature(kind).parameters.values()
    plain = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    return " and ".join(p.name for p in plain)


def get(identifier: Any, y_shape: Shape | None = None, prediction: Shape | None = None) -> Metric:
    """A metric by name, class, function or instance.

    Parameters
    ----------
    identifier : str, type, callable or Metric
        "accuracy" and "acc" pick their kind by the shapes, as Keras does: binary for predictions of
        width 1, sparse for labels without a class axis, else categorical. A name that is none of Keras' is that of
        a scorer of scikit-learn.
    y_shape, prediction : tuple, optional
        Shapes of targets and predictions; needed for "accuracy".

    Examples
    --------
    >>> from fastnn import metrics
    >>> metrics.get("accuracy", (None,), (None, 10)).function.__name__
    'sparse_categorical_accuracy'
    """
    if isinstance(identifier, losses.Loss):
        return LossMetric(identifier)
    for argument, shape in (("y_shape", y_shape), ("prediction", prediction)):
        if shape is not None and (not isinstance(shape, tuple) or not shape):
            raise invalid(argument, show(shape), "a shape with a batch axis, or None", "pass (None, ...)", TypeError)
    names: Names = NAMES | {name: partial(accuracy_of(y_shape, prediction), name) for name in ("accuracy", "acc")}
    if isinstance(identifier, dict) and identifier.get("class_name") in ("LossMetric", "Scorer"):
        names = names | {"LossMetric": LossMetric, "Scorer": Scorer}
    if isinstance(identifier, str) and identifier not in names and identifier not in registered(Metric):
        names = names | {name: partial(Scorer, name) for name in scorer_names() if name not in names}
    if isinstance(identifier, str) and isinstance(names.get(identifier), type) and _needs(names[identifier]):
        expected, fix = "a metric that needs no arguments", "pass an object, made with them"
        raise invalid("metric", f"{identifier!r}, which needs {_needs(names[identifier])}", expected, fix)
    made: Metric = make("metric", identifier, names, Metric, wrap=from_function)
    made.fit_to(y_shape, prediction)
    return made


def serialize(metric: Metric) -> Any:
    """The configuration from which `deserialize` makes an equal metric."""
    return serialize_object("metric", metric)


def deserialize(config: Any) -> Metric:
    """The metric of a configuration that `serialize` gave.

    Examples
    --------
    >>> deserialize(serialize(Precision(thresholds=0.3))).thresholds
    [0.3]
    """
    return get(config)
