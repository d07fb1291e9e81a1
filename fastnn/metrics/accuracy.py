"""Part of the predictions that are right."""

from typing import Any

import numpy as np

from .. import ops
from ..errors import check_array, check_flag, check_integer, invalid
from ..losses import LABELS
from ..ops.table import find_recorder
from .base import MeanMetricWrapper, paired
from .confusion import check_fraction, same_shape


def accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where prediction and target are equal, else 0, for each element.

    Examples
    --------
    >>> import numpy as np
    >>> accuracy(np.array([1, 2, 3]), np.array([1, 2, 4]))
    array([1., 1., 0.], dtype=float32)
    """
    y_true, y_pred = same_shape(y_true, y_pred)
    return (y_true == y_pred).astype(y_pred.dtype)


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where ``y_pred > threshold`` equals the target, else 0, for each element.

    Parameters
    ----------
    y_true, y_pred : array of equal shape
    threshold : float from 0 to 1, default 0.5

    Returns
    -------
    array of this shape

    Examples
    --------
    >>> import numpy as np
    >>> binary_accuracy(np.array([[1.0, 0.0]]), np.array([[0.7, 0.6]]))
    array([[1., 0.]])
    """
    if find_recorder((y_true, y_pred)) is None:
        y_true, y_pred = same_shape(y_true, y_pred)
        return ((y_pred > check_fraction("threshold", threshold)) == y_true).astype(y_pred.dtype)
    y_true, y_pred = (ops.reshape(a, (-1, *a.shape[1:], 1)) for a in (y_true, y_pred))
    return ops.threshold_agrees(y_pred, y_true, threshold=threshold)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is at the place of the largest target, else 0.

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., classes)

    Returns
    -------
    array of shape (batch, ...)
    """
    y_true, y_pred = paired(y_true, y_pred)
    return ops.argmax_agrees(y_pred, y_true)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is at the label, else 0.

    Parameters
    ----------
    y_true : array of int, shape (batch, ...)
    y_pred : array of shape (batch, ..., classes)

    Returns
    -------
    array of shape (batch, ...)
    """
    y_true, y_pred = paired(y_true, y_pred, LABELS)
    return ops.argmax_equals(y_pred, y_true)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """1 where the label is among the k largest predictions, else 0.

    Parameters
    ----------
    y_true : array of int, shape (batch, ...)
    y_pred : array of shape (batch, ..., classes)
    k : int, default 5
    from_sorted_ids : bool, default False
        Predictions are no scores but classes, the likeliest first.

    Returns
    -------
    array of shape (batch, ...)
    """
    if check_flag("from_sorted_ids", from_sorted_ids):
        y_true, y_pred, k = check_array("y_true", y_true), check_array("y_pred", y_pred), check_k(k)
        if y_pred.ndim != y_true.ndim + 1:
            expected, fix = f"one axis more than labels of shape {y_true.shape}", "pass the classes of each sample"
            raise invalid("y_pred", y_pred, expected, fix)
        return (y_pred[..., :k] == y_true[..., None]).any(axis=-1).astype(np.float32)
    y_true, y_pred = paired(y_true, y_pred, LABELS)
    return ops.in_top_k(y_pred, y_true, k=k)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """1 where the place of the largest target is among those of the k largest predictions, else 0.

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., classes)
    k : int, default 5

    Returns
    -------
    array of shape (batch, ...)
    """
    y_true, y_pred = same_shape(y_true, y_pred)
    if not y_true.ndim or not y_true.shape[-1]:
        raise invalid("y_true", y_true, "an array with an axis for the classes", "pass one number for each class")
    return sparse_top_k_categorical_accuracy(y_true.argmax(axis=-1), y_pred, k)


def check_k(k: Any) -> int:
    """How many of the largest predictions count."""
    return check_integer("k", k, 1, "a positive integer", "pass how many of the largest predictions count")


class Accuracy(MeanMetricWrapper):
    """How often predictions equal targets; see `accuracy`.

    Parameters
    ----------
    name : str, default "accuracy"
    dtype : {"float32", "float64"}, optional
    """

    in_c = False

    def __init__(self, name: str = "accuracy", dtype: str | None = None):
        super().__init__(accuracy, name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        super(MeanMetricWrapper, self).update_state(accuracy(y_true, y_pred), sample_weight)


class BinaryAccuracy(MeanMetricWrapper):
    """Mean of `binary_accuracy`.

    Over outputs of which one in ten is 1 it is 0.9 when all are below the threshold: for classes use
    `CategoricalAccuracy`.

    Parameters
    ----------
    name : str, default "binary_accuracy"
    dtype : {"float32", "float64"}, optional
    threshold : float from 0 to 1, default 0.5
    """

    def __init__(self, name: str = "binary_accuracy", dtype: str | None = None, threshold: float = 0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=check_fraction("threshold", threshold))
        self.threshold = threshold

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Means along the last axis, which one operation makes."""
        return ops.threshold_agrees(y_pred, y_true, threshold=self.threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """Mean of `categorical_accuracy`."""

    def __init__(self, name: str = "categorical_accuracy", dtype: str | None = None):
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """Mean of `sparse_categorical_accuracy`."""

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: str | None = None):
        super().__init__(sparse_categorical_accuracy, name, dtype, target=LABELS)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """Mean of `top_k_categorical_accuracy`."""

    in_c = False

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: str | None = None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=check_k(k))
        self.k = k


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """Mean of `sparse_top_k_categorical_accuracy`."""

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: str | None = None,
        from_sorted_ids: bool = False,
    ):
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, target=LABELS, k=check_k(k))
        self.k = k
        self.from_sorted_ids = check_flag("from_sorted_ids", from_sorted_ids)
        if from_sorted_ids:
            self.in_c = False
            self.arguments["from_sorted_ids"] = True
