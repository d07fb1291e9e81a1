"""The zero-one loss: whether a decision is wrong. It has no slope, so that it serves to evaluate only."""

from typing import Any

from .. import ops
from ..errors import check_number
from .loss import LABELS, MEAN, LossFunction, paired, ranked, takes


def zero_one(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where the class that is predicted is wrong, else 0.

    Of several columns the largest is the class, in targets as in predictions. Of a single one it is whether it is
    above `threshold`. Its mean is 1 minus the accuracy; a model cannot be trained with it, for its slope is 0 wherever
    it has one.

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., n)
        One-hot targets, or 0 and 1 in a single column.
    threshold : float, default 0.5

    Returns
    -------
    array of shape (batch, ...)

    Examples
    --------
    >>> import numpy as np
    >>> zero_one(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.7, 0.3], [0.6, 0.4]]))
    array([0., 1.])
    """
    threshold = checked_threshold(threshold)
    y_true, y_pred = ranked(y_true, y_pred)
    if y_pred.shape[-1:] == (1,):
        return ops.subtract(1.0, ops.threshold_agrees(y_pred, y_true, threshold=threshold))
    return ops.subtract(1.0, ops.argmax_agrees(y_pred, y_true))


@takes(LABELS)
def sparse_zero_one(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is not at the label, else 0; `zero_one` for integer labels.

    Parameters
    ----------
    y_true : array of int, shape (batch, ...)
    y_pred : array of shape (batch, ..., classes)

    Returns
    -------
    array of shape (batch, ...)

    Examples
    --------
    >>> import numpy as np
    >>> sparse_zero_one(np.array([0, 1]), np.array([[0.7, 0.3], [0.6, 0.4]]))
    array([0., 1.])
    """
    y_true, y_pred = paired(y_true, y_pred, LABELS)
    return ops.subtract(1.0, ops.argmax_equals(y_pred, y_true))


def checked_threshold(value: Any) -> float:
    """A number above which a single prediction means class 1."""
    return check_number("threshold", value, -3e38, "a finite number", "pass for example 0.5", 3e38)


class ZeroOne(LossFunction):
    """See `zero_one`."""

    trains = False

    def __init__(
        self,
        threshold: float = 0.5,
        reduction: str | None = MEAN,
        name: str = "zero_one",
        dtype: str | None = None,
    ):
        super().__init__(zero_one, name, reduction, dtype, threshold=checked_threshold(threshold))


class SparseZeroOne(LossFunction):
    """See `sparse_zero_one`."""

    trains = False

    def __init__(self, reduction: str | None = MEAN, name: str = "sparse_zero_one", dtype: str | None = None):
        super().__init__(sparse_zero_one, name, reduction, dtype)
