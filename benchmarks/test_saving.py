"""What it costs to write a model with its optimizer, beside writing as many bytes to the same disk."""

import numpy as np

import fastnn
from fastnn import layers
from fastnn.saving.files import write_whole


def test_saving(compared, tmp_path):
    """A million weights with Adam: what `save` takes beyond the disk is what training waits for a checkpoint.

    Checkpoints every ten seconds cost `save, ms` / 10 000 of the time.
    """
    model = fastnn.Sequential([layers.Dense(1000, input_shape=(500,)), layers.Dense(500)])
    model.compile("adam", "mse")
    model.fit(np.zeros((32, 500)), np.zeros((32, 500)), epochs=1, verbose=0)
    assert model.count_params() > 1_000_000
    path, other = tmp_path / "model.safetensors", tmp_path / "bytes"
    model.save(path)
    content = path.read_bytes()
    compared(
        "saving",
        "1 001 500 weights, Adam",
        {"save": lambda: model.save(path), "the disk alone": lambda: write_whole(other, content)},
        1,
    )
