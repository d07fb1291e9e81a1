"""Elementary functions on a stride through all float32 values: accuracy, special values, equal bits.

An ulp is the distance of neighbouring float32 numbers in the binade of the exact result; among the
denormals it is the smallest denormal. The references are those of NumPy and `math` in float64.
"""

import math

import mpmath
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


def in_ulp(got, want):
    """Errors in ulp. What overflows counts as the next power of two, where infinity begins for a rounding."""
    got, want = (np.clip(a, -OVERFLOW, OVERFLOW) for a in (got, want))
    _, exponents = np.frexp(want)  # want = m 2^exponent with 1/2 <= |m| < 1
    return np.abs(got - want) / np.ldexp(1.0, np.maximum(exponents, -125) - 24)


@pytest.mark.parametrize("name", ULPS)
def test_error_in_ulp(name):
    (reference, bound), x = ULPS[name], samples()
    with np.errstate(all="ignore"):
        got, x = compute(name, x).astype(np.float64), x.astype(np.float64)
        want = reference(x)
    assert (np.isnan(got) == np.isnan(want)).all()
    numbers = ~np.isnan(want)
    x, got, want = (a[numbers] for a in (x, got, want))
    errors = in_ulp(got, want)
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


# The power, on pairs

EXPONENTS = [-INF, -3, -2, -0.5, -0.0, 0, 0.5, 2, 3, INF, NAN]
POWERS = [  # of a base: what C99 (F.9.4.4) and arithmetic say for each of these exponents
    (-INF, [0, -0.0, 0, 0, 1, 1, INF, INF, -INF, INF, NAN]),
    (-2, [0, -1 / 8, 1 / 4, NAN, 1, 1, NAN, 4, -8, INF, NAN]),
    (-1, [1, -1, 1, NAN, 1, 1, NAN, 1, -1, 1, NAN]),
    (-1 / 2, [INF, -8, 4, NAN, 1, 1, NAN, 1 / 4, -1 / 8, 0, NAN]),
    (-0.0, [INF, -INF, INF, INF, 1, 1, 0, 0, -0.0, 0, NAN]),
    (0, [INF, INF, INF, INF, 1, 1, 0, 0, 0, 0, NAN]),
    (1 / 4, [INF, 64, 16, 2, 1, 1, 1 / 2, 1 / 16, 1 / 64, 0, NAN]),
    (1, [1] * 11),
    (4, [0, 1 / 64, 1 / 16, 1 / 2, 1, 1, 2, 16, 64, INF, NAN]),
    (INF, [0, 0, 0, 0, 1, 1, INF, INF, INF, INF, NAN]),
    (NAN, [NAN, NAN, NAN, NAN, 1, 1, NAN, NAN, NAN, NAN, NAN]),
]
EXACT_POWERS = [  # triples of base, exponent and result
    *((x, y, z) for x, row in POWERS for y, z in zip(EXPONENTS, row, strict=True)),
    *((-1, sign * y, 1) for y in (2**22, 2**23, 2**24 - 2, 2**24, 2**25, HUGE) for sign in (1, -1)),
    *((-1, sign * y, -1) for y in (1, 2**22 + 1, 2**23 - 1, 2**23 + 1, 2**24 - 1) for sign in (1, -1)),
    *((-1, y, NAN) for y in (SMALLEST, TINY, 1 - 2**-24, 1 + 2**-23, 2**22 - 0.5, 2**22 + 0.5, 2**23 - 0.5)),
    *((x, SMALLEST, 1) for x in (SMALLEST, TINY, 2, HUGE)),
    *((x, HUGE, 0) for x in (SMALLEST, TINY, 0.5, 1 - 2**-24, -SMALLEST, -0.5)),
    *((x, HUGE, INF) for x in (1 + 2**-23, 2, HUGE, -2, -HUGE)),
    *((2, n, 2.0**n) for n in range(-149, 128)),
    *((-2, n, (-2.0) ** n) for n in range(-149, 128)),
    *((2, 128, INF), (2, -150, 0), (-2, 129, -INF), (-2, -151, -0.0)),
    *((SMALLEST, -1, INF), (-SMALLEST, -1, -INF), (-SMALLEST, 3, -0.0), (-HUGE, -5, -0.0)),
]
# Where errors are largest: an error of 2^-33 in log2, relative to it, takes them above 1 ulp.
HARD_PAIRS = [(1.33586574, -295.607483), (1.3425957, -259.981445), (1.33440578, -282.311523), (1.33600378, -283.531891)]


def power(x, y, isa=ISAS[0]):
    return kernel(OPS["power"], (x, y), {}, isa)[0]


def pairs():
    """About 400 000 bases and exponents: of all kinds, then such that the results have chosen sizes."""
    rng, n = np.random.default_rng(7), 50_000
    x = rng.integers(0, 2**32, (8, n), np.uint32).view(np.float32)
    y = rng.integers(0, 2**32, (8, n), np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        x[1:6] = np.abs(x[1:6])
        x[2] = 1 + rng.integers(1, 2 ** rng.integers(1, 24, n)) * rng.choice([-(2.0**-24), 2.0**-23], n)
        x[3] = 4 / 3 + 0.01 * rng.standard_normal(n)  # log2 has its largest relative errors around 4/3
        logs = np.log2(x[1:6].astype(np.float64))
        sizes = rng.uniform(-151, 129, logs.shape)
        sizes[3] = rng.choice([-150, -149, -126, 0, 128], n) + rng.choice([-1, 1], n) * 2.0 ** rng.uniform(-24, 0, n)
        sizes[4] = rng.choice([-1, 1], n) * 2.0 ** rng.uniform(-40, 0, n)
        y[1:6] = sizes / logs
        x[6] = rng.uniform(-20, 20, n)
    y[6] = rng.integers(-40, 41, n)
    y[7] = rng.integers(-(2**25), 2**25, n) / 2
    hard_x, hard_y = np.array(HARD_PAIRS, np.float32).T
    return np.append(x, hard_x), np.append(y, hard_y)


def assert_powers(x, y, got, want):
    """Errors below 1 ulp, of denormal results too; NaN and signs, also of zeros, where they should be."""
    assert (np.isnan(got) == np.isnan(want)).all()
    x, y, got, want = (a[~np.isnan(want)] for a in (x, y, got, want))
    assert (np.signbit(got) == np.signbit(want)).all()
    errors = in_ulp(got.astype(np.float64), want)
    worst = np.argmax(errors)
    assert errors[worst] < 1, (x[worst], y[worst], got[worst], want[worst], errors[worst])


def test_error_of_powers():
    x, y = pairs()
    with np.errstate(all="ignore"):
        want = x.astype(np.float64) ** y.astype(np.float64)
    assert_powers(x, y, power(x, y), want)
    sizes = np.abs(want[np.isfinite(want)])
    assert (sizes >= OVERFLOW).sum() > 1000
    assert (sizes < TINY).sum() > 10_000
    assert ((sizes >= TINY) & (sizes < OVERFLOW)).sum() > 200_000


def test_error_of_powers_against_many_digits():
    x, y = (a[::199] for a in pairs())
    x, y = (a[np.isfinite(x) & np.isfinite(y) & (x > 0)] for a in (x, y))
    with mpmath.workprec(80):
        want = [mpmath.mpf(float(a)) ** mpmath.mpf(float(b)) for a, b in zip(x, y, strict=True)]
        want = np.array([float(min(max(w, mpmath.mpf(2) ** -200), mpmath.mpf(2) ** 200)) for w in want])
    assert_powers(x, y, power(x, y), want)
    assert want.size > 1000


@pytest.mark.parametrize("isa", ISAS)
def test_special_powers(isa):
    x, y, want = np.array(EXACT_POWERS, np.float32).T
    got = power(x, y, isa)
    wrong = [not same_bits(g, w) for g, w in zip(got, want, strict=True)]
    assert not any(wrong), (x[wrong], y[wrong], got[wrong], want[wrong])


def test_powers_that_are_floats_are_exact():
    x = samples()
    assert same_bits(power(x, np.ones_like(x)), x)
    odd = np.arange(1, 2**12, 2, dtype=np.float32)
    x = np.concatenate([odd * np.float32(2.0**e) for e in (-60, -7, 0, 1, 51)])
    squares = x * x
    assert same_bits(power(-x, np.full_like(x, 2)), squares)
    assert same_bits(power(squares, np.full_like(x, 0.5)), x)
    small = [(m, p, m**p) for m in range(-99, 100) for p in range(1, 24) if abs(m**p) <= 2**24]
    m, p, want = np.array(small, np.float32).T
    assert same_bits(power(m, p), want)


@pytest.mark.parametrize("isa", ISAS[1:])
def test_powers_have_the_same_bits_on_every_instruction_set(isa):
    x, y = pairs()
    assert same_bits(power(x, y, isa), power(x, y))
