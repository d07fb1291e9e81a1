"""The table of operations.

Every operation is one row, made by decorating its NumPy reference. The recorder, the planner, both
executors, the tests, the benchmarks and the documentation read the same row, so an operation is
defined here once or not at all. The decorated function dispatches on its arguments: on arrays it
computes now with the reference, on symbolic arrays it records a step.

Shapes are tuples of ints; ``None`` as the first entry stands for the rows of the batch.
"""

import functools
import inspect
import itertools
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import check_array, invalid, show
from .layout import Batch, Layout, Shape, count, cut, every_row, every_vector

EPSILON = float(np.finfo(np.float32).eps)
TINY = float(np.finfo(np.float32).tiny)


def rows(shape: Shape) -> int | Batch:
    """Number of vectors along the last axis."""
    return count(shape[:-1])


def concrete(shape: Shape, batch: int) -> tuple[int, ...]:
    """The shape for a batch of `batch` rows."""
    return tuple(batch if n is None else n for n in shape)


@dataclass(frozen=True)
class Op:
    """One row of the table.

    Attributes
    ----------
    name : str
        Name of the operation and of its C kernel.
    reference : callable
        NumPy implementation: positional parameters are arrays, keyword-only ones are attributes.
    kernel : str or None
        Name of the C kernel; None for a step that runs in Python and splits the program.
    shape : callable
        ``shape(*input shapes, **attributes)`` gives the output shape, or a list of them, and is
        the place where wrong shapes are refused.
    dims : callable
        ``dims(input shapes, output shapes)`` gives the sizes that the C kernel receives. A rule marked with
        `layout.reads` is for a kernel that reads strides: it takes layouts and the attributes.
    grad : callable or None
        ``grad(step, *output gradients)`` gives a gradient (or None) per input, made with `ops`
        functions; ``step`` has ``ins``, ``outs`` and ``attrs``.
    kind : str
        Family: "activation", "elementwise", "loss" ...; front ends and tests select by it.
    flops : callable
        ``flops(input shapes, output shapes)`` with concrete shapes: the arithmetic of one call.
    tol : float or callable
        How far the C kernel may be from the reference in float64: a number of float32 epsilons
        relative to the result, or ``tol(*arrays, **attributes)`` giving an absolute bound.
    example : callable or None
        ``example(rng, rows, width)`` gives ``(arrays, attributes)`` for tests and benchmarks.
    inplace : tuple of int
        Output i overwrites input ``inplace[i]`` (and is absent when that input is). All outputs of
        such an operation are in place.
    dtypes : tuple of str
        Output types where they are not the floating type of the run.
    serial : bool
        One thread does all of it, because it is one sum.
    random : bool
        The reference takes ``seed`` and ``iteration``, which the executor supplies.
    view : callable or None
        ``view(layouts of the inputs, output shape, **attributes)``: the output is the memory of the first
        input seen with the layout that this gives, or a copy where it gives None.
    access : callable or None
        Which rows of the inputs are needed for some rows of the outputs (see `fastnn.ops.layout.cut`); by default
        what the `dims` rule is marked with. None for a kernel that cannot be given a part of the rows.
    integers : tuple of int
        The inputs that are integers; all others are of the floating type of the run.
    epilogue : bool
        The kernel can apply a function of single elements to its finished output.
    maps : bool
        A function of single elements whose kernel can be such an epilogue.
    also : tuple or None
        ``(i, name)``: output i equals the operation `name` of the first input.
    """

    name: str
    reference: Callable[..., Any]
    shape: Callable[..., Any]
    dims: Callable[[list[Shape], list[Shape]], tuple[int | Batch, ...]]
    kernel: str | None = None
    grad: Callable[..., list[Any]] | None = None
    kind: str = "elementwise"
    flops: Callable[[list[Any], list[Any]], float] = field(default=lambda ins, outs: sum(math.prod(s) for s in outs))
    tol: float | Callable[..., Any] = 1.0
    example: Callable[..., Any] | None = None
    inplace: tuple[int, ...] = ()
    dtypes: tuple[str, ...] = ()
    serial: bool = False
    random: bool = False
    view: Callable[..., Layout | None] | None = None
    access: Callable[..., tuple[int | None, ...] | None] | None = None
    integers: tuple[int, ...] = ()
    epilogue: bool = False
    maps: bool = False
    also: tuple[int, str] | None = None

    @functools.cached_property
    def attributes(self) -> dict[str, Any]:
        """Names and defaults of the attributes in the order in which the C kernel receives them."""
        parameters = inspect.signature(self.reference).parameters.values()
        return {
            p.name: p.default
            for p in parameters
            if p.kind is p.KEYWORD_ONLY and not (self.random and p.name in ("seed", "iteration"))
        }

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The inputs in their order, those that may be absent with the default None."""
        parameters = inspect.signature(self.reference).parameters.values()
        return inspect.Signature([p for p in parameters if p.kind is not p.KEYWORD_ONLY])

    def bind_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Complete the given inputs with None for those that may be absent."""
        bound = self.signature.bind(*args)
        bound.apply_defaults()
        return bound.args

    def bind(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Complete the given attributes with the defaults, in the order of the signature."""
        return {name: attrs.get(name, default) for name, default in self.attributes.items()}

    @property
    def reads_strides(self) -> bool:
        """Whether the rule of `dims` is one marked with `layout.reads`."""
        return hasattr(self.dims, "accepts")

    def reads(self, i: int, layout: Layout, attrs: dict[str, Any]) -> bool:
        """Whether the kernel reads input i where it lies; otherwise it has to be copied before."""
        return layout.contiguous or (self.reads_strides and self.dims.accepts(i, layout, **attrs))  # type: ignore[attr-defined]

    def bounds(self, args: list[Any], attrs: dict[str, Any], wanted: list[np.ndarray]) -> list[Any]:
        """How far each output of the kernel may be from `wanted`, the reference's in float64 on these arguments."""
        if callable(self.tol):
            found = self.tol(*args, **self.bind(attrs))
            return found if isinstance(found, list) else [found]
        return [self.tol * EPSILON * np.abs(out) + TINY for out in wanted]

    def output_shapes(self, *shapes: Shape | None, **attrs: Any) -> list[Shape]:
        """Shapes of the outputs as a list, or the error of a wrong shape."""
        if shapes and (shapes[0] is None or (self.shape is together and None in shapes)):
            raise invalid("array", "None", "real numbers", "pass an array, a variable or a number", TypeError)
        result = self.shape(*shapes, **attrs)
        return result if isinstance(result, list) else [result]


OPS: dict[str, Op] = {}
FUNCTIONS: dict[str, Callable[..., Any]] = {}  # the dispatching functions, by the names of their rows


def same(*shapes: Shape, **attrs: Any) -> Shape:
    """Shape rule of elementwise operations: all inputs alike, the output like them."""
    for shape in shapes[1:]:
        if shape != shapes[0]:
            raise invalid(
                "shape",
                " and ".join(map(str, shapes)),
                "inputs of equal shape",
                "reshape one of them",
            )
    return shapes[0]


def together(*shapes: Shape, **attrs: Any) -> Shape:
    """Shape rule of elementwise operations on several arrays: NumPy's broadcasting, the batch axis first.

    Raises
    ------
    ValueError
        Sizes differ where neither is 1, or the batch axis would meet another axis.
    """
    columns = itertools.zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    sizes = [{n for n in column if n != 1} or {1} for column in columns]
    result = tuple(n for column in reversed(sizes) for n in column)
    if len(result) != len(sizes) or None in result[1:]:
        batch = "; the batch (None) stays axis 0" if any(None in shape for shape in shapes) else ""
        raise invalid(
            "shape",
            " and ".join(map(str, shapes)),
            f"sizes that are equal or 1, counted from the last axis{batch}",
            "reshape one of them, for example with ops.expand_dims",
        )
    return result


@cut(every_row)
def each(ins: list[Shape], outs: list[Shape]) -> tuple[int | Batch, ...]:
    """Dims rule of elementwise kernels: (number of elements,)."""
    return (count(ins[0]),)


@cut(every_vector)
def by_row(ins: list[Shape], outs: list[Shape]) -> tuple[int | Batch, ...]:
    """Dims rule of kernels that work along the last axis: (rows, width)."""
    return rows(ins[0]), ins[0][-1]


def per_element(flops: float) -> Callable[[list[Any], list[Any]], float]:
    """Cost rule: so many operations for each element of the first input."""
    return lambda ins, outs: flops * math.prod(ins[0])


def find_recorder(args: tuple[Any, ...]) -> Any:
    """The recorder that an argument belongs to, or None when all are plain arrays."""
    for arg in args:
        recorder = getattr(arg, "recorder", None)
        if recorder is not None:
            return recorder
    return None


# Kinds of rows whose attributes are numbers, and those whose inputs are of a floating type also on arrays.
PLAIN = ("activation", "activation_grad", "elementwise", "softmax", "loss", "loss_grad", "metric", "units")
FLOATING = tuple(kind for kind in PLAIN if kind != "elementwise")


def as_arrays(row: Op, args: tuple[Any, ...]) -> list[np.ndarray | None]:
    """The arguments of a call on arrays as NumPy arrays; what may be absent may be None."""
    inputs = list(row.signature.parameters.values())
    arrays: list[np.ndarray | None] = []
    for i, value in enumerate(args):
        argument = f"input {i} of {row.name}"
        if value is None and (row.inplace or inputs[min(i, len(inputs) - 1)].default is None):
            arrays.append(None)
            continue
        array = check_array(argument, value)
        if i in row.integers and array.dtype.kind not in "iu":
            raise invalid(argument, array, "integers", "convert them with astype(int)", TypeError)
        if array.dtype.kind == "b" or (row.kind in FLOATING and i not in row.integers and array.dtype.kind != "f"):
            array = array.astype(np.float32)
        arrays.append(array)
    weak = [i for i, value in enumerate(args) if isinstance(value, (int, float)) and i not in row.integers]
    strong = [a for i, a in enumerate(arrays) if a is not None and i not in weak]
    return [with_type_of(strong, a) if i in weak and strong else a for i, a in enumerate(arrays)]


def with_type_of(others: list[np.ndarray], number: Any) -> np.ndarray:
    """A Python number in the type of the arrays it meets, or in float64 where that cannot hold it."""
    dtype = np.result_type(*others, 0.0 if number.dtype.kind == "f" else 0)
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= number <= np.iinfo(dtype).max:
        dtype = np.dtype(np.float64)
    with np.errstate(over="ignore"):
        return number.astype(dtype)


def check_attributes(row: Op, attrs: dict[str, Any]) -> None:
    """Attributes of functions of elements and rows are numbers that fit into a double."""
    for name, value in attrs.items() if row.kind in PLAIN else ():
        if not isinstance(value, numbers.Real):
            raise invalid(name, show(value), "a number", "pass a Python number", TypeError)
        try:
            float(value)
        except OverflowError:
            raise invalid(name, show(value), "a number that fits into a double", "pass a smaller one") from None


def op(shape: Callable[..., Any] = same, dims: Callable[..., Any] = each, **columns: Any) -> Callable[..., Any]:
    """Enter the decorated NumPy reference as a row of the table.

    Parameters
    ----------
    shape, dims, **columns
        Fields of `Op`. ``name`` is the function's unless given, ``kernel`` the operation's.

    Returns
    -------
    callable
        A decorator; it returns the dispatching function, whose ``op`` attribute is the row.
    """

    def enter(reference: Callable[..., Any]) -> Callable[..., Any]:
        name = columns.setdefault("name", reference.__name__)
        columns.setdefault("kernel", name)
        columns.setdefault("access", getattr(dims, "access", None))
        row = Op(reference=reference, shape=shape, dims=dims, **columns)
        assert name not in OPS, f"two rows named {name!r}"
        OPS[name] = row
        signature = inspect.signature(reference)

        @functools.wraps(reference)
        def call(*args: Any, **attrs: Any) -> Any:
            recorder = find_recorder(args)
            if recorder is not None:
                return recorder.record(row, args, attrs)
            given = signature.bind(*args, **attrs)  # Python's own error where the call does not fit
            check_attributes(row, given.kwargs)
            arrays = as_arrays(row, given.args)
            known = {k: v for k, v in given.kwargs.items() if k in row.attributes}
            row.output_shapes(*(None if a is None else a.shape for a in arrays), **known)
            with np.errstate(all="ignore"):
                return reference(*arrays, **given.kwargs)

        call.op = row  # type: ignore[attr-defined]
        FUNCTIONS[name] = call
        return call

    return enter
