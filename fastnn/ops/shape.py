"""Other views of an array's elements: reshape, transpose, slices, broadcasting; and concatenation.

All but the last are *views*: on symbolic arrays they show the same memory with other strides, and cost no
step unless a kernel needs its input in one piece.
"""

import builtins
import itertools
import math
from typing import Any

import numpy as np

from ..errors import check_array, check_integer, invalid, show
from .layout import AXES, Batch, Layout, Shape, broadcast, count, elements, merged, reads, reshaped, row_major
from .table import find_recorder, op, together

__all__ = [
    "broadcast_like",
    "broadcast_to",
    "concatenate",
    "copy",
    "expand_dims",
    "get_item",
    "reshape",
    "slice",
    "slice_grad",
    "squeeze",
    "swap_last",
    "transpose",
]

MOST_ARRAYS = 9  # that one call of the concatenating kernel takes


def checked_axis(axis: Any, ndim: int) -> int:
    """The number of an axis, counted from 0."""
    expected = f"an integer from {-ndim} to {ndim - 1}, for an array of {ndim} axes"
    number = check_integer("axis", axis, -ndim, expected, "choose an axis that the array has", ndim - 1)
    return number % ndim


def batched(shape: Shape) -> bool:
    return shape[:1] == (None,)


def as_given(shape: Shape) -> tuple[int, ...]:
    """A shape as an argument of `reshape`: -1 for the batch."""
    return tuple(-1 if n is None else n for n in shape)


def array(x: Any) -> Any:
    """A symbolic array as it is, anything else as an array of numbers."""
    return x if find_recorder((x,)) is not None else check_array("x", x)


def checked_shape(x: Any, shape: Any) -> tuple[int, ...]:
    """A shape that a user gave: ints, of which those that stand for the batch may be None."""
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    for n in sizes:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer, type(None))):
            raise invalid("shape", show(shape), "a tuple of integers", "pass for example (-1, 2, 3)", TypeError)
    return tuple(-1 if n is None else int(n) for n in sizes)


columns = {"dims": elements, "kernel": "copy", "kind": "shape", "flops": lambda ins, outs: 0.0, "tol": 0.0}


def draw(**attrs: Any) -> Any:
    """An example of an array of three axes."""
    return lambda rng, rows, width: ((rng.standard_normal((rows, 3, width)),), attrs)


@op(**columns, grad=lambda step, dy: [dy], example=draw())
def copy(x):
    """`x` in memory of its own, in the order of its axes."""
    return x.copy()


# Reshape


def reshape_shape(x, shape):
    """The shape that `reshape` gives; the batch axis stays what and where it is."""
    batch = batched(x)
    own, new = (x[1:], shape[1:]) if batch else (x, shape)
    if builtins.min(new, default=0) >= -1 and new.count(-1) <= 1 and (not batch or shape[:1] == (-1,)):
        total, known = math.prod(own), math.prod(n for n in new if n >= 0)
        if known == total if -1 not in new else known and total % known == 0:
            return x[:1] * batch + tuple(total // known if n == -1 else n for n in new)
    expected = (
        "-1 for the batch, then a shape of as many elements per row"
        if batch
        else f"a shape of {math.prod(x)} elements, of which one size may be -1"
    )
    raise invalid("shape", f"{shape} for an array of shape {x}", expected, "choose sizes with the same product")


@op(
    **columns,
    name="reshape",
    shape=reshape_shape,
    grad=lambda step, dy: [reshape(dy, step.ins[0].shape)],
    example=lambda rng, rows, width: ((rng.standard_normal((rows, 3, width)),), {"shape": (width, rows, 3)}),
    view=lambda ins, out, *, shape: reshaped(ins[0], out),
)
def reshape_row(x, *, shape):
    """See `reshape`."""
    return x.reshape(shape)


def reshape(x, newshape):
    """The same elements in the same order, with another shape.

    Parameters
    ----------
    x : array
    newshape : tuple of int
        The whole new shape; one size may be -1. For a batch the first is -1, and another one may be too.

    Examples
    --------
    >>> reshape(np.arange(6), (3, -1))
    array([[0, 1],
           [2, 3],
           [4, 5]])
    """
    x, shape = array(x), checked_shape(x, newshape)
    if batched(x.shape):
        shape = checked_shape(x, reshape_shape(x.shape, shape))
    return reshape_row(x, shape=shape)


def expand_dims(x, axis):
    """`x` with a new axis of size 1 at position `axis` of the result.

    Examples
    --------
    >>> expand_dims(np.array([1.0, 2.0]), -1).shape
    (2, 1)
    """
    x = array(x)
    at = checked_axis(axis, len(x.shape) + 1)
    return reshape(x, (*x.shape[:at], 1, *x.shape[at:]))


def squeeze(x, axis=None):
    """`x` without the axes of size 1, or without those given.

    Examples
    --------
    >>> squeeze(np.ones((2, 1, 3, 1)), axis=1).shape
    (2, 3, 1)
    """
    x = array(x)
    given = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else axis
    axes = [checked_axis(i, len(x.shape)) for i in (given if isinstance(given, (list, tuple)) else [given])]
    if any(x.shape[i] != 1 for i in axes):
        raise invalid("axis", f"{axis} for an array of shape {x.shape}", "axes of size 1", "leave out the others")
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


# Transpose


def transposed_shape(x, axes):
    if sorted(axes) != list(range(len(x))) or (batched(x) and axes[0] != 0):
        batch = ", the batch (0) first" if batched(x) else ""
        expected = f"each of the axes 0 to {len(x) - 1} once{batch}"
        raise invalid("axes", show(axes), expected, "pass for example (0, 2, 1) for a batch of matrices")
    return tuple(x[i] for i in axes)


@op(
    **columns,
    name="transpose",
    shape=transposed_shape,
    grad=lambda step, dy: [transpose_row(dy, axes=inverse(step.attrs["axes"]))],
    example=draw(axes=(2, 0, 1)),
    view=lambda ins, out, *, axes: Layout(out, tuple(ins[0].strides[i] for i in axes), ins[0].offset),
)
def transpose_row(x, *, axes):
    """See `transpose`."""
    return x.transpose(axes)


def inverse(axes):
    return tuple(axes.index(i) for i in range(len(axes)))


def transpose(x, axes=None):
    """`x` with its axes in another order.

    Parameters
    ----------
    x : array
    axes : tuple of int, optional
        Which axis of `x` comes where; default: all in reverse. The axis of the batch stays the first.

    Examples
    --------
    >>> transpose(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[1., 3.],
           [2., 4.]])
    """
    x = array(x)
    ndim = len(x.shape)
    order = tuple(range(ndim))[::-1] if axes is None else axes
    if not isinstance(order, (tuple, list)):
        raise invalid("axes", show(axes), "a tuple of integers", "pass for example (0, 2, 1)", TypeError)
    return transpose_row(x, axes=tuple(checked_axis(i, ndim) for i in order))


def swap_last(x):
    """`x` with its last two axes exchanged."""
    n = len(x.shape)
    return transpose_row(x, axes=(*range(n - 2), n - 1, n - 2))


# Slices


def slice_shape(x, starts, sizes, steps):
    """The shape of a slice, all of which is inside the array."""
    if not len(x) == len(starts) == len(sizes) == len(steps):
        raise invalid("slice", f"{len(starts)} positions", f"{len(x)}, one for each axis", "name all axes")
    for n, start, size, step in zip(x, starts, sizes, steps, strict=True):
        whole = (start, size, step) == (0, -1, 1)
        if not whole and (
            n is None or size < 0 or (size and not (0 <= start < n and 0 <= start + (size - 1) * step < n))
        ):
            received = f"{size} from {start} with step {step} along an axis of size {n}"
            raise invalid("slice", received, "a part of the array", "choose positions that it has")
        if step == 0:
            raise invalid("slice", "step 0", "another step", "choose positions that the array has")
    return tuple(
        None if size == -1 and n is None else n if size == -1 else size for n, size in zip(x, sizes, strict=True)
    )


def slice_view(ins, out, *, starts, sizes, steps):
    x = ins[0]
    offset = x.offset + builtins.sum(start * stride for start, stride in zip(starts, x.strides, strict=True))
    return Layout(out, tuple(step * stride for step, stride in zip(steps, x.strides, strict=True)), offset)


@op(
    **columns,
    name="slice",
    shape=slice_shape,
    grad=lambda step, dy: [slice_grad(dy, step.ins[0], starts=step.attrs["starts"], steps=step.attrs["steps"])],
    example=lambda rng, rows, width: (
        (rng.standard_normal((rows, 7, width + 2)),),
        {"starts": (0, 5, 1), "sizes": (rows, 3, width), "steps": (1, -2, 1)},
    ),
    view=slice_view,
)
def slice_row(x, *, starts, sizes, steps):
    """``x[start], x[start + step], ...``, so many along each axis; -1 for all of the batch."""
    index = []
    for n, start, size, step in zip(x.shape, starts, sizes, steps, strict=True):
        size = n if size == -1 else size
        end = start + size * step
        index.append(builtins.slice(start, end if end >= 0 else None, step) if size else builtins.slice(0, 0))
    return x[tuple(index)]


@reads(lambda i, layout, **attrs: True)
def slice_grad_dims(ins, outs, *, starts, steps):
    """Dims rule: sizes of the output, and of the slice; where it begins, its steps, its strides in memory."""
    if len(outs[0]) > AXES:
        raise invalid("array", f"{len(outs[0])} axes", f"at most {AXES}", "join some of them with ops.reshape")
    front = AXES - len(outs[0])
    sizes = [[Batch(1) if n is None else n for n in shape] for shape in (outs[0], ins[0].shape)]
    return tuple(
        n
        for numbers, first in ((sizes[0], 1), (sizes[1], 1), (starts, 0), (steps, 1), (ins[0].strides, 0))
        for n in (*(first,) * front, *numbers)
    )


@op(
    shape=lambda dy, x, starts, steps: x,
    dims=slice_grad_dims,
    kind="shape",
    grad=None,
    tol=0.0,
    example=lambda rng, rows, width: (
        (rng.standard_normal((rows, 3, width)), rng.standard_normal((rows, 7, width + 2))),
        {"starts": (0, 5, 1), "steps": (1, -2, 1)},
    ),
)
def slice_grad(dy, x, *, starts, steps):
    """Gradient of a slice of `x`: ``dy`` where it was taken from, 0 elsewhere."""
    dx = np.zeros(x.shape, dy.dtype)
    sizes = dy.shape
    slice_row.op.reference(dx, starts=starts, sizes=sizes, steps=steps)[...] = dy
    return dx


def get_item(x, index):
    """What ``x[index]`` is on a symbolic array: integers, slices, ``...`` and None, as in NumPy.

    Raises
    ------
    ValueError, TypeError
        Other kinds of index, positions outside the array, or a part of the batch.
    """
    index = index if isinstance(index, tuple) else (index,)
    given = [i for i in index if i is not None and i is not Ellipsis]
    free = len(x.shape) - len(given)
    if free < 0 or len([i for i in index if i is Ellipsis]) > 1:
        fix = "index fewer axes"
        raise invalid("index", show(index), f"at most {len(x.shape)} positions and one '...'", fix)
    if Ellipsis not in [i for i in index if i is Ellipsis]:
        index = (*index, Ellipsis)
    at = next(k for k, i in enumerate(index) if i is Ellipsis)
    index = (*index[:at], *(builtins.slice(None),) * free, *index[at + 1 :])
    parts, shape, axis = [], [], 0
    for i in index:
        if i is None:
            shape.append(1)
            continue
        n = x.shape[axis]
        if n is None:
            if not isinstance(i, builtins.slice) or i != builtins.slice(None):
                raise invalid("index", show(i), "':' for the batch", "take all samples")
            part = (0, -1, 1)
        elif isinstance(i, builtins.slice):
            start, stop, step = checked_slice(i, n)
            part = (start, len(range(start, stop, step)), step)
        else:
            part = (checked_position(i, n, axis), 1, 1)
        if isinstance(i, builtins.slice):
            shape.append(part[1])
        parts.append(part)
        axis += 1
    starts, sizes, steps = zip(*parts, strict=True) if parts else ((), (), ())
    whole = all(part == (0, n, 1) or n is None for part, n in zip(parts, x.shape, strict=True))
    recorded = find_recorder((x,)) is not None
    cut = x if whole and recorded else slice_row(x, starts=starts, sizes=sizes, steps=steps)
    return cut if as_given(cut.shape) == tuple(shape) else reshape(cut, tuple(shape))


def checked_position(i: Any, n: int, axis: int) -> int:
    """A position along an axis of size n, counted from 0."""
    expected = f"an integer from {-n} to {n - 1}, a slice, '...' or None along axis {axis}"
    return check_integer("index", i, -n, expected, "choose a position that the array has", n - 1) % n


def checked_slice(i: Any, n: int) -> tuple[int, int, int]:
    """Start, stop and step of a slice along an axis of size n."""
    try:
        return i.indices(n)
    except (TypeError, ValueError) as error:
        expected = "a slice of integers, its step not 0"
        raise invalid("index", show(i), expected, "correct the slice", type(error)) from None


def slice(inputs, start_indices, shape):
    """A part of `inputs`: `shape` elements from `start_indices` on.

    Parameters
    ----------
    inputs : array
    start_indices : tuple of int
    shape : tuple of int
        Sizes of the part; None or -1 for the batch.

    Examples
    --------
    >>> slice(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), (0, 1), (2, 2))
    array([[2., 3.],
           [5., 6.]])
    """
    x, starts, sizes = array(inputs), checked_shape(inputs, start_indices), checked_shape(inputs, shape)
    fits = len(starts) == len(sizes) == len(x.shape) and all(
        (start, size) == (0, -1) if n is None else start >= 0 and size >= 0 and start + size <= n
        for n, start, size in zip(x.shape, starts, sizes, strict=False)
    )
    if not fits:
        raise invalid(
            "shape",
            f"{shape} from {start_indices} of an array of shape {x.shape}",
            "a start and a size per axis within the array",
            "begin a batch at 0 and take all of it (-1)" if batched(x.shape) else "choose a part that is inside",
        )
    return slice_row(x, starts=starts, sizes=sizes, steps=(1,) * len(starts))


# Repetition


def repeated_shape(x, like):
    if together(x, like) != like:
        raise invalid("array", f"shape {x}", f"one that broadcasts to {like}", "reduce or reshape it")
    return like


@op(
    **columns,
    shape=repeated_shape,
    grad=lambda step, dy: [dy, None],
    example=lambda rng, rows, width: ((rng.standard_normal((3, 1)), rng.standard_normal((rows, 3, width))), {}),
    view=lambda ins, out: broadcast(ins[0], out),
)
def broadcast_like(x, like):
    """`x` repeated to the shape of `like`."""
    return np.broadcast_to(x, like.shape)


def target_shape(x, shape):
    """The shape of `broadcast_to`, of which a leading -1 is the size that `x` has there."""
    sizes = (x[0], *shape[1:]) if shape[:1] == (-1,) and len(shape) == len(x) else shape
    if any(n is not None and n < 0 for n in sizes):
        fix = "pass a shape that the array broadcasts to"
        raise invalid("shape", f"{shape} for an array of shape {x}", "sizes of at least 0, or -1 for the batch", fix)
    return repeated_shape(x, sizes)


@op(
    **columns,
    name="broadcast_to",
    shape=target_shape,
    grad=lambda step, dy: [dy],
    example=lambda rng, rows, width: ((rng.standard_normal((rows, 1, width)),), {"shape": (rows, 3, width)}),
    view=lambda ins, out, *, shape: broadcast(ins[0], out),
)
def broadcast_to_row(x, *, shape):
    """See `broadcast_to`."""
    return np.broadcast_to(x, target_shape(x.shape, shape))


def broadcast_to(x, shape):
    """`x` repeated to a shape, whose first size is -1 for a batch.

    Examples
    --------
    >>> broadcast_to(np.array([[1.0], [2.0]]), (2, 3))
    array([[1., 1., 1.],
           [2., 2., 2.]])
    """
    x = array(x)
    return broadcast_to_row(x, shape=checked_shape(x, shape))


# Concatenation


def concatenate_shape(*shapes, axis):
    first = shapes[0]
    if not 0 <= axis < len(first):
        raise invalid("axis", show(axis), f"an axis of arrays of shape {first}", "choose an axis that they have")
    for shape in shapes:
        if len(shape) != len(first) or without(shape, axis) != without(first, axis) or shape[axis] is None:
            batch = ", which is not that of the batch" if None in first else ""
            raise invalid(
                "arrays",
                " and ".join(map(str, shapes)),
                f"shapes that differ at most along axis {axis}{batch}",
                "reshape them, or choose another axis",
            )
    return (*first[:axis], builtins.sum(shape[axis] for shape in shapes), *first[axis + 1 :])


def without(shape, axis):
    return (*shape[:axis], *shape[axis + 1 :])


def in_rows(i: int, x: Layout, *, axis: int) -> bool:
    """Whether what one array contributes to a row of the result is in one piece, rows equally far apart."""
    leading = merged(x.shape[:axis], [x.strides[:axis]])
    return len(leading) <= 1 and x.strides[axis:] == row_major(x.shape[axis:]).strides


@reads(in_rows)
def concatenate_dims(ins, outs, *, axis):
    """Dims rule: number of rows, then for each array the length of its part of a row, and the way to the next."""
    dims = [count(outs[0][:axis])]
    for x in ins:
        leading = merged(x.shape[:axis], [x.strides[:axis]])
        dims += [math.prod(x.shape[axis:]), leading[0][1] if leading else 0]
    return tuple(dims) + (0,) * (2 * (MOST_ARRAYS - len(ins)))


def concatenate_gradient(step, dy):
    axis, ends = step.attrs["axis"], itertools.accumulate(x.shape[step.attrs["axis"]] for x in step.ins)
    parts = []
    for x, end in zip(step.ins, ends, strict=True):
        starts = [0] * len(x.shape)
        starts[axis] = end - x.shape[axis]
        parts.append(slice_row(dy, starts=tuple(starts), sizes=as_given(x.shape), steps=(1,) * len(starts)))
    return parts


@op(
    name="concatenate",
    shape=concatenate_shape,
    dims=concatenate_dims,
    grad=concatenate_gradient,
    kind="shape",
    flops=lambda ins, outs: 0.0,
    tol=0.0,
    example=lambda rng, rows, width: (
        tuple(rng.standard_normal((rows, n, 2)) for n in (width, 1, width + 3)),
        {"axis": 1},
    ),
)
def concatenate_row(*xs, axis):
    """See `concatenate`."""
    return np.concatenate(xs, axis)


def concatenate(xs, axis=-1):
    """Arrays joined along an axis.

    Parameters
    ----------
    xs : list of array
    axis : int, default -1

    Examples
    --------
    >>> concatenate([np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]])])
    array([[1., 3.],
           [2., 4.]])
    """
    if not isinstance(xs, (list, tuple)) or not xs:
        raise invalid("xs", show(xs), "a list of at least one array", "pass [first, second, ...]", TypeError)
    arrays = [array(x) for x in xs]
    axis = checked_axis(axis, len(arrays[0].shape))
    concatenate_shape(*(x.shape for x in arrays), axis=axis)
    while len(arrays) > MOST_ARRAYS:
        arrays = [concatenate_row(*arrays[:MOST_ARRAYS], axis=axis), *arrays[MOST_ARRAYS:]]
    return concatenate_row(*arrays, axis=axis)
