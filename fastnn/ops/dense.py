"""Products of matrices: dense layers with their three gradients, and `matmul`.

Axis letters: b rows of the batch (all axes before the last), i inputs, o outputs.
"""

import math

import numpy as np

from ..errors import invalid
from .layout import AXES, Layout, broadcast, count, merged, padded, reads
from .shape import array, reshape, squeeze, swap_last
from .table import EPSILON, by_row, op, together


def dense_shape(x, w, b=None):
    if len(w) != 2 or None in w or len(x) < 1 or x[-1] != w[0]:
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


# What the kernels read. A matrix is a pointer and two strides; of the second factor one of them has to be 1.


def in_rows(x: Layout) -> bool:
    """Whether all axes but the last are one axis of rows."""
    return len(merged(x.shape[:-1], [x.strides[:-1]])) <= 1


def matrix(x: Layout):
    """Strides of rows and columns, all axes before the last as one."""
    leading = merged(x.shape[:-1], [x.strides[:-1]])
    return (leading[0][1] if leading else 0), (x.strides[-1] if x.shape[-1] != 1 else 1)


def factor(x: Layout) -> bool:
    """Whether the second factor of a product can be read where it lies."""
    return in_rows(x) and 1 in matrix(x)


def product_dims(sizes):
    """Dims rule: three sizes, then the strides of rows and columns of both matrices."""

    @reads(lambda i, x, **attrs: factor(x) if i == 1 else i == 0 and in_rows(x))
    def rule(ins, outs):
        return (*sizes(ins, outs), *matrix(ins[0]), *matrix(ins[1]))

    return rule


def rows_of_first(ins, outs):
    """Access rule: for some rows of the output the same rows of the first factor, unless that is one vector."""
    return (0, *(None for _ in ins[1:])) if len(ins[0]) > 1 else None


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
    dims=product_dims(lambda ins, outs: (count(outs[0][:-1]), *ins[1].shape)),
    access=rows_of_first,
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
    dims=product_dims(lambda ins, outs: (count(outs[0][:-1]), *ins[1].shape)),
    access=rows_of_first,
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
    dims=product_dims(lambda ins, outs: (count(ins[0].shape[:-1]), count(outs[0][:1]), outs[0][1])),
    access=lambda ins, outs: (len(ins[0]) - 1, None),
    grad=lambda step, dw: [dense_grad_input(step.ins[1], dw), dense(step.ins[0], dw)],
    kind="dense",
    flops=lambda ins, outs: 2.0 * math.prod(ins[0]) * ins[1][-1],
    tol=lambda x, dz: chain_bound(x.size // x.shape[-1] if x.size else 0, flat(np.abs(x)).T @ flat(np.abs(dz))),
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width + 4)), rng.standard_normal((rows, width))), {}),
)
def dense_grad_kernel(x, dz):
    """Gradient by the weights: ``x_bi dz_bo -> dw_io``, each sum in the order of the rows.

    It has a gradient itself, for penalties that multiply the columns of a batch.
    """
    return flat(x).T @ flat(dz)


@op(
    shape=lambda dz: dz[-1:],
    dims=by_row,
    access=None,  # each output is a sum over all rows
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


# Products of stacks of matrices


def matmul_shape(a, b):
    fits = len(a) > 1 and len(b) > 1 and a[-1] == b[-2] and None not in (a[-1], b[-1])
    if not fits or (a[-2] is None and len(b) > 2):
        raise invalid(
            "matmul",
            f"shapes {a} and {b}",
            "(..., m, k) and (..., k, n), with the batch in front",
            "transpose one of them, or reshape it",
        )
    return (*together(a[:-2], b[:-2]), a[-2], b[-1])


STACK = AXES - 2  # axes of a stack, after merging


@reads(lambda i, x: i == 0 or 1 in x.strides[-2:] or 1 in x.shape[-2:])
def matmul_dims(ins, outs):
    """Dims rule: m, k, n, the strides of both matrices, sizes of the stack, and the strides of both stacks."""
    stack = outs[0][:-2]
    strides = [broadcast(Layout(x.shape[:-2], x.strides[:-2]), stack).strides for x in ins]
    last = [tuple(1 if n == 1 else step for n, step in zip(x.shape[-2:], x.strides[-2:], strict=True)) for x in ins]
    return (*outs[0][-2:-1], *ins[1].shape[-2:], *last[0], *last[1], *padded(merged(stack, strides), 2))


@op(
    name="matmul",
    shape=matmul_shape,
    dims=matmul_dims,
    grad=lambda step, dy: [matmul(dy, swap_last(step.ins[1])), matmul(swap_last(step.ins[0]), dy)],
    kind="dense",
    flops=lambda ins, outs: 2.0 * math.prod(outs[0]) * ins[0][-1],
    tol=lambda a, b: chain_bound(a.shape[-1], np.abs(a) @ np.abs(b)),
    example=lambda rng, rows, width: (
        (rng.standard_normal((3, rows, width + 2)), rng.standard_normal((3, width + 2, width))),
        {},
    ),
    epilogue=True,
)
def matmul_row(a, b):
    """See `matmul`."""
    return a @ b


def matmul(a, b):
    """Product of matrices, or of stacks of them, which are broadcast; a vector counts as in NumPy.

    Parameters
    ----------
    a : array of shape (..., m, k) or (k,)
    b : array of shape (..., k, n) or (k,)

    Returns
    -------
    array of shape (..., m, n)

    Examples
    --------
    >>> matmul(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 10.0]))
    array([21., 43.])
    """
    a, b = array(a), array(b)
    if len(b.shape) == 1:
        return squeeze(matmul(a, reshape(b, (-1, 1))), -1)
    if len(a.shape) == 1 and len(b.shape) > 1 and a.shape != (None,):
        return squeeze(matmul(reshape(a, (1, -1)), b), -2)
    return dense(a, b) if len(b.shape) == 2 else matmul_row(a, b)
