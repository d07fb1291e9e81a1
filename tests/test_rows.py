"""Every row of the table: kernel against reference, gradients, bits, guard pages."""

import inspect

import numpy as np
import pytest
from harness import (
    ISAS,
    KERNEL_ROWS,
    ROWS,
    WIDTHS,
    Guarded,
    as_float32,
    bounds,
    kernel,
    reference,
    same_bits,
    shifted,
    ways,
)

from fastnn import _native, ops, sweeps
from fastnn.execute import NumpyExecutor
from fastnn.ops.table import OPS
from fastnn.plan import plan
from fastnn.program import DATA, STEP
from fastnn.record import Recorder

# A fixed sample of the shapes: each width with two row counts; the full product runs in test-long.
SHAPES = [(ROWS[i % len(ROWS)], w) for i, w in enumerate(WIDTHS)] + [(6, 17), (7, 16), (2, 130), (13, 15), (1, 64)]
SHAPES += [(33, 10), (16, 3), (37, 15)]  # narrow rows, of which 16 are done at a time
ALL_SHAPES = [(r, w) for r in (*ROWS, 64) for w in (*WIDTHS, 64, 130)]


def examples(name, shapes=SHAPES):
    """Inputs of a row for each shape that the row allows."""
    row = OPS[name]
    for rows, width in shapes:
        try:
            args, attrs = row.example(np.random.default_rng(rows * 1000 + width), rows, width)
            row.output_shapes(*(None if a is None else np.shape(a) for a in args), **attrs)
        except ValueError:
            assert rows == 0 or width == 0, f"{name} refuses a shape that is not empty"
            continue
        yield row, args, attrs


def test_every_row_has_a_kernel_and_every_kernel_a_row():
    wanted = {row.kernel for row in OPS.values() if row.kernel is not None}
    for isa in ISAS:
        assert sorted(wanted) == sorted(_native.kernels(isa))
    for row in OPS.values():
        assert row.kind == "python" or (row.kernel is not None and row.example is not None), row.name
        assert inspect.getdoc(row.reference), f"{row.name} has no docstring"


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", KERNEL_ROWS)
def test_kernel_agrees_with_the_reference_in_float64(name, isa):
    compared = 0
    for row, args, attrs in examples(name):
        got, wanted = kernel(row, args, attrs, isa), reference(row, args, attrs)
        if row.kind == "check":
            continue
        for g, w, bound in zip(got, wanted, bounds(row, args, attrs, wanted), strict=True):
            assert g.shape == w.shape
            error = np.abs(g.astype(np.float64) - w)
            assert (error <= bound).all(), (args, attrs, float(np.max(error - bound)))
            compared += g.size
    assert compared or row.kind == "check"


@pytest.mark.parametrize("name", KERNEL_ROWS)
def test_bits_do_not_depend_on_threads_isa_or_alignment(name):
    for row, args, attrs in examples(name, SHAPES[::2]):
        first = kernel(row, args, attrs, ISAS[0], threads=1)
        for isa in ISAS:
            for threads in (1, 2, 3) if isa == ISAS[0] else (2,):
                for offset in (0, 1) if threads == 2 else (0,):
                    again = kernel(row, args, attrs, isa, threads, lambda a, k=offset: shifted(a, k))
                    assert all(map(same_bits, first, again)), (isa, threads, offset)


@pytest.mark.parametrize("name", KERNEL_ROWS)
def test_bits_do_not_depend_on_the_blocks_of_rows_that_a_kernel_gets(name, monkeypatch):
    """A row with a rule of access gets all of the rows of a thread, or some of them at a time."""
    swept = set()
    for row, args, attrs in examples(name, SHAPES[1::2]):
        first = kernel(row, args, attrs)
        for way in ways(row, args, attrs)[1:]:
            for block in (1, 3, None):
                with monkeypatch.context() as patch:
                    if block:
                        for size in ("BLOCK_BYTES", "BATCH_BLOCK", "WEIGHT_BLOCK"):
                            patch.setattr(sweeps, size, block)
                    for isa, threads in [*((isa, 2) for isa in ISAS), (ISAS[0], 1), (ISAS[0], 3)]:
                        again = kernel(row, args, attrs, isa, threads, lambda a: shifted(a, 1), way=way)
                        assert all(map(same_bits, first, again)), (way, block, isa, threads)
            swept.add(way)
    assert bool(swept) == (OPS[name].access is not None and not OPS[name].view and not OPS[name].serial)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", KERNEL_ROWS)
def test_no_byte_outside_a_buffer_is_touched(name, isa):
    for at_end in (False, True):
        for row, args, attrs in examples(name):
            kept = []

            def place(array, at_end=at_end, kept=kept):
                kept.append(Guarded(array.nbytes, at_end))
                return kept[-1].array(array)

            guarded = kernel(row, args, attrs, isa, place=place)
            assert all(map(same_bits, guarded, kernel(row, args, attrs, isa)))


@pytest.mark.long
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", KERNEL_ROWS)
def test_all_shapes(name, isa):
    for row, args, attrs in examples(name, ALL_SHAPES):
        first = kernel(row, args, attrs, ISAS[0])
        for threads in (1, 2, 3, 4):
            assert all(map(same_bits, first, kernel(row, args, attrs, isa, threads)))
        if row.kind != "check":
            wanted = reference(row, args, attrs)
            for g, w, bound in zip(first, wanted, bounds(row, args, attrs, wanted), strict=True):
                assert (np.abs(g - w) <= bound).all()


# More than one block of k and of rows, and rows of w far enough apart to be packed: (b, i, o).
LARGE = [(130, 300, 1040), (270, 1030, 37), (3, 600, 2050)]


@pytest.mark.parametrize("b, i, o", LARGE)
@pytest.mark.parametrize("name", ["dense", "dense_grad_input", "dense_grad_kernel", "dense_grad_bias"])
def test_large_products(name, b, i, o):
    row, rng = OPS[name], np.random.default_rng(b)
    x, w, bias, dz = (rng.standard_normal(shape) for shape in ((b, i), (i, o), (o,), (b, o)))
    args = {"dense": (x, w, bias), "dense_grad_input": (dz, w), "dense_grad_kernel": (x, dz)}.get(name, (dz,))
    wanted = reference(row, args, {})
    first = kernel(row, args, {})
    assert (np.abs(first[0] - wanted[0]) <= bounds(row, args, {}, wanted)[0]).all()
    for isa in ISAS:
        for threads in (2, 3):
            assert same_bits(first[0], kernel(row, args, {}, isa, threads, lambda a: shifted(a, 1))[0])


LINEAR = [
    "dense",
    "dense_grad_input",
    "dense_grad_kernel",
    "dense_grad_bias",
    "add",
    "subtract",
    "sum",
    "gather",
    "gather_uint8",
    "weighted_sum",
    "matmul",
    "concatenate",
    "slice_grad",
]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", LINEAR)
def test_linear_kernels_are_exact_on_integers(name, isa):
    """Small integers make every sum and product exact in float32, so the difference must be 0."""
    for row, args, attrs in examples(name, ALL_SHAPES[::3]):
        rng = np.random.default_rng(1)
        whole = [
            None
            if a is None
            else rng.integers(-8, 9, np.shape(a)).astype(np.float64)
            if np.asarray(a).dtype == np.float64
            else a
            for a in args
        ]
        for g, w in zip(kernel(row, whole, attrs, isa, threads=2), reference(row, whole, attrs), strict=True):
            assert np.array_equal(g, w)


# Gradient rules, by central differences in float64 with a random upstream gradient

DIFFERENTIABLE = sorted(
    name for name, row in OPS.items() if row.grad is not None and row.kernel is not None and not row.random
)


def run_float64(record, arrays):
    """Record a computation on named arrays, run it with the references in float64."""
    recorder = Recorder(rows=1, dtype="float64")
    symbols = [
        None if a is None else recorder._area(DATA, f"in{i}", a.shape, str(a.dtype)) for i, a in enumerate(arrays)
    ]
    outs = record(recorder, symbols)
    data = {f"in{i}": a for i, a in enumerate(arrays) if a is not None}
    for i, out in enumerate(outs):
        recorder.output(out, f"out{i}", STEP)
        data[f"out{i}"] = np.zeros((1, *out.shape), out.dtype)
    executor = NumpyExecutor(plan(recorder.program(), stepwise=True), recorder.variables, "float64")
    one = np.zeros(1, np.int64)
    executor.run(data, one, one + 1)
    return [data[f"out{i}"][0] for i in range(len(outs))]


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradient_rule_against_central_differences(name):
    row = OPS[name]
    rng = np.random.default_rng(11)
    checked = 0
    for rows, width in ((3, 5), (2, 4)):
        args, attrs = row.example(rng, rows, width)
        args = [None if a is None else np.array(a) for a in args]
        result = row.reference(*args, **row.bind(attrs))
        result = result[0] if isinstance(result, tuple) else np.asarray(result)
        upstream = rng.standard_normal(result.shape)
        floating = [i for i, a in enumerate(args) if a is not None and a.dtype == np.float64]

        def gradients(recorder, symbols, row=row, attrs=attrs, args=args, floating=floating):
            made = recorder.record(row, tuple(symbols[:-1]), attrs)
            made = made[0] if isinstance(made, tuple) else made
            return recorder.gradients([(made, symbols[-1])], [symbols[i] for i in floating])

        found = run_float64(gradients, [*args, upstream])

        def value(*changed, row=row, attrs=attrs, upstream=upstream):
            out = row.reference(*changed, **row.bind(attrs))
            return float(np.sum((out[0] if isinstance(out, tuple) else out) * upstream))

        for i, gradient in zip(floating, found, strict=True):
            if row.kind == "loss" and i == 1:
                continue  # nothing is differentiated by targets
            h = 1e-6
            numeric = np.empty_like(args[i])
            for index in np.ndindex(args[i].shape):
                moved = [np.array(a) if a is not None else None for a in args]
                moved[i][index] += h
                high = value(*moved)
                moved[i][index] -= 2 * h
                numeric[index] = (high - value(*moved)) / (2 * h)
            # Truncation h^2 f'''/6 and rounding eps |f| / h, both below 1e-8 for values of order 10.
            scale = 1 + np.abs(numeric).max() + abs(value(*args))
            assert np.abs(numeric - gradient).max() <= 2e-8 * scale, name
            checked += gradient.size
    assert checked


def test_gradient_of_dropout_uses_the_mask_of_the_forward_pass():
    x = np.random.default_rng(0).standard_normal((4, 70))

    def record(recorder, symbols):
        y = ops.dropout(symbols[0], rate=0.4, stream=9)
        return [y, *recorder.gradients([(y, symbols[1])], [symbols[0]])]

    y, dx = run_float64(record, [x, np.ones_like(x)])
    assert np.array_equal(dx != 0, y != 0)
    # The factor 1 / (1 - rate) is rounded to float32 once, in the definition.
    assert np.allclose(dx[dx != 0], 1 / 0.6, rtol=np.finfo(np.float32).eps, atol=0)


def test_arguments_are_given_as_float32():
    """The harness itself: the reference sees the values that the kernel sees."""
    assert as_float32([np.array([0.1])])[0].dtype == np.float32


@pytest.mark.parametrize("sparse", [False, True])
def test_gradient_through_the_probabilities_of_a_cross_entropy(sparse):
    """Both outputs may be used: d(sum u l + sum v p) / dz is the sum of both gradients."""
    rng = np.random.default_rng(5)
    z, u, v = rng.standard_normal((3, 4)), rng.standard_normal(3), rng.standard_normal((3, 4))
    name = ("sparse_" if sparse else "") + "categorical_crossentropy_from_logits"
    t = np.array([1, 0, 3], np.int32) if sparse else rng.uniform(0, 1, (3, 4))

    def record(used):
        def steps(recorder, symbols):
            outs = getattr(ops, name)(symbols[0], symbols[1])
            seeds = [(out, symbols[2 + i]) for i, out in enumerate(outs) if i in used]
            return recorder.gradients(seeds, [symbols[0]])

        return run_float64(steps, [z, t, u, v])[0]

    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    through_p = p * (v - (v * p).sum(-1, keepdims=True))
    assert np.allclose(record((1,)), through_p, rtol=1e-13, atol=1e-15)
    assert np.allclose(record((0, 1)), record((0,)) + through_p, rtol=1e-13, atol=1e-15)
