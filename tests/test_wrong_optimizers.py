"""Every wrong call of optimizers and schedules: the right type, a message of four parts, and nothing changed by it."""

import re

import numpy as np
import pytest
from test_wrong_calls import PARTS

from fastnn import optimizers, schedules
from fastnn.optimizers import SGD, Adagrad, Adam, AdamW, Ftrl, Lion, Nadam, Rprop
from fastnn.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from fastnn.variable import Variable


def stepped():
    """An optimizer and its variable after a step."""
    made, v = Adam(0.1, weight_decay=0.1, clipnorm=1.0, use_ema=True), Variable([1.0, 2.0], name="v")
    made.apply([[0.5, -0.5]], [v])
    return made, v


V = Variable([1.0, 2.0], name="other")

CASES = {
    "decay-negative": (lambda o, v: SGD(weight_decay=-0.1), ValueError, "weight_decay: received -0.1"),
    "decay-string": (lambda o, v: SGD(weight_decay="0.1"), TypeError, "weight_decay: received '0.1'"),
    "decay-infinite": (lambda o, v: SGD(weight_decay=np.inf), ValueError, "weight_decay: received inf"),
    "adamw-without": (lambda o, v: AdamW(weight_decay=None), TypeError, "weight_decay: received None.*Adam"),
    "clipnorm-zero": (lambda o, v: SGD(clipnorm=0.0), ValueError, "clipnorm: received 0.0"),
    "clipvalue-negative": (lambda o, v: SGD(clipvalue=-1), ValueError, "clipvalue: received -1"),
    "global-nan": (lambda o, v: SGD(global_clipnorm=np.nan), ValueError, "global_clipnorm: received nan"),
    "clip-twice": (lambda o, v: SGD(clipnorm=1.0, clipvalue=1.0), ValueError, "clipvalue.*None beside clipnorm"),
    "clip-norms": (lambda o, v: SGD(clipnorm=1.0, global_clipnorm=2.0), ValueError, "global_clipnorm"),
    "ema-flag": (lambda o, v: SGD(use_ema="yes"), TypeError, "use_ema: received 'yes'"),
    "ema-momentum": (lambda o, v: SGD(use_ema=True, ema_momentum=1.5), ValueError, "ema_momentum: received 1.5"),
    "ema-frequency": (lambda o, v: SGD(ema_overwrite_frequency=0), ValueError, "ema_overwrite_frequency: received 0"),
    "ema-part": (lambda o, v: SGD(ema_overwrite_frequency=2.5), TypeError, "ema_overwrite_frequency: received 2.5"),
    "loss-scale": (lambda o, v: SGD(loss_scale_factor=2.0), ValueError, "loss_scale_factor.*not provided"),
    "unknown": (lambda o, v: Nadam(weight_decy=0.1), ValueError, "use 'weight_decay'"),
    "nadam-beta": (lambda o, v: Nadam(beta_1=1.0), ValueError, "beta_1: received 1.0"),
    "lion-beta": (lambda o, v: Lion(beta_1=0.0), ValueError, "beta_1: received 0.0"),
    "lion-beta-above": (lambda o, v: Lion(beta_1=1.5), ValueError, "beta_1: received 1.5"),
    "adagrad-first": (
        lambda o, v: Adagrad(initial_accumulator_value=-1),
        ValueError,
        "initial_accumulator_value: received -1",
    ),
    "ftrl-power": (lambda o, v: Ftrl(learning_rate_power=0.5), ValueError, "learning_rate_power: received 0.5"),
    "ftrl-l1": (lambda o, v: Ftrl(l1_regularization_strength=-1), ValueError, "l1_regularization_strength"),
    "ftrl-rate": (lambda o, v: Ftrl(0.0).apply([[1.0, 1.0]], [v]), ValueError, "learning_rate.*divides by it"),
    "rprop-schedule": (lambda o, v: Rprop(CosineDecay(0.1, 5)), TypeError, "learning_rate.*number"),
    "rprop-increase": (lambda o, v: Rprop(increase=0.9), ValueError, "increase: received 0.9"),
    "rprop-sizes": (lambda o, v: Rprop(min_step_size=2.0, max_step_size=1.0), ValueError, "min_step_size"),
    "rprop-change": (lambda o, v: setattr(Rprop(), "learning_rate", 0.5), TypeError, "learning_rate.*no change"),
    "apply-few": (lambda o, v: o.apply([], [v]), ValueError, "grads: received 0 gradients"),
    "apply-unbuilt": (lambda o, v: SGD().apply([[1.0]]), ValueError, "call build"),
    "apply-none": (lambda o, v: o.apply([None], [v]), ValueError, "None for every variable"),
    "apply-shape": (lambda o, v: o.apply([[1.0]], [v]), ValueError, "gradient of 'v'.*shape"),
    "build-arrays": (lambda o, v: o.build([np.ones(2)]), TypeError, "variables: received"),
    "exclude-late": (
        lambda o, v: o.exclude_from_weight_decay(var_names=["bias"]),
        RuntimeError,
        "after the first step",
    ),
    "exclude-array": (lambda o, v: AdamW().exclude_from_weight_decay([np.ones(2)]), TypeError, "var_list"),
    "exclude-number": (lambda o, v: AdamW().exclude_from_weight_decay(var_names=[3]), TypeError, "var_names"),
    "get": (lambda o, v: optimizers.get("adamx"), ValueError, "use 'adam"),
    "serialize": (lambda o, v: optimizers.serialize(3), TypeError, "optimizer"),
    "deserialize": (
        lambda o, v: optimizers.deserialize({"class_name": "Muon"}),
        ValueError,
        "optimizer: received 'Muon'",
    ),
    "step-negative": (lambda o, v: CosineDecay(0.1, 10)(-1), ValueError, "step: received -1"),
    "cosine-steps": (lambda o, v: CosineDecay(0.1, 0), ValueError, "decay_steps: received 0"),
    "cosine-alpha": (lambda o, v: CosineDecay(0.1, 10, alpha=-1), ValueError, "alpha: received -1"),
    "cosine-warmup": (lambda o, v: CosineDecay(0.1, 10, warmup_steps=-5), ValueError, "warmup_steps: received -5"),
    "restarts-shrinking": (lambda o, v: CosineDecayRestarts(0.1, 10, t_mul=0.5), ValueError, "t_mul: received 0.5"),
    "restarts-zero": (lambda o, v: CosineDecayRestarts(0.1, 10, m_mul=0), ValueError, "m_mul: received 0"),
    "cycle-steps": (lambda o, v: OneCycle(0.1, 1), ValueError, "total_steps: received 1"),
    "cycle-part": (lambda o, v: OneCycle(0.1, 10, pct_start=2), ValueError, "pct_start: received 2"),
    "cycle-factor": (lambda o, v: OneCycle(0.1, 10, div_factor=0), ValueError, "div_factor: received 0"),
    "pieces-few": (lambda o, v: PiecewiseConstantDecay([1], [0.1]), ValueError, "1 values for 1 boundaries"),
    "pieces-order": (lambda o, v: PiecewiseConstantDecay([3, 2], [1, 1, 1]), ValueError, "increasing"),
    "pieces-array": (lambda o, v: PiecewiseConstantDecay(np.ones(2), [1, 1, 1]), TypeError, "boundaries"),
    "polynomial-power": (lambda o, v: PolynomialDecay(0.1, 10, power=0), ValueError, "power: received 0"),
    "polynomial-step": (lambda o, v: PolynomialDecay(0.1, 10)("3"), TypeError, "step: received '3'"),
    "schedule-serialize": (lambda o, v: schedules.serialize(0.1), TypeError, "learning_rate_schedule"),
    "schedule-unknown": (
        lambda o, v: schedules.deserialize({"class_name": "Cosine"}),
        ValueError,
        "schedule: received",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_wrong_call(name):
    call, error, says = CASES[name]
    optimizer, variable = stepped()
    with pytest.raises((TypeError, ValueError, RuntimeError)) as caught:
        call(optimizer, variable)
    message = str(caught.value)
    assert isinstance(caught.value, error), f"{caught.type.__name__}: {message}"
    assert PARTS.fullmatch(message), message
    assert re.search(says, message, re.S), message
    twin, other = stepped()
    for made, v in ((optimizer, variable), (twin, other)):
        made.apply([[1.0, 1.0]], [v])
    assert variable.numpy().tobytes() == other.numpy().tobytes()
    assert optimizer.iterations == twin.iterations == 2
