"""How far a run is, on the terminal."""

import functools
import sys
import threading
import time
from typing import Any

import numpy as np

from .base import Internal, Logs, check_verbose


class ProgbarLogger(Internal):
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


def say(text: str) -> None:
    """Print a line, above the bar if there is one."""
    if "tqdm" in sys.modules:
        _bar_class().write(text, file=sys.stdout)
    else:
        print(text)
