"""Activation functions by their Keras names.

Every activation of `fastnn.ops` is here, on NumPy arrays and on symbolic arrays, with its options as
ordinary arguments. Integers become the floating type of `fastnn.config.floatx`.

Examples
--------
>>> from fastnn import activations
>>> activations.elu([-1.0, 0.0, 2.0], alpha=0.5)
array([-0.31606028,  0.        ,  2.        ])
"""

import functools
import inspect
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import config, ops
from .errors import check_array, check_flag, check_number, invalid, is_one_of, show, unknown
from .ops import activations as rows
from .ops.activations import PUBLIC
from .ops.table import find_recorder
from .registry import name_of, registered_functions

Activation = Callable[..., Any]


def as_floating(x: Any) -> Any:
    """A symbolic array as it is; anything else as an array of a floating type."""
    if find_recorder((x,)) is not None:
        return x
    x = check_array("x", x)
    return x if x.dtype.kind == "f" else x.astype(config.floatx())


def front(name: str, function: Activation) -> Activation:
    """The public function of an operation: options may be positional, and must be numbers."""
    x = inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    attributes: dict[str, float] = function.op.attributes  # type: ignore[attr-defined]
    signature = inspect.Signature([x, *(x.replace(name=n, default=d) for n, d in attributes.items())])

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        x = given.pop("x")
        for option, value in given.items():
            given[option] = number(option, value)
        return function(as_floating(x), **given)

    call.__name__ = call.__qualname__ = name
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def number(argument: str, value: Any) -> float:
    """The value of an option as a float, or the error."""
    if isinstance(value, float) and math.isnan(value):  # refused by the operations that cannot take it
        return value
    return check_number(argument, value, -math.inf, "a number", "pass a Python number", math.inf)


globals().update({name: front(name, function) for name, function in PUBLIC.items()})

if TYPE_CHECKING:

    def __getattr__(name: str) -> Activation: ...


def linear(x: Any) -> Any:
    """No activation: ``x``."""
    return x


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """Rectified linear unit.

    ``min(x, max_value)`` for ``x > threshold``, else ``negative_slope * (x - threshold)``; with the
    defaults ``max(x, 0)``. The gradient at `threshold` is `negative_slope`, so that of ReLU at 0 is
    0; at `max_value` it is 0.

    Parameters
    ----------
    x : array_like
        Any shape.
    negative_slope : float, default 0.0
        0 gives ReLU, 0.01 a leaky one, -1 the absolute value.
    max_value : float, optional
        Upper end; None for none.
    threshold : float, default 0.0

    Returns
    -------
    array like `x`

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.relu([-2.0, 0.0, 3.0])
    array([0., 0., 3.])
    >>> activations.relu([-2.0, 0.0, 3.0], negative_slope=0.25, max_value=2.0)
    array([-0.5,  0. ,  2. ])
    """
    x = as_floating(x)
    negative_slope, threshold = number("negative_slope", negative_slope), number("threshold", threshold)
    maximum = math.inf if max_value is None else number("max_value", max_value)
    if maximum != math.inf or threshold != 0:
        return rows.relu_general(x, negative_slope=negative_slope, max_value=maximum, threshold=threshold)
    return rows.leaky_relu(x, negative_slope=negative_slope) if negative_slope else rows.relu(x)


def gelu(x: Any, approximate: bool = False) -> Any:
    """Gaussian error linear unit ``x * (1 + erf(x / sqrt(2))) / 2`` (Hendrycks & Gimpel 2016).

    Parameters
    ----------
    x : array_like
        Any shape.
    approximate : bool, default False
        Use ``x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``.

    Returns
    -------
    array like `x`

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.gelu([-1.0, 0.0, 1.0]).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    return (rows.gelu_tanh if check_flag("approximate", approximate) else rows.gelu)(as_floating(x))


def softmax(x: Any, axis: int = -1) -> Any:
    """``exp(x) / sum(exp(x))`` along the last axis.

    Parameters
    ----------
    x : array_like
        At least one axis.
    axis : int, default -1
        The last axis; no other is provided.

    Returns
    -------
    array like `x`
        Each row sums to 1.

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.softmax([[0.0, 0.0], [1.0, 1.0]])
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    x = as_floating(x)
    if not is_one_of(axis, (-1, x.ndim - 1)):
        raise invalid("axis", show(axis), "-1, the last axis", "move that axis to the end with a transpose")
    return ops.softmax(x)


FUNCTIONS: dict[str, Activation] = {name: globals()[name] for name in (*PUBLIC, "linear", "softmax")}
ALIASES = {"swish": "silu"}

__all__ = ["deserialize", "get", "serialize", *FUNCTIONS]


def get(identifier: Any) -> Activation:
    """Return the activation that `identifier` stands for.

    Parameters
    ----------
    identifier : str, callable or None
        A name ("relu", "swish"); a function of one array, which is returned as it is; or None, for
        which `linear` is returned.

    Raises
    ------
    ValueError
        For an unknown name, with the nearest valid ones.
    TypeError
        For anything else.

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.get("swish") is activations.silu
    True
    >>> activations.get("rleu")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: activation: received 'rleu'; expected one of 'abs', 'cos', ...
    """
    if identifier is None:
        return linear
    if callable(identifier):
        return identifier
    name = ALIASES.get(identifier, identifier) if isinstance(identifier, str) else None
    if name in registered_functions():
        return registered_functions()[name]
    if name not in FUNCTIONS:
        raise unknown("activation", identifier, {*FUNCTIONS, *ALIASES})
    return FUNCTIONS[name]


def serialize(activation: Activation) -> str:
    """Return the name of an activation, which `get` and `deserialize` turn back into it.

    Parameters
    ----------
    activation : callable
        A function of this module.

    Raises
    ------
    ValueError
        For any other function.

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.serialize(activations.relu)
    'relu'
    """
    for name, function in FUNCTIONS.items():
        if activation is function or activation is PUBLIC.get(name):
            return name
    if activation in registered_functions().values():
        return name_of(activation)
    raise invalid(
        "activation",
        show(activation),
        "a function of fastnn.activations, or one that is registered",
        "register your own with fastnn.saving.register_keras_serializable()",
    )


def deserialize(config: Any, custom_objects: dict[str, Activation] | None = None) -> Activation:
    """Return the activation of a serialized name.

    Parameters
    ----------
    config : str
        What `serialize` gave.
    custom_objects : dict of str to callable, optional
        Further names; they come first.

    Raises
    ------
    ValueError
        For an unknown name.

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.deserialize("tanh") is activations.tanh
    True
    """
    if not isinstance(custom_objects, (dict, type(None))):
        raise invalid("custom_objects", show(custom_objects), "a dict", "pass functions by name", TypeError)
    if custom_objects and isinstance(config, str) and config in custom_objects:
        return custom_objects[config]
    return get(config)
