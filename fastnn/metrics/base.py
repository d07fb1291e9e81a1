"""Metrics: what training reports besides the loss. Sums are kept in float64, in sample order."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import initializers, losses
from ..errors import check_array, check_name, invalid, is_one_of, missing_method, unknown
from ..losses import HALVES, LABELS, VALUES, align_target, paired
from ..ops.table import Shape
from ..registry import Configurable, function_name, registered_functions, serialize, snake_case
from ..variable import Variable, allowed


class Metric(Configurable):
    """A running value.

    A subclass keeps it in variables of `add_variable`, or in attributes that its `reset_state` resets and ``kept``
    names, and takes in the arrays of each batch in `update_state`. That runs in Python, after the batches have run in
    C; a function of `fastnn.ops` with one value per sample runs in C too, see `MeanMetric`.

    Parameters
    ----------
    name : str, optional
    dtype : {"float32", "float64"}, optional
        Type to which the result is rounded; sums are kept in float64 in any case.

    Raises
    ------
    NotImplementedError
        The subclass has no `update_state` or no `result`.

    Attributes
    ----------
    target : {"values", "labels"}
        What `update_state` expects as `y_true`: floating values in the shape of the predictions, or int32
        class labels.
    kept : tuple of str or None
        Names of the attributes, besides variables, that change; () for none. `BackupAndRestore` needs to know them to
        go on within an epoch, if there is a `reset_state`.

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
    kept: tuple[str, ...] | None = None
    in_c = False  # whether training sums its values in C
    at_end = False  # whether its result is asked for only at the end of an epoch

    def __init__(self, name: str | None = None, dtype: str | None = None):
        if not is_one_of(dtype, (None, "float32", "float64")):
            raise unknown("dtype", dtype, ("float32", "float64"))
        self._dtype = dtype
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
        allowed.spend(f"shape of {self.name}/{name}", shape, "float64")
        variable = Variable(initial(shape), trainable=False, name=name, dtype="float64")
        variable.path = f"{self.name}/{name}"
        self._variables.append((variable, variable.numpy()))
        return variable

    add_weight = add_variable

    @property
    def dtype(self) -> str:
        """The type of the result."""
        return self._dtype or "float64"

    @property
    def variables(self) -> list[Variable]:
        """The variables of `add_variable`."""
        return [variable for variable, _ in self._variables]

    def typed(self, value: Any) -> Any:
        """A result in the metric's type: a float, or an array."""
        array = np.asarray(value, np.float64).astype(self.dtype)
        return array if array.ndim else float(array)

    def fit_to(self, y_shape: Shape | None, prediction: Shape | None) -> None:
        """Choose `target` by the shapes of targets and predictions, or refuse them."""

    def reset_state(self) -> None:
        """Begin anew: give all variables their initial values."""
        for variable, value in self._variables:
            variable.assign(value)

    def state(self) -> dict[str, Any]:
        """What it has taken in so far, for `BackupAndRestore`: its variables and the attributes named in ``kept``."""
        kept = {name: getattr(self, name) for name in self.kept or ()}
        return {"variables": [variable.numpy() for variable in self.variables], "kept": kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Have taken in what `state` told."""
        for name, value in state["kept"].items():
            setattr(self, name, value)
        if len(self._variables) < len(state["variables"]):
            self._add_variables()
        shapes = [[np.shape(v) for v in found] for found in (self.variables, state["variables"])]
        if shapes[0] != shapes[1]:
            received, expected = f"variables of shapes {shapes[1]}", f"{shapes[0]}, those of {self.name!r}"
            raise invalid("state", received, expected, "make all variables in __init__")
        for variable, value in zip(self.variables, state["variables"], strict=True):
            variable.assign(value)

    def _add_variables(self) -> None:
        """Make the variables whose shapes only the first batch told, in an attribute of ``kept``."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch of arrays."""
        raise NotImplementedError

    def result(self) -> Any:
        """The value so far: a number, or an array."""
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take in a batch and return the value so far."""
        self.update_state(*args, **kwargs)
        return number(self.result())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {"name": self.name, "dtype": self._dtype}


def number(value: Any) -> Any:
    """A result as a float, or as an array if it has axes."""
    array = np.asarray(value, np.float64)
    return array if array.ndim else float(array)


def per_sample(values: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Values and weights in float64, values reduced to the axes that weights have."""
    values = check_array("values", values, np.float64)
    if sample_weight is None:
        return values, None
    weights = check_array("sample_weight", sample_weight, np.float64)
    if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    elif values.ndim == weights.ndim + 1 and values.shape[-1] == 1:
        values = values[..., 0]
    if weights.ndim > values.ndim or any(w not in (1, v) for w, v in zip(weights.shape, values.shape, strict=False)):
        expected = f"weights for values of shape {values.shape}"
        raise invalid("sample_weight", weights, expected, "pass one weight per sample")
    return values, weights


class Sum(Metric):
    """Weighted sum of all values.

    Parameters
    ----------
    name : str, default "sum"
    dtype : {"float32", "float64"}, optional

    Examples
    --------
    >>> Sum()([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    4.0
    """

    def __init__(self, name: str = "sum", dtype: str | None = None):
        super().__init__(name, dtype)
        self.total = self.add_variable((), name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in an array of values."""
        values, weights = per_sample(values, sample_weight)
        if weights is not None:
            values = values.sum(axis=tuple(range(weights.ndim, values.ndim))) * weights
        self.total.assign_add(values.sum())

    def result(self) -> Any:
        return self.typed(self.total)


class Mean(Metric):
    """Weighted mean of values, 0 without any.

    Parameters
    ----------
    name : str, default "mean"
    dtype : {"float32", "float64"}, optional

    Examples
    --------
    >>> Mean()([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    2.0
    """

    def __init__(self, name: str | None = "mean", dtype: str | None = None):
        super().__init__(name, dtype)
        self.total = self.add_variable((), name="total")
        self.count = self.add_variable((), name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in an array of values; each sample counts once, whatever axes follow the first."""
        values, weights = per_sample(values, sample_weight)
        if weights is None:
            size, inner = (len(values), max(values[:1].size, 1)) if values.ndim else (1, 1)
            self.add(np.array([[values.sum() / inner, size]]))
            return
        values = values.mean(axis=tuple(range(weights.ndim, values.ndim)))
        weights = np.broadcast_to(weights, values.shape)
        inner = max(values[:1].size, 1) if values.ndim else 1
        with np.errstate(all="ignore"):  # weights that are not finite give what is not finite
            self.add(np.array([[(values * weights).sum() / inner, weights.sum() / inner]]))

    def add(self, sums: np.ndarray) -> None:
        """Take in pairs (weighted sum, sum of weights), one per batch, in order."""
        total, count = float(self.total), float(self.count)
        for value, weight in sums.tolist():
            total += value
            count += weight
        self.total.assign(total)
        self.count.assign(count)

    def result(self) -> Any:
        total, count = float(self.total), float(self.count)
        return self.typed(total / count if count else 0.0)


class MeanMetricWrapper(Mean):
    """Weighted mean of a function ``f(y_true, y_pred, **arguments)`` with one value per sample.

    Because the function is written with `fastnn.ops`, training computes it in C.

    Parameters
    ----------
    fn : callable
    name : str, optional
        Default: the function's name.
    dtype : {"float32", "float64"}, optional
        Type to which the result is rounded.
    target : {"values", "labels"}
        What the function expects as `y_true`.
    **arguments
        Passed on to `fn`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import losses
    >>> MeanMetricWrapper(losses.mean_squared_error)(np.array([[0.0, 2.0]]), np.array([[1.0, 0.0]]))
    2.5
    """

    in_c = True

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        dtype: str | None = None,
        *,
        target: str = VALUES,
        **arguments: Any,
    ):
        if not is_one_of(target, (VALUES, LABELS, HALVES)):
            raise unknown("target", target, (VALUES, LABELS, HALVES))
        self.function, self.target, self.arguments = fn, target, arguments
        default = function_name(fn)  # refuses what is no function
        super().__init__(check_name("name", name) or default, dtype)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an equal metric; a function is known by its name if it is registered."""
        name = config.get("fn") if isinstance(config, dict) else None
        known = registered_functions()
        return super().from_config(config | {"fn": known[name]} if isinstance(name, str) and name in known else config)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample."""
        return self.function(y_true, y_pred, **self.arguments)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in a batch of arrays."""
        y_true, y_pred = paired(y_true, y_pred, self.target)
        y_true = align_target(y_true, y_pred.shape, self.target)
        values = check_array(f"values of metric {self.name!r}", self.values(y_true, y_pred), y_pred.dtype)
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        own: dict[str, Any] = {}
        if type(self) is MeanMetricWrapper:
            own = {"fn": serialize("fn", self.function), "target": self.target}
        return super().get_config() | own | self.arguments


class LossMetric(MeanMetricWrapper):
    """A loss function reported as a metric, under the loss's name."""

    def __init__(self, loss: Any, name: str | None = None):
        loss = losses.get(loss)
        super().__init__(loss.call, check_name("name", name) or loss.name, target=loss.target)
        self.loss = loss

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "loss": serialize("loss", self.loss)}
