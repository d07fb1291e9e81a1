"""Sigmoids, smooth and of straight pieces, and their integrals and logarithms."""

import numpy as np

from ..activation import activation


def logistic(x):
    """``1 / (1 + exp(-x))`` without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


@activation(slope=lambda y: y * (1 - y), of="output", flops=15, tol=2.0, slope_tol=0.5)
def sigmoid(x):
    """Logistic function ``1 / (1 + exp(-x))``.

    Examples
    --------
    >>> sigmoid(np.array([-1.0, 0.0, 1.0])).round(4)
    array([0.2689, 0.5   , 0.7311])
    """
    return logistic(x)


@activation(slope=lambda y: (1 - y) * (1 + y), of="output", flops=20, tol=2.0, slope_tol=0.5)
def tanh(x):
    """Hyperbolic tangent.

    Examples
    --------
    >>> tanh(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.7616,  0.    ,  0.7616])
    """
    return np.tanh(x)


@activation(slope=lambda y: np.abs(y) < 1, of="output", tol=0.0)
def hard_tanh(x):
    """``x`` brought into [-1, 1]; the gradient at both ends is 0.

    Examples
    --------
    >>> hard_tanh(np.array([-2.0, 0.5, 2.0]))
    array([-1. ,  0.5,  1. ])
    """
    return np.clip(x, -1, 1)


@activation(slope=logistic, flops=25, tol=3.0, slope_tol=2.0)
def softplus(x):
    """``log(1 + exp(x))``, a smooth rectifier.

    Examples
    --------
    >>> softplus(np.array([-1.0, 0.0, 1.0])).round(4)
    array([0.3133, 0.6931, 1.3133])
    """
    return np.logaddexp(x, 0)


@activation(slope=lambda x: logistic(-x), flops=25, tol=3.0, slope_tol=2.0)
def log_sigmoid(x):
    """Logarithm of the logistic function: ``-log(1 + exp(-x))``.

    Examples
    --------
    >>> log_sigmoid(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-1.3133, -0.6931, -0.3133])
    """
    return -np.logaddexp(-x, 0)


@activation(slope=lambda x: (np.abs(x) < 3) / 6, flops=4, tol=1.5, slope_tol=0.5)
def hard_sigmoid(x):
    """``(x + 3) / 6`` brought into [0, 1]; the gradient at both ends is 0.

    Courbariaux, Bengio & David, BinaryConnect (2015), with Keras' slope.

    Examples
    --------
    >>> hard_sigmoid(np.array([-4.0, 0.0, 1.5, 3.0]))
    array([0.  , 0.5 , 0.75, 1.  ])
    """
    return np.clip((x + 3) / 6, 0, 1)


@activation(slope=lambda x: 0.5 * (np.abs(x) < 1), flops=3, tol=0.5)
def sparse_sigmoid(x):
    """``(x + 1) / 2`` brought into [0, 1]; the gradient at both ends is 0.

    Blondel, Martins & Niculae, Learning Classifiers with Fenchel-Young Losses (2019).

    Examples
    --------
    >>> sparse_sigmoid(np.array([-2.0, 0.0, 0.5, 2.0]))
    array([0.  , 0.5 , 0.75, 1.  ])
    """
    return np.clip(0.5 * x + 0.5, 0, 1)
