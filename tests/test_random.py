"""Philox: known answers, the layout that C shares, permutations."""

import math
from itertools import permutations

import numpy as np
import pytest

from fastnn import execute
from fastnn.ops import philox
from fastnn.ops.philox import PERMUTATION_STREAM, permutation, philox4x32, random_bits

ALL = 0xFFFFFFFF

# kat_vectors of Random123 for philox4x32 with 10 rounds: counter, key, answer.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ALL, ALL, ALL, ALL), (ALL, ALL), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def slow_philox(counter, key):
    """The definition once more, on Python ints of unbounded size."""
    (a, b, c, d), (k, m) = counter, key
    for _ in range(10):
        first, second = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = second >> 32 ^ b ^ k, second & ALL, first >> 32 ^ d ^ m, first & ALL
        k, m = k + 0x9E3779B9 & ALL, m + 0xBB67AE85 & ALL
    return a, b, c, d


def slow_bits(row, element, seed, stream, iteration):
    group, word, lane = element // 64, element % 64 // 16, element % 16
    counter = group * 16 + lane, row, iteration % 2**32, stream
    return slow_philox(counter, (seed % 2**32, seed // 2**32))[word]


@pytest.mark.parametrize("counter, key, answer", KNOWN_ANSWERS)
def test_known_answers(counter, key, answer):
    assert slow_philox(counter, key) == answer
    assert tuple(map(int, philox4x32(counter, key))) == answer
    for word, expected in zip(philox4x32([np.full((2, 3), c, np.uint32) for c in counter], key), answer, strict=True):
        assert word.dtype == np.uint32
        np.testing.assert_array_equal(word, np.full((2, 3), expected))


def test_counters_broadcast_like_full_arrays():
    column, row = np.arange(5, dtype=np.uint32), np.arange(3, dtype=np.uint32)[:, np.newaxis]
    full = [np.ascontiguousarray(c) for c in np.broadcast_arrays(column, row, np.uint32(7), np.uint32(ALL))]
    for thin, thick in zip(philox4x32((column, row, 7, ALL), (1, 2)), philox4x32(full, (1, 2)), strict=True):
        assert thin.shape == (3, 5)
        np.testing.assert_array_equal(thin, thick)


@pytest.mark.parametrize("width", [1, 15, 16, 17, 63, 64, 65, 130])
@pytest.mark.parametrize(
    "seed, stream, iteration",
    [
        (0, 0, 0),
        (2**64 - 1, ALL, 2**32 - 1),
        (0x0123456789ABCDEF, 3, 2**32 + 5),
    ],
)
def test_random_bits_follow_the_definition(width, seed, stream, iteration):
    bits = random_bits(3, width, seed, stream, iteration)
    assert bits.dtype == np.uint32 and bits.flags.c_contiguous
    expected = [[slow_bits(r, e, seed, stream, iteration) for e in range(width)] for r in range(3)]
    np.testing.assert_array_equal(bits, np.array(expected, np.uint32))


@pytest.mark.parametrize("rows, width", [(0, 0), (0, 5), (3, 0)])
def test_random_bits_of_nothing(rows, width):
    assert random_bits(rows, width, 1, 2, 3).shape == (rows, width)


def test_random_bits_in_pieces():
    whole = random_bits(7, 100, seed=5, stream=1, iteration=2)
    for first, last, width in [(0, 3, 100), (3, 7, 100), (6, 7, 65), (2, 5, 1)]:
        piece = random_bits(last - first, width, seed=5, stream=1, iteration=2, first_row=first)
        np.testing.assert_array_equal(piece, whole[first:last, :width])
    wrapped = random_bits(2, 20, seed=5, stream=1, iteration=2, first_row=2**32 - 1)
    np.testing.assert_array_equal(wrapped[1], whole[0, :20])


def test_every_argument_counts():
    def draw(seed=1, stream=1, iteration=1, row=1):
        return random_bits(1, 256, seed, stream, iteration, first_row=row)

    draws = [draw(), draw(seed=2), draw(seed=1 + 2**32), draw(stream=2), draw(iteration=2), draw(row=2)]
    for i, one in enumerate(draws):
        for other in draws[:i]:
            # 8192 fair coins: the bound is exceeded with probability 2 exp(-2 * 8192 * 0.036**2) < 2e-9.
            assert abs(np.bitwise_count(one ^ other).sum() / 8192 - 0.5) < 0.036
    np.testing.assert_array_equal(draw(iteration=1), draw(iteration=1 + 2**32))


def test_golden_bits():
    assert random_bits(1, 4, 1, 0, 0)[0].tolist() == [0xE3E80670, 0xAC08141B, 0x3F55B3F0, 0xC1F3CFA1]
    assert permutation(10, 0, 0).tolist() == [6, 1, 2, 4, 5, 9, 8, 0, 3, 7]
    assert permutation(10, 0, 1).tolist() == [0, 5, 8, 4, 6, 3, 7, 2, 9, 1]
    assert permutation(10, 2**63 + 5, 0).tolist() == [1, 4, 5, 9, 8, 0, 7, 3, 6, 2]


@pytest.mark.parametrize("n", [0, 1, 2, 63, 64, 65, 1000, 60000])
def test_permutation_holds_every_number_once(n):
    order = permutation(n, seed=3, epoch=1)
    assert order.dtype == np.int64 and order.shape == (n,)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(order, permutation(n, seed=3, epoch=1))


def test_permutation_sorts_64_bit_keys():
    keys = [
        slow_bits(0, i, 11, PERMUTATION_STREAM, 4) * 2**32 + slow_bits(1, i, 11, PERMUTATION_STREAM, 4)
        for i in range(200)
    ]
    assert permutation(200, seed=11, epoch=4).tolist() == sorted(range(200), key=keys.__getitem__)


def test_equal_keys_keep_their_order(monkeypatch):
    i = np.arange(5000)
    keys = np.stack([i % 3, -i // 3 % 5]).astype(np.uint32)  # 15 different ones, high and low words
    monkeypatch.setattr("fastnn.ops.philox.random_bits", lambda *_: keys)
    expected = sorted(range(5000), key=lambda number: tuple(keys[:, number].tolist()))
    assert permutation(5000, seed=0, epoch=0).tolist() == expected


def test_permutations_of_other_epochs_and_seeds_differ():
    orders = {tuple(permutation(100, seed, epoch)) for seed in (0, 1, 2**32) for epoch in range(20)}
    assert len(orders) == 60


@pytest.mark.parametrize("vary", ["seed", "epoch"])
def test_permutations_are_uniform(vary):
    """Pearson's statistic of the 24 orders of 4 numbers in 100 draws each, against chi-square.

    With k = 23 degrees of freedom, P(X > k + 2 sqrt(k t) + 2 t) <= exp(-t) (Laurent and Massart 2000);
    t = log(1e9).
    """
    counts = dict.fromkeys(permutations(range(4)), 0)
    for i in range(2400):
        counts[tuple(permutation(4, **{"seed": 0, "epoch": 0, vary: i}).tolist())] += 1
    statistic = sum((count - 100) ** 2 / 100 for count in counts.values())
    t = math.log(1e9)
    assert statistic < 23 + 2 * math.sqrt(23 * t) + 2 * t


def test_permutation_of_equal_keys_keeps_their_order(monkeypatch):
    monkeypatch.setattr(
        philox, "random_bits", lambda rows, n, *key: np.arange(2 * n, dtype=np.uint32).reshape(2, n) % 3
    )
    order = philox.permutation(3000, seed=1, epoch=0)
    keys = (np.arange(3000) % 3).astype(np.int64) * 10 + np.arange(3000, 6000) % 3
    assert np.array_equal(order, np.argsort(keys, kind="stable"))


@pytest.mark.parametrize("n", [0, 1, 2, 63, 64, 65, 127, 1000, 4097, 300_007])
def test_c_gives_the_same_permutations(n):
    """300007 numbers have some equal high words."""
    for seed in (0, 1, 2**32 - 1, 2**32, 2**63 + 5, 2**64 - 1):
        for epoch in (0, 1, 2**32 - 1, 2**32, 2**32 + 3) if n < 1000 else (0, 5):
            order = execute.permutation(n, seed, epoch)
            assert order.dtype == np.int64
            np.testing.assert_array_equal(order, permutation(n, seed, epoch))


def test_c_sorts_by_the_low_words_where_high_words_are_equal():
    n, seed, epoch = 300_007, 7, 3
    high, low = random_bits(2, n, seed, PERMUTATION_STREAM, epoch)
    order = execute.permutation(n, seed, epoch)
    equal = np.flatnonzero(high[order[1:]] == high[order[:-1]])
    assert len(equal) >= 5 and (order[equal] > order[equal + 1]).any()
    assert (low[order[equal]] < low[order[equal + 1]]).all()
