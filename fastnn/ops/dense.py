"""Dense layers: the product with the weights and its three gradients.

Axis letters: b rows of the batch (all axes before the last), i inputs, o outputs.
"""

import math

import numpy as np

from ..errors import invalid
from .table import EPSILON, op, rows


def dense_shape(x, w, b=None):
    if len(w) != 2 or len(x) < 1 or x[-1] != w[0]:
        raise invalid(
            "input",
            f"shape {x}",
            f"last axis of {w[0] if w else 'the kernel'} for a kernel of shape {w}",
            "pass inputs with as many features as the layer was built for",
        )
    if b is not None and b != w[1:]:
        raise invalid("bias", f"shape {b}", f"shape {w[1:]}", "give one bias per output")
    return (*x[:-1], w[1])


def chain_bound(length, magnitude):
    """Bound on the error of a sum of products done as one chain of fused multiply-adds.

    Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1: gamma_n times the
    sum of the magnitudes; one more rounding for the bias and one for the inputs of the reference.
    """
    n = (length + 2) * EPSILON / 2
    return n / (1 - n) * magnitude + np.finfo(np.float32).tiny


def dense_example(rng, rows, width):
    inputs = width + 3
    return (
        rng.standard_normal((rows, inputs)),
        rng.standard_normal((inputs, width)),
        rng.standard_normal(width),
    ), {}


def forward_bound(x, w, b=None):
    magnitude = np.abs(x) @ np.abs(w) + (0 if b is None else np.abs(b))
    return chain_bound(w.shape[0], magnitude)


@op(
    shape=dense_shape,
    dims=lambda ins, outs: (rows(ins[0]), *ins[1]),
    grad=lambda step, dy: [
        dense_grad_input(dy, step.ins[1]),
        dense_grad_kernel(step.ins[0], dy),
        None if step.ins[2] is None else dense_grad_bias(dy),
    ],
    kind="dense",
    flops=lambda ins, outs: 2.0 * math.prod(outs[0]) * ins[1][0],
    tol=forward_bound,
    example=dense_example,
    epilogue=True,
)
def dense(x, w, b=None):
    """Affine map ``x_bi w_io + b_o -> y_bo``; the bias is added last."""
    y = x @ w
    return y if b is None else y + b


@op(
    shape=lambda dz, w: (*dz[:-1], w[0]),
    dims=lambda ins, outs: (rows(ins[0]), *ins[1]),
    kind="dense",
    flops=lambda ins, outs: 2.0 * math.prod(outs[0]) * ins[0][-1],
    tol=lambda dz, w: chain_bound(w.shape[1], np.abs(dz) @ np.abs(w).T),
    example=lambda rng, rows, width: (
        (rng.standard_normal((rows, width + 5)), rng.standard_normal((width, width + 5))),
        {},
    ),
)
def dense_grad_input(dz, w):
    """Gradient by the input: ``dz_bo w_io -> dx_bi``."""
    return dz @ w.T


@op(
    shape=lambda x, dz: (x[-1], dz[-1]),
    dims=lambda ins, outs: (rows(ins[0]), *outs[0]),
    kind="dense",
    flops=lambda ins, outs: 2.0 * math.prod(ins[0]) * ins[1][-1],
    tol=lambda x, dz: chain_bound(x.size // x.shape[-1] if x.size else 0, flat(np.abs(x)).T @ flat(np.abs(dz))),
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width + 4)), rng.standard_normal((rows, width))), {}),
)
def dense_grad_kernel(x, dz):
    """Gradient by the weights: ``x_bi dz_bo -> dw_io``, each sum in the order of the rows."""
    return flat(x).T @ flat(dz)


@op(
    shape=lambda dz: dz[-1:],
    dims=lambda ins, outs: (rows(ins[0]), ins[0][-1]),
    kind="dense",
    flops=lambda ins, outs: math.prod(ins[0]),
    tol=lambda dz: chain_bound(dz.size // dz.shape[-1] if dz.size else 0, flat(np.abs(dz)).sum(0)),
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width)),), {}),
)
def dense_grad_bias(dz):
    """Gradient by the bias: ``dz_bo -> db_o``, summed in the order of the rows."""
    return flat(dz).sum(0)


def flat(x):
    """All axes before the last as one."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
