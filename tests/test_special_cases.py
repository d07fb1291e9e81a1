"""Kernels on what random examples do not reach: extremes, ties, NaN, wrong labels, denormals, edges of masks."""

import itertools

import numpy as np
import pytest
from harness import ISAS, Guarded, bounds, kernel, reference, same_bits

from fastnn import execute, ops
from fastnn.execute import NativeExecutor
from fastnn.ops.losses import HIGH, LOW
from fastnn.ops.philox import random_bits
from fastnn.ops.table import EPSILON, OPS
from fastnn.optimizers import SGD
from fastnn.plan import plan
from fastnn.program import DATA
from fastnn.record import Recorder
from fastnn.variable import Variable

INF, NAN, TINY = np.inf, np.nan, 2.0**-126

# Losses, softmax, metrics, extremes


def rows_of_logits(width):
    """Rows all of one number, and rows in which one element differs from the others."""
    first = np.arange(width) == 0
    rows = [np.full(width, x) for x in (-1000.0, -100.0, 0.0, 100.0, 1000.0)]
    pairs = [(1000, -1000), (-1000, 1000), (-INF, 3), (NAN, 5), (5, NAN), (INF, 0), (1e36, -1e36)]
    return np.array(rows + [np.where(first, float(a), float(b)) for a, b in pairs])


PROBABILITIES = np.array(
    [
        [0.5, 0.5, 0.0, 0.0],  # a tie, and elements that are clipped
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
        [0.9, -0.01, 0.0, 0.0],  # a quotient above 1
        [0.25, 0.25, 0.25, 0.25],
        [NAN, 0.2, 0.3, 0.5],
        [0.2, 0.3, NAN, 0.5],
    ]
)
SINGLE = np.array([-1, 0, LOW / 2, LOW, 0.3, 0.5, HIGH, (1 + HIGH) / 2, 1, 2, NAN, INF, -INF])


def labelled(x):
    """Every row with every label, and with some that are none."""
    labels = np.array([*range(x.shape[-1]), -1, x.shape[-1], 2**31 - 1, -(2**31)], np.int32)
    return np.repeat(x, len(labels), axis=0), np.tile(labels, len(x))


def cases():
    """Name, arguments and attributes."""
    for x in (5.0, -5.0, INF, -INF, NAN):
        rows = np.zeros((5, 9000))  # of several chunks
        rows[range(5), [0, 15, 4095, 4096, 8999]] = x
        yield "max", (rows,), {"axes": (1,)}
        yield "min", (rows,), {"axes": (1,)}
    for width in (1, 5, 16, 17):
        z = rows_of_logits(width)
        targets = np.random.default_rng(width).uniform(0.1, 1, z.shape)
        yield "softmax", (z,), {}
        yield "categorical_crossentropy_from_logits", (z, targets), {}
        yield "sparse_categorical_crossentropy_from_logits", labelled(z), {}
        yield "argmax_equals", labelled(z), {}
        yield "argmax_agrees", (z, z[:, ::-1]), {}
        yield "in_top_k", labelled(z), {"k": 1}
        for name in ("max", "min"):
            yield name, (z,), {"axes": (1,)}
            yield name, (z.T,), {"axes": (0,)}
    for name in ("sparse_categorical_crossentropy", "sparse_categorical_crossentropy_from_logits"):
        p, labels = labelled(PROBABILITIES)
        yield name, (p, labels), {}
        yield f"{name}_grad", (np.linspace(1, 2, len(p)), p, labels), {}
    yield "categorical_crossentropy", (PROBABILITIES, np.ones((7, 4))), {}
    yield "categorical_crossentropy_grad", (np.linspace(1, 2, 7), PROBABILITIES, np.ones((7, 4))), {}
    yield "argmax_equals", labelled(PROBABILITIES), {}
    for k in (1, 2, 3, 4):
        yield "in_top_k", labelled(PROBABILITIES), {"k": k}
    for name in ("binary_crossentropy", "mean_absolute_error", "mean_squared_error"):
        for target in (0.0, 0.5, 1.0):
            y = SINGLE[:, np.newaxis]
            yield name, (y, np.full_like(y, target)), {}
            yield f"{name}_grad", (np.linspace(1, 2, len(y)), y, np.full_like(y, target)), {}
    for alpha in (0.5, -1.0):
        column, slope = SINGLE[:, np.newaxis], np.array([alpha, 0.0])
        yield "prelu", (column, slope), {}
        yield "prelu_grad_input", (np.linspace(1, 2, len(column))[:, np.newaxis], column, slope), {}
        yield "prelu_grad_alpha", (np.linspace(1, 2, len(column))[:, np.newaxis], column), {}
    for width in (1, 16, 17):
        z = np.concatenate([rows_of_logits(width), rows_of_logits(width)[::-1], rows_of_logits(width)], axis=1)
        yield "maxout", (z,), {"k": 3}
        yield "maxout_grad", (np.ones((len(z), width)), z), {"k": 3}
    yield "squared_distances", (SINGLE[:, np.newaxis], SINGLE[np.newaxis]), {}
    yield "threshold_agrees", (SINGLE[:, np.newaxis], np.zeros((len(SINGLE), 1))), {"threshold": 0.5}


@pytest.mark.parametrize("isa", ISAS)
def test_special_values(isa):
    for name, args, attrs in cases():
        row = OPS[name]
        got, wanted = kernel(row, args, attrs, isa), reference(row, args, attrs)
        with np.errstate(all="ignore"):
            allowed = bounds(row, args, attrs, wanted)
        for g, w, bound in zip(got, wanted, allowed, strict=True):
            bound = np.where(np.isnan(bound), 4 * EPSILON * np.abs(w), bound)  # infinite logits have no bound
            with np.errstate(invalid="ignore"):
                near = np.where(np.isfinite(w), np.abs(g - w) <= bound, np.isnan(w) & np.isnan(g) | (g == w))
            assert near.all(), (name, attrs, [a[~near] for a in (g, w)])


# The check that stops training


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("size", [1, 15, 16, 17, 100])
def test_one_element_that_is_not_finite_is_found_anywhere(size, isa, threads):
    recorder, zero = Recorder(rows=1), np.zeros(1, np.int64)
    arrays = [recorder._area(DATA, name, (size,), "float32") for name in ("a", "b")]
    for array in arrays:
        ops.check_finite(array)
    weight = Variable([1.0])
    SGD().record(recorder, [(recorder.constant([1.0]), weight)])
    executor = NativeExecutor(plan(recorder.program(), force_threads=True), recorder.variables, isa)
    data = {name: np.full(size, np.finfo(np.float32).max, np.float32) for name in ("a", "b")}
    data["learning rate"] = np.ones((1, 1), np.float32)

    def skipped():
        return executor.run(data, zero, zero + 1, on_nonfinite="skip", threads=threads).skipped

    assert not skipped()
    for array in (data["a"], data["b"]):
        for i in range(size):
            for value in (NAN, INF, -INF):
                kept, array[i] = array[i], value
                assert skipped(), (i, value)
                array[i] = -kept
    assert not skipped()
    assert weight.numpy() == [-1.0]


# Updates

OPTIONAL = {"sgd": [2], "rmsprop": [3, 4], "adam": [4]}  # places of the slots that may be absent


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", OPTIONAL)
def test_updates_without_some_of_their_slots(name, isa):
    row, places = OPS[name], OPTIONAL[name]
    for absent in itertools.chain.from_iterable(itertools.combinations(places, n) for n in range(1, len(places) + 1)):
        args, attrs = row.example(np.random.default_rng(3), 5, 7)
        args = [None if i in absent else a for i, a in enumerate(args)]
        got, wanted = kernel(row, args, attrs, isa), reference(row, args, attrs)
        for g, w, bound in zip(got, wanted, bounds(row, args, attrs, wanted), strict=True):
            assert (np.abs(g - w) <= bound).all(), absent


HALVED = {  # attributes that halve the slots where the gradient is 0; whether the slots have both signs
    "sgd": ({"momentum": 0.5, "nesterov": 0}, [True]),
    "rmsprop": ({"rho": 0.5, "momentum": 0.5, "epsilon": 1.0}, [False, True, True]),
    "adam": ({"beta_1": 0.5, "beta_2": 0.5, "epsilon": 1.0}, [True, False, False]),
}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", HALVED)
def test_what_would_become_denormal_in_a_slot_becomes_zero(name, isa):
    attrs, signed = HALVED[name]
    sizes = TINY * np.array([0.0, 2**-20, 1, 1.5, 2 - 2**-23, 2, 2 + 2**-22, 3, 4] * 3)
    zeros, signs = np.zeros(len(sizes)), np.where(np.arange(len(sizes)) % 2, -1.0, 1.0)
    for i, both in enumerate(signed):
        slots = [zeros] * len(signed)
        slots[i] = sizes * signs if both else sizes
        w, *after = kernel(OPS[name], (zeros, zeros, *slots, np.ones(1)), attrs, isa)
        largest = (name, i) == ("adam", 2)  # the largest second moment so far stays
        wanted = (slots[i] if largest else slots[i] / 2).astype(np.float32)
        wanted[np.abs(wanted) < TINY] = 0
        assert same_bits(after[i], wanted)
        assert (w[wanted == 0] == 0).all()  # they are zero before they are used


@pytest.mark.parametrize("isa", ISAS)
def test_a_variance_that_rounding_makes_negative_counts_as_zero(isa):
    rng = np.random.default_rng(0)
    avg = rng.uniform(0.5, 2, 400).astype(np.float32)
    v = (avg * avg).astype(np.float32)  # rounded: v - avg^2 has both signs
    attrs = {"rho": 0.0, "momentum": 0.0, "epsilon": 1e-14}
    w, new_v, _, new_avg = kernel(OPS["rmsprop"], (np.zeros(400), avg, v, np.zeros(400), avg, np.ones(1)), attrs, isa)
    negative = new_v.astype(np.float64) < new_avg.astype(np.float64) ** 2
    assert 50 < negative.sum() < 350
    assert np.allclose(w[negative], -avg[negative] / np.sqrt(np.float32(1e-14)), rtol=1e-6)


# Dropout


@pytest.mark.parametrize("isa", ISAS)
def test_an_element_is_kept_from_its_own_bits_up(isa):
    """The rate that is exactly the bits of an element, and rates a fraction of a unit beside it."""
    x, bits = np.ones((3, 70)), random_bits(3, 70, seed=5, stream=9, iteration=3)
    for place in ((0, 0), (1, 17), (2, 69)):
        for units, kept in ((-1, 1), (0, 1), (0.25, 1), (0.75, 0), (1, 0)):
            attrs = {"rate": (int(bits[place]) + units) / 2**32, "stream": 9}
            (y,) = kernel(OPS["dropout"], (x,), attrs, isa)
            assert (y[place] != 0) == kept, units
            assert same_bits(y, reference(OPS["dropout"], (x,), attrs)[0].astype(np.float32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    "seed, iteration, stream, rate",
    [(2**64 - 1, 2**32 + 5, 2**32 - 2, 0.5), (0x0123456789ABCDEF, 2**31, 2**31, 1 / 3), (1, 0, 0, 1 - 2.0**-40)],
)
def test_dropout_uses_all_bits_of_its_key(seed, iteration, stream, rate, isa):
    x, attrs = np.random.default_rng(1).standard_normal((37, 150)), {"rate": rate, "stream": stream}
    (got,) = kernel(OPS["dropout"], (x,), attrs, isa, seed=seed, iteration=iteration)
    (wanted,) = reference(OPS["dropout"], (x,), attrs, seed=seed, iteration=iteration)
    assert same_bits(got, (x.astype(np.float32) * np.float32(1 / (1 - rate)) * (wanted != 0)) + np.float32(0))


# Scratch memory


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("isa", ISAS)
def test_packed_panels_stay_inside_the_scratch_memory(isa, at_end, monkeypatch):
    """Of a lone row too, whose panels are wider: as deep as a block of k can be, with and without an edge."""

    def guarded(shape, dtype):
        return Guarded(int(np.prod(shape)) * np.dtype(dtype).itemsize, at_end).memory.view(dtype).reshape(shape)

    rng = np.random.default_rng(0)
    for name, first, second in (
        *(("dense_grad_input", (rows, 256), (width, 256)) for rows in (1, 9) for width in (64, 70, 5)),
        ("dense_grad_input", (2, 3), (70, 3)),
        ("dense", (64, 256), (256, 1025)),
        ("dense_grad_kernel", (256, 65), (256, 1025)),
    ):
        arrays = rng.standard_normal(first), rng.standard_normal(second), *[None] * (name == "dense")
        wanted = kernel(OPS[name], arrays, {}, isa)
        with monkeypatch.context() as patch:
            patch.setattr(execute, "aligned_empty", guarded)
            assert same_bits(kernel(OPS[name], arrays, {}, isa)[0], wanted[0])


# The proof that gradients of weights are finite


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("width", [1, 16, 33])
def test_the_largest_factors_are_found_anywhere(width, isa, threads, stepwise):
    """Of 2 * 2 rows: |x| 2^62 times |dz| 2^63 is no proof, but with the number below 2^63 it is one. With |x| below 1
    it is about the gradient of the bias."""
    recorder, zero, rows = Recorder(rows=2), np.zeros(1, np.int64), np.array([2])
    shapes = {"x": (2, width), "dz": (2, 3)}
    symbols = [recorder.rows_input(name, shape) for name, shape in shapes.items()]
    recorder.record(OPS["check_product"], tuple(symbols), {})
    weight = Variable([1.0])
    SGD().record(recorder, [(recorder.constant([1.0]), weight)])
    program = plan(recorder.program(), force_threads=True, stepwise=stepwise)
    assert bool(program.sweeps[0].shape) != stepwise
    executor = NativeExecutor(program, recorder.variables, isa)  # with no other plan to ask, no proof is not finite
    below = float(np.nextafter(np.float32(2.0**63), np.float32(0)))

    def proved(x, dz):
        data = {"x": x, "dz": dz, "learning rate": np.ones((1, 1), np.float32)}
        before, run = weight.numpy(), executor.run(data, zero, rows, on_nonfinite="skip", threads=threads)
        assert run.batches == 1 and (weight.numpy() == before).all() == run.skipped  # no update without a proof
        assert threads > 1 or run.skipped != OPS["check_product"].reference(x, dz)
        return not run.skipped

    x, dz = (np.zeros((2, *shape), np.float32) for shape in shapes.values())
    assert proved(x, dz)
    for i in np.ndindex(x.shape):
        for j in [(1 - i[0], 0, 0), (i[0], 1, 2)]:
            together = threads == 1 or i[0] == j[0]  # else two threads look, each at a row of the two
            for large in (2.0**62, -(2.0**62)):
                x[i], dz[j] = large, below
                assert proved(x, dz)
                dz[j] = 2.0**63
                assert proved(x, dz) != together
            x[i], dz[j] = 0.5, -(2.0**125)
            assert not proved(x, dz)
            dz[j] = 2 * below * 2.0**61
            assert proved(x, dz)
            dz[j] = 0
        for value in (NAN, INF, -INF):
            x[i] = value
            assert not proved(x, dz)
        x[i] = 0
    for j in np.ndindex(dz.shape):
        for value in (NAN, INF, -INF):
            dz[j] = value
            assert not proved(x, dz)
        dz[j] = 0
