"""Arithmetic of arrays and numbers, `reshape` and `fill`: dispatch, gradients, errors."""

import numpy as np
import pytest

from fastnn import ops
from fastnn.execute import NativeExecutor, NumpyExecutor
from fastnn.ops.table import OPS
from fastnn.plan import plan
from fastnn.record import Recorder

RNG = np.random.default_rng(3)
A, B = (RNG.uniform(0.5, 2, (5, 4)).astype(np.float32).astype(np.float64) for _ in "ab")

FUNCTIONS = {
    "add": lambda a, b: a + b,
    "add number": lambda a, b: a + 1.7,
    "number add": lambda a, b: 2 + a,
    "subtract": lambda a, b: a - b,
    "subtract number": lambda a, b: a - 0.3,
    "number subtract": lambda a, b: 1.5 - a,
    "multiply": lambda a, b: a * b,
    "multiply number": lambda a, b: a * np.float32(0.75),
    "number multiply": lambda a, b: -0.7 * a,
    "divide": lambda a, b: a / b,
    "divide number": lambda a, b: a / 0.7,
    "number divide": lambda a, b: 0.7 / a,
    "negative": lambda a, b: -a,
    "abs": lambda a, b: abs(a - 1.1),
    "square": lambda a, b: ops.square(a),
    "sqrt": lambda a, b: ops.sqrt(a),
    "exp": lambda a, b: ops.exp(a),
    "log": lambda a, b: ops.log(a),
    "log1p": lambda a, b: ops.log1p(a),
    "expm1": lambda a, b: ops.expm1(a),
    "erf": lambda a, b: ops.erf(a),
    "sin": lambda a, b: ops.sin(a),
    "cos": lambda a, b: ops.cos(a),
    "affine": lambda a, b: ops.affine(a, scale=1.5, offset=-0.2),
    "reshape": lambda a, b: ops.square(ops.reshape(a, (-1, 2, 2))) * ops.reshape(b, (-1, 2, 2)),
    "mixed": lambda a, b: (a * b - 1) / (2 + a) + ops.exp(-a) * b,
}


def run(function, executor, dtype, seeds=None):
    """The result of a recorded function, and with `seeds` the gradients of both inputs."""
    recorder = Recorder(rows=5, dtype=dtype)
    a, b = (recorder.rows_input(n, (4,)) for n in "ab")
    y = function(a, b)
    data = {"a": A.astype(dtype), "b": B.astype(dtype), "y": np.empty((5, *y.shape[1:]), dtype)}
    if seeds is not None:
        seed = recorder.rows_input("seed", y.shape[1:])
        data["seed"] = seeds.reshape(data["y"].shape).astype(dtype)
        for name, g in zip(("da", "db"), recorder.gradients([(y, seed)], [a, b]), strict=True):
            recorder.output(g, name)
            data[name] = np.empty((5, 4), dtype)
    recorder.output(y, "y")
    kwargs = {"dtype": dtype} if executor is NumpyExecutor else {}
    one = np.zeros(1, np.int64)
    executor(plan(recorder.program()), recorder.variables, **kwargs).run(data, one, one + 5)
    return data


@pytest.mark.parametrize("name", FUNCTIONS)
def test_recorded_values_are_numpys(name):
    function = FUNCTIONS[name]
    np.testing.assert_array_equal(run(function, NumpyExecutor, "float64")["y"], function(A, B))
    got = run(function, NativeExecutor, "float32")["y"]
    np.testing.assert_allclose(got, function(A, B), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_central_differences(name):
    function, h = FUNCTIONS[name], 1e-6
    dy = RNG.standard_normal(function(A, B).shape)
    got = run(function, NumpyExecutor, "float64", dy)
    for key, da, db in (("da", h, 0), ("db", 0, h)):
        difference = dy * (function(A + da, B + db) - function(A - da, B - db)) / (2 * h)
        np.testing.assert_allclose(got[key], difference.reshape(5, 4), rtol=1e-7, atol=1e-8)


def test_a_product_with_a_number_keeps_the_sign_of_zero():
    x = np.array([0.0, -0.0], np.float32)
    for scale, signs in ((1.0, [False, True]), (-1.0, [True, False])):
        recorder = Recorder(rows=2)
        recorder.output(recorder.rows_input("x", ()) * scale, "y")
        data, one = {"x": x, "y": np.ones(2, np.float32)}, np.zeros(1, np.int64)
        NativeExecutor(plan(recorder.program()), []).run(data, one, one + 2)
        assert list(np.signbit(data["y"])) == signs


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
