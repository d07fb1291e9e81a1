"""Where the batches of an epoch come from: arrays, whose rows C gathers in any order, or what gives batches."""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import config
from ..errors import invalid, show
from ..execute import permutation
from ..pydataset import PyDataset
from . import loop

DEFAULT_BATCH_SIZE = 32


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

    @property
    def rows(self) -> int:
        """Rows of the largest batch."""
        return int(self.counts.max())

    @property
    def last(self) -> int:
        """Number of the last batch."""
        return self.batch + len(self.counts) - 1

    def part(self, first: int, count: int) -> "Chunk":
        """Some of the batches."""
        begin, batches = self.starts[first], slice(first, first + count)
        return Chunk(
            self.arrays,
            self.order[begin:],
            self.starts[batches] - begin,
            self.counts[batches],
            self.batch + first,
        )

    @property
    def span(self) -> tuple[int, int]:
        """Where the rows of the chunk begin and end in arrays that are gone through in order."""
        return int(self.order[0]), int(self.order[0] + self.starts[-1] + self.counts[-1])


class ArraySource:
    """Batches of arrays.

    Parameters
    ----------
    arrays : dict of str to ndarray
        What the program reads, by name.
    samples, batch_size : int
    shuffle : bool
        Whether each time the samples are gone through in another order, a function of the seed and of how often they
        were before.
    steps : int, optional
        Batches of an epoch; default: all there are. The next epoch goes on where one ends.
    """

    def __init__(
        self,
        arrays: dict[str, np.ndarray],
        samples: int,
        batch_size: int,
        shuffle: bool = False,
        steps: int | None = None,
    ):
        self.arrays, self.samples, self.batch_size, self.shuffle = arrays, samples, batch_size, shuffle
        self.rows = min(batch_size, plan_rows(samples))
        self.all, self.steps = -(-samples // batch_size), steps
        self.batches = steps or self.all
        self._passes = self._done = 0
        self._began = [0, 0]  # the present epoch
        self._pace = loop.Pace()  # of one epoch to the next
        self._memory: np.ndarray | None = None  # of an order; new memory would take as long as sorting

    def reset(self) -> None:
        """Begin at the first sample."""
        self._passes = self._done = 0

    def check_resumable(self, argument: str) -> None:
        """Arrays can begin anywhere."""

    def position(self) -> list[int]:
        """Where the next epoch begins."""
        return [self._passes, self._done]

    @property
    def began(self) -> list[int]:
        """Where the present epoch began."""
        return self._began

    def resume(self, position: list[int], first: int = 0) -> None:
        """Begin where `position` was."""
        self._passes, self._done = position
        self._began = list(position)

    @property
    def kind(self) -> str:
        """What tells the data from others."""
        steps = f", {self.steps} in an epoch" if self.steps else ""
        return f"arrays of {self.samples} samples in batches of {self.batch_size}{steps}{', shuffled' * self.shuffle}"

    def state(self) -> dict[str, Any]:
        """What the data remember from epoch to epoch."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Remember it again."""

    def epoch(self, number: int, at_once: int | None = None, first: int = 0) -> Iterator[Chunk]:
        """The batches of an epoch from the first one on, so many at once, by default as many as take some time."""
        if self.steps is None:
            self._passes, self._done = number, 0
        self._began = [self._passes, self._done]
        order = self._order()
        begin, size = self._done, self.batch_size
        end = min(begin + self.batches, self.all)
        self._done = end
        if end == self.all:
            self._passes, self._done = self._passes + 1, 0
        samples = min(end * size, self.samples) - begin * size
        order, pace = order[begin * size :], self._pace if at_once is None else loop.Fixed(at_once)
        for low, _, starts, counts in loop.chunks(samples, size, pace, first):
            yield Chunk(self.arrays, order[low:], starts, counts, low // size)
        if end - begin < self.batches:
            warn_of_end()

    def _order(self) -> np.ndarray:
        """The order of all samples in the present pass."""
        if not self.shuffle:
            return np.arange(self.samples, dtype=np.int64)
        if self._memory is None:
            self._memory = np.empty((2, self.samples), np.int64)
        return permutation(self.samples, config.seed(), self._passes, self._memory)


class StreamSource:
    """Batches of something that gives them: a generator, a `PyDataset`, any iterable of ``(x, y[, sample_weight])``.

    Parameters
    ----------
    stream : iterable or PyDataset
    prepare : callable
        ``prepare(batch)`` gives the arrays that a program reads, by name, and the number of samples.
    shuffle : bool
        Whether the batches of a `PyDataset` come in another order each time.
    steps : int, optional
        Batches of an epoch; default: until the stream ends.
    """

    def __init__(
        self,
        stream: Any,
        prepare: Callable[[Any], tuple[dict[str, np.ndarray], int]],
        shuffle: bool = False,
        steps: int | None = None,
    ):
        self.stream, self.prepare, self.shuffle, self.steps = stream, prepare, shuffle, steps
        self.samples, self.batch_size = None, None
        self.rows = 0
        self._length = length_of(stream)
        self.batches = steps or self._length
        self._passes, self._pace = 0, loop.Pace()
        self._memory: dict[str, np.ndarray] = {}  # of joined batches; new memory would take longer than copying
        self._rest: Iterator[Any] | None = None  # of the pass that is not at its end
        self._first: list[tuple[dict[str, np.ndarray], int]] = []
        self._first.append(self._next(self._begin()))
        self.arrays, self.rows = self._first[0]

    def _begin(self, first: int = 0) -> Iterator[Any]:
        """What is left of the present pass, or a new one from its first batch on."""
        if self._rest is None:
            if isinstance(self.stream, PyDataset):
                self.stream.on_epoch_begin()
                self._rest = self.stream._batches(self._passes if self.shuffle else None, first)
            else:
                self._rest = iter(self.stream)
            self._passes += 1
        return self._rest

    def _next(self, rest: Iterator[Any]) -> tuple[dict[str, np.ndarray], int]:
        """The next batch; StopIteration at the end."""
        try:
            return self._first.pop() if self._first else self.prepare(next(rest))
        except StopIteration:
            self._rest = None
            if not self.rows:
                fix = "check what makes the batches"
                raise invalid("x", f"no batch from {show(self.stream)}", "at least one batch", fix) from None
            raise

    def check_resumable(self, argument: str) -> None:
        """Refuse a stream of which epochs begin within a pass, or nobody knows where."""
        if not isinstance(self.stream, PyDataset):
            expected = "arrays or a PyDataset, which can begin anywhere"
            fix = "pass one of them, or leave BackupAndRestore out"
            raise invalid(argument, f"{show(self.stream)}, which cannot", expected, fix)
        if self.stream._changes():
            expected = "with its on_epoch_begin() or on_epoch_end(), one that says what they change"
            fix = "set its attribute kept to their names, or to () if they change nothing"
            raise invalid(argument, f"{show(self.stream)}, which does not", expected, fix)
        if argument == "x" and self.steps is not None and self.steps != length_of(self.stream):
            expected, fix = "all batches of the PyDataset in each epoch", "leave it out"
            raise invalid("steps_per_epoch", show(self.steps), f"{expected} with BackupAndRestore", fix)

    def position(self) -> list[int]:
        """Which pass the present epoch is, or the next one between epochs, and how many batches are made ahead."""
        return [self._passes - (self._rest is not None), len(self._first)]

    began = property(position)

    def resume(self, position: list[int], first: int = 0) -> None:
        """Begin with the pass that `position` told, at its first batch or within it."""
        passes, made = position
        if not made:  # else the batch that this source has made meanwhile is the first one
            self._first.clear()
            self._passes, self._rest = passes, None
        if first:
            self._begin(first)

    @property
    def kind(self) -> str:
        """What tells the data from others."""
        return f"{type(self.stream).__name__} of {self._length} batches{', shuffled' * self.shuffle}"

    def state(self) -> dict[str, Any]:
        """What the data remember from epoch to epoch."""
        return dict(type(self.stream).state(self.stream))  # an attribute of a data set may be called state

    def restore(self, state: dict[str, Any]) -> None:
        """Remember it again."""
        type(self.stream).restore(self.stream, state)

    def reset(self) -> None:
        """Begin at the first batch, if the stream can."""
        if not self._first:
            self._rest = None

    def epoch(self, number: int, at_once: int | None = None, first: int = 0) -> Iterator[Chunk]:
        """The batches of an epoch from the first one on, so many at once, by default as many as take some time."""
        rest, done, ended = self._begin(), first, False
        pace = self._pace if at_once is None else loop.Fixed(at_once)
        while not ended and (self.steps is None or done < self.steps):
            parts: list[tuple[dict[str, np.ndarray], int]] = []
            began = time.perf_counter()
            while len(parts) < min(pace.batches, self.steps - done if self.steps else pace.batches):
                try:
                    parts.append(self._next(rest))
                except StopIteration:
                    ended = True
                    break
                if at_once is None and time.perf_counter() - began > loop.CHUNK_SECONDS:
                    break  # batches come slowly: go on with what there is
            if parts:
                chunk = joined(parts, done, self._memory)
                self.rows = max(self.rows, chunk.rows)
                began = time.perf_counter()
                yield chunk
                done += len(parts)
                pace.note(len(parts), time.perf_counter() - began)
        if ended and self.steps is not None and done < self.steps:
            warn_of_end()
        if ended and self.steps is None:
            self.batches = done
        if isinstance(self.stream, PyDataset):
            self.stream.on_epoch_end()
            if self.steps is not None and self.steps == length_of(self.stream):
                self._rest = None


def joined(parts: list[tuple[dict[str, np.ndarray], int]], batch: int, memory: dict[str, np.ndarray]) -> Chunk:
    """Several batches as one chunk, in memory that is used again."""
    counts = np.array([rows for _, rows in parts], np.int64)
    starts, total = np.cumsum(counts) - counts, int(counts.sum())
    arrays = parts[0][0]
    if len(parts) > 1:
        for other, _ in parts[1:]:
            if other.keys() != arrays.keys():
                raise invalid("sample_weight", "some batches with and some without", "all alike", "pass ones, or none")
        arrays = {}
        for name in parts[0][0]:
            given = [part[name] for part, _ in parts]
            dtype = np.result_type(*given)
            room = memory.get(name)
            if room is None or len(room) < total or room.dtype != dtype:
                room = memory[name] = np.empty((total, *given[0].shape[1:]), dtype)
            arrays[name] = np.concatenate(given, out=room[:total])
    return Chunk(arrays, np.arange(total, dtype=np.int64), starts, counts, batch)


def is_stream(x: Any) -> bool:
    """Whether data are given batch by batch, not as arrays."""
    if isinstance(x, PyDataset) or hasattr(x, "__next__"):
        return True
    arrays = isinstance(x, (list, tuple, dict, set, frozenset, str, bytes, range)) or hasattr(x, "__array__")
    return hasattr(x, "__iter__") and not arrays and not hasattr(x, "columns") and not hasattr(x, "__getitem__")


def length_of(stream: Any) -> int | None:
    """Number of batches, if it is known."""
    try:
        return len(stream)
    except TypeError:  # no __len__, or one that raises as that of a DataLoader on an iterable does
        return None


def unpacked(batch: Any) -> tuple[Any, Any, Any]:
    """Inputs, targets and weights of a batch: ``(x, y)``, ``(x, y, sample_weight)``, ``(x,)`` or x."""
    if isinstance(batch, (tuple, list)) and not all(isinstance(part, (int, float)) for part in batch):
        if not 1 <= len(batch) <= 3:
            expected, fix = "(x, y) or (x, y, sample_weight)", "give tuples of two or three"
            raise invalid("batch", f"a {type(batch).__name__} of {len(batch)}", expected, fix)
        return (*batch, None, None)[:3]
    return batch, None, None


def warn_of_end() -> None:
    """Say that an epoch was shorter than it should be."""
    warnings.warn(
        "Your input ran out of data; interrupting training. Make sure that your dataset or generator can generate "
        "at least `steps_per_epoch * epochs` batches.",
        stacklevel=4,
    )


def plan_rows(samples: int) -> int:
    """Rows to plan for, so that calls with many different lengths share a few programs."""
    return max(DEFAULT_BATCH_SIZE, 1 << (samples - 1).bit_length())
