"""Weights that begin with independent random numbers of one distribution.

Element i of a weight, counted in C order, depends on the initializer's key and on i alone. Only
``+ - * / sqrt`` and exact operations lead from the random bits to a weight (the logarithm too is made
of them), so a seed gives the same bits with every maths library.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import config
from ..errors import invalid, show
from ..ops.normal import normal_quantile
from ..ops.philox import random_bits
from .base import Initializer, Shape, check_dtype, check_shape, finite, finite_number, index_of

Key = tuple[int, int]  # seed, stream

BLOCK = 2**16  # elements made at a time: temporaries stay in cache, and row r of the bits is block r

# Standard deviation of the standard normal distribution truncated to [-2, 2].
TRUNCATED_STDDEV = 0.87962566103423978
# P(0 < Z < 2) of a standard normal Z: the centred uniforms of a truncated normal end here.
HALF_MASS = 0.47724986805182079

# ---- distributions: arrays of float64 made of + - * / sqrt ----------------------------------------


def uniform(key: Key, row: int, width: int) -> np.ndarray:
    """Multiples of 2**-24 in [0, 1): the top 24 bits, which float32 holds exactly."""
    return (random_bits(1, width, *key, iteration=0, first_row=row)[0] >> np.uint32(8)) * 2.0**-24


def centred(key: Key, row: int, width: int) -> np.ndarray:
    """Odd multiples of 2**-53 in (-1/2, 1/2): 52 bits and a last bit that is always set.

    The set bit keeps 0 and 1 out of reach of p = 1/2 + q, and makes the values symmetric about 0.
    """
    high, low = (random_bits(1, width, *key, iteration=word, first_row=row)[0] for word in (0, 1))
    k = high.astype(np.uint64) << np.uint64(20) | low >> np.uint32(12)
    return ((2 * k + 1).astype(np.int64) - 2**52) * 2.0**-53


def normal(key: Key, row: int, width: int) -> np.ndarray:
    return normal_quantile(centred(key, row, width))


def truncated_normal(key: Key, row: int, width: int) -> np.ndarray:
    """The normal distribution given |z| < 2, by the quantile of uniforms between its ends."""
    return normal_quantile(2 * HALF_MASS * centred(key, row, width))


def draw(
    distribution: Callable[[Key, int, int], np.ndarray],
    shape: tuple[int, ...],
    dtype: np.dtype,
    key: Key,
    shift: float,
    factor: float,
) -> np.ndarray:
    """``shift + factor * values``, computed in float64 and rounded once."""
    out = np.empty(math.prod(shape), dtype)
    with np.errstate(over="ignore"):
        for row, start in enumerate(range(0, out.size, BLOCK)):
            block = out[start : start + BLOCK]
            block[:] = shift + factor * distribution(key, row, block.size)
    return finite(out).reshape(shape)


class RandomInitializer(Initializer):
    """An initializer with a seed.

    With an int the key is (seed, stream 0). With None it is the seed in force and a stream of its own,
    both taken now, so that instances differ. One instance always gives one shape the same values.
    """

    def __init__(self, seed: int | None = None):
        self.seed = None if seed is None else index_of(seed)
        if seed is None:
            self._key = config.seed(), config.next_stream()
            return
        expected, fix = "an integer in [0, 2**64) or None", "pass an int such as seed=1"
        if self.seed is None:
            raise invalid("seed", show(seed), expected, fix, TypeError)
        if not 0 <= self.seed < 2**64:
            raise invalid("seed", seed, expected, fix)
        self._key = self.seed, 0

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class RandomUniform(RandomInitializer):
    """Uniform values: ``minval + u * (maxval - minval)``, u one of the 2**24 multiples of 2**-24 in [0, 1).

    Parameters
    ----------
    minval, maxval : float, default -0.05 and 0.05
        The values lie in [minval, maxval), as rounded to the dtype.
    seed : int, optional
        In [0, 2**64). By default a stream of its own under the seed in force.

    Raises
    ------
    ValueError
        When minval > maxval.

    Examples
    --------
    >>> values = RandomUniform(0.0, 1.0, seed=1)((1000,))
    >>> bool((values >= 0).all() and (values < 1).all())
    True
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None):
        self.minval, self.maxval = finite_number("minval", minval), finite_number("maxval", maxval)
        if self.minval > self.maxval:
            raise invalid("minval", minval, f"at most maxval = {maxval!r}", "exchange minval and maxval")
        if math.isinf(self.maxval - self.minval):
            raise invalid("maxval", maxval, "a finite maxval - minval", "pass bounds closer together")
        super().__init__(seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        dims, checked = check_shape(shape), check_dtype(dtype)
        values = draw(uniform, dims, checked, self._key, self.minval, self.maxval - self.minval)
        # Rounding may reach maxval; the interval is open there.
        last = np.nextafter(checked.type(self.maxval), checked.type(self.minval))
        return np.minimum(values, last, out=values)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class RandomNormal(RandomInitializer):
    """Normal values: ``mean + stddev * z``, z the `normal_quantile` of a uniform value of 53 bits.

    Parameters
    ----------
    mean : float, default 0.0
    stddev : float, default 0.05
        At least 0.
    seed : int, optional
        In [0, 2**64). By default a stream of its own under the seed in force.

    Raises
    ------
    ValueError
        When stddev < 0.

    Examples
    --------
    >>> values = RandomNormal(stddev=1.0, seed=1)((10000,))
    >>> bool(abs(values.mean()) < 0.06 and abs(values.std() - 1) < 0.05)
    True
    """

    _distribution = staticmethod(normal)

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None):
        self.mean, self.stddev = finite_number("mean", mean), finite_number("stddev", stddev)
        if self.stddev < 0:
            raise invalid("stddev", stddev, "a number >= 0", "pass the standard deviation, not its negative")
        super().__init__(seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        dims, checked = check_shape(shape), check_dtype(dtype)
        return draw(self._distribution, dims, checked, self._key, self.mean, self.stddev)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class TruncatedNormal(RandomNormal):
    """Normal values given that they lie within two standard deviations of the mean.

    The uniform values are mapped to the probabilities between those ends and inverted: one draw per
    value, and exactly the distribution that drawing again would give. `stddev` is the one before
    truncation; after it, it is 0.8796 of that.

    Parameters
    ----------
    mean : float, default 0.0
    stddev : float, default 0.05
        At least 0.
    seed : int, optional
        In [0, 2**64). By default a stream of its own under the seed in force.

    Raises
    ------
    ValueError
        When stddev < 0.

    Examples
    --------
    >>> bool((abs(TruncatedNormal(stddev=1.0, seed=1)((10000,))) <= 2).all())
    True
    """

    _distribution = staticmethod(truncated_normal)
