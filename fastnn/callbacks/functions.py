"""Callbacks made of functions."""

import inspect
from collections.abc import Callable
from typing import Any

from ..errors import check_flag, check_number, invalid, show, unknown
from .base import HOOKS, Callback, Logs, check_verbose
from .progress import say


class LambdaCallback(Callback):
    """Callback made of functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end, on_train_begin, on_train_end, on_train_batch_begin, \
on_train_batch_end : callable, optional
        Functions of the hook's arguments: ``f(epoch, logs)``, ``f(batch, logs)`` or ``f(logs)``.
    **kwargs
        Functions for other hooks of `Callback`, by name.

    Raises
    ------
    TypeError
        An argument is not callable.
    ValueError
        There is no hook of that name.

    Examples
    --------
    >>> show = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))
    >>> show.on_epoch_end(0, {"loss": 0.5})
    0 {'loss': 0.5}
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Callable[..., Any] | None,
    ):
        functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        } | kwargs
        for name, function in functions.items():
            if name not in HOOKS:
                raise unknown("argument of LambdaCallback", name, HOOKS)
            if function is not None and not callable(function):
                fix = "pass a function of the hook's arguments"
                raise invalid(name, show(function), "a function or None", fix, TypeError)
        for name, function in functions.items():
            if function is not None:
                setattr(self, name, function)


class SwapEMAWeights(Callback):
    """Evaluates, validates and predicts with the running means of the weights.

    The optimizer keeps them with ``use_ema=True``. They are exchanged with the weights and back.

    Parameters
    ----------
    swap_on_epoch : bool, default False
        Exchange them at the end of each epoch, too, until the next one begins: for callbacks after this one, such as
        `ModelCheckpoint`.

    Raises
    ------
    ValueError
        The optimizer keeps no running means.

    Examples
    --------
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.layers.Dense(1, input_shape=(1,))])
    >>> model.compile(fastnn.optimizers.SGD(use_ema=True), "mse")
    >>> history = model.fit([[0.0], [1.0]], [0.0, 2.0], verbose=0, callbacks=[SwapEMAWeights()])
    """

    def __init__(self, swap_on_epoch: bool = False):
        self.swap_on_epoch = check_flag("swap_on_epoch", swap_on_epoch)

    def state(self) -> dict[str, Any]:
        return {"swapped": self.model.optimizer.swapped}

    def restore(self, state: dict[str, Any]) -> None:
        self.model.optimizer.swapped = state["swapped"]

    def _swap(self, swapped: bool) -> None:
        """Let the means be in the model, or not."""
        optimizer = self.model.optimizer
        if not getattr(optimizer, "use_ema", False):
            received = "none" if optimizer is None else f"{type(optimizer).__name__} without running means"
            raise invalid("optimizer", received, "one with use_ema=True", "pass use_ema=True to the optimizer")
        if optimizer.swapped != swapped:
            optimizer.swap_averages(self.model.trainable_variables)

    def on_train_begin(self, logs: Logs = None) -> None:
        self._swap(False)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._swap(self.swap_on_epoch)

    def on_test_begin(self, logs: Logs = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Logs = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: Logs = None) -> None:
        self._swap(False)


class LearningRateScheduler(Callback):
    """Sets the optimizer's learning rate before each epoch.

    The logs of the epoch get an entry "learning_rate".

    Parameters
    ----------
    schedule : callable
        ``schedule(epoch, learning_rate)`` or ``schedule(epoch)``, giving the new rate. Epochs count from 0.
    verbose : int, default 0
        1 prints each rate.

    Raises
    ------
    TypeError
        `schedule` is not such a function, or gives something that is not a number.
    ValueError
        It gives a rate that is negative or not finite.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.1))
    >>> callback = LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    >>> callback.set_model(model)
    >>> callback.on_epoch_begin(1)
    >>> model.optimizer.learning_rate
    0.05
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        self._takes_rate = _accepts(schedule, 2)
        if not self._takes_rate and not _accepts(schedule, 1):
            raise invalid(
                "schedule",
                show(schedule),
                "a function of (epoch, learning_rate) or of (epoch)",
                "pass for example lambda epoch, rate: rate * 0.9",
                TypeError,
            )
        self.schedule = schedule
        self.verbose = check_verbose(verbose)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        optimizer = self.model.optimizer
        known = (float(optimizer.learning_rate),) if self._takes_rate else ()
        optimizer.learning_rate = rate = check_number(
            "result of schedule",
            self.schedule(epoch, *known),
            0,
            "a finite number of at least 0",
            "correct the schedule",
        )
        if self.verbose:
            say(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _accepts(function: Any, count: int) -> bool:
    """Whether a function can be called with so many arguments; True where Python cannot tell."""
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # some functions written in C have no signature
        pass
    return True
