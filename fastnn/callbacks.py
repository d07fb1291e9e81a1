"""Callbacks: objects that training, evaluation and prediction tell about their progress."""

import functools
import inspect
import math
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .errors import check_flag, check_integer, check_number, invalid, is_one_of, show, unknown

Logs = dict[str, Any] | None

# Parts of the names of metrics of which more, or less, is better.
MORE = "acc", "auc", "f1", "precision", "recall", "score", "similarity", "iou"
LESS = "loss", "error", "entropy", "divergence", "hinge", "cosh", "poisson", "mae", "mse", "mape", "msle"


class Callback:
    """Base of callbacks: override the hooks that are needed.

    ``logs`` holds the loss and the metrics by name: of the batches so far in batch hooks, of the epoch
    (those of the validation as ``val_<name>``) in `on_epoch_end`. A callback may add entries there for
    the callbacks after it; the history comes last.

    Overriding a batch hook makes every batch a separate call of the compiled program, which is slower.

    Attributes
    ----------
    model : Model
        The model that runs.
    params : dict
        Its settings: "epochs", "steps", "samples", "batch_size", "verbose", "mode".

    Examples
    --------
    >>> class Report(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    >>> CallbackList([Report()]).on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    model: Any = None
    params: dict[str, Any] | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Receive the settings of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Receive the model."""
        self.model = model

    def on_train_begin(self, logs: Logs = None) -> None:
        """Called when ``fit`` begins."""

    def on_train_end(self, logs: Logs = None) -> None:
        """Called when ``fit`` ends, with the logs of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Called before each epoch; the first is 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Called after each epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before each batch of training."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after each batch of training."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Older name of `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """Called when ``evaluate`` or a validation begins."""

    def on_test_end(self, logs: Logs = None) -> None:
        """Called when ``evaluate`` or a validation ends."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before each batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after each batch of an evaluation."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Called when ``predict`` begins."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """Called when ``predict`` ends."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before each batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after each batch of a prediction."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
OLDER = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class CallbackList(Callback):
    """Passes every hook on to several callbacks, in their order and with the same `logs`.

    Parameters
    ----------
    callbacks : Callback, CallbackList, nested list of them, or None
    model : Model, optional
        Given to each callback by `set_model`.
    **params
        Given to each callback by `set_params`.

    Raises
    ------
    TypeError
        Something is not an instance of `Callback`.
    """

    def __init__(self, callbacks: Any = None, model: Any = None, **params: Any):
        self.callbacks = _flat(callbacks)
        self.set_model(model)
        self.set_params(params)

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    def overrides(self, hook_names: Iterable[str]) -> bool:
        """Whether any callback does something in one of these hooks."""
        names = [name for hook in hook_names for name in (hook, OLDER.get(hook, hook))]
        return any(_overrides(callback, name) for callback in self.callbacks for name in names)

    def progress(self, done_batches: int, logs: Logs = None) -> None:
        """Tell callbacks that have a method `progress` how many batches of the epoch are done.

        It is called between pieces of work, not for each batch, so it slows nothing down.
        """
        for callback in self.callbacks:
            if hasattr(callback, "progress"):
                callback.progress(done_batches, logs)


def _flat(callbacks: Any) -> list[Callback]:
    if callbacks is None:
        return []
    if isinstance(callbacks, (list, tuple)):
        return [callback for part in callbacks for callback in _flat(part)]
    if isinstance(callbacks, CallbackList):
        return callbacks.callbacks
    if isinstance(callbacks, Callback):
        return [callbacks]
    fix = "call the class" if inspect.isclass(callbacks) else "derive its class from Callback"
    raise invalid("callbacks", show(callbacks), "instances of Callback", fix, TypeError)


def _overrides(callback: Callback, name: str) -> bool:
    return getattr(getattr(callback, name), "__func__", None) is not getattr(Callback, name)


def _passing_on(name: str) -> Callable[..., None]:
    """The method of `CallbackList` for a hook."""

    def with_logs(self: CallbackList, logs: Logs = None) -> None:
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, name)(logs)

    def with_index(self: CallbackList, index: int, logs: Logs = None) -> None:
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, name)(index, logs)

    return with_index if "epoch" in name or "batch" in name else with_logs


for _name in HOOKS:
    setattr(CallbackList, _name, _passing_on(_name))


class History(Callback):
    """Records the logs of each epoch; ``fit`` returns one.

    Attributes
    ----------
    epoch : list of int
    history : dict of str to list
        For each name in the logs its values.

    Examples
    --------
    >>> history = History()
    >>> history.on_epoch_end(0, {"loss": 0.5})
    >>> history.on_epoch_end(1, {"loss": 0.25})
    >>> history.epoch, history.history
    ([0, 1], {'loss': [0.5, 0.25]})
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}
        self._model: weakref.ref[Any] | None = None

    @property
    def model(self) -> Any:
        """The model, which has its history but is not kept alive by it, or None."""
        return None if self._model is None else self._model()

    @model.setter
    def model(self, model: Any) -> None:
        self._model = None if model is None else weakref.ref(model)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        if model is not None:
            model.history = self

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epoch, self.history = [], {}

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


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
            _say(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

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


class Monitor(Callback):
    """What callbacks that watch one entry of the logs share.

    Parameters
    ----------
    monitor : str
    mode : {"auto", "min", "max"}
        Whether less or more is better; "auto" goes by the name.
    min_delta : float
        A change has to be larger than this to count as an improvement.
    patience : int
    """

    def __init__(self, monitor: str, mode: str, min_delta: float, patience: int):
        if not isinstance(monitor, str):
            raise invalid("monitor", show(monitor), "a name", "pass for example 'val_loss'", TypeError)
        if not is_one_of(mode, ("auto", "min", "max")):
            raise unknown("mode", mode, ("auto", "min", "max"))
        if mode == "auto":
            name = monitor.lower()
            if any(part in name for part in LESS):
                mode = "min"
            elif any(part in name for part in MORE):
                mode = "max"
            else:
                raise invalid(
                    "mode",
                    f"'auto' for {monitor!r}",
                    "'min' or 'max' for such a name",
                    "pass mode='min' if less is better, mode='max' if more is",
                )
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(
            check_number(
                "min_delta",
                min_delta,
                -sys.float_info.max,
                "a finite number",
                "pass the smallest change that counts as an improvement",
            )
        )
        self.patience = check_count("patience", patience)
        self.wait = 0
        self.best: float | None = None
        self._warned = False

    def on_train_begin(self, logs: Logs = None) -> None:
        self.wait, self.best, self._warned = 0, None, False

    def monitored(self, logs: Logs) -> float | None:
        """The watched value; None where the logs lack it, which is warned of once."""
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None and not self._warned:
            self._warned = True
            warnings.warn(
                f"{type(self).__name__} does nothing: the logs have no {self.monitor!r}, "
                f"only {', '.join(map(repr, logs)) or 'nothing'}; pass one of these names as monitor"
                + (", or validation data to fit" if self.monitor.startswith("val_") else ""),
                stacklevel=2,
            )
        return value

    def improves(self, value: float, reference: float | None) -> bool:
        """Whether `value` is better by more than `min_delta`; NaN is never."""
        if reference is None:
            return not math.isnan(value)
        if self.mode == "min":
            return bool(value + self.min_delta < reference)
        return bool(value - self.min_delta > reference)


def check_verbose(value: Any) -> Any:
    """`value` if it is "auto", 0, 1 or 2, or the error."""
    if not is_one_of(value, ("auto", 0, 1, 2)):
        raise invalid("verbose", show(value), "'auto', 0, 1 or 2", "pass 0 to show nothing")
    return value


def check_count(argument: str, value: Any) -> int:
    """`value` as an int of at least 0, or the error."""
    return check_integer(argument, value, 0, "an integer of at least 0", "pass a number of epochs")


class EarlyStopping(Monitor):
    """Ends training when a value of the logs has stopped improving.

    Parameters
    ----------
    monitor : str, default "val_loss"
        Entry of the logs. Where it is missing, a warning names those there are.
    min_delta : float, default 0
        Smaller changes are no improvement.
    patience : int, default 0
        Epochs without improvement after which training ends; 0 and 1 both mean the first.
    verbose : int, default 0
        1 prints when training ends early.
    mode : {"auto", "min", "max"}
        Whether less or more is better; "auto" goes by the name.
    baseline : float, optional
        Only a value better than this resets the count of epochs.
    restore_best_weights : bool, default False
        Set the weights of the best epoch when training ends, early or not.
    start_from_epoch : int, default 0
        Epochs before this one are not looked at.

    Attributes
    ----------
    best : float or None
        The best value.
    best_epoch, stopped_epoch : int
        Epochs, counted from 0; `stopped_epoch` is 0 when training was not stopped.

    Raises
    ------
    TypeError, ValueError
        An argument is wrong, or "auto" does not know the name.

    References
    ----------
    Prechelt, "Early stopping - but when?", Neural Networks: Tricks of the Trade (1998).

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model, stop = SimpleNamespace(stop_training=False), EarlyStopping("loss", patience=2)
    >>> stop.set_model(model)
    >>> for epoch, loss in enumerate([0.5, 0.4, 0.6, 0.45]):
    ...     stop.on_epoch_end(epoch, {"loss": loss})
    >>> model.stop_training, stop.stopped_epoch, stop.best_epoch
    (True, 3, 1)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        super().__init__(monitor, mode, min_delta, patience)
        if baseline is not None:
            check_number(
                "baseline", baseline, -sys.float_info.max, "a finite number or None", "pass the value to be better than"
            )
        self.verbose = check_verbose(verbose)
        self.baseline = baseline
        self.restore_best_weights = check_flag("restore_best_weights", restore_best_weights)
        self.start_from_epoch = check_count("start_from_epoch", start_from_epoch)
        self.best_weights: list[np.ndarray] | None = None
        self.best_epoch = self.stopped_epoch = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin(logs)
        self.best_weights = None
        self.best_epoch = self.stopped_epoch = 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        value = self.monitored(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        better = self.improves(value, self.best)
        if self.restore_best_weights and (better or self.best_weights is None):
            self.best_weights = self.model.get_weights()
            self.best_epoch = epoch
        self.wait += 1
        if better:
            self.best, self.best_epoch = value, epoch
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.stopped_epoch and self.verbose:
            _say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                _say(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(Monitor):
    """Multiplies the learning rate by a factor when a value of the logs has stopped improving.

    The logs of the epoch get an entry "learning_rate": the rate with which it was trained.

    Parameters
    ----------
    monitor : str, default "val_loss"
        Entry of the logs. Where it is missing, a warning names those there are.
    factor : float, default 0.1
        From 0 to below 1.
    patience : int, default 10
        Epochs without improvement after which the rate is reduced.
    verbose : int, default 0
        1 prints each reduction.
    mode : {"auto", "min", "max"}
        Whether less or more is better; "auto" goes by the name.
    min_delta : float, default 1e-4
        Smaller changes are no improvement.
    cooldown : int, default 0
        Epochs after a reduction in which no epoch is counted as one without improvement.
    min_lr : float, default 0.0
        The rate is not reduced below this.

    Raises
    ------
    TypeError, ValueError
        An argument is wrong, or "auto" does not know the name.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.5))
    >>> reduce = ReduceLROnPlateau("loss", factor=0.5, patience=2)
    >>> reduce.set_model(model)
    >>> for epoch, loss in enumerate([0.3, 0.3, 0.3]):
    ...     reduce.on_epoch_end(epoch, {"loss": loss})
    >>> model.optimizer.learning_rate
    0.25
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ):
        super().__init__(monitor, mode, min_delta, patience)
        self.factor = check_number(
            "factor", factor, 0, "a number from 0 to below 1", "pass for example 0.1", high=math.nextafter(1, 0)
        )
        self.verbose = check_verbose(verbose)
        self.cooldown = check_count("cooldown", cooldown)
        self.min_lr = check_number("min_lr", min_lr, 0, "a finite number of at least 0", "pass for example 1e-5")
        self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin(logs)
        self.cooldown_counter = 0

    def in_cooldown(self) -> bool:
        """Whether a reduction is less than `cooldown` epochs ago."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        rate = float(self.model.optimizer.learning_rate)
        value = self.monitored(logs)
        if logs is not None:
            logs["learning_rate"] = rate
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                reduced = max(rate * self.factor, self.min_lr)
                self.model.optimizer.learning_rate = reduced
                if self.verbose:
                    _say(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {reduced}.")
                self.cooldown_counter, self.wait = self.cooldown, 0


class ProgbarLogger(Callback):
    """Shows how far a run is: a bar while it runs, and one line for each epoch or evaluation.

    It shows the entries of the logs in their order. The seconds are those of the whole epoch; the samples
    per second are those of training alone.

    Parameters
    ----------
    verbose : {"auto", 0, 1, 2}
        0 shows nothing, 1 a bar and the line, 2 the line alone. "auto" takes ``params["verbose"]``, and
        if that is "auto" too, 1 where the standard output is a terminal, else 2.

    Examples
    --------
    >>> logger = ProgbarLogger(verbose=2)
    >>> logger.set_params({"epochs": 5, "steps": 4, "samples": 100, "batch_size": 32})
    >>> logger.on_epoch_begin(2)
    >>> logger.progress(4, {"loss": 0.25})
    >>> logger.on_epoch_end(2, {"loss": 0.25, "val_loss": 0.5})  # doctest: +ELLIPSIS
    Epoch 3/5 - ...s - ... samples/s - loss: 0.2500 - val_loss: 0.5000
    """

    def __init__(self, verbose: str | int = "auto"):
        self.verbose = check_verbose(verbose)
        self._title: str | None = None  # of what is running
        self._start, self._busy, self._done = 0.0, 0.0, 0  # seconds, seconds of training, batches
        self._validating = False  # inside an epoch
        self._bar: Any = None

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._begin(f"Epoch {epoch + 1}/{self._param('epochs') or 1}")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._end(logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        self._validating = self._param("mode") != "evaluate"
        if not self._validating:
            self._begin("Evaluate")

    def on_test_end(self, logs: Logs = None) -> None:
        if not self._validating:
            self._end(logs)
        self._validating = False

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._begin("Predict")

    def on_predict_end(self, logs: Logs = None) -> None:
        self._end(None)

    def on_train_end(self, logs: Logs = None) -> None:
        self.close()

    def progress(self, done_batches: int, logs: Logs = None) -> None:
        """Show how many batches of the epoch are done, and the logs so far."""
        if self._title is None or self._validating:
            return
        self._done, self._busy = done_batches, time.perf_counter() - self._start
        if self._bar is not None:
            self._bar.set_postfix_str(" - ".join(self._rate() + _values(logs)), refresh=False)
            self._bar.update(done_batches - self._bar.n)  # redraws at most every 0.1 s
            if done_batches == self._bar.total:
                self._bar.refresh()

    def close(self) -> None:
        """Remove the bar, as when a run is interrupted."""
        if self._bar is not None:
            self._bar.close()
        self._bar = self._title = None
        self._validating = False

    def _param(self, name: str) -> Any:
        return (self.params or {}).get(name)

    def _level(self) -> int:
        """0, 1 or 2."""
        levels = [v for v in (self.verbose, self._param("verbose")) if v not in ("auto", None)]
        terminal = sys.stdout is not None and sys.stdout.isatty()
        return int(levels[0]) if levels else 1 if terminal else 2

    def _begin(self, title: str) -> None:
        self.close()
        self._title, self._done, self._busy = title, 0, 0.0
        self._start = time.perf_counter()
        if self._level() == 1:
            self._bar = _bar_class()(
                desc=title,
                total=self._param("steps"),
                file=sys.stdout,
                leave=False,
                dynamic_ncols=True,
                miniters=1,  # every update may redraw
                bar_format="{desc} |{bar:20}| {n_fmt}/{total_fmt}, ETA {remaining}{postfix}",
            )

    def _end(self, logs: Logs) -> None:
        if self._title is None:
            return
        title, seconds = self._title, time.perf_counter() - self._start
        self.close()
        if self._level():
            print(" - ".join([title, f"{seconds:.2f}s", *self._rate(), *_values(logs)]), flush=True)

    def _rate(self) -> list[str]:
        """Samples per second, where the size of the batches is known."""
        samples = self._done * (self._param("batch_size") or 0)
        if self._param("samples") is not None:
            samples = min(samples, self._param("samples"))  # the last batch may be short
        return [f"{samples / self._busy:,.0f} samples/s"] if samples and self._busy else []


def _values(logs: Logs) -> list[str]:
    return [f"{name}: {_short(value)}" for name, value in (logs or {}).items()]


def _short(value: Any) -> str:
    """Four decimals, or four significant ones where that would lose a small number."""
    if isinstance(value, np.ndarray):  # of a metric with a value for each class or threshold
        return f"[{' '.join(map(_short, value.ravel().tolist()))}]" if value.size <= 12 else f"{value.shape}"
    return f"{value:.4f}" if value == 0 or abs(value) > 1e-3 else f"{value:.4e}"


@functools.cache
def _bar_class() -> Any:
    from tqdm import tqdm

    class Bar(tqdm):
        monitor_interval = 0  # no thread that watches the bars
        _lock = threading.RLock()  # tqdm's own would open a semaphore shared between processes

    return Bar


def _say(text: str) -> None:
    """Print a line, above the bar if there is one."""
    if "tqdm" in sys.modules:
        _bar_class().write(text, file=sys.stdout)
    else:
        print(text)
