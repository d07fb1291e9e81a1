"""Callbacks that write files: models, where training is, and logs."""

import csv
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import check_flag, check_number, invalid, is_one_of, not_provided, show
from .base import Callback, Logs, check_verbose
from .monitors import Monitor
from .progress import say


class ModelCheckpoint(Monitor):
    """Writes the model to a file, after each epoch or so many batches, or where it is better than before.

    Parameters
    ----------
    filepath : path
        Such as ``"model.safetensors"``, which each file replaces, or ``"{epoch:02d}-{val_loss:.2f}.safetensors"``, with
        the number of the epoch, counted from 1 (``{batch}`` too), and entries of the logs. Folders are made.
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
    save_freq : "epoch" or int, default "epoch"
        After each epoch, or after so many batches, counted over all epochs. Every batch is then a call of its own.
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

    kept = (*Monitor.kept, "_batches")

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
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
        every = type(save_freq) is int and save_freq > 0
        if not every and not is_one_of(save_freq, ("epoch",)):
            raise invalid("save_freq", show(save_freq), "'epoch' or a number of batches", "pass one of them")
        self.save_freq = save_freq
        if initial_value_threshold is not None:
            expected, fix = "a finite number or None", "pass the value to be better than"
            check_number("initial_value_threshold", initial_value_threshold, -1.7e308, expected, fix)
        self.initial_value_threshold = initial_value_threshold
        self.best = initial_value_threshold
        self._batches = self._epoch = self._seen = 0
        if every:
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def on_train_begin(self, logs: Logs = None) -> None:
        self._warned = False  # what is best, and how many batches there were, stays from one training to the next

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch, self._seen = epoch, 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def _after_batch(self, batch: int, logs: Logs = None) -> None:
        taken, self._seen = batch + 1 - self._seen, batch + 1  # several with steps_per_execution
        before, self._batches = self._batches, self._batches + taken
        if self._batches // int(self.save_freq) > before // int(self.save_freq):
            self._save(self._epoch, batch, logs)

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        """Write the model if it is to be written."""
        from ..saving import save_model, save_weights

        path, place = self._path(epoch, batch, logs), f"Epoch {epoch + 1}"
        if self.save_best_only:
            value = self.monitored(logs)
            if value is None or not self.improves(value, self.best):
                return
            place += f": {self.monitor} improved from {self.best} to {value}"
            self.best = value
        if self.verbose:
            say(f"{place}: saving model to {path}")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
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

    After each epoch a file in `backup_dir` has all that training goes on with: weights, state of the optimizer, epoch,
    history and what callbacks remember (`Callback.state`). When ``fit`` of the same program begins again, it takes the
    newest whole file and begins with the epoch after it. Two files are kept; one that is damaged is skipped with a
    warning. The first one is written before the first epoch, so that missing space shows at once.

    Parameters
    ----------
    backup_dir : path
        Folder, made if it is not there. One for each training.
    save_freq : "epoch"
        Counts of batches are not provided yet.
    double_checkpoint : False
        Two files are kept in any case.
    delete_checkpoint : bool, default True
        Remove the files when training has ended.

    Raises
    ------
    ValueError
        The data are a generator, which cannot begin in the middle; pass arrays, or a `fastnn.utils.PyDataset` whose
        batches depend on their numbers alone.
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
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):
        if not isinstance(backup_dir, (str, os.PathLike)) or not os.fspath(backup_dir):
            raise invalid("backup_dir", show(backup_dir), "a path", "pass for example 'backup'", TypeError)
        not_provided("epoch", save_freq=save_freq)
        not_provided(False, double_checkpoint=double_checkpoint)
        self.backup_dir = Path(backup_dir)
        self.delete_checkpoint = check_flag("delete_checkpoint", delete_checkpoint)

    def _files(self) -> list[tuple[int, Path]]:
        """Epochs and paths of the files, the newest first."""
        found = []
        for path in self.backup_dir.glob("epoch-*.safetensors"):
            number = re.fullmatch(r"epoch-(\d+)\.safetensors", path.name)
            if number:
                found.append((int(number[1]), path))
        return sorted(found, reverse=True)

    def resume(self, source: Any, tested: Any, callbacks: list[Callback], first: int) -> int:
        """The epoch to begin with: that of the newest whole file, or `first`."""
        from ..saving import FormatError
        from ..saving.backup import open_backup, restore_backup

        source.position()  # refuses data that cannot begin in the middle
        if tested is not None:
            tested.position("validation_data")
        for left in self.backup_dir.glob(".epoch-*.tmp"):  # of a process that was killed while it wrote
            left.unlink()
        for _, path in self._files():
            try:
                file = open_backup(path)
            except FormatError as error:
                warnings.warn(f"BackupAndRestore skips {path}, which is now a .damaged file: {error}", stacklevel=4)
                path.replace(path.with_suffix(".damaged"))
                continue
            return restore_backup(file, self.model, callbacks, source)
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        self.keep(source, callbacks, first)
        return first

    def keep(self, source: Any, callbacks: list[Callback], epoch: int) -> None:
        """Write where training is: before this epoch."""
        from ..saving.backup import write_backup

        write_backup(self.backup_dir / f"epoch-{epoch}.safetensors", self.model, epoch, source.position(), callbacks)
        for _, path in self._files()[2:]:
            path.unlink()

    def on_train_end(self, logs: Logs = None) -> None:
        if self.delete_checkpoint:
            for _, path in self._files():
                path.unlink()


class CSVLogger(Callback):
    """Writes the logs of each epoch as a line of a table.

    Parameters
    ----------
    filename : path
    separator : str, default ","
        One character.
    append : bool, default False
        Add lines to a file that is there, instead of replacing it.

    Raises
    ------
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     logger = CSVLogger(Path(folder, "log.csv"))
    ...     logger.on_train_begin()
    ...     logger.on_epoch_end(0, {"loss": 0.5})
    ...     logger.on_train_end()
    ...     Path(folder, "log.csv").read_text()
    'epoch,loss,val_loss\\n0,0.5,NA\\n'
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False):
        if not isinstance(filename, (str, os.PathLike)):
            raise invalid("filename", show(filename), "a path", "pass for example 'log.csv'", TypeError)
        if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n':
            raise invalid("separator", show(separator), "one character", "pass for example ';'")
        self.filename, self.sep = os.fspath(filename), separator
        self.append = check_flag("append", append)
        self.keys: list[str] | None = None
        self._size: int | None = None  # of the file with all epochs so far; None before the first

    def on_train_begin(self, logs: Logs = None) -> None:
        self.keys, self._size = None, None
        if self.append and os.path.exists(self.filename):
            with open(self.filename, newline="") as file:
                names = next(csv.reader(file, delimiter=self.sep), None)
            self.keys = names[1:] if names else None
            self._size = os.path.getsize(self.filename)
        open(self.filename, "a").close()  # so that an error shows now

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs = logs or {}
        begins = self.keys is None
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):  # there may be some in a later epoch
                self.keys += [f"val_{key}" for key in self.keys]
        with open(self.filename, "a+", newline="") as file:
            there = os.path.getsize(self.filename)
            if there < (self._size or 0):
                warnings.warn(f"CSVLogger: {self.filename} has lost what was in it", stacklevel=2)
                begins = begins or not there
            else:
                file.truncate(self._size or 0)  # what an interrupted run wrote after its last backup goes
            writer = csv.writer(file, delimiter=self.sep, lineterminator="\n")
            if begins:
                writer.writerow(["epoch", *self.keys])
            writer.writerow([epoch, *(cell(logs[key]) if key in logs else "NA" for key in self.keys)])
            file.flush()
            os.fsync(file.fileno())  # before a backup knows of it
        self._size = os.path.getsize(self.filename)

    def state(self) -> dict[str, Any]:
        return {"keys": self.keys, "_size": self._size}


def cell(value: Any) -> Any:
    """A value as a cell of a table: an array in brackets."""
    if isinstance(value, np.ndarray):
        return f"[{' '.join(map(str, value.ravel().tolist()))}]" if value.ndim else value.item()
    return value
