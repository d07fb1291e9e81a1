"""Weights that begin with fixed values."""

from typing import Any

import numpy as np

from ..errors import check_array, invalid, show
from .base import Initializer, Shape, check_dtype, check_shape, finite


class Constant(Initializer):
    """All elements equal to `value`.

    Parameters
    ----------
    value : float or array_like, default 0.0
        A number, or numbers that broadcast to the shape asked for.

    Examples
    --------
    >>> Constant(0.5)((2,))
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: Any = 0.0):
        array = check_array("value", value)
        if array.dtype.kind == "b":
            raise invalid("value", show(value), "a number or an array of numbers", "pass a float", TypeError)
        self.value = value

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        dims, checked = check_shape(shape), check_dtype(dtype)
        try:
            values = np.broadcast_to(check_array("value", self.value, checked), dims)
        except ValueError:
            raise invalid(
                "value",
                self.value,
                f"a number or an array that broadcasts to the shape {dims}",
                "pass an array of the weight's shape",
            ) from None
        return finite(values.copy())

    def get_config(self) -> dict[str, Any]:
        return {"value": np.asarray(self.value).tolist()}


class Zeros(Initializer):
    """All elements 0.

    Examples
    --------
    >>> Zeros()((2,))
    array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        return np.zeros(check_shape(shape), check_dtype(dtype))


class Ones(Initializer):
    """All elements 1.

    Examples
    --------
    >>> Ones()((2,))
    array([1., 1.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        return np.ones(check_shape(shape), check_dtype(dtype))
