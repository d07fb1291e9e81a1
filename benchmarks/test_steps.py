"""Training steps as `fit` delivers them, and inference of the five-layer network."""

from functools import partial

import pytest
from contenders.fastnn_fit import Fastnn
from workloads import TRAINING, Inference

import fastnn
from fastnn import layers


@pytest.mark.parametrize("name", TRAINING)
def test_training(name, timed, roof_of):
    load, contender = TRAINING[name], Fastnn()
    contender.build(load)
    amounts = {"samples/s": load.batch, "GFLOP/s": load.flops / 1e9}
    call = partial(contender.run, load.steps)
    timed("training step", f"{name}: {load}", call, load.steps, "ms", amounts, roof_of(load))


class Normalized(Fastnn):
    """The same network with a normalization before each hidden activation."""

    def __init__(self, normalization):
        self.normalization = normalization

    def build(self, load):
        super().build(load)
        stack = [layers.Input((load.sizes[0],))]
        for units in load.sizes[1:-1]:
            stack += [layers.Dense(units), self.normalization(), layers.Activation(load.activation)]
        optimizer, loss = self.model.optimizer, self.model.loss
        self.model = fastnn.Sequential([*stack, layers.Dense(load.sizes[-1], activation="softmax")])
        self.model.compile(optimizer, loss)


@pytest.mark.parametrize("name", ["W2a", "W2b", "W2c"])
@pytest.mark.parametrize("normalization", [layers.BatchNormalization, layers.LayerNormalization])
def test_training_with_normalization(name, normalization, timed, roof_of):
    """Beside the roof of the network without: what normalization costs shows in the lines above."""
    load, contender = TRAINING[name], Normalized(normalization)
    contender.build(load)
    amounts = {"samples/s": load.batch, "GFLOP/s": load.flops / 1e9}
    call = partial(contender.run, load.steps)
    label = f"{name} with {normalization.__name__}: {load}"
    timed("training step", label, call, load.steps, "ms", amounts, roof_of(load))


@pytest.mark.parametrize(("way", "rows"), [("model(x)", 1), ("model(x)", 32), ("model(x)", 4096), ("predict", 4096)])
def test_inference(way, rows, timed, roof_of):
    load, contender = Inference(rows, max(1, 4096 // rows // 16)), Fastnn()
    call = contender.inference(load)
    if way == "predict":
        call = partial(contender.model.predict, contender.x, verbose=0)

    def repeat():
        for _ in range(load.steps):
            call()

    amounts = {"samples/s": rows, "GFLOP/s": load.flops / 1e9}
    timed("inference", f"W2 {way} {rows} rows", repeat, load.steps, "ms", amounts, roof_of(load))
