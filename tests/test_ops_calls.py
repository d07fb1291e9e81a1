"""`fastnn.ops` and operators: variables and symbolic arrays are no NumPy arrays, and wrong calls say what to do."""

import re

import numpy as np
import pytest
from harness import gradients

from fastnn import ops
from fastnn.ops.table import OPS
from fastnn.record import Recorder, Symbolic
from fastnn.variable import Variable

PARTS = re.compile(r".+: received .+; expected .+; to fix it, .+\.", re.S)


def test_variables_compute_outside_of_a_recording_and_are_followed_inside():
    v, x = Variable([1.0, 2.0], name="v"), np.array([3.0, 5.0], np.float32)
    outside = [v + x, x + v, 2 - v, np.float64(2) * v, v**2, x @ v, v > 1.5, v[::-1], v[:], abs(-v), x / v, x == v]
    for value, want in zip(
        outside,
        [[4, 7], [4, 7], [1, 0], [2, 4], [1, 4], 13, [0, 1], [2, 1], [1, 2], [1, 2], [3, 2.5], [0, 0]],
        strict=True,
    ):
        assert isinstance(value, (np.ndarray, np.generic)) and value.tolist() == want
    assert np.exp(v).shape == (2,) and float(Variable(3)) == 3 and not Variable(0)
    with Recorder(1) as recorder:
        inside = [
            v + x,
            x + v,
            2 - v,
            np.float64(2) * v,
            np.float32(2) * v,
            v**2,
            x @ v,
            v > 1.5,
            v[::-1],
            abs(-v),
            x == v,
        ]
        assert all(isinstance(value, Symbolic) and value.recorder is recorder for value in inside)
    assert recorder.variables[0] is v and isinstance(v + x, np.ndarray)
    assert gradients(lambda v: x @ v, [1.0, 2.0]) == [[3, 5]]
    assert gradients(lambda v: np.float32(2) * v * v[::-1] - np.ones(2) / v, [1.0, 2.0]) == [[9, 4.25]]


def test_equality_compares_elements_and_objects_still_have_an_identity():
    x = Recorder(1).rows_input("x", (2,))
    v = Variable([1.0, 2.0])
    assert (x == x).shape == (None, 2) and (x != 1).recorder is x.recorder
    assert (v == [1, 3]).tolist() == [1, 0] and (v != v).tolist() == [0, 0]
    assert {x: 1, v: 2}[v] == 2 and len({v, v, Variable([1.0, 2.0])}) == 2


REFUSED = {  # what, on a symbolic array or on a variable while something is recorded
    "exp": np.exp,
    "sum": np.sum,
    "maximum": lambda x: np.maximum(x, 0),
    "where": lambda x: np.where(x > 0, x, 0),
    "stack": lambda x: np.stack([x, x]),
    "array": np.array,
    "reshape": lambda x: np.reshape(x, (1, -1)),
    "float": float,
    "if": lambda x: 1 if x > 0 else 0,
    "bool": bool,
    "not": lambda x: not x,
    "and": lambda x: x > 0 and x < 1,
    "list": list,
    "unpack": lambda x: [*x],
    "for": lambda x: [part for part in x],
    "max": max,
    "sorted": sorted,
}


@pytest.mark.parametrize("kind", ["symbolic", "variable"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_recording_follows_no_values(name, kind):
    with Recorder(1) as recorder:
        x = recorder.rows_input("x", (3,)) if kind == "symbolic" else Variable([1.0, 2.0])
        with pytest.raises(TypeError) as caught:
            REFUSED[name](x)
    assert PARTS.fullmatch(str(caught.value)) and "fastnn.ops" in str(caught.value)


def test_symbols_of_another_recording_are_refused():
    kept, other = Recorder(1).rows_input("x", (3,)), Recorder(1).rows_input("x", (3,))
    with pytest.raises(RuntimeError, match="expected one of this recording; to fix it, "):
        kept + other


def test_variables_of_another_type_are_refused():
    """C reads float32; other memory would be misread."""
    recorder = Recorder(1)
    with pytest.raises(TypeError, match="variable 'v': received dtype float64; expected float32") as caught:
        recorder.rows_input("x", (2,)) * Variable([1.0, 2.0], name="v", dtype="float64")
    assert PARTS.fullmatch(str(caught.value)) and not recorder.areas[1:]
    assert Variable([1, 2]).dtype == np.float32


# Wrong calls: x is a symbolic array of shape (batch, 3, 4), a variable or an array of shape (5, 3, 4)

SYMBOLIC, ANY = ("symbolic",), ("symbolic", "variable", "array")
INDEXED = ("symbolic", "variable")
WRONG = {
    "add-string": (ANY, lambda x: ops.add(x, "1"), TypeError, "received '1'"),
    "add-none": (ANY, lambda x: ops.add(x, None), TypeError, "received None"),
    "none-add": (ANY, lambda x: ops.add(None, x), TypeError, "received None"),
    "add-object": (ANY, lambda x: ops.add(x, object()), TypeError, "received <object"),
    "add-complex": (ANY, lambda x: ops.multiply(x, 1j), TypeError, "received 1j"),
    "add-ragged": (ANY, lambda x: ops.add(x, [[1], [1, 2]]), TypeError, "received "),
    "operator-none": (INDEXED, lambda x: x + None, TypeError, "received None"),
    "equal-none": (INDEXED, lambda x: x == None, TypeError, "received None"),  # noqa: E711
    "greater-string": (INDEXED, lambda x: x > "a", TypeError, "received 'a'"),
    "power-string": (ANY, lambda x: ops.power(x, "2"), TypeError, "received '2'"),
    "clip-string": (ANY, lambda x: ops.clip(x, "0", 1), TypeError, "received '0'"),
    "clip-none": (ANY, lambda x: ops.clip(x, None, 1), TypeError, "received None"),
    "where-string": (ANY, lambda x: ops.where("x", x, x), TypeError, "received 'x'"),
    "abs-none": (ANY, lambda x: ops.abs(None), TypeError, "received None"),
    "exp-string": (ANY, lambda x: ops.exp("a"), TypeError, "received 'a'"),
    "add-sizes": (INDEXED, lambda x: x + np.ones((2, 4)), ValueError, "sizes that are equal or 1"),
    "where-sizes": (ANY, lambda x: ops.where(x, x[..., :2], 0.0), ValueError, "sizes that are equal or 1"),
    "batch-in-the-middle": (SYMBOLIC, lambda x: x + x[:, 0], ValueError, r"the batch \(None\) stays axis 0"),
    "batch-of-two-sizes": (SYMBOLIC, lambda x: x + np.ones((7, 3, 4)), ValueError, "stays axis 0"),
    "matmul-sizes": (ANY, lambda x: ops.matmul(x, np.ones((3, 4))), ValueError, "last axis of 3"),
    "matmul-stacks": (ANY, lambda x: ops.matmul(x, np.ones((5, 3, 2))), ValueError, r"\(..., m, k\)"),
    "matmul-number": (ANY, lambda x: ops.matmul(x, 2.0), ValueError, r"\(..., m, k\)"),
    "matmul-none": (ANY, lambda x: ops.matmul(None, x), TypeError, "received None"),
    "matmul-batch": (SYMBOLIC, lambda x: x[:, 0] @ np.ones((2, 4, 3)), ValueError, "with the batch in front"),
    "sum-axis": (ANY, lambda x: ops.sum(x, axis=3), ValueError, "axis: received 3"),
    "mean-axis-float": (ANY, lambda x: ops.mean(x, axis=1.0), TypeError, "axis: received 1.0"),
    "max-axis-string": (ANY, lambda x: ops.max(x, axis="last"), TypeError, "axis: received 'last'"),
    "min-axis-bool": (ANY, lambda x: ops.min(x, axis=True), TypeError, "axis: received True"),
    "sum-axis-twice": (ANY, lambda x: ops.sum(x, axis=(1, -2)), ValueError, "axes that differ"),
    "sum-none": (ANY, lambda x: ops.sum(None), TypeError, "received None"),
    "max-of-nothing": (ANY, lambda x: ops.max(x[:, :, :0], axis=2), ValueError, "at least one element"),
    "reshape-sizes": (ANY, lambda x: ops.reshape(x, (-1, 7)), ValueError, "shape: received"),
    "reshape-batch": (SYMBOLIC, lambda x: ops.reshape(x, (3, 4)), ValueError, "-1 for the batch"),
    "reshape-float": (ANY, lambda x: ops.reshape(x, (-1, 12.0)), TypeError, "tuple of integers"),
    "reshape-string": (ANY, lambda x: ops.reshape(x, "12"), TypeError, "tuple of integers"),
    "reshape-none": (ANY, lambda x: ops.reshape(None, (1,)), TypeError, "received None"),
    "expand": (ANY, lambda x: ops.expand_dims(x, 4), ValueError, "axis: received 4"),
    "expand-batch": (SYMBOLIC, lambda x: ops.expand_dims(x, 0), ValueError, "-1 for the batch"),
    "squeeze": (ANY, lambda x: ops.squeeze(x, 1), ValueError, "axes of size 1"),
    "transpose-twice": (ANY, lambda x: ops.transpose(x, (0, 1, 1)), ValueError, "each of the axes 0 to 2 once"),
    "transpose-few": (ANY, lambda x: ops.transpose(x, (0, 1)), ValueError, "each of the axes 0 to 2 once"),
    "transpose-number": (ANY, lambda x: ops.transpose(x, 1), TypeError, "a tuple of integers"),
    "transpose-batch": (SYMBOLIC, ops.transpose, ValueError, r"the batch \(0\) first"),
    "concatenate-array": (ANY, ops.concatenate, TypeError, "xs: received an array"),
    "concatenate-nothing": (ANY, lambda x: ops.concatenate([]), TypeError, "xs: received \\[\\]"),
    "concatenate-none": (ANY, lambda x: ops.concatenate([x, None]), TypeError, "received None"),
    "concatenate-axis": (ANY, lambda x: ops.concatenate([x, x], axis=3), ValueError, "axis: received 3"),
    "concatenate-batch": (SYMBOLIC, lambda x: ops.concatenate([x, x], axis=0), ValueError, "not that of the batch"),
    "concatenate-sizes": (ANY, lambda x: ops.concatenate([x, x[..., :1]], axis=1), ValueError, "along axis 1"),
    "slice-axes": (ANY, lambda x: ops.slice(x, (0, 0), (1, 1)), ValueError, "a start and a size per axis"),
    "slice-outside": (ANY, lambda x: ops.slice(x, (0, 0, 3), (1, 1, 2)), ValueError, "within the array"),
    "slice-negative": (ANY, lambda x: ops.slice(x, (0, 0, -1), (1, 1, 1)), ValueError, "within the array"),
    "slice-float": (ANY, lambda x: ops.slice(x, (0, 0, 0.0), (1, 1, 1)), TypeError, "tuple of integers"),
    "index-float": (INDEXED, lambda x: x[:, 0.5], TypeError, "index: received 0.5"),
    "index-outside": (INDEXED, lambda x: x[:, 3], ValueError, "index: received 3"),
    "index-string": (INDEXED, lambda x: x[:, "a"], TypeError, "index: received 'a'"),
    "index-list": (INDEXED, lambda x: x[:, [0, 1]], TypeError, "index: received \\[0, 1\\]"),
    "index-array": (INDEXED, lambda x: x[:, np.array([0, 1])], TypeError, "index: received an array"),
    "index-mask": (INDEXED, lambda x: x[:, :, x > 0], TypeError, "index: received an array"),
    "index-many": (INDEXED, lambda x: x[:, 0, 0, 0], ValueError, "at most 3 positions"),
    "index-dots": (INDEXED, lambda x: x[..., ...], ValueError, "one '...'"),
    "index-slice-float": (INDEXED, lambda x: x[:, 0.5:], TypeError, "index: received slice"),
    "index-step-0": (INDEXED, lambda x: x[:, ::0], ValueError, "index: received slice"),
    "index-batch": (SYMBOLIC, lambda x: x[0], ValueError, "':' for the batch"),
    "index-batch-part": (SYMBOLIC, lambda x: x[1:], ValueError, "':' for the batch"),
    "index-batch-array": (SYMBOLIC, lambda x: x[np.array([0, 1])], ValueError, "':' for the batch"),
    "index-batch-mask": (SYMBOLIC, lambda x: x[x > 0], ValueError, "':' for the batch"),
    "repeat": (ANY, lambda x: ops.broadcast_like(x, np.ones((3, 1))), ValueError, r"one that broadcasts to \(3, 1\)"),
    "attribute": (SYMBOLIC, lambda x: ops.exp(x, out=x), TypeError, "attribute 'out'"),
}
MAKE = {
    "symbolic": lambda: Recorder(2).rows_input("x", (3, 4)),
    "variable": lambda: Variable(np.ones((5, 3, 4))),
    "array": lambda: np.ones((5, 3, 4)),
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, row in WRONG.items() for kind in row[0]])
def test_wrong_call(name, kind):
    _, call, error, says = WRONG[name]
    x = MAKE[kind]()
    with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
        call(x)
    assert isinstance(caught.value, error) and PARTS.fullmatch(str(caught.value)), caught.value
    assert re.search(says, str(caught.value), re.S), caught.value


# Shapes


def test_plain_arrays_follow_numpy():
    assert ops.add([1, 2], 3).tolist() == [4, 5]
    assert ops.multiply(np.ones((2, 1), np.float32), np.arange(3)).shape == (2, 3)
    assert ops.divide(np.ones(2, np.float32), 3).dtype == np.float32
    assert ops.subtract(1, 0.5) == 0.5
    assert ops.negative(np.array([1, -2])).tolist() == [-1, 2]


@pytest.mark.parametrize("a, b", [((4,), (3,)), ((4,), ()), ((3,), (2, 1)), ((), (1,))])
def test_shapes_that_do_not_broadcast(a, b):
    """Sizes that differ, and a batch that would meet another axis."""
    recorder = Recorder(rows=3)
    with pytest.raises(ValueError, match=r"sizes that are equal or 1.*the batch \(None\) stays axis 0"):
        recorder.rows_input("a", a) + recorder.rows_input("b", b)


@pytest.mark.parametrize(
    "x, shape, result",
    [
        ((None, 6), (-1, 2, 3), (None, 2, 3)),
        ((None, 6), (-1, -1, 2), (None, 3, 2)),
        ((None, 2, 3), (-1, 6), (None, 6)),
        ((None,), (-1, 1), (None, 1)),
        ((4, 3), (-1,), (12,)),
        ((4, 3), (2, -1), (2, 6)),
        ((), (1,), (1,)),
        ((0, 3), (3, -1), (3, 0)),
        ((1,), (), ()),
    ],
)
def test_reshape(x, shape, result):
    assert OPS["reshape"].output_shapes(x, shape=shape) == [result]


@pytest.mark.parametrize(
    "x, shape",
    [
        ((None, 6), (2, 3)),
        ((None, 6), (-1, 4)),
        ((None, 6), (-1, -1, 4)),
        ((None, 6), ()),
        ((4, 3), (5, -1)),
        ((4, 3), (-1, -1)),
        ((4, 3), (13,)),
        ((4, 3), (-2, -6)),
        ((0, 3), (0, -1)),
    ],
)
def test_wrong_reshapes(x, shape):
    with pytest.raises(ValueError, match="shape: received"):
        OPS["reshape"].output_shapes(x, shape=shape)
