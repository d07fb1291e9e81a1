"""Concrete compressive strength: a regression problem of 8 inputs and 1030 rows."""

import hashlib
import math
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from fastnn.datasets._files import find, not_found
from fastnn.errors import invalid, show

FEATURES = ("cement", "slag", "ash", "water", "superplastic", "coarseagg", "fineagg", "age")
HEADER = ",".join([*FEATURES, "strength"])
ROWS = 1030
SHA256 = "d7d8bd087f832935e902bcb2687667238cac3fe06799677a93ca2f46dce8db02"


def load_data(
    test_split: float = 0.2, seed: int = 113
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the mixtures and strengths of 1030 concretes, shuffled and split.

    Reads ``concrete.csv`` from the folder named by the environment variable ``FASTNN_DATA_DIR`` or its
    sub-folder ``concrete``, then from the user's cache folder (``~/.cache/fastnn`` on Linux).

    Parameters
    ----------
    test_split : float, default 0.2
        Fraction of the rows kept for the test set, in [0, 1).
    seed : int, default 113
        Seed of the permutation of the rows, in [0, 2**32). The same seed gives the same rows everywhere.

    Returns
    -------
    x_train, y_train : (float32 array (n, 8), float32 array (n,))
        Inputs in the order of ``FEATURES`` (seven amounts in kg per cubic metre, age in days), and the
        compressive strength in MPa; ``n = int(1030 * (1 - test_split))``.
    x_test, y_test : (float32 array (1030 - n, 8), float32 array (1030 - n,))
        The other rows.

    Raises
    ------
    DataNotFoundError
        The file is in none of the folders (there is no download).
    ValueError
        An argument is out of range, or the file is not the expected one.

    References
    ----------
    Yeh, I-C. (1998). Modeling of strength of high-performance concrete using artificial neural networks.
    Cement and Concrete Research 28(12):1797-1808.

    Examples
    --------
    >>> from fastnn.datasets import concrete
    >>> (x_train, y_train), (x_test, y_test) = concrete.load_data()  # doctest: +SKIP
    >>> x_train.shape, y_test.shape                                  # doctest: +SKIP
    ((824, 8), (206,))
    """
    if not isinstance(test_split, Real) or not 0 <= test_split < 1:
        fix = "pass the fraction of the rows to keep for testing"
        raise invalid("test_split", show(test_split), "a number in [0, 1)", fix)
    if not isinstance(seed, Integral) or not 0 <= seed < 2**32:
        raise invalid("seed", show(seed), "an integer in [0, 2**32)", "pass an integer such as 113")
    path = find("concrete", ["concrete.csv"])
    if path is None:
        raise not_found(
            "concrete",
            "concrete.csv",
            "save the UCI repository's data set 'Concrete Compressive Strength' (Yeh 1998) as a CSV file "
            f"with the header {HEADER}, and set FASTNN_DATA_DIR to its folder",
        )
    table = _read(path)
    # RandomState: NumPy promises never to change its stream, which it does not for Generator (NEP 19)
    table = table[np.random.RandomState(seed).permutation(ROWS)]
    train, test = np.split(table, [int(ROWS * (1 - test_split))])
    return (train[:, :8].copy(), train[:, 8].copy()), (test[:, :8].copy(), test[:, 8].copy())


def _read(path: Path) -> np.ndarray:
    """Return the checked table, float32 (1030, 9)."""
    fix = "replace the file by a complete copy of the data set"
    with path.open("rb") as stream:
        content = stream.read(1 << 20)  # twenty times the file
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    if not lines or lines[0] != HEADER:
        raise invalid(f"{path}, line 1", lines[0] if lines else "an empty file", f"the header {HEADER}", fix)
    if len(lines) != 1 + ROWS:
        raise invalid(str(path), f"{len(lines) - 1} rows after the header", f"{ROWS} rows", fix)
    table = np.empty((ROWS, len(FEATURES) + 1))
    for row, line in enumerate(lines[1:]):
        fields = line.split(",")
        if len(fields) != table.shape[1]:
            raise invalid(f"{path}, line {row + 2}", f"{len(fields)} columns", f"{table.shape[1]}", fix)
        for column, field in enumerate(fields):
            table[row, column] = value = _number(field)
            if not math.isfinite(value):
                where = f"{path}, line {row + 2}, column {HEADER.split(',')[column]}"
                raise invalid(where, repr(field), "a finite number", fix)
    # of the text alone: line ends and a byte order mark do not count
    digest = hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()
    if digest != SHA256:
        raise invalid(
            str(path),
            f"text with SHA-256 {digest}",
            SHA256,
            "use the copy with strengths rounded to two decimals and the rows in their original order",
        )
    return table.astype(np.float32)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
