"""Losses: one value per sample, made with `fastnn.ops`, then weighted and averaged.

A softmax or sigmoid output before its cross-entropy is recognised: the loss is then computed from
the logits, which neither overflows nor loses digits.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import ops
from .errors import (
    check_array,
    check_flag,
    check_name,
    check_number,
    invalid,
    is_one_of,
    missing_method,
    not_provided,
    show,
    unknown,
)
from .ops.table import Shape, find_recorder
from .record import Symbolic
from .registry import Configurable, function_name, make, spellings

VALUES, LABELS = "values", "labels"


def logits_of(y_pred: Any, activation: str) -> Any:
    """What went into `activation` to give `y_pred`, or None if that is not how it was made."""
    recorder = getattr(y_pred, "recorder", None)
    step = recorder and recorder.producer(y_pred)
    return step.ins[0] if step and step.row.name == activation else None


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
    y_true, y_pred = paired(y_true, y_pred)
    return ops.mean_squared_error(y_pred, y_true)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of ``|y_pred - y_true|``; shapes as `mean_squared_error`.

    Examples
    --------
    >>> import numpy as np
    >>> mean_absolute_error(np.array([[0.0, 2.0]]), np.array([[1.0, 0.0]]))
    array([1.5])
    """
    y_true, y_pred = paired(y_true, y_pred)
    return ops.mean_absolute_error(y_pred, y_true)


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
        Only the last axis is provided.

    Returns
    -------
    array of shape (batch, ...)
    """
    check_axis(axis)
    y_true, y_pred = paired(y_true, y_pred)
    y_true = smooth(y_true, label_smoothing, 2)
    logits = y_pred if check_flag("from_logits", from_logits) else logits_of(y_pred, "sigmoid")
    if logits is not None:
        return ops.binary_crossentropy_from_logits(logits, y_true)
    return ops.binary_crossentropy(y_pred, y_true)


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
        Only the last axis is provided.

    Returns
    -------
    array of shape (batch, ...)
    """
    check_axis(axis)
    y_true, y_pred = paired(y_true, y_pred)
    y_true = smooth(y_true, label_smoothing, max(y_pred.shape[-1:], default=1))
    logits = y_pred if check_flag("from_logits", from_logits) else logits_of(y_pred, "softmax")
    if logits is not None:
        return ops.categorical_crossentropy_from_logits(logits, y_true)[0]
    return ops.categorical_crossentropy(y_pred, y_true)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: None = None, axis: int = -1
) -> Any:
    """``-log p[label]``, for integer labels.

    Parameters
    ----------
    y_true : array of int, shape (batch, ...)
        Labels from 0 to classes - 1.
    y_pred : array of shape (batch, ..., classes)
    from_logits : bool, default False
        As in `categorical_crossentropy`.
    ignore_class : None
        Not provided yet.
    axis : int, default -1
        Only the last axis is provided.

    Returns
    -------
    array of shape (batch, ...)
    """
    check_axis(axis)
    not_provided(ignore_class=ignore_class)
    y_true, y_pred = paired(y_true, y_pred, LABELS)
    logits = y_pred if check_flag("from_logits", from_logits) else logits_of(y_pred, "softmax")
    if logits is not None:
        return ops.sparse_categorical_crossentropy_from_logits(logits, y_true)[0]
    return ops.sparse_categorical_crossentropy(y_pred, y_true)


def smooth(y_true: Any, smoothing: float, classes: int) -> Any:
    """Targets moved by `smoothing` towards the uniform distribution."""
    smoothing = checked_smoothing(smoothing)
    return ops.affine(y_true, scale=1.0 - smoothing, offset=smoothing / max(classes, 1)) if smoothing else y_true


def check_axis(axis: Any) -> None:
    """Only the last axis is provided."""
    if not is_one_of(axis, (-1,)):
        raise invalid("axis", show(axis), "-1 (other axes are not provided yet)", "move the classes to the last axis")


class Loss(Configurable):
    """A loss as an object.

    Parameters
    ----------
    name : str
    reduction : {"sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None}
        "sum_over_batch_size" and "mean" divide the weighted sum by the number of values.

    Attributes
    ----------
    target : {"values", "labels"}
        What `call` expects as `y_true`: floating values, or int32 class labels.
    """

    target = VALUES

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size"):
        reductions = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")
        if not is_one_of(reduction, (None, *reductions)):
            raise unknown("reduction", reduction, reductions)
        if reduction == "mean_with_sample_weight":
            raise invalid(
                "reduction", reduction, "another reduction (this one is not provided yet)", "use 'sum_over_batch_size'"
            )
        self.name = check_name("name", name) or type(self).__name__
        self.reduction = reduction

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample, written with `fastnn.ops`."""
        raise missing_method(self, "call(self, y_true, y_pred)")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss of arrays; in a function for `fastnn.value_and_grad`, of its arguments."""
        if isinstance(y_pred, Symbolic):
            return self._recorded(y_true, y_pred, sample_weight)
        y_true, y_pred = paired(y_true, y_pred, self.target)
        y_true = align_target(y_true, y_pred.shape, self.target)
        values = check_array(f"values of loss {self.name!r}", self.call(y_true, y_pred), y_pred.dtype)
        with np.errstate(all="ignore"):
            if sample_weight is not None:
                weights = check_array("sample_weight", sample_weight, values.dtype)
                if weights.shape != values.shape[: weights.ndim]:
                    expected = f"one weight for each of the values of shape {values.shape}"
                    raise invalid("sample_weight", weights, expected, "pass one weight per sample")
                values = values * weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
            if self.reduction in ("none", None):
                return values
            total = values.sum(dtype=np.float64)
            return values.dtype.type(total if self.reduction == "sum" else total / max(values.size, 1))

    def _recorded(self, y_true: Any, y_pred: Symbolic, sample_weight: Any) -> Symbolic:
        """The reduced loss of symbolic arrays."""
        values = self.call(align_target(y_true, y_pred.shape, self.target), y_pred)
        if sample_weight is not None:
            values = values * ops.reshape(sample_weight, (-1,) + (1,) * (values.ndim - 1))
        if self.reduction in ("none", None):
            return values
        return ops.sum(values) if self.reduction == "sum" else ops.mean(values)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal loss."""
        return {"name": self.name, "reduction": self.reduction}


class LossFunction(Loss):
    """A loss made from a function ``f(y_true, y_pred, **arguments)`` with one value per sample.

    Parameters
    ----------
    function : callable
    name, reduction
        As in `Loss`.
    **arguments
        Passed on to `function`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        **arguments: Any,
    ):
        default = function_name(function)  # refuses what is no function
        super().__init__(check_name("name", name) or default, reduction)
        self.function, self.arguments = function, arguments
        if function is sparse_categorical_crossentropy:
            self.target = LABELS

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | self.arguments


class MeanSquaredError(LossFunction):
    """See `mean_squared_error`."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_error"):
        super().__init__(mean_squared_error, name, reduction)


class MeanAbsoluteError(LossFunction):
    """See `mean_absolute_error`."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_error"):
        super().__init__(mean_absolute_error, name, reduction)


class BinaryCrossentropy(LossFunction):
    """See `binary_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
    ):
        check_axis(axis)
        super().__init__(
            binary_crossentropy,
            name,
            reduction,
            from_logits=check_flag("from_logits", from_logits),
            label_smoothing=checked_smoothing(label_smoothing),
        )


class CategoricalCrossentropy(LossFunction):
    """See `categorical_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
    ):
        check_axis(axis)
        super().__init__(
            categorical_crossentropy,
            name,
            reduction,
            from_logits=check_flag("from_logits", from_logits),
            label_smoothing=checked_smoothing(label_smoothing),
        )


class SparseCategoricalCrossentropy(LossFunction):
    """See `sparse_categorical_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
    ):
        check_axis(axis)
        not_provided(ignore_class=ignore_class)
        super().__init__(
            sparse_categorical_crossentropy, name, reduction, from_logits=check_flag("from_logits", from_logits)
        )


def checked_smoothing(value: Any) -> float:
    """A label smoothing from 0 to 1."""
    return check_number("label_smoothing", value, 0, "a number from 0 to 1", "pass for example 0.1", 1)


def paired(y_true: Any, y_pred: Any, target: str = VALUES) -> tuple[Any, Any]:
    """Targets and predictions as arrays of one floating type, labels as integers; symbolic ones as they are."""
    if find_recorder((y_true, y_pred)) is not None:
        return y_true, y_pred
    y_true, y_pred = check_array("y_true", y_true), check_array("y_pred", y_pred)
    if y_pred.dtype.kind != "f":
        y_pred = y_pred.astype(np.float32)
    if target == VALUES:
        return check_array("y_true", y_true, y_pred.dtype), y_pred
    if not ((y_true == np.floor(y_true)) & (np.abs(y_true) < 2**31)).all():  # false for NaN
        raise invalid("y_true", y_true, "integer labels", "pass the numbers of the classes, counted from 0")
    return y_true.astype(np.int64), y_pred


def align_target(y: Any, prediction: Shape, target: str, argument: str = "y") -> Any:
    """Give targets the shape that goes with predictions of a shape (Keras' rule for a last axis of 1)."""
    wanted = prediction if target == VALUES else prediction[:-1]
    fits = y.shape[1:] == wanted[1:]
    if not fits and y.ndim == len(wanted) - 1 and wanted[-1] == 1:
        y = y[..., None]
    elif not fits and y.ndim == len(wanted) + 1 and y.shape[-1] == 1:
        y = y[..., 0]
    if y.ndim == 0 or y.shape[1:] != wanted[1:]:
        sample = ("samples", *wanted[1:])
        fix = "check the size of the last layer against the targets"
        if target == VALUES and len(prediction) == y.ndim + 1:
            fix = "use a sparse loss for integer labels, or utils.to_categorical on the targets"
        elif target == LABELS and y.ndim == len(prediction):
            fix = "use categorical_crossentropy for one-hot targets, or pass integer labels"
        raise invalid(argument, y, f"shape {sample} for predictions of shape {prediction}".replace("'", ""), fix)
    return y


NAMES = spellings(
    MeanSquaredError,
    MeanAbsoluteError,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    mse=MeanSquaredError,
    mae=MeanAbsoluteError,
    MSE=MeanSquaredError,
    MAE=MeanAbsoluteError,
)


def get(identifier: Any) -> Loss:
    """A loss by name, class, function or instance.

    Examples
    --------
    >>> from fastnn import losses
    >>> losses.get("mse").name
    'mean_squared_error'
    """
    return make("loss", identifier, NAMES, Loss, wrap=LossFunction)
