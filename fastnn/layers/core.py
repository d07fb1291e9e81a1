"""Dense, Activation, Lambda and the model's input."""

import inspect
import weakref
from collections.abc import Callable
from typing import Any

from .. import activations, config, constraints, initializers, ops, regularizers
from ..errors import check_flag, check_integer, invalid, not_provided, show, unknown
from ..ops.table import Shape
from .base import Layer, sample_shape, undone_on_error
from .graph import KerasTensor, Node


def Input(
    shape: Any = None,
    batch_size: None = None,
    dtype: str | None = None,
    *,
    name: str | None = None,
    batch_shape: Any = None,
) -> KerasTensor:
    """Begin a functional model, or declare the shape of one sample as the first entry of a `Sequential` model.

    Parameters
    ----------
    shape : tuple of int
        Without the batch axis.
    batch_size : None
        Not provided; batches may have any size.
    dtype : str, optional
        Only `fastnn.config.floatx()` is provided, which data of any numeric type become.
    name : str, optional
        By which data are given to a model with several inputs.
    batch_shape : tuple, optional
        Instead of `shape`: the same with None for the batch before it.

    Returns
    -------
    KerasTensor
        An array without values, for layers to be called on.

    Examples
    --------
    >>> import fastnn
    >>> inputs = fastnn.Input(shape=(4,))
    >>> outputs = fastnn.layers.Dense(2)(inputs)
    >>> fastnn.Model(inputs, outputs).count_params()
    10
    """
    not_provided(config.floatx(), dtype=dtype)
    not_provided(batch_size=batch_size)
    if batch_shape is not None:
        if shape is not None or not isinstance(batch_shape, (tuple, list)) or list(batch_shape[:1]) != [None]:
            received = "shape as well" if shape is not None else show(batch_shape)
            expected = "a shape that begins with None, for batches of any size, instead of `shape`"
            raise invalid("batch_shape", received, expected, "pass shape=, without the batch")
        shape = tuple(batch_shape[1:])
    with undone_on_error():
        return InputLayer(shape, name=name).tensor()


class InputLayer(Layer):
    """The input of a model: it only carries the shape of one sample.

    Parameters
    ----------
    shape : tuple of int
    name : str, optional
    """

    def __init__(self, shape: Any, name: str | None = None):
        super().__init__(name=name, input_shape=sample_shape("shape", shape))

    def call(self, x: Any) -> Any:
        return x

    def tensor(self) -> KerasTensor:
        """The array that this input is in a functional model."""
        assert self.given_input_shape is not None
        self.ensure_built((None, *self.given_input_shape))
        node = Node(self, None)
        node.outputs = KerasTensor((None, *self.given_input_shape), config.floatx(), node)
        self._nodes.append(weakref.ref(node))
        return node.outputs

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "shape": self.given_input_shape}


class Dense(Layer):
    """Fully connected layer: ``activation(x W + b)`` on the last axis.

    The product, the bias and the activation are one C kernel.

    Parameters
    ----------
    units : int
        Size of the output's last axis.
    activation : str or callable, optional
        Default: linear.
    use_bias : bool, default True
    kernel_initializer : default "glorot_uniform"
    bias_initializer : default "zeros"
    kernel_regularizer, bias_regularizer : optional
        Penalties added to the loss.
    activity_regularizer : optional
        Penalty of the outputs, divided by the number of samples of the batch.
    kernel_constraint, bias_constraint : optional
        What each update of an optimizer ends with, see `fastnn.constraints`.
    **kwargs
        `name`, `trainable`, `input_shape`, `input_dim`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Dense(2, kernel_initializer="ones")(np.ones((1, 3), np.float32))
    array([[3., 3.]], dtype=float32)
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        expected = "a positive integer below 2**31"
        self.units = check_integer("units", units, 1, expected, "pass the number of outputs", 2**31 - 1)
        self.activation = activations.get(activation)
        self.use_bias = check_flag("use_bias", use_bias)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        with undone_on_error():
            super().__init__(activity_regularizer=activity_regularizer, **kwargs)
            self.kernel_initializer = initializers.get(kernel_initializer)
            self.bias_initializer = initializers.get(bias_initializer)

    @property
    def columns(self) -> int:
        """Columns of the kernel."""
        return self.units

    def build(self, input_shape: Shape) -> None:
        self._require_features(input_shape)
        self.kernel = self.add_weight(
            (input_shape[-1], self.columns),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.columns,),
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, x: Any) -> Any:
        return self.activation(ops.dense(x, self.kernel, self.bias))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return activations.output_shape(self.activation, (*input_shape[:-1], self.units))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **{part: self._described(part) for part in ("kernel_initializer", "bias_initializer")},
            **{part: self._described(part) for part in ("kernel_regularizer", "bias_regularizer")},
            **{part: self._described(part) for part in ("kernel_constraint", "bias_constraint")},
        }


class Activation(Layer):
    """Apply an activation.

    Parameters
    ----------
    activation : str or callable
    **kwargs
        `name`, `input_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Activation("relu")(np.linspace(-3, 3, 3))
    array([0., 0., 3.])
    """

    def __init__(self, activation: Any, **kwargs: Any):
        self.activation = activations.get(activation)
        super().__init__(**kwargs)

    def call(self, x: Any) -> Any:
        return self.activation(x)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"activation": activations.serialize(self.activation)}


# What a configuration may name: functions of the library alone, so that making a layer from one runs no other code.
KINDS = ("activation", "elementwise", "softmax", "dense", "reduction", "shape", "units")
NAMED = {f"activations.{name}": function for name, function in activations.FUNCTIONS.items()} | {
    f"ops.{name}": function
    for name, function in vars(ops).items()
    if getattr(function, "__module__", "").startswith(ops.__name__)
    and "_grad" not in name
    and name != "python"
    and (not hasattr(function, "op") or function.op.kind in KINDS)
}


class Lambda(Layer):
    """A function as a layer.

    Parameters
    ----------
    function : callable
        ``function(x)`` is written with `fastnn.ops`; if it has a parameter `training`, it gets that too.
    output_shape : tuple of int or callable, optional
        Shape of one output, or a function from the shape of the inputs to that of the outputs, both with the batch.
        It is found without; given, it is checked.
    mask : None
        Not provided yet.
    arguments : dict, optional
        Further arguments of the function, by name.
    **kwargs
        `name`, `input_shape`, `activity_regularizer`.

    Notes
    -----
    A function is never saved as code. `get_config` gives the name of one of `fastnn.ops` or `fastnn.activations`,
    and raises ``ValueError`` for any other: write a `Layer` instead.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers, ops
    >>> layers.Lambda(lambda x, power: x**power, arguments={"power": 2})(np.array([[1.0, 3.0]]))
    array([[1., 9.]])
    >>> layers.Lambda(ops.square, name="s").get_config()["function"]
    'ops.square'
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: None = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        not_provided(mask=mask)
        if not callable(function):
            raise invalid("function", show(function), "a function of an array", "write it with fastnn.ops", TypeError)
        if arguments is not None and not (isinstance(arguments, dict) and all(isinstance(a, str) for a in arguments)):
            raise invalid("arguments", show(arguments), "a dict by name", 'pass for example {"power": 2}', TypeError)
        if output_shape is not None and not callable(output_shape):
            output_shape = sample_shape("output_shape", output_shape)
        super().__init__(**kwargs)
        self.function, self.arguments, self.given_output_shape = function, dict(arguments or {}), output_shape

    def call(self, x: Any, training: bool | None = None) -> Any:
        wanted = takes(self.function, "training") and "training" not in self.arguments
        return self.function(x, **self.arguments, **({"training": training} if wanted else {}))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        given, found = self.given_output_shape, super().compute_output_shape(input_shape)
        if given is not None:
            expected = given(input_shape) if callable(given) else (found[0], *given)
            if expected != found:
                fix = "correct output_shape, or leave it out"
                raise invalid(f"output of layer {self.name!r}", f"shape {found}", f"{expected}, as given", fix)
        return found

    def get_config(self) -> dict[str, Any]:
        names = [name for name, function in NAMED.items() if function is self.function]
        if not names or callable(self.given_output_shape):
            raise invalid(
                f"function of layer {self.name!r}",
                show(self.given_output_shape if names else self.function),
                "a function of fastnn.ops or fastnn.activations, since code is never saved",
                "write a subclass of Layer with get_config()",
            )
        given = {"function": names[0], "output_shape": self.given_output_shape, "arguments": self.arguments}
        return super().get_config() | given

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Lambda":
        """Make a layer from what `get_config` gave."""
        name = config.get("function") if isinstance(config, dict) else None
        if name is not None and (not isinstance(name, str) or name not in NAMED):
            raise unknown("function", name, NAMED)
        return super().from_config(config if name is None else config | {"function": NAMED[name]})


def takes(function: Callable[..., Any], parameter: str) -> bool:
    """Whether a function has a parameter of this name."""
    try:
        return parameter in inspect.signature(function).parameters
    except ValueError:  # a builtin without a signature
        return False
