"""Training steps as `fit` delivers them, and inference of the five-layer network."""

import numpy as np
import pytest
from contenders.fastnn_fit import Fastnn
from workloads import FIVE_LAYERS, WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_training(name, timed):
    load, fastnn = WORKLOADS[name], Fastnn()
    fastnn.build(load)
    amounts = {"samples/s": load.batch, "GFLOP/s": load.flops / 1e9}
    timed("training step", f"{name}: {load}", lambda: fastnn.run(load.steps), load.steps, "ms", amounts)


@pytest.mark.parametrize(("way", "rows"), [("model(x)", 1), ("model(x)", 32), ("model(x)", 4096), ("predict", 4096)])
def test_inference(way, rows, timed):
    fastnn = Fastnn()
    fastnn.build(WORKLOADS["W2b"])
    x, model = fastnn.x[:rows], fastnn.model
    call = model if way == "model(x)" else lambda x: model.predict(x, verbose=0)
    repetitions = max(1, 4096 // rows // 16)
    flops = 2.0 * rows * sum(np.multiply(FIVE_LAYERS[:-1], FIVE_LAYERS[1:]))

    def repeat():
        for _ in range(repetitions):
            call(x)

    amounts = {"samples/s": rows, "GFLOP/s": flops / 1e9}
    timed("inference", f"W2 {way} {rows} rows", repeat, repetitions, "ms", amounts)
