"""Optimizer updates with a step size of its own for each weight, beside RMSprop and Adam in `updates`.

Arguments and results are as there: variable, gradient, slots, and the numbers of the step.
"""

import numpy as np

from .reduce import ROUNDING
from .updates import rounded, update

__all__ = ["adadelta", "adagrad", "adamax", "ftrl", "nadam"]


def draw_two_slots(attrs, scalars=(0.01,)):
    """An example with a first slot of any sign and a second of positive numbers."""

    def draw(rng, rows, width):
        w, g, m = rng.standard_normal((3, rows, width))
        return (w, g, m, rng.uniform(0, 2, (rows, width)), np.array(scalars)), attrs

    return draw


def moment_error(before, g, beta, after):
    """Bound on the error of ``before + (g - before) (1 - beta)``: a difference, 1 - beta, the fused sum."""
    return rounded((1 - beta) * (g - before), result=after, roundings=2)


def quotient_error(above, error_above, below, error_below):
    """Bound on the error of a quotient of numbers with errors, and its rounding."""
    quotient = above / below
    return (error_above + np.abs(quotient) * error_below) / (below - error_below) + ROUNDING * np.abs(quotient)


# Adamax


def adamax_bound(w, g, m, u, scalars, *, beta_1, beta_2, epsilon):
    new_w, new_m, new_u = adamax(w, g, m, u, scalars, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
    error_m = moment_error(m, g, beta_1, new_m)
    error_u = rounded(new_u, result=0.0, roundings=2)  # beta_2 and its product
    below = new_u + epsilon
    error_below = error_u + rounded(epsilon, result=below, roundings=1)
    error_step = quotient_error(new_m, error_m, below, error_below)
    return [1.01 * np.abs(scalars[0]) * error_step + ROUNDING * np.abs(new_w), error_m, error_u]


@update(
    slots=2,
    flops=8,
    tol=adamax_bound,
    example=draw_two_slots({"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}),
)
def adamax(w, g, m, u, scalars, *, beta_1, beta_2, epsilon):
    """Adamax: ``w -= alpha m / (u + epsilon)`` with Adam's m and a decaying largest gradient u.

    ``m += (1 - beta_1) (g - m)`` and ``u = max(beta_2 u, |g|)`` come first.

    Parameters
    ----------
    w, g : ndarray
        Variable and gradient, of one shape.
    m, u : ndarray
        Slots of the same shape.
    scalars : ndarray of shape (k,)
        ``alpha = lr / (1 - beta_1^t)`` first, for step t = 1, 2, ...
    beta_1, beta_2, epsilon : float

    Returns
    -------
    w, m, u : ndarray
        In a program these overwrite the arguments.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization" (2015), section 7.1.

    Examples
    --------
    >>> one = np.ones(1)
    >>> adamax(2 * one, 4 * one, 0 * one, one, 0.5 * one, beta_1=0.5, beta_2=0.75, epsilon=0.0)
    (array([1.75]), array([2.]), array([4.]))
    """
    m = m + (g - m) * (1 - beta_1)
    u = np.maximum(beta_2 * u, np.abs(g))
    return w - scalars[0] * (m / (u + epsilon)), m, u


# Nadam


def nadam_bound(w, g, m, v, scalars, *, beta_1, beta_2):
    new_w, new_m, new_v = nadam(w, g, m, v, scalars, beta_1=beta_1, beta_2=beta_2)
    of_m, of_g, epsilon = scalars[0], scalars[1], scalars[2]
    error_m = moment_error(m, g, beta_1, new_m)
    error_v = rounded((1 - beta_2) * (g * g - v), result=new_v, roundings=2)
    above = of_m * new_m + of_g * g
    error_above = np.abs(of_m) * error_m + rounded(of_g * g, result=above, roundings=1)
    root = np.sqrt(new_v)
    error_root = root - np.sqrt(np.maximum(new_v - error_v, 0)) + ROUNDING * root  # the worse side
    below = root + epsilon
    error_step = quotient_error(above, error_above, below, 1.01 * error_root + ROUNDING * below)
    return [1.01 * error_step + ROUNDING * np.abs(new_w), error_m, error_v]


@update(
    slots=2,
    flops=13,
    tol=nadam_bound,
    example=draw_two_slots({"beta_1": 0.9, "beta_2": 0.999}, (0.01, 0.002, 1e-7)),
)
def nadam(w, g, m, v, scalars, *, beta_1, beta_2):
    """Nadam, Adam with Nesterov's momentum: ``w -= (s0 m + s1 g) / (sqrt(v) + s2)`` with Adam's m and v.

    Parameters
    ----------
    w, g : ndarray
        Variable and gradient, of one shape.
    m, v : ndarray
        Slots of the same shape: first and second moment.
    scalars : ndarray of shape (k,), k >= 3
        With ``u_t = beta_1 (1 - 0.96^t / 2)``, ``U_t = u_1 ... u_t`` and ``c = sqrt(1 - beta_2^t)``:
        ``s0 = lr c u_{t+1} / (1 - U_{t+1})``, ``s1 = lr c (1 - u_t) / (1 - U_t)``, ``s2 = c epsilon``.
    beta_1, beta_2 : float

    Returns
    -------
    w, m, v : ndarray
        In a program these overwrite the arguments.

    References
    ----------
    Dozat, "Incorporating Nesterov momentum into Adam" (2016).

    Examples
    --------
    >>> one = np.ones(1)
    >>> nadam(2 * one, 4 * one, 0 * one, 0 * one, np.array([0.5, 0.25, 0.0]), beta_1=0.5, beta_2=0.75)
    (array([1.]), array([2.]), array([4.]))
    """
    m = m + (g - m) * (1 - beta_1)
    v = v + (g * g - v) * (1 - beta_2)
    return w - (scalars[0] * m + scalars[1] * g) / (np.sqrt(v) + scalars[2]), m, v


# Adagrad


def draw_adagrad(rng, rows, width):
    w, g = rng.standard_normal((2, rows, width))
    return (w, g, rng.uniform(0.1, 2, w.shape), np.array([0.05])), {"epsilon": 1e-7}


def adagrad_bound(w, g, a, scalars, *, epsilon):
    new_w, new_a = adagrad(w, g, a, scalars, epsilon=epsilon)
    error_a = rounded(result=new_a, roundings=0)
    inside = new_a + epsilon
    # epsilon, the sum; the root halves a relative error; root, quotient.
    relative = 0.51 * (error_a / inside + 2 * ROUNDING) + 2 * ROUNDING
    return [np.abs(scalars[0] * g) / np.sqrt(inside) * relative + ROUNDING * np.abs(new_w), error_a]


@update(slots=1, flops=6, tol=adagrad_bound, example=draw_adagrad)
def adagrad(w, g, a, scalars, *, epsilon):
    """Adagrad: ``a += g^2``, ``w -= lr g / sqrt(a + epsilon)``.

    Parameters
    ----------
    w, g : ndarray
        Variable and gradient, of one shape.
    a : ndarray
        Slot of the same shape: the sum of the squares.
    scalars : ndarray of shape (k,)
        The learning rate first.
    epsilon : float

    Returns
    -------
    w, a : ndarray
        In a program these overwrite the arguments.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods" (2011).

    Examples
    --------
    >>> one = np.ones(1)
    >>> adagrad(2 * one, 3 * one, 7 * one, 0.5 * one, epsilon=0.0)
    (array([1.625]), array([16.]))
    """
    a = a + g * g
    return w - scalars[0] * (g / np.sqrt(a + epsilon)), a


# Adadelta


def draw_adadelta(rng, rows, width):
    w, g = rng.standard_normal((2, rows, width))
    a, b = rng.uniform(0, 2, (2, rows, width))
    return (w, g, a, b, np.array([0.5])), {"rho": 0.95, "epsilon": 1e-7}


def adadelta_bound(w, g, a, b, scalars, *, rho, epsilon):
    new_w, new_a, new_b = adadelta(w, g, a, b, scalars, rho=rho, epsilon=epsilon)
    error_a = rounded(rho * a, (1 - rho) * g * g, result=new_a, roundings=2)
    step = np.sqrt(b + epsilon) * g / np.sqrt(new_a + epsilon)
    # Above: epsilon, sum, root, product; below: epsilon, sum, root; the quotient.
    relative = 0.51 * (error_a / (new_a + epsilon) + 4 * ROUNDING) + 4 * ROUNDING
    error_step = np.abs(step) * relative
    error_b = 2.1 * (1 - rho) * np.abs(step) * error_step
    error_b = error_b + rounded(rho * b, (1 - rho) * step**2, result=new_b, roundings=2)
    return [np.abs(scalars[0]) * error_step + ROUNDING * np.abs(new_w), error_a, error_b]


@update(slots=2, flops=14, tol=adadelta_bound, example=draw_adadelta)
def adadelta(w, g, a, b, scalars, *, rho, epsilon):
    """Adadelta: ``w -= lr d`` with ``d = sqrt(b + epsilon) g / sqrt(a + epsilon)``.

    ``a = rho a + (1 - rho) g^2`` comes first, ``b = rho b + (1 - rho) d^2`` last.

    Parameters
    ----------
    w, g : ndarray
        Variable and gradient, of one shape.
    a, b : ndarray
        Slots of the same shape: running means of the squares of gradients and of steps.
    scalars : ndarray of shape (k,)
        The learning rate first.
    rho, epsilon : float

    Returns
    -------
    w, a, b : ndarray
        In a program these overwrite the arguments.

    References
    ----------
    Zeiler, "Adadelta: an adaptive learning rate method" (2012).

    Examples
    --------
    >>> one = np.ones(1)
    >>> adadelta(2 * one, 2 * one, 4 * one, one, 0.5 * one, rho=0.5, epsilon=0.0)
    (array([1.5]), array([4.]), array([1.]))
    """
    a = rho * a + (1 - rho) * (g * g)
    step = np.sqrt(b + epsilon) * g / np.sqrt(a + epsilon)
    return w - scalars[0] * step, a, rho * b + (1 - rho) * (step * step)


# FTRL


def draw_ftrl(rng, rows, width):
    w, g, z = rng.standard_normal((3, rows, width))
    attrs = {"power": -0.5, "l1": 0.1, "l2": 0.2, "shrinkage": 0.05, "beta": 0.3}
    return (w, g, rng.uniform(0.1, 2, w.shape), z, np.array([0.1])), attrs


def ftrl_bound(w, g, n, z, scalars, *, power, l1, l2, shrinkage, beta):
    lr = scalars[0]
    _, new_n, new_z = ftrl(w, g, n, z, scalars, power=power, l1=l1, l2=l2, shrinkage=shrinkage, beta=beta)
    error_n = rounded(result=new_n, roundings=0)
    scale, old_scale = new_n**-power, n**-power
    # A power within 2 ulp (a root within half of one), of an exponent rounded to float32: relative error
    # ln(n) |power| ROUNDING from it, which a root does not have.
    own = ROUNDING if power == -0.5 else 5 * ROUNDING + ROUNDING * np.abs(power * np.log(new_n))
    own_before = ROUNDING if power == -0.5 else 5 * ROUNDING + ROUNDING * np.abs(power * np.log(n))
    error_scale = scale * (1.02 * abs(power) * error_n / new_n + own)
    error_scales = error_scale + old_scale * own_before + ROUNDING * np.abs(scale - old_scale)
    change = (scale - old_scale) / lr
    error_change = error_scales / lr + ROUNDING * np.abs(change)
    shrunk = g + 2 * shrinkage * w
    error_z = rounded(2 * shrinkage * w, result=shrunk, roundings=1) + rounded(result=z + shrunk, roundings=0)
    error_z = error_z + 1.01 * np.abs(w) * error_change + ROUNDING * np.abs(new_z)
    above = np.clip(new_z, -l1, l1) - new_z
    error_above = error_z + ROUNDING * (l1 + np.abs(above))
    below = (scale + beta) / lr + 2 * l2
    # beta and the sum, the quotient; l2, the sum.
    error_below = (1.01 * error_scale + ROUNDING * (beta + 2 * (scale + beta))) / lr + ROUNDING * (2 * l2 + below)
    return [quotient_error(above, 1.01 * error_above, below, 1.01 * error_below), error_n, error_z]


@update(slots=2, flops=20, tol=ftrl_bound, example=draw_ftrl)
def ftrl(w, g, n, z, scalars, *, power, l1, l2, shrinkage, beta):
    """FTRL: ``w = (clip(z, -l1, l1) - z) / ((r(n) + beta) / lr + 2 l2)`` with ``r(n) = n^-power``.

    ``n += g^2`` and ``z += g + 2 shrinkage w - (r(n) - r(n before)) w / lr`` come first.

    Parameters
    ----------
    w, g : ndarray
        Variable and gradient, of one shape.
    n, z : ndarray
        Slots of the same shape: the sum of the squares, and the sum that takes the place of the gradients'.
    scalars : ndarray of shape (k,)
        The learning rate first.
    power : float
        -0.5 is a root.
    l1, l2, shrinkage, beta : float

    Returns
    -------
    w, n, z : ndarray
        In a program these overwrite the arguments.

    References
    ----------
    McMahan et al., "Ad click prediction: a view from the trenches" (2013).

    Examples
    --------
    >>> one, none = np.ones(1), {"l1": 0.0, "l2": 0.0, "shrinkage": 0.0, "beta": 0.0}
    >>> ftrl(0 * one, 3 * one, 16 * one, 0 * one, 0.5 * one, power=-0.5, **none)
    (array([-0.3]), array([25.]), array([3.]))
    """
    lr = scalars[0]
    after = n + g * g
    scale = after**-power
    z = z + (g + 2 * shrinkage * w) - (scale - n**-power) / lr * w
    return (np.clip(z, -l1, l1) - z) / ((scale + beta) / lr + 2 * l2), after, z
