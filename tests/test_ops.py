"""`fastnn.ops` for users. Each function is written once and called with NumPy's functions and with fastnn's.

NumPy in float64 says what is right. Recorded, the function must give that in the NumPy executor, and the gradients
that central differences show; in C every step has to stay within the tolerance of its row, and all bits are alike on
any instruction set and for any number of threads. It runs on two batches, of which the last is short.
"""

import itertools
import math
import operator
from types import SimpleNamespace

import numpy as np
import pytest
from harness import ISAS, Guarded, computed, gradients, kernel, same_bits
from nets import THREADS

from fastnn import execute, ops, variable
from fastnn.execute import NativeExecutor, NumpyExecutor
from fastnn.ops.table import OPS
from fastnn.plan import plan
from fastnn.program import ROWS, STEP
from fastnn.record import Recorder
from fastnn.variable import Variable

B = None  # the axis of the batch
FIRST, COUNTS = np.array([0, 5]), np.array([5, 3])
SAMPLES, PLANNED = 8, 5
INF, NAN = math.inf, math.nan


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


# NumPy's functions, and those that it lacks
NUMPY = SimpleNamespace(
    **{name: value for name, value in vars(np).items() if name != "broadcast_to"},
    erf=np.vectorize(math.erf, otypes=[float]),
    softmax=softmax,
    dense=lambda x, w, b: x @ w + b,
    broadcast_like=lambda x, like: np.broadcast_to(x, like.shape),
    broadcast_to=lambda x, shape: np.broadcast_to(x, [n if n >= 0 else len(x) for n in shape]),
    prelu=lambda x, alpha: np.where(x > 0, x, alpha * x),
    maxout=lambda z, k: z.reshape(*z.shape[:-1], k, -1).max(-2),
    squared_distances=lambda x, c: ((x[..., np.newaxis] - c) ** 2).sum(-2),
    mean_squared_error=lambda y, t: np.mean((y - t) ** 2, axis=-1),
    batch_moments=lambda x: (np.mean(x, axis=(*range(x.ndim - 1),)), np.var(x, axis=(*range(x.ndim - 1),))),
    standardize=lambda x, mean, variance, gamma=1, beta=0, *, epsilon, own=0: (
        (x - mean) / np.sqrt(variance + epsilon) * gamma + beta
    ),
    layer_normalization=lambda x, gamma=1, beta=0, *, epsilon: (
        (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon) * gamma + beta
    ),
)


def batched(shape):
    return shape[:1] == (B,)


def draw(rng, shape):
    """Numbers from 0.5 to 2 that are the same in float32 and float64, in a batched array for all samples."""
    return rng.uniform(0.5, 2, (SAMPLES, *shape[1:]) if batched(shape) else shape).astype(np.float32).astype(float)


def split(array, cut):
    """What each batch sees of an array."""
    return [array[f : f + n] if cut else array for f, n in zip(FIRST, COUNTS, strict=True)]


class Recording:
    """A function with its gradients by all arrays: those that begin with the batch are inputs, the others variables."""

    def __init__(self, function, shapes, dtype):
        rng = np.random.default_rng(5)
        self.function, self.shapes, self.dtype = function, shapes, dtype
        self.arrays = [draw(rng, shape) for shape in shapes]
        self.recorder, self.data, self.kinds = Recorder(PLANNED, dtype), {}, {}
        with self.recorder as recorder:
            inputs = [self._bind(f"x{i}", *pair) for i, pair in enumerate(zip(shapes, self.arrays, strict=True))]
            y = function(ops, *inputs)
            self.by_rows = batched(y.shape)
            self.upstream = draw(rng, y.shape) - 1.2
            seed = recorder.symbol(self._bind("upstream", y.shape, self.upstream))
            gradients = recorder.gradients([(y, seed)], [recorder.symbol(x) for x in inputs])
            for i, symbol in enumerate((y, *gradients)):
                self.kinds[f"y{i}"] = ROWS if batched(symbol.shape) else STEP
                recorder.output(symbol, f"y{i}", self.kinds[f"y{i}"])
        self.program = plan(recorder.program(), force_threads=True)
        self.stepwise = plan(recorder.program(), force_threads=True, stepwise=True)

    def _bind(self, name, shape, array):
        if not batched(shape):
            return Variable(array, dtype=self.dtype)
        self.data[name] = array.astype(self.dtype)
        return self.recorder.rows_input(name, shape[1:])

    def run(self, executor, **kwargs):
        """The result and the gradients: for all samples, or one of each batch."""
        areas = {area.name: area.shape for area in self.program.areas}
        results = {
            name: np.full((SAMPLES, *areas[name][1:]) if kind == ROWS else (2, *areas[name]), 77, self.dtype)
            for name, kind in self.kinds.items()
        }
        assert executor.run(self.data | results, FIRST, COUNTS, **kwargs).batches == 2
        return list(results.values())

    def native(self, isa=ISAS[0], threads=1, stepwise=False):
        program = self.stepwise if stepwise else self.program
        return self.run(NativeExecutor(program, self.recorder.variables, isa), threads=threads)

    def at_once(self, arrays, xp):
        """The result computed with a namespace's functions of arrays."""
        inputs = zip(*(split(a, batched(s)) for a, s in zip(arrays, self.shapes, strict=True)), strict=True)
        results = [np.asarray(self.function(xp, *batch), float) for batch in inputs]
        return np.concatenate(results) if self.by_rows else np.stack(results)

    def slopes(self, gradients, h=1e-6):
        """For each array how fast the result changes along a random direction: by its gradient, and by NumPy."""
        rng = np.random.default_rng(7)

        def sums(array):
            return np.array([part.sum() for part in (split(array, True) if self.by_rows else array)])

        for k, (array, shape) in enumerate(zip(self.arrays, self.shapes, strict=True)):
            direction = rng.standard_normal(array.shape)
            ends = [[*self.arrays[:k], array + s * direction, *self.arrays[k + 1 :]] for s in (h, -h)]
            high, low = (sums(self.at_once(arrays, NUMPY) * self.upstream) for arrays in ends)
            products = gradients[k] * direction
            parts = split(products, True) if batched(shape) else products
            yield np.array([part.sum() for part in parts]), (high - low) / (2 * h)


def check(function, shapes, monkeypatch):
    """All that is said at the top."""
    exact = Recording(function, shapes, "float64")
    want = exact.at_once(exact.arrays, NUMPY)
    np.testing.assert_allclose(exact.at_once(exact.arrays, ops), want, rtol=1e-12, atol=1e-14)
    variables = [x if batched(s) else Variable(x, dtype="float64") for x, s in zip(exact.arrays, shapes, strict=True)]
    np.testing.assert_allclose(exact.at_once(variables, ops), want, rtol=1e-12, atol=1e-14)

    oracle, sizes = NumpyExecutor(exact.stepwise, exact.recorder.variables, "float64"), []
    oracle.trace = lambda step, outs: sizes.extend(np.abs(out).max(initial=0) for out in outs)
    results = exact.run(oracle)
    np.testing.assert_allclose(results[0], want, rtol=1e-12, atol=1e-12)
    for by_gradient, by_differences in exact.slopes(results[1:]):
        np.testing.assert_allclose(by_gradient, by_differences, rtol=1e-6, atol=1e-7 * max(sizes))

    native = Recording(function, shapes, "float32")
    with monkeypatch.context() as patch:
        patch.setenv("FASTNN_DEBUG", "3")  # refuses a step beyond its tolerance: tests/test_debug.py
        first = native.native(stepwise=True)
    for isa in ISAS:
        for threads in THREADS[:3] if isa == ISAS[0] else THREADS[:2][-1:]:
            assert all(map(same_bits, native.native(isa, threads), first)), (isa, threads)
    for got, result in zip(first, results, strict=True):  # coarse; the fine bounds are those of the steps
        np.testing.assert_allclose(got, result, rtol=1e-5, atol=1e-5 * max(sizes))


# Broadcasting

PAIRS = [
    ((B, 3, 4), (B, 3, 4)),
    ((B, 3, 4), (4,)),
    ((3, 1), (B, 3, 4)),
    ((B, 1, 4), (B, 3, 1)),
    ((B, 1, 1), ()),
    ((), (B,)),
    ((B, 17), (1, 17)),
    ((4,), (3, 1)),
]
OPERATORS = {
    name: getattr(operator, name)
    for name in ("add", "sub", "mul", "truediv", "pow", "eq", "ne", "lt", "le", "gt", "ge")
}
BINARY = {name: lambda xp, a, b, f=f: f(a, b) * 1.0 for name, f in OPERATORS.items()}
NAMED = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "maximum", "minimum"]
BINARY |= {name: lambda xp, a, b, n=name: getattr(xp, n)(a, b) for name in ("maximum", "minimum")}
BINARY["where"] = lambda xp, a, b: xp.where(a > b, a, b * b) + xp.where(b, a, 1.5)
BINARY["ties"] = lambda xp, a, b: xp.maximum(a, a) * xp.minimum(b, b) + (a == a)
BINARY["clip"] = lambda xp, a, b: xp.clip(a * b, 1, 1.5)


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_broadcasting(name, shapes, monkeypatch):
    check(BINARY[name], shapes, monkeypatch)


# Functions of one array of shape (batch, 3, 4), and of a variable of shape (3, 4)

ELEMENTWISE = {
    "add": lambda xp, a: 1.7 + (a + 2),
    "subtract": lambda xp, a: 1.5 - (a - 0.3),
    "multiply": lambda xp, a: -0.7 * (a * np.float32(0.75)),
    "divide": lambda xp, a: 0.7 / (a / 0.7),
    "power": lambda xp, a: a**2 + a**0.5 + a**3 + a**-1.5 + 2**a + xp.power(0.5, a) + a**0 + a**1,
    "negative base": lambda xp, a: (a - 3) ** 3 + (a - 3) ** -2 + xp.abs(a - 1.2) ** 1.5,
    "compare": lambda xp, a: (a > 1) * a + (a < 1) * 2.0 + (a == 1) + (a != 1) + (a <= 1) + (a >= 1.5) + (a > 0.7),
    "maximum": lambda xp, a: xp.maximum(a, 1) * xp.minimum(0.9, a),
    "where": lambda xp, a: xp.where(a > 1, a, 0.5) * xp.where(a < 0.8, 2, a),
    "negative": lambda xp, a: -a + xp.negative(a) * 3,
    "abs": lambda xp, a: abs(a - 1.1) + xp.abs(1.3 - a),
    "roots": lambda xp, a: xp.square(a) + xp.sqrt(a),
    "exponentials": lambda xp, a: xp.exp(-a) + xp.log(a) + xp.log1p(a) + xp.expm1(a),
    "waves": lambda xp, a: xp.sin(a) * xp.cos(a) + xp.erf(a) + xp.sign(a - 1) * a,
    "numpy array": lambda xp, a: np.arange(4) * a + a / np.full((3, 1), 1.25) + np.float64(2) * a - np.array(1.5),
    "filled": lambda xp, a: xp.ones_like(a) * a + xp.zeros_like(a),
}
REDUCTIONS = {
    f"{name} over {axis}{' kept' * kept}": lambda xp, a, name=name, axis=axis, kept=kept: getattr(xp, name)(
        a * a, axis=axis, keepdims=kept
    )
    for name in ("sum", "mean", "max", "min")
    for axis, kept in ((None, False), (None, True), (0, False), (1, True), (-1, False), ((0, -1), True), ((), False))
}


def leading(a):
    """The axes before the last two, -1 for that of the batch."""
    return (-1,) * (len(a.shape) - 2)


SHAPES = {
    "reshape": lambda xp, a: xp.reshape(xp.reshape(a, (-1, 2, 6)) * 2, (-1, 4, 3)),
    "flatten": lambda xp, a: xp.exp(xp.reshape(xp.transpose(a), (-1,)) if a.shape == (3, 4) else xp.sum(a, axis=-1)),
    "swap": lambda xp, a: xp.transpose(a * 1, (*range(len(a.shape) - 2), -1, -2)) + np.ones((4, 3)),
    "expand": lambda xp, a: xp.expand_dims(a, -1) * xp.expand_dims(a[..., 1:2], -2),
    "squeeze": lambda xp, a: xp.squeeze(xp.expand_dims(a, -2), -2) * 2,
    "cut": lambda xp, a: a[..., 1:3] * a[..., ::-2],
    "turned": lambda xp, a: a[..., ::-1, :] * a[..., ::-1],
    "positions": lambda xp, a: a[..., 1, :] * a[..., -2, :1] + a[..., 0, 2, None],
    "nothing": lambda xp, a: xp.sum(a[..., 2:2], axis=-1) + a[..., 0],
    "all of it": lambda xp, a: a[...] * a[..., :],
    "join": lambda xp, a: xp.concatenate([a, a[..., ::2, :], a * a], axis=-2),
    "join many": lambda xp, a: xp.concatenate([k * a[..., k % 4 :] for k in range(1, 21)], axis=-1),
    "repeat": lambda xp, a: xp.broadcast_like(a[..., :1], a) * a + xp.broadcast_like(a[..., 1, :][..., None, :], a),
    "repeat to": lambda xp, a: xp.broadcast_to(a[..., None, :, 1:3], (*leading(a), 2, 3, 2)) * a[..., None, :, :2],
    "maxout": lambda xp, a: xp.maxout(a, k=2) * xp.maxout(a[..., ::-1], k=4),
    "softmax": lambda xp, a: xp.softmax(a[..., ::-1]) * a,
    "loss": lambda xp, a: xp.mean_squared_error(a[..., ::2], xp.ones_like(a[..., ::2])) * 3,
}
ONE = {**ELEMENTWISE, **REDUCTIONS, **SHAPES}


@pytest.mark.parametrize("shape", [(B, 3, 4), (3, 4)], ids=str)
@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_array(name, shape, monkeypatch):
    check(ONE[name], [shape], monkeypatch)


# Products, and functions made of several

PRODUCTS = [
    ((B, 4), (4, 3)),
    ((B, 2, 4), (4, 3)),
    ((B, 4), (4,)),
    ((B, 2, 4), (4,)),
    ((4,), (B, 4, 2)),
    ((4,), (4, 3)),
    ((4,), (4,)),
    ((3, 4), (4, 2)),
    ((3, 4), (B, 4, 2)),
    ((B, 2, 4), (B, 4, 3)),
    ((B, 1, 2, 4), (3, 4, 2)),
    ((B, 3, 2, 4), (B, 1, 4, 5)),
    ((B, 2, 1), (1, 3)),
]


@pytest.mark.parametrize("shapes", PRODUCTS, ids=str)
def test_products(shapes, monkeypatch):
    check(lambda xp, a, b: xp.matmul(a, b), shapes, monkeypatch)
    check(lambda xp, a, b: xp.exp((a * 0.1) @ b), shapes, monkeypatch)


VIEWS = {  # of an array, with the shape that it has to have for a view of shape (m, n)
    "itself": (lambda x: x, lambda m, n: (m, n)),
    "turned": (lambda x: ops.transpose(x), lambda m, n: (n, m)),
    "upside down": (lambda x: x[::-1], lambda m, n: (m, n)),
    "mirrored": (lambda x: x[:, ::-1], lambda m, n: (m, n)),
    "every other row": (lambda x: x[1::2], lambda m, n: (2 * m, n)),
    "every other column": (lambda x: x[:, ::2], lambda m, n: (m, 2 * n)),
    "turned, then cut": (lambda x: ops.transpose(x)[::-2, 1:], lambda m, n: (n + 1, 2 * m)),
    "one row": (lambda x: ops.broadcast_like(x[:1], x), lambda m, n: (m, n)),
    "one column": (lambda x: ops.broadcast_like(x[:, :1], x), lambda m, n: (m, n)),
}
SIZES = [(1, 1, 1), (5, 17, 33), (7, 300, 48), (13, 3, 65)]


@pytest.mark.parametrize("second", VIEWS)
def test_products_of_views_are_exact_on_integers(second):
    """Sizes around the tiles; small integers make every order of summation exact."""
    rng, isas = np.random.default_rng(3), itertools.cycle(ISAS)
    for m, k, n in SIZES:
        for first, isa in zip(VIEWS, isas, strict=False):
            (view_a, shape_a), (view_b, shape_b) = VIEWS[first], VIEWS[second]
            arrays = [rng.integers(-4, 5, shape).astype(float) for shape in (shape_a(m, k), shape_b(k, n))]

            def products(a, b, view_a=view_a, view_b=view_b):
                a, b = view_a(a), view_b(b)
                return [a @ b, ops.dense_grad_input(a, ops.transpose(b)), ops.dense_grad_kernel(ops.transpose(a), b)]

            want = view_a(arrays[0]) @ view_b(arrays[1])
            for got in computed(products, *arrays, isa=isa, threads=2):
                np.testing.assert_array_equal(got, want, f"{first}, {m} {k} {n} on {isa}")


def attention(xp, x, w):
    q, k, v = x @ w[0], x @ w[1], x @ w[2]
    return xp.softmax(q @ xp.transpose(k, (0, 2, 1)) / 2) @ v


def norm_of_layer(xp, x, scale, offset):
    centred = x - xp.mean(x, axis=-1, keepdims=True)
    return centred / xp.sqrt(xp.mean(centred**2, axis=-1, keepdims=True) + 0.001) * scale + offset


def norm_of_batch(xp, x, scale):
    centred = x - xp.mean(x, axis=0)
    return centred / xp.sqrt(xp.mean(xp.square(centred), axis=0, keepdims=True) + 0.1) * scale


def by_batch(xp, x, *rest):
    return xp.standardize(x, *xp.batch_moments(x), *rest, epsilon=0.1, own=1)


SEVERAL = {
    "batch": (by_batch, [(B, 5), (5,), (5,)]),
    "batch of images": (by_batch, [(B, 3, 2, 5), (5,), (5,)]),
    "batch, no scale": (lambda xp, x: xp.exp(by_batch(xp, x)), [(B, 17)]),
    "frozen batch": (lambda xp, *args: xp.standardize(*args, epsilon=0.1), [(B, 2, 5), (5,), (5,), (5,), (5,)]),
    "moments": (lambda xp, x: xp.batch_moments(x)[0] * xp.batch_moments(x)[1], [(B, 3, 5)]),
    "layer": (lambda xp, *args: xp.layer_normalization(*args, epsilon=0.1), [(B, 17), (17,), (17,)]),
    "layer of words": (lambda xp, *args: xp.layer_normalization(*args, epsilon=0.1), [(B, 3, 5), (5,), (5,)]),
    "layer, no scale": (lambda xp, x: xp.exp(xp.layer_normalization(x, epsilon=0.1)), [(B, 3, 5)]),
    "attention": (attention, [(B, 3, 4), (3, 4, 4)]),
    "norm of layer": (norm_of_layer, [(B, 3, 5), (5,), (5,)]),
    "norm of batch": (norm_of_batch, [(B, 5), (5,)]),
    "layers": (
        lambda xp, x, v, w, b: xp.exp(-xp.dense(xp.maximum(x @ v + b, 3), w, b)),
        [(B, 4), (4, 3), (3, 3), (3,)],
    ),
    "turned weights": (
        lambda xp, x, w: x @ xp.transpose(w) + x[:, 1::2] @ xp.transpose(w[::-1, ::2]),
        [(B, 4), (3, 4)],
    ),
    "distances": (lambda xp, x, y: xp.sqrt(xp.sum((x[:, None] - y) ** 2, axis=-1)), [(B, 3), (4, 3)]),
    "log of sum": (
        lambda xp, x: xp.log(xp.sum(xp.exp(x - xp.max(x, -1, keepdims=True)), -1)) + xp.max(x, -1),
        [(B, 6)],
    ),
    "parametric": (lambda xp, x, a, b: xp.prelu(x - 1.2, a) * xp.prelu(1.1 - x, b), [(B, 3, 4), (3, 4), (1, 4)]),
    "maxout": (lambda xp, x, w, b: xp.maxout(x @ w + b, k=3), [(B, 4), (4, 6), (6,)]),
    "radial": (
        lambda xp, x, c, s: xp.exp(xp.squared_distances(x, c) * (-0.5 / xp.square(s))),
        [(B, 2, 3), (3, 5), (5,)],
    ),
    "shared": (lambda xp, x, w: (x @ w) @ w + x * w[0] - w, [(B, 3, 3), (3, 3)]),
    "choice": (lambda xp, c, a, b: xp.where(c > 1, a, b) * xp.where(c[:, :1] > a, c, 2), [(B, 4), (4,), (B, 1)]),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_functions_of_several_arrays(name, monkeypatch):
    check(*SEVERAL[name], monkeypatch)


# Special values

SPECIAL = np.array([0.0, -0.0, 1, -1, 2.5, INF, -INF, NAN, 2.0**-140, -3e38], np.float32)


def everywhere(name, args, attrs=None):
    """What the kernel of a row gives, on every instruction set."""
    first, *others = ([kernel(OPS[name], args, attrs or {}, isa)[0]] for isa in ISAS)
    assert all(same_bits(first[0], other[0]) for other in others)
    return first[0]


@pytest.mark.parametrize("name", NAMED)
def test_pairs_of_special_values(name):
    a, b = SPECIAL[:, np.newaxis], SPECIAL
    np.testing.assert_array_equal(everywhere(name, (a, b)), getattr(np, name)(a, b))
    np.testing.assert_array_equal(getattr(ops, name)(a, b), getattr(np, name)(a, b))


def test_a_condition_holds_where_it_is_not_zero():
    a, b = np.arange(10, dtype=np.float32), -np.arange(10, dtype=np.float32)
    np.testing.assert_array_equal(everywhere("where", (SPECIAL, a, b)), np.where(SPECIAL, a, b))
    for condition in (np.zeros((3, 1)), np.ones((3, 1))):
        chosen = everywhere("where", (condition, SPECIAL, SPECIAL[::-1]))
        np.testing.assert_array_equal(chosen, np.where(condition, SPECIAL, SPECIAL[::-1]))


def test_shares_of_a_gradient_add_up():
    a, b, dy = SPECIAL[:, np.newaxis], SPECIAL, np.float32([3, -0.5])[:, np.newaxis, np.newaxis]
    to_a, to_b = everywhere("larger_grad", (dy, a, b)), everywhere("larger_grad", (dy, b, a))
    np.testing.assert_array_equal(to_a, np.where(a > b, dy, np.where(a == b, dy / 2, 0)))
    np.testing.assert_array_equal(to_a + to_b, np.where(np.isnan(a) | np.isnan(b), 0, dy))


@pytest.mark.parametrize("name", ["max", "min"])
def test_special_values_in_extremes(name):
    """At every place of rows of all lengths around a vector, in both orders that the kernel has."""
    rng = np.random.default_rng(2)
    for n in (1, 16, 17, 40):
        rows = np.concatenate(
            [rng.standard_normal((n, n)).astype(np.float32), *(np.full((1, n), v, np.float32) for v in SPECIAL)]
        )
        for value in (NAN, INF, -INF):
            x = rows.copy()
            np.fill_diagonal(x[:n], value)
            want = getattr(np, name)(x, axis=1)
            np.testing.assert_array_equal(everywhere(name, (x,), {"axes": (1,)}), want)
            np.testing.assert_array_equal(everywhere(name, (x.T.copy(),), {"axes": (0,)}), want)
            np.testing.assert_array_equal(everywhere(name, (x,), {"axes": (0, 1)}), getattr(np, name)(x))


def test_ties_share_the_gradient():
    rows = [[1, 3, 3, 2], [2, 2, 2, 2], [0, -0.0, -1, -2], [INF, INF, 1, INF], [4, 3, 2, 1]]
    shares = [[0, 3, 3, 0], [1.5] * 4, [3, 3, 0, 0], [2, 2, 0, 2], [6, 0, 0, 0]]
    assert gradients(lambda x: ops.max(x, axis=1), rows, seed=6) == [shares]
    assert gradients(lambda x: ops.min(-x, axis=1), rows, seed=-6) == [shares]
    assert gradients(lambda x: ops.max(x), [[5, 1], [5, 5]], seed=6) == [[[2, 0], [2, 2]]]
    a, b = [1, 2, 3, 0.0, INF], [2, 2, 1, -0.0, INF]
    assert gradients(ops.maximum, a, b) == [[0, 0.5, 1, 0.5, 0.5], [1, 0.5, 0, 0.5, 0.5]]
    assert gradients(ops.minimum, a, b) == [[1, 0.5, 0, 0.5, 0.5], [0, 0.5, 1, 0.5, 0.5]]
    assert gradients(lambda x: ops.maximum(x, 2), a) == [[0, 0.5, 1, 0, 1]]
    assert gradients(lambda x: x * (x > 1) * (x == x), a) == [[0, 1, 1, 0, 1]]  # by no condition


def test_gradients_where_functions_have_no_slope():
    assert gradients(ops.abs, [-2, 0, 2]) == [[-1, 0, 1]]
    assert gradients(lambda x: x**2 + x**1 + x**0, [0, 1]) == [[1, 3]]
    assert gradients(ops.power, [0, 0, 2], [2, 0, 0]) == [[0, 0, 0], [0, 0, np.float32(math.log(2))]]
    assert gradients(ops.sqrt, [0, 4]) == [[INF, 0.25]]
    assert gradients(ops.sign, [-1, 0, 3]) == [[0, 0, 0]]


def test_a_product_with_a_number_keeps_the_sign_of_zero():
    x = np.array([0.0, -0.0])
    for name, attrs, signs in (
        ("affine", {"scale": 1.0, "offset": -0.0}, [False, True]),
        ("affine", {"scale": -1.0, "offset": -0.0}, [True, False]),
    ):
        assert list(np.signbit(everywhere(name, (x,), attrs))) == signs
    recorder = Recorder(1)
    recorder.rows_input("x", ()) * -1
    assert (
        recorder.tape[0].attrs == {"scale": -1.0, "offset": -0.0}
        and math.copysign(1, recorder.tape[0].attrs["offset"]) < 0
    )


# Reductions


def test_the_error_of_long_sums():
    """Along memory 4096 terms at a time meet 255 additions in their lane, 4 of the tree, the rest is in float64;
    across memory each output is one chain."""
    n, half = 120_007, 2.0**-24
    x = np.random.default_rng(1).uniform(0.5, 2, (n, 5)).astype(np.float32)
    exact = np.array([math.fsum(column) for column in x.T])
    for axes, array, roundings in (((1,), x.T.copy(), 260), ((0,), x, n)):
        for mean, scale in ((0, 1), (1, n)):
            error = np.abs(everywhere("sum", (array,), {"axes": axes, "mean": mean}) - exact / scale)
            assert (error <= (roundings + bool(mean)) * half * 1.01 * exact / scale).all()
            assert (error > 0).any()  # there is something to be bounded
    whole = np.random.default_rng(2).integers(-9, 10, (n, 5)).astype(np.float32)
    for axes in ((0,), (1,), (0, 1)):
        np.testing.assert_array_equal(everywhere("sum", (whole,), {"axes": axes}), whole.sum(axes, np.float64))
        np.testing.assert_array_equal(
            everywhere("sum", (whole.T.copy(),), {"axes": axes}), whole.T.sum(axes, np.float64)
        )


def test_reductions_of_nothing():
    empty = np.zeros((3, 0, 2), np.float32)
    assert everywhere("sum", (empty,), {"axes": (1,)}).tolist() == [[0, 0]] * 3
    assert np.isnan(everywhere("sum", (empty,), {"axes": (1,), "mean": 1})).all()
    assert everywhere("sum", (empty,), {"axes": (0, 1, 2)}) == 0
    for name in ("sum", "max", "min"):
        assert everywhere(name, (empty,), {"axes": (0,)}).shape == (0, 2)
    for x in (empty, Variable(empty), Recorder(2).rows_input("x", (0, 2))):
        with pytest.raises(ValueError, match="at least one element along each axis"):
            ops.max(x, axis=1)


def test_more_axes_than_a_walk_has():
    """Axes that are one run of memory count once; five others are walked, six are refused."""

    def run(function, shape):
        recorder = Recorder(2)
        with recorder.label("turn"):
            recorder.output(function(recorder.rows_input("x", shape)), "y")
        return NativeExecutor(plan(recorder.program()), recorder.variables)

    run(lambda x: ops.exp(x) * x[..., ::-1, ::-1], (2,) * 8)
    run(lambda x: x[:, ::-1, :, ::-1], (2,) * 4)
    run(lambda x: ops.sum(x[:, ::-1, :, ::-1, :, ::-1, :, ::-1], axis=(1, 3, 5, 7)), (2,) * 8)
    with pytest.raises(ValueError, match="layer 'turn', array: received 6 axes; expected at most 5; to fix it"):
        run(lambda x: x[:, ::-1, :, ::-1, :, ::-1], (2,) * 5)


# Random compositions: views of all kinds in front of every kind of kernel

ARRAYS = [(B, 4, 6), (B, 6), (3, 4), (6,), (24, 24)]


class Composer:
    """The same composition for every namespace: all choices come from the seed and from the sizes behind the batch."""

    def __init__(self, xp, seed, arrays):
        self.xp, self.rng = xp, np.random.default_rng(seed)
        self.known = [(x, batched(shape)) for x, shape in zip(arrays[:4], ARRAYS, strict=False)]
        self.weights = arrays[4]

    def choose(self, choices):
        return choices[self.rng.integers(len(choices))]

    def view(self, x, first):
        """An array seen in another way; axes before `first` stay."""
        xp, rng, sizes = self.xp, self.rng, x.shape[first:]
        kind, n, whole = rng.integers(7), len(sizes), (slice(None),) * first
        if kind == 0:
            return xp.transpose(x, (*range(first), *(first + rng.permutation(n)).tolist()))
        if kind in (1, 2) and n:
            steps = [self.choose([1, 1, 2, -1, -2]) for _ in sizes]
            starts = [int(rng.integers(max(1, size // 2))) for size in sizes]
            ends = [
                slice(s, None, k) if k > 0 else slice(None, s and s - 1, k) for s, k in zip(starts, steps, strict=True)
            ]
            return x[(*whole, *ends)] if all(len(range(m)[e]) for m, e in zip(sizes, ends, strict=True)) else x
        if kind == 3 and n < 4 - first:
            return xp.expand_dims(x, first + int(rng.integers(n + 1)))
        if kind == 4:
            size = math.prod(sizes)
            part = self.choose([d for d in range(1, size + 1) if size % d == 0])
            return xp.reshape(x, (*(-1,) * first, part, size // part) if n < 4 - first else (*(-1,) * first, size))
        if kind == 5 and n:
            axis = int(rng.integers(n))
            return x[(*whole, *(slice(None),) * axis, int(rng.integers(-sizes[axis], sizes[axis])))]
        if kind == 6 and n and sizes[-1] * 3 < 50:
            return xp.broadcast_like(x[..., :1], x)
        return x

    def turned(self, x, first):
        """The array with one axis turned round, or with two axes of equal size exchanged."""
        axes = range(first, len(x.shape))
        pairs = [(i, j) for i in axes for j in axes if i < j and x.shape[i] == x.shape[j]]
        if pairs and self.rng.integers(2):
            order, (i, j) = list(range(len(x.shape))), self.choose(pairs)
            order[i], order[j] = j, i
            return self.xp.transpose(x, order)
        return (
            x[tuple(slice(None, None, -1) if i == first else slice(None) for i in range(len(x.shape)))] if axes else x
        )

    def used(self, x, first):
        """What some kernel makes of an array, and whether it has the batch in front."""
        xp, rng, n = self.xp, self.rng, len(x.shape)
        kind = rng.integers(10)
        last = x.shape[-1] if n > first else 0
        if kind == 0:
            return xp.exp(-x * x) - 0.25, first
        if kind == 1:
            return x * self.turned(x, first) + self.turned(x, first), first
        if kind == 2:
            return xp.where(x > self.turned(x, first), x, 0.5) + xp.maximum(x, 1), first
        if kind in (3, 4) and n:
            axes = tuple(i for i in range(n) if rng.integers(2))
            kept = bool(rng.integers(2)) and 0 not in axes
            reduced = self.choose([xp.sum, xp.mean, xp.max, xp.min])(x, axis=axes, keepdims=kept)
            return reduced * 0.5, int(first and 0 not in axes)
        if kind == 5 and last and n > 1:
            m, turned = int(rng.integers(1, 8)), rng.integers(3)
            w = [self.weights[:last, :m], xp.transpose(self.weights[:m, :last]), self.weights[::-2, m:0:-1][:last]][
                turned
            ]
            return (x[..., : w.shape[0]] @ w + self.known[3][0][0]) * 0.2, first
        if kind == 6 and n > 1 + first:
            return x @ xp.transpose(x, (*range(n - 2), n - 1, n - 2)) * 0.1, first
        if kind == 7 and last:
            return xp.concatenate(
                [x, self.turned(x, first), xp.sqrt(abs(x) + 1)], axis=int(rng.integers(first, n))
            ), first
        if kind == 8 and last:
            return xp.softmax(x), first
        if kind == 9 and last and n > 1:
            w, b = self.weights[:last, 2:8], self.known[3][0]
            return xp.exp(-xp.dense(xp.tanh(x[..., :24]), w, b) * 0.1), first
        return xp.sin(x) + 0.5, first

    def result(self):
        """A sum over some steps, so that all of them count."""
        total = 0
        for _ in range(3):
            x, first = self.choose(self.known)
            for _ in range(self.rng.integers(1, 4)):
                for _ in range(self.rng.integers(1, 4)):
                    x = self.view(x, int(first))
                if math.prod(x.shape[int(first) :]) > 100:
                    x = x[(*(slice(None),) * int(first), 0)]
                x, first = self.used(x, int(first))
            self.known.append((x, bool(first)))
            total = total + self.xp.sum(x, axis=tuple(range(int(first), len(x.shape))))
        return total


def composition(seed):
    return lambda xp, *arrays: Composer(xp, seed, arrays).result()


@pytest.mark.parametrize("seed", [*range(30), *(pytest.param(s, marks=pytest.mark.long) for s in range(30, 400))])
def test_random_compositions(seed, monkeypatch):
    """All memory lies between pages that must not be touched."""

    def guarded(shape, dtype):
        size = math.prod(shape) * np.dtype(dtype).itemsize
        return Guarded(size, at_end=bool(seed % 2)).memory.view(dtype).reshape(shape)

    for module in (variable, execute):
        monkeypatch.setattr(module, "aligned_empty", guarded)
    check(composition(seed), ARRAYS, monkeypatch)


# Integers

WHOLE = np.array([[3, -7, 2**24 + 1], [2**31 - 1, 0, -(2**31)]], np.int32)


def test_integers_become_numbers_where_they_meet_arithmetic():
    recorder = Recorder(2)
    n, w = recorder.rows_input("n", (3,), "int32"), Variable([0.5, 1.0, 2.0])
    x = WHOLE.astype(np.float32)
    results = {
        "turned": (n[:, ::-1], x[:, ::-1]),
        "half": (n * 0.5, x * np.float32(0.5)),
        "sum": (ops.max(n, axis=1), x.max(1)),
        "product": (n[:, :2] @ w[:2], x[:, 0] / 2 + x[:, 1]),
        "join": (ops.concatenate([n, n * w[0]]), np.concatenate([x, x / 2], 1)),
        "equal": (n == -7, WHOLE == -7),
        "chosen": (ops.where(n > 0, n, w), np.where(WHOLE > 0, x, w.numpy())),
    }
    for name, (symbol, _) in results.items():
        recorder.output(symbol, name)
    data = {name: np.zeros(want.shape, np.float32) for name, (_, want) in results.items()}
    one = np.zeros(1, np.int64)
    NativeExecutor(plan(recorder.program()), recorder.variables).run(data | {"n": WHOLE}, one, one + 2)
    for name, (_, want) in results.items():
        np.testing.assert_array_equal(data[name], want, name)


def test_views_of_integers_stay_integers():
    """One column of labels, which lie two apart, for a kernel that reads one after the other."""
    recorder = Recorder(4)
    z, labels = recorder.rows_input("z", (3,)), recorder.rows_input("labels", (2,), "int32")
    recorder.output(ops.sparse_categorical_crossentropy_from_logits(z, labels[:, 1])[0], "loss")
    rng = np.random.default_rng(0)
    data = {"z": rng.standard_normal((4, 3)).astype(np.float32), "loss": np.zeros(4, np.float32)}
    data["labels"] = np.int32([[9, 0], [9, 2], [9, 1], [9, 2]])
    one = np.zeros(1, np.int64)
    NativeExecutor(plan(recorder.program()), []).run(data, one, one + 4)
    np.testing.assert_allclose(data["loss"], -np.log(softmax(data["z"]))[range(4), [0, 2, 1, 2]], rtol=1e-5)
