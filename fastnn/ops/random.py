"""Operations with random numbers, which are a function of (seed, stream, iteration, row, element)."""

import functools
import math

import numpy as np

from ..errors import invalid
from .layout import every_row
from .normal import normal_quantile
from .philox import WORD, random_bits
from .table import EPSILON, TINY, count, op, per_element


def has_rows(x):
    if len(x) < 1:
        raise invalid("input", f"shape {x}", "an array with rows", "give it a batch axis")
    return x


def dropout_shape(x, *, rate, stream):
    if not 0 <= rate < 1:
        raise invalid("rate", rate, "a number in [0, 1)", "pass the fraction of elements to drop")
    return has_rows(x)


def noise_shape(x, *, stddev, stream):
    if not 0 <= stddev < math.inf:
        raise invalid("stddev", stddev, "a finite number of at least 0", "pass the standard deviation of the noise")
    return has_rows(x)


chance = functools.partial(
    op,
    dims=lambda ins, outs: (count(ins[0][:1]), math.prod(ins[0][1:])),
    access=every_row,
    kind="random",
    random=True,
)


def draw(**attrs):
    """An example with these attributes."""
    return lambda rng, rows, width: ((rng.standard_normal((rows, width)),), {**attrs, "stream": 5})


def bits_for(x, *key):
    """The random bits of each element, all axes but that of the rows as one."""
    return random_bits(len(x), math.prod(x.shape[1:]), *key).reshape(x.shape)


def normal_for(x, *key):
    """A normal number for each element, in float64: that at which the distribution function is (bits + 1/2) / 2**32."""
    return normal_quantile((bits_for(x, *key) + 0.5) / WORD - 0.5)


def threshold_of(rate):
    """The random bits from which on an element is kept."""
    return min(round(rate * WORD), WORD - 1)


@chance(
    shape=dropout_shape,
    grad=lambda step, dy: [dropout(dy, **step.attrs)],
    flops=per_element(16),
    tol=0.5,
    example=draw(rate=0.3),
)
def dropout(x, *, rate, stream, seed, iteration):
    """Inverted dropout: ``x / (1 - rate)`` with probability ``1 - rate``, else +0.

    An element of the rows of axis 0 (all other axes as one) is kept where its `random_bits` are at least
    ``round(rate * 2**32)``; the gradient draws the same bits. A rate of 0 gives x exactly.

    Parameters
    ----------
    x : float array of shape (rows, ...)
    rate : float
        Fraction to drop, in [0, 1); another raises ``ValueError``.
    stream : int
        Number of the call site, in [0, 2**32 - 1).
    seed, iteration : int
        Key of the random numbers; the executor supplies them.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).

    Examples
    --------
    >>> dropout(np.ones((1, 6)), rate=0.5, stream=0, seed=1, iteration=0)
    array([[2., 2., 0., 2., 0., 0.]])
    """
    bits = bits_for(x, seed, stream, iteration)
    scale = x.dtype.type(np.float32(1 / (1 - rate)))
    return np.where(bits >= np.uint32(threshold_of(rate)), x * scale, x.dtype.type(0))


@chance(
    shape=dropout_shape,
    grad=lambda step, dy: [drop(dy, **step.attrs)],
    flops=per_element(16),
    tol=0.0,
    example=draw(rate=0.3),
)
def drop(x, *, rate, stream, seed, iteration):
    """``x`` with probability ``1 - rate``, else +0: `dropout` with the same mask, without its factor.

    Examples
    --------
    >>> drop(np.ones((1, 6)), rate=0.5, stream=0, seed=1, iteration=0)
    array([[1., 1., 0., 1., 0., 0.]])
    """
    bits = bits_for(x, seed, stream, iteration)
    return np.where(bits >= np.uint32(threshold_of(rate)), x, x.dtype.type(0))


# Of the kernel's normal numbers z: an error of 2^-22.7 in their fit, one of p that z has half of where it is large,
# about four roundings of each polynomial and of log and sqrt, and the quotient's. The largest seen is 3.2 epsilons.
NORMAL_ERROR = 8 * EPSILON
LARGEST = 6.4


def noise_bound(x, *, stddev, stream):
    """For the largest normal number that there is, at 2**-33 from the end, since the key is not known here."""
    noise = LARGEST * stddev
    return noise * (NORMAL_ERROR + EPSILON / 2) + EPSILON / 2 * (np.abs(x) + noise) + TINY


def factor_bound(x, *, stddev, stream):
    """The error of the factor, and the rounding of the product."""
    rounding = EPSILON / 2 * (1 + LARGEST * stddev)
    return np.abs(x) * (noise_bound(1.0, stddev=stddev, stream=stream) + rounding) + TINY


@chance(
    shape=noise_shape,
    grad=lambda step, dy: [dy],
    flops=per_element(50),
    tol=noise_bound,
    example=draw(stddev=0.7),
)
def gaussian_noise(x, *, stddev, stream, seed, iteration):
    """``x`` plus a normal number of mean 0 for each element; other parameters as in `dropout`.

    The normal number is that at which the normal distribution function is ``(b + 1/2) / 2**32``, where b are the
    element's `random_bits`.

    Parameters
    ----------
    x : float array of shape (rows, ...)
    stddev : float
        Standard deviation of the noise, at least 0.

    Examples
    --------
    >>> gaussian_noise(np.zeros((1, 4)), stddev=0.5, stream=0, seed=1, iteration=0).round(3)
    array([[ 0.614,  0.223, -0.341,  0.349]])
    """
    return (x + stddev * normal_for(x, seed, stream, iteration)).astype(x.dtype)


@chance(
    shape=noise_shape,
    grad=lambda step, dy: [gaussian_dropout(dy, **step.attrs)],
    flops=per_element(50),
    tol=factor_bound,
    example=draw(stddev=0.7),
)
def gaussian_dropout(x, *, stddev, stream, seed, iteration):
    """``x`` times a normal number of mean 1 for each element; parameters as in `gaussian_noise`.

    The gradient draws the same numbers.
    """
    return (x * (1 + stddev * normal_for(x, seed, stream, iteration))).astype(x.dtype)
