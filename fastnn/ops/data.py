"""Rows of a data set into a batch, sums over the samples of a batch, and the check for divergence."""

import math

import numpy as np

from ..errors import invalid
from .layout import Batch, Total, count, every_row
from .table import TINY, op

# Gathering


def gather_shape(data, order):
    if len(data) < 1 or len(order) != 1:
        raise invalid(
            "gather",
            f"data of shape {data} and order of shape {order}",
            "shapes (rows, ...) and (batch,)",
            "pass the numbers of the rows as a vector",
        )
    return (*order, *data[1:])


def draw_rows(dtype):
    """Examples of more rows than are gathered, some gathered twice."""

    def example(rng, rows, width):
        data = rng.integers(0, 256, (rows + 2, width)).astype(dtype)
        return (data, rng.integers(0, rows + 2, rows)), {}

    return example


def gather_columns(dtype="float64", **columns):
    """The columns that the three gathers share."""
    return {
        "shape": gather_shape,
        "dims": lambda ins, outs: (count(outs[0][:1]), math.prod(outs[0][1:])),
        "access": lambda ins, outs: (None, 0),
        "kind": "data",
        "flops": lambda ins, outs: 0,
        "tol": 0.0,
        "example": draw_rows(dtype),
        "integers": (1,) if dtype == "float64" else (0, 1),
        **columns,
    }


@op(**gather_columns(epilogue=True))
def gather(data, order):
    """Rows of a data set by number: ``data[order]``.

    Parameters
    ----------
    data : ndarray of shape (rows, ...)
    order : int64 ndarray of shape (batch,)
        Numbers from 0 to ``rows - 1``. The C kernel does not check them.

    Returns
    -------
    ndarray of shape (batch, ...)

    Examples
    --------
    >>> gather(np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([1, 1]))
    array([[2., 3.],
           [2., 3.]])
    """
    return data[order]


@op(**gather_columns("int32", kernel="gather", dtypes=("int32",)))
def gather_int32(data, order):
    """`gather` for int32 data."""
    return data[order]


@op(**gather_columns("uint8", epilogue=True))
def gather_uint8(data, order):
    """`gather` for uint8 data, which become float32."""
    return data[order].astype(np.float32)


# Sums over samples


def sampled(values, weights=None, **attrs):
    """Shape rule: values (samples, ...) with at most one weight per sample; the output is like values."""
    if len(values) < 1 or (weights is not None and weights != values[:1]):
        raise invalid(
            "weights",
            f"shape {weights} for values of shape {values}",
            "one weight per sample",
            "pass values of shape (samples, ...) and weights of shape (samples,)",
        )
    return values


def totals_shape(values, weights=None):
    sampled(values, weights)
    return (2,)


def by_sample(ins, outs):
    """Dims rule: (samples, elements of each)."""
    return count(ins[0][:1]), math.prod(ins[0][1:])


def whole(shape):
    """Size for a kernel: the number of elements, of all rows also where it gets a block of them."""
    n = count(shape)
    return Total(n.multiple) if isinstance(n, Batch) else n


def weight_column(values, weights):
    """Weights that broadcast with `values`: ones where there are none."""
    weights = np.ones(len(values), values.dtype) if weights is None else weights
    return np.broadcast_to(weights.reshape(-1, *[1] * (values.ndim - 1)), values.shape)


def draw_samples(rng, rows, width):
    return rng.standard_normal((rows, width)), rng.uniform(0, 2, rows)


def weighted_sum_bound(values, weights=None):
    """Error of a chain of float64 additions: n roundings of 2^-53 (Higham 2002, section 4.2)."""
    w = weight_column(values, weights)
    n = values.size + 1
    return n * 2.0**-52 * np.array([np.abs(w * values).sum(), np.abs(w).sum()]) + TINY


@op(
    shape=totals_shape,
    dims=by_sample,
    kind="data",
    flops=lambda ins, outs: 3 * math.prod(ins[0]),
    tol=weighted_sum_bound,
    example=lambda rng, rows, width: (draw_samples(rng, rows, width), {}),
    dtypes=("float64",),
    serial=True,
)
def weighted_sum(values, weights=None):
    """Numerator and denominator of a weighted mean: ``(sum of w_i v_ij, sum of w_i)`` over all i, j.

    In C both sums are taken in the order of the samples by one thread.

    Parameters
    ----------
    values : ndarray of shape (samples, ...)
    weights : ndarray of shape (samples,), optional
        Default: 1 for each sample.

    Returns
    -------
    float64 ndarray of shape (2,)

    Examples
    --------
    >>> weighted_sum(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 10.0]))
    array([73., 22.])
    """
    w = weight_column(values, weights).astype(np.float64)
    return np.array([(w * values).sum(), w.sum()])


@op(
    shape=sampled,
    dims=lambda ins, outs: (*by_sample(ins, outs), whole(ins[0])),
    access=every_row,
    kind="data",
    tol=0.5,
    example=lambda rng, rows, width: (draw_samples(rng, rows, width), {"mean": 1}),
)
def mean_seed(values, weights=None, *, mean):
    """Gradient of a weighted sum or mean of `values` by each of them: ``w_i``, or ``w_i / values.size``.

    The mean is Keras': it divides by the number of elements even where the weights add up to another.

    Parameters
    ----------
    values : ndarray of shape (samples, ...)
        Only its shape matters.
    weights : ndarray of shape (samples,), optional
        Default: 1 for each sample.
    mean : bool
        Whether it is the mean, not the sum.

    Returns
    -------
    ndarray of the shape of `values`

    Examples
    --------
    >>> mean_seed(np.array([5.0, 7.0]), np.array([1.0, 3.0]), mean=True)
    array([0.5, 1.5])
    """
    w = weight_column(values, weights)
    return w / w.dtype.type(max(values.size, 1)) if mean else w.copy()


@op(
    shape=lambda x: [],
    kind="check",
    flops=lambda ins, outs: 2 * math.prod(ins[0]),
    tol=0.0,
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width)),), {}),
)
def check_finite(x):
    """Whether no element is infinite or NaN; in a program, updates run only if all checks hold.

    Examples
    --------
    >>> check_finite(np.array([1.0, np.nan]))
    False
    """
    return bool(np.isfinite(x).all())


def product_shape(x, dz):
    if x[:-1] != dz[:-1] or not x:
        raise invalid("dz", f"shape {dz}", f"as many rows as x of shape {x}", "pass the gradient of x @ w")
    return []


@op(
    shape=product_shape,
    dims=lambda ins, outs: (count(ins[0][:1]), *(math.prod(shape[1:]) for shape in ins), whole(ins[0][:-1])),
    access=every_row,
    kind="check",
    flops=lambda ins, outs: sum(math.prod(shape) for shape in ins),
    tol=0.0,
    example=lambda rng, rows, width: ((rng.standard_normal((rows, width)), rng.standard_normal((rows, width + 1))), {}),
)
def check_product(x, dz):
    """Whether the sums ``x_bi dz_bo -> dw_io`` and ``dz_bo -> db_o`` are finite for certain.

    They are if so many products of the largest numbers stay below half of the largest float32. Where they do not, a
    run decides by the sums themselves.

    Examples
    --------
    >>> check_product(np.array([[1.0, 2.0]]), np.array([[3.0]]))
    True
    >>> check_product(np.array([[1e30]]), np.array([[1e30]]))
    False
    """
    largest_x, largest_dz = (np.abs(a).max(initial=0).astype(np.float64) for a in (x, dz))
    terms = math.prod(x.shape[:-1])
    return bool(largest_x < np.inf and terms * np.maximum(largest_x, 1) * largest_dz < 2.0**127)
