"""Dense, Activation and the model's input."""

import weakref
from typing import Any

from .. import activations, config, initializers, ops, regularizers
from ..errors import check_flag, check_integer, invalid, not_provided, show
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
    activity_regularizer, kernel_constraint, bias_constraint : None
        Not provided yet.
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
        not_provided(
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
        )
        expected = "a positive integer below 2**31"
        self.units = check_integer("units", units, 1, expected, "pass the number of outputs", 2**31 - 1)
        self.activation = activations.get(activation)
        self.use_bias = check_flag("use_bias", use_bias)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        with undone_on_error():
            super().__init__(**kwargs)
            self.kernel_initializer = initializers.get(kernel_initializer)
            self.bias_initializer = initializers.get(bias_initializer)

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 2:
            raise invalid(
                f"input of layer {self.name!r}",
                f"shape {input_shape}",
                "at least two axes (batch, features)",
                "reshape the data to (samples, features)",
            )
        self.kernel = self.add_weight(
            (input_shape[-1], self.units),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
        )
        self.bias = (
            self.add_weight((self.units,), self.bias_initializer, name="bias", regularizer=self.bias_regularizer)
            if self.use_bias
            else None
        )

    def call(self, x: Any) -> Any:
        return self.activation(ops.dense(x, self.kernel, self.bias))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **{part: self._described(part) for part in ("kernel_initializer", "bias_initializer")},
            **{part: self._described(part) for part in ("kernel_regularizer", "bias_regularizer")},
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
