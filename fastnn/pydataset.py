"""A data set that makes its batches when they are asked for."""

import itertools
import os
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

from . import config
from .errors import check_flag, check_integer, missing_method
from .ops import philox


class PyDataset:
    """Base of data sets that make batch ``i`` in ``self[i]``, for `fit`, `evaluate` and `predict`.

    A subclass says in ``__len__`` (or the property `num_batches`) how many batches there are, and makes each in
    ``__getitem__(index)``: a tuple ``(x, y)``, ``(x, y, sample_weight)`` or ``(x,)``.

    Parameters
    ----------
    workers : int, default 1
        With more than one, so many threads or processes make the next batches while the model trains.
    use_multiprocessing : bool, default False
        Processes instead of threads: for batches that take much plain Python to make. The data set must be one that
        can be pickled.
    max_queue_size : int, default 10
        How many batches may be made ahead.

    Attributes
    ----------
    kept : tuple of str, default None
        Names of the attributes that `on_epoch_begin` or `on_epoch_end` change, such as an order of samples; () for
        none. `fastnn.callbacks.BackupAndRestore` refuses a data set that has these hooks and does not say so.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> class Squares(fastnn.utils.PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         x = np.arange(4.0)[:, None] + 4 * index
    ...         return x, x**2
    >>> model = fastnn.Sequential([fastnn.layers.Dense(1, input_shape=(1,))])
    >>> model.compile("sgd", "mse")
    >>> model.predict(Squares()).shape
    (12, 1)
    """

    kept: tuple[str, ...] | None = None

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        expected, fix = "an integer of at least 0", "pass a number"
        self.workers = check_integer("workers", workers, 0, expected, fix, 2**16)
        self.use_multiprocessing = check_flag("use_multiprocessing", use_multiprocessing)
        expected = "an integer of at least 1"
        self.max_queue_size = check_integer("max_queue_size", max_queue_size, 1, expected, fix, 2**31 - 1)

    def __getitem__(self, index: int) -> Any:
        """The batch with a number, counted from 0."""
        raise missing_method(self, "__getitem__(self, index)", "return (x, y) there")

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; None if there is no end."""
        if type(self).__len__ is PyDataset.__len__:
            raise missing_method(self, "__len__(self)", "return the number of batches there")
        return len(self)

    def __len__(self) -> int:
        if type(self).num_batches is PyDataset.num_batches:
            raise missing_method(self, "__len__(self)", "return the number of batches there")
        number = self.num_batches
        if number is None:
            raise TypeError("this data set has no end")
        return number

    def state(self) -> dict[str, Any]:
        """What `BackupAndRestore` keeps of it: the attributes named in ``kept``."""
        return {name: getattr(self, name) for name in self.kept or ()}

    def restore(self, state: dict[str, Any]) -> None:
        """Be as it was when it gave `state`."""
        for name, value in state.items():
            setattr(self, name, value)

    def on_epoch_begin(self) -> None:
        """Called before an epoch."""

    def on_epoch_end(self) -> None:
        """Called after an epoch."""

    def _changes(self) -> bool:
        """Whether it has hooks that may change it, and does not say what they change."""
        silent = self.kept is None and type(self).state is PyDataset.state
        hooks = type(self).on_epoch_begin, type(self).on_epoch_end
        return silent and hooks != (PyDataset.on_epoch_begin, PyDataset.on_epoch_end)

    def _batches(self, shuffled: int | None, first: int = 0) -> Iterator[Any]:
        """All batches from the first one on, in order or in that of the n-th shuffling."""
        number = self.num_batches
        order: Any = itertools.count(first) if number is None else range(first, number)
        if shuffled is not None and number is not None:
            order = philox.permutation(number, config.seed(), shuffled).tolist()[first:]
        if getattr(self, "workers", 1) <= 1:  # a subclass may have left out super().__init__()
            yield from map(self.__getitem__, order)
            return
        from concurrent import futures

        pool: futures.Executor
        if self.use_multiprocessing:
            pool = futures.ProcessPoolExecutor(self.workers, initializer=_keep, initargs=(self,))
        else:
            pool = futures.ThreadPoolExecutor(self.workers)
        try:
            waiting: deque[futures.Future[Any]] = deque()
            for index in order:
                if self.use_multiprocessing:
                    waiting.append(pool.submit(_kept, index))
                else:
                    waiting.append(pool.submit(self.__getitem__, index))
                if len(waiting) >= self.max_queue_size:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_dataset: PyDataset | None = None  # in a process that makes batches


def _keep(dataset: PyDataset) -> None:
    global _dataset
    _dataset = dataset
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that trains is killed, which could not end it any more."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _kept(index: int) -> Any:
    assert _dataset is not None
    return _dataset[index]
