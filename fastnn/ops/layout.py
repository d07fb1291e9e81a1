"""Where the elements of an array lie in memory, and the sizes and strides that kernels get from it.

A transposed, sliced or broadcast array is its memory seen with other strides, so nothing is copied for a
kernel that reads any strides. Axes that are one run of memory for all operands are merged first: most
calls then see a single axis.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from ..errors import invalid

Shape = tuple[Any, ...]  # ints, and None first for the rows of the batch

AXES = 5  # that a kernel walks over, after merging; csrc/kernels/elementwise.inc has the same number


class Batch(NamedTuple):
    """A size that is `multiple` times the number of rows of the batch."""

    multiple: int


def count(shape: Shape) -> int | Batch:
    """Number of elements of a shape; a `Batch` when it begins with the batch axis."""
    if shape[:1] == (None,):
        return Batch(math.prod(shape[1:]))
    return math.prod(shape)


class Total(NamedTuple):
    """A size that is `multiple` times the rows of the whole batch, also where a kernel gets only some of them."""

    multiple: int


class Layout(NamedTuple):
    """Element (i, j, ...) of an array lies at ``offset + i * strides[0] + j * strides[1] ...``, in elements."""

    shape: Shape
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def contiguous(self) -> bool:
        """Whether the elements follow one another in the order of the axes."""
        return all(
            n == 1 or a == b for n, a, b in zip(self.shape, self.strides, row_major(self.shape).strides, strict=True)
        )


def row_major(shape: Shape) -> Layout:
    """The layout of an array of its own: its elements in order, without gaps."""
    sizes = [*shape[1:], 1] if shape else []
    strides = list(itertools.accumulate(reversed(sizes), lambda stride, n: stride * n))
    return Layout(shape, tuple(reversed(strides)))


# Views: the layout of an array made from another by looking at the same memory


def reshaped(x: Layout, shape: Shape) -> Layout | None:
    """The layout with another shape, None where it would need a copy."""
    if x.contiguous or 0 in shape:
        return Layout(shape, row_major(shape).strides, x.offset)
    if x.shape[:1] == (None,):  # the batch axis stays; the others are reshaped among themselves
        inner = reshaped(Layout(x.shape[1:], x.strides[1:], x.offset), shape[1:])
        return inner and Layout(shape, (x.strides[0], *inner.strides), x.offset)
    axes = merged(x.shape, [x.strides])
    strides: list[int] = []
    for n in reversed(shape):  # from the last axis on, each takes its part of the run of memory that is left
        while axes and axes[-1][0] == 1:
            axes.pop()
        if n == 1 or not axes:
            strides.append(0)
            continue
        left, stride = axes.pop()
        if left % n:
            return None
        strides.append(stride)
        axes.append((left // n, stride * n))
    return Layout(shape, tuple(reversed(strides)), x.offset)


def broadcast(x: Layout, shape: Shape) -> Layout:
    """The layout of an array repeated along new axes and along axes of size 1."""
    new = len(shape) - len(x.shape)
    repeated = [0 if n == 1 else stride for n, stride in zip(x.shape, x.strides, strict=True)]
    return Layout(shape, (0,) * new + tuple(repeated), x.offset)


# Axes for kernels


def merged(sizes: Shape, strides: list[tuple[int, ...]]) -> list[tuple[Any, ...]]:
    """Axes as ``(size, stride of each operand ...)``, those of size 1 left out, those that are one run joined."""
    axes: list[tuple[Any, ...]] = []
    for size, *steps in zip(sizes, *strides, strict=True):
        if size == 1:
            continue
        joined: int | Batch = Batch(1) if size is None else size
        if axes and all(outer == step * size for outer, step in zip(axes[-1][1:], steps, strict=True)):
            before = axes.pop()[0]
            joined = Batch(before.multiple * size) if isinstance(before, Batch) else before * size
        axes.append((joined, *steps))
    return axes


def padded(axes: list[tuple[Any, ...]], operands: int) -> tuple[int | Batch, ...]:
    """`AXES` sizes, then as many strides for each operand; axes of size 1 in front."""
    if len(axes) > AXES:
        raise invalid("array", f"{len(axes)} axes", f"at most {AXES}", "join some of them with ops.reshape")
    columns = [(1, *(0,) * operands)] * (AXES - len(axes)) + axes
    return tuple(itertools.chain.from_iterable(zip(*columns, strict=True)))


# Rules: what a kernel receives as `dims` when it reads inputs by their strides


def reads(accepts: Callable[..., bool]) -> Callable[..., Any]:
    """Mark a dims rule ``rule(layouts of the inputs, output shapes, **attributes)`` of a kernel that reads strides.

    Parameters
    ----------
    accepts : callable
        ``accepts(i, layout, **attributes)``: whether the kernel reads input i where it lies; else it is copied.
    """

    def mark(rule: Callable[..., Any]) -> Callable[..., Any]:
        rule.accepts = accepts  # type: ignore[attr-defined]
        return rule

    return mark


# Rules: which rows of its inputs a kernel needs for some rows of its outputs. Where there is a rule, the kernel may
# be given any block of rows by itself. It says for each input along which axis it is cut together with axis 0 of
# the outputs, or None where it is needed whole; and None instead of all that where the rows cannot be cut.


def cut(access: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a dims rule with the rule of the rows, ``access(input shapes, output shapes, **attributes)``."""

    def mark(rule: Callable[..., Any]) -> Callable[..., Any]:
        rule.access = access  # type: ignore[attr-defined]
        return rule

    return mark


def every_row(ins: list[Any], outs: list[Shape], **attrs: Any) -> tuple[int | None, ...]:
    """Row r of all inputs for row r of the outputs."""
    return tuple(None if shape is None else 0 for shape in ins)


def every_vector(ins: list[Any], outs: list[Shape], **attrs: Any) -> tuple[int | None, ...] | None:
    """`every_row` for kernels that work along the last axis: of a lone vector that is axis 0."""
    return every_row(ins, outs) if max(len(ins[0]), len(outs[0])) > 1 else None


def unless_broadcast(ins: list[Any], outs: list[Shape], **attrs: Any) -> tuple[int | None, ...]:
    """Row r of the inputs that have all axes of the output; what is repeated along axis 0, whole."""
    return tuple(0 if shape and len(shape) == len(outs[0]) and shape[0] == outs[0][0] else None for shape in ins)


def anywhere(i: int, layout: Layout, **attrs: Any) -> bool:
    """Any layout will do."""
    return True


@cut(unless_broadcast)
@reads(anywhere)
def elements(ins: list[Layout], outs: list[Shape], **attrs: Any) -> tuple[int | Batch, ...]:
    """Dims rule of kernels on single elements, inputs broadcast to the output: sizes, then strides per input."""
    strides = [broadcast(x, outs[0]).strides for x in ins]
    return padded(merged(outs[0], strides), len(ins))


@cut(lambda ins, outs, *, axes, **attrs: None if 0 in axes else (0,))
@reads(anywhere)
def reduction(ins: list[Layout], outs: list[Shape], *, axes: tuple[int, ...], **attrs: Any) -> tuple[Any, ...]:
    """Dims rule of reductions: sizes and strides of the axes that stay, then of those that are reduced."""
    x = ins[0]
    rest = [i for i in range(len(x.shape)) if i not in axes]

    def part(numbers: Any) -> tuple[int | Batch, ...]:
        return padded(merged(tuple(x.shape[i] for i in numbers), [tuple(x.strides[i] for i in numbers)]), 1)

    return part(rest) + part(axes)
