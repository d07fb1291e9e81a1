"""Penalties on arrays, and what `get` understands."""

import numpy as np
import pytest

from fastnn import regularizers
from fastnn.regularizers import L1, L1L2, L2, Regularizer

X = np.array([[1.0, -2.0], [0.0, 0.5]])


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (L1(2.0), 7.0),
        (L2(2.0), 10.5),
        (L1L2(l1=2.0, l2=4.0), 28.0),
        (L1L2(l1=2.0), 7.0),
        (L1L2(l2=2.0), 10.5),
        (L1L2(), 0.0),
        (L1(0), 0.0),
        (L2(0), 0.0),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(regularizer, expected, dtype):
    penalty = regularizer(X.astype(dtype))
    assert np.shape(penalty) == ()
    assert float(penalty) == expected


def test_defaults_are_those_of_keras():
    assert (L1().l1, L2().l2, L1L2().l1, L1L2().l2) == (0.01, 0.01, 0.0, 0.0)
    assert float(L2()(np.ones((5, 5)))) == pytest.approx(0.25)  # no half


@pytest.mark.parametrize("made", [L1, L2, L1L2])
@pytest.mark.parametrize("factor", [-1e-3, float("nan"), float("inf"), np.float32("-inf")])
def test_factors_are_finite_and_not_negative(made, factor):
    with pytest.raises(ValueError, match=r"^l[12]: received .*; expected a finite number .*; to fix it"):
        made(factor)


@pytest.mark.parametrize("factor", ["0.1", None, True, [0.1]])
def test_factors_are_numbers(factor):
    with pytest.raises(TypeError, match=r"^l2: received .*; expected a finite number of at least 0; to fix"):
        L1L2(l2=factor)


@pytest.mark.parametrize(
    ("identifier", "made", "config"),
    [
        ("l1", L1, {"l1": 0.01}),
        ("l2", L2, {"l2": 0.01}),
        ("l1_l2", L1L2, {"l1": 0.01, "l2": 0.01}),
        ("L1", L1, {"l1": 0.01}),
        ("L2", L2, {"l2": 0.01}),
        ("L1L2", L1L2, {"l1": 0.01, "l2": 0.01}),
        (L1, L1, {"l1": 0.01}),
        (L1L2, L1L2, {"l1": 0.0, "l2": 0.0}),
        ({"class_name": "L2", "config": {"l2": 0.5}}, L2, {"l2": 0.5}),
        ({"class_name": "l1_l2", "config": {"l1": 0.5, "l2": 1.0}}, L1L2, {"l1": 0.5, "l2": 1.0}),
        ({"class_name": "L1"}, L1, {"l1": 0.01}),
    ],
)
def test_get(identifier, made, config):
    regularizer = regularizers.get(identifier)
    assert type(regularizer) is made
    assert regularizer.get_config() == config
    assert made.from_config(config).get_config() == config


def test_get_passes_instances_and_functions_through():
    penalty, own = L2(0.5), lambda x: 0.0
    assert regularizers.get(penalty) is penalty
    assert regularizers.get(own) is own
    assert regularizers.get(None) is None
    assert (regularizers.l1, regularizers.l2, regularizers.l1_l2) == (L1, L2, L1L2)


def test_get_names_the_nearest():
    with pytest.raises(ValueError, match=r"^regularizer: received 'l1l2'; .*; to fix it, use 'l1_l2'"):
        regularizers.get("l1l2")
    with pytest.raises(TypeError, match=r"regularizer: received 3; expected one of 'l1', 'l1_l2', 'l2'; to"):
        regularizers.get(3)


def test_base_class_asks_for_the_methods():
    with pytest.raises(NotImplementedError, match="Regularizer has no __call__"):
        Regularizer()(X)
    with pytest.raises(NotImplementedError, match="Regularizer has no get_config"):
        Regularizer().get_config()
