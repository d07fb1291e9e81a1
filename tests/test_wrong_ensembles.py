"""Every wrong call around dropout's forms and ensembles: the right type, four parts, and nothing changed by it."""

import re

import numpy as np
import pytest
from test_wrong_calls import MODELS, PARTS, X, Y, state

import fastnn
from fastnn import ensembles, layers, ops
from fastnn.layers import Dropout, base

dropout, mc, many, bags = Dropout, ensembles.mc_dropout, ensembles.Ensemble, ensembles.Bagging


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


def make():
    return MODELS["model"]()


def changing(*models):
    """A function that returns these one after the other."""
    left = list(models)
    return lambda: left.pop(0)


def widths(first, second):
    """Members whose layers have so many units."""
    made = [
        fastnn.Sequential([layers.Dense(n, name="a", input_shape=(4,)), layers.Dense(3, "softmax", name="b")], name="w")
        for n in (first, second)
    ]
    for model in made:
        model.compile("sgd", "sparse_categorical_crossentropy")
    return changing(*made)


def compiled(**options):
    made = fastnn.Sequential([layers.Dense(3, "softmax", name="a", input_shape=(4,))], name="c")
    made.compile(**({"optimizer": "sgd", "loss": "sparse_categorical_crossentropy"} | options))
    return made


def with_shared_layer():
    shared = layers.Dense(3, name="shared", input_shape=(4,))
    made = [fastnn.Sequential([shared], name="a") for _ in range(2)]
    for model in made:
        model.compile("sgd", "mse")
    return changing(*made)


def with_shared_optimizer():
    shared = fastnn.optimizers.SGD()
    return changing(*(compiled(optimizer=shared) for _ in range(2)))


def accumulating():
    return compiled(optimizer=fastnn.optimizers.SGD(gradient_accumulation_steps=2))


def fitted(make, kind=ensembles.Ensemble, **options):
    return kind(make, 2, seed=1, **options).fit(X, Y, verbose=0)


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
    # making ensembles
    "make-model": (lambda m: many(m), TypeError, "make: received <Sequential"),
    "make-none": (lambda m: many(None), TypeError, "make: received None"),
    "make-nothing": (lambda m: many(lambda: None), TypeError, "make: received one that returned None"),
    "make-class": (lambda m: many(list), TypeError, r"make: received one that returned \[\]"),
    "make-layer": (
        lambda m: many(lambda: layers.Dense(2, name="d")),
        TypeError,
        "make: .*a function that returns a model",
    ),
    "uncompiled": (lambda m: many(MODELS["uncompiled model"]), ValueError, "make: .*'small' is not compiled"),
    "eager": (
        lambda m: many(lambda: compiled(run_eagerly=True)),
        ValueError,
        "make: received a model with run_eagerly",
    ),
    "accumulating": (lambda m: many(accumulating), ValueError, "make: .*gradient_accumulation_steps"),
    "searching": (
        lambda m: many(lambda: compiled(optimizer="lbfgs")),
        ValueError,
        "make: received a model with optimizer",
    ),
    "same-model": (lambda m: many(lambda: m), ValueError, "make: received the same .* for members 0 and 1"),
    "same-layer": (lambda m: many(with_shared_layer(), 2), ValueError, "make: received the same <Dense"),
    "same-optimizer": (lambda m: many(with_shared_optimizer(), 2), ValueError, "make: received the same .*SGD"),
    "members-zero": (lambda m: many(make, 0), ValueError, "members: received 0"),
    "members-float": (lambda m: many(make, 2.0), TypeError, "members: received 2.0"),
    "members-many": (lambda m: many(make, 10**6), ValueError, "members: received 1000000"),
    "members-none": (lambda m: many(make, None), TypeError, "members: received None"),
    "ensemble-seed-negative": (lambda m: many(make, 2, seed=-1), ValueError, "seed: received -1"),
    "ensemble-seed-text": (lambda m: many(make, 2, seed="1"), TypeError, "seed: received '1'"),
    "part-zero": (lambda m: bags(make, 2, 0.0), ValueError, "max_samples: received 0.0"),
    "part-above-one": (lambda m: bags(make, 2, 1.5), ValueError, "max_samples: received 1.5"),
    "part-nan": (lambda m: bags(make, 2, float("nan")), ValueError, "max_samples: received nan"),
    "part-none": (lambda m: bags(make, 2, None), TypeError, "max_samples: received None"),
    "part-flag": (lambda m: bags(make, 2, True), TypeError, "max_samples: received True"),
    "part-many": (
        lambda m: fitted(make, bags, max_samples=13),
        ValueError,
        "max_samples: received 13.*the 12 rows of x",
    ),
    "bootstrap-text": (lambda m: bags(make, 2, bootstrap="yes"), TypeError, "bootstrap: received 'yes'"),
    "oob-text": (lambda m: bags(make, 2, oob_score="yes"), TypeError, "oob_score: received 'yes'"),
    "oob-all": (
        lambda m: bags(make, 2, bootstrap=False, oob_score=True),
        ValueError,
        "oob_score: received True; .*every",
    ),
    "architectures": (
        lambda m: fitted(widths(5, 6)),
        ValueError,
        "make: received models with different programs: .*0 and 1",
    ),
    "losses": (
        lambda m: fitted(
            changing(compiled(), compiled(loss=fastnn.losses.SparseCategoricalCrossentropy(ignore_class=1)))
        ),
        ValueError,
        "make: received models with different programs",
    ),
    "optimizers": (
        lambda m: fitted(changing(compiled(), compiled(optimizer="adam"))),
        ValueError,
        "make: received models with different programs: members 0 and 1 have different steps",
    ),
}
FIT = {  # calls of an ensemble
    "stream": (lambda e: e.fit(iter([(X, Y)]), None), TypeError, "x: received .*; expected arrays"),
    "predict-stream": (lambda e: e.predict(iter([X])), TypeError, "x: received"),
    "evaluate-stream": (lambda e: e.evaluate(iter([(X, Y)]), None), TypeError, "x: received"),
    "x-width": (lambda e: e.fit(X[:, :3], Y), ValueError, r"\(12, 3\)"),
    "y-none": (lambda e: e.fit(X, None), TypeError, "y: received None"),
    "y-labels": (lambda e: e.fit(X, Y + 1), ValueError, "labels from 1 to 3"),
    "y-length": (lambda e: e.fit(X, Y[:5]), ValueError, "y: received 5 samples"),
    "weights-length": (lambda e: e.fit(X, Y, sample_weight=np.ones(3)), ValueError, "sample_weight: received"),
    "class-weight": (lambda e: e.fit(X, Y, class_weight=[1, 2, 3]), TypeError, "class_weight: received"),
    "batch-zero": (lambda e: e.fit(X, Y, batch_size=0), ValueError, "batch_size: received 0"),
    "batch-text": (lambda e: e.fit(X, Y, batch_size="all"), TypeError, "batch_size: received 'all'"),
    "epochs-negative": (lambda e: e.fit(X, Y, epochs=-1), ValueError, "epochs: received -1"),
    "initial-float": (lambda e: e.fit(X, Y, initial_epoch=0.5), TypeError, "initial_epoch: received 0.5"),
    "verbose": (lambda e: e.fit(X, Y, verbose=3), ValueError, "verbose: received 3"),
    "shuffle": (lambda e: e.fit(X, Y, shuffle="batch"), TypeError, "shuffle: received 'batch'"),
    "policy": (lambda e: e.fit(X, Y, on_nonfinite="stop"), ValueError, "on_nonfinite: received 'stop'"),
    "validation-array": (lambda e: e.fit(X, Y, validation_data=X), TypeError, "validation_data: received ndarray"),
    "validation-stream": (lambda e: e.fit(X, Y, validation_data=(iter([X]), Y)), TypeError, r"validation_data\[0\]"),
    "validation-labels": (
        lambda e: e.fit(X, Y, validation_data=(X, Y + 1)),
        ValueError,
        r"validation_data\[1\]: received",
    ),
    "std": (lambda e: e.predict(X, return_std="yes"), TypeError, "return_std: received 'yes'"),
    "predict-layer": (lambda e: e.predict(layers.Dense(2, name="d")), TypeError, "received <Dense"),
    "predict-width": (lambda e: e.predict(X[:, :3]), ValueError, r"\(12, 3\)"),
    "evaluate-labels": (lambda e: e.evaluate(X, Y + 1, verbose=0), ValueError, "y: received labels from 1 to 3"),
    "evaluate-length": (lambda e: e.evaluate(X, Y[:5], verbose=0), ValueError, "received 5 samples"),
    "evaluate-dict": (lambda e: e.evaluate(X, Y, return_dict=2), TypeError, "return_dict: received 2"),
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


@pytest.mark.parametrize("kind", [many, bags])
@pytest.mark.parametrize("name", FIT)
def test_a_wrong_call_changes_no_member(name, kind):
    call, error, words = FIT[name]
    ensemble = kind(make, 2, seed=1)
    before = [state(m) for m in ensemble.members], ensemble.history, dict(base._names)
    with pytest.raises(error) as caught:
        call(ensemble)
    assert type(caught.value) is error
    assert PARTS.fullmatch(str(caught.value)), str(caught.value)
    assert re.search(words, str(caught.value), re.S), str(caught.value)
    assert ([state(m) for m in ensemble.members], ensemble.history, dict(base._names)) == before
    ensemble.fit(X, Y, verbose=0)
