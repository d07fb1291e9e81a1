"""Layers, with Keras' names, arguments and defaults."""

from ..old_spellings import accept
from .base import Layer
from .core import Activation, Dense, Input, InputLayer
from .preprocessing import Rescaling
from .regularization import Dropout
from .reshaping import Flatten, Reshape

__all__ = [
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "Rescaling",
    "Reshape",
]

for _layer in [globals()[_name] for _name in __all__]:
    accept(_layer, "__init__")
