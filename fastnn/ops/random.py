"""Operations with random numbers, which are a function of (seed, stream, iteration, row, element)."""

import math

import numpy as np

from ..errors import invalid
from .layout import every_row
from .philox import WORD, random_bits
from .table import count, op


def dropout_shape(x, *, rate, stream):
    if not 0 <= rate < 1:
        raise invalid("rate", rate, "a number in [0, 1)", "pass the fraction of elements to drop")
    if len(x) < 1:
        raise invalid("input", f"shape {x}", "an array with rows", "give it a batch axis")
    return x


@op(
    shape=dropout_shape,
    dims=lambda ins, outs: (count(ins[0][:1]), math.prod(ins[0][1:])),
    access=every_row,
    grad=lambda step, dy: [dropout(dy, **step.attrs)],
    kind="random",
    flops=lambda ins, outs: 16 * math.prod(ins[0]),
    tol=0.5,
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width)),), {"rate": 0.3, "stream": 5}),
    random=True,
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
    bits = random_bits(len(x), math.prod(x.shape[1:]), seed, stream, iteration).reshape(x.shape)
    threshold = min(round(rate * WORD), WORD - 1)
    scale = x.dtype.type(np.float32(1 / (1 - rate)))
    return np.where(bits >= np.uint32(threshold), x * scale, x.dtype.type(0))
