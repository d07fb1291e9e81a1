"""Losses of overlaps, as of segmented images."""

from typing import Any

from .. import ops
from ..errors import check_integer
from ..ops.losses import LOW
from .loss import MEAN, LossFunction, not_negative, ranked

Axes = int | tuple[int, ...] | None


def dice(y_true: Any, y_pred: Any, axis: Axes = None) -> Any:
    """``1 - 2 sum(y p) / (sum(y) + sum(p) + 1e-7)``: 0 if both cover the same, 1 if they have nothing in common.

    Milletari et al., V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image Segmentation (2016).

    Parameters
    ----------
    y_true, y_pred : array of equal shape
        How far each element belongs to the object, from 0 to 1.
    axis : int or tuple of int, optional
        Along which the sums are taken; default: all, also that of the batch.

    Returns
    -------
    array of the shape without these axes

    Examples
    --------
    >>> import numpy as np
    >>> dice(np.array([[1.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]]), axis=1).round(4)
    array([0.3333])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    common = ops.sum(ops.multiply(y_true, y_pred), axis=axis)
    both = ops.add(ops.sum(y_true, axis=axis), ops.sum(y_pred, axis=axis))
    return ops.subtract(1.0, ops.divide(ops.multiply(common, 2.0), ops.add(both, LOW)))


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Axes = None) -> Any:
    """``1 - c / (c + alpha m + beta f + 1e-7)``, with c = sum(y p), m = sum(y (1 - p)) and f = sum(p (1 - y)).

    m is what is missed and f what is found wrongly; with both factors 0.5 it is about `dice`. Salehi et al., Tversky
    Loss Function for Image Segmentation Using 3D Fully Convolutional Deep Networks (2017).

    Parameters
    ----------
    y_true, y_pred, axis
        As of `dice`.
    alpha, beta : float, default 0.5
        At least 0.

    Returns
    -------
    array of the shape without these axes

    Examples
    --------
    >>> import numpy as np
    >>> tversky(np.array([[1.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]]), alpha=1.0, axis=1).round(4)
    array([0.5])
    """
    alpha, beta = not_negative("alpha", alpha), not_negative("beta", beta)
    y_true, y_pred = ranked(y_true, y_pred)
    common = ops.sum(ops.multiply(y_true, y_pred), axis=axis)
    missed = ops.sum(ops.multiply(y_true, ops.subtract(1.0, y_pred)), axis=axis)
    wrong = ops.sum(ops.multiply(y_pred, ops.subtract(1.0, y_true)), axis=axis)
    errors = ops.add(ops.multiply(missed, alpha), ops.multiply(wrong, beta))
    return ops.subtract(1.0, ops.divide(common, ops.add(ops.add(common, errors), LOW)))


def checked_axes(axis: Any) -> Axes:
    """Axes as an int, a tuple of ints or None; a list becomes a tuple."""
    if axis is None:
        return None
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    expected = "an integer, a tuple of integers, or None"
    found = tuple(check_integer("axis", i, -(2**31), expected, "pass for example (1, 2)") for i in given)
    return found if isinstance(axis, (tuple, list)) else found[0]


class Dice(LossFunction):
    """See `dice`."""

    def __init__(self, reduction: str | None = MEAN, name: str = "dice", axis: Axes = None, dtype: str | None = None):
        super().__init__(dice, name, reduction, dtype, axis=checked_axes(axis))


class Tversky(LossFunction):
    """See `tversky`."""

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = MEAN,
        name: str = "tversky",
        axis: Axes = None,
        dtype: str | None = None,
    ):
        given = {"alpha": not_negative("alpha", alpha), "beta": not_negative("beta", beta)}
        super().__init__(tversky, name, reduction, dtype, **given, axis=checked_axes(axis))
