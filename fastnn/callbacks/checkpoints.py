"""Callbacks that write models, and where training is."""

import os
import re
import time
import warnings
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from string import Formatter
from typing import Any

from ..errors import check_flag, check_number, invalid, is_one_of, not_provided, show
from .base import Internal, Logs, Place, Training, check_verbose
from .monitors import Monitor
from .progress import say

BACKUP = "backup-epoch"  # first part of the names of backups, so that a folder may have other files, too


class Frequency:
    """How often a file is written: after each epoch, so many batches, or so much time.

    Parameters
    ----------
    save_freq : "epoch", int or timedelta
    """

    def __init__(self, save_freq: Any):
        whole = type(save_freq) is int and save_freq > 0
        timed = isinstance(save_freq, timedelta) and save_freq > timedelta(0)
        if not whole and not timed and not is_one_of(save_freq, ("epoch",)):
            expected, fix = "'epoch', a number of batches, or a timedelta", "pass for example timedelta(minutes=10)"
            raise invalid("save_freq", show(save_freq), expected, fix)
        self.batches: int | None = save_freq if whole else None
        self.seconds: float | None = save_freq.total_seconds() if timed else None
        self.waited = self.seen = 0  # batches since the last file, and those of the epoch that are counted already
        self.start()

    def start(self, batch: int = 0) -> None:
        """Let time pass from now on, with so many batches of the epoch done."""
        self.seen, self._began = batch, time.monotonic()

    def due(self, place: Place, done: int) -> bool:
        """Whether it is time for a file, at a place in training with so many batches of the epoch done."""
        self.waited += done - self.seen
        self.seen = place.batch
        if self.batches is not None:
            return self.waited >= self.batches
        if self.seconds is not None:
            return time.monotonic() - self._began >= self.seconds
        return place.batch == 0

    def written(self) -> None:
        """Begin to wait anew."""
        self.waited, self._began = 0, time.monotonic()


class ModelCheckpoint(Internal, Monitor):
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
        whenever so much time has passed, between two batches or at the end of an epoch: there alone if `filepath` or
        `save_best_only` need an entry that only complete epochs have, such as "val_loss".
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
        self._epoch = 0

    def state(self) -> dict[str, Any]:
        return super().state() | {"waited": self._frequency.waited, "seen": self._frequency.seen}

    def restore(self, state: dict[str, Any]) -> None:
        self._frequency.waited, self._frequency.seen = state["waited"], state["seen"]
        super().restore({name: value for name, value in state.items() if name not in ("waited", "seen")})

    def watches(self) -> bool:
        """Whether it counts batches."""
        return self._frequency.batches is not None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._warned = False  # what is best, and how many batches there were, stays from one training to the next
        self._frequency.start()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch, self._frequency.seen = epoch, 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        super().on_train_batch_end(batch, logs)
        if self.watches() and self._frequency.due(Place(self._epoch, batch + 1), batch + 1):
            self._save(self._epoch, batch, logs)

    def pause(self, training: Training, place: Place, done: int) -> None:
        """Write the model if so much time has passed."""
        if self._frequency.seconds and self._frequency.due(place, done):
            if not place.batch:
                self._save(place.epoch - 1, done - 1, place.logs)
            elif self._needed() <= {"epoch", "batch", *place.logs}:
                self._save(place.epoch, done - 1, place.logs)

    def _needed(self) -> set[str]:
        """The entries of the logs, and other fields, that a file needs; none if its name is none."""
        fields = {self.monitor} if self.save_best_only else set()
        with suppress(ValueError):
            fields |= {re.split(r"[.\[]", name)[0] for _, name, *_ in Formatter().parse(self.filepath) if name}
        return fields

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        """Write the model if it is to be written."""
        from ..saving import save_model, save_weights
        from ..saving.files import make_folders

        self._frequency.written()
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


class BackupAndRestore(Internal):
    """Goes on where a training was killed, and ends with the bits of one that was not.

    A file in `backup_dir` has all that training goes on with: weights, state of the optimizer, epoch and batch,
    history, running metrics, and what callbacks remember (`Callback.state`). When ``fit`` of the same program begins
    again, it takes the newest whole file and begins there. Two files are kept; one that is damaged is skipped with a
    warning. The first one is written before the first epoch, so that missing space shows at once.

    When it goes on, the hook `on_train_begin` of all callbacks, and within an epoch `on_epoch_begin`, too, runs before
    they get their state back.

    Parameters
    ----------
    backup_dir : path
        Folder, made if it is not there. Each call of ``fit`` in a program needs one of its own.
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
        batches depend on their numbers, on attributes named in its ``kept``, and (with ``workers=1``) on the global
        random numbers of NumPy and Python. Or a data set has hooks, or, where files are written within epochs, a metric
        has a `reset_state` of its own, and does not say in ``kept`` what they change. Or there is a second
        `BackupAndRestore`.
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
        for path in self.backup_dir.glob(f"{BACKUP}-*.safetensors"):
            number = re.fullmatch(rf"{BACKUP}-(\d+)(?:-batch-(\d+))?\.safetensors", path.name)
            if number:
                found.append((int(number[1]), int(number[2] or 0), path))
        return [path for *_, path in sorted(found, reverse=True)]

    def resume(self, training: Training) -> Place:
        """Where the newest whole file was written, or where the training begins."""
        from ..saving import FormatError
        from ..saving.backup import check_resumable, open_backup, restore_backup
        from ..saving.files import make_folders

        if sum(isinstance(callback, BackupAndRestore) for callback in training.called.callbacks) > 1:
            raise invalid("callbacks", "two BackupAndRestore", "one, which training goes on with", "leave one out")
        check_resumable(training, within=self.save_freq != "epoch")
        for left in self.backup_dir.glob(f".{BACKUP}-*.tmp"):  # of a process that was killed while it wrote
            left.unlink()
        for path in self._files():
            try:
                file = open_backup(path)
            except FormatError as error:
                if error.field == "version":  # of a newer fastnn, which can read it
                    raise
                path.replace(path.with_suffix(".damaged"))
                warnings.warn(f"BackupAndRestore skips {path}, which is now a .damaged file: {error}", stacklevel=5)
                continue
            place = restore_backup(file, training)
            self._frequency.start(place.batch)
            self._frequency.written()
            return place
        make_folders(self.backup_dir)
        self._frequency.start()
        self._write(training, training.begin)
        return training.begin

    def pause(self, training: Training, place: Place, done: int) -> None:
        """Write where training is if it is time to."""
        if self._frequency.due(place, done):
            self._write(training, place)

    def _write(self, training: Training, place: Place) -> None:
        from ..saving.backup import write_backup

        self._frequency.written()
        name = f"{BACKUP}-{place.epoch}" + f"-batch-{place.batch}" * bool(place.batch)
        write_backup(self.backup_dir / f"{name}.safetensors", training, place)
        for path in self._files()[2:]:
            path.unlink()

    def ended(self) -> None:
        """Remove the files, if they shall be."""
        for path in self._files() if self.delete_checkpoint else ():
            path.unlink()
