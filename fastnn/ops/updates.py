"""Optimizer updates of one variable, in place.

`w` is the variable and `g` its gradient; slots that an optimizer does without are None, and None
stands in their place in the result. ``scalars[0]`` is the learning rate of the step. Formulas are those of
Keras 3. The C kernels set slot values below the smallest normal float32 to +0.
"""

import math

import numpy as np

from ..errors import invalid
from .activations import TINY
from .reduce import ROUNDING
from .table import op


def slots_shape(w, g, *slots, **attrs):
    """Shape rule of ``(w, g, *slots, scalars)``: gradient and slots are like the variable."""
    *slots, scalars = slots
    for shape in (g, *slots):
        if shape is not None and shape != w:
            raise invalid(
                "update", f"shape {shape} for a variable of shape {w}", "gradient and slots like the variable",
                "build the optimizer for these variables",
            )
    if len(scalars) != 1 or scalars[0] == 0:
        raise invalid("scalars", f"shape {scalars}", "shape (k,) with the learning rate first", "pass an array")
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
    )


def rounded(*terms, result, roundings):
    """Bound on the error of a result made of terms that each met so many roundings before it."""
    return ROUNDING * (roundings * np.sum(np.abs(terms), axis=0) + np.abs(result)) + TINY


def existing(*outputs):
    """The outputs whose slots exist, as a list."""
    return [out for out in outputs if out is not None]


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

    With `nesterov`, ``w += momentum m - lr g`` (with the new m).
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
    new_w, new_v, new_mom, new_avg = rmsprop(
        w, g, v, mom, avg, scalars, rho=rho, momentum=momentum, epsilon=epsilon
    )
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

    With `avg` it is centred: ``avg = rho avg + (1 - rho) g``, and the variance ``max(v - avg^2, 0)`` takes
    the place of v under the root (Keras lets rounding make it negative). With `mom`,
    ``mom = momentum mom + lr g / sqrt(...)`` and ``w -= mom``.

    Hinton, Neural networks for machine learning, lecture 6e (2012).
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
    new_w, new_m, new_v, new_vhat = adam(
        w, g, m, v, vhat, scalars, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon
    )
    # The difference, 1 - beta rounded to float32, the fused sum.
    error_m = rounded((1 - beta_1) * (g - m), result=new_m, roundings=2)
    error_v = rounded((1 - beta_2) * (g * g - v), result=new_v, roundings=2)
    second = new_v if vhat is None else new_vhat
    root = np.sqrt(second)
    error_root = root - np.sqrt(np.maximum(second - error_v, 0)) + ROUNDING * root  # the worse side
    below = root + epsilon
    error_below = 1.01 * error_root + rounded(epsilon, result=below, roundings=1)
    step = new_m / below
    error_step = 1.01 * (error_m + np.abs(step) * error_below) / (below - error_below) + ROUNDING * np.abs(step)
    error_w = scalars[0] * error_step + ROUNDING * np.abs(new_w)
    return existing(error_w, error_m, error_v, None if vhat is None else error_v)


@update(slots=3, flops=14, tol=adam_bound, example=draw_adam)
def adam(w, g, m, v, vhat, scalars, *, beta_1, beta_2, epsilon):
    """Adam: ``m += (1 - beta_1) (g - m)``, ``v += (1 - beta_2) (g^2 - v)``, ``w -= alpha m / (sqrt(v) + epsilon)``.

    ``scalars[0]`` is ``alpha = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)``. With `vhat` it is AMSGrad:
    ``vhat = max(vhat, v)`` takes the place of v under the root.

    Kingma and Ba, "Adam: a method for stochastic optimization" (2015), the form before section 2.1; Reddi,
    Kale and Kumar, "On the convergence of Adam and beyond" (2018).
    """
    m = m + (g - m) * (1 - beta_1)
    v = v + (g * g - v) * (1 - beta_2)
    if vhat is not None:
        vhat = np.maximum(vhat, v)
    second = v if vhat is None else vhat
    return w - scalars[0] * m / (np.sqrt(second) + epsilon), m, v, vhat
