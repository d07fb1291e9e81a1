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
    trainable : tuple of bool
        Which layers learned then.
    """

    model: Any
    called: "CallbackList"
    source: Any
    tested: Any
    begin: Place
    step: int
    trainable: tuple[bool, ...]


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
        Its settings: "epochs", "steps", "samples", "batch_size", "verbose", "mode", and of ``fit`` "on_nonfinite".
    kept : tuple of str
        Names of the attributes that change during training, for `BackupAndRestore`; by default none.

    Examples
    --------
    >>> class Report(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    >>> CallbackList([Report()]).on_epoch_end(0, {"loss": 0.5})
    0 0.5
    >>> class Count(Callback):
    ...     kept = ("epochs",)  # a training that goes on goes on counting
    ...     epochs = 0
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         self.epochs += 1
    """

    model: Any = None
    params: dict[str, Any] | None = None
    kept: tuple[str, ...] = ()

    def set_params(self, params: dict[str, Any]) -> None:
        """Receive the settings of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Receive the model."""
        self.model = model

    def state(self) -> dict[str, Any]:
        """What it remembers, for `BackupAndRestore`: numbers, strings, arrays of numbers, lists, tuples and dicts.

        By default the attributes whose names are in ``kept``.
        """
        return {name: getattr(self, name) for name in self.kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Remember again what `state` gave; after `on_train_begin`. By default it sets attributes."""
        for name, value in state.items():
            setattr(self, name, value)

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


class Internal(Callback):
    """Base of fastnn's callbacks that are told more than the hooks say, without a call for each batch."""

    def uses(self, hook: str) -> bool:
        """Whether it does something in a hook, as it is set up now; a class derived from it always does."""
        theirs = not getattr(getattr(self, hook), "__module__", "").startswith("fastnn.")
        return overrides(self, hook) and (hook != "on_train_batch_end" or theirs or self.watches())

    def watches(self) -> bool:
        """Whether its own `on_train_batch_end` has something to do, for which each batch is a call of its own."""
        return True

    def progress(self, done_batches: int, logs: Logs = None) -> None:
        """So many batches of an epoch, evaluation or prediction are done."""

    def resume(self, training: Training) -> Place | None:
        """Where a training goes on that was interrupted, if this callback knows."""
        return None

    def pause(self, training: Training, place: Place, done: int) -> None:
        """Training is between two pieces of work, at this place, with so many batches of the epoch done.

        At the end of an epoch, after its hooks, the place is the first batch of the next one.
        """

    def ends_at(self, error: NonFiniteError) -> bool:
        """Whether training ends in order where it has diverged."""
        return False

    def ended(self) -> None:
        """Training has ended, and all callbacks have heard of it."""


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
        return any(
            callback.uses(name) if isinstance(callback, Internal) else overrides(callback, name)
            for callback in self.callbacks
            for name in names
        )

    @property
    def internal(self) -> list[Internal]:
        """Those that are told more than the hooks say."""
        return [callback for callback in self.callbacks if isinstance(callback, Internal)]

    def progress(self, done_batches: int, logs: Logs = None) -> None:
        """Tell how many batches of the epoch are done: between pieces of work, not after each batch."""
        for callback in self.internal:
            callback.progress(done_batches, logs)

    def resume(self, training: Training) -> Place:
        """Where training begins: where a backup was written if one of the callbacks has it."""
        begin = training.begin
        for callback in self.internal:
            begin = callback.resume(training) or begin
        return begin

    def pause(self, training: Training, place: Place, done: int) -> None:
        """Tell where training is: between pieces of work, and at the end of each epoch."""
        for callback in self.internal:
            callback.pause(training, place, done)

    def ends_at(self, error: NonFiniteError) -> bool:
        """Whether one of the callbacks lets training end in order where it has diverged."""
        return any([callback.ends_at(error) for callback in self.internal])

    def ended(self) -> None:
        """Tell that all callbacks have heard of the end of training."""
        for callback in self.internal:
            callback.ended()


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


def overrides(callback: Callback, name: str) -> bool:
    """Whether a callback has a method of its own, or a function, for a hook."""
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
