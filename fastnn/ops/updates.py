"""Optimizer updates of one variable, in place.

`w` is the variable and `g` its gradient; slots that an optimizer does without are None, and None
stands in their place in the result. ``scalars[0]`` is the learning rate of the step. Formulas are those of
Keras 3. The C kernels set slot values below the smallest normal float32 to +0.
"""

import math

import numpy as np

from ..errors import invalid
from .layout import anywhere, cut, elements, every_row, reads, unless_broadcast
from .reduce import ROUNDING
from .table import TINY, op, together


def slots_shape(w, g, *slots, **attrs):
    """Shape rule of ``(w, g, *slots, scalars)``: gradient and slots are like the variable."""
    *slots, scalars = slots
    for shape in (g, *slots):
        if shape is not None and shape != w:
            raise invalid(
                "gradient or slot",
                f"shape {shape}",
                f"shape {w}, that of the variable",
                "build the optimizer for these variables",
            )
    if len(scalars) != 1 or scalars[0] == 0:
        raise invalid("scalars", f"shape {scalars}", "shape (k,), k > 0", "put the learning rate first")
    return [w, *slots]


def update(slots, flops, tol, example):
    """Enter an update with so many slots as a row."""
    return op(
        shape=slots_shape,
        kind="update",
        flops=lambda ins, outs: flops * math.prod(ins[0]),
        tol=tol,
        example=example,
        inplace=(0, *range(2, 2 + slots)),
        access=lambda ins, outs, **attrs: (*every_row(ins[:-1], outs), None),  # the scalars are whole
    )


def rounded(*terms, result, roundings):
    """Bound on the error of a result made of terms that each met so many roundings before it."""
    return ROUNDING * (roundings * np.sum(np.abs(terms), axis=0) + np.abs(result)) + TINY


def existing(*outputs):
    """The outputs whose slots exist, as a list."""
    return [out for out in outputs if out is not None]


def assign_shape(w, value):
    if together(w, value) != w:
        raise invalid("value", f"shape {value}", f"shape {w}, that of the variable", "reduce or reshape it")
    return [w]


@cut(lambda ins, outs: (0, *unless_broadcast(ins[1:], outs)))
@reads(anywhere)
def assign_dims(ins, outs):
    """Dims rule: those of a copy of the second input to the first."""
    return elements(ins[1:], outs)


@op(
    shape=assign_shape,
    dims=assign_dims,
    kind="update",
    flops=lambda ins, outs: 0.0,
    tol=0.0,
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width)), rng.standard_normal(width)), {}),
    inplace=(0,),
)
def assign(w, value):
    """Give a variable a new value, of its shape or broadcast to it: ``w = value``."""
    return np.broadcast_to(value, w.shape).astype(w.dtype)


# SGD


def draw_sgd(rng, rows, width):
    w, g, m = rng.standard_normal((3, rows, width))
    return (w, g, m, np.array([0.05])), {"momentum": 0.9, "nesterov": 1}


def sgd_bound(w, g, m, scalars, *, momentum=0.0, nesterov=0):
    new_w, new_m = sgd(w, g, m, scalars, momentum=momentum, nesterov=nesterov)
    last = ROUNDING * np.abs(new_w)
    if m is None:
        return [last]
    # `momentum` rounded to float32, its product, the fused sum.
    lr_g = scalars[0] * g
    error_m = rounded(momentum * m, result=new_m, roundings=2)
    if not nesterov:
        return [error_m + last, error_m]
    step = momentum * new_m - lr_g
    error_step = momentum * error_m + rounded(momentum * new_m, result=step, roundings=2)
    return [1.01 * error_step + last, error_m]


@update(slots=1, flops=4, tol=sgd_bound, example=draw_sgd)
def sgd(w, g, m, scalars, *, momentum=0.0, nesterov=0):
    """Gradient descent: ``m = momentum m - lr g``, ``w += m``; without m, ``w -= lr g``.

    Parameters
    ----------
    w, g : ndarray
        Variable and gradient, of one shape.
    m : ndarray, optional
        Slot of the same shape: the velocity.
    scalars : ndarray of shape (k,)
        The learning rate first.
    momentum : float, default 0
    nesterov : bool, default False
        Then ``w += momentum m - lr g`` with the new m.

    Returns
    -------
    w, m : ndarray
        In a program these overwrite the arguments.

    Examples
    --------
    >>> sgd(np.array([1.0]), np.array([2.0]), np.array([0.5]), np.array([0.1]), momentum=0.9)
    (array([1.25]), array([0.25]))
    """
    lr = scalars[0]
    if m is None:
        return w - lr * g, None
    m = momentum * m - lr * g
    return w + (momentum * m - lr * g if nesterov else m), m


# RMSprop


def draw_rmsprop(rng, rows, width):
    w, g, mom, avg = rng.standard_normal((4, rows, width))
    v = avg * avg + rng.uniform(0.1, 1, w.shape)  # a second moment is never below the first one squared
    return (w, g, v, mom, avg, np.array([0.01])), {"rho": 0.9, "momentum": 0.5, "epsilon": 1e-7}


def rmsprop_bound(w, g, v, mom, avg, scalars, *, rho, momentum=0.0, epsilon):
    lr = scalars[0]
    new_w, new_v, new_mom, new_avg = rmsprop(w, g, v, mom, avg, scalars, rho=rho, momentum=momentum, epsilon=epsilon)
    # Each term of v and avg: a constant rounded to float32, one product or two, the fused sum.
    error_v = rounded(rho * v, (1 - rho) * g * g, result=new_v, roundings=2)
    error_avg = None if avg is None else rounded(rho * avg, (1 - rho) * g, result=new_avg, roundings=2)
    inside, error = new_v + epsilon, error_v
    if avg is not None:
        inside = np.maximum(new_v - new_avg**2, 0) + epsilon
        error = 1.01 * (error_v + 2 * np.abs(new_avg) * error_avg) + rounded(result=inside, roundings=0)
    # epsilon, the sum; the root halves a relative error; root, quotient.
    relative = (error / inside + 2 * ROUNDING) * 0.51 + 2 * ROUNDING
    step = lr * g / np.sqrt(inside)
    error_step, error_mom = np.abs(step) * relative, None
    if mom is not None:
        error_step += ROUNDING * np.abs(step)
        error_step = error_mom = error_step + rounded(momentum * mom, result=new_mom, roundings=2)
    return existing(error_step + ROUNDING * np.abs(new_w), error_v, error_mom, error_avg)


@update(slots=3, flops=14, tol=rmsprop_bound, example=draw_rmsprop)
def rmsprop(w, g, v, mom, avg, scalars, *, rho, momentum=0.0, epsilon):
    """RMSprop: ``v = rho v + (1 - rho) g^2``, ``w -= lr g / sqrt(v + epsilon)``.

    Parameters
    ----------
    w, g : ndarray
        Variable and gradient, of one shape.
    v : ndarray
        Slot of the same shape: the second moment.
    mom : ndarray, optional
        Velocity: ``mom = momentum mom + lr g / sqrt(v + epsilon)``, ``w -= mom``.
    avg : ndarray, optional
        First moment, ``avg = rho avg + (1 - rho) g``. With it ``max(v - avg^2, 0)``, the variance, takes
        the place of v under the root; in Keras rounding can make it negative, and the weight NaN.
    scalars : ndarray of shape (k,)
        The learning rate first.
    rho, momentum, epsilon : float

    Returns
    -------
    w, v, mom, avg : ndarray
        In a program these overwrite the arguments; what was None stays None.

    References
    ----------
    Hinton, "Neural networks for machine learning", lecture 6e (2012).

    Examples
    --------
    >>> one = np.ones(1)
    >>> rmsprop(2 * one, 3 * one, one, None, None, 0.1 * one, rho=0.5, epsilon=4.0)
    (array([1.9]), array([5.]), None, None)
    """
    v = rho * v + (1 - rho) * (g * g)
    variance = v
    if avg is not None:
        avg = rho * avg + (1 - rho) * g
        variance = np.maximum(v - avg * avg, 0)
    step = scalars[0] * g / np.sqrt(variance + epsilon)
    if mom is not None:
        step = mom = momentum * mom + step
    return w - step, v, mom, avg


# Adam


def draw_adam(rng, rows, width):
    w, g, m = rng.standard_normal((3, rows, width))
    v, vhat = rng.uniform(0, 2, (2, rows, width))
    return (w, g, m, v, vhat, np.array([0.001])), {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}


def adam_bound(w, g, m, v, vhat, scalars, *, beta_1, beta_2, epsilon):
    new_w, new_m, new_v, new_vhat = adam(w, g, m, v, vhat, scalars, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
    # The difference, 1 - beta rounded to float32, the fused sum.
    error_m = rounded((1 - beta_1) * (g - m), result=new_m, roundings=2)
    error_v = rounded((1 - beta_2) * (g * g - v), result=new_v, roundings=2)
    second = new_v if vhat is None else new_vhat
    root = np.sqrt(second)
    error_root = root - np.sqrt(np.maximum(second - error_v, 0)) + ROUNDING * root  # the worse side
    below = root + epsilon
    error_below = 1.01 * error_root + rounded(epsilon, result=below, roundings=1)
    step = new_m / below
    error_step = (error_m + np.abs(step) * error_below) / (below - error_below) + ROUNDING * np.abs(step)
    error_w = 1.01 * scalars[0] * error_step + ROUNDING * np.abs(new_w)
    return existing(error_w, error_m, error_v, None if vhat is None else error_v)


@update(slots=3, flops=14, tol=adam_bound, example=draw_adam)
def adam(w, g, m, v, vhat, scalars, *, beta_1, beta_2, epsilon):
    """Adam: ``w -= alpha m / (sqrt(v) + epsilon)`` with running means m of g and v of ``g^2``.

    ``m += (1 - beta_1) (g - m)`` and ``v += (1 - beta_2) (g^2 - v)`` come first.

    Parameters
    ----------
    w, g : ndarray
        Variable and gradient, of one shape.
    m, v : ndarray
        Slots of the same shape: first and second moment.
    vhat : ndarray, optional
        AMSGrad: ``vhat = max(vhat, v)`` takes the place of v under the root.
    scalars : ndarray of shape (k,)
        ``alpha = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)`` first, for step t = 1, 2, ...
    beta_1, beta_2, epsilon : float

    Returns
    -------
    w, m, v, vhat : ndarray
        In a program these overwrite the arguments; what was None stays None.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization" (2015), the form at the end of section 2.
    Reddi, Kale and Kumar, "On the convergence of Adam and beyond" (2018).

    Examples
    --------
    >>> one = np.ones(1)
    >>> adam(2 * one, 4 * one, 0 * one, 0 * one, None, 0.1 * one, beta_1=0.5, beta_2=0.75, epsilon=0.0)
    (array([1.9]), array([2.]), array([4.]), None)
    """
    m = m + (g - m) * (1 - beta_1)
    v = v + (g * g - v) * (1 - beta_2)
    if vhat is not None:
        vhat = np.maximum(vhat, v)
    second = v if vhat is None else vhat
    return w - scalars[0] * m / (np.sqrt(second) + epsilon), m, v, vhat
