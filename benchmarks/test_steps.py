"""Training steps as `fit` delivers them, and inference of the five-layer network."""

from functools import partial

import pytest
from contenders.fastnn_fit import Fastnn
from workloads import TRAINING, Inference


@pytest.mark.parametrize("name", TRAINING)
def test_training(name, timed, roof_of):
    load, fastnn = TRAINING[name], Fastnn()
    fastnn.build(load)
    amounts = {"samples/s": load.batch, "GFLOP/s": load.flops / 1e9}
    call = partial(fastnn.run, load.steps)
    timed("training step", f"{name}: {load}", call, load.steps, "ms", amounts, roof_of(load))


@pytest.mark.parametrize(("way", "rows"), [("model(x)", 1), ("model(x)", 32), ("model(x)", 4096), ("predict", 4096)])
def test_inference(way, rows, timed, roof_of):
    load, fastnn = Inference(rows, max(1, 4096 // rows // 16)), Fastnn()
    call = fastnn.inference(load)
    if way == "predict":
        call = partial(fastnn.model.predict, fastnn.x, verbose=0)

    def repeat():
        for _ in range(load.steps):
            call()

    amounts = {"samples/s": rows, "GFLOP/s": load.flops / 1e9}
    timed("inference", f"W2 {way} {rows} rows", repeat, load.steps, "ms", amounts, roof_of(load))
