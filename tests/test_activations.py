"""Activations: formulas, special values, kinks, slopes and names, in NumPy and in C."""

import inspect
import math
from types import SimpleNamespace

import numpy as np
import pytest
from harness import ISAS, bounds, kernel, reference

from fastnn import activations, ops
from fastnn.config import floatx
from fastnn.ops.activations import PUBLIC
from fastnn.ops.table import OPS
from fastnn.record import Recorder

ROWS = sorted(name for name, row in OPS.items() if row.kind == "activation")
POINTS = [-700.0, -40.0, -8.5, -3.0, -1.0, -0.3, -1e-9, 0.0, 1e-9, 0.4, 0.5, 0.6, 1.0, 2.5, 7.0, 40.0, 700.0]

# Keras' definitions, word for word, on one number.
LITERAL = {
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: x if x > 0 else 0.2 * x,
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "selu": lambda x: 1.05070098735548 * (x if x > 0 else 1.67326324235438 * (math.exp(x) - 1)),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": lambda x: 1 - 2 / (math.exp(2 * min(x, 300)) + 1),
    "softplus": lambda x: math.log(math.exp(x) + 1),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
    "exponential": math.exp,
    "hard_tanh": lambda x: -1.0 if x < -1 else 1.0 if x > 1 else x,
    "abs": math.fabs,
    "cos": math.cos,
    "step": lambda x: 1.0 if x >= 0 else 0.0,
    "linear": lambda x: x,
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "celu": lambda x: max(x, 0.0) + math.exp(min(x, 0.0)) - 1,
    "softsign": lambda x: x / (1 + abs(x)),
    "squareplus": lambda x: (x + math.sqrt(x * x + 4)) / 2,
    "mish": lambda x: x * math.tanh(math.log(1 + math.exp(x))),
    "log_sigmoid": lambda x: -math.log(math.exp(-x) + 1),
    "hard_sigmoid": lambda x: 0.0 if x <= -3 else 1.0 if x >= 3 else x / 6 + 0.5,
    "hard_silu": lambda x: x * min(max(0.0, x + 3), 6.0) / 6,
    "sparse_sigmoid": lambda x: 0.0 if x <= -1 else 1.0 if x >= 1 else (x + 1) / 2,
    "sparse_plus": lambda x: 0.0 if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4,
    "tanh_shrink": lambda x: x - math.tanh(x),
    "hard_shrink": lambda x: x if abs(x) > 0.5 else 0.0,
    "soft_shrink": lambda x: x - 0.5 if x > 0.5 else x + 0.5 if x < -0.5 else 0.0,
}

# Limits at minus and plus infinity, with the sign of zero left open.
LIMITS = {
    "relu": (0.0, math.inf),
    "leaky_relu": (-math.inf, math.inf),
    "relu_general": (0.0, math.inf),
    "elu": (-1.0, math.inf),
    "selu": (-1.0507009873554805 * 1.6732632423543772, math.inf),
    "sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softplus": (0.0, math.inf),
    "silu": (0.0, math.inf),
    "gelu": (0.0, math.inf),
    "gelu_tanh": (0.0, math.inf),
    "exponential": (0.0, math.inf),
    "hard_tanh": (-1.0, 1.0),
    "absolute": (math.inf, math.inf),
    "step": (0.0, 1.0),
    "relu6": (0.0, 6.0),
    "celu": (-1.0, math.inf),
    "softsign": (-1.0, 1.0),
    "squareplus": (0.0, math.inf),
    "mish": (0.0, math.inf),
    "log_sigmoid": (-math.inf, 0.0),
    "hard_sigmoid": (0.0, 1.0),
    "hard_silu": (0.0, math.inf),
    "sparse_sigmoid": (0.0, 1.0),
    "sparse_plus": (0.0, math.inf),
    "tanh_shrink": (-math.inf, math.inf),
    "hard_shrink": (-math.inf, math.inf),
    "soft_shrink": (-math.inf, math.inf),
    "threshold": (0.0, math.inf),
}


def slope(name, x, **attrs):
    """The gradient that the row's rule gives for an upstream gradient of ones."""
    return gradient(name, np.asarray(x), np.ones(np.shape(x)), **attrs)


def gradient(name, x, dy, **attrs):
    row = OPS[name]
    attrs = row.bind(attrs)
    step = SimpleNamespace(ins=[x], outs=[row.reference(x, **attrs)], attrs=attrs)
    (dx,) = row.grad(step, dy)
    return dx


# Values


@pytest.mark.parametrize("name", LITERAL)
def test_values_follow_the_formula(name):
    got = activations.get(name)(np.array(POINTS))
    want = np.array([LITERAL[name](x) for x in POINTS])
    # The literal formulas round 1 + something: an absolute error of an epsilon, times x where x is a factor.
    scale = np.abs(want) + (np.maximum(1, np.abs(POINTS)) if name not in ("relu", "abs") else 0)
    assert got.shape == want.shape
    np.testing.assert_array_less(np.abs(got - want), 1e-14 * scale + 1e-300)


def test_the_tanh_form_of_gelu():
    got = activations.gelu(np.array(POINTS), approximate=True)
    want = [0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) for x in POINTS]
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-14)
    assert np.abs(got - activations.gelu(np.array(POINTS))).max() > 1e-4


@pytest.mark.parametrize("x", [-5.0, -10.0, -20.0])
def test_tails_below_zero_keep_their_relative_accuracy(x):
    one = np.array([x])
    assert activations.gelu(one)[0] == pytest.approx(x * math.erfc(-x / math.sqrt(2)) / 2, rel=1e-14)
    assert activations.silu(one)[0] == pytest.approx(x * math.exp(x) / (1 + math.exp(x)), rel=1e-14)
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    wanted = x * math.exp(2 * u) / (1 + math.exp(2 * u))
    assert activations.gelu(one, approximate=True)[0] == pytest.approx(wanted, rel=1e-12)


def test_values_worked_out_by_hand():
    x = np.array([-10.0, -5.0, 0.0, 5.0, 10.0])
    for got, want in (
        (activations.relu(x), [0, 0, 0, 5, 10]),
        (activations.relu(x, negative_slope=0.5), [-5, -2.5, 0, 5, 10]),
        (activations.relu(x, negative_slope=-1), [10, 5, 0, 5, 10]),
        (activations.relu(x, max_value=5.0), [0, 0, 0, 5, 5]),
        (activations.relu(x, threshold=5.0), [0, 0, 0, 0, 10]),
        (activations.relu(x, 0.1, 6, 1), [-1.1, -0.6, -0.1, 5, 6]),
        (activations.leaky_relu(x), [-2, -1, 0, 5, 10]),
        (activations.leaky_relu(x, 0.0), [0, 0, 0, 5, 10]),
        (activations.elu([-math.log(2), 0.0, 1.0], 4.0), [-2, 0, 1]),
        (activations.selu([-math.log(2), 1.0]), [-1.7580993408473766 / 2, 1.0507009873554805]),
        (activations.sigmoid([-math.log(3), 0.0, math.log(3)]), [0.25, 0.5, 0.75]),
        (activations.tanh([-math.log(2), 0.0, math.log(3) / 2]), [-0.6, 0, 0.5]),
        (activations.softplus([math.log(math.e - 1), 0.0]), [1, math.log(2)]),
        (activations.silu([-math.log(3), math.log(3)]), [-math.log(3) / 4, math.log(3) * 0.75]),
        (activations.exponential([math.log(5), 0.0]), [5, 1]),
        (activations.hard_tanh(x / 10), [-1, -0.5, 0, 0.5, 1]),
        (activations.abs(x), [10, 5, 0, 5, 10]),
        (activations.cos([0.0, math.pi / 3, math.pi]), [1, 0.5, -1]),
        (activations.step(x), [0, 0, 1, 1, 1]),
        (activations.step(x, 5.0), [0, 0, 0, 1, 1]),
        (activations.linear(x), x),
        (activations.relu6(x), [0, 0, 0, 5, 6]),
        (activations.celu([-2 * math.log(2), 0.0, 1.0], 2.0), [-1, 0, 1]),
        (activations.softsign(x), [-10 / 11, -5 / 6, 0, 5 / 6, 10 / 11]),
        (activations.squareplus([-1.5, 0.0, 1.5]), [0.5, 1, 2]),
        (activations.squareplus([-3.0, 0.0, 4.0], 0), [0, 0, 4]),
        (activations.mish([math.log(math.sqrt(3) - 1)]), [math.log(math.sqrt(3) - 1) / 2]),
        (activations.log_sigmoid([-math.log(3), 0.0]), [-math.log(4), -math.log(2)]),
        (activations.hard_sigmoid(x / 2), [0, 1 / 12, 0.5, 11 / 12, 1]),
        (activations.hard_silu([-4, -3, -1.5, 0, 1.5, 3, 4]), [0, 0, -0.375, 0, 1.125, 3, 4]),
        (activations.sparse_sigmoid([-2, -1, -0.5, 0, 1, 2]), [0, 0, 0.25, 0.5, 1, 1]),
        (activations.sparse_plus([-2, -1, -0.5, 0, 1, 2]), [0, 0, 0.0625, 0.25, 1, 2]),
        (activations.tanh_shrink([math.log(3) / 2]), [math.log(3) / 2 - 0.5]),
        (activations.hard_shrink([-0.75, -0.5, 0.5, 0.75]), [-0.75, 0, 0, 0.75]),
        (activations.hard_shrink(x, 5), [-10, 0, 0, 0, 10]),
        (activations.soft_shrink([-0.75, -0.5, 0.5, 0.75]), [-0.25, 0, 0, 0.25]),
        (activations.soft_shrink(x, 5), [-5, 0, 0, 0, 5]),
        (activations.threshold(x, 5.0, 20.0), [20, 20, 20, 20, 10]),
        (activations.glu([1.0, 2.0, -math.log(3), math.log(3)]), [0.25, 1.5]),
        (activations.sparsemax([0.5, 1.0, 0.0, -3.0]), [0.25, 0.75, 0, 0]),
        (activations.log_softmax(np.log([1.0, 2.0, 5.0])), np.log([0.125, 0.25, 0.625])),
    ):
        np.testing.assert_allclose(got, want, rtol=4e-16, atol=2e-16)


def test_softmax():
    got = activations.softmax(np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 2.0]]))
    np.testing.assert_allclose(got, [[0.125, 0.25, 0.625], [0.375, 0.375, 0.25]], rtol=1e-15)
    got = activations.softmax(np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 15.0]]), axis=0)
    np.testing.assert_allclose(got, [[0.25, 0.4, 0.25], [0.75, 0.6, 0.75]], rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ROWS)
def test_floating_types_and_shapes_stay(name, dtype):
    x = np.linspace(-2.9, 3.1, 12, dtype=dtype).reshape(3, 4)
    for shaped in (x, x[:0], x[0, 0]):
        y = OPS[name].reference(shaped)
        assert np.asarray(y).dtype == dtype and np.shape(y) == shaped.shape
        dx = gradient(name, shaped, np.ones(shaped.shape, dtype))
        assert dx.dtype == dtype and dx.shape == shaped.shape


# Special values, in NumPy and in C


@pytest.mark.parametrize("name", ROWS)
def test_nan_stays_and_infinities_give_the_limit(name):
    x = np.array([np.nan, -np.inf, np.inf])
    wanted = [math.nan, *LIMITS.get(name, (math.nan, math.nan))]
    row = OPS[name]
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(row.reference(x), wanted, rtol=1e-15)
    for isa in ISAS:
        (y,) = kernel(row, (x,), {}, isa)
        np.testing.assert_allclose(y, wanted, rtol=3e-7)


@pytest.mark.parametrize("name", [n for n in ROWS if n not in ("cosine", "relu_general")])
def test_slopes_at_infinity_are_the_limits(name):
    infinite, far = np.array([-np.inf, np.inf]), np.array([-900.0, 900.0])
    if name in ("softsign", "squareplus"):  # no exponential takes them there
        np.testing.assert_allclose(slope(name, infinite), slope(name, far), rtol=3e-6, atol=2e-6)
        infinite = far = infinite
    if name == "exponential":  # its slope is its value
        infinite = far = np.array([-np.inf])
    np.testing.assert_allclose(slope(name, infinite), slope(name, far), rtol=1e-15)


FARTHEST = [1e38, 3.4028234e38, 1e30, 1e19, 2e38, 1e-38, 1e-42, 1e-45, 0.0, math.inf]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", [n for n in ROWS if n != "cosine"])  # its arguments beyond 2^20 are taken as 0
def test_the_farthest_and_the_smallest_floats(name, isa):
    """Value and gradient are those of float64, where float32 holds them."""
    x = np.array([*FARTHEST, *(-f for f in FARTHEST)], np.float32).astype(np.float64)
    attrs = OPS[name].example(np.random.default_rng(0), 1, 1)[1]
    kept = x if keeps(name, **attrs) == "input" else reference(OPS[name], (x,), attrs)[0]
    with np.errstate(over="ignore"):
        kept = kept.astype(np.float32)
    for row, args in ((OPS[name], (x,)), (OPS[f"{name}_grad"], (np.ones_like(x), kept))):
        (got,), (want,) = kernel(row, args, attrs, isa), reference(row, args, attrs)
        with np.errstate(over="ignore", invalid="ignore"):
            (bound,), rounded = bounds(row, args, attrs, [want]), want.astype(np.float32)
            fits = (got == rounded) | (np.abs(got - want) <= bound)
        if row is OPS[name] or np.isfinite(kept).all():
            assert not np.isnan(want).any()
        assert (fits | np.isnan(want)).all(), (row.name, x[~fits], got[~fits], want[~fits])
        assert (np.isnan(got) == np.isnan(want)).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", ROWS)
def test_tolerances_hold_on_a_wide_range(name, isa):
    sizes = np.concatenate([np.geomspace(1e-38, 1e3, 500), np.linspace(0.01, 120, 700)])
    x = np.concatenate([-sizes, [-0.0, 0.0], sizes[sizes < 88] if name == "exponential" else sizes])
    attrs = OPS[name].example(np.random.default_rng(0), 1, 1)[1]
    kept = x if keeps(name, **attrs) == "input" else OPS[name].reference(x, **attrs)
    dy = np.random.default_rng(1).standard_normal(x.shape)
    for row, args in ((OPS[name], (x,)), (OPS[f"{name}_grad"], (dy, kept))):
        (got,), (want,) = kernel(row, args, attrs, isa), reference(row, args, attrs)
        (bound,) = bounds(row, args, attrs, [want])
        error = np.abs(got.astype(np.float64) - want)
        worst = np.argmax(error - bound)
        assert (error <= bound).all(), (row.name, x[worst], got[worst], want[worst])


@pytest.mark.parametrize("isa", ISAS)
def test_kinks_in_c_are_where_they_are_in_numpy(isa):
    """At a kink, and at the floats beside it: exactly equal."""
    for name, attrs, kinks in KINKS:
        ends = [(np.float32(k), np.float32(k + d)) for k, _, _ in kinks for d in (-1, 0, 1)]
        x = np.array([np.nextafter(*pair) for pair in ends])
        kept = x if keeps(name, **attrs) == "input" else OPS[name].reference(x, **attrs)
        for row, args in ((OPS[name], (x,)), (OPS[f"{name}_grad"], (np.ones_like(x), kept))):
            np.testing.assert_allclose(
                kernel(row, args, attrs, isa)[0], row.reference(*args, **attrs), rtol=3e-7, atol=1e-45
            )


# Slopes

# Row, attributes, and (kink, value there, slope there) that we promise.
KINKS = [
    ("relu", {}, [(0.0, 0.0, 0.0)]),
    ("leaky_relu", {"negative_slope": 0.25}, [(0.0, 0.0, 0.25)]),
    ("leaky_relu", {"negative_slope": -1.0}, [(0.0, 0.0, -1.0)]),
    ("relu_general", {"negative_slope": 0.5, "max_value": 2.0, "threshold": 1.0}, [(1.0, 0.0, 0.5), (2.0, 2.0, 0.0)]),
    ("elu", {"alpha": 1.5}, [(0.0, 0.0, 1.5)]),
    ("selu", {}, [(0.0, 0.0, 1.7580993408473766)]),
    ("hard_tanh", {}, [(-1.0, -1.0, 0.0), (1.0, 1.0, 0.0)]),
    ("absolute", {}, [(0.0, 0.0, 0.0)]),
    ("step", {"theta": 1.0}, [(1.0, 1.0, 0.0)]),
    ("relu6", {}, [(0.0, 0.0, 0.0), (6.0, 6.0, 0.0)]),
    ("celu", {"alpha": 1.5}, [(0.0, 0.0, 1.0)]),
    ("squareplus", {"b": 0.0}, [(0.0, 0.0, 0.0)]),
    ("hard_sigmoid", {}, [(-3.0, 0.0, 0.0), (3.0, 1.0, 0.0)]),
    ("hard_silu", {}, [(-3.0, 0.0, 0.0), (3.0, 3.0, 1.0)]),
    ("sparse_sigmoid", {}, [(-1.0, 0.0, 0.0), (1.0, 1.0, 0.0)]),
    ("sparse_plus", {}, [(-1.0, 0.0, 0.0), (1.0, 1.0, 1.0)]),
    ("hard_shrink", {"threshold": 0.75}, [(-0.75, 0.0, 0.0), (0.75, 0.0, 0.0)]),
    ("soft_shrink", {"threshold": 0.75}, [(-0.75, 0.0, 0.0), (0.75, 0.0, 0.0)]),
    ("threshold", {"threshold": 0.5, "default_value": -1.0}, [(0.5, -1.0, 0.0)]),
]


def keeps(name, **attrs):
    """Whether the gradient of a row is computed from its "input" or its "output"."""
    recorder = Recorder(rows=1)
    x = recorder.rows_input("x", (1,))
    y = recorder.record(OPS[name], (x,), attrs)
    recorder.gradients([(y, x)], [x])
    last = recorder.tape[-1]
    assert last.row.name == f"{name}_grad"
    return "input" if last.ins[1].index == x.index else "output"


@pytest.mark.parametrize("name, attrs, kinks", KINKS)
def test_values_and_slopes_at_kinks(name, attrs, kinks):
    for x, value, wanted in kinks:
        assert OPS[name].reference(np.array([x]), **attrs)[0] == value
        assert slope(name, np.array([x]), **attrs)[0] == wanted


@pytest.mark.parametrize(
    "name, attrs",
    [
        *((name, None) for name in ROWS),
        ("leaky_relu", {"negative_slope": 0.0}),
        ("leaky_relu", {"negative_slope": -1.0}),
        ("elu", {"alpha": 0.0}),
        ("relu_general", {}),
        ("relu_general", {"max_value": 6.0}),
        ("relu_general", {"negative_slope": -0.5, "threshold": -1.0}),
        ("celu", {"alpha": 0.3}),
        ("squareplus", {"b": 0.01}),
        ("hard_shrink", {"threshold": -1.0}),
    ],
)
def test_gradients_are_central_differences(name, attrs):
    row, rng, h = OPS[name], np.random.default_rng(11), 1e-6
    (x,), drawn = row.example(rng, 40, 25)
    attrs = drawn if attrs is None else attrs
    assert (x < -1).any() and (x > 1).any()
    dy = rng.standard_normal(x.shape)
    got = gradient(name, x, dy, **attrs)
    want = dy * (row.reference(x + h, **attrs) - row.reference(x - h, **attrs)) / (2 * h)
    np.testing.assert_allclose(got, want, rtol=2e-9, atol=2e-9)


def test_the_output_is_kept_where_it_tells_the_slope():
    """Only then can the activation be fused into the step before it."""
    for name in (
        "relu6",
        "celu",
        "relu",
        "leaky_relu",
        "elu",
        "selu",
        "sigmoid",
        "tanh",
        "exponential",
        "hard_tanh",
        "step",
    ):
        assert keeps(name) == "output"
    for name in (
        "mish",
        "softsign",
        "hard_sigmoid",
        "relu_general",
        "softplus",
        "silu",
        "gelu",
        "gelu_tanh",
        "absolute",
        "cosine",
    ):
        assert keeps(name) == "input"
    assert keeps("leaky_relu", negative_slope=0.0) == "output"
    assert keeps("leaky_relu", negative_slope=-0.5) == "input"


# The public module


def recorded(function, *args, **options):
    """Names of the operations that a call records."""
    recorder = Recorder(rows=3)
    result = function(recorder.rows_input("x", (4,)), *args, **options)
    assert result.shape == (None, 4)
    return [step.row.name for step in recorder.tape]


def test_every_activation_of_the_table_is_exported_and_no_helper_is():
    assert {row.op.name for row in PUBLIC.values()} == set(ROWS) - {"relu_general", "gelu_tanh"}
    assert set(activations.FUNCTIONS) == {*PUBLIC, "linear", "softmax", "log_softmax", "sparsemax", "glu"}
    named = {*activations.FUNCTIONS, *activations.ALIASES}
    assert set(activations.__all__) == {*named, "get", "serialize", "deserialize"}
    for name in ("relu_general", "gelu_tanh", "absolute", "cosine", "relu_grad", "front"):
        with pytest.raises(ValueError, match="activation: received"):
            activations.get(name)


@pytest.mark.parametrize("name", activations.FUNCTIONS)
def test_names_go_round(name):
    function = activations.get(name)
    assert function is getattr(activations, name) and function.__name__ == name
    assert activations.serialize(function) == name
    assert activations.deserialize(activations.serialize(function)) is function
    assert inspect.getdoc(function)
    assert next(iter(inspect.signature(function).parameters)) == "x"


def test_get():
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.swish is activations.silu
    assert activations.get("hard_swish") is activations.hard_swish is activations.hard_silu
    assert activations.get(len) is len
    assert activations.serialize(ops.tanh) == "tanh"
    assert activations.deserialize("mine", {"mine": len}) is len
    with pytest.raises(ValueError, match=r"activation: received 'rleu'; expected one of .*, use '[a-z]*elu'"):
        activations.get("rleu")
    with pytest.raises(TypeError, match="activation: received 3"):
        activations.get(3)
    with pytest.raises(ValueError, match=r"activation: received .*lambda.*; expected a function of"):
        activations.serialize(lambda x: x)


def test_calls_record_the_cheapest_row():
    assert recorded(activations.linear) == []
    assert recorded(activations.relu) == ["relu"]
    assert recorded(activations.relu, 0.1) == ["leaky_relu"]
    assert recorded(activations.relu, max_value=6) == ["relu_general"]
    assert recorded(activations.relu, threshold=1) == ["relu_general"]
    assert recorded(activations.gelu) == ["gelu"]
    assert recorded(activations.gelu, approximate=True) == ["gelu_tanh"]
    assert recorded(activations.abs) == ["absolute"]
    assert recorded(activations.softmax) == ["softmax"]


def test_options():
    assert str(inspect.signature(activations.elu)) == "(x, alpha=1.0)"
    assert activations.elu([-math.inf], np.float32(0.5)) == -0.5
    assert activations.sigmoid([0, 1]).dtype == floatx()
    with pytest.raises(TypeError, match="negative_slope: received 'a'"):
        activations.leaky_relu([1.0], "a")
    with pytest.raises(TypeError, match="unexpected keyword argument 'alpha'"):
        activations.tanh([1.0], alpha=1)
    for alpha in (-1.0, math.nan):
        with pytest.raises(ValueError, match=r"alpha: received .* expected a number of at least 0"):
            activations.elu([1.0], alpha=alpha)
        with pytest.raises(ValueError, match="alpha: received"):
            recorded(activations.elu, alpha=alpha)
