"""Sums add in the one order that is promised, each step of it rounded once: checked to the last bit.

Other orders would pass every test with a tolerance, and every comparison of threads and instruction sets too,
since all of them would share the mistake.
"""

import numpy as np
import pytest
from harness import ISAS, kernel, same_bits

from fastnn import ops
from fastnn.execute import NativeExecutor
from fastnn.ops.table import OPS
from fastnn.plan import plan
from fastnn.program import DATA, STEP
from fastnn.record import Recorder

RNG = np.random.default_rng(8)


def numbers(*shape):
    """Floats of very different sizes, so that most additions round."""
    return (RNG.standard_normal(shape) * 2.0 ** RNG.integers(-8, 9, shape)).astype(np.float32)


def fused(a, b, c):
    """a * b + c of float32 arrays, rounded once.

    The product is exact in float64. The sum is rounded to odd there: where it is not exact, the last of its bits
    is set, so that the second rounding, to float32, cannot meet a tie that is none.
    """
    product, c = a.astype(np.float64) * b, np.asarray(c, np.float64)
    total = product + c
    back = total - product
    rest = (product - (total - back)) + (c - back)  # what rounding left over (Knuth's two-sum)
    bits = total.view(np.int64)
    inwards = (rest != 0) & ((rest < 0) == (total > 0))  # the exact sum is nearer to 0: truncate
    odd = np.where(rest != 0, (bits - inwards) | 1, bits)
    return odd.view(np.float64).astype(np.float32)


def chain(x, w):
    """x_bi w_io: one chain of fused multiply-adds over i, from +0."""
    y = np.zeros((len(x), w.shape[1]), np.float32)
    for i in range(len(w)):
        y = fused(x[:, i, np.newaxis], w[i], y)
    return y


def tree(lanes):
    """Sum of 16 lanes."""
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = lanes[:half] + lanes[half:]
    return lanes[0]


def lane_sum(terms):
    """Element i is added to lane i mod 16; one tree adds the lanes."""
    lanes = np.zeros(16, np.float32)
    for i in range(0, len(terms), 16):
        part = terms[i : i + 16]
        lanes[: len(part)] += part
    return tree(lanes)


def test_a_fused_multiply_add_rounds_once():
    """1 + 2^-24 lies between two floats, and a tiny product beside it decides; two roundings lose it."""
    one, half, tiny = (np.array([2.0**e], np.float32) for e in (0, -24, -80))
    above = np.float32(1 + 2.0**-23)
    assert fused(half, one, one) == 1 and fused(half, one, above) == np.float32(1 + 2.0**-22)
    assert fused(tiny, one, one) == 1 and fused(-tiny, one, one) == 1
    near = np.array([1 + 2.0**-12], np.float32)  # its square is 1 + 2^-11 + 2^-24
    for c, wanted in ((0.0, 1 + 2.0**-11), (2.0**-60, 1 + 2.0**-11 + 2.0**-23), (-(2.0**-60), 1 + 2.0**-11)):
        assert fused(near, near, np.array([c], np.float32)) == np.float32(wanted)


@pytest.mark.parametrize("isa", ISAS)
def test_a_product_is_one_chain_and_the_bias_comes_last(isa):
    x, w, b, dz = numbers(9, 530), numbers(530, 35), numbers(35), numbers(9, 35)
    assert same_bits(kernel(OPS["dense"], (x, w, None), {}, isa)[0], chain(x, w))
    assert same_bits(kernel(OPS["dense"], (x, w, b), {}, isa)[0], chain(x, w) + b)
    assert same_bits(kernel(OPS["dense_grad_input"], (dz, w), {}, isa)[0], chain(dz, w.T))
    x, dz = numbers(270, 18), numbers(270, 35)
    assert same_bits(kernel(OPS["dense_grad_kernel"], (x, dz), {}, isa)[0], chain(x.T, dz))
    assert same_bits(kernel(OPS["dense_grad_bias"], (dz,), {}, isa)[0], np.cumsum(dz, axis=0)[-1])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("width", [1, 15, 16, 17, 100])
def test_a_sum_along_a_row_has_sixteen_lanes_and_one_tree(width, isa):
    y, t = numbers(5, width), numbers(5, width)
    (got,) = kernel(OPS["mean_absolute_error"], (y, t), {}, isa)
    assert same_bits(got, np.array([lane_sum(np.abs(row)) for row in y - t]) / np.float32(width))
    (got,) = kernel(OPS["mean_squared_error"], (y, t), {}, isa)
    assert same_bits(got, np.array([lane_sum(row * row) for row in y - t]) / np.float32(width))


@pytest.mark.parametrize("isa", ISAS)
def test_samples_are_added_in_their_order_in_float64(isa):
    values, weights = numbers(300, 3), np.abs(numbers(300))
    (got,) = kernel(OPS["weighted_sum"], (values, weights), {}, isa)
    w = np.repeat(weights.astype(np.float64), 3)
    assert got.tolist() == [np.cumsum(w * values.ravel())[-1], np.cumsum(w)[-1]]


def in_c(function, x, isa):
    """A function of one array, recorded and run."""
    recorder, one = Recorder(rows=1), np.zeros(1, np.int64)
    y = function(recorder._area(DATA, "x", x.shape, "float32"))
    recorder.output(y, "y", STEP)
    data = {"x": x, "y": np.zeros((1, *y.shape), np.float32)}
    NativeExecutor(plan(recorder.program()), recorder.variables, isa).run(data, one, one + 1)
    return data["y"][0]


def chunked_sum(terms):
    """Chunks of 4096 elements in lanes; these are added in float64, in order."""
    return sum((float(lane_sum(terms[i : i + 4096])) for i in range(0, len(terms), 4096)), 0.0)


@pytest.mark.parametrize("isa", ISAS)
def test_a_long_sum_has_chunks(isa):
    x = numbers(3, 9001)
    wanted = np.array([chunked_sum(row) for row in x])
    assert same_bits(in_c(lambda x: ops.sum(x, -1), x, isa), wanted.astype(np.float32))
    assert same_bits(in_c(lambda x: ops.mean(x, -1), x, isa), (wanted / 9001).astype(np.float32))
    wanted = np.array([chunked_sum(row) for row in x[:, ::2]], np.float32)
    assert same_bits(in_c(lambda x: ops.sum(x[:, ::2], -1), x, isa), wanted)


@pytest.mark.parametrize("isa", ISAS)
def test_a_sum_of_columns_is_a_chain_for_each(isa):
    x = numbers(5000, 83)
    wanted = np.cumsum(x, axis=0)[-1]
    assert same_bits(in_c(lambda x: ops.sum(x, 0), x, isa), wanted)
    assert same_bits(in_c(lambda x: ops.mean(x, 0), x, isa), wanted / np.float32(5000))
