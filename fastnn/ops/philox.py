"""Random bits as a pure function of where they are used: Philox4x32-10.

Nothing here has a state. A value depends on (seed, stream, iteration, row, element) alone, so it does
not depend on threads, chunks or the order of calls, and C can compute the same bits by itself.
"""

from collections.abc import Sequence

import numpy as np

# Multipliers and Weyl increments of Philox4x32 (Salmon et al. 2011, section 4.3).
M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
WORD = 2**32

PERMUTATION_STREAM = 0xFFFFFFFF  # the last stream: call sites count up from below and do not reach it


def _multiply(word: np.ndarray, multiplier: np.uint64) -> tuple[np.ndarray, np.ndarray]:
    """High and low uint32 halves of the 64-bit product."""
    product = np.multiply(word, multiplier, dtype=np.uint64)
    return (product >> np.uint64(32)).astype(np.uint32), product.astype(np.uint32)


def philox4x32(
    counter: Sequence[np.ndarray | int], key: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Encrypt counters with ten rounds of Philox4x32.

    One round, with key words that grow by ``W0`` and ``W1`` from round to round::

        (c0, c1, c2, c3) <- (high(M1*c2) ^ c1 ^ k0, low(M1*c2), high(M0*c0) ^ c3 ^ k1, low(M0*c0))

    Parameters
    ----------
    counter : sequence of four uint32 arrays or ints
        Words c0 to c3, of shapes that broadcast together. They are broadcast by the rounds
        themselves, so that a word given as a column or a scalar costs little in the first ones.
    key : (int, int)
        Words k0 and k1, each in [0, 2**32).

    Returns
    -------
    tuple of four uint32 arrays
        The output words 0 to 3, each of the common shape.

    References
    ----------
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11 (2011).

    Examples
    --------
    >>> [f"{word:08x}" for word in philox4x32((0, 0, 0, 0), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = (np.asarray(word, dtype=np.uint32) for word in counter)
    k0, k1 = (int(word) for word in key)
    for _ in range(ROUNDS):
        high0, low0 = _multiply(c0, M0)
        high1, low1 = _multiply(c2, M1)
        c0, c1 = high1 ^ c1 ^ np.uint32(k0), low1
        c2, c3 = high0 ^ c3 ^ np.uint32(k1), low0
        k0, k1 = (k0 + W0) % WORD, (k1 + W1) % WORD
    return c0, c1, c2, c3


def random_bits(rows: int, width: int, seed: int, stream: int, iteration: int, first_row: int = 0) -> np.ndarray:
    """Return 32 random bits for every element of a block of rows.

    This is the definition that the C kernels follow. Element e of row r has group g = e // 64, word
    j = (e % 64) // 16 and lane l = e % 16; its value is output word j of Philox4x32-10 with

    - counter = (16 g + l, r, iteration mod 2**32, stream)
    - key = (seed mod 2**32, seed // 2**32)

    so 64 consecutive elements are four vectors of 16 lanes made from 16 counters.

    Parameters
    ----------
    rows, width : int
        Shape of the result. A row has at most 2**34 elements before it repeats.
    seed : int
        In [0, 2**64).
    stream : int
        Number of the call site, in [0, 2**32).
    iteration : int
        Optimizer iteration, or whatever else counts the uses of one call site.
    first_row : int, default 0
        Row number of the first row, modulo 2**32: a large block can be made in pieces of the same bits.

    Returns
    -------
    uint32 array of shape (rows, width)

    Examples
    --------
    >>> bits = random_bits(4, 100, seed=7, stream=1, iteration=0)
    >>> bool((bits[2:, :10] == random_bits(2, 10, seed=7, stream=1, iteration=0, first_row=2)).all())
    True
    """
    groups = -(-width // 64)
    column = np.arange(groups * 16).astype(np.uint32)
    row = (first_row + np.arange(rows)).astype(np.uint32)[:, np.newaxis]
    words = philox4x32((column, row, iteration % WORD, stream), (seed % WORD, seed // WORD))
    bits = np.stack([word.reshape(rows, groups, 16) for word in words], axis=2)  # (rows, groups, word, lane)
    return np.ascontiguousarray(bits.reshape(rows, groups * 64)[:, :width])


def permutation(n: int, seed: int, epoch: int) -> np.ndarray:
    """Return a random order of ``range(n)``, a function of (seed, epoch) alone.

    Number i gets the 64-bit key ``bits[0, i] * 2**32 + bits[1, i]`` with ``bits = random_bits(2, n, seed,
    PERMUTATION_STREAM, epoch)``; the order is that of the keys, and of the numbers where keys are equal.

    Parameters
    ----------
    n : int
        Length, from 0 to 2**34.
    seed : int
        In [0, 2**64).
    epoch : int
        Counts the permutations of one seed.

    Returns
    -------
    int64 array of shape (n,)

    Examples
    --------
    >>> permutation(5, seed=1, epoch=0).tolist()
    [1, 2, 4, 3, 0]
    """
    high, low = random_bits(2, n, seed, PERMUTATION_STREAM, epoch)
    keys = high.astype(np.uint64) << np.uint64(32) | low
    order = np.argsort(keys)  # several times faster than a stable sort, which gives the same unless keys are equal
    ordered = keys[order]
    if (ordered[1:] == ordered[:-1]).any():
        order = np.argsort(keys, kind="stable")
    return order.astype(np.int64, copy=False)
