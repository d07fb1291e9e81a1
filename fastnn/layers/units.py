"""Units that are no activation of one weighted sum: maxout, and radial basis functions."""

from typing import Any

from .. import constraints, initializers, ops, regularizers
from ..errors import check_integer, invalid, show
from ..ops.table import Shape
from .base import Layer, undone_on_error
from .core import Dense


class Maxout(Dense):
    """The largest of k weighted sums for each unit: ``max over j of (x W_j + b_j)`` on the last axis.

    A unit is a convex, piecewise linear function of its inputs that is learned: of two pieces it can be the ReLU
    or the absolute value. Goodfellow et al. (2013), "Maxout networks". Where pieces are equally large, the first
    of them gets the gradient.

    Parameters
    ----------
    units : int
        Size of the output's last axis.
    k : int, default 2
        Pieces of a unit; there are k times the parameters of `Dense`.
    use_bias : bool, default True
    kernel_initializer : default "glorot_uniform"
        Of an array of shape (features, k * units), the columns of the first pieces of all units first.
    bias_initializer : default "zeros"
    kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint : optional
        As in `Dense`.
    **kwargs
        `name`, `trainable`, `input_shape`, `input_dim`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import initializers, layers
    >>> absolute = layers.Maxout(1, kernel_initializer=initializers.Constant([[1.0, -1.0]]))
    >>> absolute(np.array([[-3.0], [2.0]]))
    array([[3.],
           [2.]])
    """

    def __init__(
        self,
        units: int,
        k: int = 2,
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
        if "activation" in kwargs:
            received, fix = show(kwargs["activation"]), "leave it out, or use Dense"
            raise invalid("activation", received, "none: the largest piece is the activation", fix)
        self.k = check_integer("k", k, 1, "an integer from 1 to 1000", "pass the number of pieces", 1000)
        super().__init__(
            units,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )

    @property
    def columns(self) -> int:
        return self.k * self.units

    def call(self, x: Any) -> Any:
        return ops.maxout(ops.dense(x, self.kernel, self.bias), k=self.k)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"k": self.k}
        del config["activation"]
        return config


class RBF(Layer):
    """Radial basis functions: ``y_j = exp(-||x - c_j||^2 / (2 s_j^2))`` on the last axis.

    Units with trainable centres c_j and widths s_j, each of which answers near its centre. Broomhead and Lowe
    (1988), "Multivariable functional interpolation and adaptive networks". The distances are sums of squared
    differences, so they are never negative and exact where a sample is near a centre; ``|x|^2 - 2 x c + |c|^2``
    is neither. Their gradients are products of matrices, with the origin at the mean of the centres.

    Parameters
    ----------
    units : int
        Size of the output's last axis.
    centres_initializer : optional
        Of an array of shape (features, units), whose columns are the centres. Default: normal numbers of standard
        deviation 1, for standardised inputs; given centres are ``initializers.Constant(points.T)``.
    widths_initializer : default "ones"
        Of an array of shape (units,). A width of 0 gives NaN at its centre; the sign has no influence.
    centres_regularizer, widths_regularizer, activity_regularizer : optional
        Penalties added to the loss.
    centres_constraint, widths_constraint : optional
        What each update of an optimizer ends with, see `fastnn.constraints`.
    **kwargs
        `name`, `trainable`, `input_shape`, `input_dim`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import initializers, layers
    >>> layer = layers.RBF(2, centres_initializer=initializers.Constant([[0.0, 2.0]]))
    >>> layer(np.array([[0.0], [1.0]])).round(4)
    array([[1.    , 0.1353],
           [0.6065, 0.6065]])
    """

    def __init__(
        self,
        units: int,
        centres_initializer: Any = None,
        widths_initializer: Any = "ones",
        centres_regularizer: Any = None,
        widths_regularizer: Any = None,
        centres_constraint: Any = None,
        widths_constraint: Any = None,
        **kwargs: Any,
    ):
        expected = "a positive integer below 2**31"
        self.units = check_integer("units", units, 1, expected, "pass the number of outputs", 2**31 - 1)
        self.centres_regularizer = regularizers.get(centres_regularizer)
        self.widths_regularizer = regularizers.get(widths_regularizer)
        self.centres_constraint = constraints.get(centres_constraint)
        self.widths_constraint = constraints.get(widths_constraint)
        with undone_on_error():
            super().__init__(**kwargs)
            self.centres_initializer = initializers.get(centres_initializer) or initializers.RandomNormal(stddev=1.0)
            self.widths_initializer = initializers.get(widths_initializer)

    def build(self, input_shape: Shape) -> None:
        self._require_features(input_shape)
        shape = (input_shape[-1], self.units)
        self.centres = self.add_weight(
            shape,
            self.centres_initializer,
            name="centres",
            regularizer=self.centres_regularizer,
            constraint=self.centres_constraint,
        )
        self.widths = self.add_weight(
            shape[1:],
            self.widths_initializer,
            name="widths",
            regularizer=self.widths_regularizer,
            constraint=self.widths_constraint,
        )

    def call(self, x: Any) -> Any:
        return ops.exp(ops.squared_distances(x, self.centres) * (-0.5 / ops.square(self.widths)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "units": self.units,
            "centres_initializer": self._described("centres_initializer"),
            "widths_initializer": self._described("widths_initializer"),
            "centres_regularizer": self._described("centres_regularizer"),
            "widths_regularizer": self._described("widths_regularizer"),
            "centres_constraint": self._described("centres_constraint"),
            "widths_constraint": self._described("widths_constraint"),
        }
