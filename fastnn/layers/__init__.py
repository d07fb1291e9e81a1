"""Layers, with Keras' names, arguments and defaults."""

from .base import Layer
from .core import Activation, Dense, Input, InputLayer
from .normalization import BatchNormalization, LayerNormalization
from .preprocessing import Normalization, Rescaling
from .regularization import Dropout
from .reshaping import Flatten, Reshape

__all__ = [
    "Activation",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "Normalization",
    "Rescaling",
    "Reshape",
]
