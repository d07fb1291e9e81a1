"""Initializers: distributions, fans, exact values, names and wrong calls."""

import ast
import hashlib
import inspect
import json
import math
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest

from fastnn import config, initializers
from fastnn.initializers import compute_fans, get, matrices, scaling
from fastnn.initializers import random as drawn
from fastnn.initializers.random import BLOCK, HALF_MASS, TRUNCATED_STDDEV
from fastnn.ops import normal
from fastnn.ops.normal import normal_quantile
from fastnn.ops.philox import random_bits

NORMAL = NormalDist()
N = 100_000
SIGMAS = 6  # a mean or a variance is this far off with probability 2e-9
# Dvoretzky-Kiefer-Wolfowitz-Massart: P(sup |F_n - F| > d) <= 2 exp(-2 n d**2) = 1e-9.
DKW = math.sqrt(math.log(2e9) / (2 * N))

SEEDED = [
    "RandomUniform",
    "RandomNormal",
    "TruncatedNormal",
    "VarianceScaling",
    "GlorotUniform",
    "GlorotNormal",
    "HeUniform",
    "HeNormal",
    "LecunUniform",
    "LecunNormal",
    "Orthogonal",
]
NAMES = {
    **{name: name for name in ["Zeros", "Ones", "Constant", "Identity", *SEEDED]},
    "identity": "Identity",
    "IdentityInitializer": "Identity",
    "orthogonal": "Orthogonal",
    "OrthogonalInitializer": "Orthogonal",
    "zeros": "Zeros",
    "ones": "Ones",
    "constant": "Constant",
    "zero": "Zeros",
    "one": "Ones",
    "random_uniform": "RandomUniform",
    "random_normal": "RandomNormal",
    "uniform": "RandomUniform",
    "normal": "RandomNormal",
    "truncated_normal": "TruncatedNormal",
    "variance_scaling": "VarianceScaling",
    "glorot_uniform": "GlorotUniform",
    "glorot_normal": "GlorotNormal",
    "he_uniform": "HeUniform",
    "he_normal": "HeNormal",
    "lecun_uniform": "LecunUniform",
    "lecun_normal": "LecunNormal",
}


def make(name, **kwargs):
    return getattr(initializers, name)(**kwargs)


# ---- the inverse normal ---------------------------------------------------------------------------


def centred_probabilities():
    """Odd multiples of 2**-53: both branches' borders, the ends, and tails down to 2**-53."""
    rng = np.random.default_rng(0)
    q = np.concatenate(
        [
            rng.uniform(-0.5, 0.5, 2000),
            0.5 - 2.0 ** -rng.uniform(2, 52, 2000),
            [0.425, -0.425, 0.5 - math.exp(-25), 2.0**-53, 0.5 - 2.0**-53],
        ]
    )
    odd = 2 * np.floor(q * 2.0**52) + 1  # |odd| < 2**52, so 1/2 + q is exact too
    q = odd * 2.0**-53
    return np.concatenate([q, -q])


def test_quantile_against_the_standard_library():
    q = centred_probabilities()
    expected = np.array([NORMAL.inv_cdf(0.5 + value) for value in q])
    # Each of the two is within 1e-15.
    assert np.max(np.abs(normal_quantile(q) - expected) / np.abs(expected)) < 2e-15


def test_quantile_against_mpmath():
    mpmath = pytest.importorskip("mpmath")
    q = centred_probabilities()[::9]
    with mpmath.workdps(40):
        exact = [mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(value)) for value in q]
        errors = [abs(mpmath.mpf(z) / e - 1) for z, e in zip(normal_quantile(q).tolist(), exact, strict=True)]
    assert max(errors) < 1e-15


def test_log_is_within_its_stated_error():
    mpmath = pytest.importorskip("mpmath")
    x = 2.0 ** -np.random.default_rng(1).uniform(1, 53, 1000)
    x = np.concatenate([x, [0.5, np.nextafter(0.5, 0), math.sqrt(0.5) / 2, 2.0**-53, 2.0**-1022]])
    with mpmath.workdps(40):
        errors = [
            abs(mpmath.mpf(y) / mpmath.log(value) - 1)
            for y, value in zip(normal._log(x).tolist(), x.tolist(), strict=True)
        ]
    assert max(errors) < 2.0**-52


def test_quantile_is_odd():
    q = centred_probabilities()
    np.testing.assert_array_equal(normal_quantile(-q), -normal_quantile(q))


def test_constants_of_the_truncated_normal():
    assert pytest.approx(math.erf(math.sqrt(2)) / 2, rel=2**-52) == HALF_MASS
    # Variance given |Z| < 2 is 1 - 2 * 2 phi(2) / P(|Z| < 2).
    assert pytest.approx(math.sqrt(1 - 2 * NORMAL.pdf(2) / HALF_MASS), rel=1e-14) == TRUNCATED_STDDEV


def test_truncated_ends_stay_within_two():
    """The 20,000 uniforms nearest to each end: elsewhere z is further from 2 than its error."""
    q = HALF_MASS * 2 * ((2.0 * np.arange(20_000) + 1 - 2**52) * 2.0**-53)
    for z in (normal_quantile(q), normal_quantile(-q)):
        assert np.abs(z).max() <= 2 and np.abs(z).min() > 2 - 1e-9


def test_no_function_of_libm_reaches_a_weight():
    libm = {
        "exp",
        "exp2",
        "expm1",
        "log",
        "log2",
        "log10",
        "log1p",
        "pow",
        "power",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arctanh",
        "cbrt",
        "hypot",
        "erf",
        "erfc",
        "random",
        "linalg",
        "matmul",
        "dot",
        "einsum",
    }
    trees = [ast.parse(inspect.getsource(module)) for module in (drawn, matrices, scaling, normal)]
    used = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & libm


# ---- distributions --------------------------------------------------------------------------------


def truncated_cdf(z):
    return (NORMAL.cdf(z) - 0.5) / (2 * HALF_MASS) + 0.5


# name, arguments, shape of N values, mean, standard deviation, cumulative distribution function
SQUARE = 1000, 100  # fans 1000 and 100
STDDEV_550 = math.sqrt(1 / 550)  # fan_avg of SQUARE
DISTRIBUTIONS = [
    ("RandomUniform", {"minval": -1.0, "maxval": 3.0}, (N,), 1.0, 4 / math.sqrt(12), lambda x: (x + 1) / 4),
    ("RandomNormal", {"mean": 3.0, "stddev": 2.0}, (N,), 3.0, 2.0, NormalDist(3, 2).cdf),
    (
        "TruncatedNormal",
        {"mean": -1.0, "stddev": 2.0},
        (N,),
        -1.0,
        2 * TRUNCATED_STDDEV,
        lambda x: truncated_cdf((x + 1) / 2),
    ),
    (
        "VarianceScaling",
        {"distribution": "untruncated_normal", "scale": 4.0},
        SQUARE,
        0.0,
        math.sqrt(4 / 1000),
        NormalDist(0, math.sqrt(4 / 1000)).cdf,
    ),
    (
        "VarianceScaling",
        {"distribution": "uniform", "mode": "fan_out"},
        SQUARE,
        0.0,
        0.1,
        lambda x: x / (0.2 * math.sqrt(3)) + 0.5,
    ),
    (
        "VarianceScaling",
        {},
        SQUARE,
        0.0,
        math.sqrt(1e-3),
        lambda x: truncated_cdf(x / math.sqrt(1e-3) * TRUNCATED_STDDEV),
    ),
    ("GlorotUniform", {}, SQUARE, 0.0, STDDEV_550, lambda x: x / (2 * math.sqrt(6 / 1100)) + 0.5),
    ("GlorotNormal", {}, SQUARE, 0.0, STDDEV_550, lambda x: truncated_cdf(x / STDDEV_550 * TRUNCATED_STDDEV)),
    ("HeUniform", {}, SQUARE, 0.0, math.sqrt(2e-3), lambda x: x / (2 * math.sqrt(6e-3)) + 0.5),
    ("HeNormal", {}, SQUARE, 0.0, math.sqrt(2e-3), lambda x: truncated_cdf(x / math.sqrt(2e-3) * TRUNCATED_STDDEV)),
    ("LecunUniform", {}, SQUARE, 0.0, math.sqrt(1e-3), lambda x: x / (2 * math.sqrt(3e-3)) + 0.5),
    ("LecunNormal", {}, SQUARE, 0.0, math.sqrt(1e-3), lambda x: truncated_cdf(x / math.sqrt(1e-3) * TRUNCATED_STDDEV)),
]


@pytest.mark.parametrize("name, kwargs, shape, mean, stddev, cdf", DISTRIBUTIONS)
def test_distribution(name, kwargs, shape, mean, stddev, cdf):
    values = make(name, seed=17, **kwargs)(shape, "float64").ravel()
    assert abs(values.mean() - mean) < SIGMAS * stddev / math.sqrt(N)
    # Var((x - mean)**2) = (kurtosis - 1) stddev**4, and the kurtosis of all of these is at most 3.
    assert abs(np.mean((values - mean) ** 2) / stddev**2 - 1) < SIGMAS * math.sqrt(2 / N)
    expected = np.array([cdf(value) for value in np.sort(values).tolist()])
    steps = np.arange(N + 1) / N
    distance = max(np.max(steps[1:] - expected), np.max(expected - steps[:-1]))
    assert distance < DKW + 2.0**-24  # the grid of the uniform values


def test_neighbours_are_not_correlated():
    values = make("RandomNormal", stddev=1.0, seed=5)((N,), "float64")
    for lag in (1, 15, 16, 48, 64):
        product = values[lag:] * values[:-lag]  # mean 0, variance 1
        assert abs(product.mean()) < SIGMAS / math.sqrt(product.size)


def test_uniform_is_the_top_24_bits():
    values = make("RandomUniform", minval=0.0, maxval=1.0, seed=9)((BLOCK + 70,))
    grid = values.astype(np.float64) * 2**24
    np.testing.assert_array_equal(grid[:BLOCK], random_bits(1, BLOCK, 9, 0, 0)[0] // 256)
    np.testing.assert_array_equal(grid[BLOCK:], random_bits(1, 70, 9, 0, 0, first_row=1)[0] // 256)


def test_normal_is_the_quantile_of_52_bits_and_a_half():
    high, low = (random_bits(1, 100, 9, 0, word)[0].tolist() for word in (0, 1))
    values = make("RandomNormal", stddev=1.0, seed=9)((100,), "float64")
    expected = [NORMAL.inv_cdf((2 * (h * 2**20 + l // 2**12) + 1) / 2**53) for h, l in zip(high, low, strict=True)]
    np.testing.assert_allclose(values, expected, rtol=2e-15, atol=0)


@pytest.mark.parametrize("bits", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_bits_stay_in_the_open_interval(monkeypatch, bits, dtype):
    monkeypatch.setattr(drawn, "random_bits", lambda rows, width, *_, **__: np.full((rows, width), bits, np.uint32))
    (normal,) = make("RandomNormal", stddev=1.0, seed=0)((1,), dtype)
    assert abs(normal) == pytest.approx(-NORMAL.inv_cdf(2.0**-53), rel=1e-6)
    assert abs(make("TruncatedNormal", stddev=1.0, seed=0)((1,), dtype)[0]) <= 2
    for low, high in [(0.0, 1.0), (-0.05, 0.05), (100.0, 101.0), (1.0, 1 + 2.0**-23)]:
        (value,) = make("RandomUniform", minval=low, maxval=high, seed=0)((1,), dtype)
        assert np.dtype(dtype).type(low) <= value < np.dtype(dtype).type(high)


def test_float32_is_float64_rounded_once():
    for name in ("RandomNormal", "TruncatedNormal", "GlorotNormal", "GlorotUniform"):
        wide, narrow = (make(name, seed=4)((300, 40), dtype) for dtype in ("float64", "float32"))
        assert (wide.dtype, narrow.dtype) == (np.float64, np.float32)
        np.testing.assert_array_equal(wide.astype(np.float32), narrow)


@pytest.mark.parametrize("name", ["RandomUniform", "RandomNormal", "TruncatedNormal"])
def test_an_element_depends_on_its_index_alone(name):
    whole = make(name, seed=6)((2 * BLOCK + 70,))
    for n in (0, 1, 17, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 1):
        np.testing.assert_array_equal(make(name, seed=6)((n,)), whole[:n])
    np.testing.assert_array_equal(make(name, seed=6)((2, 5, 7)).ravel(), whole[:70])
    assert make(name, seed=6)(()) == whole[0]
    for first, second in pairwise([0, BLOCK, 2 * BLOCK]):
        assert not np.array_equal(whole[first : first + 70], whole[second : second + 70])


def test_degenerate_distributions():
    np.testing.assert_array_equal(make("RandomNormal", mean=0.25, stddev=0, seed=1)((3,)), [0.25] * 3)
    np.testing.assert_array_equal(make("RandomUniform", minval=2, maxval=2, seed=1)((3,)), [2.0] * 3)


# Little-endian float32 of shape (2, 3): a change here changes everybody's seeded results.
GOLDEN = [
    ("RandomUniform", 1, "a3d91f3d a6e68c3c c3edcebc 300cd33c e3a1cebc 6a260bbd"),
    ("RandomNormal", 1, "b9797b3d 8873b63c 9ad00bbd 61170f3d 9c940bbd 516e4bbd"),
    ("TruncatedNormal", 1, "ad1f693d be9ead3c ab7404bd e181073d c13c04bd f9d13ebd"),
    ("GlorotUniform", 2, "bb4127be bd0a6fbf 9be4973d b9d331bf 185142bf 68e07b3f"),
    ("GlorotNormal", 2, "850804be 083773bf f6ca6e3d 5ba61cbf 402230bf 10e7863f"),
    ("HeUniform", 3, "0a688c3f 918a4dbf d1f16d3f 8841a0bf 508fba3f d575163e"),
    ("HeNormal", 3, "8d48773f d1b02abf b1ed493f 96b793bf 30d2bb3f 44b0ec3d"),
    ("LecunUniform", 2**64 - 1, "77e002be f0db79bf ba2080bf f4ac0e3e a2237e3e 09ba2cbe"),
    ("LecunNormal", 2**64 - 1, "7510cebd 242372bf 0c7a7cbf 9cc0e03d 648b493e 523e08be"),
    ("Orthogonal", 1, "b14e493f 51d8dfbe 4578dfbe 981c6c3d 2d5f413f 081c27bf"),
]


@pytest.mark.parametrize("name, seed, expected", GOLDEN)
def test_golden_values(name, seed, expected):
    assert make(name, seed=seed)((2, 3)).astype("<f4").tobytes().hex(" ", 4) == expected


def test_golden_orthogonal_matrix():
    """A larger one: its sums have many terms, whose order numerical libraries choose by the machine."""
    values = make("Orthogonal", seed=7)((70, 50)).astype("<f4")
    assert hashlib.sha256(values.tobytes()).hexdigest()[:32] == "ce99f3d073688c4bed403e63a2183ce4"


# ---- seeds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SEEDED)
def test_seeds(name):
    first = make(name, seed=1)
    np.testing.assert_array_equal(first((4, 5)), first((4, 5)))
    np.testing.assert_array_equal(first((4, 5)), make(name, seed=np.int64(1))((4, 5)))
    assert not np.array_equal(first((4, 5)), make(name, seed=2)((4, 5)))
    assert not np.array_equal(first((4, 5)), make(name, seed=1 + 2**32)((4, 5)))


@pytest.mark.parametrize("name", SEEDED)
def test_without_a_seed_every_instance_has_a_stream(name, monkeypatch):
    streams = iter([7, 8, 7])
    monkeypatch.setattr(config, "seed", lambda: 3)
    monkeypatch.setattr(config, "next_stream", lambda: next(streams))
    first, second, again = make(name), make(name), make(name)
    monkeypatch.setattr(config, "seed", lambda: 4)  # too late: the seed is that of the construction
    np.testing.assert_array_equal(first((4, 5)), first((4, 5)))
    np.testing.assert_array_equal(first((4, 5)), again((4, 5)))
    assert not np.array_equal(first((4, 5)), second((4, 5)))
    assert first.get_config()["seed"] is None


# ---- fans -----------------------------------------------------------------------------------------

FANS = [
    ((), 1, 1),
    ((7,), 7, 7),
    ((784, 10), 784, 10),
    ((5, 16, 32), 80, 160),
    ((3, 3, 16, 32), 144, 288),
    ((2, 3, 4, 5, 6), 120, 144),
    ((0, 4), 0, 4),
    ((0,), 0, 0),
    ([3, 4], 3, 4),
]
FANS_ALONG = [  # shape, axes of the inputs and the outputs, fans
    ((512, 8, 64), [0], [1, 2], 512, 512),
    ((512, 8, 64), (0, 1), (2,), 4096, 64),
    ((512, 8, 64), [-3], range(-2, 0), 512, 512),
    ((3, 4), [1], [0], 4, 3),
]


@pytest.mark.parametrize("shape, fan_in, fan_out", FANS)
def test_fans(shape, fan_in, fan_out):
    assert compute_fans(shape) == (fan_in, fan_out)


@pytest.mark.parametrize("shape, inputs, outputs, fan_in, fan_out", FANS_ALONG)
def test_fans_along_given_axes(shape, inputs, outputs, fan_in, fan_out):
    assert compute_fans(shape, inputs, outputs) == (fan_in, fan_out)


@pytest.mark.parametrize("name, units", [("LecunUniform", 12), ("GlorotUniform", (12 + 35) / 2), ("HeUniform", 6)])
def test_scale_by_given_axes(name, units):
    limit = math.sqrt(3 / units)
    weight = make(name, seed=8, input_axes=[1, 2], output_axes=[0, 3])((5, 3, 4, 7))
    expected = make("RandomUniform", minval=-limit, maxval=limit, seed=8)((5, 3, 4, 7))
    np.testing.assert_allclose(weight, expected, rtol=2e-7)


@pytest.mark.parametrize("mode, n", [("fan_in", 144), ("fan_out", 288), ("fan_avg", 216)])
def test_variance_scaling_takes_n_from_the_mode(mode, n):
    limit = math.sqrt(3 * 0.5 / n)
    scaled = make("VarianceScaling", scale=0.5, mode=mode, distribution="uniform", seed=8)
    np.testing.assert_array_equal(
        scaled((3, 3, 16, 32)), make("RandomUniform", minval=-limit, maxval=limit, seed=8)((3, 3, 16, 32))
    )


def test_no_inputs_count_as_one():
    assert make("HeNormal", seed=1)((0, 4)).shape == (0, 4)
    assert abs(make("LecunUniform", seed=1)(())) <= math.sqrt(3)


def test_normal_means_truncated_normal():
    assert make("VarianceScaling", distribution="Normal").distribution == "truncated_normal"


# ---- orthogonal matrices --------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (5, 5), (40, 17), (17, 40), (2, 3, 10), (3, 4, 60), (0, 3)])
@pytest.mark.parametrize("gain", [1.0, -2.0])
def test_orthogonal(shape, gain):
    weight = make("Orthogonal", gain=gain, seed=3)(shape, "float64")
    assert weight.shape == shape and weight.flags.c_contiguous
    matrix = weight.reshape(-1, shape[-1]) / gain
    rows, columns = matrix.shape
    gram = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
    # Householder 1958: each reflection is orthogonal but for some roundings (Higham 2002, theorem 19.4)
    np.testing.assert_allclose(gram, np.eye(min(rows, columns)), rtol=0, atol=1e-14 * max(shape))
    single = make("Orthogonal", gain=gain, seed=3)(shape)
    np.testing.assert_array_equal(single, weight.astype(np.float32))
    columns = single.reshape(matrix.shape).astype(np.float64) / gain
    gram = columns.T @ columns if len(columns) >= columns.shape[1] else columns @ columns.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n, k", [(6, 6), (30, 7), (64, 50)])
def test_orthogonal_is_the_q_of_lapack(n, k):
    """Q is unique once the diagonal of R is positive."""
    a = make("RandomNormal", stddev=1.0, seed=4)((n, k), "float64")
    q, r = np.linalg.qr(a)
    np.testing.assert_allclose(make("Orthogonal", seed=4)((n, k), "float64"), q * np.sign(np.diag(r)), atol=1e-12)


def test_orthogonal_matrices_are_uniformly_distributed():
    """The first column is as likely as its opposite, in each coordinate: of variance 1/n (Mezzadri 2007)."""
    first = np.array([make("Orthogonal", seed=seed)((4, 4), "float64")[:, 0] for seed in range(2000)])
    assert np.abs(first.mean(0)).max() < SIGMAS * math.sqrt(1 / 4 / 2000)
    assert np.abs((first**2).mean(0) - 1 / 4).max() < SIGMAS / 4 * math.sqrt(2 / 2000)


def test_orthogonal_of_dependent_columns():
    a = np.zeros((4, 3))
    a[:, 1] = 1.0
    q = matrices.orthonormal(a.copy())
    np.testing.assert_allclose(q.T @ q, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(np.triu(q.T @ a), q.T @ a, atol=1e-15)  # R


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8, 100])
def test_sums_in_a_fixed_order(rows):
    a = np.random.default_rng(rows).standard_normal((rows, 3))

    def tree(values):
        """The same sum, number by number."""
        while len(values) > 1:
            half = (len(values) + 1) // 2
            values = [values[i] + values[half + i] if half + i < len(values) else values[i] for i in range(half)]
        return values[0]

    expected = [tree(column) for column in a.T.tolist()]
    assert matrices.column_sums(a.copy()).tolist() == expected


def test_identity():
    for shape in [(3, 3), (2, 4), (4, 2), (0, 3)]:
        values = make("Identity", gain=2)(shape)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, 2 * np.eye(*shape))


# ---- constants, configs, names --------------------------------------------------------------------


def test_constants():
    assert make("Zeros")((2, 3)).dtype == np.float32
    np.testing.assert_array_equal(make("Zeros")((2, 3), "float64"), np.zeros((2, 3)))
    np.testing.assert_array_equal(make("Ones")((), np.float64), 1.0)
    np.testing.assert_array_equal(make("Constant", value=3)((2, 2)), np.full((2, 2), 3.0))
    table = np.arange(6.0).reshape(2, 3)
    values = make("Constant", value=table)((2, 3))
    np.testing.assert_array_equal(values, table)
    assert values.flags.owndata and values.flags.writeable
    np.testing.assert_array_equal(make("Constant", value=[1, 2])((3, 2)), [[1, 2]] * 3)


@pytest.mark.parametrize("name", ["Zeros", "Ones", "Constant", "Identity", *SEEDED])
def test_config_round_trip(name):
    kwargs = {"seed": 5} if name in SEEDED else {}
    first = make(name, **kwargs)
    described = json.loads(json.dumps(first.get_config()))
    assert list(described) == list(inspect.signature(type(first)).parameters)
    second = get({"class_name": name, "config": described})
    assert type(second) is type(first) and second.get_config() == first.get_config()
    np.testing.assert_array_equal(first((3, 4)), second((3, 4)))


def test_config_of_an_array_is_json():
    first = make("Constant", value=np.arange(3))
    second = initializers.Constant.from_config(json.loads(json.dumps(first.get_config())))
    np.testing.assert_array_equal(first((3,)), second((3,)))


@pytest.mark.parametrize("name, cls", NAMES.items())
def test_names(name, cls):
    assert type(get(name)) is getattr(initializers, cls)
    if name not in ("zero", "one", "normal", "uniform"):
        assert getattr(initializers, name) is getattr(initializers, cls)


def test_get_of_other_identifiers():
    instance = make("HeNormal")

    def own(shape, dtype=None):
        return np.zeros(shape, dtype)

    assert get(None) is None
    assert get(instance) is instance
    assert get(own) is own
    array = np.arange(6.0).reshape(2, 3)
    given = get(array)
    array[0, 0] = 9.0  # a copy was kept
    assert given((2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]] and given([2, 3], "float64").dtype == np.float64
    with pytest.raises(ValueError, match=r"^shape: received \(3,\); expected \(2, 3\), that of the array"):
        given((3,))
    assert type(get(initializers.HeNormal)) is initializers.HeNormal
    assert type(get({"class_name": "he_normal"})) is initializers.HeNormal


@pytest.mark.parametrize("name", sorted(set(NAMES.values())))
def test_serialize(name):
    first = make(name, **({"seed": 5} if name in SEEDED else {}))
    described = json.loads(json.dumps(initializers.serialize(first)))
    second = initializers.deserialize(described)
    assert type(second) is type(first) and second.get_config() == first.get_config()
    third = first.clone()
    assert third is not first and type(third) is type(first) and third.get_config() == first.get_config()


def test_clones_without_a_seed_differ():
    first = make("RandomNormal")
    assert not np.array_equal(first((5,)), first.clone()((5,)))


def test_deserialize_with_custom_objects():
    class Threes(initializers.Initializer):
        def __init__(self, gain=1.0):
            self.gain = gain

    made = initializers.deserialize({"class_name": "Threes", "config": {"gain": 2.0}}, {"Threes": Threes})
    assert type(made) is Threes and made.gain == 2.0
    assert type(initializers.deserialize("Threes", {"Threes": Threes})) is Threes
    assert type(initializers.deserialize("zeros", {"Threes": Threes})) is initializers.Zeros


def test_a_subclass_may_keep_the_base_config():
    class Twos(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.full(shape, 2, dtype)

    assert type(Twos.from_config(Twos().get_config())) is Twos
    assert get(Twos)((2,), "float32").tolist() == [2, 2]
    with pytest.raises(NotImplementedError, match="__call__"):
        initializers.Initializer()((2,))


# ---- wrong calls ----------------------------------------------------------------------------------

WRONG_ARGUMENTS = [
    ("RandomNormal", {"stddev": -0.1}, ValueError, "stddev"),
    ("TruncatedNormal", {"stddev": -1}, ValueError, "stddev"),
    ("RandomNormal", {"stddev": 10**400}, ValueError, "stddev"),
    ("RandomNormal", {"mean": math.nan}, ValueError, "mean"),
    ("RandomNormal", {"mean": "0"}, TypeError, "mean"),
    ("RandomNormal", {"mean": True}, TypeError, "mean"),
    ("RandomNormal", {"mean": None}, TypeError, "mean"),
    ("RandomUniform", {"minval": 1, "maxval": 0}, ValueError, "minval"),
    ("RandomUniform", {"maxval": math.inf}, ValueError, "maxval"),
    ("RandomUniform", {"minval": -1e308, "maxval": 1e308}, ValueError, "maxval"),
    ("VarianceScaling", {"scale": 0}, ValueError, "scale"),
    ("VarianceScaling", {"scale": -1.0}, ValueError, "scale"),
    ("VarianceScaling", {"scale": "1"}, TypeError, "scale"),
    ("VarianceScaling", {"mode": "fan"}, ValueError, "mode"),
    ("VarianceScaling", {"mode": None}, TypeError, "mode"),
    ("VarianceScaling", {"distribution": "gauss"}, ValueError, "distribution"),
    ("VarianceScaling", {"distribution": ["uniform"]}, TypeError, "distribution"),
    ("VarianceScaling", {"input_axes": [0]}, ValueError, "output_axes"),
    ("GlorotUniform", {"output_axes": [0]}, ValueError, "input_axes"),
    ("HeNormal", {"input_axes": 0, "output_axes": [1]}, TypeError, "input_axes"),
    ("HeNormal", {"input_axes": [0], "output_axes": [1.5]}, TypeError, "output_axes"),
    ("Orthogonal", {"gain": "2"}, TypeError, "gain"),
    ("Orthogonal", {"gain": math.inf}, ValueError, "gain"),
    ("Identity", {"gain": None}, TypeError, "gain"),
    ("Constant", {"value": "1"}, TypeError, "value"),
    ("Constant", {"value": None}, TypeError, "value"),
    ("Constant", {"value": 1j}, TypeError, "value"),
    ("Constant", {"value": [[1], [1, 2]]}, TypeError, "value"),
    *[
        (name, {"seed": seed}, error, "seed")
        for name in SEEDED
        for seed, error in [
            (-1, ValueError),
            (2**64, ValueError),
            (1.0, TypeError),
            ("1", TypeError),
            (True, TypeError),
        ]
    ],
]


@pytest.mark.parametrize("name, kwargs, error, argument", WRONG_ARGUMENTS)
def test_wrong_arguments(name, kwargs, error, argument):
    with pytest.raises(error, match=rf"^{argument}: received .*; expected .*; to fix it, "):
        make(name, **kwargs)


@pytest.mark.parametrize("name", ["Zeros", "Ones", "Constant", "Identity", *SEEDED])
@pytest.mark.parametrize(
    "shape, dtype, error, argument",
    [
        (5, None, TypeError, "shape"),
        ("34", None, TypeError, "shape"),
        (None, None, TypeError, "shape"),
        ((2, 1.0), None, TypeError, "shape"),
        ((2, None), None, TypeError, "shape"),
        ((True, 2), None, TypeError, "shape"),
        ((-1, 2), None, ValueError, "shape"),
        ((2**63,), None, ValueError, "shape"),
        ((2**40, 2**40), None, ValueError, "shape"),
        ((0, 2**70), None, ValueError, "shape"),
        ((2,), "float16", ValueError, "dtype"),
        ((2,), int, ValueError, "dtype"),
        ((2,), 7, TypeError, "dtype"),
        ((2,), ">f4" if np.little_endian else "<f4", ValueError, "dtype"),
        ((2,), "flaot32", TypeError, "dtype"),
    ],
)
def test_wrong_calls(name, shape, dtype, error, argument):
    with pytest.raises(error, match=rf"^{argument}: received .*; expected .*; to fix it, "):
        make(name)(shape, dtype)


def test_constant_that_does_not_fit():
    with pytest.raises(ValueError, match=r"^value: received .*broadcasts to the shape \(3,\)"):
        make("Constant", value=[1, 2])((3,))


@pytest.mark.parametrize(
    "identifier, error",
    [
        ("glorot", ValueError),
        ("Initializer", ValueError),
        ("", ValueError),
        (3, TypeError),
        (int, TypeError),
        ({}, TypeError),
        ({"class_name": "Dense", "config": {}}, ValueError),
        ({"class_name": []}, TypeError),
    ],
)
def test_unknown_names(identifier, error):
    with pytest.raises(error, match=r"^initializer: received .*; expected one of .*'he_normal'"):
        get(identifier)


def test_a_misspelt_name_is_recognised():
    with pytest.raises(ValueError, match="use 'glorot_uniform'"):
        get("GlorotUnifrom".lower())
