"""Metrics: what training reports besides the loss. Sums are kept in float64, in sample order."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import initializers, losses, ops
from .errors import (
    check_array,
    check_integer,
    check_name,
    check_number,
    invalid,
    is_one_of,
    missing_method,
    not_provided,
    show,
    unknown,
)
from .losses import LABELS, VALUES, align_target, paired
from .ops.table import Shape
from .registry import Names, function_name, make, snake_case, spellings
from .variable import Variable


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """Part of the last axis where ``y_pred > threshold`` equals the target.

    Examples
    --------
    >>> import numpy as np
    >>> binary_accuracy(np.array([[1.0, 0.0]]), np.array([[0.7, 0.6]]))
    array([0.5])
    """
    y_true, y_pred = paired(y_true, y_pred)
    return ops.threshold_agrees(y_pred, y_true, threshold=threshold)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is at the place of the largest target, else 0."""
    y_true, y_pred = paired(y_true, y_pred)
    return ops.argmax_agrees(y_pred, y_true)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is at the label, else 0."""
    y_true, y_pred = paired(y_true, y_pred, LABELS)
    return ops.argmax_equals(y_pred, y_true)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the label is among the k largest predictions, else 0."""
    y_true, y_pred = paired(y_true, y_pred, LABELS)
    return ops.in_top_k(y_pred, y_true, k=k)


class Metric:
    """A running value.

    A subclass keeps it in variables of `add_variable`, or in attributes that its `reset_state` resets, and
    takes in the arrays of each batch in `update_state`. That runs in Python, after the batches have run in C;
    a function of `fastnn.ops` with one value per sample runs in C too, see `MeanMetric`.

    Parameters
    ----------
    name : str, optional
    dtype : None
        Not provided yet.

    Raises
    ------
    NotImplementedError
        The subclass has no `update_state` or no `result`.

    Attributes
    ----------
    target : {"values", "labels"}
        What `update_state` expects as `y_true`: floating values in the shape of the predictions, or int32
        class labels.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import metrics
    >>> class LargestError(metrics.Metric):
    ...     def __init__(self, name="largest_error"):
    ...         super().__init__(name)
    ...         self.largest = self.add_variable(())
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest.assign(max(self.largest.numpy(), np.abs(y_true - y_pred).max()))
    ...     def result(self):
    ...         return self.largest
    >>> metric = LargestError()
    >>> metric(np.zeros(2), np.array([1.0, -3.0]))
    3.0
    """

    target = VALUES

    def __init__(self, name: str | None = None, dtype: None = None):
        not_provided(dtype=dtype)
        for method in ("update_state(self, y_true, y_pred, sample_weight=None)", "result(self)"):
            attribute = method.partition("(")[0]
            if getattr(type(self), attribute) is getattr(Metric, attribute):
                raise missing_method(self, method, "write it with NumPy")
        self.name = check_name("name", name) or snake_case(type(self).__name__)
        self._variables: list[tuple[Variable, np.ndarray]] = []  # with their initial values

    def add_variable(self, shape: tuple[int, ...] = (), initializer: Any = "zeros", name: str = "total") -> Variable:
        """A float64 variable of this metric, which `reset_state` sets back to its initial value."""
        shape = initializers.check_shape(shape)
        check_name("name", name)
        initial = initializers.get(initializer) or initializers.Zeros()
        variable = Variable(initial(shape), trainable=False, name=name, dtype="float64")
        variable.path = f"{self.name}/{name}"
        self._variables.append((variable, variable.numpy()))
        return variable

    add_weight = add_variable

    def reset_state(self) -> None:
        """Begin anew: give all variables their initial values."""
        for variable, value in self._variables:
            variable.assign(value)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch of arrays."""
        raise NotImplementedError

    def result(self) -> float:
        """The value so far."""
        raise NotImplementedError

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """Take in a batch and return the value so far."""
        self.update_state(y_true, y_pred, *(() if sample_weight is None else (sample_weight,)))
        return float(self.result())


class MeanMetric(Metric):
    """Weighted mean of a function ``f(y_true, y_pred, **arguments)`` with one value per sample.

    Because the function is written with `fastnn.ops`, training computes it in C.

    Parameters
    ----------
    function : callable
    name : str, optional
        Default: the function's name.
    target : {"values", "labels"}
        What the function expects as `y_true`.
    **arguments
        Passed on to `function`.
    """

    def __init__(self, function: Callable[..., Any], name: str | None = None, target: str = VALUES, **arguments: Any):
        if not is_one_of(target, (VALUES, LABELS)):
            raise unknown("target", target, (VALUES, LABELS))
        self.function, self.target, self.arguments = function, target, arguments
        default = function_name(function)  # refuses what is no function
        super().__init__(check_name("name", name) or default)
        self.reset_state()

    def reset_state(self) -> None:
        self.total, self.weight = 0.0, 0.0

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample."""
        return self.function(y_true, y_pred, **self.arguments)

    def add(self, sums: np.ndarray) -> None:
        """Take in pairs (weighted sum, sum of weights), one per batch, in order."""
        for total, weight in sums.tolist():
            self.total += total
            self.weight += weight

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = paired(y_true, y_pred, self.target)
        y_true = align_target(y_true, y_pred.shape, self.target)
        values = check_array(f"values of metric {self.name!r}", self.values(y_true, y_pred), y_pred.dtype)
        weights = None if sample_weight is None else check_array("sample_weight", sample_weight, values.dtype)
        self.add(np.asarray(ops.weighted_sum(values, weights))[None])

    def result(self) -> float:
        return self.total / self.weight if self.weight else 0.0


class BinaryAccuracy(MeanMetric):
    """See `binary_accuracy`."""

    def __init__(self, name: str = "binary_accuracy", dtype: None = None, threshold: float = 0.5):
        not_provided(dtype=dtype)
        low, high = math.ulp(0.0), math.nextafter(1, 0)
        threshold = check_number("threshold", threshold, low, "a number between 0 and 1", "pass for example 0.5", high)
        super().__init__(binary_accuracy, name, threshold=threshold)


class CategoricalAccuracy(MeanMetric):
    """See `categorical_accuracy`."""

    def __init__(self, name: str = "categorical_accuracy", dtype: None = None):
        not_provided(dtype=dtype)
        super().__init__(categorical_accuracy, name)


class SparseCategoricalAccuracy(MeanMetric):
    """See `sparse_categorical_accuracy`."""

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: None = None):
        not_provided(dtype=dtype)
        super().__init__(sparse_categorical_accuracy, name, LABELS)


class SparseTopKCategoricalAccuracy(MeanMetric):
    """See `sparse_top_k_categorical_accuracy`."""

    def __init__(self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy", dtype: None = None):
        not_provided(dtype=dtype)
        k = check_integer("k", k, 1, "a positive integer", "pass how many of the largest predictions count")
        super().__init__(sparse_top_k_categorical_accuracy, name, LABELS, k=k)


class MeanSquaredError(MeanMetric):
    """See `fastnn.losses.mean_squared_error`."""

    def __init__(self, name: str = "mean_squared_error", dtype: None = None):
        not_provided(dtype=dtype)
        super().__init__(losses.mean_squared_error, name)


class MeanAbsoluteError(MeanMetric):
    """See `fastnn.losses.mean_absolute_error`."""

    def __init__(self, name: str = "mean_absolute_error", dtype: None = None):
        not_provided(dtype=dtype)
        super().__init__(losses.mean_absolute_error, name)


class LossMetric(MeanMetric):
    """A loss function reported as a metric, under the loss's name."""

    def __init__(self, loss: Any, name: str | None = None):
        loss = losses.get(loss)
        super().__init__(loss.call, check_name("name", name) or loss.name, loss.target)


def accuracy_of(y_shape: Shape | None, prediction: Shape | None) -> Callable[[str], MeanMetric]:
    """The accuracy that goes with the shapes of targets and predictions, as Keras picks it."""
    if prediction is None or y_shape is None:
        return CategoricalAccuracy
    if prediction[-1] == 1:
        return BinaryAccuracy
    sparse = len(y_shape) < len(prediction) or y_shape[-1] == 1
    return SparseCategoricalAccuracy if sparse else CategoricalAccuracy


NAMES: Names = {
    **{name: partial(LossMetric, loss, name=name) for name, loss in losses.NAMES.items()},
    **spellings(
        BinaryAccuracy,
        CategoricalAccuracy,
        SparseCategoricalAccuracy,
        SparseTopKCategoricalAccuracy,
        MeanSquaredError,
        MeanAbsoluteError,
        mse=lambda: MeanSquaredError("mse"),
        mae=lambda: MeanAbsoluteError("mae"),
    ),
}


def from_function(function: Callable[..., Any]) -> MeanMetric:
    """The metric of a function; those of this package that compare with labels get labels."""
    of_labels = (
        sparse_categorical_accuracy,
        sparse_top_k_categorical_accuracy,
        losses.sparse_categorical_crossentropy,
    )
    return MeanMetric(function, target=LABELS if function in of_labels else VALUES)


def get(identifier: Any, y_shape: Shape | None = None, prediction: Shape | None = None) -> Metric:
    """A metric by name, class, function or instance.

    Parameters
    ----------
    identifier : str, type, callable or Metric
        "accuracy" and "acc" pick their kind by the shapes, as Keras does: binary for predictions of
        width 1, sparse for labels without a class axis, else categorical.
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
    accuracies = {name: partial(accuracy_of(y_shape, prediction), name) for name in ("accuracy", "acc")}
    return make("metric", identifier, NAMES | accuracies, Metric, wrap=from_function)
