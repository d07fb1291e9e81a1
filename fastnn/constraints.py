"""Constraints of weights, which each update of an optimizer ends with; written with `fastnn.ops`, so they run in C."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import ops, registry
from .errors import check_array, check_integer, check_number, invalid, name_layer, show
from .record import Symbolic
from .registry import Configurable, make, spellings
from .variable import Variable

EPSILON = 1e-7  # keeps divisions from being ones by 0; the same as Keras'


def at_least_zero(argument: str, value: Any) -> float:
    return check_number(argument, value, 0, "a finite number of at least 0", "pass for example 2.0")


def checked_axis(axis: Any) -> Any:
    """An axis, or a list of several, as it was given."""
    several = isinstance(axis, (tuple, list)) and len(axis) > 0
    for number in axis if several else [axis]:
        expected, fix = "an axis of the weight, or a list of several", "pass 0 for the kernel of a Dense layer"
        check_integer("axis", number, -(2**31), expected, fix, 2**31)
    return list(axis) if several else axis


class Constraint(Configurable):
    """What a weight is replaced by after each update; subclasses define ``__call__``.

    Any function of the weight that is written with `fastnn.ops` serves as a constraint, too. This class itself leaves
    weights as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import ops
    >>> class Symmetric(Constraint):
    ...     def __call__(self, w):
    ...         return 0.5 * (w + ops.transpose(w))
    >>> Symmetric()(np.array([[1.0, 2.0], [4.0, 3.0]]))
    array([[1., 3.],
           [3., 3.]])
    """

    def __call__(self, w: Any) -> Any:
        """The new value of a weight, of its shape."""
        return w

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal constraint."""
        return {}


class OfNorms(Constraint):
    """A constraint of the Euclidean norms along some axes."""

    def __init__(self, axis: Any = 0):
        self.axis = checked_axis(axis)

    def norms(self, w: Any) -> Any:
        """The norms, with axes of length 1 in the place of those that they are taken along."""
        axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


class MaxNorm(OfNorms):
    """Norms of at most `max_value`: ``w * clip(norm, 0, max_value) / (1e-7 + norm)``.

    Srebro, Rennie and Jaakkola (2005), "Maximum-margin matrix factorization"; with dropout Srivastava et al. (2014).

    Parameters
    ----------
    max_value : float, default 2
        At least 0 and finite.
    axis : int or list of int, default 0
        The axes along which norms are taken; 0 are the weights of one unit in the kernel of a `Dense` layer.

    Examples
    --------
    >>> import numpy as np
    >>> MaxNorm(2.0)(np.array([[3.0, 0.6], [4.0, 0.8]])).round(6)
    array([[1.2, 0.6],
           [1.6, 0.8]])
    """

    def __init__(self, max_value: float = 2, axis: Any = 0):
        self.max_value = at_least_zero("max_value", max_value)
        super().__init__(axis)

    def __call__(self, w: Any) -> Any:
        norms = self.norms(w)
        return ops.multiply(w, ops.divide(ops.clip(norms, 0.0, self.max_value), ops.add(norms, EPSILON)))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class MinMaxNorm(OfNorms):
    """Norms from `min_value` to `max_value`, or some way to there.

    ``w * (rate * clip(norm, min_value, max_value) + (1 - rate) * norm) / (1e-7 + norm)``.

    Parameters
    ----------
    min_value, max_value : float, default 0.0 and 1.0
        At least 0 and finite, `min_value` not above `max_value`.
    rate : float, default 1.0
        From 0 to 1: the part of the way that each update goes.
    axis : int or list of int, default 0
        The axes along which norms are taken.

    Examples
    --------
    >>> import numpy as np
    >>> MinMaxNorm(1.0, 2.0, rate=0.5)(np.array([[3.0, 0.3], [4.0, 0.4]])).round(6)
    array([[2.1 , 0.45],
           [2.8 , 0.6 ]])
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0):
        self.min_value, self.max_value = at_least_zero("min_value", min_value), at_least_zero("max_value", max_value)
        if self.min_value > self.max_value:
            raise invalid("min_value", min_value, f"at most max_value = {max_value!r}", "exchange the two")
        self.rate = check_number("rate", rate, 0, "a number from 0 to 1", "pass for example 1.0", 1)
        super().__init__(axis)

    def __call__(self, w: Any) -> Any:
        norms = self.norms(w)
        clipped = ops.clip(norms, self.min_value, self.max_value)
        desired = ops.add(ops.multiply(clipped, self.rate), ops.multiply(norms, 1 - self.rate))
        return ops.multiply(w, ops.divide(desired, ops.add(norms, EPSILON)))

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


class NonNeg(Constraint):
    """No negative elements: ``max(w, 0)``.

    Examples
    --------
    >>> import numpy as np
    >>> NonNeg()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __call__(self, w: Any) -> Any:
        return ops.maximum(w, 0.0)


class UnitNorm(OfNorms):
    """Norms of 1: ``w / (1e-7 + norm)``.

    Parameters
    ----------
    axis : int or list of int, default 0
        The axes along which norms are taken.

    Examples
    --------
    >>> import numpy as np
    >>> UnitNorm()(np.array([[3.0, 0.0], [4.0, 2.0]])).round(6)
    array([[0.6, 0. ],
           [0.8, 1. ]])
    """

    def __call__(self, w: Any) -> Any:
        return ops.divide(w, ops.add(self.norms(w), EPSILON))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

NAMES = spellings(Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm)


def get(identifier: Any) -> Callable[[Any], Any] | None:
    """Return the constraint that `identifier` stands for.

    Parameters
    ----------
    identifier : str, class, callable, dict or None
        A name ('max_norm', 'MaxNorm'); a class, which is called; a constraint or any function of a weight, which
        is returned as it is; a config ``{"class_name": ..., "config": {...}}``; or None, for which None is
        returned.

    Raises
    ------
    ValueError
        For an unknown name, with the nearest valid ones.
    TypeError
        For anything else.

    Examples
    --------
    >>> get("max_norm").get_config()
    {'max_value': 2.0, 'axis': 0}
    >>> get({"class_name": "UnitNorm", "config": {"axis": 1}}).axis
    1
    """
    if identifier is None:
        return None
    return make("constraint", identifier, NAMES, Constraint, wrap=lambda function: function)


def serialize(constraint: Any) -> Any:
    """The configuration of a constraint, from which `deserialize` makes an equal one.

    Raises
    ------
    ValueError
        A function that is not registered with `fastnn.saving.register_keras_serializable`.

    Examples
    --------
    >>> serialize(UnitNorm())
    {'class_name': 'UnitNorm', 'config': {'axis': 0}}
    """
    return registry.serialize("constraint", constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint of a configuration.

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
    >>> deserialize({"class_name": "UnitNorm", "config": {"axis": 1}}).axis
    1
    """
    return registry.deserialize(config, custom_objects, get)


def constrained(variable: Variable, value: Any) -> Any:
    """The value of a variable as its constraint makes it: a symbol for a symbol, else an array."""
    assert variable.constraint is not None
    argument = f"constraint of {variable.path!r}"
    try:
        result = variable.constraint(value)
    except (ValueError, TypeError) as error:
        name_layer(error, variable.path.rpartition("/")[0])
        raise
    kind: Any = Symbolic if isinstance(value, Symbolic) else (np.ndarray, np.generic)
    if not isinstance(result, kind) or result.shape != variable.shape:
        expected, fix = (
            f"an array of shape {variable.shape}, made with fastnn.ops",
            "return the new value of the weight",
        )
        raise invalid(argument, show(result), expected, fix, ValueError if isinstance(result, kind) else TypeError)
    return result if isinstance(value, Symbolic) else check_array(argument, result, variable.dtype)
