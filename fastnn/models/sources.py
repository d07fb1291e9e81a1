"""Where the batches of an epoch come from: arrays, whose rows C gathers in any order, or what gives batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .loop import chunks


@dataclass
class Chunk:
    """Batches that run in one call of C.

    Attributes
    ----------
    arrays : dict of str to ndarray
        What the program reads, by name.
    order : ndarray of int64
        The rows of these arrays in the order in which the batches take them.
    starts, counts : ndarray of int64
        Where each batch begins in `order`, and how many rows it has.
    batch : int
        Number of the first one in its epoch.
    """

    arrays: dict[str, np.ndarray]
    order: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    batch: int


class ArraySource:
    """Batches of arrays.

    Parameters
    ----------
    arrays : dict of str to ndarray
        What the program reads, by name.
    samples : int
    batch_size : int
    order : callable, optional
        ``order(n)`` gives the order of all samples when they are gone through for the n-th time; default: as they are.
    """

    def __init__(
        self,
        arrays: dict[str, np.ndarray],
        samples: int,
        batch_size: int,
        order: Callable[[int], np.ndarray] | None = None,
    ):
        self.arrays, self.samples, self.batch_size = arrays, samples, batch_size
        self.order = order
        self.batches = -(-samples // batch_size)

    def epoch(self, number: int, single: bool) -> Iterator[Chunk]:
        """The batches of an epoch, `single` ones or as many at once as take some time together."""
        order = np.arange(self.samples) if self.order is None else self.order(number)
        order = np.ascontiguousarray(order, np.int64)
        for low, _, starts, counts in chunks(self.samples, self.batch_size, single):
            yield Chunk(self.arrays, order[low:], starts, counts, low // self.batch_size)
