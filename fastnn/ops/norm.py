"""Moments of columns and of rows, and the normalization of batches and layers by them.

Axis letters: b samples of the batch, r rows (all axes but the last), j columns. Statistics of a batch go over all axes
but the last. Of samples that have several rows they are taken sample by sample first, where these still are in a cache,
and then over the samples; in between the threads meet.

Ioffe and Szegedy, Batch normalization (2015); Ba, Kiros and Hinton, Layer normalization (2016).
"""

import math

import numpy as np

from ..errors import invalid
from .arithmetic import add, divide, multiply, negative, subtract
from .data import whole
from .elementwise import sqrt, square
from .layout import count, cut
from .reduce import ROUNDING, lane_roundings, lane_sum_bound, mean_grad
from .reduce import mean as mean_over
from .reduce import sum as sum_over
from .shape import broadcast_like, reshape
from .table import TINY, op, per_element, rows

CHUNK_ROWS = 64  # of csrc/kernels/norm.inc
# What a term meets in a chunk: chains of four rows, of sixteen such sums, and of three rows that are left.
CHUNK_ROUNDINGS = 3 + CHUNK_ROWS // 4 + 3


def matrix_shape(x, least=2):
    """Refuse what has no columns, or none of the rows that statistics are taken of."""
    if len(x) < least or x[-1] in (None, 0) or 0 in x[:-1]:
        raise invalid("x", f"shape {x}", f"at least {least} axes, and one row", "keep the features as the last axis")
    return x


def along_rows(shape, like, samples=0):
    """The axes of `like` that are summed up for an array of `shape`, its columns or those of each sample."""
    return tuple(range(1 if samples else 0, len(like) - 1))


def repeated(a, x, samples):
    """An array for each column, or for each column of a sample, with the axes of x."""
    return broadcast_like(reshape(a, (-1, *(1,) * (len(x.shape) - 2), x.shape[-1])) if samples else a, x)


def column_dims(which):
    """Dims rule of sums over the rows of an input: (samples, rows of each, columns)."""

    @cut(lambda ins, outs, *, samples=0: column_access(ins, samples))
    def rule(ins, outs):
        x = ins[which]
        if len(outs[0]) == 1:
            return 1, rows(x), x[-1]
        return count(x[:1]), math.prod(x[1:-1]), x[-1]

    return rule


def column_access(ins, samples):
    """Each sample for itself, with what there is of every row; a sum over the batch needs all of it."""
    if not samples:
        return None
    return tuple(None if shape is None or len(shape) == 1 else 0 for shape in ins)


# Moments of columns


def moments_shape(x, *, samples=0):
    matrix_shape(x, 3 if samples else 2)
    return [(*x[:1], x[-1])] * 2 if samples else [x[-1:]] * 2


def moments_gradient(step, dmean, dvariance):
    """A mean gets equal parts from all rows, a variance twice the deviation from it."""
    x, samples = step.ins[0], step.attrs["samples"]
    axes, found = along_rows(None, x.shape, samples), []
    if dmean is not None:
        found.append(repeated(mean_grad(dmean, x, axes=axes), x, samples))
    if dvariance is not None:
        deviation = subtract(x, repeated(step.outs[0], x, samples))
        part = repeated(mean_grad(dvariance, x, axes=axes), x, samples)
        found.append(multiply(multiply(deviation, part), 2.0))
    return [found[0] if len(found) == 1 else add(*found)]


def moments_bound(x, *, samples=0):
    """The mean of a chunk: its sum, a division, the rounding of the result. The squares of deviations: two roundings of
    the difference, one of each square. The means of chunks are off by `error`, which moves the squares within a chunk
    by its square, and those of its mean from that of all by as much and twice its product with them."""
    axes = along_rows(None, x.shape, samples)
    error = (CHUNK_ROUNDINGS + 1) * ROUNDING * np.abs(x).max(axes)
    variance, chunked = x.var(axes), math.prod(x.shape[i] for i in axes) > CHUNK_ROWS
    between = 4 * error * np.sqrt(variance) + 4 * error**2 if chunked else 0
    spread = (CHUNK_ROUNDINGS + 4) * ROUNDING * 1.01 * variance + 1.01 * error**2 + between
    return [error + ROUNDING * np.abs(x.mean(axes)) + TINY, spread + TINY]


def draw_samples(rng, rows, width):
    """Three rows in each sample where there is an odd number of them, else one sum over all."""
    samples = rows % 2
    return rng.standard_normal((rows, 3, width) if samples else (rows, width)) + 1, samples


def draw_moments(rng, rows, width):
    x, samples = draw_samples(rng, rows, width)
    return (x,), {"samples": samples}


@op(
    shape=moments_shape,
    dims=column_dims(0),
    grad=moments_gradient,
    kind="norm",
    flops=per_element(4),
    tol=moments_bound,
    example=draw_moments,
)
def moments(x, *, samples=0):
    """Mean and variance of each column, over all axes but the last; of the columns of each sample if `samples`.

    The variance is that of the elements, their mean square deviation. In C it comes from two passes over chunks of
    64 rows, which are joined in float64 (Chan, Golub and LeVeque, Algorithms for computing the sample variance, 1983).

    Examples
    --------
    >>> moments(np.array([[1.0, 2.0], [3.0, 2.0]]))
    (array([2., 2.]), array([1., 0.]))
    """
    axes = along_rows(None, x.shape, samples)
    return x.mean(axes), x.var(axes)


def batch_moments(x):
    """Mean and variance of each column of a batch.

    Parameters
    ----------
    x : array of shape (b, ..., j)

    Returns
    -------
    mean, variance : array of shape (j,)

    Examples
    --------
    >>> batch_moments(np.array([[[1.0], [3.0]], [[5.0], [7.0]]]))
    (array([4.]), array([5.]))
    """
    if len(x.shape) < 3:
        return moments(x)
    means, variances = moments(x, samples=1)  # of equal numbers of rows
    mean, between = moments(means)
    return mean, add(mean_over(variances, axis=0), between)


# Sums of columns that gradients are made of


def column_sums_shape(dy, x, mean, scale=None, *, samples=0):
    matrix_shape(x, 3 if samples else 2)
    fits = mean == x[-1:] if scale is None else mean == scale == x[:-1]
    if dy != x or not fits:
        raise invalid("gradient", f"shapes {dy}, {x}, {mean} and {scale}", "those of x and its moments", "pass these")
    return [(*x[:1], x[-1])] * 2 if samples else [x[-1:]] * 2


def standard(x, mean, scale=None):
    """The deviation from the mean of the column, or that from the mean of the row times its scale."""
    return x - mean if scale is None else (x - mean[..., np.newaxis]) * scale[..., np.newaxis]


def column_sums_bound(dy, x, mean, scale=None, *, samples=0):
    """Sums of chunks and the result; of the products also the difference and the scale, and the first product."""
    axes = along_rows(None, x.shape, samples)
    plain, products = (np.abs(a).sum(axes) for a in (dy, dy * standard(x, mean, scale)))
    return [(CHUNK_ROUNDINGS + 1) * ROUNDING * plain + TINY, (CHUNK_ROUNDINGS + 4) * ROUNDING * 1.01 * products + TINY]


def draw_column_sums(rng, rows, width):
    x, samples = draw_samples(rng, rows, width)
    if width % 2:
        mean, scale = rng.standard_normal(width), None
    else:
        mean, scale = rng.standard_normal(x.shape[:-1]), rng.uniform(0.5, 2, x.shape[:-1])
    return (rng.standard_normal(x.shape), x, mean, scale), {"samples": samples}


@op(
    shape=column_sums_shape,
    dims=column_dims(1),
    kind="norm",
    flops=per_element(4),
    tol=column_sums_bound,
    example=draw_column_sums,
)
def column_sums(dy, x, mean, scale=None, *, samples=0):
    """Sums over all axes but the last of dy and of ``dy h``; for each sample if `samples`.

    h is ``x - mean`` with one mean for each column, or with a scale ``(x - mean) scale`` with one of both for each row.
    """
    axes = along_rows(None, x.shape, samples)
    return dy.sum(axes), (dy * standard(x, mean, scale)).sum(axes)


def batch_sums(dy, x, mean, scale=None):
    """`column_sums` of a whole batch."""
    if len(x.shape) < 3:
        return column_sums(dy, x, mean, scale)
    return tuple(sum_over(part, axis=0) for part in column_sums(dy, x, mean, scale, samples=1))


# Normalization by the moments of columns


def check_columns(x, *arrays):
    """Refuse arrays that are not one number for each column."""
    matrix_shape(x)
    for shape in arrays:
        if shape is not None and shape != x[-1:]:
            raise invalid("moments", f"shape {shape}", f"shape {x[-1:]}, one for each column", "pass such an array")
    return x


def standardize_gradient(step, dy):
    x, mean, variance, gamma, beta = step.ins
    epsilon = step.attrs["epsilon"]
    plain, products = batch_sums(dy, x, mean)
    deviation = sqrt(add(variance, epsilon))
    dgamma, dbeta = (None if gamma is None else divide(products, deviation)), (None if beta is None else plain)
    if step.attrs["own"]:
        dx = standardize_grad(dy, x, mean, variance, gamma, plain, products, epsilon=epsilon)
        return [dx, None, None, dgamma, dbeta]
    scale = divide(1.0 if gamma is None else gamma, deviation)
    dvariance = multiply(divide(multiply(products, scale), square(deviation)), -0.5)
    return [multiply(dy, scale), negative(multiply(plain, scale)), dvariance, dgamma, dbeta]


def scale_of(variance, gamma, epsilon):
    return (1 if gamma is None else gamma) / np.sqrt(variance + epsilon)


def standardize_bound(x, mean, variance, gamma=None, beta=None, *, epsilon, own=0):
    """The scale: epsilon and the sum, halved by the root, which is a third rounding, the quotient; the difference, and
    the fused result."""
    product = np.abs((x - mean) * scale_of(variance, gamma, epsilon))
    result = np.abs(standardize.op.reference(x, mean, variance, gamma, beta, epsilon=epsilon))
    return ROUNDING * (4 * product + result) + TINY


def draw_standardize(rng, rows, width):
    """With both of gamma and beta, one, or neither."""
    gamma = rng.uniform(0.5, 2, width) if rows % 2 else None
    beta = rng.standard_normal(width) if rows % 3 else None
    x, mean, variance = rng.standard_normal((rows, width)), rng.standard_normal(width), rng.uniform(0.1, 2, width)
    return (x, mean, variance, gamma, beta), {"epsilon": 0.01}


def first_by_row(columns):
    """Access rule: rows of so many first inputs, all others whole."""
    return lambda ins, outs, **attrs: (0,) * columns + (None,) * (len(ins) - columns)


@op(
    shape=lambda x, *arrays, **attrs: check_columns(x, *arrays),
    dims=cut(first_by_row(1))(lambda ins, outs: (rows(ins[0]), ins[0][-1])),
    grad=standardize_gradient,
    kind="norm",
    flops=per_element(3),
    tol=standardize_bound,
    example=draw_standardize,
    epilogue=True,
)
def standardize(x, mean, variance, gamma=None, beta=None, *, epsilon, own=0):
    """Columns of mean 0 and variance 1: ``(x - mean) gamma / sqrt(variance + epsilon) + beta``.

    Parameters
    ----------
    x : ndarray of shape (..., j)
    mean, variance : ndarray of shape (j,)
    gamma, beta : ndarray of shape (j,), optional
        Default: 1 and 0.
    epsilon : float
    own : bool, default False
        Whether mean and variance are those of x itself (`batch_moments`), and so move along with it: then the gradient
        by x is that of the whole, and they get none.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0]])
    >>> standardize(x, np.array([2.0]), np.array([1.0]), epsilon=0.0)
    array([[-1.],
           [ 1.]])
    """
    y = (x - mean) * scale_of(variance, gamma, x.dtype.type(epsilon))
    return y if beta is None else y + beta


def standardize_grad_bound(dy, x, mean, variance, gamma, plain, products, *, epsilon):
    """The two means, of which the second is divided by a rounded variance; their differences; the scale as above."""
    total = math.prod(x.shape[:-1])
    scale, common = scale_of(variance, gamma, epsilon), plain / total
    slope = products / total / (variance + epsilon)
    fused = np.abs((x - mean) * slope)
    inner = np.abs(dy - common - (x - mean) * slope)
    errors = 2 * np.abs(common) + np.abs(dy - common) + 6 * fused + inner
    return ROUNDING * 1.01 * np.abs(scale) * (errors + 4 * inner) + TINY


def draw_standardize_grad(rng, rows, width):
    (x, mean, variance, gamma, _), attrs = draw_standardize(rng, rows, width)
    return (rng.standard_normal(x.shape), x, mean, variance, gamma, *rng.standard_normal((2, width))), attrs


@op(
    shape=lambda dy, x, *arrays, **attrs: check_columns(x, *arrays),
    dims=cut(first_by_row(2))(lambda ins, outs: (rows(ins[1]), ins[1][-1], whole(ins[1][:-1]))),
    kind="norm",
    flops=per_element(5),
    tol=standardize_grad_bound,
    example=draw_standardize_grad,
)
def standardize_grad(dy, x, mean, variance, gamma, plain, products, *, epsilon):
    """Gradient of `standardize` by x, whose own moments mean and variance are, with the `batch_sums` of dy.

    ``gamma / sqrt(v) (dy - plain / n - (x - mean) products / (n v))`` with v the variance plus epsilon and n rows.
    """
    total = x.dtype.type(math.prod(x.shape[:-1]))
    slope = products / total / (variance + x.dtype.type(epsilon))
    return scale_of(variance, gamma, x.dtype.type(epsilon)) * (dy - plain / total - (x - mean) * slope)


def moving_average_bound(average, value, *, momentum):
    """A constant rounded to float32 and a product each, the fused sum."""
    terms = np.abs(momentum * average) + np.abs((1 - momentum) * value)
    return ROUNDING * (2 * terms + np.abs(moving_average.op.reference(average, value, momentum=momentum))) + TINY


@op(
    grad=lambda step, dy: [multiply(dy, step.attrs["momentum"]), multiply(dy, 1 - step.attrs["momentum"])],
    kind="norm",
    flops=per_element(3),
    tol=moving_average_bound,
    example=lambda rng, rows, width: (tuple(rng.standard_normal((2, rows, width))), {"momentum": 0.99}),
)
def moving_average(average, value, *, momentum):
    """``average momentum + value (1 - momentum)``.

    Examples
    --------
    >>> moving_average(np.array([1.0]), np.array([3.0]), momentum=0.75)
    array([1.5])
    """
    return average * momentum + value * (1 - momentum)


# Normalization by the moments of rows


def layer_norm_shape(x, *arrays, **attrs):
    check_columns(x, *arrays)
    return [x, x[:-1], x[:-1]]


def layer_norm_bound(x, gamma=None, beta=None, *, epsilon):
    """The mean, a sum in lanes and a quotient; the squares of the differences from it, likewise; its root, which falls
    by less than it would if the variance were smaller by its error, and three roundings; difference, two products."""
    n = x.shape[-1]
    y, mean, scale = layer_norm.op.reference(x, gamma, beta, epsilon=epsilon)
    error_mean = lane_sum_bound(x) / n * 1.01 + ROUNDING * np.abs(mean)
    variance = x.var(-1) + epsilon
    error_variance = (lane_roundings(n) + 6) * ROUNDING * 1.01 * variance + 1.01 * error_mean**2
    worst = 1 / np.sqrt(np.maximum(variance - error_variance, TINY))
    error_scale = worst - scale + 3 * ROUNDING * scale
    deviation, stretch = np.abs(x - mean[..., np.newaxis]), np.abs(1.0 if gamma is None else gamma)
    scale, by_row = scale[..., np.newaxis], error_scale[..., np.newaxis]
    moved = deviation * (by_row + 2 * ROUNDING * scale) + 1.01 * error_mean[..., np.newaxis] * scale
    return [1.01 * stretch * moved + ROUNDING * np.abs(y) + TINY, error_mean + TINY, error_scale + TINY]


def draw_layer_norm(rng, rows, width):
    (x, _, _, gamma, beta), attrs = draw_standardize(rng, rows, width)
    return (x, gamma, beta), attrs


def layer_norm_gradient(step, dy, dmean, dscale):
    (x, gamma, beta), (_, mean, scale) = step.ins, step.outs
    dbeta, dgamma = batch_sums(dy, x, mean, scale)
    return [
        layer_norm_grad(dy, x, gamma, mean, scale),
        None if gamma is None else dgamma,
        None if beta is None else dbeta,
    ]


@op(
    shape=layer_norm_shape,
    dims=cut(first_by_row(1))(lambda ins, outs: (rows(ins[0]), ins[0][-1])),
    grad=layer_norm_gradient,
    kind="norm",
    flops=per_element(7),
    tol=layer_norm_bound,
    example=draw_layer_norm,
)
def layer_norm(x, gamma=None, beta=None, *, epsilon):
    """Rows of mean 0 and variance 1: ``(x - mean) scale gamma + beta`` with ``scale = 1 / sqrt(variance + epsilon)``.

    Parameters
    ----------
    x : ndarray of shape (..., j)
    gamma, beta : ndarray of shape (j,), optional
        Default: 1 and 0.
    epsilon : float

    Returns
    -------
    y : ndarray of the shape of x
    mean, scale : ndarray of shape (...)
        Of each row. Only y passes a gradient on.

    Examples
    --------
    >>> y, mean, scale = layer_norm(np.array([[1.0, 3.0]]), epsilon=0.0)
    >>> y, mean, scale
    (array([[-1.,  1.]]), array([2.]), array([1.]))
    """
    mean = x.mean(-1)
    scale = 1 / np.sqrt(x.var(-1) + x.dtype.type(epsilon))
    y = standard(x, mean, scale)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta, mean, scale


def layer_norm_grad_shape(dy, x, gamma, mean, scale):
    check_columns(x, gamma)
    if dy != x or mean != x[:-1] or scale != x[:-1]:
        raise invalid("gradient", f"shapes {dy}, {mean} and {scale}", f"{x}, and twice {x[:-1]}", "pass such arrays")
    return x


def layer_norm_grad_bound(dy, x, gamma, mean, scale):
    """Of h two roundings, of g one; two sums in lanes with a quotient each; two differences and a product."""
    h, g = standard(x, mean, scale), dy * (1.0 if gamma is None else gamma)
    n = x.shape[-1]
    common, dot = (a.mean(-1, keepdims=True) for a in (g, g * h))
    error_common = lane_sum_bound(g, ROUNDING * np.abs(g))[..., np.newaxis] / n * 1.01 + ROUNDING * np.abs(common)
    error_dot = lane_sum_bound(g * h, 3 * ROUNDING * np.abs(g * h))[..., np.newaxis] / n * 1.01 + ROUNDING * np.abs(dot)
    inner = g - common - h * dot
    errors = ROUNDING * (np.abs(g) + np.abs(g - common) + 2 * np.abs(h * dot) + 2 * np.abs(inner))
    return 1.01 * np.abs(scale[..., np.newaxis]) * (errors + error_common + np.abs(h) * error_dot) + TINY


def draw_layer_norm_grad(rng, rows, width):
    (x, gamma, _), attrs = draw_layer_norm(rng, rows, width)
    if 0 in x.shape:
        raise invalid("x", f"shape {x.shape}", "at least one row and column", "pass some")
    _, mean, scale = layer_norm(x, **attrs)
    return (rng.standard_normal(x.shape), x, gamma, mean, scale), {}


@op(
    shape=layer_norm_grad_shape,
    dims=lambda ins, outs: (rows(ins[1]), ins[1][-1]),
    access=lambda ins, outs: (0, 0, None, 0, 0),
    kind="norm",
    flops=per_element(11),
    tol=layer_norm_grad_bound,
    example=draw_layer_norm_grad,
)
def layer_norm_grad(dy, x, gamma, mean, scale):
    """Gradient of `layer_norm` by x: ``scale (g - mean of g - h mean of g h)``.

    g is ``dy gamma``, h is ``(x - mean) scale``, and the means are those of each row.
    """
    h, g = standard(x, mean, scale), dy if gamma is None else dy * gamma
    inner = g - g.mean(-1, keepdims=True) - h * (g * h).mean(-1, keepdims=True)
    return scale[..., np.newaxis] * inner


def layer_normalization(x, gamma=None, beta=None, *, epsilon):
    """The first output of `layer_norm`."""
    return layer_norm(x, gamma, beta, epsilon=epsilon)[0]
