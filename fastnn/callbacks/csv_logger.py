"""Logs as a table."""

import csv
import os
import warnings
from typing import Any

import numpy as np

from ..errors import check_flag, invalid, show
from .base import Callback, Logs


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
    >>> from pathlib import Path
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
