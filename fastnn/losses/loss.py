"""The base of losses: one value per sample, made with `fastnn.ops`, then weighted and reduced."""

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import config, ops, registry
from ..errors import (
    check_array,
    check_integer,
    check_name,
    check_number,
    invalid,
    is_one_of,
    missing_method,
    unknown,
)
from ..ops.table import Shape, find_recorder
from ..record import Symbolic
from ..registry import Configurable, function_name

VALUES, LABELS, HALVES = "values", "labels", "halves"
SUM, NONE, WEIGHTED = "sum", ("none", None), "mean_with_sample_weight"
MEAN = "sum_over_batch_size"
REDUCTIONS = (MEAN, SUM, "mean", WEIGHTED, "none")


def takes(target: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a function with the kind of targets that it takes where they are not values like the predictions."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.target = target  # type: ignore[attr-defined]
        return function

    return mark


class Loss(Configurable):
    """A loss as an object.

    Parameters
    ----------
    name : str
    reduction : {"sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None}
        "sum_over_batch_size" and "mean" divide the weighted sum by the number of values,
        "mean_with_sample_weight" divides it by the sum of their weights. "none" and None leave the values as they
        are; training takes their mean.
    dtype : {"float32", "float64"}, optional
        In which arrays are computed; default: that of `fastnn.config.floatx`, in which training computes in any case.

    Attributes
    ----------
    target : {"values", "labels", "halves"}
        What `call` expects as `y_true`: floating values in the shape of the predictions, int32 class labels, or
        floating values of half as many columns.
    trains : bool
        Whether it has a gradient; else it serves to evaluate only.
    axis : int
        Along which the classes lie in predictions that go with labels.
    """

    target = VALUES
    trains = True
    axis = -1

    def __init__(self, name: str | None = None, reduction: str | None = MEAN, dtype: str | None = None):
        if not is_one_of(reduction, (None, *REDUCTIONS)):
            raise unknown("reduction", reduction, REDUCTIONS)
        self.name = check_name("name", name) or type(self).__name__
        self.reduction = reduction
        self._dtype = None if dtype is None else checked_dtype(dtype)

    @property
    def dtype(self) -> str:
        """In which arrays are computed."""
        return self._dtype or config.floatx()

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample, written with `fastnn.ops`."""
        raise missing_method(self, "call(self, y_true, y_pred)")

    def mask(self, y_true: Any) -> Any:
        """1 for the values that count and 0 for the others, in their shape; None where all count."""
        return None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss of arrays; in a function for `fastnn.value_and_grad`, of its arguments.

        Parameters
        ----------
        y_true, y_pred : array
        sample_weight : float or array, optional
            A number for all, or weights in the shape of the values; of leading axes only, or with sizes of 1, they
            count for all values along the others.
        """
        if isinstance(y_pred, Symbolic):
            return self._recorded(y_true, y_pred, sample_weight)
        y_true, y_pred = paired(y_true, y_pred, self.target, self.dtype)
        y_true = align_target(y_true, y_pred.shape, self.target, axis=self.axis)
        values = check_array(f"values of loss {self.name!r}", self.call(y_true, y_pred), y_pred.dtype)
        mask = self.mask(y_true)
        with np.errstate(all="ignore"):
            weights = None if sample_weight is None else weights_of(values, sample_weight)
            if self.reduction in NONE:
                weighted = values if weights is None else values * weights
                return weighted if mask is None else weighted * mask
            counts = np.ones(values.shape) if mask is None else np.broadcast_to(mask, values.shape).astype(float)
            number = counts.sum()
            if weights is not None:
                counts = counts * weights
            total = (values * counts).sum(dtype=np.float64)
            number = counts.sum() if self.reduction == WEIGHTED else number
            return values.dtype.type(total if self.reduction == SUM else total / number if number else 0.0)

    def _recorded(self, y_true: Any, y_pred: Symbolic, sample_weight: Any) -> Symbolic:
        """The reduced loss of symbolic arrays."""
        y_true = align_target(y_true, y_pred.shape, self.target, axis=self.axis)
        values = self.scaled(self.call(y_true, y_pred), y_true, sample_weight)
        weights = None
        if sample_weight is not None:
            weights = ops.reshape(sample_weight, (-1,) + (1,) * (values.ndim - 1))
            values = values * weights
        if self.reduction in NONE:
            return values
        if self.reduction == WEIGHTED and weights is not None:
            per_sample = math.prod(values.shape[1:])
            return ops.sum(values) / nonzero(ops.sum(weights) * per_sample)
        return ops.sum(values) if self.reduction == SUM else ops.mean(values)

    def scaled(self, values: Any, y_true: Any, weights: Any = None) -> Any:
        """Symbolic values, so scaled that their mean over all is the one over those that the mask lets count."""
        mask = self.mask(y_true)
        if mask is None:
            return values
        values = values * mask
        if self.reduction == SUM or self.reduction in NONE:
            return values
        share = ops.mean(mask)
        if self.reduction == WEIGHTED and weights is not None:
            column = ops.reshape(weights, (-1,) + (1,) * (len(mask.shape) - 1))
            share = ops.mean(mask * column) / nonzero(ops.mean(weights))
        return values / nonzero(share)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal loss."""
        return {"name": self.name, "reduction": self.reduction} | ({"dtype": self._dtype} if self._dtype else {})


class LossFunction(Loss):
    """A loss made from a function ``f(y_true, y_pred, **arguments)`` with one value per sample.

    Parameters
    ----------
    function : callable
    name, reduction, dtype
        As in `Loss`.
    **arguments
        Passed on to `function`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        reduction: str | None = MEAN,
        dtype: str | None = None,
        **arguments: Any,
    ):
        default = function_name(function)  # refuses what is no function
        super().__init__(check_name("name", name) or default, reduction, dtype)
        self.function, self.arguments = function, arguments
        self.target = getattr(function, "target", VALUES)
        if isinstance(arguments.get("axis"), int):
            self.axis = arguments["axis"]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        given = {"function": written(self.function)} if type(self) is LossFunction else {}
        return given | super().get_config() | self.arguments

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        if cls is LossFunction and isinstance(config, dict) and isinstance(config.get("function"), str):
            config = config | {"function": read(config["function"])}
        return super().from_config(config)


FUNCTIONS: dict[str, Callable[..., Any]] = {}  # the loss functions of this package, by name


def written(function: Callable[..., Any]) -> str:
    """The name by which configurations know a loss function: of this package, or registered."""
    name = getattr(function, "__name__", "")
    known = FUNCTIONS.get(name) is function
    return name if known else registry.serialize("loss function", function)  # type: ignore[no-any-return]


def read(name: str) -> Callable[..., Any]:
    """The loss function that configurations know by a name."""
    known = FUNCTIONS | registry.registered_functions()
    if name not in known:
        raise unknown("loss function", name, known)
    return known[name]


# Arguments


def checked_dtype(dtype: Any) -> str:
    """A floating type in which losses are computed."""
    if isinstance(dtype, (type, np.dtype)):
        dtype = dtype.__name__ if isinstance(dtype, type) else dtype.name
    if not is_one_of(dtype, ("float32", "float64")):
        raise unknown("dtype", dtype, ("float32", "float64"))
    return str(dtype)


def checked_smoothing(value: Any) -> float:
    """A label smoothing from 0 to 1."""
    return check_number("label_smoothing", value, 0, "a number from 0 to 1", "pass for example 0.1", 1)


def check_axis(axis: Any) -> int:
    """The number of an axis; whether the arrays have it is seen with them."""
    return check_integer("axis", axis, -math.inf, "an integer", "pass the number of an axis, for example -1")


def positive(argument: str, value: Any) -> float:
    """A positive number."""
    return check_number(argument, value, math.ulp(0.0), "a positive number", "pass for example 1.0")


def fraction(argument: str, value: Any) -> float:
    """A number between 0 and 1, without these."""
    expected, fix = "a number between 0 and 1, without these", "pass for example 0.5"
    return check_number(argument, value, math.ulp(0.0), expected, fix, math.nextafter(1, 0))


def not_negative(argument: str, value: Any) -> float:
    """A number of at least 0."""
    return check_number(argument, value, 0, "a number of at least 0", "pass for example 0.5")


# Arrays


def nonzero(x: Any) -> Any:
    """x, or 1 where it is 0: what a sum that is 0 too may be divided by."""
    return ops.where(ops.equal(x, 0.0), 1.0, x)


def symbolic(*arrays: Any) -> bool:
    return find_recorder(arrays) is not None


def logits_of(y_pred: Any, activation: str) -> Any:
    """What went into `activation` to give `y_pred`, or None if that is not how it was made."""
    recorder = getattr(y_pred, "recorder", None)
    step = recorder and recorder.producer(y_pred)
    return step.ins[0] if step and step.row.name == activation else None


def paired(y_true: Any, y_pred: Any, target: str = VALUES, dtype: str | None = None) -> tuple[Any, Any]:
    """Targets and predictions as arrays of one floating type, labels as integers; symbolic ones as they are."""
    if symbolic(y_true, y_pred):
        return y_true, y_pred
    y_true, y_pred = check_array("y_true", y_true), check_array("y_pred", y_pred)
    if dtype is not None:
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and so is the loss
            y_pred = y_pred.astype(dtype, copy=False)
    elif y_pred.dtype.kind != "f":
        y_pred = y_pred.astype(np.float32)
    if target != LABELS:
        return check_array("y_true", y_true, y_pred.dtype), y_pred
    if not ((y_true == np.floor(y_true)) & (np.abs(y_true) < 2**31)).all():  # false for NaN
        raise invalid("y_true", y_true, "integer labels", "pass the numbers of the classes, counted from 0")
    return y_true.astype(np.int64), y_pred


def ranked(y_true: Any, y_pred: Any, target: str = VALUES) -> tuple[Any, Any]:
    """`paired`, of arrays of one rank: a last axis of 1 that one has more is taken away, or added to vectors."""
    y_true, y_pred = paired(y_true, y_pred, target)
    if symbolic(y_true, y_pred):
        return y_true, y_pred
    return squeeze_or_expand_to_same_rank(y_true, y_pred)


def squeeze_or_expand_to_same_rank(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays with as many axes, if they differ by a last one of size 1: a vector gets it, any other loses it."""
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return (a, b[..., None]) if b.ndim == 1 else (a[..., 0], b)
    if b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        return (a[..., None], b) if a.ndim == 1 else (a, b[..., 0])
    return a, b


def weights_of(values: np.ndarray, sample_weight: Any) -> np.ndarray:
    """Weights that broadcast with the values, from one number, one per sample, or one per value."""
    weights = check_array("sample_weight", sample_weight, values.dtype)
    shape = weights.shape
    if weights.ndim == values.ndim + 1 and shape[-1] == 1:
        weights = weights[..., 0]
    weights = weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
    sizes: Any = zip(weights.shape, values.shape, strict=False)
    if weights.ndim != values.ndim or any(size not in (1, wanted) for size, wanted in sizes):
        expected = f"a number, or one weight for each of the values of shape {values.shape}"
        raise invalid("sample_weight", f"an array of shape {shape}", expected, "pass one weight per sample")
    return weights


def moved(x: Any, axis: int) -> Any:
    """An array with an axis moved to the end.

    Raises
    ------
    ValueError
        There is no such axis, or it is that of the batch.
    """
    n = len(x.shape)
    expected = f"an axis from {-n} to {n - 1} of predictions of shape {x.shape}"
    axis = check_integer("axis", axis, -n, expected, "choose an axis that the predictions have", n - 1) % max(n, 1)
    if axis == n - 1:
        return x
    if x.shape[0] is None and axis == 0:
        raise invalid("axis", "0, the axis of the batch", "another axis", "move the classes to the last axis")
    order = [*(i for i in range(n) if i != axis), axis]
    return ops.transpose(x, order) if symbolic(x) else np.moveaxis(x, axis, -1)


def target_shape(prediction: Shape, target: str, axis: int = -1) -> Shape:
    """The shape of targets of a kind that go with predictions of a shape."""
    if target == LABELS:
        at = axis % len(prediction) if -len(prediction) <= axis < len(prediction) else len(prediction) - 1
        return (*prediction[:at], *prediction[at + 1 :])
    if target == HALVES:
        if not prediction or prediction[-1] is None or prediction[-1] % 2:
            expected, fix = "two columns for each of the targets", "give the last layer twice as many units as targets"
            raise invalid("predictions", f"shape {prediction}", expected, fix)
        return (*prediction[:-1], prediction[-1] // 2)
    return prediction


def align_target(y: Any, prediction: Shape, target: str, argument: str = "y", axis: int = -1) -> Any:
    """Give targets the shape that goes with predictions of a shape (Keras' rule for a last axis of 1)."""
    wanted = target_shape(prediction, target, axis)
    at = 0 if target == LABELS and axis in (0, -len(prediction)) else 1  # classes first: no axis of samples is left
    fits = y.shape[at:] == wanted[at:] and y.ndim == len(wanted)
    if not fits and y.ndim == len(wanted) - 1 and wanted[-1] == 1:
        y = y[..., None]
    elif not fits and y.ndim == len(wanted) + 1 and y.shape[-1] == 1:
        y = y[..., 0]
    if y.ndim == 0 or y.shape[at:] != wanted[at:]:
        sample = ("samples", *wanted[1:])
        fix = "check the size of the last layer against the targets"
        if target == VALUES and len(prediction) == y.ndim + 1:
            fix = "use a sparse loss for integer labels, or utils.to_categorical on the targets"
        elif target == LABELS and y.ndim == len(prediction):
            fix = "use categorical_crossentropy for one-hot targets, or pass integer labels"
        raise invalid(argument, y, f"shape {sample} for predictions of shape {prediction}".replace("'", ""), fix)
    return y
