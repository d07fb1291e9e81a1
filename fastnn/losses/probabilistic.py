"""Losses of probabilities: cross-entropies, focal ones, divergences, counts.

A softmax or sigmoid output before its cross-entropy is recognised: the loss is then computed from
the logits, which neither overflows nor loses digits.
"""

import warnings
from typing import Any

import numpy as np

from .. import ops
from ..errors import check_flag, check_integer, check_number, invalid
from ..ops.losses import HIGH, LOW
from .loss import (
    LABELS,
    MEAN,
    LossFunction,
    check_axis,
    checked_smoothing,
    fraction,
    logits_of,
    moved,
    not_negative,
    paired,
    ranked,
    symbolic,
    takes,
)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """Mean over the last axis of ``-(y log p + (1 - y) log(1 - p))``.

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., n)
    from_logits : bool, default False
        Whether `y_pred` holds logits z; then ``max(z, 0) - z y + log1p(exp(-|z|))`` is computed.
        Probabilities are clipped to [1e-7, 1 - 1e-7].
    label_smoothing : float, default 0
        Moves targets towards 0.5: ``y (1 - s) + s / 2``.
    axis : int, default -1
        Over which the mean is taken; not that of the batch in a model.

    Returns
    -------
    array of the shape without `axis`

    Examples
    --------
    >>> import numpy as np
    >>> binary_crossentropy(np.array([[1.0, 0.0]]), np.array([[0.9, 0.2]])).round(4)
    array([0.1643])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    y_true = smooth(moved(y_true, axis), label_smoothing, 2)
    logits = y_pred if check_flag("from_logits", from_logits) else logits_of(y_pred, "sigmoid")
    if logits is not None:
        return ops.binary_crossentropy_from_logits(moved(logits, axis), y_true)
    return ops.binary_crossentropy(moved(y_pred, axis), y_true)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Mean over the last axis of ``(1 - q)^gamma`` times the binary cross-entropy, q = y p + (1 - y) (1 - p).

    What is predicted well, with q near 1, hardly counts. Lin et al., Focal Loss for Dense Object Detection (2017).

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., n)
    apply_class_balancing : bool, default False
        Whether to multiply by ``alpha`` for targets of 1 and ``1 - alpha`` for those of 0.
    alpha : float, default 0.25
        From 0 to 1.
    gamma : float, default 2.0
        At least 0, which gives the cross-entropy.
    from_logits, label_smoothing, axis
        As of `binary_crossentropy`.

    Returns
    -------
    array of the shape without `axis`

    Examples
    --------
    >>> import numpy as np
    >>> binary_focal_crossentropy(np.array([[1.0, 0.0]]), np.array([[0.9, 0.2]])).round(4)
    array([0.005])
    """
    alpha, gamma = share("alpha", alpha), not_negative("gamma", gamma)
    balanced = check_flag("apply_class_balancing", apply_class_balancing)
    y_true, y_pred = ranked(y_true, y_pred)
    t = smooth(moved(y_true, axis), label_smoothing, 2)
    p = moved(ops.sigmoid(y_pred) if check_flag("from_logits", from_logits) else y_pred, axis)
    other, clipped = ops.subtract(1.0, t), ops.clip(p, LOW, HIGH)
    entropy = ops.negative(
        ops.add(ops.multiply(t, ops.log(clipped)), ops.multiply(other, ops.log1p(ops.negative(clipped))))
    )
    hit = ops.add(ops.multiply(t, p), ops.multiply(other, ops.subtract(1.0, p)))
    terms = ops.multiply(power(ops.subtract(1.0, hit), gamma), entropy)
    if balanced:
        terms = ops.multiply(terms, ops.add(ops.multiply(t, alpha), ops.multiply(other, 1 - alpha)))
    return ops.mean(terms, axis=-1)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """``-sum(y log p)`` over the last axis, for one-hot or probability targets.

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., classes)
    from_logits : bool, default False
        Whether `y_pred` holds logits; else rows are divided by their sum and clipped to
        [1e-7, 1 - 1e-7].
    label_smoothing : float, default 0
        Spreads this part of each target evenly over the classes.
    axis : int, default -1
        Along which the classes lie; not that of the batch in a model.

    Returns
    -------
    array of the shape without `axis`

    Examples
    --------
    >>> import numpy as np
    >>> categorical_crossentropy(np.array([[0.0, 1.0]]), np.array([[0.25, 0.75]])).round(4)
    array([0.2877])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    warn_of_one_class("categorical_crossentropy", y_pred)
    y_true = smooth_classes(moved(y_true, axis), label_smoothing)
    logits = y_pred if check_flag("from_logits", from_logits) else logits_along(y_pred, axis)
    if logits is not None:
        return ops.categorical_crossentropy_from_logits(moved(logits, axis), y_true)[0]
    return ops.categorical_crossentropy(moved(y_pred, axis), y_true)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``-sum(alpha (1 - p)^gamma y log p)`` over the last axis; what is predicted well hardly counts.

    Lin et al., Focal Loss for Dense Object Detection (2017).

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., classes)
    alpha : float, default 0.25
        Factor of all.
    gamma : float, default 2.0
        At least 0, which gives the cross-entropy times alpha.
    from_logits, label_smoothing, axis
        As of `categorical_crossentropy`.

    Returns
    -------
    array of the shape without `axis`

    Examples
    --------
    >>> import numpy as np
    >>> categorical_focal_crossentropy(np.array([[0.0, 1.0]]), np.array([[0.25, 0.75]])).round(4)
    array([0.0045])
    """
    alpha, gamma = not_negative("alpha", alpha), not_negative("gamma", gamma)
    y_true, y_pred = ranked(y_true, y_pred)
    warn_of_one_class("categorical_focal_crossentropy", y_pred)
    t, p = smooth_classes(moved(y_true, axis), label_smoothing), moved(y_pred, axis)
    p = ops.softmax(p) if check_flag("from_logits", from_logits) else p
    q = ops.clip(ops.divide(p, ops.sum(p, axis=-1, keepdims=True)), LOW, HIGH)
    factor = ops.multiply(power(ops.subtract(1.0, q), gamma), -alpha)
    return ops.sum(ops.multiply(factor, ops.multiply(t, ops.log(q))), axis=-1)


@takes(LABELS)
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """``-log p[label]``, for integer labels.

    Parameters
    ----------
    y_true : array of int, shape (batch, ...)
        Labels from 0 to classes - 1.
    y_pred : array of shape (batch, ..., classes)
    from_logits : bool, default False
        As in `categorical_crossentropy`.
    ignore_class : int, optional
        A label, also one that is no class (as -1 or 255), of which the loss is 0. `SparseCategoricalCrossentropy`
        takes the mean over the others.
    axis : int, default -1
        Along which the classes lie; only the last one in a model.

    Returns
    -------
    array of shape (batch, ...)

    Examples
    --------
    >>> import numpy as np
    >>> sparse_categorical_crossentropy(np.array([1]), np.array([[0.25, 0.75]])).round(4)
    array([0.2877])
    """
    ignored = checked_class(ignore_class)
    y_true, y_pred = labelled(y_true, y_pred, axis)
    logits = y_pred if check_flag("from_logits", from_logits) else logits_along(y_pred, axis)
    p = moved(y_pred if logits is None else logits, axis)
    if ignored is not None and symbolic(y_true, p):
        # a row of zeros as target has the loss 0 and the gradient 0, whatever the label
        t = ops.multiply(one_hot(y_true, p), ops.expand_dims(ops.not_equal(y_true, float(ignored)), -1))
        return (
            ops.categorical_crossentropy(p, t) if logits is None else ops.categorical_crossentropy_from_logits(p, t)[0]
        )
    labels = y_true if ignored is None else np.where(y_true == ignored, 0, y_true)
    if logits is not None:
        values = ops.sparse_categorical_crossentropy_from_logits(p, labels)[0]
    else:
        values = ops.sparse_categorical_crossentropy(p, labels)
    return values if ignored is None else np.where(y_true == ignored, values.dtype.type(0), values)


@takes(LABELS)
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> Any:
    """``(1 - p[label]^q) / q``, for integer labels: between cross-entropy (q near 0) and absolute error (q near 1).

    It is not led astray by wrong labels as easily. Zhang & Sabuncu, Generalized Cross Entropy Loss for Training Deep
    Neural Networks with Noisy Labels (2018).

    Parameters
    ----------
    y_true : array of int, shape (batch, ...)
    y_pred : array of shape (batch, ..., classes)
        Probabilities.
    q : float, default 0.5
        Between 0 and 1. The slope at a probability of 0 is infinite.

    Returns
    -------
    array of shape (batch, ...)

    Examples
    --------
    >>> import numpy as np
    >>> categorical_generalized_cross_entropy(np.array([1]), np.array([[0.75, 0.25]]))
    array([1.])
    """
    q = fraction("q", q)
    y_true, y_pred = labelled(y_true, y_pred, -1)
    p = ops.sum(ops.multiply(y_pred, one_hot(y_true, y_pred)), axis=-1)
    return ops.divide(ops.subtract(1.0, power(p, q)), q)


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """Kullback-Leibler divergence ``sum(y log(y / p))`` over the last axis, both clipped to [1e-7, 1].

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., n)

    Returns
    -------
    array of shape (batch, ...)

    Examples
    --------
    >>> import numpy as np
    >>> kl_divergence(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])).round(4)
    array([0.1438])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    t, p = ops.clip(y_true, LOW, 1.0), ops.clip(y_pred, LOW, 1.0)
    return ops.sum(ops.multiply(t, ops.log(ops.divide(t, p))), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of ``p - y log(p + 1e-7)``: the likelihood of counts y for predicted means p.

    Parameters
    ----------
    y_true, y_pred : array of equal shape (batch, ..., n)
        Predictions below -1e-7 give NaN: let an output layer of exponential or softplus make them.

    Returns
    -------
    array of shape (batch, ...)

    Examples
    --------
    >>> import numpy as np
    >>> poisson(np.array([[3.0, 0.0]]), np.array([[1.0, 2.0]])).round(4)
    array([1.5])
    """
    y_true, y_pred = ranked(y_true, y_pred)
    return ops.poisson(y_pred, y_true)


# Arguments and targets


def share(argument: str, value: Any) -> float:
    """A number from 0 to 1."""
    return check_number(argument, value, 0, "a number from 0 to 1", "pass for example 0.25", 1)


def checked_class(value: Any) -> int | None:
    """A label to be ignored, if any."""
    if value is None:
        return None
    return check_integer("ignore_class", value, -(2**24), "a label, or None", "pass an integer, as -1", 2**24)


def smooth(y_true: Any, smoothing: float, classes: int) -> Any:
    """Targets moved by `smoothing` towards the uniform distribution."""
    smoothing = checked_smoothing(smoothing)
    return ops.affine(y_true, scale=1.0 - smoothing, offset=smoothing / max(classes, 1)) if smoothing else y_true


def smooth_classes(y_true: Any, smoothing: float) -> Any:
    return smooth(y_true, smoothing, max(y_true.shape[-1:], default=1))


def power(x: Any, exponent: float) -> Any:
    return ops.square(x) if exponent == 2 else ops.power(x, exponent)


def logits_along(y_pred: Any, axis: int) -> Any:
    """The logits of a softmax along this axis; None if predictions were made otherwise."""
    last = axis in (-1, len(y_pred.shape) - 1)  # the operation works along the last one
    return logits_of(y_pred, "softmax") if last else None


def labelled(y_true: Any, y_pred: Any, axis: int) -> tuple[Any, Any]:
    """Labels without an axis of size 1 for the classes, and predictions."""
    axis, (y_true, y_pred) = check_axis(axis), paired(y_true, y_pred, LABELS)
    if not y_pred.shape:
        raise invalid("y_pred", y_pred, "an array with an axis for the classes", "pass a row of probabilities")
    if not symbolic(y_true, y_pred) and y_true.ndim == y_pred.ndim and -y_true.ndim <= axis < y_true.ndim:
        y_true = np.squeeze(y_true, axis) if y_true.shape[axis] == 1 else y_true
    return y_true, y_pred


def one_hot(labels: Any, like: Any) -> Any:
    """Labels (...) as rows of zeros with a one, like predictions (..., classes); of zeros only for what is no label."""
    hot = ops.equal(ops.expand_dims(labels, -1), np.arange(like.shape[-1], dtype=np.float32))
    return hot if symbolic(hot) else hot.astype(like.dtype)


def warn_of_one_class(loss: str, y_pred: Any) -> None:
    """Warn of probabilities of a single class, which are always 1."""
    if y_pred.shape and y_pred.shape[-1] == 1 and 0 not in y_pred.shape:
        warnings.warn(
            f"loss {loss!r} got predictions of shape {y_pred.shape}, of a single class; "
            "for two classes with one output use 'binary_crossentropy'",
            SyntaxWarning,
            stacklevel=3,
        )


# Classes


class BinaryCrossentropy(LossFunction):
    """See `binary_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str = "binary_crossentropy",
        dtype: str | None = None,
    ):
        arguments = entropy_arguments(from_logits, label_smoothing, axis)
        super().__init__(binary_crossentropy, name, reduction, dtype, **arguments)


class BinaryFocalCrossentropy(LossFunction):
    """See `binary_focal_crossentropy`."""

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str = "binary_focal_crossentropy",
        dtype: str | None = None,
    ):
        super().__init__(
            binary_focal_crossentropy,
            name,
            reduction,
            dtype,
            apply_class_balancing=check_flag("apply_class_balancing", apply_class_balancing),
            alpha=share("alpha", alpha),
            gamma=not_negative("gamma", gamma),
            **entropy_arguments(from_logits, label_smoothing, axis),
        )


class CategoricalCrossentropy(LossFunction):
    """See `categorical_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str = "categorical_crossentropy",
        dtype: str | None = None,
    ):
        arguments = entropy_arguments(from_logits, label_smoothing, axis)
        super().__init__(categorical_crossentropy, name, reduction, dtype, **arguments)


class CategoricalFocalCrossentropy(LossFunction):
    """See `categorical_focal_crossentropy`."""

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str = "categorical_focal_crossentropy",
        dtype: str | None = None,
    ):
        super().__init__(
            categorical_focal_crossentropy,
            name,
            reduction,
            dtype,
            alpha=not_negative("alpha", alpha),
            gamma=not_negative("gamma", gamma),
            **entropy_arguments(from_logits, label_smoothing, axis),
        )


class SparseCategoricalCrossentropy(LossFunction):
    """See `sparse_categorical_crossentropy`.

    With `ignore_class`, means are taken over the labels that are not ignored.
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = MEAN,
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: str | None = None,
    ):
        self.ignore_class = checked_class(ignore_class)
        super().__init__(
            sparse_categorical_crossentropy,
            name,
            reduction,
            dtype,
            from_logits=check_flag("from_logits", from_logits),
            ignore_class=self.ignore_class,
            axis=check_axis(axis),
        )

    def mask(self, y_true: Any) -> Any:
        return None if self.ignore_class is None else ops.not_equal(y_true, float(self.ignore_class))


class CategoricalGeneralizedCrossEntropy(LossFunction):
    """See `categorical_generalized_cross_entropy`."""

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = MEAN,
        name: str = "categorical_generalized_cross_entropy",
        dtype: str | None = None,
    ):
        super().__init__(categorical_generalized_cross_entropy, name, reduction, dtype, q=fraction("q", q))


class KLDivergence(LossFunction):
    """See `kl_divergence`."""

    def __init__(self, reduction: str | None = MEAN, name: str = "kl_divergence", dtype: str | None = None):
        super().__init__(kl_divergence, name, reduction, dtype)


class Poisson(LossFunction):
    """See `poisson`."""

    def __init__(self, reduction: str | None = MEAN, name: str = "poisson", dtype: str | None = None):
        super().__init__(poisson, name, reduction, dtype)


def entropy_arguments(from_logits: Any, label_smoothing: Any, axis: Any) -> dict[str, Any]:
    """The arguments that cross-entropies share."""
    return {
        "from_logits": check_flag("from_logits", from_logits),
        "label_smoothing": checked_smoothing(label_smoothing),
        "axis": check_axis(axis),
    }
