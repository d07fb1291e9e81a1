"""Layers, with Keras' names, arguments and defaults."""

from .activations import ELU, LeakyReLU, PReLU, ReLU, Softmax
from .base import Layer
from .core import Activation, Dense, Input, InputLayer, Lambda
from .preprocessing import Rescaling
from .regularization import ActivityRegularization, AlphaDropout, Dropout, GaussianDropout, GaussianNoise
from .reshaping import Flatten, Permute, RepeatVector, Reshape
from .units import RBF, Maxout

__all__ = [
    "ELU",
    "RBF",
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "Dense",
    "Dropout",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "Input",
    "InputLayer",
    "Lambda",
    "Layer",
    "LeakyReLU",
    "Maxout",
    "PReLU",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Softmax",
]
