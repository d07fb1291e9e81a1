"""Losses of classes by margins: targets of binary ones are -1 and 1."""

from typing import Any

from .. import ops
from ..errors import invalid
from .loss import MEAN, LossFunction, logits_of, ranked, symbolic


def hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of ``max(1 - y_true y_pred, 0)``, with targets of -1 and 1.

    If all targets (of a batch) are 0 or 1, the zeros become -1.

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., n)
        Predictions of any size, as of a linear layer or tanh.

    Returns
    -------
    array of shape (batch, ...)

    Raises
    ------
    ValueError
        In a model with a softmax output: its values are not on both sides of 0. Use `categorical_hinge`.

    Examples
    --------
    >>> import numpy as np
    >>> hinge(np.array([[1.0, 0.0]]), np.array([[0.5, 2.0]]))
    array([1.75])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    check_sides("hinge", y_pred)
    return ops.hinge(y_pred, signs(y_true))


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of ``max(1 - y_true y_pred, 0)^2``; targets and errors as of `hinge`.

    Examples
    --------
    >>> import numpy as np
    >>> squared_hinge(np.array([[1.0, 0.0]]), np.array([[0.5, 2.0]]))
    array([4.625])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    check_sides("squared_hinge", y_pred)
    return ops.squared_hinge(y_pred, signs(y_true))


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """``max(1 + w - r, 0)``, with w the largest of ``(1 - y_true) y_pred`` and r the sum of ``y_true y_pred``.

    With one-hot targets, r is the prediction of the right class and w the largest of the wrong ones (at least 0).

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., classes)

    Returns
    -------
    array of shape (batch, ...)

    Examples
    --------
    >>> import numpy as np
    >>> categorical_hinge(np.array([[0.0, 1.0, 0.0]]), np.array([[0.25, 0.5, 0.0]]))
    array([0.75])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    right = ops.sum(ops.multiply(y_true, y_pred), axis=-1)
    wrong = ops.max(ops.multiply(ops.subtract(1.0, y_true), y_pred), axis=-1)
    return ops.maximum(ops.add(ops.subtract(wrong, right), 1.0), 0.0)


def signs(y_true: Any) -> Any:
    """Targets of 0 and 1 as -1 and 1; as they are if any other number is among them."""
    if not symbolic(y_true):
        binary = bool(((y_true == 0) | (y_true == 1)).all())
        return 2 * y_true - 1 if binary else y_true
    binary = ops.min(ops.maximum(ops.equal(y_true, 0.0), ops.equal(y_true, 1.0)))  # 1 if each is
    return ops.add(y_true, ops.multiply(ops.subtract(y_true, 1.0), binary))


def check_sides(loss: str, y_pred: Any) -> None:
    """Refuse softmax outputs."""
    if logits_of(y_pred, "softmax") is not None:
        expected = "predictions on both sides of 0, for its targets are -1 and 1"
        fix = "use 'categorical_hinge' with one-hot targets, or an output layer with tanh or without activation"
        raise invalid(f"loss {loss!r}", "the output of a softmax, from 0 to 1", expected, fix)


class Hinge(LossFunction):
    """See `hinge`."""

    def __init__(self, reduction: str | None = MEAN, name: str = "hinge", dtype: str | None = None):
        super().__init__(hinge, name, reduction, dtype)


class SquaredHinge(LossFunction):
    """See `squared_hinge`."""

    def __init__(self, reduction: str | None = MEAN, name: str = "squared_hinge", dtype: str | None = None):
        super().__init__(squared_hinge, name, reduction, dtype)


class CategoricalHinge(LossFunction):
    """See `categorical_hinge`."""

    def __init__(self, reduction: str | None = MEAN, name: str = "categorical_hinge", dtype: str | None = None):
        super().__init__(categorical_hinge, name, reduction, dtype)
