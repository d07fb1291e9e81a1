"""Weights whose variance goes with the numbers of units that they connect."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import invalid, is_one_of, unknown
from .base import Shape, check_axes, check_dtype, check_shape, compute_fans, finite_number
from .random import TRUNCATED_STDDEV, RandomInitializer, draw, normal, truncated_normal, uniform


class VarianceScaling(RandomInitializer):
    """Values of mean 0 and variance ``scale / n``, n from the numbers of units that the weight connects.

    Parameters
    ----------
    scale : float, default 1.0
        Greater than 0.
    mode : {'fan_in', 'fan_out', 'fan_avg'}, default 'fan_in'
        n: the inputs, the outputs, or the mean of both (see `compute_fans`), at least 1.
    distribution : {'truncated_normal', 'untruncated_normal', 'uniform'}, default 'truncated_normal'
        'truncated_normal' (also 'normal') divides the standard deviation by 0.8796, which truncation
        to two standard deviations multiplies it by; 'uniform' lies in [-limit, limit) with
        ``limit = sqrt(3 * scale / n)``.
    seed : int, optional
        In [0, 2**64). By default a stream of its own under the seed in force.
    input_axes, output_axes : sequence of int, optional
        Both or none: the axes of the weight along which its input and its output units lie, where they are not
        those of `compute_fans`.

    Raises
    ------
    ValueError
        For a scale that is not positive, for any other mode or distribution, and for one of the axes alone.

    Examples
    --------
    >>> values = VarianceScaling(scale=2.0, mode="fan_out", distribution="uniform", seed=1)((100, 6))
    >>> bool((abs(values) <= 1).all())
    True
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        self.scale = finite_number("scale", scale)
        if self.scale <= 0:
            raise invalid("scale", scale, "a number > 0", "pass a positive scale, or use Zeros()")
        if not is_one_of(mode, ("fan_in", "fan_out", "fan_avg")):
            raise unknown("mode", mode, ["fan_in", "fan_out", "fan_avg"])
        name = distribution.lower() if isinstance(distribution, str) else distribution
        name = "truncated_normal" if is_one_of(name, ("normal",)) else name
        if not is_one_of(name, ("truncated_normal", "untruncated_normal", "uniform")):
            raise unknown("distribution", distribution, ["truncated_normal", "untruncated_normal", "uniform"])
        self.mode, self.distribution = mode, name
        self.input_axes, self.output_axes = check_axes(input_axes, output_axes)
        super().__init__(seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        dims, checked = check_shape(shape), check_dtype(dtype)
        fan_in, fan_out = compute_fans(dims, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return draw(uniform, dims, checked, self._key, -limit, 2 * limit)
        if self.distribution == "untruncated_normal":
            return draw(normal, dims, checked, self._key, 0.0, math.sqrt(variance))
        stddev = math.sqrt(variance) / TRUNCATED_STDDEV
        return draw(truncated_normal, dims, checked, self._key, 0.0, stddev)

    def get_config(self) -> dict[str, Any]:
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class Fixed(VarianceScaling):
    """`VarianceScaling` with scale, mode and distribution given by the class."""

    _settings: tuple[float, str, str]

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        super().__init__(*self._settings, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "input_axes": self.input_axes, "output_axes": self.output_axes}


class GlorotUniform(Fixed):
    """Uniform in [-limit, limit), ``limit = sqrt(6 / (fan_in + fan_out))``.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).

    Examples
    --------
    >>> bool((abs(GlorotUniform(seed=1)((4, 2))) <= 1).all())
    True
    """

    _settings = 1.0, "fan_avg", "uniform"


class GlorotNormal(Fixed):
    """Truncated normal of standard deviation ``sqrt(2 / (fan_in + fan_out))``.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).

    Examples
    --------
    >>> GlorotNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    _settings = 1.0, "fan_avg", "truncated_normal"


class HeUniform(Fixed):
    """Uniform in [-limit, limit), ``limit = sqrt(6 / fan_in)``: for ReLU.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015).

    Examples
    --------
    >>> bool((abs(HeUniform(seed=1)((6, 2))) <= 1).all())
    True
    """

    _settings = 2.0, "fan_in", "uniform"


class HeNormal(Fixed):
    """Truncated normal of standard deviation ``sqrt(2 / fan_in)``: for ReLU.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015).

    Examples
    --------
    >>> HeNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    _settings = 2.0, "fan_in", "truncated_normal"


class LecunUniform(Fixed):
    """Uniform in [-limit, limit), ``limit = sqrt(3 / fan_in)``.

    LeCun, Bottou, Orr and Müller, "Efficient BackProp" (1998).

    Examples
    --------
    >>> bool((abs(LecunUniform(seed=1)((3, 2))) <= 1).all())
    True
    """

    _settings = 1.0, "fan_in", "uniform"


class LecunNormal(Fixed):
    """Truncated normal of standard deviation ``sqrt(1 / fan_in)``: for SELU.

    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks" (2017).

    Examples
    --------
    >>> LecunNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    _settings = 1.0, "fan_in", "truncated_normal"
