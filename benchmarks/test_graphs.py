"""What graphs and streams of data cost, beside the same work in a chain of layers and in arrays."""

import numpy as np
import pytest
from workloads import TRAINING

import fastnn
from fastnn import layers
from fastnn.utils import PyDataset

STEPS = 100


BRANCHES = (200, 100, 60, 10), (784, 200, 30, 10)


def branch(sizes, batch):
    """Inputs and targets of a branch."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal((STEPS * batch, n), dtype=np.float32) for n in (sizes[0], sizes[-1])]


def stack(sizes):
    """The layers of a branch."""
    return [*(layers.Dense(n, activation="relu") for n in sizes[1:-1]), layers.Dense(sizes[-1])]


def chained(tensor, chain):
    for layer in chain:
        tensor = layer(tensor)
    return tensor


@pytest.mark.parametrize("batch", [32, 128, 1024])
def test_two_branches(batch, compared):
    """One model of two branches that do not meet does the work of both: their losses are added."""
    alone = [fastnn.Sequential([layers.Input((sizes[0],)), *stack(sizes)]) for sizes in BRANCHES]
    inputs = [layers.Input((sizes[0],)) for sizes in BRANCHES]
    outputs = [chained(tensor, stack(sizes)) for tensor, sizes in zip(inputs, BRANCHES, strict=True)]
    both = fastnn.Model(inputs, outputs)
    for model in (both, *alone):
        model.compile("adam", "mse")
    (x, y), (x_2, y_2) = (branch(sizes, batch) for sizes in BRANCHES)

    def fitting(model, x, y):
        return lambda: model.fit(x, y, batch_size=batch, verbose=0)

    calls = {
        "both": fitting(both, [x, x_2], [y, y_2]),
        "first": fitting(alone[0], x, y),
        "second": fitting(alone[1], x_2, y_2),
    }
    compared("two branches in one model, beside each alone", f"batch {batch}", calls, STEPS)


class Batches(PyDataset):
    """Slices of arrays."""

    def __init__(self, x, y, batch):
        super().__init__()
        self.x, self.y, self.batch = x, y, batch

    def __len__(self):
        return len(self.x) // self.batch

    def __getitem__(self, index):
        rows = slice(index * self.batch, (index + 1) * self.batch)
        return self.x[rows], self.y[rows]


@pytest.mark.parametrize("name", ["W2a", "W2b", "W2c"])
@pytest.mark.parametrize("way", ["generator", "PyDataset"])
def test_streams(name, way, compared):
    """Batches that are ready, one by one, beside the same in arrays."""
    load = TRAINING[name]
    x, y = load.data()
    steps = min(STEPS, len(x) // load.batch)
    data = Batches(x[: steps * load.batch], y[: steps * load.batch], load.batch)
    softmax = layers.Activation("softmax")
    model = fastnn.Sequential([layers.Input((load.sizes[0],)), *stack(load.sizes), softmax])
    model.compile("adam", "sparse_categorical_crossentropy")
    given = {"generator": lambda: map(data.__getitem__, range(steps)), "PyDataset": lambda: data}[way]
    calls = {
        "stream": lambda: model.fit(given(), shuffle=False, verbose=0),
        "arrays": lambda: model.fit(data.x, data.y, batch_size=load.batch, shuffle=False, verbose=0),
    }
    compared("streams of batches, beside arrays", f"{name} {way}", calls, steps)
