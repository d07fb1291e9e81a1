"""Steps in plain NumPy: a function of one's own as an operation, with its own gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import invalid, show
from .layout import Shape
from .shape import array, as_given, checked_shape
from .table import concrete, find_recorder, op

__all__ = ["python"]


def name_of(function: Any) -> str:
    """How a function is called in messages and plans."""
    return getattr(function, "__name__", type(function).__name__)


def first_batch(shapes: list[Shape]) -> int | None:
    """Number of the first shape that begins with the batch axis."""
    return next((i for i, shape in enumerate(shapes) if shape[:1] == (None,)), None)


def python_gradient(step, dy):
    function, gradient = step.attrs["function"], step.attrs["gradient"]
    if gradient is None:
        raise invalid(
            f"ops.python({name_of(function)})",
            "a loss that depends on it",
            "a function for its gradient",
            "pass gradient=f, where f(dy, *inputs) returns one gradient per input",
            TypeError,
        )
    ins = [dy, *step.ins]
    shapes = tuple(x.shape for x in step.ins)
    batch = first_batch([x.shape for x in ins])
    made = python_row(*ins, function=gradient, shapes=shapes, batch=batch, optional=True)
    return list(made) if isinstance(made, tuple) else [made]


@op(
    name="python",
    kernel=None,
    shape=lambda *ins, shapes, **attrs: list(shapes),
    dims=lambda ins, outs: (),
    grad=python_gradient,
    kind="python",
    serial=True,
)
def python_row(*arrays, function, shapes, batch=None, gradient=None, optional=False):
    """See `python`; with `optional`, None stands for zeros."""
    views = [a[...] for a in arrays]
    for view in views:
        view.flags.writeable = False
    results = function(*views)
    results = tuple(results) if isinstance(results, (tuple, list)) else (results,)
    rows = len(arrays[batch]) if batch is not None else 0
    wanted = [concrete(shape, rows) for shape in shapes]
    zeros = [r is None and optional for r in results]
    given = [np.zeros(w) if z else np.asarray(r) for r, w, z in zip(results, wanted, zeros, strict=False)]
    if [r.shape for r in given if r.dtype.kind in "fiub"] != wanted or len(results) != len(wanted):
        raise invalid(
            f"result of {name_of(function)}",
            " and ".join(map(show, results)) or "nothing",
            f"an array of numbers of shape {wanted[0]}" if len(wanted) == 1 else f"arrays of shapes {wanted}",
            "return an array of that shape" + ", or None for a gradient that is 0" * optional,
        )
    return given[0] if len(given) == 1 else tuple(given)


def python(function: Callable[..., Any], *inputs: Any, shape: Any = None, gradient: Any = None) -> Any:
    """A step of a model written in plain NumPy.

    In a model it runs between the C calls, batch by batch, on views of the model's memory; everything
    before and after it still runs in C. A model with such a step has no promise of equal bits.

    Parameters
    ----------
    function : callable
        ``function(*inputs)`` returns an array. The inputs are read-only and of this call: copy what is kept.
    *inputs : array
    shape : tuple of int, optional
        Shape of the result, -1 or None for the batch; default: that of the first input.
    gradient : callable, optional
        ``gradient(dy, *inputs)`` returns the gradient of each input (None where it is 0), given that by the
        result. Needed where a loss depends on the step.

    Returns
    -------
    array

    Raises
    ------
    ValueError
        `function` or `gradient` returned another shape than promised.

    Examples
    --------
    >>> def softsign(x):
    ...     return x / (1 + np.abs(x))
    >>> def softsign_gradient(dy, x):
    ...     return dy / (1 + np.abs(x)) ** 2
    >>> python(softsign, np.array([-1.0, 3.0]), gradient=softsign_gradient)
    array([-0.5 ,  0.75])
    """
    for name, value in (("function", function), *((("gradient", gradient),) if gradient is not None else ())):
        if not callable(value):
            raise invalid(name, show(value), "a function of NumPy arrays", "pass a function", TypeError)
    if not inputs:
        raise invalid("inputs", "none", "at least one array", "pass what the function is to be called with", TypeError)
    shapes = [array(x).shape for x in inputs]
    recorded = find_recorder(inputs) is not None
    given = checked_shape(inputs[0], as_given(shapes[0]) if shape is None else shape)
    batch = first_batch(shapes) if recorded else 0 if shapes[0] else None
    result = tuple(None if n == -1 else n for n in given)
    if None in result[1:] or (None in result and batch is None):
        raise invalid("shape", show(shape), "-1 only for the batch, axis 0", "give all other sizes")
    return python_row(*inputs, function=function, shapes=(result,), batch=batch, gradient=gradient)
