"""Elementary functions on a stride through all float32 values: accuracy, special values, equal bits.

An ulp is the distance of neighbouring float32 numbers in the binade of the exact result; among the
denormals it is the smallest denormal. The references are those of NumPy and `math` in float64.
"""

import math

import numpy as np
import pytest
from harness import ISAS, kernel, same_bits

from fastnn.ops.table import OPS

STRIDE = 14_321  # a prime: 585 values of each sign and exponent, with all kinds of low bits
INF, NAN = math.inf, math.nan
SMALLEST, TINY, HUGE, OVERFLOW = 2.0**-149, 2.0**-126, (2 - 2.0**-23) * 2.0**127, 2.0**128

ULPS = {  # float64 reference and bound in ulp; where the result is denormal, 2
    "exponential": (np.exp, 1.5),
    "log": (np.log, 1.5),
    "tanh": (np.tanh, 2),
    "sigmoid": (lambda x: np.where(x < 0, np.exp(x), 1) / (1 + np.exp(-np.abs(x))), 2),
    "log1p": (np.log1p, 2),
    "expm1": (np.expm1, 2),
    "erf": (lambda x: np.frompyfunc(math.erf, 1, 1)(x).astype(np.float64), 2),
}

EXACT = {  # pairs of argument and result, to the last bit and with the sign of zero
    "exponential": [(0, 1), (-0.0, 1), (SMALLEST, 1), (89, INF), (HUGE, INF), (INF, INF), (-104, 0), (-INF, 0)],
    "log": [(1, 0), (0, -INF), (-0.0, -INF), (INF, INF), (-SMALLEST, NAN), (-1, NAN), (-INF, NAN)],
    "tanh": [(0, 0), (-0.0, -0.0), (SMALLEST, SMALLEST), (HUGE, 1), (INF, 1), (-INF, -1)],
    "sigmoid": [(0, 0.5), (-0.0, 0.5), (SMALLEST, 0.5), (HUGE, 1), (INF, 1), (-HUGE, 0), (-INF, 0)],
    "log1p": [(0, 0), (-0.0, -0.0), (SMALLEST, SMALLEST), (INF, INF), (-1, -INF), (-1.5, NAN), (-INF, NAN)],
    "expm1": [(0, 0), (-0.0, -0.0), (SMALLEST, SMALLEST), (89, INF), (INF, INF), (-HUGE, -1), (-INF, -1)],
    "erf": [(0, 0), (-0.0, -0.0), (HUGE, 1), (INF, 1), (-HUGE, -1), (-INF, -1)],
}
RANGES = {"exponential": (0, INF), "sigmoid": (0, 1), "tanh": (-1, 1), "erf": (-1, 1), "expm1": (-1, INF)}


def samples():
    """About 300 000 patterns of all kinds, then the neighbours of every power of two and of some borders."""
    edges = np.concatenate([2.0 ** np.arange(-149, 128), [88.72283, 87.33654, 103.97208, 16.63553, 0.65, 0.9, 4]])
    near = np.concatenate([edges, -edges]).astype(np.float32).view(np.uint32)
    return np.concatenate([np.arange(0, 2**32, STRIDE, np.uint32), near - 1, near, near + 1]).view(np.float32)


def compute(name, x, isa=ISAS[0]):
    return kernel(OPS[name], (x,), {}, isa)[0]


@pytest.mark.parametrize("name", ULPS)
def test_error_in_ulp(name):
    (reference, bound), x = ULPS[name], samples()
    with np.errstate(all="ignore"):
        got, x = compute(name, x).astype(np.float64), x.astype(np.float64)
        want = reference(x)
    assert (np.isnan(got) == np.isnan(want)).all()
    numbers = ~np.isnan(want)
    # What overflows counts as the next power of two, which is where infinity begins for a rounding.
    x, got, want = (np.clip(a[numbers], -OVERFLOW, OVERFLOW) for a in (x, got, want))
    _, exponents = np.frexp(want)  # want = m 2^exponent with 1/2 <= |m| < 1
    errors = np.abs(got - want) / np.ldexp(1.0, np.maximum(exponents, -125) - 24)
    allowed = np.where(np.abs(want) < TINY, 2, bound)
    worst = np.argmax(errors - allowed)
    assert errors[worst] <= allowed[worst], (x[worst], got[worst], want[worst], errors[worst])
    assert numbers.sum() > 100_000


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", EXACT)
def test_special_values(name, isa):
    x, want = np.array(EXACT[name], np.float32).T
    assert same_bits(compute(name, x, isa), want), compute(name, x, isa)
    assert np.isnan(compute(name, np.array([NAN, -NAN], np.float32), isa)).all()


@pytest.mark.parametrize("name", RANGES)
def test_nothing_leaves_the_range(name):
    y, (low, high) = compute(name, samples()), RANGES[name]
    assert (np.isnan(y) | (low <= y) & (y <= high)).all()


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_odd_functions_are_odd_to_the_last_bit(name):
    x = samples()
    assert same_bits(compute(name, -x), -compute(name, x))


@pytest.mark.parametrize("name", ["cosine", "sin"])
def test_sine_and_cosine_up_to_8192(name):
    everything = samples()
    near_zero = everything[np.abs(everything) <= 2**13]
    x = np.concatenate([near_zero, np.linspace(-(2**13), 2**13, 200_001, dtype=np.float32)])
    got, want = compute(name, x), (np.cos if name == "cosine" else np.sin)(x.astype(np.float64))
    assert np.abs(got - want).max() <= 2.0**-22
    assert np.isnan(compute(name, np.array([INF, -INF, NAN], np.float32))).all()
    assert np.abs(compute(name, everything[np.isfinite(everything)])).max() <= 1


@pytest.mark.parametrize("isa", ISAS[1:])
@pytest.mark.parametrize("name", [*ULPS, "cosine", "sin"])
def test_every_instruction_set_gives_the_same_bits(name, isa):
    x = samples()
    assert same_bits(compute(name, x, isa), compute(name, x))
