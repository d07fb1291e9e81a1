"""Every wrong call around dropout's forms and ensembles: the right type, four parts, and nothing changed by it."""

import re

import numpy as np
import pytest
from test_wrong_calls import MODELS, PARTS, X, state

import fastnn
from fastnn import ensembles, layers, ops
from fastnn.layers import Dropout, base

dropout, mc = Dropout, ensembles.mc_dropout


def never_drops(rate=0.0):
    made = fastnn.Sequential(
        [layers.Input((4,), name="x"), Dropout(rate, name="d"), layers.Dense(1, name="e")], name="p"
    )
    return mc(made, X)


def told_not_to(m):
    x = layers.Input((4,), name="x")
    return mc(fastnn.Model(x, Dropout(0.5, name="d")(x, training=False), name="off"), X)


def noisy_only(m):
    return mc(fastnn.Sequential([layers.GaussianNoise(0.5, name="n", input_shape=(4,))], name="noisy"), X)


WRONG = {
    # forms of dropout
    "scale-at-name": (lambda m: dropout(0.5, scale_at="predictions"), ValueError, "scale_at: .*use 'prediction'"),
    "scale-at-inference": (lambda m: dropout(0.5, scale_at="inference"), ValueError, "scale_at: received 'inference'"),
    "scale-at-none": (lambda m: dropout(0.5, scale_at=None), TypeError, "scale_at: received None"),
    "scale-at-flag": (lambda m: dropout(0.5, scale_at=True), TypeError, "scale_at: received True"),
    "scale-at-array": (lambda m: dropout(0.5, scale_at=np.ones(2)), TypeError, "scale_at: received an array"),
    "scale-at-list": (lambda m: dropout(0.5, scale_at=["training"]), TypeError, "scale_at: received"),
    "scale-at-rate": (lambda m: dropout(2, scale_at="prediction"), ValueError, "rate: received 2"),
    "drop-rate": (lambda m: ops.drop(layers.Input((4,), name="x"), rate=1.0, stream=0), ValueError, "rate: received 1"),
    # samples of networks with dropped units
    "model-none": (lambda m: mc(None, X), TypeError, "model: received None"),
    "model-layer": (lambda m: mc(dropout(0.5, name="d"), X), TypeError, "model: received <Dropout"),
    "model-class": (lambda m: mc(fastnn.Sequential, X), TypeError, "model: received"),
    "model-list": (lambda m: mc([m], X), TypeError, "model: received"),
    "no-rate": (lambda m: never_drops(), ValueError, "model: received 'p', whose predictions have no spread"),
    "told-not-to": (told_not_to, ValueError, "'off', whose predictions have no spread"),
    "noise-only": (noisy_only, ValueError, "'noisy', whose predictions have no spread; .*add such a layer"),
    "x-none": (lambda m: mc(m, None), TypeError, "received None"),
    "x-width": (lambda m: mc(m, X[:, :3]), ValueError, r"\(12, 3\)"),
    "x-text": (lambda m: mc(m, "data"), TypeError, "received"),
    "x-stream": (lambda m: mc(m, iter([X])), TypeError, "x"),
    "samples-zero": (lambda m: mc(m, X, 0), ValueError, "samples: received 0"),
    "samples-negative": (lambda m: mc(m, X, -3), ValueError, "samples: received -3"),
    "samples-float": (lambda m: mc(m, X, 10.0), TypeError, "samples: received 10.0"),
    "samples-none": (lambda m: mc(m, X, None), TypeError, "samples: received None"),
    "samples-many": (lambda m: mc(m, X, 2**31), ValueError, "samples: received 2147483648"),
    "seed-negative": (lambda m: mc(m, X, seed=-1), ValueError, "seed: received -1"),
    "seed-large": (lambda m: mc(m, X, seed=2**32), ValueError, "seed: received 4294967296"),
    "seed-text": (lambda m: mc(m, X, seed="1"), TypeError, "seed: received '1'"),
    "seed-array": (lambda m: mc(m, X, seed=np.ones(2)), TypeError, "seed: received an array"),
    "return-text": (lambda m: mc(m, X, return_samples="yes"), TypeError, "return_samples: received 'yes'"),
    "return-none": (lambda m: mc(m, X, return_samples=None), TypeError, "return_samples: received None"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_says_what_to_do_and_changes_nothing(name):
    call, error, words = WRONG[name]
    made = MODELS["model"]()
    before, names = state(made), dict(base._names)
    with pytest.raises(error) as caught:
        call(made)
    assert type(caught.value) is error
    assert PARTS.fullmatch(str(caught.value)), str(caught.value)
    assert re.search(words, str(caught.value), re.S), str(caught.value)
    assert state(made) == before and dict(base._names) == names
    made.predict(X)
