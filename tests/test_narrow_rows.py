"""Rows of fewer than 16 elements, of which 16 are done at a time: the bits of each row alone, whatever is in them."""

import numpy as np
import pytest
from harness import ISAS, as_float32, kernel, same_bits

from fastnn.ops.table import OPS

NAMES = sorted(name for name, row in OPS.items() if row.kernel and row.kind in ("loss", "loss_grad", "softmax"))
ROWS = 16 + 16 + 5
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e38, -1e38, 1e-40], np.float32)


def with_special_numbers(arrays, rng):
    """Arguments with some numbers replaced, and labels that are none; rows of zeros alone in the first 16 rows."""
    for array in arrays:
        if array is not None and len(array) == ROWS:
            some = rng.random(array.shape) < 0.1
            some[:16] = False
            kinds = SPECIAL if array.dtype.kind == "f" else np.array([-1, 2**31 - 1, 1 << 20], array.dtype)
            array[some] = rng.choice(kinds.astype(array.dtype), array.shape)[some]
            array[3], array[5] = 0, -0.0 if array.dtype.kind == "f" else 0
    return arrays


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [1, 2, 7, 8, 10, 15])
def test_a_row_has_the_bits_that_it_has_alone(name, width):
    row, rng = OPS[name], np.random.default_rng(width)
    args, attrs = row.example(rng, ROWS, width)
    args = with_special_numbers([None if a is None else a.copy() for a in as_float32(args)], rng)
    for isa in ISAS:
        together = kernel(row, args, attrs, isa)
        for i in range(ROWS):
            one = [a[i : i + 1] if a is not None and len(a) == ROWS else a for a in args]
            for whole, alone in zip(together, kernel(row, one, attrs, isa), strict=True):
                assert same_bits(whole[i : i + 1], alone), (isa, i)


def test_there_are_such_rows():
    assert len(NAMES) >= 36
