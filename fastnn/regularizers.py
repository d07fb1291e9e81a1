"""Penalties on weights, added to the loss; written with `fastnn.ops`, so they are recorded like layers."""

from collections.abc import Callable
from typing import Any

from . import ops
from .errors import check_number, is_one_of
from .registry import Configurable, make, spellings


def _factor(argument: str, value: Any) -> float:
    return check_number(argument, value, 0, "a finite number of at least 0", "pass for example 0.01")


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
        At least 0 and finite.

    Examples
    --------
    >>> import numpy as np
    >>> float(L1(0.5)(np.array([1.0, -2.0])))
    1.5
    """

    def __init__(self, l1: float = 0.01):
        self.l1 = _factor("l1", l1)

    def __call__(self, x: Any) -> Any:
        return ops.multiply(ops.sum(ops.abs(x)), self.l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(Regularizer):
    """``l2 * sum(x ** 2)``; as in Keras without a factor 1/2, so the gradient is ``2 * l2 * x``.

    Parameters
    ----------
    l2 : float, default 0.01
        At least 0 and finite.

    Examples
    --------
    >>> import numpy as np
    >>> float(L2(0.5)(np.array([1.0, -2.0])))
    2.5
    """

    def __init__(self, l2: float = 0.01):
        self.l2 = _factor("l2", l2)

    def __call__(self, x: Any) -> Any:
        return ops.multiply(ops.sum(ops.square(x)), self.l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class L1L2(Regularizer):
    """``l1 * sum(abs(x)) + l2 * sum(x ** 2)``.

    Parameters
    ----------
    l1, l2 : float, default 0.0
        At least 0 and finite.

    Examples
    --------
    >>> import numpy as np
    >>> float(L1L2(l1=0.5, l2=1.0)(np.array([1.0, -2.0])))
    6.5
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1, self.l2 = _factor("l1", l1), _factor("l2", l2)

    def __call__(self, x: Any) -> Any:
        if not self.l1:
            return L2(self.l2)(x)
        penalty = L1(self.l1)(x)
        return ops.add(penalty, L2(self.l2)(x)) if self.l2 else penalty

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


l1, l2, l1_l2 = L1, L2, L1L2

NAMES = spellings(L1, L2, L1L2, l1_l2=L1L2)


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
    if is_one_of(identifier, ("l1_l2", "L1L2")):  # Keras documents 0.01 for every name; L1L2() alone is no penalty
        return L1L2(l1=0.01, l2=0.01)
    return make("regularizer", identifier, NAMES, Regularizer, wrap=lambda function: function)
