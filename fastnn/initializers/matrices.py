"""Weights that begin as a matrix with orthogonal rows or columns."""

import math
from typing import Any

import numpy as np

from ..errors import invalid
from .base import Initializer, Shape, check_dtype, check_shape, finite, finite_number
from .random import RandomInitializer, draw, normal


class Identity(Initializer):
    """``gain`` on the diagonal of a matrix, which need not be square, and 0 elsewhere.

    Parameters
    ----------
    gain : float, default 1.0

    Raises
    ------
    ValueError
        When called with a shape that is none of a matrix.

    Examples
    --------
    >>> Identity(2.0)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0):
        self.gain = finite_number("gain", gain)

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        dims, checked = check_shape(shape), check_dtype(dtype)
        if len(dims) != 2:
            fix = "use Orthogonal() for weights with more axes"
            raise invalid("shape", f"{dims}, of {len(dims)} axes", "two axes, those of a matrix", fix)
        with np.errstate(over="ignore", invalid="ignore"):
            return finite(self.gain * np.eye(*dims, dtype=checked))

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class Orthogonal(RandomInitializer):
    """``gain`` times a random matrix with orthonormal columns, or rows where it has fewer of them.

    It is the factor Q of ``A = Q R`` with normal numbers A and a positive diagonal of R, which makes Q uniformly
    distributed (Mezzadri 2007, "How to generate random matrices from the classical compact groups"). Saxe,
    McClelland and Ganguli (2014), "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks". A weight of more than two axes is a matrix whose rows are all axes but the last together.

    The factorization is one of our own, with sums in a fixed order: those of numerical libraries differ in the last
    bits, so a seed would give other weights on another machine. An n x n matrix takes n**3 steps: about a second for
    n = 1000.

    Parameters
    ----------
    gain : float, default 1.0
    seed : int, optional
        In [0, 2**64). By default a stream of its own under the seed in force.

    Raises
    ------
    ValueError
        When called with a shape of fewer than two axes.

    Examples
    --------
    >>> weight = Orthogonal(seed=1)((5, 3))
    >>> bool(abs(weight.T @ weight - np.eye(3)).max() < 1e-6)
    True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None):
        self.gain = finite_number("gain", gain)
        super().__init__(seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        dims, checked = check_shape(shape), check_dtype(dtype)
        if len(dims) < 2:
            fix = "use another initializer for vectors"
            raise invalid("shape", f"{dims}, of {len(dims)} axes", "at least two axes", fix)
        rows, columns = math.prod(dims[:-1]), dims[-1]
        tall = max(rows, columns), min(rows, columns)
        q = orthonormal(draw(normal, tall, np.dtype(np.float64), self._key, 0.0, 1.0))
        with np.errstate(over="ignore"):
            values = (self.gain * (q.T if rows < columns else q)).astype(checked)
        return finite(np.ascontiguousarray(values).reshape(dims))

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "seed": self.seed}


def orthonormal(a: np.ndarray) -> np.ndarray:
    """Q of ``a = Q R``, R with a diagonal that is not negative, by reflections (Householder 1958).

    `a` has shape (n, k) with k <= n, and is overwritten. Only elementwise ``+ - * /`` and sqrt, in an order that the
    shape alone determines, so the bits are the same on every machine.
    """
    n, k = a.shape
    signs = np.ones(k)
    reflections = []
    for j in range(k):
        v = a[j:, j].copy()
        norm = math.sqrt(float(column_sums(v * v)))
        if norm == 0:  # nothing to reflect: R has a 0 here
            reflections.append((v, 0.0))
            continue
        # The reflection takes v to -sign(v[0]) * norm in its first element: no cancellation in v[0].
        signs[j] = -1.0 if v[0] >= 0 else 1.0
        v[0] -= signs[j] * norm
        factor = 2.0 / float(column_sums(v * v))
        reflect(a[j:, j + 1 :], v, factor)
        reflections.append((v, factor))
    q = np.eye(n, k)
    for j in reversed(range(k)):
        reflect(q[j:, j:], *reflections[j])  # the columns before j are still those of the identity
    return q * signs


def reflect(a: np.ndarray, v: np.ndarray, factor: float) -> None:
    """``a -= factor * v (v^T a)`` for a of shape (m, c) and v of shape (m,)."""
    if a.size:
        a -= v[:, None] * (factor * column_sums(v[:, None] * a))


def column_sums(a: np.ndarray) -> np.ndarray:
    """The sums over axis 0 of a temporary array: its second half is added to its first, again and again."""
    m = len(a)
    while m > 1:
        half = (m + 1) // 2
        a[: m - half] += a[half:m]
        m = half
    return a[0]
