"""Every wrong call of an activation: the right type, a message of four parts, and nothing changed by it."""

import math

import pytest
from test_wrong_calls import MODELS, PARTS, X, state

import fastnn
from fastnn import activations, layers, ops, registry


class NotCallable:
    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls()


def registered(config):
    """The activation of a config while the class above is registered."""
    registry.register(name="NotCallable")(NotCallable)
    try:
        return activations.get(config)
    finally:
        del registry._registered["NotCallable"]


def on_batch(function, **options):
    """A layer that applies a function to a batch of four features."""
    return layers.Lambda(function, arguments=options)(fastnn.Input((4,)))


def dense(activation, units=3):
    return fastnn.Sequential([layers.Dense(units, activation, input_shape=(4,), name="d")])


# Title, the call, the error's type, and how its message begins.
CALLS = [
    ("an unknown name", lambda: activations.get("mesh"), ValueError, "activation: received 'mesh'"),
    ("a number as name", lambda: activations.get(3), TypeError, "activation: received 3"),
    ("a list as name", lambda: activations.get(["relu"]), TypeError, "activation: received ['relu']"),
    ("of Dense", lambda: dense("softmaxx"), ValueError, "activation: received 'softmaxx'"),
    ("a class that is unknown", lambda: activations.get({"class_name": "Relu"}), ValueError, "class_name of"),
    ("no class", lambda: activations.get({"config": "relu"}), TypeError, "class_name of an activation: received None"),
    (
        "an unknown function",
        lambda: activations.get({"class_name": "function", "config": "f"}),
        ValueError,
        "activation",
    ),
    (
        "a layer's bad option",
        lambda: activations.get({"class_name": "ELU", "config": {"alpha": -1}}),
        ValueError,
        "alpha",
    ),
    (
        "a config that is none",
        lambda: activations.get({"class_name": "ReLU", "config": 3}),
        TypeError,
        "config of ReLU",
    ),
    ("no activation", lambda: registered({"class_name": "NotCallable"}), TypeError, "activation: received"),
    ("an own function", lambda: activations.serialize(len), ValueError, "activation: received"),
    ("an own function in Dense", lambda: dense(ops.square).get_config(), ValueError, "activation: received"),
    ("custom objects", lambda: activations.deserialize("relu", [1]), TypeError, "custom_objects: received [1]"),
    ("alpha of celu", lambda: activations.celu(X, 0.0), ValueError, "alpha: received 0.0"),
    ("negative alpha", lambda: activations.celu(X, -1.0), ValueError, "alpha: received -1.0"),
    ("infinite alpha", lambda: activations.celu(X, math.inf), ValueError, "alpha: received inf"),
    ("alpha NaN of celu", lambda: activations.celu(X, math.nan), ValueError, "alpha: received nan"),
    ("negative b", lambda: activations.squareplus(X, -0.5), ValueError, "b: received -0.5"),
    ("large b", lambda: on_batch(activations.squareplus, b=1e30), ValueError, "b: received 1e+30"),
    ("text as option", lambda: activations.soft_shrink(X, "0.5"), TypeError, "threshold: received '0.5'"),
    ("text as threshold", lambda: activations.threshold(X, "0", 1.0), TypeError, "threshold: received '0'"),
    ("None as default", lambda: activations.threshold(X, 0, None), TypeError, "default_value: received None"),
    ("text as input", lambda: activations.mish("x"), TypeError, "x: received 'x'"),
    ("complex input", lambda: activations.softsign(1j), TypeError, "x: received"),
    ("odd halves", lambda: activations.glu(X[:, :3]), ValueError, "x: received shape (12, 3)"),
    ("odd units of Dense", lambda: dense("glu"), ValueError, "x: received shape (None, 3)"),
    ("halves of the batch", lambda: on_batch(activations.glu, axis=0), ValueError, "axis: received 0"),
    ("no such axis of glu", lambda: activations.glu(X, 2), ValueError, "axis: received 2"),
    ("halves of a number", lambda: activations.glu(1.0), ValueError, "axis: received -1"),
    ("along the batch", lambda: on_batch(activations.softmax, axis=0), ValueError, "axis: received 0"),
    ("along it and more", lambda: on_batch(activations.log_softmax, axis=(0, 1)), ValueError, "axis: received (0, 1)"),
    ("one axis twice", lambda: activations.softmax(X, (1, -1)), ValueError, "axis: received (1, -1)"),
    ("no such axis", lambda: activations.log_softmax(X, 2), ValueError, "axis: received 2"),
    ("half an axis", lambda: activations.softmax(X, 0.5), TypeError, "axis: received 0.5"),
    ("no axis", lambda: activations.softmax(X, ()), TypeError, "axis: received ()"),
    ("of a number", lambda: activations.softmax(1.0), ValueError, "axis: received -1"),
    ("several of sparsemax", lambda: activations.sparsemax(X, (0, 1)), TypeError, "axis: received (0, 1)"),
    ("an empty row", lambda: activations.sparsemax(X[:, :0]), ValueError, "prediction: received shape (12, 0)"),
]


@pytest.mark.parametrize(("call", "error", "begins"), [pytest.param(*c[1:], id=c[0]) for c in CALLS])
def test_wrong_calls(call, error, begins):
    model = MODELS["model"]()
    before = state(model)
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is error and PARTS.fullmatch(message) and begins in message, message
    assert state(model) == before
