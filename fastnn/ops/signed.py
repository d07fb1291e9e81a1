"""Optimizer updates by the signs of gradients: a step does not depend on their size.

Arguments and results are as in `updates`: variable, gradient, slots, and the numbers of the step.
"""

import numpy as np

from .reduce import ROUNDING
from .updates import rounded, update

__all__ = ["lion", "rprop"]


# Lion


def draw_lion(rng, rows, width):
    w, g, m = rng.standard_normal((3, rows, width))
    return (w, g, m, np.array([0.01])), {"beta_1": 0.9, "beta_2": 0.99}


def lion_bound(w, g, m, scalars, *, beta_1, beta_2):
    new_w, new_m = lion(w, g, m, scalars, beta_1=beta_1, beta_2=beta_2)
    ahead = beta_1 * m + (1 - beta_1) * g
    doubtful = np.abs(ahead) <= rounded(beta_1 * m, (1 - beta_1) * g, result=ahead, roundings=2)  # of either sign
    error_w = 2 * np.abs(scalars[0]) * doubtful + ROUNDING * np.abs(new_w)
    return [error_w, rounded(beta_2 * m, (1 - beta_2) * g, result=new_m, roundings=2)]


@update(slots=1, flops=7, tol=lion_bound, example=draw_lion)
def lion(w, g, m, scalars, *, beta_1, beta_2):
    """Lion: ``w -= lr sign(beta_1 m + (1 - beta_1) g)``, then ``m = beta_2 m + (1 - beta_2) g``.

    Parameters
    ----------
    w, g : ndarray
        Variable and gradient, of one shape.
    m : ndarray
        Slot of the same shape: the running mean of the gradients.
    scalars : ndarray of shape (k,)
        The learning rate first.
    beta_1, beta_2 : float

    Returns
    -------
    w, m : ndarray
        In a program these overwrite the arguments.

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms" (2023).

    Examples
    --------
    >>> one = np.ones(1)
    >>> lion(2 * one, -3 * one, one, 0.5 * one, beta_1=0.5, beta_2=0.75)
    (array([2.5]), array([0.]))
    """
    ahead = beta_1 * m + (1 - beta_1) * g
    return w - scalars[0] * np.sign(ahead), beta_2 * m + (1 - beta_2) * g


# Rprop


def draw_rprop(rng, rows, width):
    w, g, before = rng.standard_normal((3, rows, width))
    attrs = {"decrease": 0.5, "increase": 1.2, "smallest": 1e-6, "largest": 50.0}
    return (w, g, before, rng.uniform(0.001, 0.1, w.shape), np.array([0.01])), attrs


def rprop_bound(w, g, before, size, scalars, **attrs):
    new_w, new_g, new_size = rprop(w, g, before, size, scalars, **attrs)
    error_size = rounded(new_size, result=0.0, roundings=2)  # a factor or an end as float32, the product
    return [error_size + ROUNDING * np.abs(new_w), 0 * new_g, error_size]


@update(slots=2, flops=8, tol=rprop_bound, example=draw_rprop)
def rprop(w, g, before, size, scalars, *, decrease, increase, smallest, largest):
    """Rprop: ``w -= sign(g) size``; steps grow while the sign of the gradient stays the same.

    First ``size`` is multiplied by `increase` where g and the gradient before have the same sign, by `decrease`
    where they differ, and cut to [smallest, largest]. Where they differ g counts as 0, also for the next step.

    Parameters
    ----------
    w, g : ndarray
        Variable and gradient, of one shape.
    before, size : ndarray
        Slots of the same shape: the gradient before, and the size of the step.
    scalars : ndarray of shape (k,)
        Not used.
    decrease, increase, smallest, largest : float

    Returns
    -------
    w, before, size : ndarray
        In a program these overwrite the arguments.

    References
    ----------
    Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning" (1993); without taking
    steps back: Igel and Hüsken, "Improving the Rprop learning algorithm" (2000), "iRprop-".

    Examples
    --------
    >>> one, rates = np.ones(1), {"decrease": 0.5, "increase": 1.5, "smallest": 0.0, "largest": 9.0}
    >>> rprop(2 * one, 3 * one, one, 0.5 * one, one, **rates)
    (array([1.25]), array([3.]), array([0.75]))
    """
    agreement = np.sign(g) * np.sign(before)
    factor = np.where(agreement > 0, increase, np.where(agreement < 0, decrease, 1.0)).astype(g.dtype)
    size = np.clip(size * factor, smallest, largest).astype(g.dtype)
    g = np.where(agreement < 0, g.dtype.type(0), g)
    return w - np.sign(g) * size, g, size
