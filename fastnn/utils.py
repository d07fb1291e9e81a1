"""Small helpers to prepare data."""

import math
from typing import Any

import numpy as np

from fastnn.config import set_random_seed
from fastnn.errors import check_array, check_integer, check_number, invalid, show
from fastnn.old_spellings import respelled
from fastnn.pydataset import PyDataset
from fastnn.registry import register as register_keras_serializable

__all__ = ["PyDataset", "Sequence", "normalize", "register_keras_serializable", "set_random_seed", "to_categorical"]

Sequence = PyDataset  # its name in Keras 2


@respelled
def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Return the one-hot rows of integer labels: ``y[..., c] = 1 if x[...] == c else 0``.

    Parameters
    ----------
    x : array-like of any shape
        Labels from 0 to ``num_classes - 1``; whole numbers stored as floats are accepted. A last axis of
        size 1 is dropped, so columns of labels work.
    num_classes : int, optional
        Number of classes; by default the largest label plus 1.

    Returns
    -------
    float32 array of shape ``x.shape + (num_classes,)``

    Raises
    ------
    TypeError
        The labels are not numbers, or `num_classes` is not an integer.
    ValueError
        A label is negative, too large or not whole; or there is none to infer `num_classes` from.

    Examples
    --------
    >>> to_categorical([0, 2, 1], num_classes=4)
    array([[1., 0., 0., 0.],
           [0., 0., 1., 0.],
           [0., 1., 0., 0.]], dtype=float32)
    """
    try:
        labels = np.asarray(x)
        if labels.dtype.kind in "OUSf":  # numbers read from text are accepted, as Keras does
            labels = labels.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        labels = np.asarray(None)
    if labels.dtype.kind not in "biuf":
        fix = "number the classes, for example with np.unique(x, return_inverse=True)[1]"
        raise invalid("x", show(x), "integer labels", fix, error=TypeError)
    if num_classes is None:
        if labels.size == 0:
            raise invalid("x", labels, "at least one label", "pass num_classes as well")
    else:
        fix = "pass the number of classes, or None to use the largest label plus 1"
        num_classes = check_integer("num_classes", num_classes, 1, "a positive integer below 2**31", fix, 2**31 - 1)
    limit = 2**31 - 1 if num_classes is None else num_classes
    wrong = ~((labels >= 0) & (labels < limit) & (labels == np.floor(labels)))  # true for NaN as well
    if wrong.any():
        upper = "up to below 2**31 - 1" if num_classes is None else f"to {num_classes - 1}"
        raise invalid(
            "x",
            f"the label {labels[wrong][0]}",
            f"integers from 0 {upper}",
            "number the classes from 0, or pass a larger num_classes",
        )
    labels = labels.astype(np.int64)
    if num_classes is None:
        num_classes = int(labels.max()) + 1
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    one_hot = np.zeros((labels.size, num_classes), np.float32)
    one_hot[np.arange(labels.size), labels.reshape(-1)] = 1
    return one_hot.reshape(*labels.shape, num_classes)


def normalize(x: Any, axis: int = -1, order: float = 2) -> np.ndarray:
    """Divide each vector along an axis by its norm: ``x / (sum |x|^order)^(1/order)``.

    Parameters
    ----------
    x : array-like with at least one axis
    axis : int, default -1
        The axis along which the norm is taken.
    order : float, default 2
        Order of the norm; 1, 2 and ``np.inf`` are the usual ones.

    Returns
    -------
    array of the shape of `x`
        Of the dtype of `x` if that is a floating one, else float64. Vectors of norm 0 stay as they are.

    Raises
    ------
    TypeError
        `axis` or `order` is not a number.
    ValueError
        `x` has no such axis.

    Examples
    --------
    >>> normalize([[3., 4.], [0., 0.]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    x = check_array("x", x)
    expected = f"an axis of x, which has {x.ndim}"
    axis = check_integer("axis", axis, -x.ndim, expected, "name an axis that x has", x.ndim - 1)
    order = check_number("order", order, -math.inf, "a number", "pass 1, 2 or np.inf", math.inf)
    with np.errstate(all="ignore"):
        norm = np.linalg.norm(x, order, axis, keepdims=True)
        return x / np.where(norm == 0, norm.dtype.type(1), norm)
