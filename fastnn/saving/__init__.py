"""Models in files, and what makes layers and functions of one's own known to configurations."""

from ..registry import custom_object_scope
from ..registry import register as register_keras_serializable
from .container import FormatError
from .state import load_model, load_weights, save_model, save_weights

__all__ = [
    "FormatError",
    "custom_object_scope",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
]
