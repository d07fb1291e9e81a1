"""Optimizers and schedules beside Keras', on the same gradients."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest
from test_optimizers import gradients

pytest.importorskip("jax")
keras = pytest.importorskip("keras")

from fastnn import optimizers, schedules  # noqa: E402
from fastnn.variable import Variable  # noqa: E402

OPTIMIZERS = [
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("RMSprop", {"momentum": 0.5, "centered": True}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {}),
    ("Adamax", {}),
    ("Nadam", {}),
    ("Adagrad", {}),
    ("Adadelta", {}),
    ("Ftrl", {"l1_regularization_strength": 0.1, "l2_shrinkage_regularization_strength": 0.1, "beta": 0.1}),
    ("Lion", {}),
]
OPTIONS = [
    {},
    {"weight_decay": 0.1},
    {"clipnorm": 1.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 2.0},
    {"use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 4},
    {"gradient_accumulation_steps": 2, "clipnorm": 1.0},
    {"gradient_accumulation_steps": 3, "use_ema": True, "ema_momentum": 0.6},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")
@pytest.mark.parametrize(("name", "own"), OPTIMIZERS, ids=[name for name, _ in OPTIMIZERS])
def test_steps_are_those_of_keras(name, own, options):
    start = [np.linspace(-1, 1, 15).reshape(3, 5), np.linspace(2, 1, 5)]
    ours = [Variable(w) for w in start]
    theirs = [keras.Variable(w.astype(np.float32)) for w in start]
    mine = getattr(optimizers, name)(0.05, **own, **options)
    his = getattr(keras.optimizers, name)(learning_rate=0.05, **own, **options)
    for a, b in zip(gradients(1), gradients(2, (5,)), strict=True):
        mine.apply([a, b], ours)
        his.apply([keras.ops.convert_to_tensor(g.astype(np.float32)) for g in (a, b)], theirs)
    for final in (False, True):
        if final:
            mine.finalize_variable_values(ours)
            his.finalize_variable_values(theirs)
        for found, expected in zip(ours, theirs, strict=True):
            # Twelve steps of at most 20 roundings of numbers below 4; the bias corrections there are float32 powers.
            np.testing.assert_allclose(found.numpy(), np.asarray(expected.value), rtol=0, atol=12 * 20 * 4 * 2**-24)


SCHEDULES = [
    ("PiecewiseConstantDecay", ([5, 12], [0.3, 0.2, 0.1])),
    ("PolynomialDecay", (0.3, 20, 0.01, 2.0, False)),
    ("PolynomialDecay", (0.3, 9, 0.01, 0.5, True)),
    ("CosineDecay", (0.3, 20, 0.1)),
    ("CosineDecay", (0.1, 20, 0.1, "c", 0.4, 7)),
    ("CosineDecayRestarts", (0.3, 7, 2.0, 0.8, 0.1)),
    ("CosineDecayRestarts", (0.3, 7, 1.0, 0.8)),
]


@pytest.mark.parametrize(("name", "arguments"), SCHEDULES)
def test_schedules_are_those_of_keras(name, arguments):
    ours, theirs = getattr(schedules, name)(*arguments), getattr(keras.optimizers.schedules, name)(*arguments)
    for step in range(50):
        if name == "CosineDecayRestarts" and step in (7, 14, 21, 28, 35, 42, 49):
            continue  # float32 logarithms there round to the round before
        assert ours(step) == pytest.approx(float(theirs(step)), rel=2e-5, abs=1e-6), step
    assert ours.get_config() == theirs.get_config()
