"""Penalties on weights, added to the loss; written with `fastnn.ops`, so they are recorded like layers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import ops, registry
from .errors import check_array, check_number, invalid, is_one_of, show, unknown
from .registry import Configurable, make, spellings


def validate_float_arg(value: Any, name: str) -> float:
    """A factor as a float, if it is a finite number of at least 0.

    Raises
    ------
    ValueError
        For anything else, also of another type, as in Keras.

    Examples
    --------
    >>> validate_float_arg(1, "l1")
    1.0
    """
    try:
        return check_number(name, value, 0, "a non-negative float", "pass for example 0.01")
    except TypeError as error:
        raise invalid(name, show(value), "a non-negative float", "pass for example 0.01") from error


class Regularizer(Configurable):
    """A penalty: a number computed from a weight; subclasses define ``__call__``.

    Any function of the weight that is written with `fastnn.ops` serves as a regularizer too.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import ops
    >>> class MeanSquare(Regularizer):
    ...     def __call__(self, x):
    ...         return ops.sum(ops.square(x)) / x.size
    >>> float(MeanSquare()(np.array([1.0, 3.0])))
    5.0
    """

    def __call__(self, x: Any) -> Any:
        """The penalty of an array of any shape."""
        raise NotImplementedError(f"regularizer class {type(self).__name__} has no __call__ method")


class L1(Regularizer):
    """``l1 * sum(abs(x))``.

    Parameters
    ----------
    l1 : float, default 0.01
        At least 0 and finite; None is the default.

    Examples
    --------
    >>> import numpy as np
    >>> float(L1(0.5)(np.array([1.0, -2.0])))
    1.5
    """

    def __init__(self, l1: float | None = 0.01):
        self.l1 = validate_float_arg(0.01 if l1 is None else l1, "l1")

    def __call__(self, x: Any) -> Any:
        return ops.multiply(ops.sum(ops.abs(x)), self.l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(Regularizer):
    """``l2 * sum(x ** 2)``; as in Keras without a factor 1/2, so the gradient is ``2 * l2 * x``.

    Parameters
    ----------
    l2 : float, default 0.01
        At least 0 and finite; None is the default.

    Examples
    --------
    >>> import numpy as np
    >>> float(L2(0.5)(np.array([1.0, -2.0])))
    2.5
    """

    def __init__(self, l2: float | None = 0.01):
        self.l2 = validate_float_arg(0.01 if l2 is None else l2, "l2")

    def __call__(self, x: Any) -> Any:
        return ops.multiply(ops.sum(ops.square(x)), self.l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class L1L2(Regularizer):
    """``l1 * sum(abs(x)) + l2 * sum(x ** 2)``.

    Parameters
    ----------
    l1, l2 : float, default 0.0
        At least 0 and finite; None is the default.

    Examples
    --------
    >>> import numpy as np
    >>> float(L1L2(l1=0.5, l2=1.0)(np.array([1.0, -2.0])))
    6.5
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0):
        self.l1 = validate_float_arg(0.0 if l1 is None else l1, "l1")
        self.l2 = validate_float_arg(0.0 if l2 is None else l2, "l2")

    def __call__(self, x: Any) -> Any:
        if not self.l1:
            return L2(self.l2)(x)
        penalty = L1(self.l1)(x)
        return ops.add(penalty, L2(self.l2)(x)) if self.l2 else penalty

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """A penalty of the angles between the rows, or the columns, of a matrix.

    ``factor`` times the mean of ``abs(u_i . u_j)`` over all pairs i < j, where u_i are the rows, or columns, divided
    by their Euclidean norms (by 1e-7 where they are smaller). A matrix with one row has no pairs and no penalty.

    Parameters
    ----------
    factor : float, default 0.01
        At least 0 and finite.
    mode : {"rows", "columns"}, default "rows"

    Raises
    ------
    ValueError
        For another factor or mode; when it is called, for an array that is no matrix.

    Examples
    --------
    >>> import numpy as np
    >>> w = np.array([[1.0, 0.0], [3.0, 4.0]])
    >>> round(float(OrthogonalRegularizer(1.0)(w)), 12), float(OrthogonalRegularizer(1.0)(np.eye(3)))
    (0.6, 0.0)
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = validate_float_arg(factor, "factor")
        if not is_one_of(mode, ("rows", "columns")):
            raise unknown("mode", mode, ("rows", "columns"))
        self.mode = mode

    def __call__(self, x: Any) -> Any:
        x = x if hasattr(x, "shape") else check_array("x", x)
        if len(x.shape) != 2:
            fix = "use it for kernels, not for biases"
            raise invalid("input of OrthogonalRegularizer", show(x), "two axes, those of a matrix", fix)
        axis = 1 if self.mode == "rows" else 0  # along which vectors lie
        n = x.shape[1 - axis]
        if n is None:
            expected, fix = "a number of rows that is known", 'pass mode="columns" for the outputs of a layer'
            raise invalid("input of OrthogonalRegularizer", show(x), expected, fix)
        norms = ops.sqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), SMALLEST_NORM**2))
        unit = ops.divide(x, norms)
        by_rows = self.mode == "rows"  # else unit^T unit, also of a batch, which is never transposed
        products = ops.matmul(unit, ops.transpose(unit)) if by_rows else ops.dense_grad_kernel(unit, unit)
        pairs = ops.multiply(ops.abs(products), 1.0 - np.eye(n, dtype=unit.dtype))
        return ops.multiply(ops.sum(pairs), self.factor / max(n * (n - 1), 1))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


SMALLEST_NORM = 1e-7

l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

NAMES = spellings(L1, L2, L1L2, OrthogonalRegularizer, l1_l2=L1L2, l1l2=L1L2)


def get(identifier: Any) -> Callable[..., Any] | None:
    """Return the regularizer that `identifier` stands for.

    Parameters
    ----------
    identifier : str, class, callable, dict or None
        A name ('l2', 'L2'), which stands for factors of 0.01; a class, which is called; a regularizer or
        any function of a weight, which is returned as it is; a config
        ``{"class_name": ..., "config": {...}}``; or None, for which None is returned.

    Raises
    ------
    ValueError
        For an unknown name, with the nearest valid ones.
    TypeError
        For anything else.

    Examples
    --------
    >>> get("l2").get_config()
    {'l2': 0.01}
    >>> get({"class_name": "L1", "config": {"l1": 0.5}}).l1
    0.5
    """
    if identifier is None:
        return None
    if is_one_of(
        identifier, ("l1_l2", "l1l2", "L1L2")
    ):  # Keras documents 0.01 for every name; L1L2() alone is no penalty
        return L1L2(l1=0.01, l2=0.01)
    return make("regularizer", identifier, NAMES, Regularizer, wrap=lambda function: function)


def serialize(regularizer: Any) -> Any:
    """The configuration of a regularizer, from which `deserialize` makes an equal one.

    Raises
    ------
    ValueError
        A function that is not registered with `fastnn.saving.register_keras_serializable`.

    Examples
    --------
    >>> serialize(L2(0.5))
    {'class_name': 'L2', 'config': {'l2': 0.5}}
    """
    return registry.serialize("regularizer", regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer of a configuration.

    Parameters
    ----------
    config : dict or str
        What `serialize` gave.
    custom_objects : dict of str to class or function, optional
        Further names; they come first.

    Raises
    ------
    ValueError, TypeError
        As `get`.

    Examples
    --------
    >>> deserialize({"class_name": "L1", "config": {"l1": 0.5}}).l1
    0.5
    """
    return registry.deserialize(config, custom_objects, get)
