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
    shape : tuple of int, or list of them
        Of one sample of the input, or of each.
    weights : (int, int)
        How many variables it has, trainable and not.
    oracle : bool
        Whether Keras' layer of this name, if it has one, gives the same numbers outside training.
    random : bool
        Whether it draws numbers in training.
    """

    name: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    shape: Any = (5,)
    weights: tuple[int, int] = (0, 0)
    oracle: bool = True
    random: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.kwargs or ''}".replace(str(NORMAL), "normal")[:60].strip()

    def make(self) -> layers.Layer:
        return getattr(layers, self.name)(**self.kwargs)

    @property
    def batch_shape(self) -> Any:
        """What `build` takes."""
        return self.each(lambda shape: (None, *shape))

    def each(self, function: Any) -> Any:
        """``function(shape)`` for the shape of each input: a list where the layer takes one."""
        return [function(shape) for shape in self.shape] if isinstance(self.shape, list) else function(self.shape)

    def draw(self, samples: int, seed: int = 4, dtype: Any = np.float64) -> Any:
        """Normal numbers as inputs: they lie on both sides of every kink."""
        rng = np.random.default_rng(seed)
        return self.each(lambda shape: rng.standard_normal((samples, *shape)).astype(dtype))

    def rows(self, x: Any) -> list[Any]:
        """The inputs of each sample alone."""
        several = isinstance(self.shape, list)
        parts = [np.split(a, len(a)) for a in (x if several else [x])]
        return [list(row) if several else row[0] for row in zip(*parts, strict=True)]


CASES = [
    Case("Add", shape=[(5,), (5,), (5,)]),
    Case("Add", shape=[(5,), (3, 1), (3, 5)]),
    Case("Activation", {"activation": "gelu"}),
    Case("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, (3, 4)),
    Case("AlphaDropout", {"rate": 0.3, "seed": 1}, (20,), random=True),
    Case("Average", shape=[(17,), (17,), (17,)]),
    Case("BatchNormalization", {"beta_initializer": NORMAL, "gamma_initializer": NORMAL}, (17,), (2, 2)),
    Case("BatchNormalization", {"momentum": 0.7, "epsilon": 0.1}, (4, 17), (2, 2)),
    Case("BatchNormalization", {"momentum": 0.5, "center": False}, (3, 2, 6), (1, 2)),
    Case("BatchNormalization", {"scale": False, "axis": 1, "moving_mean_initializer": NORMAL}, (33,), (1, 2)),
    Case("BatchNormalization", {"scale": False, "center": False}, (7,), (0, 2)),
    Case("BatchNormalization", {"trainable": False}, (5,), (0, 4)),
    Case("BatchNormalization", {"gamma_regularizer": "l2", "beta_regularizer": "l1"}, (6,), (2, 2)),
    Case("Concatenate", shape=[(5,), (1,), (17,)]),
    Case("Concatenate", {"axis": 1}, [(3, 4), (2, 4)]),
    Case("Dense", {"units": 3, "bias_initializer": NORMAL}, weights=(2, 0)),
    Case("Dense", {"units": 17, "activation": "sigmoid", "use_bias": False}, (2, 33), (1, 0)),
    Case("Dense", {"units": 4, "activity_regularizer": "l2"}, (2, 3), (2, 0)),
    Case("Dot", {"axes": 1}, [(5,), (5,)]),
    Case("Dot", {"axes": -1, "normalize": True}, [(5,), (5,)]),
    Case("Dot", {"axes": (2, 1)}, [(3, 5), (5, 4)]),
    Case("Dot", {"axes": (1, 2), "normalize": True}, [(5, 3), (4, 5)]),
    Case("Dot", {"axes": (1, 1)}, [(5,), (5, 4)]),
    Case("Dropout", {"rate": 0.3, "seed": 1}, (20,), random=True),
    Case("Dropout", {"rate": 0.3, "seed": 1, "scale_at": "prediction"}, (20,), oracle=False, random=True),
    Case("ELU", {"alpha": 0.5}),
    Case("Flatten", shape=(3, 4)),
    Case("GaussianDropout", {"rate": 0.3, "seed": 1}, (20,), random=True),
    Case("GaussianNoise", {"stddev": 0.3, "seed": 1}, (3, 20), random=True),
    Case("InputLayer", {"shape": (5,)}, oracle=False),
    Case("Lambda", {"function": ops.square}, oracle=False),
    Case("LayerNormalization", {"beta_initializer": NORMAL, "gamma_initializer": NORMAL}, (17,), (2, 0)),
    Case("LayerNormalization", {"epsilon": 0.1, "axis": [2]}, (4, 17), (2, 0)),
    Case("LayerNormalization", {"center": False}, (3, 2, 6), (1, 0)),
    Case("LayerNormalization", {"scale": False, "axis": 1}, (33,), (1, 0)),
    Case("LayerNormalization", {"scale": False, "center": False}, (7,)),
    Case("LayerNormalization", {"trainable": False, "gamma_regularizer": "l2"}, (5,), (0, 2)),
    Case("LeakyReLU"),
    Case("LeakyReLU", {"negative_slope": 0.0}, (17,)),
    Case("Maxout", {"units": 3, "bias_initializer": NORMAL}, weights=(2, 0)),
    Case("Maxout", {"units": 18, "k": 5, "use_bias": False}, (2, 7), (1, 0)),
    Case("Maxout", {"units": 3, "kernel_initializer": TIES}, weights=(2, 0)),
    Case("Maximum", shape=[(5,), (5,), (5,)]),
    Case("Minimum", shape=[(3, 5), (5,)]),
    Case("Multiply", shape=[(5,), (5,), (5,)]),
    Case("Normalization", {"mean": 0.5, "variance": 4.0}, (5,)),
    Case("Normalization", {"mean": [0.5, 1.5], "variance": [4.0, 0.0], "invert": True}, (3, 2)),
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
    Case("Subtract", shape=[(5,), (5,)]),
]
