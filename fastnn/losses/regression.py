"""Losses of numbers: errors of many kinds, quantiles, directions, and normal distributions with a variance."""

import math
from typing import Any

from .. import ops
from ..errors import check_flag, invalid
from ..ops.losses import LOW
from .loss import (
    HALVES,
    MEAN,
    LossFunction,
    check_axis,
    fraction,
    moved,
    nonzero,
    paired,
    positive,
    ranked,
    takes,
    target_shape,
)


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of ``(y_pred - y_true)^2``.

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., n)

    Returns
    -------
    array of shape (batch, ...)

    Examples
    --------
    >>> import numpy as np
    >>> mean_squared_error(np.array([[0.0, 2.0]]), np.array([[1.0, 0.0]]))
    array([2.5])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    return ops.mean_squared_error(y_pred, y_true)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of ``|y_pred - y_true|``; shapes as `mean_squared_error`.

    Examples
    --------
    >>> import numpy as np
    >>> mean_absolute_error(np.array([[0.0, 2.0]]), np.array([[1.0, 0.0]]))
    array([1.5])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    return ops.mean_absolute_error(y_pred, y_true)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of ``100 |y_pred - y_true| / max(|y_true|, 1e-7)``; shapes as `mean_squared_error`.

    Examples
    --------
    >>> import numpy as np
    >>> mean_absolute_percentage_error(np.array([[2.0, 4.0]]), np.array([[1.0, 5.0]]))
    array([37.5])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    return ops.mean_absolute_percentage_error(y_pred, y_true)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of ``(log(1 + y_pred) - log(1 + y_true))^2``; shapes as `mean_squared_error`.

    What is below 1e-7 counts as 1e-7, so that negative predictions have a slope of 0.

    Examples
    --------
    >>> import numpy as np
    >>> mean_squared_logarithmic_error(np.array([[0.0, 0.0]]), np.array([[0.0, np.e - 1]])).round(4)
    array([0.5])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    return ops.mean_squared_logarithmic_error(y_pred, y_true)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Mean over the last axis of ``e^2 / 2`` up to ``|e| = delta``, and of ``delta |e| - delta^2 / 2`` beyond.

    Here ``e = y_pred - y_true``: squares for small errors, absolute values for outliers. Huber, Robust Estimation of
    a Location Parameter (1964).

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., n)
    delta : float, default 1.0
        Positive.

    Returns
    -------
    array of shape (batch, ...)

    Examples
    --------
    >>> import numpy as np
    >>> huber(np.array([[0.0, 0.0]]), np.array([[0.5, 3.0]]))
    array([1.3125])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    return ops.huber(y_pred, y_true, delta=positive("delta", delta))


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of ``log(cosh(y_pred - y_true))``; shapes as `mean_squared_error`.

    About ``e^2 / 2`` for small errors and ``|e| - log 2`` for large ones; digits are lost for neither.

    Examples
    --------
    >>> import numpy as np
    >>> log_cosh(np.array([[0.0]]), np.array([[1.0]])).round(4)
    array([0.4338])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    return ops.log_cosh(y_pred, y_true)


def quantile(y_true: Any, y_pred: Any, quantile: float = 0.5) -> Any:
    """Pinball loss: mean over the last axis of ``max(q e, (q - 1) e)`` with ``e = y_true - y_pred``.

    What minimizes it is the q-quantile of the targets. Koenker & Bassett, Regression Quantiles (1978).

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., n)
    quantile : float, default 0.5
        Between 0 and 1; 0.5 gives half of the mean absolute error.

    Returns
    -------
    array of shape (batch, ...)

    Examples
    --------
    >>> import numpy as np
    >>> quantile(np.array([[3.0, 0.0]]), np.array([[1.0, 1.0]]), quantile=0.75)
    array([0.875])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    return ops.pinball(y_pred, y_true, quantile=fraction("quantile", quantile))


@takes(HALVES)
def gaussian_nll(y_true: Any, y_pred: Any, full: bool = False) -> Any:
    """Negative logarithm of the likelihood of normal distributions, of which means and variances are predicted.

    Mean over the n targets of ``(log v + (y_true - m)^2 / v) / 2``. Predictions have 2 n columns: first the n means m,
    then the n logarithms of the variances v, so that any number is one. Nix & Weigend, Estimating the Mean and
    Variance of the Target Probability Distribution (1994).

    Parameters
    ----------
    y_true : array of shape (batch, ..., n)
    y_pred : array of shape (batch, ..., 2 n)
    full : bool, default False
        Whether to add the constant ``log(2 pi) / 2``.

    Returns
    -------
    array of shape (batch, ...)

    Examples
    --------
    >>> import numpy as np
    >>> gaussian_nll(np.array([[3.0]]), np.array([[1.0, np.log(4.0)]])).round(4)
    array([1.1931])
    """
    y_true, y_pred = paired(y_true, y_pred)
    n = y_true.shape[-1] if y_true.shape else 0
    mean, log_variance = halves(y_pred, n)
    square = ops.square(ops.subtract(y_true, mean))
    terms = ops.add(log_variance, ops.multiply(square, ops.exp(ops.negative(log_variance))))
    half = ops.multiply(ops.mean(terms, axis=-1), 0.5)
    return ops.add(half, 0.5 * math.log(2 * math.pi)) if check_flag("full", full) else half


def halves(y_pred: Any, n: int) -> tuple[Any, Any]:
    """The first and the last n columns of predictions that have twice as many."""
    shape = target_shape(y_pred.shape, HALVES)
    if shape[-1] != n:
        received = f"targets of {n} columns for predictions of shape {y_pred.shape}"
        raise invalid("y_true", received, f"{shape[-1]} columns", "predict a mean and a log-variance for each target")
    return y_pred[..., :n], y_pred[..., n:]


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle between targets and predictions: ``-sum(t p)`` of both divided by their lengths.

    -1 for equal directions, 0 for orthogonal ones, 1 for opposite ones. A row of zeros gives 0.

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., n)
    axis : int, default -1
        Along which the vectors lie; not that of the batch in a model.

    Returns
    -------
    array of the shape without `axis`

    Examples
    --------
    >>> import numpy as np
    >>> cosine_similarity(np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [2.0, 2.0]])).round(4)
    array([-0., -1.])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    t, p = normalized(moved(y_true, axis)), normalized(moved(y_pred, axis))
    return ops.negative(ops.sum(ops.multiply(t, p), axis=-1))


def normalized(x: Any) -> Any:
    """Rows divided by their lengths, of at least 1e-7; a row of zeros, which has no direction, stays as it is."""
    square = ops.sum(ops.square(x), axis=-1, keepdims=True)
    return ops.divide(x, ops.maximum(ops.sqrt(nonzero(square)), LOW))


of_quantile = quantile  # which an argument of that name hides


class MeanSquaredError(LossFunction):
    """See `mean_squared_error`."""

    def __init__(self, reduction: str | None = MEAN, name: str = "mean_squared_error", dtype: str | None = None):
        super().__init__(mean_squared_error, name, reduction, dtype)


class MeanAbsoluteError(LossFunction):
    """See `mean_absolute_error`."""

    def __init__(self, reduction: str | None = MEAN, name: str = "mean_absolute_error", dtype: str | None = None):
        super().__init__(mean_absolute_error, name, reduction, dtype)


class MeanAbsolutePercentageError(LossFunction):
    """See `mean_absolute_percentage_error`."""

    def __init__(
        self, reduction: str | None = MEAN, name: str = "mean_absolute_percentage_error", dtype: str | None = None
    ):
        super().__init__(mean_absolute_percentage_error, name, reduction, dtype)


class MeanSquaredLogarithmicError(LossFunction):
    """See `mean_squared_logarithmic_error`."""

    def __init__(
        self, reduction: str | None = MEAN, name: str = "mean_squared_logarithmic_error", dtype: str | None = None
    ):
        super().__init__(mean_squared_logarithmic_error, name, reduction, dtype)


class Huber(LossFunction):
    """See `huber`."""

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = MEAN,
        name: str = "huber_loss",
        dtype: str | None = None,
    ):
        super().__init__(huber, name, reduction, dtype, delta=positive("delta", delta))


class LogCosh(LossFunction):
    """See `log_cosh`."""

    def __init__(self, reduction: str | None = MEAN, name: str = "log_cosh", dtype: str | None = None):
        super().__init__(log_cosh, name, reduction, dtype)


class Quantile(LossFunction):
    """See `quantile`."""

    def __init__(
        self,
        quantile: float = 0.5,
        reduction: str | None = MEAN,
        name: str = "quantile",
        dtype: str | None = None,
    ):
        super().__init__(of_quantile, name, reduction, dtype, quantile=fraction("quantile", quantile))


class GaussianNLL(LossFunction):
    """See `gaussian_nll`."""

    def __init__(
        self,
        full: bool = False,
        reduction: str | None = MEAN,
        name: str = "gaussian_nll",
        dtype: str | None = None,
    ):
        super().__init__(gaussian_nll, name, reduction, dtype, full=check_flag("full", full))


class CosineSimilarity(LossFunction):
    """See `cosine_similarity`."""

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str = "cosine_similarity",
        dtype: str | None = None,
    ):
        super().__init__(cosine_similarity, name, reduction, dtype, axis=check_axis(axis))
