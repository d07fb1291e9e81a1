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
from .errors import check_array, check_flag, check_integer, check_number, invalid, show, unknown
from .ops import activations as rows
from .ops.activations import PUBLIC
from .ops.layout import Shape
from .ops.table import find_recorder
from .record import Recorder
from .registry import name_of, registered, registered_functions

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


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """``x`` where ``x > threshold``, else `default_value`.

    Parameters
    ----------
    x : array_like
        Any shape.
    threshold : float
        The gradient there is 0.
    default_value : float
        What stands in place of all that is not above; NaN stays NaN.

    Returns
    -------
    array like `x`

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.threshold([-2.0, 0.5, 3.0], 0.5, -1.0)
    array([-1., -1.,  3.])
    """
    threshold, default_value = number("threshold", threshold), number("default_value", default_value)
    return rows.threshold(as_floating(x), threshold=threshold, default_value=default_value)


# Activations along axes


def along(function: Activation, x: Any, axis: int | tuple[int, ...]) -> Any:
    """`function`, which works along the last axis, along any others, several taken as one."""
    x = as_floating(x)
    n = len(x.shape)
    given = axis if isinstance(axis, (tuple, list)) and axis else (axis,)
    expected = f"an axis from {-n} to {n - 1}, or a tuple of several"
    fix = "choose axes that the array has" if n else "pass an array with at least one axis"
    axes = [check_integer("axis", i, -n, expected, fix, n - 1) % max(n, 1) for i in given]
    if axes == [n - 1]:
        return function(x)
    if len(set(axes)) < len(axes) or (x.shape[0] is None and 0 in axes):
        expected = f"different axes of an array of {n}" + ", without that of the batch (0)" * (x.shape[0] is None)
        raise invalid("axis", show(axis), expected, "choose others")
    order = [*(i for i in range(n) if i not in axes), *axes]
    last = ops.transpose(x, order)
    sizes = [-1 if size is None else size for size in last.shape]
    rest = n - len(axes)
    result = function(ops.reshape(last, (*sizes[:rest], math.prod(sizes[rest:]))))
    return ops.transpose(ops.reshape(result, tuple(sizes)), [order.index(i) for i in range(n)])


def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Any:
    """``exp(x) / sum(exp(x))`` along an axis, or several together.

    Parameters
    ----------
    x : array_like
        At least one axis.
    axis : int or tuple of int, default -1
        Any, but that of the batch where there is one.

    Returns
    -------
    array like `x`
        Not negative, with the sum 1 along the axes.

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.softmax([[0.0, 0.0], [1.0, 1.0]])
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    return along(ops.softmax, x, axis)


def log_softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Any:
    """``x - log(sum(exp(x)))`` along an axis, or several together: the logarithm of `softmax`.

    Parameters
    ----------
    x : array_like
        At least one axis.
    axis : int or tuple of int, default -1
        Any, but that of the batch where there is one.

    Returns
    -------
    array like `x`

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.log_softmax([0.0, 0.0, 1000.0])
    array([-1000., -1000.,     0.])
    """
    return along(ops.log_softmax, x, axis)


def sparsemax(x: Any, axis: int = -1) -> Any:
    """``max(x - tau, 0)`` with the tau for which the sum along an axis is 1.

    Of all distributions it is the one nearest to `x`; unlike those of `softmax`, small probabilities are exactly 0.
    Martins & Astudillo, From Softmax to Sparsemax (2016).

    Parameters
    ----------
    x : array_like
        At least one axis.
    axis : int, default -1
        Any, but that of the batch where there is one.

    Returns
    -------
    array like `x`

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.sparsemax([[0.0, 0.0, -9.0], [0.5, 1.0, 0.0]])
    array([[0.5 , 0.5 , 0.  ],
           [0.25, 0.75, 0.  ]])
    """
    return along(ops.sparsemax, x, one_axis(axis))


def one_axis(axis: Any) -> int:
    """An axis that is not several."""
    return check_integer("axis", axis, -(2**31), "one axis", "choose one, for example -1", 2**31)


def glu(x: Any, axis: int = -1) -> Any:
    """Gated linear unit: ``a * sigmoid(b)`` for the halves a and b of `x` along an axis.

    Dauphin, Fan, Auli & Grangier, Language Modeling with Gated Convolutional Networks (2017).

    Parameters
    ----------
    x : array_like
        An even number of elements along `axis`.
    axis : int, default -1
        Any, but that of the batch where there is one.

    Returns
    -------
    array
        Half as large along `axis`.

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.glu([1.0, 2.0, -1000.0, 0.0])
    array([0., 1.])
    """
    x = as_floating(x)
    n = len(x.shape)
    fix = "choose an axis that the array has" if n else "pass an array with at least one axis"
    axis = check_integer("axis", axis, -n, f"an axis from {-n} to {n - 1}", fix, n - 1) % max(n, 1)
    size = x.shape[axis]
    if size is None:
        raise invalid("axis", axis, "any but that of the batch (0)", "choose another")
    if size % 2:
        fix = "make the number of units before it even"
        raise invalid("x", f"shape {tuple(x.shape)}", f"an even number of elements along axis {axis}", fix)
    whole = (slice(None),) * axis
    return ops.multiply(x[(*whole, slice(size // 2))], rows.sigmoid(x[(*whole, slice(size // 2, None))]))


ALONG = ("glu", "log_softmax", "softmax", "sparsemax")
FUNCTIONS: dict[str, Activation] = {name: globals()[name] for name in (*PUBLIC, "linear", *ALONG)}
ALIASES = {"hard_swish": "hard_silu", "swish": "silu"}
LAYERS: dict[str, Any] = {}  # classes of layers that are activations, by name; `fastnn.layers` enters them

__all__ = ["deserialize", "get", "serialize", *FUNCTIONS, *ALIASES]

hard_swish, swish = FUNCTIONS["hard_silu"], FUNCTIONS["silu"]


def output_shape(activation: Activation, shape: Shape) -> Shape:
    """Shape of an activation's outputs for inputs of a shape whose first axis is the batch."""
    if type(activation) in LAYERS.values() or (activation in FUNCTIONS.values() and activation is not glu):
        return shape
    with Recorder(rows=1, dtype=config.floatx()) as recorder:
        found = activation(recorder.rows_input("x", shape[1:])).shape
        recorder.forget()
    return (*shape[:1], *found[1:])


def get(identifier: Any) -> Activation:
    """Return the activation that `identifier` stands for.

    Parameters
    ----------
    identifier : str, callable, dict or None
        A name ("relu", "swish"); a function of one array or a layer, which is returned as it is; the class of a layer
        of `fastnn.layers.activations`; what `serialize` gave; or None, for which `linear` is returned.

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
    >>> activations.get({"class_name": "ReLU", "config": {"max_value": 2.0}})([1.0, 3.0])
    array([1., 2.])
    >>> activations.get("rleu")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: activation: received 'rleu'; expected one of 'abs', 'celu', ...
    """
    if identifier is None:
        return linear
    if isinstance(identifier, dict):
        return from_config(identifier)
    if isinstance(identifier, type) and identifier in LAYERS.values():
        return identifier()
    if callable(identifier):
        return identifier
    name = ALIASES.get(identifier, identifier) if isinstance(identifier, str) else None
    if name in registered_functions():
        return registered_functions()[name]
    if name not in FUNCTIONS:
        raise unknown("activation", identifier, {*FUNCTIONS, *ALIASES})
    return FUNCTIONS[name]


def from_config(config: dict[str, Any]) -> Activation:
    """The activation of ``{"class_name": ..., "config": ...}``, of a layer or of a function by its name."""
    name, inner = config.get("class_name"), config.get("config")
    if name in ("function", "builtin_function_or_method") and isinstance(inner, str):
        return get(inner)
    known = LAYERS | registered(object)
    if not isinstance(name, str) or name not in known:
        raise unknown("class_name of an activation", name, {*known, "function"})
    made = known[name].from_config({} if inner is None else inner)
    if not callable(made):
        raise invalid("activation", show(made), "something that can be called", "register another class", TypeError)
    return made


def serialize(activation: Activation) -> str | dict[str, Any]:
    """Return what `get` and `deserialize` turn back into an activation.

    Parameters
    ----------
    activation : callable
        A function of this module, a registered one, or a layer.

    Returns
    -------
    str or dict
        The name of a function; ``{"class_name": ..., "config": ...}`` of a layer or another object whose class is
        registered.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> from fastnn import activations, layers
    >>> activations.serialize(activations.relu)
    'relu'
    >>> activations.serialize(layers.ELU(name="e"))["class_name"]
    'ELU'
    """
    for name, function in FUNCTIONS.items():
        if activation is function or activation is PUBLIC.get(name):
            return name
    if activation in registered_functions().values():
        return name_of(activation)
    cls = type(activation)
    if cls in LAYERS.values() or cls in registered(object).values():
        return {"class_name": name_of(cls), "config": activation.get_config()}  # type: ignore[attr-defined]
    raise invalid(
        "activation",
        show(activation),
        "a function of fastnn.activations, a layer, or what is registered",
        "register your own with fastnn.saving.register_keras_serializable()",
    )


def deserialize(config: Any, custom_objects: dict[str, Activation] | None = None) -> Activation:
    """Return the activation that `serialize` described.

    Parameters
    ----------
    config : str or dict
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
    function = isinstance(config, dict) and config.get("class_name") == "function"
    name = config.get("config") if function else config
    if custom_objects and isinstance(name, str) and name in custom_objects:
        return custom_objects[name]
    return get(config)
