"""Callbacks that write models, and where training is."""

import os
import re
import time
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

from ..errors import check_flag, check_number, invalid, is_one_of, not_provided, show
from .base import Callback, Logs, Place, Training, check_verbose
from .monitors import Monitor
from .progress import say


class Frequency:
    """How often a file is written: after each epoch, so many batches, or so much time.

    Parameters
    ----------
    save_freq : "epoch", int or timedelta

    Attributes
    ----------
    done : int
        Batches of the epoch when `due` was called.
    """

    def __init__(self, save_freq: Any):
        whole = type(save_freq) is int and save_freq > 0
        timed = isinstance(save_freq, timedelta) and save_freq > timedelta(0)
        if not whole and not timed and not is_one_of(save_freq, ("epoch",)):
            expected, fix = "'epoch', a number of batches, or a timedelta", "pass for example timedelta(minutes=10)"
            raise invalid("save_freq", show(save_freq), expected, fix)
        self.batches: int | None = save_freq if whole else None
        self.seconds: float | None = save_freq.total_seconds() if timed else None
        self.begin()

    def begin(self, batch: int = 0) -> None:
        """Count from now on, where so many batches of an epoch are done."""
        self._seen, self._since, self._last = batch, 0, time.monotonic()

    def due(self, batch: int, steps: int | None) -> bool:
        """Whether it is time for a file, where so many batches of an epoch are done; 0 at its end, of `steps`."""
        self.done = batch or steps or self._seen
        self._since += max(0, self.done - self._seen)
        self._seen = batch
        if self.batches is not None:
            due = self._since >= self.batches
        elif self.seconds is not None:
            due = time.monotonic() - self._last >= self.seconds
        else:
            due = batch == 0
        if due:
            self.begin(batch)
        return due


class ModelCheckpoint(Monitor):
    """Writes the model to a file, after each epoch, so many batches or so much time, or where it is better than before.

    Parameters
    ----------
    filepath : path
        Such as ``"model.safetensors"``, which each file replaces, or ``"{epoch:02d}-{val_loss:.2f}.safetensors"``, with
        the number of the epoch, counted from 1 (``{batch}`` too, unless `save_freq` is "epoch"), and entries of the
        logs. Folders are made.
    monitor : str, default "val_loss"
        Entry of the logs, for `save_best_only`. Where it is missing, a warning names those there are.
    verbose : int, default 0
        1 prints what is written.
    save_best_only : bool, default False
        Write only where the monitored value is better than all before.
    save_weights_only : bool, default False
        `save_weights` instead of `save`.
    mode : {"auto", "min", "max"}
        Whether less or more is better; "auto" goes by the name.
    save_freq : "epoch", int or datetime.timedelta, default "epoch"
        After each epoch; after so many batches, counted over all epochs, each of which is then a call of its own; or
        whenever so much time has passed, between two batches or at the end of an epoch.
    initial_value_threshold : float, optional
        The best value before training.

    Raises
    ------
    ValueError, TypeError
        An argument is wrong, or `filepath` has a field that the logs lack.
    OSError
        The file cannot be written, with its path; an older one is as it was.

    Examples
    --------
    >>> import tempfile, fastnn
    >>> model = fastnn.Sequential([fastnn.layers.Dense(1, input_shape=(1,))])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     best = ModelCheckpoint(Path(folder, "{epoch}.safetensors"), "loss", save_best_only=True)
    ...     history = model.fit([[0.0], [1.0]], [0.0, 2.0], epochs=2, verbose=0, callbacks=[best])
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['1.safetensors', '2.safetensors']
    """

    kept = (*Monitor.kept, "_batches", "_seen")

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int | timedelta = "epoch",
        initial_value_threshold: float | None = None,
    ):
        self.save_best_only = check_flag("save_best_only", save_best_only)
        super().__init__(monitor, mode if self.save_best_only or mode != "auto" else "min", 0, 0)
        if not isinstance(filepath, (str, os.PathLike)):
            raise invalid("filepath", show(filepath), "a path", "pass for example 'model.safetensors'", TypeError)
        self.filepath = os.fspath(filepath)
        self.verbose, self.save_weights_only = (
            check_verbose(verbose),
            check_flag("save_weights_only", save_weights_only),
        )
        self.save_freq, self._frequency = save_freq, Frequency(save_freq)
        if initial_value_threshold is not None:
            expected, fix = "a finite number or None", "pass the value to be better than"
            check_number("initial_value_threshold", initial_value_threshold, -1.7e308, expected, fix)
        self.initial_value_threshold = initial_value_threshold
        self.best = initial_value_threshold
        self._batches = self._epoch = self._seen = 0
        if self._frequency.batches:
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def on_train_begin(self, logs: Logs = None) -> None:
        self._warned = False  # what is best, and how many batches there were, stays from one training to the next
        self._frequency.begin()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch, self._seen = epoch, 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def _pause(self, epoch: int, batch: int, logs: Logs = None) -> None:
        """Write the model if it is time to, before a batch of an epoch."""
        if self._frequency.seconds and self._frequency.due(batch, (self.params or {}).get("steps")):
            self._save(epoch if batch else epoch - 1, self._frequency.done - 1, logs)

    def _after_batch(self, batch: int, logs: Logs = None) -> None:
        taken, self._seen = batch + 1 - self._seen, batch + 1  # several with steps_per_execution
        before, self._batches = self._batches, self._batches + taken
        every = self._frequency.batches
        if every and self._batches // every > before // every:
            self._save(self._epoch, batch, logs)

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        """Write the model if it is to be written."""
        from ..saving import save_model, save_weights
        from ..saving.files import make_folders

        path, place = self._path(epoch, batch, logs), f"Epoch {epoch + 1}"
        if self.save_best_only:
            value = self.monitored(logs)
            if value is None or not self.improves(value, self.best):
                return
            place += f": {self.monitor} improved from {self.best} to {value}"
            self.best = value
        if self.verbose:
            say(f"{place}: saving model to {path}")
        make_folders(Path(path).parent)
        (save_weights if self.save_weights_only else save_model)(self.model, path)

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        fields = {"epoch": epoch + 1} | ({} if batch is None else {"batch": batch + 1}) | (logs or {})
        try:
            return self.filepath.format(**fields)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            received, expected = f"{self.filepath!r}, which gives {error!r}", f"fields among {', '.join(fields)}"
            raise invalid("filepath", received, expected, "correct the name") from None


class BackupAndRestore(Callback):
    """Goes on where a training was killed, and ends with the bits of one that was not.

    A file in `backup_dir` has all that training goes on with: weights, state of the optimizer, epoch and batch,
    history, running metrics, and what callbacks remember (`Callback.state`). When ``fit`` of the same program begins
    again, it takes the newest whole file and begins there. Two files are kept; one that is damaged is skipped with a
    warning. The first one is written before the first epoch, so that missing space shows at once.

    Within an epoch, the hooks `on_train_begin` and `on_epoch_begin` of callbacks run again before they get their state.

    Parameters
    ----------
    backup_dir : path
        Folder, made if it is not there. One for each training: each call of ``fit``.
    save_freq : "epoch", int or datetime.timedelta, default "epoch"
        A file after each epoch; or between two batches, as soon as so many were done, or so much time has passed,
        since the last one. Batches need no calls of their own, unlike those of `ModelCheckpoint`: a few more may be
        done.
    double_checkpoint : False
        Two files are kept in any case.
    delete_checkpoint : bool, default True
        Remove the files when training has ended.

    Raises
    ------
    ValueError
        The data are a generator, which cannot begin in the middle; pass arrays, or a `fastnn.utils.PyDataset` whose
        batches depend on their numbers, on the global random numbers of NumPy and Python, and on attributes named in
        its ``kept``. Or a metric of one's own has attributes that it does not name in its ``kept``.
    FormatError
        The newest whole file is of another training.
    OSError
        A file cannot be written or read.

    Examples
    --------
    >>> import tempfile, fastnn
    >>> model = fastnn.Sequential([fastnn.layers.Dense(1, input_shape=(1,))])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     backup = BackupAndRestore(folder)
    ...     history = model.fit([[0.0], [1.0]], [0.0, 2.0], epochs=2, verbose=0, callbacks=[backup])
    >>> history.epoch
    [0, 1]
    """

    _training: Training | None = None  # that is under way

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int | timedelta = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):
        if not isinstance(backup_dir, (str, os.PathLike)) or not os.fspath(backup_dir):
            raise invalid("backup_dir", show(backup_dir), "a path", "pass for example 'backup'", TypeError)
        not_provided(False, double_checkpoint=double_checkpoint)
        self.backup_dir, self.save_freq, self._frequency = Path(backup_dir), save_freq, Frequency(save_freq)
        self.delete_checkpoint = check_flag("delete_checkpoint", delete_checkpoint)

    def _files(self) -> list[Path]:
        """The files, the newest first."""
        found = []
        for path in self.backup_dir.glob("epoch-*.safetensors"):
            number = re.fullmatch(r"epoch-(\d+)(?:-batch-(\d+))?\.safetensors", path.name)
            if number:
                found.append((int(number[1]), int(number[2] or 0), path))
        return [path for *_, path in sorted(found, reverse=True)]

    def _resume(self, training: Training) -> Place:
        """Where to begin: where the newest whole file was written, or where the training begins."""
        from ..saving import FormatError
        from ..saving.backup import check_resumable, open_backup, restore_backup
        from ..saving.files import make_folders

        check_resumable(training, within=self.save_freq != "epoch")
        self._training = training
        for left in self.backup_dir.glob(".epoch-*.tmp"):  # of a process that was killed while it wrote
            left.unlink()
        for path in self._files():
            try:
                file = open_backup(path)
            except FormatError as error:
                warnings.warn(f"BackupAndRestore skips {path}, which is now a .damaged file: {error}", stacklevel=4)
                path.replace(path.with_suffix(".damaged"))
                continue
            place = restore_backup(file, training)
            self._frequency.begin(place.batch)
            return place
        make_folders(self.backup_dir)
        self._frequency.begin()
        self._write(training.begin)
        return training.begin

    def _pause(self, epoch: int, batch: int, logs: Logs = None) -> None:
        """Write where training is if it is time to: before a batch of an epoch."""
        if self._frequency.due(batch, (self.params or {}).get("steps")):
            self._write(Place(epoch, batch, logs or {}))

    def _write(self, place: Place) -> None:
        from ..saving.backup import write_backup

        assert self._training is not None
        name = f"epoch-{place.epoch}" + f"-batch-{place.batch}" * bool(place.batch)
        write_backup(self.backup_dir / f"{name}.safetensors", self._training, place)
        for path in self._files()[2:]:
            path.unlink()

    def _ended(self) -> None:
        """Remove the files, if they shall be, after all callbacks have heard that training has ended."""
        self._training = None
        for path in self._files() if self.delete_checkpoint else ():
            path.unlink()
