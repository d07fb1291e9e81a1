"""Trained bits of a graph with shared layers, merging and several outputs: equal everywhere, in every plan.

As in `test_digest.py`, a deliberate change of the numbers changes the constant below.
"""

import hashlib
import math

import graphs
import numpy as np
import pytest
from harness import ISAS
from nets import THREADS, class_patterns, force, spy_on_calls

import fastnn
from fastnn import execute, layers

DIGEST = "7755f3ea54f30709393f01f2d24e8f5c4b318cc3b0b8eb2b7c4a38ad9b8658d2"
LOSSES = ["sparse_categorical_crossentropy", "mse", "binary_crossentropy"]

SAMPLES, BATCH, EPOCHS = 149, 16, 6  # 10 steps an epoch, the last on 5 rows


def made():
    """A siamese pair of branches, an Inception module, residual sums and three outputs, with dropout and penalties."""
    fastnn.set_random_seed(11)
    a, b = fastnn.Input((20,), name="a"), fastnn.Input((20,), name="b")
    twin = layers.Dense(33, activation="relu", name="twin", kernel_regularizer="l2")
    left, right = twin(a), twin(b)
    branches = [
        layers.Dense(18, activation="tanh")(left),
        layers.Dense(17, activation="relu")(layers.Dense(5, activation="sigmoid")(left)),
        layers.Dropout(0.25)(right),
    ]
    state = layers.Concatenate()(branches)
    again = layers.Dense(68, activation="tanh", name="again")
    for _ in range(3):
        state = layers.Add()([state, again(state)])
    gated = state * layers.Dense(68, activation="sigmoid")(layers.Average()([state, state * state])) - 0.5
    cosine = layers.Dot(axes=1, normalize=True)([left, right])
    kind = layers.Dense(5, activation="softmax", name="kind")(gated)
    size = layers.Dense(3, name="size")(layers.Concatenate()([cosine, gated[:, 3:40]]))
    same = layers.Dense(1, activation="sigmoid", name="same")(layers.Maximum()([left, right]))
    model = fastnn.Model({"a": a, "b": b}, [kind, size, same])
    model.compile("adam", LOSSES, loss_weights=[1.0, 0.5, 2.0], metrics=[["accuracy"], ["mae"], []])
    return model


def data():
    x, labels = class_patterns(2 * SAMPLES, width=20, classes=5)
    x = {"a": x[:SAMPLES], "b": x[SAMPLES:]}
    same = (labels[:SAMPLES] == labels[SAMPLES:]).astype(np.float32)
    weights = [np.linspace(0, 2, SAMPLES), np.ones(SAMPLES), np.linspace(1, 0.5, SAMPLES)]
    return x, [labels[:SAMPLES], graphs.numbers(SAMPLES, 3, stream=3), same], weights


def trained():
    """Weights and predictions after some epochs, as bytes, and the loss."""
    model, (x, y, weights) = made(), data()
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, sample_weight=weights, verbose=0)
    assert model.optimizer.iterations == 60
    loss = model.evaluate(x, y, verbose=0)
    found = [v.value.tobytes() for v in model.variables]
    found += [y.tobytes() for y in model.predict(x, batch_size=7, verbose=0)]
    return found, loss


@pytest.mark.parametrize("isa, threads", [(isa, n) for isa in ISAS for n in THREADS])
def test_weights_and_predictions_are_the_same_bits_everywhere(isa, threads, monkeypatch):
    force(monkeypatch, isa, threads)
    calls = spy_on_calls(monkeypatch)
    found, loss = trained()
    assert {(call.isa, call.team) for call in calls} == {(isa, threads)}
    assert all(math.isfinite(value) for value in loss)
    assert hashlib.sha256(b"".join(found)).hexdigest() == DIGEST


def test_the_plan_in_sweeps_gives_the_bits_of_the_one_step_by_step(monkeypatch):
    force(monkeypatch, ISAS[0], THREADS[-1])
    plan, cut = execute.plan, []

    def planned(stepwise):
        def noted(recorded, force_threads=False, *_, **kwargs):
            program = plan(recorded, force_threads, stepwise=stepwise)
            cut.append(any(sweep.shape for sweep in program.sweeps))
            return program

        monkeypatch.setattr(execute, "plan", noted)
        return trained()

    swept = planned(stepwise=False)
    assert any(cut)
    cut.clear()
    assert planned(stepwise=True) == swept and cut and not any(cut)
