"""What training, evaluation and prediction tell callbacks, and the list of them that passes it on."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import NonFiniteError, check_integer, invalid, is_one_of, show

Logs = dict[str, Any] | None


@dataclass
class Place:
    """Where training is: before a batch of an epoch, both counted from 0, with the logs so far."""

    epoch: int
    batch: int = 0
    logs: dict[str, Any] = field(default_factory=dict)


@dataclass
class Training:
    """A call of ``fit`` that is under way.

    Attributes
    ----------
    model : Model
    called : CallbackList
    source, tested : ArraySource or StreamSource
        Data to train on, and for validation; None without.
    begin : Place
    step : int
        Iteration of the optimizer with which it began.
    """

    model: Any
    called: "CallbackList"
    source: Any
    tested: Any
    begin: Place
    step: int


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
        Its settings: "epochs", "steps", "samples", "batch_size", "verbose", "mode", "on_nonfinite".

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
    kept: tuple[str, ...] = ()  # attributes that `state` gives

    def set_params(self, params: dict[str, Any]) -> None:
        """Receive the settings of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Receive the model."""
        self.model = model

    def state(self) -> dict[str, Any]:
        """What it remembers, for `BackupAndRestore`: numbers, strings, arrays, lists and dicts.

        By default the attributes whose names are in ``kept``.
        """
        return {name: getattr(self, name) for name in self.kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Remember again what `state` gave; after `on_train_begin`. By default it sets attributes."""
        for name, value in state.items():
            setattr(self, name, value)

    def _resume(self, training: Training) -> Place | None:
        """Where a training goes on that was interrupted, if this callback knows."""
        return None

    def _pause(self, epoch: int, batch: int, logs: Logs = None) -> None:
        """Training is between two pieces of work, before a batch of an epoch."""

    def _ended(self) -> None:
        """Training has ended, and all callbacks have heard of it."""

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

    def resume(self, training: Training) -> Place:
        """Where training begins: where a backup was written if one of the callbacks has it."""
        places = [callback._resume(training) for callback in self.callbacks]
        return next((place for place in places if place is not None), training.begin)

    def pause(self, epoch: int, batch: int, logs: Logs = None) -> None:
        """Tell callbacks which batch comes next: between pieces of work, not after each one.

        At the end of an epoch, after its hooks, that is the first batch of the next one.
        """
        for callback in self.callbacks:
            callback._pause(epoch, batch, logs)

    def ended(self) -> None:
        """Tell callbacks that all of them know of the end of training."""
        for callback in self.callbacks:
            callback._ended()

    def ends_at(self, error: NonFiniteError) -> bool:
        """Whether one of the callbacks lets training end in order where it has diverged."""
        return any([callback.ends_at(error) for callback in self.callbacks if hasattr(callback, "ends_at")])


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


def check_verbose(value: Any) -> Any:
    """`value` if it is "auto", 0, 1 or 2, or the error."""
    if not is_one_of(value, ("auto", 0, 1, 2)):
        raise invalid("verbose", show(value), "'auto', 0, 1 or 2", "pass 0 to show nothing")
    return value


def check_count(argument: str, value: Any) -> int:
    """`value` as an int of at least 0, or the error."""
    return check_integer(argument, value, 0, "an integer of at least 0", "pass a number of epochs")
