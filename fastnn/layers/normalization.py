"""Layers that give their inputs mean 0 and variance 1."""

from typing import Any

from .. import constraints, initializers, ops, regularizers
from ..errors import check_flag, check_integer, check_number, invalid, not_provided, show
from ..ops.table import Shape
from ..variable import Variable
from .base import Layer, undone_on_error

LARGEST_AXIS = 2**31 - 1


class Standardizing(Layer):
    """What both normalizations share: the last axis, and the scale and offset of each of its features."""

    def __init__(
        self,
        axis: Any,
        epsilon: float,
        center: bool,
        scale: bool,
        beta: tuple[Any, Any, Any],
        gamma: tuple[Any, Any, Any],
        **kwargs: Any,
    ):
        """With initializer, regularizer and constraint of beta and of gamma."""
        self.axis = checked_axis(axis)
        self.epsilon = check_number("epsilon", epsilon, 0, "a finite number of at least 0", "pass for example 0.001")
        self.center, self.scale = check_flag("center", center), check_flag("scale", scale)
        self.beta_regularizer, self.gamma_regularizer = regularizers.get(beta[1]), regularizers.get(gamma[1])
        self.beta_constraint, self.gamma_constraint = constraints.get(beta[2]), constraints.get(gamma[2])
        super().__init__(**kwargs)
        self.beta_initializer, self.gamma_initializer = initializers.get(beta[0]), initializers.get(gamma[0])

    def build(self, input_shape: Shape) -> None:
        axes = len(input_shape)
        if axes < 2:
            raise invalid(
                f"input of layer {self.name!r}",
                f"shape {input_shape}",
                "at least two axes (batch, features)",
                "reshape the data to (samples, features)",
            )
        axis = self.axis[0] if isinstance(self.axis, list) else self.axis
        if axis not in (-1, axes - 1):
            raise invalid(
                f"axis of layer {self.name!r}",
                show(self.axis),
                f"the last one, -1 or {axes - 1}, for inputs of shape {input_shape} (others are not provided yet)",
                "move the features to the last axis",
            )
        shape = input_shape[-1:]
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        if self.scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                name="gamma",
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                shape,
                self.beta_initializer,
                name="beta",
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": self._described("beta_initializer"),
            "gamma_initializer": self._described("gamma_initializer"),
            "beta_regularizer": self._described("beta_regularizer"),
            "gamma_regularizer": self._described("gamma_regularizer"),
            "beta_constraint": self._described("beta_constraint"),
            "gamma_constraint": self._described("gamma_constraint"),
        }


def checked_axis(axis: Any) -> Any:
    """An axis as an int or, as Keras' layer normalization also has it, as a list of one."""
    expected, fix = "an integer, the number of an axis", "pass -1 for the last axis"
    if isinstance(axis, (list, tuple)) and len(axis) == 1:
        return [check_integer("axis", axis[0], -LARGEST_AXIS, expected, fix, LARGEST_AXIS)]
    return check_integer("axis", axis, -LARGEST_AXIS, expected, fix, LARGEST_AXIS)


class BatchNormalization(Standardizing):
    """Give each feature mean 0 and variance 1 over the batch: ``gamma (x - mean) / sqrt(variance + epsilon) + beta``.

    In training mean and variance are those of the batch, over all axes but the last, and each step takes them into
    moving averages, ``moving = moving * momentum + batch * (1 - momentum)``; otherwise these take their place. A step
    whose loss or gradients are not finite leaves the averages as they are. With ``trainable = False`` the layer
    also trains as it predicts, as in Keras. Ioffe and Szegedy (2015), "Batch normalization: accelerating deep network
    training by reducing internal covariate shift".

    Parameters
    ----------
    axis : int, default -1
        The features; only the last axis is provided.
    momentum : float, default 0.99
        From 0 to 1.
    epsilon : float, default 1e-3
    center, scale : bool, default True
        Whether there are the trained vectors beta and gamma.
    beta_initializer, moving_mean_initializer : default "zeros"
    gamma_initializer, moving_variance_initializer : default "ones"
    beta_regularizer, gamma_regularizer : optional
        Penalties added to the loss.
    beta_constraint, gamma_constraint : optional
        What each update of an optimizer ends with, see `fastnn.constraints`.
    renorm, renorm_clipping, renorm_momentum, synchronized
        Not provided; only the defaults are accepted.
    **kwargs
        `name`, `trainable`, `input_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layer = layers.BatchNormalization(epsilon=0.0)
    >>> layer(np.array([[1.0], [3.0]]), training=True)
    array([[-1.],
           [ 1.]])
    >>> layer.moving_mean.numpy(), layer.moving_variance.numpy()
    (array([0.02], dtype=float32), array([1.], dtype=float32))
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ):
        not_provided(False, renorm=renorm, synchronized=synchronized)
        not_provided(renorm_clipping=renorm_clipping)
        not_provided(0.99, renorm_momentum=renorm_momentum)
        self.momentum = check_number("momentum", momentum, 0, "a number from 0 to 1", "pass for example 0.99", 1)
        beta = beta_initializer, beta_regularizer, beta_constraint
        gamma = gamma_initializer, gamma_regularizer, gamma_constraint
        with undone_on_error():
            super().__init__(axis, epsilon, center, scale, beta, gamma, **kwargs)
            self.moving_mean_initializer = initializers.get(moving_mean_initializer)
            self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        shape = input_shape[-1:]
        self.moving_mean = self.add_weight(shape, self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            shape, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )

    def call(self, x: Any, training: bool | None = None) -> Any:
        averages = self.moving_mean, self.moving_variance
        if not (training and self.trainable):
            return ops.standardize(x, *averages, self.gamma, self.beta, epsilon=self.epsilon)
        moments = ops.batch_moments(x)
        for average, value in zip(averages, moments, strict=True):
            average.assign(ops.moving_average(average, value, momentum=self.momentum))
        return ops.standardize(x, *moments, self.gamma, self.beta, epsilon=self.epsilon, own=1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "momentum": self.momentum,
            "moving_mean_initializer": self._described("moving_mean_initializer"),
            "moving_variance_initializer": self._described("moving_variance_initializer"),
        }


class LayerNormalization(Standardizing):
    """Give each vector along the last axis mean 0 and variance 1.

    ``gamma (x - mean) / sqrt(variance + epsilon) + beta`` with mean and variance of the vector itself, so that training
    and prediction compute the same. Ba, Kiros and Hinton (2016), "Layer normalization".

    Parameters
    ----------
    axis : int or list of one int, default -1
        The features; only the last axis is provided.
    epsilon : float, default 1e-3
    center, scale : bool, default True
        Whether there are the trained vectors beta and gamma.
    beta_initializer : default "zeros"
    gamma_initializer : default "ones"
    beta_regularizer, gamma_regularizer : optional
        Penalties added to the loss.
    beta_constraint, gamma_constraint : optional
        What each update of an optimizer ends with, see `fastnn.constraints`.
    rms_scaling
        Not provided; only the default is accepted.
    **kwargs
        `name`, `trainable`, `input_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0], [2.0, 8.0]]))
    array([[-1.,  1.],
           [-1.,  1.]])
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        rms_scaling: bool = False,
        **kwargs: Any,
    ):
        not_provided(False, rms_scaling=rms_scaling)
        beta = beta_initializer, beta_regularizer, beta_constraint
        gamma = gamma_initializer, gamma_regularizer, gamma_constraint
        with undone_on_error():
            super().__init__(axis, epsilon, center, scale, beta, gamma, **kwargs)

    def call(self, x: Any) -> Any:
        return ops.layer_normalization(x, self.gamma, self.beta, epsilon=self.epsilon)
