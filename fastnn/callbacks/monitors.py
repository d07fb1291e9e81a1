"""Callbacks that watch an entry of the logs."""

import math
import sys
import warnings

import numpy as np

from ..errors import NonFiniteError, check_flag, check_number, invalid, is_one_of, show, unknown
from .base import Callback, Internal, Logs, check_count, check_verbose
from .progress import say

# Parts of the names of metrics of which more, or less, is better.
MORE = "acc", "auc", "f1", "precision", "recall", "score", "similarity", "iou"

LESS = "loss", "error", "entropy", "divergence", "hinge", "cosh", "poisson", "mae", "mse", "mape", "msle"


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

    kept: tuple[str, ...] = ("wait", "best")

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

    kept = (*Monitor.kept, "best_weights", "best_epoch", "stopped_epoch")

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
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                say(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
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

    kept = (*Monitor.kept, "cooldown_counter")

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
                    say(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {reduced}.")
                self.cooldown_counter, self.wait = self.cooldown, 0


class TerminateOnNaN(Internal):
    """Ends training in order where a loss or gradient is not finite, instead of by `NonFiniteError`.

    The weights are those after the last finite step; the epoch is not in the history. With ``on_nonfinite="ignore"``,
    training ends after the first batch that makes the mean loss of the epoch not finite, with the weights that it has
    then, and every batch is a call of its own; with "skip" nothing ends.

    Parameters
    ----------
    raise_error : bool, default False
        Raise `NonFiniteError` all the same, so that no callback is told of an end in order: `BackupAndRestore` keeps
        its files.

    Examples
    --------
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.layers.Dense(1, input_shape=(1,))])
    >>> model.compile(fastnn.optimizers.SGD(1e30), "mse")
    >>> history = model.fit([[1.0]] * 9, [1e30] * 9, batch_size=1, verbose=0, callbacks=[TerminateOnNaN()])
    Step 0: Invalid loss, terminating training
    >>> history.epoch
    []
    """

    def __init__(self, raise_error: bool = False):
        self.raise_error = check_flag("raise_error", raise_error)

    def ends_at(self, error: NonFiniteError) -> bool:
        """Let training end."""
        if self.raise_error:
            return False
        say(f"Step {error.step}: Invalid loss, terminating training")
        return True

    def watches(self) -> bool:
        """Whether nothing else finds what is not finite."""
        return (self.params or {}).get("on_nonfinite") == "ignore"

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """End training if the loss so far is not finite."""
        super().on_train_batch_end(batch, logs)
        loss = (logs or {}).get("loss", 0.0)
        if np.isfinite(loss) or not self.watches():
            return
        if self.raise_error:
            expected, fix = "a finite loss", "lower the learning rate, or scale the inputs"
            error = invalid("loss", f"{loss} after {batch + 1} batches", expected, fix, RuntimeError)
            raise NonFiniteError(str(error), self.model.optimizer.iterations, None)
        say(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
