"""What it costs to write a model with its optimizer, beside writing as many bytes to the same disk."""

import numpy as np

import fastnn
from fastnn import callbacks, layers
from fastnn.callbacks.base import Place
from fastnn.saving.backup import write_backup
from fastnn.saving.files import write_whole


class Holds(callbacks.BackupAndRestore):
    """Keeps what backups are written of."""

    def pause(self, training, place, done):
        self.training = training
        super().pause(training, place, done)


def test_saving(compared, tmp_path):
    """A million weights with Adam: what `save`, or a backup, takes beyond the disk is what training waits for.

    Checkpoints every ten seconds cost a ten-thousandth of that in ms.
    """
    model = fastnn.Sequential([layers.Dense(1000, input_shape=(500,)), layers.Dense(500)])
    model.compile("adam", "mse")
    backup, x = Holds(tmp_path / "backup"), np.zeros((32, 500))
    model.fit(x, x, epochs=1, verbose=0, callbacks=backup)
    assert model.count_params() > 1_000_000
    path, other = tmp_path / "model.safetensors", tmp_path / "bytes"
    model.save(path)
    content = path.read_bytes()
    compared(
        "saving",
        "1 001 500 weights, Adam",
        {
            "save": lambda: model.save(path),
            "a backup": lambda: write_backup(tmp_path / "backup.safetensors", backup.training, Place(1, 1)),
            "the disk alone": lambda: write_whole(other, [content]),
        },
        1,
    )
