"""One model that uses every layer: the same bits for threads and instruction sets.

As in `test_digest.py`, a deliberate change of the numbers, or a new row in the table of layers, changes the constant.
"""

import hashlib

import graphs
import pytest
from harness import ISAS
from layer_table import CASES
from nets import THREADS, force, spy_on_calls

import fastnn
from fastnn import layers

DIGEST = "d2bf80d1aa52b81353b96a4ca7d3bd1b08809d6c52a3761f27db08ca8cbd03a5"
SAMPLES, BATCH, EPOCHS = 53, 16, 3  # 4 steps an epoch, the last on 5 rows


def made():
    """Every row of the table on inputs of its own, joined behind a dense layer each."""
    fastnn.set_random_seed(13)
    inputs, parts = [], []
    for case in CASES:
        if case.name != "InputLayer":
            tensors = case.each(fastnn.Input)
            parts.append(layers.Dense(3, activation="tanh")(layers.Flatten()(case.make()(tensors))))
            inputs += tensors if isinstance(tensors, list) else [tensors]
    model = fastnn.Model(inputs, layers.Dense(4, activation="softmax")(layers.Concatenate()(parts)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trained():
    model = made()
    x = [graphs.numbers(SAMPLES, *t.shape[1:], stream=i) for i, t in enumerate(model.inputs)]
    y = 7 * graphs.numbers(SAMPLES, stream=99).argsort() % 4
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return b"".join(v.value.tobytes() for v in model.variables) + model.predict(x, batch_size=7).tobytes()


@pytest.mark.parametrize("isa, threads", [(isa, n) for isa in ISAS for n in THREADS])
def test_the_same_bits_everywhere(isa, threads, monkeypatch):
    force(monkeypatch, isa, threads)
    calls = spy_on_calls(monkeypatch)
    found = trained()
    assert {(call.isa, call.team) for call in calls} == {(isa, threads)}
    assert hashlib.sha256(found).hexdigest() == DIGEST
