"""Decays against numbers worked out by hand, and against Keras."""

import json
from decimal import Decimal

import numpy as np
import pytest

from fastnn import Variable
from fastnn.schedules import ExponentialDecay, InverseTimeDecay, LearningRateSchedule, power


@pytest.mark.parametrize(
    ("staircase", "step", "expected"),
    [
        (False, 0, 0.1),
        (False, 5, 0.05),
        (False, 10, 0.025),
        (False, 15, 0.0125),
        (False, 30, 0.0015625),
        (True, 0, 0.1),
        (True, 9, 0.1),
        (True, 10, 0.025),
        (True, 19, 0.025),
        (True, 20, 0.00625),
    ],
)
def test_exponential_decay_of_a_quarter_every_ten_steps(staircase, step, expected):
    rate = ExponentialDecay(0.1, decay_steps=10, decay_rate=0.25, staircase=staircase)
    assert rate(step) == pytest.approx(expected, rel=1e-15)
    assert type(rate(np.int64(step))) is float


def test_exponential_decay_with_roots_that_are_not_exact():
    # 0.003 * 2 ** (-1/3) and 0.01 * 0.9 ** (1/4), to 15 digits
    assert ExponentialDecay(0.003, 3, 0.5)(1) == pytest.approx(0.00238110157795230, rel=1e-14)
    assert ExponentialDecay(1e-2, 10000, 0.9)(2500) == pytest.approx(0.00974003746425297, rel=1e-14)
    assert ExponentialDecay(0.5, 2.5, 2)(5) == 2.0


def test_a_variable_holds_the_step():
    schedule = ExponentialDecay(0.5, 10, 0.25)
    assert schedule(Variable(15.0)) == schedule(15)
    with pytest.raises(TypeError, match=r"step: received an array of shape \(2,\)"):
        schedule(Variable([1.0, 2.0]))


def test_power_stays_within_its_bound():
    rng = np.random.default_rng(0)
    for base, exponent in zip(rng.uniform(0.01, 1.2, 300), rng.uniform(0, 60, 300), strict=True):
        base, exponent = float(base), float(exponent)
        error = Decimal(power(base, exponent)) / Decimal(base) ** Decimal(exponent) - 1
        assert abs(error) <= (exponent + 110) * 2**-53


def test_power_of_whole_exponents_is_exact_where_the_result_is():
    assert [power(0.5, k) for k in range(5)] == [1, 0.5, 0.25, 0.125, 0.0625]
    assert power(3.0, 20) == 3.0**20
    assert power(0.5, 2000) == 0.0
    assert power(1.0, 0.3) == 1.0


def test_config_makes_an_equal_schedule():
    config = {
        "initial_learning_rate": 0.1,
        "decay_steps": 100,
        "decay_rate": 0.96,
        "staircase": True,
        "name": "a",
    }
    assert ExponentialDecay(**config).get_config() == config
    again = ExponentialDecay.from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert ExponentialDecay(0.1, 100, 0.96).get_config()["name"] == "ExponentialDecay"


@pytest.mark.parametrize(
    ("arguments", "name", "error"),
    [
        ((-0.1, 10, 0.9), "initial_learning_rate", ValueError),
        ((float("nan"), 10, 0.9), "initial_learning_rate", ValueError),
        ((float("inf"), 10, 0.9), "initial_learning_rate", ValueError),
        (("0.1", 10, 0.9), "initial_learning_rate", TypeError),
        ((0.1, 0, 0.9), "decay_steps", ValueError),
        ((0.1, -5, 0.9), "decay_steps", ValueError),
        ((0.1, None, 0.9), "decay_steps", TypeError),
        ((0.1, 10, 0.0), "decay_rate", ValueError),
        ((0.1, 10, -0.9), "decay_rate", ValueError),
        ((0.1, 10, True), "decay_rate", TypeError),
    ],
)
def test_wrong_arguments(arguments, name, error):
    with pytest.raises(error, match=rf"^{name}: received .*; expected .*; to fix it, "):
        ExponentialDecay(*arguments)


def test_base_class_asks_for_the_methods():
    with pytest.raises(NotImplementedError, match="LearningRateSchedule has no __call__"):
        LearningRateSchedule()(0)
    with pytest.raises(NotImplementedError, match="LearningRateSchedule has no get_config"):
        LearningRateSchedule().get_config()


@pytest.mark.parametrize(
    ("staircase", "step", "expected"),
    [
        (False, 0, 0.6),
        (False, 5, 0.3),
        (False, 10, 0.2),
        (False, 25, 0.1),
        (True, 9, 0.6),
        (True, 10, 0.2),
        (True, 29, 0.12),
    ],
)
def test_inverse_time_decay_of_twice_the_rate_every_ten_steps(staircase, step, expected):
    rate = InverseTimeDecay(0.6, decay_steps=10, decay_rate=2, staircase=staircase)
    assert rate(step) == pytest.approx(expected, rel=1e-15)
    assert type(rate(np.int64(step))) is float
    assert rate.get_config()["name"] == "InverseTimeDecay"
    assert InverseTimeDecay.from_config(rate.get_config()).get_config() == rate.get_config()


@pytest.mark.parametrize("schedule", [ExponentialDecay, InverseTimeDecay])
def test_decays_are_those_of_keras(schedule):
    keras = pytest.importorskip("keras")
    for staircase in (False, True):
        ours = schedule(0.3, 7, 0.9, staircase)
        theirs = getattr(keras.optimizers.schedules, schedule.__name__)(0.3, 7, 0.9, staircase)
        rates = [float(theirs(step)) for step in range(50)]
        np.testing.assert_allclose([ours(step) for step in range(50)], rates, rtol=8 * 2**-23)  # float32 there
