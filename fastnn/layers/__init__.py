"""Layers, with Keras' names, arguments and defaults."""

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
