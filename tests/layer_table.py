"""A row for each public layer, and further ones for options that compute something else."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn import initializers, layers, ops

NORMAL = {"class_name": "RandomNormal", "config": {"stddev": 0.5, "seed": 3}}  # Keras reads it too
TIES = initializers.Constant(np.tile([[0.5, -1.0, 2.0]], (5, 2)))  # both pieces of each unit of Maxout are equal


@dataclass(frozen=True)
class Case:
    """A layer and what it is called on.

    Attributes
    ----------
    name : str
        Of the class in `fastnn.layers`.
    kwargs : dict
    shape : tuple of int
        Of one sample.
    weights : (int, int)
        How many variables it has, trainable and not.
    oracle : bool
        Whether Keras' layer of this name, if it has one, gives the same numbers outside training.
    """

    name: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = (5,)
    weights: tuple[int, int] = (0, 0)
    oracle: bool = True

    def __str__(self) -> str:
        return f"{self.name} {self.kwargs or ''}".replace(str(NORMAL), "normal")[:60].strip()

    def make(self) -> layers.Layer:
        return getattr(layers, self.name)(**self.kwargs)


CASES = [
    Case("Activation", {"activation": "gelu"}),
    Case("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, (3, 4)),
    Case("AlphaDropout", {"rate": 0.3, "seed": 1}, (20,)),
    Case("Dense", {"units": 3, "bias_initializer": NORMAL}, weights=(2, 0)),
    Case("Dense", {"units": 17, "activation": "sigmoid", "use_bias": False}, (2, 33), (1, 0)),
    Case("Dense", {"units": 4, "activity_regularizer": "l2"}, (2, 3), (2, 0)),
    Case("Dropout", {"rate": 0.3, "seed": 1}, (20,)),
    Case("ELU", {"alpha": 0.5}),
    Case("Flatten", shape=(3, 4)),
    Case("GaussianDropout", {"rate": 0.3, "seed": 1}, (20,)),
    Case("GaussianNoise", {"stddev": 0.3, "seed": 1}, (3, 20)),
    Case("InputLayer", {"shape": (5,)}, oracle=False),
    Case("Lambda", {"function": ops.square}, oracle=False),
    Case("LeakyReLU"),
    Case("LeakyReLU", {"negative_slope": 0.0}, (17,)),
    Case("Maxout", {"units": 3, "bias_initializer": NORMAL}, weights=(2, 0)),
    Case("Maxout", {"units": 18, "k": 5, "use_bias": False}, (2, 7), (1, 0)),
    Case("Maxout", {"units": 3, "kernel_initializer": TIES}, weights=(2, 0)),
    Case("PReLU", {"alpha_initializer": NORMAL}, weights=(1, 0)),
    Case("PReLU", {"alpha_initializer": NORMAL, "shared_axes": [1, 2]}, (3, 4, 17), (1, 0)),
    Case("PReLU", {"alpha_regularizer": "l1", "shared_axes": [2]}, (3, 4), (1, 0)),
    Case("Permute", {"dims": (2, 3, 1)}, (3, 4, 5)),
    Case("RBF", {"units": 3}, weights=(2, 0)),
    Case("RBF", {"units": 35, "widths_initializer": initializers.Constant(3.0)}, (2, 7), (2, 0)),
    Case("ReLU"),
    Case("ReLU", {"max_value": 1.0, "negative_slope": 0.25, "threshold": 0.5}, (3, 17)),
    Case("RepeatVector", {"n": 3}),
    Case("Rescaling", {"scale": 0.5, "offset": -1.0}),
    Case("Reshape", {"target_shape": (2, -1)}, (6,)),
    Case("Softmax"),
    Case("Softmax", {"axis": 1}, (3, 4)),
    Case("Softmax", {"axis": (1, 3)}, (3, 4, 5)),
]
