"""Activations as layers, those with options or weights of their own."""

from typing import Any

from .. import activations, constraints, initializers, ops, regularizers
from ..errors import check_integer, check_number, invalid, show
from ..ops.table import Shape
from .base import Layer, undone_on_error


def at_least_zero(argument: str, value: Any) -> float:
    return check_number(argument, value, 0, "a finite number of at least 0", "pass for example 0.3")


class ReLU(Layer):
    """``min(x, max_value)`` for ``x > threshold``, else ``negative_slope * (x - threshold)``.

    Parameters
    ----------
    max_value : float, optional
        Upper end, at least 0; None for none.
    negative_slope : float, default 0
        At least 0; also the gradient at the threshold.
    threshold : float, default 0
        At least 0.
    **kwargs
        `name`, `input_shape`, `activity_regularizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.ReLU(max_value=2.0, negative_slope=0.5)(np.array([-2.0, 1.0, 3.0]))
    array([-1.,  1.,  2.])
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ):
        self.max_value = None if max_value is None else at_least_zero("max_value", max_value)
        self.negative_slope = at_least_zero("negative_slope", negative_slope)
        self.threshold = at_least_zero("threshold", threshold)
        super().__init__(**kwargs)

    def call(self, x: Any) -> Any:
        return activations.relu(x, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class LeakyReLU(Layer):
    """``x`` for ``x > 0``, else ``negative_slope * x``.

    Parameters
    ----------
    negative_slope : float, default 0.3
        At least 0; also the gradient at 0. Its old name `alpha` is accepted with a warning.
    **kwargs
        `name`, `input_shape`, `activity_regularizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.LeakyReLU(0.5)(np.array([-2.0, 0.0, 3.0]))
    array([-1.,  0.,  3.])
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any):
        self.negative_slope = at_least_zero("negative_slope", negative_slope)
        super().__init__(**kwargs)

    def call(self, x: Any) -> Any:
        return activations.leaky_relu(x, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"negative_slope": self.negative_slope}


class ELU(Layer):
    """``x`` for ``x > 0``, else ``alpha * (exp(x) - 1)``.

    Parameters
    ----------
    alpha : float, default 1
        At least 0; also the gradient at 0.
    **kwargs
        `name`, `input_shape`, `activity_regularizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.ELU(0.5)(np.array([-np.inf, 0.0, 3.0]))
    array([-0.5,  0. ,  3. ])
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        self.alpha = at_least_zero("alpha", alpha)
        super().__init__(**kwargs)

    def call(self, x: Any) -> Any:
        return activations.elu(x, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"alpha": self.alpha}


class Softmax(Layer):
    """``exp(x) / sum(exp(x))`` along one axis, or several together.

    Parameters
    ----------
    axis : int or tuple of int, default -1
        Any but that of the batch.
    **kwargs
        `name`, `input_shape`, `activity_regularizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Softmax()(np.log([[1.0, 3.0]]))
    array([[0.25, 0.75]])
    """

    def __init__(self, axis: int | tuple[int, ...] = -1, **kwargs: Any):
        axes = axis if isinstance(axis, (tuple, list)) and axis else [axis]
        expected, fix = "an axis, or a tuple of several", "count axes from the batch, which is 0"
        numbers = [check_integer("axis", i, -(2**31), expected, fix, 2**31) for i in axes]
        super().__init__(**kwargs)
        self.axis = tuple(numbers) if isinstance(axis, (tuple, list)) else numbers[0]

    def call(self, x: Any) -> Any:
        n = len(x.shape)
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        if n > 1 and any(i % n == 0 or not -n <= i < n for i in axes):
            expected, fix = f"different axes of an input of {n}, without that of the batch (0)", "choose others"
            raise invalid("axis", show(self.axis), expected, fix)
        return activations.softmax(x, self.axis)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis}


class PReLU(Layer):
    """``x`` for ``x > 0``, else ``alpha * x`` with trainable slopes alpha, one for each element of a sample.

    He et al. (2015), "Delving deep into rectifiers: surpassing human-level performance on ImageNet
    classification". The gradient by x at 0 is alpha.

    Parameters
    ----------
    alpha_initializer : default "zeros"
    alpha_regularizer : optional
        Penalty added to the loss.
    alpha_constraint : optional
        What each update of an optimizer ends with, see `fastnn.constraints`.
    shared_axes : int or list of int, optional
        Axes along which slopes are shared, counted from the batch: ``[1, 2]`` for one per channel of images.
    **kwargs
        `name`, `trainable`, `input_shape`, `activity_regularizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import initializers, layers
    >>> layers.PReLU(initializers.Constant(0.25))(np.array([[-2.0, 3.0]]))
    array([[-0.5,  3. ]])
    """

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ):
        axes = [] if shared_axes is None else shared_axes if isinstance(shared_axes, (tuple, list)) else [shared_axes]
        expected, fix = "axes of the input, counted from the batch (0), which is none of them", "pass for example [1]"
        axes = [check_integer("shared_axes", i, 1, expected, fix, 2**31) for i in axes]
        self.shared_axes = None if shared_axes is None else axes
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        with undone_on_error():
            super().__init__(**kwargs)
            self.alpha_initializer = initializers.get(alpha_initializer)

    def build(self, input_shape: Shape) -> None:
        shared = self.shared_axes or []
        if max(shared, default=0) >= len(input_shape):
            expected = f"axes below {len(input_shape)}, for an input of shape {input_shape}"
            raise invalid("shared_axes", show(shared), expected, "leave out the others")
        shape = tuple(1 if i in shared else n for i, n in enumerate(input_shape))[1:]
        self.alpha = self.add_weight(
            shape,
            self.alpha_initializer,
            name="alpha",
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )

    def call(self, x: Any) -> Any:
        return ops.prelu(x, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "alpha_initializer": self._described("alpha_initializer"),
            "alpha_regularizer": self._described("alpha_regularizer"),
            "alpha_constraint": self._described("alpha_constraint"),
            "shared_axes": self.shared_axes,
        }


activations.LAYERS |= {cls.__name__: cls for cls in (ELU, LeakyReLU, PReLU, ReLU, Softmax)}
